"""The wheel: what is in it, and that it works alone, beside a stranger's distribution, away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
THIRD = ROOT / "examples" / "third_party_quantizer"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def built(source: Path, out: Path) -> Path:
    """The one wheel of a source tree; the build tools of this environment are used, nothing is fetched."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def test_plugins_lie_at_the_top_and_templates_in_the_package(names: list[str]) -> None:
    folders = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert folders == {"qaudit", "qaudit_quantizers", "qaudit_explainers", "qaudit_formats", "qaudit_frameworks"}
    assert {"qaudit/py.typed", "qaudit/hookspecs.py", "qaudit_quantizers/dithered.py"} <= set(names)
    templates = {str(path.relative_to(ROOT)) for path in (ROOT / "report_templates").rglob("*") if path.is_file()}
    assert {f"qaudit/{name}" for name in templates if "__pycache__" not in name} <= set(names)
    assert len(templates) > 5


def test_the_only_data_in_it_is_that_of_the_example_with_its_licence(names: list[str]) -> None:
    data = [name for name in names if name.endswith((".csv", ".parquet", ".skops", ".pkl"))]
    assert data == ["qaudit/examples/credit/hmda_boston.csv"]
    assert "qaudit/examples/credit/LICENSE-DATA.GPL-2.txt" in names


def test_no_test_and_no_page_in_it(names: list[str]) -> None:
    assert [name for name in names if name.startswith(("tests", "examples", "docs"))] == []


def test_licences_are_in_it(wheel: Path, names: list[str]) -> None:
    licences = [name for name in names if ".dist-info/licenses/" in name]
    assert any(name.endswith("/LICENSE") for name in licences)
    fonts = sorted(path.name for path in (ROOT / "report_templates" / "fonts").glob("*.txt"))
    assert fonts
    assert all(any(name.endswith(f"/{font}") for name in licences) for font in fonts)
    metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
    assert "License-Expression: Apache-2.0 AND OFL-1.1 AND GPL-2.0-or-later" in zipfile.ZipFile(wheel).read(metadata).decode()


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel and the stranger's wheel, and with the requirements of this one beside it."""
    at = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(at / "venv")], check=True)
    site = next((at / "venv" / "lib").iterdir()) / "site-packages"
    for package in (wheel, built(THIRD, at / "third")):
        zipfile.ZipFile(package).extractall(site)
    # The requirements: third-party packages only, so that no import can reach the checkout or its editable install.
    for found in (Path(path) for path in sys.path if path.endswith("site-packages")):
        for item in found.iterdir():
            if (
                not item.name.startswith(("qaudit", "_qaudit", "__editable__"))
                and item.suffix != ".pth"
                and not (site / item.name).exists()
            ):
                (site / item.name).symlink_to(item)
    return at


def run(at: Path, *command: str | Path, code: Sequence[int] = (0,)) -> str:
    """Run in the new environment, away from the checkout."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "QAUDIT", "VIRTUAL"))}
    env |= {"QAUDIT_HOME": str(at / "registry"), "PATH": f"{at / 'venv' / 'bin'}:{env['PATH']}"}
    done = subprocess.run([at / "venv" / "bin" / "python", *command], cwd=at, env=env, capture_output=True, text=True)
    assert done.returncode in code, done.stdout + done.stderr
    return done.stdout


def test_the_stranger_is_found_beside_the_built_in_ones(alone: Path) -> None:
    assert str(ROOT) not in run(alone, "-c", "import qaudit; print(qaudit.__file__)")
    rows = json.loads(run(alone, "-m", "qaudit", "plugins", "--json"))
    found = {row["name"]: row["distribution"] for row in rows if row["kind"] == "quantizer"}
    assert found["symmetric"] == "qaudit"
    assert found["pow2"] not in ("qaudit", None)


def test_the_example_is_audited_with_the_stranger_on_the_roster(alone: Path) -> None:
    run(alone, ROOT / "examples" / "credit" / "train.py", "out")
    rows = ("--holdout", "out/holdout.csv", "--target", "deny", "--train", "out/train.csv", "--positive", "yes")
    assert (
        run(alone, "-m", "qaudit", "register", "credit", "out/model.skops", *rows, "--groups", "afam,single").strip()
        == "credit@1"
    )
    run(alone, "-m", "qaudit", "run", "credit@1", "-o", "report", "--judge", "pow2(bits=4)", "--explainers", "surrogate_tree")
    report = json.loads((alone / "report" / "report.json").read_text(encoding="utf-8"))
    roster = {row["name"]: row for row in report["plugins"] if row["kind"] == "quantizer"}
    assert roster["pow2"]["status"] == "ran"
    assert roster["symmetric"]["status"] == "ran"
    assert report["judged"] == "pow2(bits=4)"
    judged = [row for row in report["evidence"] if row["about"].get("candidate") == "pow2(bits=4)" and row["measure"] == "flips"]
    assert judged
    assert (alone / "report" / "report.html").exists()
    assert run(alone, "-m", "qaudit", "verify", "report")
