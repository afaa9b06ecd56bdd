"""Exit codes and the last line: what the limits of an audit give together."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from qaudit.core.catalogue.verdicts import VerdictWord
from qaudit.core.evidence import Assessment, Limit
from qaudit.core.outcome import Permit, exit_code, last_line


def of(verdict: VerdictWord, id: str = "Q1") -> Assessment:
    return Assessment(Limit(id, "flip_rate", {}, None, 0.01, None, None, "r"), None, verdict, "precision")


@pytest.mark.parametrize(
    ("verdicts", "failed", "permit", "code"),
    [
        # no policy, and limits that are met
        ([], False, "fail", 0),
        (["within"], False, "fail", 0),
        (["within", "near"], False, "fail", 0),
        # outside, whatever else is not known
        (["within", "outside"], False, "fail", 1),
        (["outside", "not_assessed"], False, "fail", 1),
        (["outside", "not_demonstrable"], False, "fail", 1),
        (["outside", "not_demonstrable"], False, "pass", 1),
        (["outside"], True, "fail", 1),
        # not known
        (["within", "not_assessed"], False, "fail", 2),
        (["within", "not_demonstrable"], False, "fail", 2),
        (["not_assessed", "not_demonstrable"], False, "fail", 2),
        ([], True, "fail", 2),
        (["within"], True, "fail", 2),
        # permitted: not demonstrable, and nothing else
        (["within", "not_demonstrable"], False, "pass", 0),
        (["not_assessed", "not_demonstrable"], False, "pass", 2),
        (["not_demonstrable"], True, "pass", 2),
        (["not_assessed"], False, "pass", 2),
    ],
)
def test_the_table_of_exit_codes(verdicts: list[VerdictWord], failed: bool, permit: Permit, code: int) -> None:
    found = [of(verdict) for verdict in verdicts]
    for order in itertools.permutations(found):
        assert exit_code(order, failed=failed, not_demonstrable=permit) == code


def test_a_limit_that_was_asked_for_never_passes_unmeasured() -> None:
    """A candidate that declined, a measure that nobody took: exit code 0 would say that the limit is met (finding M1)."""
    words = [word for word in get_args(VerdictWord) if word != "not_assessed"]
    for size in range(3):
        for others in itertools.combinations_with_replacement(words, size):
            for permit in get_args(Permit):
                assert exit_code([of("not_assessed"), *map(of, others)], not_demonstrable=permit) != 0


def test_the_last_line_names_what_is_not_met_and_what_is_not_known() -> None:
    every = [of("within", "A"), of("near", "B"), of("outside", "C"), of("not_demonstrable", "D"), of("not_assessed", "E")]
    assert last_line(every, 1) == ("2 of 5 limits within or near; outside: C; not demonstrable: D; not assessed: E (exit code 1)")
    assert last_line([of("within")], 2, failed=True) == "1 of 1 limits within or near; a part of the audit failed (exit code 2)"
    assert last_line([], 0) == "no limit is set (exit code 0)"
    passed = last_line([of("within", "A"), of("not_demonstrable", "D")], 0, not_demonstrable="pass")
    assert passed == (
        "1 of 2 limits within or near; not demonstrable: D; "
        'not demonstrable passes, as the audit sets not_demonstrable = "pass" (exit code 0)'
    )
