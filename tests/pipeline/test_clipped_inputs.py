"""Inputs outside the calibrated range: evidence of the evaluation, the findings, and the words on what is simulated."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from reports import golden, typed
from scipy.stats import binomtest
from subjects import candidate, subject

from qaudit.core.program import Quantized
from qaudit.core.tensor import Grid, QType
from qaudit.pipeline.stages.evaluate import evaluate
from qaudit.pipeline.stages.find import find
from qaudit.pipeline.types import Candidate, Candidates, LoadedSubject
from qaudit.rendering.html import page

HIGH = 1.5
"""The grid ends at -HIGH and HIGH."""


def with_grid(of: LoadedSubject, bits: int = 8, high: float = HIGH) -> Candidate:
    plain = candidate(of, bits)
    grid = Grid(high / 127, 0, QType(8))
    return dataclasses.replace(plain, quantized=Quantized(plain.quantized.program, plain.quantized.tensors, {0: grid}))


def test_clipped_rows_are_counted_for_the_candidate_under_assessment_alone() -> None:
    of = subject()
    judged, other = with_grid(of), dataclasses.replace(with_grid(of, 4), id="z")
    found = evaluate(of, Candidates((judged, other)), judged)
    outside = np.abs(of.encoded["holdout"]) > HIGH * (1 + 0.5 / 127)
    rows = [row for row in found.evidence if row.measure == "clipped_rows"]
    assert {row.about["candidate"] for row in rows} == {judged.id}
    by_place = {(row.about.get("value_of"), row.about.get("feature")): row for row in rows}
    layer = "inputs of layer0"
    assert set(by_place) == {(None, None), (layer, None), *((layer, f"x{j}") for j in range(3))}
    for row, mask in [
        (by_place[None, None], outside.any(axis=1)),
        (by_place[layer, None], outside.any(axis=1)),
        *((by_place[layer, f"x{j}"], outside[:, j]) for j in range(3)),
    ]:
        assert row.value == mask.mean() > 0
        assert row.n == 200
        exact = binomtest(int(mask.sum()), 200).proportion_ci(0.95, "exact")
        assert row.interval is not None
        assert (row.interval.low, row.interval.high) == (exact.low, exact.high)
    (values,) = [row for row in found.evidence if row.measure == "clipped_values"]
    assert values.value == pytest.approx(outside.mean())
    assert values.n == 600
    without = evaluate(of, Candidates((candidate(of, 8),)), candidate(of, 8))
    assert not [row for row in without.evidence if row.measure.startswith("clipped")]


def findings(of: LoadedSubject, judged: Candidate) -> dict[str, str]:
    evidence = evaluate(of, Candidates((judged,)), judged).evidence
    found = find(of, Candidates((judged,)), evidence, judged)
    return {f"{each.code} {each.severity}": each.statement for each in found}


def test_clipping_is_a_finding_and_much_of_it_asks_for_attention() -> None:
    of = subject()
    outside = np.abs(of.encoded["holdout"]) > HIGH * (1 + 0.5 / 127)
    text = findings(of, with_grid(of))["QA-024 attention"]
    rows = int(outside.any(axis=1).sum())
    assert text.startswith(f"On {rows} of 200 holdout rows, {100 * rows / 200:.2f}% (95% interval ")
    assert f"clipped to its end: inputs of layer0 ({rows} rows)." in text
    most = int(np.argmax(outside.sum(axis=0)))
    assert f"Input columns: x{most} ({outside[:, most].sum()} rows)" in text
    high = float(np.sort(np.abs(of.encoded["holdout"]).max(axis=1))[-2] * 1.001)
    few = findings(of, with_grid(of, high=high))
    assert few["QA-024 note"].startswith("On 1 of 200 holdout rows, 0.50%")
    assert "(1 row)" in few["QA-024 note"]
    none = findings(of, with_grid(of, high=50.0))
    assert not [code for code in none if code.startswith("QA-024")]


def test_what_is_simulated_in_float64_is_said() -> None:
    of = subject()
    said = findings(of, with_grid(of))["QA-025 note"]
    assert said == (
        "Integer inference is simulated in part. In integers, and exact: the codes of the inputs and the sums of their products "
        "with their biases in layer0. In float64: the rescaling of these sums and the division by an input scale, where a device "
        "multiplies by integers and shifts; the logistic link, where a device may use tables or polynomials. The predictions of "
        "such a device may differ from those measured here."
    )
    assert not [code for code in findings(of, candidate(of, 8)) if code.startswith("QA-025")]


def test_the_page_lists_what_was_clipped() -> None:
    report = golden()
    span = {"low": 0.0, "high": 0.1, "level": 0.95, "method": "clopper-pearson"}
    base = {**report["evidence"][0], "unit": "share", "interval": span, "n": 200}
    layer = {"candidate": report["judged"], "value_of": "inputs of layer0"}
    report["evidence"] += [
        {**base, "measure": "clipped_rows", "value": 0.02, "about": {"candidate": report["judged"]}},
        {**base, "measure": "clipped_rows", "value": 0.015, "about": layer},
        {**base, "measure": "clipped_values", "value": 0.0025, "about": layer, "interval": None},
        {**base, "measure": "clipped_rows", "value": 0.015, "about": {**layer, "feature": "lv<rat>"}},
        {**base, "measure": "clipped_rows", "value": 0.0, "about": {**layer, "feature": "dir"}},
    ]
    text = page(typed(report))
    part = text[text.index("on which the judged candidate was calibrated, on 200 holdout rows") :]
    part = part[: part.index("</section>")]
    assert 'any layer</bdi></th><td class="n">4</td>' in part
    assert 'inputs of layer0</bdi></th><td class="n">3</td>' in part
    assert re.search(r">inputs of layer0<.*>0\.25\d*%</td></tr>", part)
    assert "input column lv&lt;rat&gt;" in part
    assert "input column dir" not in part
    assert "Listed input columns without a clipped value: 1." in part
