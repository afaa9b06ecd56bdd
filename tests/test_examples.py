"""The five scripts of examples/article: they run, and their numbers are what the method promises."""

from __future__ import annotations

import runpy
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

ARTICLE = Path(__file__).parent.parent / "examples" / "article"
SCRIPTS = sorted(path.stem for path in ARTICLE.glob("*.py"))


@cache
def numbers(script: str) -> dict[str, float]:
    return runpy.run_path(str(ARTICLE / f"{script}.py"))["main"]()


def test_there_are_five() -> None:
    assert SCRIPTS == ["decision_tree", "feature_importance", "local_surrogate", "pruning_quantization", "weight_quantization"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_says_what_was_wrong(script: str) -> None:
    assert "What was wrong in the sample:" in (ARTICLE / f"{script}.py").read_text(encoding="utf-8")


ALL = """
import runpy, sys
for script in sys.argv[1:]:
    runpy.run_path(script, run_name="__main__")
    print("END OF A SCRIPT")
"""


@cache
def printed() -> dict[str, list[str]]:
    """The lines of every script, run one after the other in a process whose folder is another one."""
    with tempfile.TemporaryDirectory() as elsewhere:
        files = [str(ARTICLE / f"{script}.py") for script in SCRIPTS]
        run = subprocess.run([sys.executable, "-c", ALL, *files], cwd=elsewhere, capture_output=True, text=True, check=True)
        assert list(Path(elsewhere).iterdir()) == []
    return {script: text.splitlines() for script, text in zip(SCRIPTS, run.stdout.split("END OF A SCRIPT\n"), strict=False)}


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_runs_from_anywhere_and_prints_its_numbers(script: str) -> None:
    assert len(printed()[script]) == len(numbers(script)) > 0


@pytest.mark.slow
def test_weight_quantization_is_unbiased_with_the_draw() -> None:
    found = numbers("weight_quantization")
    standard_error = 0.5 / np.sqrt(2000)
    assert found["none: largest error"] <= 0.5 + 1e-9
    assert found["none: largest bias"] > 0.3
    assert found["stochastic: largest error"] < 1.0
    assert found["stochastic: largest bias"] < 4 * standard_error
    assert found["subtractive: largest error"] <= 0.5 + 1e-9
    assert found["subtractive: largest bias"] < 4 * standard_error
    assert found["levels"] <= 15
    assert found["levels, weights / 100"] == found["levels"]


def test_pruning_by_contribution() -> None:
    found = numbers("pruning_quantization")
    for k in (1, 3, 4):  # the closed form of a linear model; range 2 holds no weight
        assert found[f"range {k} of 4"] == pytest.approx(found[f"range {k}: mean |X w|"], rel=1e-12)
    assert found["range 2: mean |X w|"] == 0.0
    assert found["sparsity"] == 0.4
    assert found["largest error of a kept weight"] <= found["step"] / 2 + 1e-9
    assert found["R2 on unseen rows, pruned and quantized"] > 0.3


def test_a_column_said_twice_is_not_missed() -> None:
    found = numbers("feature_importance")
    assert found["bmi"] == pytest.approx(0.0, abs=0.01)
    assert found["copy"] == pytest.approx(found["bmi"], abs=0.01)
    assert found["s5"] > 5
    assert found["largest spread over repeats"] == 0.0
    assert found["loss change without s5"] > 0


def test_the_tree_describes_the_model() -> None:
    found = numbers("decision_tree")
    assert found["fidelity on unseen rows"] > found["base rate"] + 0.2
    assert found["leaves"] <= 8
    assert found["gain of outlook, bits"] == pytest.approx(0.2467, abs=5e-5)


@pytest.mark.slow
def test_a_linear_model_comes_back() -> None:
    found = numbers("local_surrogate")
    assert found["linear: largest coefficient error"] < 1e-3
    assert found["linear: smallest R2"] > 1 - 1e-9
    assert 0.5 < found["network: median R2"] <= 1.0
    assert found["network: largest change by seed"] > 0.0


def test_the_samples_own_line_crashes() -> None:
    """What local_surrogate.py says of the sample: rows of numbers are no index."""
    x = np.random.default_rng(0).random((100, 10))
    y = x @ np.ones((10, 1))
    with pytest.raises(IndexError):
        y[x[:20]]


def test_the_samples_ranges_are_cumulative() -> None:
    """What pruning_quantization.py says of the sample: each of its ranges holds all smaller ones, the first is empty."""
    w = np.abs(np.random.default_rng(0).random((10, 1)))
    sizes = [int((w <= edge).sum()) for edge in np.linspace(0, w.max(), 5)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 0
    assert sizes[-1] == w.size
