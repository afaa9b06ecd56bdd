"""`qaudit plugins`: what is installed, broken and unselected, with reasons and remedies, cheaply and without importing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import qaudit
from qaudit.cli.main import main
from qaudit.errors import Refused
from qaudit.plugin_host.discovery import PluginHost, from_file
from qaudit.sandbox import plugin_source

FRAMEWORK = """
id = "acme"
title = "t"
source = "s"
status = "s"
binding = false
scope_note = "n"
dated = "2026-01-01"

[[items]]
id = "a"
ref = "1"
paraphrase = "p"
evidence = "limits"
filled_by = "tool"
coverage = "direct"
"""


def distribution(
    at: Path, name: str, entries: dict[str, dict[str, str]], requires: str = "", files: dict[str, str] | None = None
) -> None:
    """An installed distribution, as a folder on sys.path."""
    info = at / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
    lines = [line for group, found in entries.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in found.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines))
    for path, text in (files or {}).items():
        (at / path).parent.mkdir(parents=True, exist_ok=True)
        (at / path).write_text(text)


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    quantizers = "qaudit.quantizers"
    distribution(tmp_path, "acme-gone", {quantizers: {"gone": "acme_gone"}})
    distribution(tmp_path, "acme-syntax", {quantizers: {"syntax": "acme_syntax"}}, files={"acme_syntax.py": "def f(:\n"})
    distribution(
        tmp_path, "acme-needy", {quantizers: {"needy": "acme_needy"}}, files={"acme_needy.py": "import no_such_thing.x\n"}
    )
    distribution(tmp_path, "acme-old", {quantizers: {"old": "acme_old"}}, files={"acme_old.py": "qaudit_spec = 9\n"})
    distribution(tmp_path, "acme-pin", {quantizers: {"pin": "acme_pin"}}, "qaudit>=7,<8", files={"acme_pin.py": "x = 1\n"})
    distribution(tmp_path, "acme-twin", {quantizers: {"affine": "acme_twin"}}, files={"acme_twin.py": "x = 1\n"})
    distribution(
        tmp_path,
        "acme-fine",
        {quantizers: {"fine": "acme_deep.inner.fine"}},
        "qaudit>=0.1",
        files={"acme_deep/inner/fine.py": "import numpy\n"},
    )
    lists = {"acme": "acme_pack.lists.acme.toml"}
    distribution(tmp_path, "acme-list", {"qaudit.frameworks": lists}, files={"acme_pack/lists/acme.toml": FRAMEWORK})
    monkeypatch.syspath_prepend(str(tmp_path))
    return {f"{row['distribution']}:{row['name']}": row for row in PluginHost.discover().listing()}


@pytest.mark.parametrize(
    ("name", "status", "reason", "remedy"),
    [
        ("acme-gone:gone", "broken", "acme_gone is not there", "pip uninstall acme-gone"),
        ("acme-syntax:syntax", "broken", "not Python: invalid syntax, line 1", "correct the file"),
        ("acme-needy:needy", "broken", "needs the module 'no_such_thing', which is not installed", "install what provides"),
        (
            "acme-old:old",
            "broken",
            "acme-old 1.0 was written for plugin contract 9, this qaudit has contract 1",
            "another version",
        ),
        ("acme-pin:pin", "broken", "acme-pin asks for qaudit<8,>=7, this is qaudit", "versions that fit"),
        ("acme-twin:affine", "unselected", "'affine' is offered by acme-twin 1.0 and qaudit", "acme-twin:affine"),
        ("qaudit:affine", "unselected", "'affine' is offered by acme-twin 1.0 and qaudit", "qaudit:affine"),
        ("acme-fine:fine", "ok", "", ""),
        ("acme-list:acme", "ok", "", ""),
        ("qaudit:symmetric", "ok", "", ""),
    ],
)
def test_each_row_says_what_why_and_what_to_do(
    name: str, status: str, reason: str, remedy: str, rows: dict[str, dict[str, Any]]
) -> None:
    row = rows[name]
    assert row["status"] == status
    assert reason in row["reason"]
    assert remedy in row["remedy"]
    assert bool(row["digest"]) == (name != "acme-gone:gone")


def test_a_plugin_of_another_contract_is_left_out_and_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path, "acme-old", {"qaudit.quantizers": {"old": "acme_old"}}, files={"acme_old.py": "qaudit_spec = 9\n"})
    monkeypatch.syspath_prepend(str(tmp_path))
    host = PluginHost.discover()
    assert "old" not in [ref.name for ref in host.select("quantizer")]
    assert [(row.by, row.reason) for row in host.doubled("quantizer")] == [
        ("acme-old:old", "acme-old 1.0 was written for plugin contract 9, this qaudit has contract 1")
    ]
    with pytest.raises(Refused, match=r"'old': acme-old 1\.0 was written for plugin contract 9"):
        host.select("quantizer", ["old"])


def test_a_toml_file_is_a_framework_and_its_digest_follows_it(tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    file.write_text(FRAMEWORK)
    (ref,) = from_file(file)
    assert (ref.kind, ref.name, ref.distribution) == ("framework", "acme", "unpackaged")
    file.write_text(FRAMEWORK + "\n")
    assert from_file(file)[0].digest != ref.digest


@pytest.mark.parametrize(("text", "message"), [("id = ", "not TOML"), ("x = 1", "no framework"), ('id = "a"', "no framework")])
def test_a_bad_toml_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(text)
    with pytest.raises(Refused, match=message):
        from_file(tmp_path / "acme.toml")


@pytest.mark.parametrize(
    ("source", "number"), [("qaudit_spec = 3\n", 3), ("x = 1\nqaudit_spec: int = 2  # ours\n", 2), ("x = 1\n", 1), ("", 1)]
)
def test_the_contract_number_is_read_from_the_source(source: str, number: int) -> None:
    assert plugin_source.stated_spec(source) == number


def test_every_name_of_the_vocabulary_is_there_when_asked_for() -> None:
    from qaudit import api as vocabulary

    given: dict[str, Any] = {}
    exec("from qaudit import *", given)
    assert {name: given[name] for name in vocabulary.__all__} == {name: getattr(vocabulary, name) for name in vocabulary.__all__}
    assert dir(qaudit) == sorted(vocabulary.__all__)
    with pytest.raises(ImportError, match="no_such_name"):
        exec("from qaudit import no_such_name", {})


HEAVY = ("numpy", "pandas", "sklearn", "scipy.stats", "numexpr", "pyarrow", "pydantic", "rich", "skops", "weasyprint", "jinja2")


@pytest.mark.parametrize("words", [["--help"], ["plugins"], ["plugins", "--json"]])
def test_it_loads_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    """Help and listing are quick because they import no library of the work itself; seconds are in benchmarks/startup.py."""
    script = (
        "import sys\nfrom qaudit.cli.main import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"
        f"    print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().splitlines()[-1] == "[]"
    if "--json" in words:
        assert {row["status"] for row in json.loads(done.stdout)} == {"ok"}


def test_what_an_audit_leaves_out_is_unselected(tmp_path: Path) -> None:
    file = tmp_path / "audit.toml"
    file.write_text('[[quantizers]]\nname = "symmetric"\n\n[report]\nframeworks = []\n')
    done = CliRunner().invoke(main, ["plugins", "--audit", str(file), "--json"])
    rows = {row["name"]: (row["status"], row["reason"], row["remedy"]) for row in json.loads(done.stdout)}
    assert rows["symmetric"] == rows["permutation"] == ("ok", "", "")
    assert rows["affine"] == ("unselected", "the audit lists others", "list affine too")
    assert rows["sr_26_2"][0] == "unselected"
    assert CliRunner().invoke(main, ["plugins", "--audit", str(tmp_path / "none.toml")]).exit_code == 2
