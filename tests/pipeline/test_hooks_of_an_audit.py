"""A whole audit through the hooks: no plugin is imported, every unit passes, and no byte depends on the order of plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pluggy
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from qaudit.hookspecs import hookimpl
from qaudit.inputs.audit_toml import settings_of
from qaudit.pipeline import run as auditing
from qaudit.pipeline.progress import Reporter
from qaudit.plugin_host import discovery
from qaudit.plugin_host.discovery import PluginHost
from qaudit.plugin_host.hooks import Hooks, open_hooks
from qaudit.plugin_host.manager import plugin_manager
from qaudit.sandbox.job import Call, Outcome, PluginRef

pytestmark = pytest.mark.slow

OPTIONS: dict[str, Any] = {
    "subject": {"target": "answer", "positive": "yes"},
    "quantizers": ["symmetric", "affine"],
    "explainers": ["permutation", "surrogate_tree"],
    "report": {"formats": ["html"], "date": "2026-11-24"},
}
FILES = ("report.json", "report.html", "seal.json")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / "home"))
    draw = np.random.default_rng(0)
    X = pd.DataFrame(draw.normal(size=(80, 2)), columns=["a", "b"])
    y = np.where(X["a"] - X["b"] + draw.normal(scale=0.3, size=80) > 0, "yes", "no")
    skops.io.dump(LogisticRegression().fit(X, y), tmp_path / "model.skops")
    X.assign(answer=y).to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path


def audit(files: Path, out: str, *, jobs: int = 2, results: Any = "use") -> dict[str, bytes]:
    """The bytes of a report and its seal."""
    options = {**OPTIONS, "run": {"bits": [4], "jobs": jobs}}
    settings = settings_of(str(files / "model.skops"), str(files / "rows.csv"), options)
    auditing.run(settings, output=files / out, reporter=Reporter(quiet=True), results=results)
    return {name: (files / out / name).read_bytes() for name in FILES}


def backwards(plugins: Iterable[PluginRef]) -> pluggy.PluginManager:
    return plugin_manager(list(plugins)[::-1])


def test_no_byte_depends_on_the_order_of_registration_or_on_the_workers(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = audit(files, "one", jobs=1, results="none")
    names = [plugin["name"] for plugin in json.loads(expected["report.json"])["plugins"]]
    assert {"symmetric", "affine", "permutation", "surrogate_tree"} <= set(names)
    monkeypatch.setattr(discovery, "plugin_manager", backwards)
    assert audit(files, "three", jobs=3, results="none") == expected


class Counts:
    """Counts units by task."""

    def __init__(self) -> None:
        self.tasks: Counter[str] = Counter()

    @hookimpl(wrapper=True)
    def qaudit_run_unit(self, call: Call) -> Generator[None, Outcome, Outcome]:
        outcome = yield
        self.tasks[call.task] += 1
        return outcome


def test_every_unit_of_an_audit_passes_the_hook_whether_it_runs_or_not(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts()

    def counted(host: PluginHost, *given: Any, **options: Any) -> Hooks:
        hooks = open_hooks(host, *given, **options)
        host.manager.register(counts)
        return hooks

    monkeypatch.setattr(auditing, "open_hooks", counted)
    seen = []
    for out in ("first", "again"):
        counts.tasks.clear()
        audit(files, out, jobs=1)
        units = json.loads((files / out / "timings.json").read_text())["units"]
        assert units["ran"] + units["from_store"] == counts.tasks.total()
        seen.append((dict(counts.tasks), units["from_store"]))
    assert seen[0][0] == seen[1][0]
    assert set(seen[0][0]) == {"recognise", "inspect_model", "encode", "quantize", "explain", "frameworks", "render"}
    assert seen[0][1] == 0
    assert seen[1][1] == counts.tasks.total() - counts.tasks["recognise"]


PROGRAM = """
import sys
from qaudit.cli.main import main
from qaudit.plugin_host.discovery import PluginHost
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert ended.code in (0, None), ended.code
plugins = {ref.value.partition(":")[0].strip() for ref in PluginHost.discover().refs} | {"acme_was_imported"}
print(sorted(name for name in sys.modules if name in plugins or name.startswith(("qaudit_", "acme"))))
"""
ACME = """
import sys
sys.modules["acme_was_imported"] = sys
from qaudit import Decline, hookimpl

@hookimpl
def qaudit_offer_quantizers(subject):
    raise Decline("acme was asked")
"""


def test_an_audit_imports_no_plugin_into_the_host(files: Path) -> None:
    (files / "acme.py").write_text(ACME)
    words = ("run", "model.skops", "rows.csv", "--target", "answer", "--positive", "yes", "--plugin", "acme.py", "-o", "out")
    words += ("--bits", "4", "--format", "html", "--quantizers", "acme,symmetric", "--explainers", "permutation")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, timeout=250, env=os.environ, cwd=files
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    report = json.loads((files / "out" / "report.json").read_text())
    assert ("acme", "acme was asked", "declined") in [(row["by"], row["reason"], row["kind"]) for row in report["skipped"]]
    assert {"symmetric", "permutation", "sr_26_2"} <= {plugin["name"] for plugin in report["plugins"]}
