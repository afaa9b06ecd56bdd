"""Bad plugins: each fault becomes one failure with kind, phase and reason, and nothing survives it."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from qaudit.sandbox import runner
from qaudit.sandbox.job import Limits, Outcome, PluginRef

ZOO = Path(__file__).parent.parent / "zoo"


TWENTY = Limits(seconds=20)


def offer(name: str, limits: Limits = TWENTY) -> Outcome:
    ref = PluginRef("quantizer", name, f"{name}.py", "unpackaged", "", "0" * 64, str(ZOO / f"{name}.py"))
    return runner.run("echo", {"n": 1}, plugins=[ref], limits=limits)


def marked() -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any("600.125" in part for part in process.info["cmdline"] or []):
            found.append(process.pid)
    return found


@pytest.mark.parametrize(
    ("name", "kind", "phase", "reason"),
    [
        ("raises", "raised", "offer", "ValueError: bad<U+001B>[31m <U+202E> value at 0x... in model.py (while offering records)"),
        ("unprintable", "raised", "offer", "Awkward: (its text cannot be made) (while offering records)"),
        ("system_exit", "raised", "offer", "SystemExit: 0 (while offering records)"),
        ("leaves_at_import", "no answer", "import", "ended without an answer while importing the plugin"),
        ("segfaults", "crashed", "offer", "crashed (SIGSEGV) while offering records"),
        ("aborts", "crashed", "offer", "crashed (SIGABRT) while offering records"),
        ("endless", "broken contract", "offer", "endless: more than 100 offers"),
        ("wrong_type", "broken contract", "offer", "wrong_type: offered a str, expected a Quantizer"),
        ("declines", "declined", "offer", "needs a dense layer"),
    ],
)
def test_fault_is_one_failure(name: str, kind: str, phase: str, reason: str) -> None:
    failure = offer(name).failure
    assert failure is not None
    assert (failure.kind, failure.phase, failure.reason, failure.blame) == (kind, phase, reason, "plugin")


def test_unknown_hook_names_the_nearest() -> None:
    failure = offer("wrong_hook").failure
    assert failure is not None
    assert failure.kind == "broken contract"
    assert "unknown hook 'qaudit_offer_quantizer'; did you mean 'qaudit_offer_quantizers'?" in failure.reason


def test_hanging_plugin_is_stopped_at_its_limit() -> None:
    began = time.monotonic()
    failure = offer("hangs", Limits(seconds=1.0)).failure
    assert failure is not None
    assert failure.reason == "timed out after 1 s while offering records"
    assert time.monotonic() - began < 6


def test_memory_eater_is_stopped() -> None:
    failure = offer("eats_memory", Limits(seconds=60, memory=400 * 2**20)).failure
    assert failure is not None
    assert (failure.kind, failure.reason) == (
        "out of memory",
        "used more than 400 MiB of memory while offering records",
    )


def test_flood_is_no_fault_and_is_not_kept() -> None:
    outcome = offer("floods", Limits(seconds=60))
    assert outcome.failure is None
    assert outcome.answer["offers"] == {"quantizer": ["floods"]}


def test_fork_bomb_is_stopped() -> None:
    failure = offer("forks", Limits(seconds=30, memory=64 * 2**30)).failure
    assert failure is not None
    assert failure.reason == "started more than 64 processes while offering records"


def test_no_survivors_after_a_time_limit() -> None:
    failure = offer("grandchildren", Limits(seconds=1.5)).failure
    assert failure is not None
    assert failure.kind == "timed out"
    assert marked() == []


def test_no_survivors_after_an_answer() -> None:
    outcome = offer("leaves_grandchildren")
    assert outcome.failure is None
    assert marked() == []


def test_network_state_is_told_truly() -> None:
    outcome = offer("dials_out")
    reached = outcome.failure is None
    assert runner.network_state() == ("not isolated" if reached else "isolated")
