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

FORMAT = 3
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


def from_2(report: Json) -> Json:
    """Convert to format 3, where an assessment holds what was observed apart from the end of the interval that decided.

    A report of format 2 calls an interval that holds the limit "undecided". Its other verdicts are left as they were given:
    with `use = "upper"` or "lower" one end alone decided, so that "outside" may mean no more than too few rows.
    """
    rows = report.get("evidence")
    for each in _objects(report, "assessments"):
        number, limit = each.get("evidence"), each.get("limit")
        if each.get("verdict") == "undecided":
            each["verdict"] = "not_demonstrable"
        if isinstance(rows, list) and isinstance(number, int) and 0 <= number < len(rows) and isinstance(rows[number], dict):
            row = rows[number]
            each.update(observed=row.get("value"), n=row.get("n"))
            if isinstance(limit, dict):
                each["bound"] = _deciding_end(limit, row.get("interval"), each.get("verdict"))
    if isinstance(report.get("previous"), dict):
        for each in _objects(report["previous"], "moved"):
            for side in ("before", "after"):
                if each.get(side) == "undecided":
                    each[side] = "not_demonstrable"
    return report


def _deciding_end(limit: Json, interval: Any, verdict: Any) -> Json | None:
    """The end of an interval that format 2 compared with a limit; None where it compared the value."""
    use = limit.get("use")
    if use == "value" or not isinstance(interval, dict):
        return None
    upper = use == "upper" or (use is None and (limit.get("at_most") is not None) != (verdict == "outside"))
    end = "upper" if upper else "lower"
    kept = {key: interval.get(key) for key in ("level", "method")}
    return {"value": interval.get("high" if upper else "low"), "end": end, **kept}


UPGRADES: dict[int, Callable[[Json], Json]] = {1: from_1, 2: from_2}
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
