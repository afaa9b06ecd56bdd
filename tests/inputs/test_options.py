"""One declaration of the options: what is derived from it agrees with it, on the command line, in audit.toml and in Python."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import click
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression

import qaudit
from qaudit.cli.main import main
from qaudit.inputs.audit_toml import as_table, read_audit_file, validated
from qaudit.inputs.option import PY_AUDIT, PY_REGISTER, REGISTER, RUN, SURFACES, TOML, Declared, Surface
from qaudit.inputs.options import OPTIONS, AuditOptions, CallPart, RegisterOptions, Settings
from qaudit.pipeline import commands
from qaudit.pipeline import run as auditing
from qaudit.pipeline.plan import load_request
from qaudit.pipeline.stages.load import LoadRequest

ROOT = Path(__file__).parent.parent.parent
KEYWORDS: dict[Surface, type] = {PY_AUDIT: AuditOptions, PY_REGISTER: RegisterOptions}
TRUSTED = f"sha256:{'0' * 64}"


def named(surface: Surface) -> list[str]:
    return [each.name for each in OPTIONS if each.on(surface)]


def by_name(name: str) -> Declared:
    (each,) = [each for each in OPTIONS if each.name == name]
    return each


def test_every_option_has_a_name_of_its_own_a_help_and_a_reason_where_it_is_missing() -> None:
    names = [each.name for each in OPTIONS]
    assert len(names) == len(set(names))
    for each in OPTIONS:
        assert each.option.help, each.name
        assert set(each.option.absent) < set(SURFACES), each.name
        assert all(reason.strip() for reason in each.option.absent.values()), each.name
        assert each.on(TOML) == (each.name not in {field.name for field in dataclasses.fields(CallPart)})


def test_the_defaults_are_values_of_their_types() -> None:
    assert validated(as_table(Settings()), "") == validated({}, "") == Settings()


# What Python takes may be wider than what the settings hold. These stand for objects in memory, or are written in another form.
IN_MEMORY = {"X_train", "y_train", "train", "calibration", "quantizers", "explainers"}


def taken(each: Declared, kind: Any) -> bool:
    """Whether the type of a keyword of Python takes every value that the settings hold."""
    members = set(get_args(kind))
    if each.several:
        return any(Sequence[item] in members for item in (get_args(each.bare)[0], str | Path))
    if each.mapping:
        return any(get_origin(member) is Mapping for member in members)
    return each.bare in members or set(get_args(each.bare)) <= {inner for member in members for inner in get_args(member)}


@pytest.mark.parametrize("surface", KEYWORDS)
def test_the_typed_keywords_of_python_are_the_declared_ones(surface: Surface) -> None:
    kinds = get_type_hints(KEYWORDS[surface])
    assert sorted(kinds) == sorted(named(surface)), "add the keyword to the TypedDict at the end of qaudit/inputs/options.py"
    wrong = [name for name, kind in kinds.items() if name not in IN_MEMORY and not taken(by_name(name), kind)]
    assert wrong == [], "the TypedDict does not take what the option holds"


@pytest.mark.parametrize(("call", "surface"), [(qaudit.audit, PY_AUDIT), (qaudit.register, PY_REGISTER)])
def test_signature_and_help_show_every_keyword(call: Callable[..., Any], surface: Surface) -> None:
    keywords = {
        name: each for name, each in inspect.signature(call).parameters.items() if each.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert sorted(keywords) == sorted(named(surface))
    assert {name: each.default for name, each in keywords.items()} == {name: by_name(name).default for name in keywords}
    for name in keywords:
        assert re.search(rf"^    {name}: {re.escape(by_name(name).option.help)}", str(inspect.getdoc(call)), re.MULTILINE)


@pytest.mark.parametrize(("command", "surface"), [("run", RUN), ("register", REGISTER)])
def test_a_command_has_the_declared_options(command: str, surface: Surface) -> None:
    params = main.commands[command].params
    spelt = {each.name: [*each.opts, *each.secondary_opts] for each in params if isinstance(each, click.Option)}
    assert sorted(spelt) == sorted(named(surface))
    for name, flags in spelt.items():
        each = by_name(name)
        assert each.flag in flags or set(flags) <= set(each.option.switches), name
    help = " ".join(CliRunner().invoke(main, [command, "--help"]).output.split())
    for name in ("cutoff", "positive", "missing"):
        assert " ".join(by_name(name).explained.split()) in help


def test_what_is_said_of_the_model_has_a_place_in_the_request_of_the_load_stage(tmp_path: Path) -> None:
    said = {
        "subject": {
            "model": "m",
            "target": "y",
            "name": "n",
            "positive": "a",
            "cutoff": 0.0,
            "tolerance": 0.5,
            "trust": (TRUSTED,),
        }
    }
    rows = {
        "holdout": "h",
        "train": "t",
        "calibration": "c",
        "groups": ["g"],
        "cluster": "p",
        "types": {"x": "text"},
        "missing": ["NA"],
    }
    request = load_request(validated({**said, "data": {**rows, "calibration_share": 0.5}}, ""), tmp_path)
    expected = LoadRequest(
        model=Path("m"),
        holdout=Path("h"),
        target="y",
        training=Path("t"),
        calibration=Path("c"),
        groups=("g",),
        cluster="p",
        types={"x": "text"},
        positive="a",
        cutoff=0.0,
        tolerance=0.5,
        trust=(TRUSTED,),
        calibration_share=0.5,
        name="n",
        missing=("NA",),
        choosing=True,
        workdir=tmp_path / "copy",
    )
    assert request == expected
    named = load_request(validated({**said, "data": rows, "policy": {"judge": "symmetric(bits=8)"}}, ""), tmp_path)
    assert not named.choosing
    filled = {*said["subject"], *rows, "calibration_share"}
    assert filled == {each.key for each in OPTIONS if each.section in ("subject", "data")} - {"registered"}


def test_the_page_is_that_of_the_declaration() -> None:
    docs = generator()
    assert docs.PAGE.read_text(encoding="utf-8") == docs.page(), "run: python tools/option_docs.py"


def test_the_schema_is_that_of_the_declaration() -> None:
    docs = generator()
    assert json.loads(docs.SCHEMA.read_text(encoding="utf-8")) == json.loads(docs.schema()), "run: python tools/option_docs.py"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("option_docs", ROOT / "tools" / "option_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Stopped(BaseException):
    """Raised in the place of the work, with the settings that it was given."""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Settings]:
    """The settings that a call arrives at."""

    def audited(settings: Settings, **_: object) -> None:
        raise Stopped(settings)

    def registered(_: str, settings: Settings, parent: str | None = None) -> None:
        raise Stopped(settings)

    monkeypatch.setattr(auditing, "run", audited)
    monkeypatch.setattr(commands, "register", registered)

    def ask(call: Callable[[], Any]) -> Settings:
        with pytest.raises(Stopped) as caught:
            call()
        found: Settings = caught.value.args[0]
        return found

    return ask


def at_the_command_line(*words: object) -> Any:
    return main.main([str(word) for word in words], standalone_mode=False)


# name: (audit.toml, command line, Python)
SAME: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "name": ('[subject]\nname = "n"', ["--name", "n"], {"name": "n"}),
    "positive": ("[subject]\npositive = 1", ["--positive", "1"], {"positive": 1}),
    "cutoff": ("[subject]\ncutoff = 0.25", ["--cutoff", "0.25"], {"cutoff": 0.25}),
    "tolerance": ("[subject]\ntolerance = 0.5", ["--tolerance", "0.5"], {"tolerance": 0.5}),
    "trust": (f'[subject]\ntrust = "{TRUSTED}"', ["--trust", TRUSTED], {"trust": TRUSTED}),
    "groups": ('[data]\ngroups = ["g", "h"]', ["--groups", "g, h"], {"groups": ["g", "h"]}),
    "cluster": ('[data]\ncluster = "patient"', ["--cluster", "patient"], {"cluster": "patient"}),
    "types": ('[data.types]\n"a=b" = "text"\nc = "number"', ["--type", "a=b=text", "--type", "c=number"],
              {"types": {"a=b": "text", "c": "number"}}),
    "missing": ('[data]\nmissing = ["NA", "a,b"]', ["--missing", "NA", "--missing", "a,b"], {"missing": ["NA", "a,b"]}),
    "calibration_share": ("[data]\ncalibration_share = 0.5", ["--calibration-share", "0.5"], {"calibration_share": 0.5}),
    "quantizers": ('[[quantizers]]\nname = "a"\n[[quantizers]]\nname = "b"', ["--quantizers", "a,b"], {"quantizers": ["a", "b"]}),
    "explainers": ("explainers = []", ["--explainers", ""], {"explainers": []}),
    "policy": ('[policy]\nfile = "/p.toml"', ["--policy", "/p.toml"], {"policy": Path("/p.toml")}),
    "judge": ('[policy]\njudge = "q(bits=4)"', ["--judge", "q(bits=4)"], {"judge": "q(bits=4)"}),
    "not_demonstrable": (
        '[policy]\nnot_demonstrable = "pass"', ["--not-demonstrable", "pass"], {"not_demonstrable": "pass"}
    ),
    "explain": ('[policy]\nexplain = ["q(a=1,b=2)"]', ["--explain", "q(a=1,b=2)"], {"explain": "q(a=1,b=2)"}),
    "author": ('[author.model]\npurpose = "a = b"', ["--author", "purpose=a = b"], {"author": {"model": {"purpose": "a = b"}}}),
    "id": ('[report]\nid = "x-1"', ["--id", "x-1"], {"id": "x-1"}),
    "date": ("[report]\ndate = 2026-11-24", ["--date", "2026-11-24"], {"date": "2026-11-24"}),
    "frameworks": ('[report]\nframeworks = ["a", "b"]', ["--framework", "a", "--framework", "b"], {"frameworks": "a,b"}),
    "no frameworks": ("[report]\nframeworks = []", ["--framework", ""], {"frameworks": []}),
    "previous": ('[report]\nprevious = "/r.json"', ["--previous", "/r.json"], {"previous": "/r.json"}),
    "template": ('[report]\ntemplate = "/t"', ["--template", "/t"], {"template": Path("/t")}),
    "lang": ('[report]\nlang = "en"', ["--lang", "en"], {"lang": "en"}),
    "formats": ('[report]\nformats = ["pdf"]', ["--format", "pdf"], {"formats": "pdf"}),
    "show_values": ("[report]\nshow_values = true", ["--show-values"], {"show_values": True}),
    "seed": ("[run]\nseed = 7", ["--seed", "7"], {"seed": 7}),
    "jobs": ("[run]\njobs = 1", ["--jobs", "1"], {"jobs": 1}),
    "bits": ("[run]\nbits = [2, 4]", ["--bits", "2,4"], {"bits": range(2, 5, 2)}),
    "plugins": ('[run]\nplugins = ["a.py", "b.py"]', ["--plugin", "a.py", "--plugin", "b.py"],
                {"plugins": [Path("a.py"), "b.py"]}),
}  # fmt: skip


def test_every_option_of_an_audit_that_can_be_said_in_three_ways_is_compared() -> None:
    everywhere = {name for name in named(TOML) if {RUN, PY_AUDIT} <= {each for each in SURFACES if by_name(name).on(each)}}
    assert set(SAME) - {"no frameworks"} == everywhere - {"target", "train", "calibration"}, "those go with rows, see below"


@pytest.mark.parametrize("name", SAME)
def test_three_ways_of_saying_it_are_one(name: str, settings: Any, tmp_path: Path) -> None:
    written, words, keywords = SAME[name]
    file = tmp_path / "audit.toml"
    model = '[subject]\nregistered = "credit@1"'
    text = written.replace("[subject]", model) if written.startswith("[subject]") else f"{written}\n{model}"
    file.write_text(text, encoding="utf-8")
    from_file = validated(read_audit_file(file), str(file))
    assert from_file != validated({"subject": {"registered": "credit@1"}}, "") or name == "lang", "the option says something"
    assert settings(lambda: at_the_command_line("run", "credit@1", *words)) == from_file
    assert settings(lambda: qaudit.audit("credit@1", **keywords)) == from_file


@pytest.fixture
def fitted() -> tuple[LogisticRegression, pd.DataFrame, list[int]]:
    rows = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
    return LogisticRegression().fit(rows, [0, 0, 1, 1]), rows, [0, 0, 1, 1]


@pytest.mark.parametrize("name", [name for name in SAME if name in named(REGISTER)])
def test_register_takes_it_on_the_command_line_and_in_python(name: str, settings: Any, fitted: Any) -> None:
    _, words, keywords = SAME[name]
    words = ["register", "m", "model.skops", "--holdout", "h.csv", "--target", "y", *words]
    spoken = settings(lambda: at_the_command_line(*words))
    assert (spoken.subject.model, spoken.data.holdout, spoken.subject.target) == ("model.skops", "h.csv", "y")
    assert commands.card_options(spoken)[name] not in (None, [], {})
    if name in named(PY_REGISTER):
        called = settings(lambda: qaudit.register("m", *fitted, target="y", **keywords))
        assert commands.card_options(called) == commands.card_options(spoken)


def test_rows_are_files_on_the_command_line_and_objects_in_python(settings: Any, fitted: Any) -> None:
    words = ["run", __file__, "h.csv", "--target", "y", "--train", "t.csv", "--calibration", "c.csv"]
    spoken = settings(lambda: at_the_command_line(*words))
    assert (spoken.data.holdout, spoken.data.train, spoken.data.calibration) == ("h.csv", "t.csv", "c.csv")
    model, rows, target = fitted
    called = settings(lambda: qaudit.audit(model, rows, target, train=(rows + 1.0, target), calibration=rows, target="y"))
    assert [Path(str(path)).name for path in (called.data.holdout, called.data.train, called.data.calibration)] == [
        "holdout.parquet",
        "train.parquet",
        "calibration.parquet",
    ]
    assert (spoken.subject.target, called.subject.target) == ("y", "y")


def test_the_command_line_wins_over_the_file_and_may_take_back_a_yes(settings: Any, tmp_path: Path) -> None:
    file = tmp_path / "audit.toml"
    file.write_text('[subject]\nregistered = "m"\ncutoff = 0.5\n[report]\nshow_values = true\n[author]\nlimits = "l"\n')
    made = settings(lambda: at_the_command_line("run", file, "--cutoff", "0.2", "--no-show-values", "--author", "purpose=p"))
    assert (made.subject.cutoff, made.report.show_values) == (0.2, False)
    assert made.author == {"limits": "l", "model.purpose": "p"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "m", "--type", "a"], "--type a: COLUMN=TYPE is wanted"),
        (["run", "m", "--type", "a=b"], "command line: [data] types.a: 'b' found, wanted: 'number' or 'text'"),
        (["run", "m", "--author", "purpse=x"], "--author: [author] purpse: unknown key; did you mean 'purpose'?"),
        (["run", "m", "--id", "../x"], "command line: [report] id: '../x' found, wanted: letters"),
        (["register", "m", "f", "--holdout", "h", "--target", "y", "--bits", "4"], "No such option"),
        (
            ["register", "m", "f", "--holdout", "h", "--target", "y", "--trust", "x"],
            "trust: ['x'] found, wanted: sha256",
        ),
        (["register", "m", "f", "--target", "y"], "Missing option '--holdout'"),
    ],
)
def test_refused_at_the_command_line(words: list[str], said: str) -> None:
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("qaudit: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"in_process": True}, "audit: unknown option 'in_process': a help for authors of plugins, who work on the command line"),
        ({"template": {}}, "audit: template: dict found, the path of the folder of a template is wanted"),
        ({"output": 3}, "audit: output: int found, the path of a folder is wanted"),
        ({"plugins": 3}, "audit: plugins: int found, the path of a plugin file is wanted"),
        ({"plugins": [3]}, "audit: plugins: int found, the path of a plugin file is wanted"),
        ({"cutoff": "half"}, "command line: [subject] cutoff: 'half' found, wanted: a valid number"),
    ],
)
def test_refused_in_python(keywords: dict[str, Any], said: str) -> None:
    with pytest.raises(qaudit.Refused, match=f"^{re.escape(said)}"):
        qaudit.audit("credit@1", **keywords)


USER = """
import qaudit


class Model:
    fit = None

    def predict(self, X: object) -> object:
        return X


MODEL = Model()
report = qaudit.audit("credit@1", cutoff=0.2, groups={"g": ["a", "b"]}, formats=["html"], bits=[4, 8], types={"a": "text"})
named: str = qaudit.register("m", MODEL, [[1.0]], [1], cutoff=0.2, missing="NA", parent="credit@1")
code: int = report.exit_code
"""
WRONG = {
    'qaudit.audit("credit@1", cutoff="half")': '"cutoff" to "audit" has incompatible type "str"',
    'qaudit.audit("credit@1", cutof=0.2)': 'Unexpected keyword argument "cutof" for "audit"; did you mean "cutoff"?',
    'qaudit.audit("credit@1", formats=["doc"])': "incompatible type \"Literal['doc']\"",
    "qaudit.audit(3)": 'Argument 1 to "audit" has incompatible type "int"',
    'qaudit.register("m", MODEL, [[1.0]], [1], bits=[4])': 'Unexpected keyword argument "bits" for "register"',
    'qaudit.audit("credit@1").exitcode': 'has no attribute "exitcode"',
}


@pytest.mark.slow
def test_mypy_holds_a_users_script_to_the_types(tmp_path: Path) -> None:
    script = tmp_path / "user.py"
    script.write_text(USER + "\n".join(WRONG) + "\n", encoding="utf-8")
    words = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(script)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert len(lines) == len(WRONG), done.stdout
    for line, said in zip(lines, WRONG.values(), strict=True):
        assert said in line


SEEN = """
import inspect, sys
from pathlib import Path
import qaudit
from click.testing import CliRunner
from qaudit.cli.main import main
from qaudit.inputs.audit_toml import json_schema, validated
assert Path(qaudit.__file__).is_relative_to(Path.cwd()), qaudit.__file__
assert validated({"run": {"rounds": 3}}, "x").run.rounds == 3
assert "how often the draws are repeated [1]" in " ".join(CliRunner().invoke(main, ["run", "--help"]).output.split())
assert "--rounds" not in CliRunner().invoke(main, ["register", "--help"]).output
assert inspect.signature(qaudit.audit).parameters["rounds"].default == 1
assert json_schema()["$defs"]["RunPart"]["properties"]["rounds"]["type"] == "integer"
try:
    qaudit.audit("credit@1", rounds="many")
except qaudit.Refused as error:
    assert str(error).endswith("[run] rounds: 'many' found, wanted: a valid integer"), error
sys.path.insert(0, "tools")
import option_docs
assert "| `rounds` | how often the draws are repeated | 1 | `rounds` | `--rounds` | – | `rounds=` | – |" in option_docs.page()
"""


@pytest.mark.slow
def test_an_option_is_added_in_one_file(tmp_path: Path) -> None:
    """Two lines in the declaration: audit.toml, command line, Python, schema and docs have the option."""
    for folder in ("qaudit", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder)  # with the compiled files: to make them takes longer than the test
    file = tmp_path / "qaudit" / "inputs" / "options.py"
    text = file.read_text(encoding="utf-8")
    field = '    jobs: int = option(2, "units at a time"'
    assert text.count(field) == text.count("    jobs: int | None\n") == 1
    text = text.replace(
        field, f'    rounds: int = option(1, "how often the draws are repeated", _NOT_OF_A_MODEL)\n{field}'
    ).replace("    jobs: int | None\n", "    jobs: int | None\n    rounds: int | None\n")
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", SEEN], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
