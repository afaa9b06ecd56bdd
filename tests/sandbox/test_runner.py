"""The runner: what goes in comes out, from any kind of caller, and nothing outlives the host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from marks import first_fast

from qaudit.sandbox import runner
from qaudit.sandbox.ipc import BrokenAnswer
from qaudit.sandbox.job import Call, Limits, PluginRef

SCRIPT = """
import numpy as np
from qaudit.sandbox import runner
outcome = runner.run("echo", {"a": 1}, {"x": np.arange(3)})
print(outcome.failure, outcome.answer["request"], outcome.arrays["x"].tolist(), flush=True)
"""
HANGING = """
import sys
from qaudit.sandbox import runner
from qaudit.sandbox.job import PluginRef
ref = PluginRef("quantizer", "grandchildren", "x", "unpackaged", "", "0" * 64, sys.argv[1])
runner.warm()
print(runner._server().process.pid, flush=True)
runner.run("echo", {}, plugins=[ref])
"""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hnp.arrays(
        st.sampled_from(["<f8", "<f4", "<i4", "u1", "?", "<i8"]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    )
)
def test_arrays_come_back_bit_for_bit(array: np.ndarray) -> None:
    back = runner.run("echo", {}, {"x": array}).arrays["x"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == np.ascontiguousarray(array).tobytes()


def test_fortran_order_survives() -> None:
    array = np.asfortranarray(np.arange(5000.0).reshape(50, 100))
    np.testing.assert_array_equal(runner.run("echo", {}, {"x": array}).arrays["x"], array)


def test_only_numbers_cross() -> None:
    with pytest.raises(BrokenAnswer, match="array 'x' has dtype object"):
        runner.run("echo", {}, {"x": np.array(["a", None], dtype=object)})


def test_run_many_keeps_the_order() -> None:
    outcomes = runner.run_many([Call("echo", {"n": n}) for n in range(7)], jobs=3)
    assert [outcome.answer["request"]["n"] for outcome in outcomes] == list(range(7))


def test_unknown_task_is_a_failure() -> None:
    failure = runner.run("no_such_task", {}).failure
    assert failure is not None
    assert failure.kind == "raised"
    assert failure.reason.startswith("ModuleNotFoundError")
    refused = runner.run("../x", {}).failure
    assert refused is not None
    assert refused.kind == "refused"


def test_in_process_gives_the_same() -> None:
    array = np.arange(4)
    inside, outside = (runner.run("echo", {"k": [1]}, {"x": array}, in_process=here) for here in (True, False))
    assert inside.answer == outside.answer
    np.testing.assert_array_equal(inside.arrays["x"], outside.arrays["x"])


def test_answer_size_is_limited() -> None:
    failure = runner.run("echo", {}, {"x": np.zeros(2**18)}, limits=Limits(answer=2**20)).failure
    assert failure is not None
    assert failure.kind in ("raised", "broken contract")


def test_packaged_plugin_goes_through_the_door() -> None:
    ref = PluginRef("quantizer", "symmetric", "qaudit_quantizers.symmetric", "qaudit", "0.1.0", "")
    assert runner.run("echo", {}, plugins=[ref]).answer["offers"] == {"quantizer": ["symmetric"]}
    wrong = PluginRef("quantizer", "absmax", "qaudit_quantizers.symmetric", "qaudit", "0.1.0", "")
    failure = runner.run("echo", {}, plugins=[wrong]).failure
    assert failure is not None
    assert failure.reason == "absmax: the record is named 'symmetric', expected 'absmax' as its entry point"


@pytest.mark.parametrize("how", first_fast(["script without a guard", "standard input"]))
def test_from_any_caller(how: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "random.py").write_text("raise RuntimeError('a module of the current folder was imported')\n")
    given = (
        {"args": [sys.executable, "-P", str(script)]}
        if how.startswith("script")
        else {"args": [sys.executable, "-"], "input": SCRIPT}
    )
    cwd = tmp_path if how.startswith("script") else tmp_path.parent
    done = subprocess.run(**given, capture_output=True, text=True, cwd=cwd, timeout=60)
    assert done.stdout == "None {'a': 1} [0, 1, 2]\n", done.stderr


def test_everything_ends_with_a_killed_host(tmp_path: Path) -> None:
    zoo = Path(__file__).parent.parent / "zoo" / "grandchildren.py"
    host = subprocess.Popen([sys.executable, "-c", HANGING, str(zoo)], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    server = psutil.Process(int(host.stdout.readline()))
    deadline = time.monotonic() + 30
    while len(below := server.children(recursive=True)) < 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(below) >= 5, "supervisor, child and three grandchildren"
    os.kill(host.pid, signal.SIGKILL)
    host.wait()
    _, alive = psutil.wait_procs([server, *below], timeout=5)
    assert alive == []
