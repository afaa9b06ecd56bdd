"""How a message answers a name that is not known: in one form everywhere."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner

import qaudit
from qaudit.cli.main import main
from qaudit.errors import Refused, did_you_mean, unexpected, unknown
from qaudit.pipeline import python_calls

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("name", "known", "wanted"),
    [
        ("bit", ["axis", "bits"], "did you mean 'bits'?"),
        ("zzz", ["b", "a"], "known: b, a"),
        ("zzz", [], "known: none"),
        ("zzz", [f"f{number}" for number in range(20)], "known: " + ", ".join(f"f{number}" for number in range(20))),
        ("zzz", [f"f{n}" for n in range(5000)], "known: " + ", ".join(f"f{n}" for n in range(20)) + " ... (5000 in all)"),
    ],
)
def test_the_most_similar_name_or_what_there_is(name: str, known: list[str], wanted: str) -> None:
    assert did_you_mean(name, known) == wanted
    assert unknown("key", name, known) == f"unknown key {name!r}; {wanted}"


def test_no_other_file_looks_for_similar_names() -> None:
    files = [path for folder in ("qaudit", "plugins") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in files if "difflib" in path.read_text("utf-8")] == ["errors.py"]


def broken(*args: object, **options: object) -> None:
    raise ZeroDivisionError("nobody saw this coming")


@pytest.mark.parametrize("line", ["run x", "register x y --holdout z", "render x", "verify x", "models"])
def test_an_error_that_nobody_foresaw_is_one_line_and_exit_code_2(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, that of a traceback, says that the audit is complete and a limit is exceeded."""
    monkeypatch.delenv("QAUDIT_TRACE", raising=False)
    monkeypatch.setattr(main.commands[line.split()[0]], "invoke", broken)
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 2
    (said,) = done.stderr.splitlines()
    assert said.startswith("qaudit: unexpected error, a fault of qaudit and not of the input: ZeroDivisionError: nobody saw this")
    assert "(test_errors.py, line " in said


def test_its_traceback_is_there_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAUDIT_TRACE", "1")
    monkeypatch.setattr(main.commands["models"], "invoke", broken)
    done = CliRunner().invoke(main, ["models"])
    assert isinstance(done.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("raised", "says"),
    [(ZeroDivisionError("no"), "ZeroDivisionError: no"), (KeyError(), "KeyError"), (Refused("as it is"), "as it is")],
)
@pytest.mark.parametrize("call", ["audit", "register"])
def test_python_gets_one_refusal_without_our_frames(
    call: str, raised: Exception, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object, **options: object) -> None:
        raise raised

    monkeypatch.setattr(python_calls, call, fails)
    arguments = ("name", None, [], []) if call == "register" else ("audit.toml",)
    with pytest.raises(Refused, match=says) as caught:
        getattr(qaudit, call)(*arguments)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [Path(frame.filename).name for frame in frames] == ["test_errors.py", "api.py", "api.py"]
    assert caught.value.__suppress_context__
    assert caught.value._render_traceback_() == [f"qaudit: {caught.value}"]


def test_a_line_for_an_error_without_frames() -> None:
    assert "ValueError; QAUDIT_TRACE" in unexpected(ValueError())


@pytest.mark.slow
def test_a_script_ends_with_the_line(tmp_path: Path) -> None:
    script = "import qaudit; qaudit.audit('nowhere.toml')"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("qaudit.errors.Refused: nowhere.toml")
    assert len(done.stderr.splitlines()) <= 8
