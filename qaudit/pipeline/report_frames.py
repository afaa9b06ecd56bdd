"""Parts of a report.json as pandas frames. Columns have the names of its keys; their types hold for empty frames as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from qaudit.core.catalogue.measures import MEASURES
from qaudit.core.evidence import ABOUT
from qaudit.core.json_values import Json

TEXT, NUMBER, COUNT, FLAG, ANY = "str", "float64", "Int64", "bool", "object"
EVIDENCE = {"measure": TEXT, "value": NUMBER, "low": NUMBER, "high": NUMBER, "unit": TEXT, "n": COUNT}
EVIDENCE |= {**dict.fromkeys(ABOUT, TEXT), "level": NUMBER, "method": TEXT}
EVIDENCE |= {"by": TEXT, "topic": TEXT, "reason": TEXT, "previous": NUMBER}
CANDIDATES = {"id": TEXT, "by": TEXT, "settings": ANY, "judged": FLAG, "explained": FLAG, "effective_bits": NUMBER}
CANDIDATES |= {"size_bytes": COUNT}
FINDINGS = {"code": TEXT, "severity": TEXT, "section": TEXT, "statement": TEXT, "evidence": ANY}
LIMITS = {"id": TEXT, "measure": TEXT, "where": ANY, "at_most": NUMBER, "at_least": NUMBER, "near": NUMBER, "verdict": TEXT}
LIMITS |= {"value": NUMBER, "low": NUMBER, "high": NUMBER, "n": COUNT, "unit": TEXT}


def evidence(report: Json) -> pd.DataFrame:
    """One row a measured number."""
    return _frame((_flat(row) for row in report["evidence"]), EVIDENCE)


def candidates(report: Json) -> pd.DataFrame:
    """One row a candidate, without formulas and tensors; each measure over all holdout rows is a column of its name."""
    measures: dict[str, dict[str, float]] = {}
    for row in report["evidence"]:
        whole = set(row["about"]) <= {"candidate", "against"} and "candidate" in row["about"]
        if whole and row["measure"] in MEASURES and row["measure"] not in CANDIDATES:
            measures.setdefault(row["about"]["candidate"], {})[row["measure"]] = row["value"]
    rows = [{**measures.get(each["id"], {}), **each, "judged": each["id"] == report["judged"]} for each in report["candidates"]]
    present = {name for row in rows for name in row}
    return _frame(rows, CANDIDATES | {name: NUMBER for name in MEASURES if name in present and name not in CANDIDATES})


def findings(report: Json) -> pd.DataFrame:
    """One row a finding; `evidence` are row numbers of the frame of evidence."""
    return _frame(({**row, "evidence": tuple(row["evidence"])} for row in report["findings"]), FINDINGS)


def limits(report: Json) -> pd.DataFrame:
    """One row a limit: its keys, those of its assessment, and value, interval, n and unit of the row that was compared.

    `limit.reason` is why the author set the limit, `reason` a remark on the comparison.
    """
    rows = []
    for each in report["assessments"]:
        compared: Mapping[str, Any] = {} if each["evidence"] is None else _flat(report["evidence"][each["evidence"]])
        own = {key: value for key, value in each.items() if key != "limit"}
        limit = {f"limit.{key}" if key in own else key: value for key, value in each["limit"].items()}
        rows.append({**{key: compared.get(key) for key in ("value", "low", "high", "n", "unit")}, **limit, **own})
    further = {key: ANY if key == "evidence" else TEXT for row in rows for key in row if key not in LIMITS}
    further = {key: ANY if any(not isinstance(row[key], str | None) for row in rows) else kind for key, kind in further.items()}
    return _frame(rows, LIMITS | further)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of evidence with the keys of `about` and of its interval beside the others."""
    rest = {key: value for key, value in row.items() if key not in ("about", "interval")}
    return {**rest, **row["about"], **(row["interval"] or {})}


def _frame(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """A frame of these columns and types; a key that a row has not got is missing there."""
    listed: Sequence[Mapping[str, Any]] = list(rows)
    return pd.DataFrame({name: pd.Series([row.get(name) for row in listed], dtype=kind) for name, kind in columns.items()})
