"""Where numexpr wins and where it loses: time and peak memory of formulas, by size, dtype and threads.

    python benchmarks/formulas.py            every size, about two minutes
    python benchmarks/formulas.py --quick    small sizes, a few seconds

Each formula is evaluated in three ways: numpy with temporaries (the line one would write), numpy with `out=` into arrays made
before, and numexpr. Times are medians of interleaved rounds; the ratios are medians of the ratios within each round, so that a
busy machine slows both sides of a ratio. Memory is the peak that tracemalloc sees during one call, result included, beyond the
inputs and the arrays made before. Ratios below 1 mean numexpr is faster.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numexpr
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Case:
    """A formula in three spellings; `inplace` gets two work arrays and returns one of them."""

    name: str
    text: str
    plain: Callable[[Arrays], Array]
    inplace: Callable[[Arrays, Array, Array], Array]


def quantize_plain(a: Arrays) -> Array:
    """Quantize and dequantize, one array a step."""
    return np.asarray((np.minimum(np.maximum(np.rint(a["x"] / a["s"]) + a["z"], a["lo"]), a["hi"]) - a["z"]) * a["s"])


def quantize_inplace(a: Arrays, one: Array, two: Array) -> Array:
    """The same in one work array."""
    np.divide(a["x"], a["s"], out=one)
    np.rint(one, out=one)
    one += a["z"]
    np.clip(one, a["lo"], a["hi"], out=one)
    one -= a["z"]
    one *= a["s"]
    return one


def polynomial_plain(a: Arrays) -> Array:
    """Degree 4, by powers as it is written on paper."""
    x, y, s, z, c = a["x"], a["y"], a["s"], a["z"], a["hi"]
    return np.asarray(x * x * x * x * s + x * x * x * z + x * x * c + x * y + y)


def polynomial_inplace(a: Arrays, one: Array, two: Array) -> Array:
    """Horner's rule in two work arrays."""
    x, y = a["x"], a["y"]
    np.multiply(x, a["s"], out=one)
    for term in (a["z"], a["hi"], y):
        one += term
        one *= x
    one += y
    return one


def error_plain(a: Arrays) -> Array:
    """Relative squared error."""
    return np.asarray((a["x"] - a["y"]) * (a["x"] - a["y"]) / (a["x"] * a["x"] + a["s"]))


def error_inplace(a: Arrays, one: Array, two: Array) -> Array:
    """The same in two work arrays."""
    np.subtract(a["x"], a["y"], out=one)
    one *= one
    np.multiply(a["x"], a["x"], out=two)
    two += a["s"]
    one /= two
    return one


def affine_plain(a: Arrays) -> Array:
    """One multiplication and one addition."""
    return np.asarray(a["x"] * a["s"] + a["y"])


def affine_inplace(a: Arrays, one: Array, two: Array) -> Array:
    """The same in one work array."""
    np.multiply(a["x"], a["s"], out=one)
    one += a["y"]
    return one


CASES = (
    Case("quantize", "(minimum(maximum(round(x / s) + z, lo), hi) - z) * s", quantize_plain, quantize_inplace),
    Case("polynomial", "x*x*x*x*s + x*x*x*z + x*x*hi + x*y + y", polynomial_plain, polynomial_inplace),
    Case("error", "(x - y) * (x - y) / (x * x + s)", error_plain, error_inplace),
    Case("multiply-add", "x * s + y", affine_plain, affine_inplace),
)


def inputs(size: int, dtype: str) -> Arrays:
    """Two long arrays and four scalars of one dtype."""
    rng = np.random.default_rng(0)
    scalars = {"s": 0.05, "z": 3.0, "lo": 0.0, "hi": 15.0}
    arrays = {name: rng.normal(size=size).astype(dtype) for name in ("x", "y")}
    return arrays | {name: np.array(value, dtype=dtype) for name, value in scalars.items()}


def by_numexpr(case: Case, arrays: Arrays) -> Array:
    """numexpr, cast back to the dtype of the inputs (it turns float32 into float64 at round, minimum and maximum)."""
    return np.asarray(numexpr.evaluate(case.text, local_dict=arrays, global_dict={})).astype(arrays["x"].dtype, copy=False)


def seconds(run: Callable[[], Array]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def peak(run: Callable[[], Array]) -> float:
    """MiB allocated at the peak of one call."""
    tracemalloc.start()
    kept = run()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del kept
    return found / 2**20


def measure(case: Case, size: int, dtype: str, threads: int, rounds: int) -> list[str]:
    """One row of the table."""
    arrays = inputs(size, dtype)
    one, two = np.empty(size, dtype), np.empty(size, dtype)
    numexpr.set_num_threads(threads)
    ways: list[Callable[[], Array]] = [
        lambda: case.plain(arrays),
        lambda: case.inplace(arrays, one, two),
        lambda: by_numexpr(case, arrays),
    ]
    results = [run().copy() for run in ways]
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    if not all(np.allclose(result, results[0], rtol=tolerance, atol=tolerance) for result in results):
        raise SystemExit(f"{case.name}: the three ways differ")
    times = [[seconds(run) for run in ways] for _ in range(rounds)]
    plain, inplace, fused = (statistics.median(row[way] for row in times) for way in range(3))
    against_plain = statistics.median(row[2] / row[0] for row in times)
    against_inplace = statistics.median(row[2] / row[1] for row in times)
    memory = [f"{peak(run):.1f}" for run in ways]
    clock = [f"{value * 1e3:.3g}" for value in (plain, inplace, fused)]
    verdict = "wins" if against_plain < 0.9 else "even" if against_plain < 1.1 else "loses"
    ratios = [f"{against_plain:.2f}", f"{against_inplace:.2f}"]
    return [case.name, dtype, f"{size:,}", str(threads), *clock, *ratios, *memory, verdict]


HEAD = ["formula", "dtype", "elements", "threads", "numpy ms", "out= ms", "numexpr ms", "/ numpy", "/ out="]
HEAD += ["numpy MiB", "out= MiB", "numexpr MiB", "numexpr"]


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds, a few seconds")
    quick = parser.parse_args().quick
    sizes = (1_000, 100_000) if quick else (1_000, 100_000, 1_000_000, 10_000_000)
    print(
        f"numexpr {numexpr.__version__}, numpy {np.__version__}, {platform.machine()}, {numexpr.detect_number_of_cores()} cores\n"
    )
    print("| " + " | ".join(HEAD) + " |\n|" + " --- |" * len(HEAD))
    for case in CASES:
        for dtype in ("float64", "float32"):
            for size in sizes:
                for threads in (1, 2):
                    rounds = 5 if quick else 31 if size < 1_000_000 else 15 if size < 10_000_000 else 5
                    print("| " + " | ".join(measure(case, size, dtype, threads, rounds)) + " |", flush=True)


if __name__ == "__main__":
    main()
