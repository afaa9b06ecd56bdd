"""The command line: results on standard output, refusals in one line on standard error, exit codes."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from click.testing import CliRunner, Result
from sklearn.linear_model import LogisticRegression

from qaudit.cli.main import main
from qaudit.plugin_host.discovery import PluginHost
from qaudit.storage.digests import file_sha256


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / "registry"))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    X = pd.DataFrame(draw.normal(size=(200, 3)), columns=["a", "b", "c"])
    y = np.where(X["a"] - X["b"] + draw.normal(scale=0.3, size=200) > 0, "yes", "no")
    model = LogisticRegression().fit(X, y)
    skops.io.dump(model, tmp_path / "model.skops")
    joblib.dump(model, tmp_path / "model.joblib")
    X.assign(answer=y).to_csv(tmp_path / "rows.csv", index=False)
    X.assign(answer=y).to_csv(tmp_path / "more.csv", index=False)
    return tmp_path


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in args])


def registered(files: Path, *more: object) -> Result:
    options = ("--holdout", files / "rows.csv", "--target", "answer", "--positive", "yes", *more)
    return call("register", "small", files / "model.skops", *options)


@pytest.mark.slow
def test_register_list_inspect_run_verify(files: Path) -> None:
    assert registered(files).stdout == "small@1\n"
    assert registered(files).stdout == "small@1\n", "the same again is the same version"
    rows = json.loads(call("models", "--json").stdout)
    assert [(row["name"], row["version"], row["options"]["target"]) for row in rows] == [("small", 1, "answer")]
    facts = json.loads(call("inspect", "small", "--json").stdout)
    assert facts["classes"] == ["no", "yes"]
    assert [each["name"] for each in facts["features"]] == ["a", "b", "c"]
    assert facts == json.loads(call("inspect", files / "model.skops", "--json").stdout)
    out = files / "out"
    kept = {path: path.stat().st_mtime_ns for path in (files / "registry" / "blobs").iterdir()}
    done = call(
        *("run", "small@1", "-o", out, "--quantizers", "symmetric", "--explainers", "permutation", "--bits", "4"),
        *("--judge", "symmetric(axis='tensor',bits=4)", "--format", "html", "--date", "2026-11-24", "--framework", "sr_26_2"),
    )
    assert done.exit_code == 0, done.stderr
    assert done.stdout.split() == [str(out / name) for name in ("report.json", "report.html", "seal.json")]
    assert len(kept) == 2
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "an audit writes nothing into the registry"
    report = json.loads((out / "report.json").read_text())
    assert report["judged"] == "symmetric(axis='tensor',bits=4)"
    assert [each["id"] for each in report["frameworks"]] == ["sr_26_2"]
    assert report["audit"]["date"] == "2026-11-24"
    assert (report["subject"]["name"], report["subject"]["version"]) == ("small", 1)
    assert done.stderr.splitlines()[-1] == "qaudit: no limit is set (exit code 0)"
    gated = call("gate", out)
    assert (gated.exit_code, gated.stdout) == (0, "no limit is set (exit code 0)\n")
    assert call("verify", out).exit_code == 0
    assert call("render", out / "report.json", "--format", "html").exit_code == 0, "the same bytes may be written again"
    (out / "report.html").write_text("other")
    again = call("render", out / "report.json", "--format", "html")
    assert again.exit_code == 2
    assert "is sealed and would change" in again.stderr
    assert (out / "report.html").read_text() == "other"
    changed = call("verify", out, "--json")
    assert changed.exit_code == 1
    assert json.loads(changed.stdout) == {"status": "does not match", "lines": ["report.html: changed since the seal"]}
    assert call("verify", files).exit_code == 2


@pytest.mark.slow
def test_a_template_of_others_lays_out_what_follows_page_one(files: Path) -> None:
    memo = files / "memo"
    memo.mkdir()
    (memo / "template.html.j2").write_text(
        '<h2>Memo on {{ report.subject.name }}</h2><qaudit-section name="rules"></qaudit-section>'
    )
    (files / "audit.toml").write_text(
        '[subject]\nmodel = "model.skops"\ntarget = "answer"\npositive = "yes"\n\n[data]\nholdout = "rows.csv"\n\n'
        '[report]\nformats = ["html"]\ntemplate = "memo"\n'
    )
    chosen = ("--quantizers", "symmetric", "--explainers", "permutation", "--bits", "4", "--date", "2026-11-24")
    done = call("run", files / "audit.toml", *chosen, "-o", files / "out")
    assert done.exit_code == 0, done.stderr
    text = (files / "out" / "report.html").read_text()
    assert "Memo on " in text
    assert "laid out by the template <b><bdi>memo</bdi></b>" in text
    plain = call("run", files / "model.skops", files / "rows.csv", "--target", "answer", "--positive", "yes", "--format", "html",
                 *chosen, "-o", files / "plain")  # fmt: skip
    assert plain.exit_code == 0, plain.stderr
    assert (files / "plain" / "report.json").read_bytes() == (files / "out" / "report.json").read_bytes()
    again = call("render", files / "out" / "report.json", "--template", memo, "--format", "html", "-o", files / "again")
    assert again.exit_code == 0, again.stderr
    assert (files / "again" / "report.html").read_text() == text
    (memo / "template.html.j2").write_text("{{ report.nothing.more }}")
    refused = call("render", files / "out" / "report.json", "--template", memo, "--format", "html", "-o", files / "none")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"qaudit: {memo}: template.html.j2: UndefinedError: ")
    assert refused.stderr.count("\n") == 1
    assert not list((files / "none").iterdir())
    failed = call("run", files / "audit.toml", *chosen, "-o", files / "out")
    assert failed.exit_code == 2
    assert "template memo: template.html.j2: UndefinedError" in failed.stderr
    assert (files / "out" / "report.html").read_bytes() == (files / "plain" / "report.html").read_bytes()
    assert call("verify", files / "out").exit_code == 0
    (memo / "template.html.j2").write_text("<p>{{ 'x' | safe }}")
    early = call("run", files / "audit.toml", *chosen, "-o", files / "early")
    assert early.exit_code == 2
    assert "line 1: filter 'safe' is not among" in early.stderr
    assert not (files / "early").exists()


def test_code_in_a_file_needs_trust_by_its_digest(files: Path) -> None:
    options = ("--holdout", files / "rows.csv", "--target", "answer", "--positive", "yes")
    done = call("register", "small", files / "model.joblib", *options)
    digest = f"sha256:{file_sha256(files / 'model.joblib')}"
    assert done.exit_code == 2
    assert f"pass --trust {digest}" in done.stderr
    other = "sha256:" + "0" * 64
    assert call("register", "small", files / "model.joblib", *options, "--trust", other).exit_code == 2
    assert call("register", "small", files / "model.joblib", *options, "--trust", digest).stdout == "small@1\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("run", "absent"), "no registered model 'absent'"),
        (("run", "absent.toml"), "absent.toml: No such file or directory"),
        (("run", "folder/absent.skops"), "no such file"),
        (("run", "{}/model.skops"), "a model file needs its holdout"),
        (("run", "{}/model.skops", "{}/absent.csv", "--target", "answer", "--positive", "yes"), "absent.csv"),
        (("run", "{}/model.skops", "{}/rows.csv"), "[subject] target: missing"),
        (("run", "{}/model.skops", "{}/rows.csv", "--target", "anser", "--positive", "yes"), "did you mean 'answer'?"),
        (("run", "{}/model.skops", "{}/rows.csv", "--target", "answer"), "--positive LABEL"),
        (("run", "{}/model.skops", "{}/rows.csv", "--target", "answer", "--bits", "x"), "--bits x: whole numbers"),
        (("run", "{}/model.skops", "{}/rows.csv", "--target", "answer", "-o", "{}/rows.csv"), "cannot be used as output folder"),
        (("run", "{}/rows.csv", "{}/rows.csv", "--target", "answer"), "no model format recognises this file"),
        (("register", "../x", "{}/model.skops", "--holdout", "{}/rows.csv", "--target", "answer"), "model name '../x'"),
        (("register", "x", "{}/model.skops", "--holdout", "{}/rows.csv"), "--target COLUMN: missing"),
        (("register", "x", "{}/model.skops", "--holdout", "{}/rows.csv", "--target", "no"), "no column 'no'"),
        (("inspect", "absent"), "no registered model 'absent'"),
        (("render", "absent.json"), "absent.json"),
    ],
)
def test_refusals(args: tuple[str, ...], message: str, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    before = sorted(files.rglob("*"))
    done = call(*(each.replace("{}", str(files)) for each in args))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("qaudit: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert [path for path in sorted(files.rglob("*")) if "registry" not in path.parts and path not in before] == []


def test_broken_audit_file_names_its_line(files: Path) -> None:
    (files / "audit.toml").write_text("[subject]\nregistered = = 1\n")
    assert "audit.toml:2: not TOML" in call("run", files / "audit.toml").stderr


def test_plugins_listing() -> None:
    rows = json.loads(call("plugins", "--json").stdout)
    assert rows == json.loads(call("plugins", "list", "--json").stdout)
    mine = {row["name"]: row for row in rows if row["distribution"] == "qaudit"}
    assert mine["symmetric"]["kind"] == "quantizer"
    assert all(row["status"] == "ok" for row in mine.values())
    assert "symmetric" in call("plugins").stdout


def test_schema_is_json() -> None:
    assert json.loads(call("schema", "audit").stdout)["title"]
    assert json.loads(call("schema").stdout)["type"] == "object"


def test_interrupted_run_leaves_nothing(files: Path) -> None:
    registered(files)
    # a script that starts the tests in the background hands its children a SIGINT that is ignored
    command = ["env", "--default-signal=INT", sys.executable, "-m", "qaudit", "run", "small", "-o", str(files / "out")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=files)
    assert running.stderr is not None
    first = running.stderr.readline()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert first.startswith("load")
    assert (running.returncode, out) == (2, "")
    assert err.splitlines()[-1] == "qaudit: interrupted; what was there before is unchanged; the same command goes on from here"
    assert not (files / "out").exists()


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")

    monkeypatch.setattr(PluginHost, "discover", full)
    done = call("plugins")
    assert (done.exit_code, done.stderr) == (2, "qaudit: /tmp/x: No space left on device\n")


@pytest.mark.slow
def test_the_host_imports_no_model_library_and_no_plugin(files: Path) -> None:
    code = (
        "import sys\nfrom qaudit.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "foreign = [name for name in sys.modules if name.split('.')[0] in ('sklearn', 'skops', 'joblib', 'weasyprint')"
        " or name.startswith('qaudit_')]\n"
        "assert not foreign, foreign"
    )
    registered(files)
    audit = ("run", "small", "-o", "out", "--quantizers", "symmetric", "--bits", "4")
    args = (*audit, "--explainers", "surrogate_tree", "--format", "html")
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=250, cwd=files)
    assert done.returncode == 0, done.stderr


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom qaudit.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'pandas', 'sklearn', 'scipy', 'pyarrow', 'numexpr', 'weasyprint', 'pydantic', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_hostile_name_cannot_move_the_cursor(tmp_path: Path) -> None:
    """Escape sequences and bidi marks in names reach the terminal by number only."""
    plugin = tmp_path / "ansi.py"
    name = "red\\x1b[31m\\u202e"
    plugin.write_text(
        "from qaudit import Quantizer, hookimpl\n\n\n@hookimpl\ndef qaudit_offer_quantizers(subject):\n"
        f'    yield Quantizer("{name}", "x", lambda values, calibration: None)\n',
        encoding="utf-8",
    )
    listed = call("plugins", "--plugin", plugin)
    refused = call("run", "a\x1b]0;owned\x07.toml")
    assert "red<U+001B>[31m<U+202E>" in listed.output
    assert refused.exit_code == 2
    assert not {"\x1b", "\x07", "\u202e"} & set(listed.output + refused.output)


@pytest.mark.slow
def test_what_is_not_known_never_passes_and_is_named_last(files: Path) -> None:
    """A policy of version 0.1 with a limit that these rows cannot decide: before the run, on its last line, and at the gate."""
    registered(files)
    (files / "policy.toml").write_text(
        'name = "p"\nversion = "1"\nset = 2026-11-01\n'
        '[[limit]]\nid = "L1"\nmeasure = "flip_rate"\nuse = "upper"\nat_most = 0.0001\nreason = "test"\n'
        '[[limit]]\nid = "L2"\nmeasure = "size_bytes"\nat_most = 100000\nreason = "test"\n'
    )
    chosen = (
        "small@1",
        "--quantizers",
        "symmetric",
        "--explainers",
        "",
        "--bits",
        "16",
        "--format",
        "html",
        "--date",
        "2026-11-24",
    )
    chosen += ("--judge", "symmetric(axis='tensor',bits=16)", "--policy", str(files / "policy.toml"))
    done = call("run", *chosen, "-o", files / "out")
    assert done.exit_code == 2, done.stderr
    lines = done.stderr.splitlines()
    assert lines[-1] == "qaudit: 1 of 2 limits within or near; not demonstrable: L1 (exit code 2)"
    assert "It no longer chooses one end of the interval: the whole interval decides" in lines[-2]
    before = next(number for number, line in enumerate(lines) if line.startswith("note: Limit L1 (flip_rate) cannot be shown"))
    assert before < next(number for number, line in enumerate(lines) if line.startswith("quantize"))
    report = json.loads((files / "out" / "report.json").read_text())
    assert {"QA-030", "QA-031", "QA-033"} <= {each["code"] for each in report["findings"]}
    gated = call("gate", files / "out" / "report.json")
    assert gated.exit_code == 2
    assert f"qaudit: {gated.stdout.splitlines()[-1]}" == lines[-1]

    passed = call("run", *chosen, "--not-demonstrable", "pass", "-o", files / "passed")
    assert passed.exit_code == 0, passed.stderr
    assert passed.stderr.splitlines()[-1].endswith('as the audit sets not_demonstrable = "pass" (exit code 0)')
    assert "lets limits that are not demonstrable pass" in (files / "passed" / "report.html").read_text()
    assert call("gate", files / "passed").exit_code == 0
