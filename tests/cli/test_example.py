"""`qaudit example`: what it refuses, and that a refusal leaves nothing behind. tests/test_readme.py runs the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from qaudit.cli.main import main
from qaudit.errors import Refused
from qaudit.pipeline import examples
from qaudit.pipeline.examples import write_example


def test_an_unknown_name_is_told_the_known_ones(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["example", "credti", str(tmp_path / "x")])
    assert done.exit_code == 2
    assert "'credti'" in done.stderr
    assert "credit" in done.stderr.replace("'credti'", "")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("kind", ["a file", "a folder with a file"])
def test_what_is_there_is_left_alone(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "there" if kind == "a file" else tmp_path / "there" / "mine.txt"
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(main, ["example", "credit", str(tmp_path / "there")])
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    assert file.read_text(encoding="utf-8") == "mine"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("there", [False, True])
def test_a_failed_training_leaves_nothing(there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "sources" / "credit"
    source.mkdir(parents=True)
    (source / "train.py").write_text("raise ValueError('no rows')", encoding="utf-8")
    (source / "audit.toml").write_text("", encoding="utf-8")
    monkeypatch.setattr(examples, "_sources", lambda: source.parent)
    folder = tmp_path / "new"
    if there:
        folder.mkdir()
    with pytest.raises(Refused, match="example credit: the training failed: ValueError: no rows"):
        write_example("credit", folder)
    assert folder.is_dir() == there
    assert not there or not list(folder.iterdir())
