"""Set-up where something is missing that this user may not install: one line names it. The Pythons are stand-ins."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = """#!/bin/bash
case "$*" in
    -V) echo "Python 3.{minor}.4" ;;
    *"version_info < "*) [ {minor} -ge 11 ] ;;
    *'print("%d.%d"'*) echo "3.{minor}" ;;
    *{lacks}*) exit 1 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The script alone, an apt-get that installs nothing, and a .venv whose Python is the stand-in too."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup.sh", tmp_path / "tools")
    executable(tmp_path / "bin" / "apt-get", "#!/bin/bash\nexit 100\n")
    return tmp_path


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def set_up(checkout: Path, what: str, minor: int, lacks: str) -> tuple[int, list[str]]:
    """Exit code, and what was said apart from the steps."""
    for at in ("bin/python3", ".venv/bin/python"):
        executable(checkout / at, PYTHON.format(minor=minor, lacks=lacks))
    environment = {"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}", "PYTHON": "python3"}
    done = subprocess.run(["bash", "tools/setup.sh", what], cwd=checkout, env=environment, capture_output=True, text=True)
    steps = ("set-up: pip install", "set-up: apt-get install")
    return done.returncode, [line for line in done.stderr.splitlines() if not line.startswith(steps)]


def test_an_old_python_is_named(checkout: Path) -> None:
    code, said = set_up(checkout, "run", 10, "nothing")
    assert (code, len(said)) == (1, 1)
    assert said[0].startswith("set-up: missing: Python 3.11 or later (python3 is Python 3.10.4; ")


@pytest.mark.parametrize("what", ["run", "test"])
def test_without_venv_one_line_names_the_package(checkout: Path, what: str) -> None:
    code, said = set_up(checkout, what, 13, "ensurepip")
    python = checkout / "bin" / "python3"
    assert (code, said) == (1, [f"set-up: missing: the module venv of {python}; run: apt-get install python3.13-venv"])


def test_without_pango_the_example_goes_on(checkout: Path) -> None:
    assert set_up(checkout, "run", 12, "weasyprint") == (0, [])
    assert (checkout / ".venv" / "ready-run").exists()


def test_without_pango_the_tests_do_not_start(checkout: Path) -> None:
    code, said = set_up(checkout, "test", 12, "weasyprint")
    assert (code, len(said)) == (1, 1)
    assert said[0].startswith("set-up: missing: Pango, the tests make PDFs; run: apt-get install libpango-1.0-0 ")
    assert not (checkout / ".venv" / "ready-test").exists()


def test_a_distribution_without_the_subset_library_gets_the_rest(checkout: Path) -> None:
    apt = '#!/bin/bash\ncase "$*" in *subset*) exit 100 ;; *) touch "$(dirname "$0")/pango" ;; esac\n'
    executable(checkout / "bin" / "apt-get", apt)
    executable(checkout / "bin" / "sudo", '#!/bin/bash\n[ "$1" = -n ] && shift\nexec "$@"\n')
    assert set_up(checkout, "test", 12, f'weasyprint*) [ -e "{checkout}/bin/pango" ] ;; no')[0] == 0
    assert (checkout / "bin" / "pango").exists()


def test_before_a_commit_run_the_commands_of_make_lint_and_nothing_is_fetched() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    wanted = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()[1:]]
    assert re.findall(r"entry: (.*)", text) == wanted
    assert re.findall(r"repo: (.*)", text) == ["local"]
    assert re.findall(r"language: (.*)", text) == ["system"] * len(wanted)
