"""Planted faults are found, each by the check that names it; good plugins pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from plants import EXPLAINER, EXPLAINER_FAULTS, FAULTS, QUANTIZER, planted

from qaudit.plugin_host.discovery import KINDS, PluginHost, from_file
from qaudit.sandbox.job import Limits, PluginRef
from qaudit.testing.checks.catalogue import BY_ID, checks_of
from qaudit.testing.checks.results import Result
from qaudit.testing.checks.runner import LIMITS, Verdict, check_plugin

THIRD = Path(__file__).parent.parent.parent / "examples" / "third_party_quantizer" / "qaudit_pow2.py"


def verdict(source: str, folder: Path, limits: Limits = LIMITS, only: tuple[str, ...] | None = None) -> Verdict:
    file = folder / "planted.py"
    file.write_text(source, encoding="utf-8")
    (ref,) = from_file(file)
    return check_plugin(ref, limits=limits, only=only)


def failed(found: Verdict) -> dict[str, Result]:
    return {result.id: result for result in found.results if result.status == "failed"}


def test_there_are_enough_of_them() -> None:
    assert len(FAULTS) >= 24
    assert len(EXPLAINER_FAULTS) >= 12
    quantizers = {check for check, _ in FAULTS.values()}
    assert quantizers == set(checks_of("quantizer"))


def _asked(check: str) -> tuple[str, ...]:
    """C1 looks into another process and may blame C3."""
    return ("C1", "C3") if check == "C3" else (check,)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_quantizer_is_rejected(fault: str, tmp_path: Path) -> None:
    check, replacements = FAULTS[fault]
    found = verdict(planted(QUANTIZER, replacements), tmp_path, only=_asked(check))
    assert not found.passed
    assert check in failed(found), sorted(failed(found))
    assert failed(found)[check].seen


@pytest.mark.parametrize("fault", EXPLAINER_FAULTS)
def test_a_broken_explainer_is_rejected(fault: str, tmp_path: Path) -> None:
    check, replacements = EXPLAINER_FAULTS[fault]
    found = verdict(planted(EXPLAINER, replacements), tmp_path, only=_asked(check))
    assert check in failed(found), sorted(failed(found))


@pytest.mark.parametrize("source", [QUANTIZER, EXPLAINER], ids=["quantizer", "explainer"])
def test_without_a_fault_they_pass(source: str, tmp_path: Path) -> None:
    assert failed(verdict(source, tmp_path)) == {}


BUILT_IN = [ref for kind in KINDS for ref in PluginHost.discover().of(kind) if ref.distribution == "qaudit"]


@pytest.mark.parametrize("ref", [*BUILT_IN, *from_file(THIRD)], ids=lambda ref: f"{ref.kind} {ref.name}")
def test_good_plugins_pass(ref: PluginRef) -> None:
    found = check_plugin(ref)
    assert failed(found) == {}
    assert {result.id for result in found.results} == set(checks_of(ref.kind))
    assert [result.id for result in found.results if result.status == "expected"] == []


@pytest.mark.slow
def test_a_hanging_quantizer_fails_one_check_and_ends_the_rest(tmp_path: Path) -> None:
    hangs = planted(QUANTIZER, [("    top =", "    if not values.any(): time.sleep(600)\n    top =")])
    found = verdict(hangs, tmp_path, Limits(seconds=3), only=("B5", "B6", "C1"))
    assert failed(found)["B6"].seen == ("timed out after 3 s",)
    assert list(failed(found)) == ["B6"]


def test_messages_say_what_was_seen(tmp_path: Path) -> None:
    found = failed(verdict(planted(QUANTIZER, FAULTS["codes outside their type"][1]), tmp_path, only=("B2",)))
    assert found["B2"].seen[0].startswith("codes outside int4 (-7 to 7): ")
    assert found["B2"].look == f"{tmp_path / 'planted.py'}:8"
    assert BY_ID["B2"].anchor == "docs/plugin-checks.md#b2"
    found = failed(verdict(planted(QUANTIZER, FAULTS["raises on weights"][1]), tmp_path, only=("A7",)))
    assert found["A7"].seen[0] == "raised KeyError: 'axis' (network)"
