"""The number of the format of report.json, and the functions that convert reports of older formats.

To change the format: raise FORMAT and the number in `Report.format`, add a function below that converts a report of the previous
format, enter it in UPGRADES, and keep a report of the old format under tests/fossils. Each function converts from one format to
the next, and an old report passes through all that follow. They work on plain JSON values before these are checked: a value of
an unexpected shape is left as it is, and the model refuses it afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from qaudit.errors import Refused

FORMAT = 2
Json = dict[str, Any]


def from_1(report: Json) -> Json:
    """Convert to format 2, which requires `filled_by` and one topic of each item, and the list of changed inputs.

    Reports of format 1 wrote the ends of a bin as numpy prints them: "np.float64(-0.02) to np.float64(0.0)".
    """
    for framework in _objects(report, "frameworks"):
        for item in _objects(framework, "items"):
            item.setdefault("filled_by", "both")
            if not isinstance(item.get("evidence"), str):
                item["evidence"] = ""
    if isinstance(report.get("previous"), dict):
        report["previous"].setdefault("inputs", [])
    for row in _objects(report, "evidence"):
        about = row.get("about")
        if isinstance(about, dict) and isinstance(about.get("range"), str):
            about["range"] = re.sub(r"np\.float64\(([^()]*)\)", r"\1", about["range"])
    return report


UPGRADES: dict[int, Callable[[Json], Json]] = {1: from_1}
"""Number of a format -> what makes the next one of it."""


def upgraded(report: Json) -> Json:
    """A report of any known format, converted to the current one; the argument may be changed.

    Raises Refused for an unknown number.
    """
    number = report.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or not min(UPGRADES) <= number <= FORMAT:
        raise Refused(f"format {repr(number)[:40]} found, this version of qaudit reads {min(UPGRADES)} to {FORMAT}")
    for older in range(number, FORMAT):
        report = UPGRADES[older](report)
    return report | {"format": FORMAT}


def _objects(value: Json, key: str) -> Iterator[Json]:
    """The dictionaries in the list `value[key]`; none where it is not a list."""
    listed = value.get(key)
    yield from (each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict))
