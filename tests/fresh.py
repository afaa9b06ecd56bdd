"""A new environment with wheels in it and the requirements of this one beside them; nothing is fetched."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def built(source: Path, out: Path) -> Path:
    """The one wheel of a source tree, made with the build tools of this environment."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (wheel,) = out.glob("*.whl")
    return wheel


def environment(at: Path, wheels: Sequence[Path]) -> None:
    """Make `at`/venv. Third-party packages are linked, so that no import can reach the checkout or its editable install."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(at / "venv")], check=True)
    site = next((at / "venv" / "lib").iterdir()) / "site-packages"
    for wheel in wheels:
        zipfile.ZipFile(wheel).extractall(site)
    script = at / "venv" / "bin" / "qaudit"
    script.write_text(f"#!{at / 'venv' / 'bin' / 'python'}\nimport sys\nfrom qaudit.cli.main import main\nsys.exit(main())\n")
    script.chmod(0o755)
    for found in (Path(path) for path in sys.path if path.endswith("site-packages")):
        for item in found.iterdir():
            ours = item.name.startswith(("qaudit", "_qaudit", "__editable__")) or item.suffix == ".pth"
            if not ours and not (site / item.name).exists():
                (site / item.name).symlink_to(item)


def run(at: Path, cwd: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment; the checkout is not on its path."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "QAUDIT", "VIRTUAL", "PIP"))}
    env |= {"QAUDIT_HOME": str(at / "registry"), "PATH": f"{at / 'venv' / 'bin'}:{env['PATH']}", "VIRTUAL_ENV": str(at / "venv")}
    program = at / "venv" / "bin" / command[0]
    return subprocess.run([program, *command[1:]], cwd=cwd, env=env, capture_output=True, text=True, timeout=280)
