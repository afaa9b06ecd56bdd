"""A whole audit asks for no address: neither the host nor any unit looks up, connects, binds or sends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WATCH = """
import os, sys

def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "socket.sendto"):
        with open({calls!r}, "a") as file:
            file.write(f"{{event}} {{args[1:]}}\\n")

sys.addaudithook(watch)
open({calls!r} + "." + str(os.getpid()), "w").close()
"""
AUDIT = """
import numpy as np, pandas as pd, qaudit
from sklearn.linear_model import LogisticRegression
draw = np.random.default_rng(0)
X = pd.DataFrame(draw.normal(size=(200, 3)), columns=["a", "b", "c"])
y = pd.Series(np.where(X["a"] > X["b"], "yes", "no"), name="answer")
report = qaudit.audit(
    LogisticRegression().fit(X, y), X, y, output="out", positive="yes", date="2026-11-24", results="none",
    quantizers={"symmetric": {"bits": [8], "axis": "tensor"}}, judge="symmetric(axis='tensor',bits=8)",
    explainers=["permutation"], formats=["pdf"],
)
print(report.exit_code)
"""
DIAL = """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 9))
"""


def watched(folder: Path, code: str) -> tuple[subprocess.CompletedProcess[str], list[str], int]:
    """Run code with every Python process below it watched: its output, the calls, and how many processes began."""
    calls = folder / "calls"
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(WATCH.format(calls=str(calls)))
    env = {**os.environ, "PYTHONPATH": str(folder / "site"), "QAUDIT_HOME": str(folder / "home")}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, timeout=200)
    seen = calls.read_text().splitlines() if calls.exists() else []
    return done, seen, len(list(folder.glob("calls.*")))


@pytest.mark.slow
def test_a_whole_audit_asks_for_no_address(tmp_path: Path) -> None:
    done, seen, processes = watched(tmp_path, AUDIT)
    assert done.stdout.strip().endswith("0"), done.stderr
    assert (tmp_path / "out" / "report.pdf").is_file()
    assert seen == []
    assert processes >= 2, "the host and the fork server, whose forks inherit the watch"


def test_the_watch_sees_a_call(tmp_path: Path) -> None:
    _, seen, _ = watched(tmp_path, DIAL)
    assert [line.partition(" ")[0] for line in seen] == ["socket.connect"]
