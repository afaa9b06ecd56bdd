"""Make the candidates of one quantizer: every combination of its settings, every parameter that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.json_values import Json
from qaudit.core.plugin_settings import allowed_text, check, is_allowed, product
from qaudit.core.records import Decline, Quantizer, Value
from qaudit.core.tensor import Calibration, Floats
from qaudit.sandbox.calibration_context import NEEDS_ROWS, CalibrationContext, frozen
from qaudit.sandbox.candidate_builder import Broken, build_candidate
from qaudit.sandbox.ipc import named, plain_reason, text_of
from qaudit.sandbox.job import Arrays, Job
from qaudit.sandbox.pack_program import pack_grids, pack_tensors, unpack_program


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """Answer {"summary", "settings", "claims", "candidates": [...], "refused": [...]}.

    request: quantizer (name), settings {key: value or list}, bits (list or null), seed, program (packed, or null for a black box
    whose reason is `why_not`). arrays: the program's, and `calibration` (encoded rows) where there are any.
    candidates[i]: {settings, tensors, grids, formulas, noted: [{parameter, range, value}], reproducible}, arrays `c<i>.*`;
    refused: [{kind: declined|failed, reason, settings: [...]}]. Raises Refused in phase "settings" for what the author wrote.
    """
    record = offered(job)
    if record is None:
        return answered(None, {}, "offers no quantizer for this model"), {}
    job.phase("settings")
    chosen = job.request.get("settings") or {}
    values = check(record.name, record.settings, chosen)
    values, left = swept_bits(record, values, None if "bits" in chosen else job.request.get("bits"))
    empty = ", ".join(key for key, given in values.items() if not given)
    why = unfit(record, job) or (left or f"setting {empty} has no values" if empty else "")
    if why:
        return answered(record, values, why), {}
    job.phase("load")
    program = unpack_program(job.request["program"], job.arrays)
    bench = CalibrationContext(program, rows_of(job.arrays), int(job.request["seed"]), record.name)
    calibrations = bench.calibrations()
    job.phase("quantize")
    answer, arrays = swept(record, bench, calibrations, product(values))
    answer = answered(record, values) | answer
    if left:
        answer["refused"].append({"kind": "declined", "reason": left, "settings": []})
    return answer, arrays


def offered(job: Job) -> Quantizer | None:
    """The record that was asked for, or None where the plugin offers nothing here."""
    found = [record for record in job.offers.get("quantizer", []) if record.name == job.request["quantizer"]]
    return found[0] if found else None


def answered(record: Quantizer | None, values: Mapping[str, tuple[Value, ...]], declined: str = "") -> Json:
    """The parts of an answer that do not depend on the sweep."""
    claims = record.claims if record else None
    return {
        "summary": str(record.summary) if record else "",
        "settings": {key: list(given) for key, given in values.items()},
        "claims": {
            "zero_exact": bool(claims and claims.zero_exact),
            "max_kept": bool(claims and claims.max_kept),
            "deterministic": bool(claims and claims.deterministic),
        },
        "candidates": [],
        "refused": [{"kind": "declined", "reason": declined, "settings": []}] if declined else [],
    }


def swept_bits(
    record: Quantizer, values: dict[str, tuple[Value, ...]], bits: list[Value] | None
) -> tuple[dict[str, tuple[Value, ...]], str]:
    """The audit's own list of bits in place of the default, where the quantizer has such a setting; and what it does not take."""
    if bits is None or "bits" not in values:
        return values, ""
    setting = record.settings["bits"]
    taken = tuple(dict.fromkeys(value for value in bits if is_allowed(setting, value)))
    left = [value for value in bits if not is_allowed(setting, value)]
    why = f"bits {', '.join(map(str, left))}: not among {allowed_text(setting)}" if left else ""
    return {**values, "bits": taken}, why


def unfit(record: Quantizer, job: Job) -> str:
    """Why the quantizer cannot work on this subject; empty where it can."""
    if job.request.get("program") is None:
        return f"the model cannot be lowered to named parameters: {job.request.get('why_not') or 'no reason given'}"
    if unknown := sorted(set(record.needs) - {"calibration"}):
        return f"needs {', '.join(unknown)}, which no quantizer is given"
    return NEEDS_ROWS if "calibration" in record.needs and rows_of(job.arrays) is None else ""


def rows_of(arrays: Arrays) -> Floats | None:
    """Encoded calibration rows, read-only; None where there are none."""
    rows = arrays.get("calibration")
    return None if rows is None or not len(rows) else frozen(np.asarray(rows, dtype=np.float64))


def swept(
    record: Quantizer, bench: CalibrationContext, calibrations: Mapping[str, Calibration], combinations: list[dict[str, Value]]
) -> tuple[Json, dict[str, NDArray[Any]]]:
    """All combinations; one that fails or declines does not touch the others. Equal reasons share one row."""
    candidates: list[Json] = []
    arrays: dict[str, NDArray[Any]] = {}
    refused: dict[tuple[str, str], list[dict[str, Value]]] = {}
    for settings in combinations:
        number = len(candidates)
        try:
            made = build_candidate(record, bench, calibrations, settings)
            tensors, parts = pack_tensors(made.tensors, f"c{number}")
        except Exception as error:
            refused.setdefault(reason_of(error), []).append(settings)
            continue
        arrays.update(parts)
        candidates.append(
            {
                "settings": settings,
                "tensors": tensors,
                "grids": pack_grids(made.grids),
                "formulas": made.formulas,
                "noted": made.noted,
                "reproducible": made.reproducible,
            }
        )
    rows = [{"kind": kind, "reason": reason, "settings": group} for (kind, reason), group in refused.items()]
    return {"candidates": candidates, "refused": rows}, arrays


def reason_of(error: Exception) -> tuple[str, str]:
    """Kind and one plain line."""
    if isinstance(error, Decline):
        return "declined", plain_reason(text_of(error)) or "declined without a reason"
    if isinstance(error, Broken):
        return "failed", f"broken contract: {plain_reason(str(error))}"
    return "failed", plain_reason(named(error))
