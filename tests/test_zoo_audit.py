"""A whole audit with every bad plugin of the zoo in it: each is one row, and every other number stays as it is without them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.linear_model import LogisticRegression

import qaudit
from qaudit.pipeline.stages.seal import verify
from qaudit.plugin_host.discovery import from_file
from qaudit.sandbox import runner
from qaudit.sandbox.job import Limits, PluginRef

pytestmark = pytest.mark.slow
ZOO = Path(__file__).parent / "zoo"
USUAL = Limits()
SMALL = Limits(seconds=20.0, memory=3 * 2**30, answer=8 * 2**20)
TIGHT = {
    "hangs": Limits(seconds=3.0),
    "grandchildren": Limits(seconds=3.0),
    "stares": Limits(seconds=3.0),
    "eats_memory": Limits(seconds=20.0, memory=600 * 2**20),
    "huge": dataclasses.replace(SMALL, memory=600 * 2**20),
    "fills_file": SMALL,
    "fills_folder": SMALL,
}
"""Nobody waits five minutes or fills a disk for a test."""

ROWS = {
    "quantize": {
        "aborts": "crashed (SIGABRT) while offering records",
        "dices": "claims to be deterministic, gave other codes the second time",
        "eats_memory": "used more than 600 MiB of memory while offering records",
        "endless": "endless: more than 100 offers",
        "far_off": "values: reach 7e+200 where the parameter reaches ",
        "fills_file": "OSError: [Errno 27] File too large",
        "fills_folder": "wrote more than 8 MiB of files while quantizing",
        "float_codes": "codes: float64 array, expected an integer array",
        "forks": "started more than 64 processes while offering records",
        "grandchildren": "timed out after 3 s while offering records",
        "hangs": "timed out after 3 s while offering records",
        "huge": "MemoryError: Unable to allocate 4.00 GiB",
        "interrupts": "KeyboardInterrupt (while quantizing)",
        "leaves": "ended without an answer while quantizing",
        "leaves_at_import": "ended without an answer while importing the plugin",
        "long_text": "ValueError: xxxxxxxx",
        "misnamed": "the record is named 'symmetric', expected 'misnamed'",
        "mutates": "read-only",
        "nan_scale": "scale: not finite and positive everywhere",
        "object_codes": "codes: object array, expected an integer array",
        "out_of_range": "codes: from 300 to 300, expected -127 to 127",
        "overflows": "values: not finite after dequantizing",
        "raises": "ValueError: bad<U+001B>[31m <U+202E> value at 0x... in model.py (while offering records)",
        "says_nothing_wrong": "<U+001B>]0;title<U+0007>Error",
        "segfaults": "crashed (SIGSEGV) while offering records",
        "spoils_arrays": "changed its arrays, which it was given to read",
        "system_exit": "SystemExit: 0 (while offering records)",
        "textless": "Awkward: (its text cannot be made)",
        "twice": "twice: offered 2 records of one name, expected one",
        "unprintable": "Awkward: (its text cannot be made) (while offering records)",
        "wrong_shape": "codes: shape (5,), expected (1, 4)",
        "wrong_type": "wrong_type: offered a str, expected a Quantizer",
    },
    "explain": {
        "changes_kind": "one run gave other kinds of explanation than another",
        "crashes": "crashed (SIGSEGV) while explaining",
        "extreme": "importance.values holds values up to 1.7e+308, expected at most 1e+100",
        "greedy": "the budget is 5000000",
        "misshapen": "importance.values has shape (2, 5), expected (repeats, 4)",
        "no_values": "setting 'rows' has no values",
        "not_finite": "not finite",
        "overwrites": "read-only",
        "peeks": "AttributeError: ",
        "silent": "NoneType",
        "spoils_model": "changed the file model.skops, which it was given to read",
        "steep": "attributions.values holds values up to 1e+300",
        "swaps_columns": "predict: columns ['no such column'], expected ['a', 'b', 'c', 'd']",
        "wordy": "could not convert string to float: 'much of a'",
    },
    "load": {
        "claims_all": "claims every file as its own, even one of noise",
        "stares": "timed out after 3 s while recognising the file",
        "stumbles": "Input/output error",
        "trusts_all": "tier 'trusted': expected one of data, checked, code",
    },
    "frameworks": {
        "no_list": "items is 7",
        "off_topic": "evidence is 'weather'; allowed: ",
    },
}
"""What each bad plugin's row says, by stage. Every row is a failure."""
HARMLESS = {"dials_out", "floods", "leaves_grandchildren", "marked_up", "vandal", "declines"}
"""Bad manners that change nothing: no failure."""
NOT_BY_FILE = {"wrong_hook"}
"""Refused before the audit begins: its source names no hook."""
INSTALLED = {
    "quantize": {
        "acme_needs": "ModuleNotFoundError: No module named 'not_there'",
        "acme_broken": "SyntaxError: ",
        "acme_gone": "ModuleNotFoundError: ",
        "acme_leaves": "ended without an answer while importing the plugin",
        "acme_class": "is a class, expected a module",
    },
    "plugins": {
        "acme_later": "was written for plugin contract 99",
        "acme_twin": "'acme_twin' is offered by acme-one 1.0 and acme-two 1.0",
    },
}
QUANTIZER = """
from qaudit import Quantizer, hookimpl

@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("{name}", "a stranger's", lambda values, calibration: None)
"""


def distribution(folder: Path, name: str, group: str, entry: str, value: str, **sources: str) -> None:
    """What pip would have left of a distribution."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[qaudit.{group}]\n{entry} = {value}\n")
    for module, source in sources.items():
        (folder / f"{module}.py").write_text(source)


def installed(folder: Path) -> None:
    """Seven distributions of strangers, each broken in its own way."""
    good = QUANTIZER.format
    quantizers = {
        "needs": ("acme_needs", {"acme_needs": "import not_there\n" + good(name="acme_needs")}),
        "broken": ("acme_broken", {"acme_broken": "def f(:\n"}),
        "gone": ("acme_gone", {}),
        "leaves": ("acme_leaves", {"acme_leaves": "import os\nos._exit(0)\n" + good(name="acme_leaves")}),
        "class": ("acme_class:Plugin", {"acme_class": "class Plugin: ...\n" + good(name="acme_class")}),
    }
    for name, (value, sources) in quantizers.items():
        distribution(folder, f"acme-{name}", "quantizers", f"acme_{name}", value, **sources)
    framework = (ZOO / "marked_up.py").read_text()
    distribution(folder, "acme-later", "frameworks", "acme_later", "acme_later", acme_later="qaudit_spec = 99\n" + framework)
    for owner in ("acme-one", "acme-two"):
        distribution(folder, owner, "frameworks", "acme_twin", "acme_twin", acme_twin=framework.replace("marked_up", "acme_twin"))


def restart() -> None:
    """Units see the modules that could be imported when their server began."""
    while runner._servers:
        runner._servers.pop().stop()


def rows(n: int, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    draw = np.random.default_rng(seed)
    X = pd.DataFrame(draw.normal(size=(n, 4)), columns=["a", "b", "c", "d"])
    score = X["a"] - 0.7 * X["b"] + 0.3 * X["c"] + draw.normal(scale=0.4, size=n)
    return X, pd.Series(np.where(score > 0, "yes", "no"), name="answer")


def files() -> dict[str, list[PluginRef]]:
    """The zoo by kind, as the host finds it."""
    found: dict[str, list[PluginRef]] = {}
    for path in sorted(ZOO.glob("*.py")):
        if path.stem not in NOT_BY_FILE:
            for ref in from_file(path):
                found.setdefault(ref.kind, []).append(ref)
    return found


@dataclasses.dataclass(frozen=True)
class Two:
    """The audit with all bad plugins, and the same audit without any."""

    bad: Any
    alone: Any
    folder: Path


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Two:
    folder = tmp_path_factory.mktemp("zoo")
    site = folder / "site"
    site.mkdir()
    installed(site)
    run = runner.run

    def tightened(task: str, request: Any, arrays: Any = None, *, plugins: Any = (), limits: Limits = USUAL) -> Any:
        for ref in plugins:
            limits = TIGHT.get(ref.name, limits)
        return run(task, request, arrays, plugins=plugins, limits=limits)

    zoo = files()
    strangers = [*(ref.name for ref in zoo["quantizer"]), *INSTALLED["quantize"]]
    given: dict[str, Any] = {"formats": ["html"], "date": "2026-11-24", "positive": "yes", "results": "none"}
    given |= {"judge": "symmetric(axis='tensor',bits=3)"}
    symmetric: dict[str, Any] = {"symmetric": {"bits": [3, 8], "axis": "tensor"}}
    model = (LogisticRegression().fit(*rows(300, 0)), *rows(120, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QAUDIT_HOME", str(folder / "registry"))
        patch.chdir(folder)
        alone = qaudit.audit(*model, output=folder / "alone", quantizers=symmetric, explainers=["permutation"], **given)
        patch.syspath_prepend(str(site))
        patch.setattr(runner, "run", tightened)
        restart()
        bad = qaudit.audit(
            *model,
            output=folder / "bad",
            quantizers={**symmetric, **{name: {} for name in strangers}},
            explainers=["permutation", *(ref.name for ref in zoo["explainer"])],
            plugins=[Path(ref.file or "") for refs in zoo.values() for ref in refs],
            **given,
        )
    restart()
    return Two(bad, alone, folder)


def test_every_bad_plugin_is_in_the_table() -> None:
    named = {path.stem for path in ZOO.glob("*.py")}
    told = {name for stage in ROWS.values() for name in stage} | HARMLESS | NOT_BY_FILE
    assert named == told
    assert sum(map(len, ROWS.values())) + sum(map(len, INSTALLED.values())) >= 50


def test_each_failure_is_a_row_that_says_what_happened(both: Two) -> None:
    wrong = []
    skipped = both.bad.content["skipped"]
    for table in (ROWS, INSTALLED):
        for stage, expected in table.items():
            for name, text in expected.items():
                found = [row for row in skipped if row["by"].rpartition(":")[2] == name and row["stage"] == stage]
                if not found or any(row["kind"] != "failed" or text not in row["reason"] for row in found):
                    wrong.append((stage, name, text, found))
    assert wrong == []


def test_no_other_plugin_failed(both: Two) -> None:
    known = {name for table in (ROWS, INSTALLED) for stage in table.values() for name in stage}
    others = [row for row in both.bad.content["skipped"] if row["by"].rpartition(":")[2] not in known and row["kind"] == "failed"]
    assert others == []


def test_the_run_completes_and_says_so(both: Two) -> None:
    assert (both.alone.exit_code, both.bad.exit_code) == (0, 2)
    assert verify(both.folder / "bad")[0] == "verified"
    assert sorted(os.listdir(both.folder / "bad")) == sorted(os.listdir(both.folder / "alone"))


def test_every_other_number_is_the_same(both: Two) -> None:
    """Byte for byte: evidence, candidates and explanations of the plugins that are in order."""
    strange = {path.stem for path in ZOO.glob("*.py")}

    def kept(content: Any) -> list[str]:
        skip = ("environment_packages", "inputs_hashed")
        found = [json.dumps(row) for row in content["evidence"] if row["measure"] not in skip and not _of(row, strange)]
        found += [json.dumps(row) for row in content["candidates"] if row["by"] not in strange]
        return found + [json.dumps(row) for row in content["explanations"] if row["explainer"] not in strange]

    assert kept(both.bad.content) == kept(both.alone.content)
    assert len(kept(both.alone.content)) > 100


def _of(row: Any, strange: set[str]) -> bool:
    about = row["about"]
    named = {row["by"], str(about.get("candidate", "")).partition("(")[0], about.get("explainer")}
    return bool(named & strange)


def test_reasons_are_plain_and_short(both: Two) -> None:
    for row in both.bad.content["skipped"]:
        assert len(row["reason"]) < 400, row
        assert re.fullmatch(r"[^\x00-\x1f\x7f\u202a-\u202e]*", row["reason"]), row
        assert "/home/" not in row["reason"], row
        assert not re.search(r"0x[0-9a-f]{6,}", row["reason"]), row


def test_markup_of_a_framework_stays_text(both: Two) -> None:
    page = (both.folder / "bad" / "report.html").read_text("utf-8")
    assert "<img src=x" not in page
    assert "</title><script>" not in page
    assert "\u202e" not in page
    assert "{{7*7}}" in page


def test_nothing_survives(both: Two) -> None:
    commands = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
    assert [words for words in commands if any("600.125" in word for word in words)] == []
