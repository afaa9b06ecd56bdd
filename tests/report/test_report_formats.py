"""Reports of older formats become reports of today's; those of later ones are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reports import smallest

from qaudit.errors import Refused
from qaudit.report.formats import FORMAT, UPGRADES, upgraded
from qaudit.report.reading import parse_report

FOSSILS = Path(__file__).parent.parent / "fossils"


def test_every_older_format_has_its_upgrade_and_its_fossil() -> None:
    assert sorted(UPGRADES) == list(range(1, FORMAT))
    for number in UPGRADES:
        found = (FOSSILS / f"format_{number}" / "report.json").read_bytes()
        assert json.loads(found)["format"] == number
        assert parse_report(found).format == FORMAT


def test_a_report_of_today_stays_as_it_is() -> None:
    assert upgraded(smallest()) == smallest()


def test_format_1_is_completed_and_its_bins_are_numbers() -> None:
    report = smallest() | {"format": 1, "previous": {"id": "A"}}
    report["frameworks"] = [{"items": [{"id": "i", "evidence": []}, {"id": "j", "filled_by": "tool", "evidence": "limits"}]}]
    report["evidence"] = [{"about": {"range": "np.float64(-0.02) to np.float64(1e-05)"}}, {"about": {"range": "bucket 3"}}]
    made = upgraded(report)
    assert made["format"] == FORMAT
    assert made["previous"] == {"id": "A", "inputs": []}
    assert made["frameworks"][0]["items"] == [
        {"id": "i", "evidence": "", "filled_by": "both"},
        {"id": "j", "filled_by": "tool", "evidence": "limits"},
    ]
    assert [row["about"]["range"] for row in made["evidence"]] == ["-0.02 to 1e-05", "bucket 3"]


@pytest.mark.parametrize("number", [0, -1, FORMAT + 1, 10**30, "1", 1.0, True, None, [], {}])
def test_other_formats_are_refused_in_one_line(number: Any) -> None:
    with pytest.raises(Refused, match=f"^format .{{1,40}} found, this version of qaudit reads 1 to {FORMAT}$"):
        upgraded({"format": number})


@pytest.mark.parametrize(
    "part", [None, 1, "x", [], [1, None], {"a": 1}, [{"items": 1}], [{"about": 1}], [{"about": {"range": 1}}]]
)
@pytest.mark.parametrize("key", ["frameworks", "previous", "evidence"])
def test_what_has_another_shape_is_left_to_the_model(key: str, part: Any) -> None:
    with_part = {"format": 1, key: part}
    assert upgraded(with_part)["format"] == FORMAT
