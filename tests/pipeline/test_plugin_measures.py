"""Measures of plugins in whole audits: from the record of a plugin to the evidence, the page and a limit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from marks import first_fast
from sklearn.linear_model import LogisticRegression

import qaudit
from qaudit.errors import Refused
from qaudit.report.schema import schema_text

QUANTIZER = """
import numpy as np
from qaudit import Measure, QType, QuantizedTensor, Quantizer, Setting, hookimpl

def ends(values, calibration, *, bits):
    top = 2 ** (bits - 1) - 1
    scale = float(np.abs(values).max()) / top or 1.0
    codes = np.clip(np.rint(values / scale), -top, top).astype(np.int32)
    {record}
    return QuantizedTensor(codes, scale=scale, qtype=QType(bits))

MEASURES = ({declared},)

@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("ends", "counts the ends", ends, settings={{"bits": Setting((3, 8))}}, measures=MEASURES)
"""
RECORD = 'calibration.record_measure("top_codes", np.mean(np.abs(codes) == top))'
DECLARED = 'Measure("top_codes", "Codes at the end of the grid", "share", "precision", "low")'
EXPLAINER = """
import numpy as np
from qaudit import Explainer, Importance, Measure, Setting, hookimpl

def swap(context):
    each = np.arange(len(context.output))
    plain = context.predict(context.rows)[each, context.output]
    moved = np.zeros((2, len(context.names)))
    for j, name in enumerate(context.names):
        for draw in range(2):
            other = np.full_like(context.rows[name], context.background[name][(context.seed + draw) % 40])
            moved[draw, j] = np.abs(context.predict({{**context.rows, name: other}})[each, context.output] - plain).mean()
        context.record_measure("spread", float(moved[:, j].std()), feature=name)
    context.record_measure("seed", context.seed % 1000)
    return Importance(moved, "prediction_change")

MEASURES = (
    Measure("spread", "Spread <b>over</b> draws", section="importance", unit="", better="low"),
    Measure("seed", "Seed of the run", section="importance", unit="count"),
)

@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("{name}", "one column at a time", swap, measures=MEASURES)
"""
POLICY = """
name = "own"
version = "1"
set = 2026-11-01
[[limit]]
id = "P1"
measure = "ends.top_codes"
at_most = 0.01
reason = "test"
[[limit]]
id = "P2"
measure = "{explainer}.spread"
where = {{feature = "b"}}
at_most = 10
reason = "test"
[[limit]]
id = "P3"
measure = "{third}"
at_most = 1
reason = "test"
"""
JUDGED = "ends(bits=3)"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / "registry"))
    monkeypatch.chdir(tmp_path)


def rows(n: int, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    draw = np.random.default_rng(seed)
    X = pd.DataFrame(draw.normal(size=(n, 3)), columns=["a", "b", "c"])
    return X, pd.Series(np.where(X["a"] - 0.7 * X["b"] + draw.normal(scale=0.4, size=n) > 0, "yes", "no"), name="answer")


def audit(folder: Path, *, third: str = "ends.nothing", explainer: str = "swap", **parts: str) -> Any:
    """A whole audit with the two plugins and a policy of three limits."""
    parts = {"record": RECORD, "declared": DECLARED, **parts}
    (folder / "ends.py").write_text(QUANTIZER.format(**parts), encoding="utf-8")
    (folder / "swap.py").write_text(EXPLAINER.format(name=explainer), encoding="utf-8")
    (folder / "policy.toml").write_text(POLICY.format(third=third, explainer=explainer), encoding="utf-8")
    options: dict[str, Any] = {"quantizers": ["ends"], "explainers": [explainer], "plugins": ["ends.py", "swap.py"]}
    options |= {"positive": "yes", "judge": JUDGED, "policy": "policy.toml", "formats": ["html"], "date": "2026-11-24"}
    return qaudit.audit(LogisticRegression().fit(*rows(300, 0)), *rows(120, 1), output=folder / "out", **options)


def own(report: Any, prefix: str) -> list[dict[str, Any]]:
    return [row for row in report.content["evidence"] if row["measure"].startswith(f"{prefix}.")]


def test_a_measure_of_a_plugin_reaches_the_table_the_page_and_the_limits(tmp_path: Path) -> None:
    report = audit(tmp_path)
    assert [row for row in report.content["skipped"] if row["kind"] == "failed"] == []
    errors = jsonschema.Draft202012Validator(json.loads(schema_text("report"))).iter_errors(report.content)
    assert [error.message[:200] for error in errors] == []

    codes = {row["about"]["candidate"]: row for row in own(report, "ends")}
    assert set(codes) == {JUDGED, "ends(bits=8)"}
    assert codes[JUDGED]["about"] == {"candidate": JUDGED, "parameter": "layer0.weight"}
    assert codes[JUDGED]["value"] == pytest.approx(1 / 3)
    assert (codes[JUDGED]["unit"], codes[JUDGED]["by"]) == ("share", "ends")
    assert codes[JUDGED]["topic"] == "quantization.precision_loss"

    spread = [row for row in own(report, "swap") if row["measure"] == "swap.spread"]
    assert {(row["about"]["candidate"], row["about"]["feature"]) for row in spread} == {
        (who, name) for who in ("reference", JUDGED) for name in "abc"
    }
    # reference and candidate are explained with one seed; of the runs for the floor nothing is taken
    seeds = [row["value"] for row in own(report, "swap") if row["measure"] == "swap.seed"]
    assert len(seeds) == 2
    assert len(set(seeds)) == 1

    plugins = {row["name"]: row for row in report.content["plugins"]}
    assert plugins["ends"]["measures"] == [
        {
            "name": "ends.top_codes",
            "title": "Codes at the end of the grid",
            "unit": "share",
            "section": "precision",
            "better": "low",
        }
    ]
    assert all("measures" not in row for name, row in plugins.items() if name not in ("ends", "swap"))


def test_the_page_says_whose_numbers_they_are_and_limits_hold(tmp_path: Path) -> None:
    report = audit(tmp_path)
    html = report.html.read_text(encoding="utf-8")
    sections = {
        anchor: re.findall(rf'<section id="{anchor}".*?</section>', html, re.DOTALL)[0] for anchor in ("precision", "importance")
    }
    words = {anchor: " ".join(re.sub(r"<[^>]*>", " ", text).split()) for anchor, text in sections.items()}
    assert "Codes at the end of the grid parameter layer0.weight judged 33.33%" in words["precision"]
    assert "those of a plugin are its own numbers, which qaudit did not measure" in words["precision"]
    assert "Spread &lt;b&gt;over&lt;/b&gt; draws feature b reference" in words["importance"]
    assert "<b>over</b>" not in html

    held = {each["limit"]["id"]: each for each in report.content["assessments"]}
    assert {name: each["verdict"] for name, each in held.items()} == {"P1": "outside", "P2": "within", "P3": "not_assessed"}
    assert {name: each["section"] for name, each in held.items()} == {"P1": "precision", "P2": "importance", "P3": "rules"}
    assert held["P3"]["reason"] == "no plugin of this run declares a measure ends.nothing"
    assert report.exit_code == 1
    assert "Codes at the end of the grid" in html[html.index('id="rules"') :]


def test_a_limit_on_a_plugin_that_is_not_selected_is_refused_before_work_begins(tmp_path: Path) -> None:
    message = r"limit P3: measure 'end.top_codes': no selected plugin is named 'end'; did you mean 'ends'"
    with pytest.raises(Refused, match=message):
        audit(tmp_path, third="end.top_codes")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("parts", "reason"),
    first_fast(
        [
            ({"record": 'calibration.record_measure("tops", 0.5)'}, "measure 'tops' is not declared; did you mean 'top_codes'"),
            (
                {"record": 'calibration.record_measure("top_codes", np.nan)'},
                "measure top_codes: value nan, expected a finite number",
            ),
            ({"declared": DECLARED.replace("precision", "result")}, "section 'result' takes no measures of plugins"),
        ]
    ),
)
def test_what_is_not_allowed_is_a_failure_of_the_plugin(tmp_path: Path, parts: dict[str, str], reason: str) -> None:
    report = audit(tmp_path, **parts)
    (row,) = [row for row in report.content["skipped"] if row["by"] == "ends"]
    assert (row["stage"], row["kind"]) == ("quantize", "failed")
    assert reason in row["reason"]
    assert own(report, "ends") == []
    assert own(report, "swap") != []
    assert report.exit_code == 2


@pytest.mark.slow
def test_two_plugins_of_one_name_do_not_share_a_measure(tmp_path: Path) -> None:
    declared = 'Measure("spread", "Spread", "", "precision")'
    report = audit(tmp_path, explainer="ends", declared=declared, record='calibration.record_measure("spread", 1.0)')
    (row,) = [row for row in report.content["skipped"] if row["by"] == "ends"]
    assert row["stage"] == "explain"
    assert "measure 'ends.spread' is declared by a quantizer of that name too" in row["reason"]
    assert {row["about"].get("parameter") for row in own(report, "ends")} == {"layer0.weight"}
