"""`qaudit plugins new`: three files, unedited they pass their checks; nothing is overwritten."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from qaudit.cli.main import main
from qaudit.errors import Refused
from qaudit.hookspecs import GROUPS
from qaudit.plugin_host.discovery import KINDS, from_file
from qaudit.plugin_host.scaffold import NAME_MARK, write_plugin
from qaudit.testing.checks.runner import check_plugin


@pytest.mark.parametrize("kind", KINDS)
def test_unedited_it_passes_every_check(kind: str, tmp_path: Path) -> None:
    module, project, test = write_plugin(kind, "acme_one", tmp_path)
    (ref,) = from_file(module)
    assert (ref.kind, ref.name) == (kind, "acme_one")
    found = check_plugin(ref)
    assert [(one.id, one.seen) for one in found.results if one.status == "failed"] == []
    assert any(one.status == "passed" for one in found.results)
    declared = tomllib.loads(project.read_text("utf-8"))["project"]
    value = "qaudit_acme_one.toml" if kind == "framework" else "qaudit_acme_one"
    assert declared["name"] == "qaudit-acme-one"
    assert declared["entry-points"] == {GROUPS[ref.kind]: {"acme_one": value}}
    assert test.read_text("utf-8").splitlines() == [
        f"from qaudit.testing import check_{kind}",
        f'test = check_{kind}("{module.name}")',
    ]
    assert all(
        NAME_MARK not in path.read_text("utf-8") and "PLUGIN_" not in path.read_text("utf-8") for path in (module, project, test)
    )


def test_a_quantizer_has_fourteen_lines_and_the_next_command_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(main, ["plugins", "new", "quantizer", "mine"])
    assert told.exit_code == 0
    assert told.stdout.splitlines() == ["qaudit_mine.py", "pyproject.toml", "test_mine.py"]
    assert told.stderr.splitlines() == ["next: qaudit plugins check ./qaudit_mine.py"]
    assert len((tmp_path / "qaudit_mine.py").read_text("utf-8").splitlines()) <= 15


@pytest.mark.parametrize("there", ["qaudit_mine.py", "pyproject.toml", "test_mine.py"])
def test_nothing_is_overwritten(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(Refused, match="exists"):
        write_plugin("quantizer", "mine", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize("name", ["Mine", "my-one", "1st", "class", "", "../up", "quantizers"])
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="NAME"):
        write_plugin("quantizer", name, tmp_path)
    assert list(tmp_path.iterdir()) == []
