"""The README's blocks, copied into an empty folder, from the wheel in a fresh environment."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from fresh import ROOT, built, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The first block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("fresh")
    environment(at, [built(ROOT, at / "dist")])
    return at


def in_shell(fresh: Path, folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run lines as a person types them: each one runs, whatever the exit code of the one before."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "QAUDIT", "VIRTUAL"))}
    env |= {"QAUDIT_HOME": str(folder / "home"), "PATH": f"{fresh / 'venv' / 'bin'}:{env['PATH']}"}
    return subprocess.run(["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=500)


def test_the_command_line_block(fresh: Path, tmp_path: Path) -> None:
    first, *lines = block("sh").splitlines()
    assert first == "pip install ."
    script = "".join(f"{line}\necho code $?\n" for line in lines)
    done = in_shell(fresh, tmp_path, script)
    codes = re.findall(r"^code (\d)$", done.stdout, re.MULTILINE)
    assert codes == ["0", "0", "0", "1", "0"], done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    report = tmp_path / "credit" / "report"
    assert {"report.json", "report.html"} <= {path.name for path in report.iterdir()}


def test_the_commands_that_the_example_names_next_are_those_of_the_readme(fresh: Path, tmp_path: Path) -> None:
    done = in_shell(fresh, tmp_path, "qaudit example credit 'a folder'")
    assert done.returncode == 0, done.stderr
    assert {Path(line).name for line in done.stdout.splitlines()} >= {"model.skops", "holdout.csv", "train.csv", "audit.toml"}
    named = [line.strip() for line in done.stderr.splitlines()[1:]]
    assert named[0] == "cd 'a folder'"
    assert named[1:] == block("sh").splitlines()[3:5]


def test_the_python_block(fresh: Path, tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(block("python"), encoding="utf-8")
    done = in_shell(fresh, tmp_path, "python first.py")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report" / "report.html").is_file()
    assert "report.html" in done.stdout
