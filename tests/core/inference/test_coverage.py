"""The simulation of benchmarks/coverage.py on few repeats: no interval holds its true value clearly less often than it says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from qaudit.core.evidence import Interval
from qaudit.core.inference.intervals import clopper_pearson

REPEATS = 150


def loaded() -> ModuleType:
    """The script, which is no part of the package."""
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


benchmark = loaded()
CASES = {
    case.name: case
    for case in (
        *benchmark.counts(),
        *benchmark.squares(),
        *benchmark.areas(classes=False),
        *benchmark.calibrations(draws=10**5, bends=("calibrated",)),
    )
    if case.n <= 60
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_an_interval_holds_the_true_value_as_often_as_it_says(name: str) -> None:
    result = benchmark.simulate(CASES[name], REPEATS)
    assert result.intervals >= 0.99 * REPEATS
    assert clopper_pearson(result.held, result.intervals, 0.999).high >= 0.93


def test_an_interval_that_is_too_short_would_be_seen() -> None:
    case = CASES["share clopper-pearson p 0.5 60"]

    def short(rng: object) -> Interval:
        whole = case.draw(rng)
        middle, half = (whole.low + whole.high) / 2, (whole.high - whole.low) / 4
        return Interval(middle - half, middle + half, whole.level, whole.method)

    wrong = benchmark.Case(case.measure, case.method, case.data, case.n, case.truth, short)
    result = benchmark.simulate(wrong, REPEATS)
    assert clopper_pearson(result.held, result.intervals, 0.999).high < 0.93
    assert result.word == "fails"
