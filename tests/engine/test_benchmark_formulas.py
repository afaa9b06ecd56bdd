"""The benchmark's three spellings of each formula agree, and its memory figures say what its README says."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "formulas.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_formulas", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_three_ways_agree(bench: ModuleType, dtype: str) -> None:
    arrays = bench.inputs(5000, dtype)
    for case in bench.CASES:
        one, two = np.empty(5000, dtype), np.empty(5000, dtype)
        results = [case.plain(arrays), case.inplace(arrays, one, two), bench.by_numexpr(case, arrays)]
        assert {result.dtype for result in results} == {np.dtype(dtype)}
        for result in results[1:]:
            assert np.allclose(result, results[0], rtol=1e-4, atol=1e-4)


def test_numexpr_holds_the_result_alone_and_numpy_a_temporary_beside_it(bench: ModuleType) -> None:
    size = 500_000
    arrays = bench.inputs(size, "float64")
    result = 8 * size / 2**20
    case = next(case for case in bench.CASES if case.name == "error")
    one, two = np.empty(size), np.empty(size)
    bench.by_numexpr(case, arrays)
    assert bench.peak(lambda: bench.by_numexpr(case, arrays)) < 1.1 * result
    assert bench.peak(lambda: case.plain(arrays)) > 1.9 * result
    assert bench.peak(lambda: case.inplace(arrays, one, two)) < 0.1 * result


def test_quick_prints_every_row() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--quick"], capture_output=True, text=True, timeout=120, check=True)
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ") and "formula" not in line]
    assert len([row for row in rows if "---" not in row[0]]) == 4 * 2 * 2 * 2
