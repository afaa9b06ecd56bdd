"""Makes the candidates of one quantizer: one for every combination of its settings."""

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
from qaudit.sandbox.plugin_measures import declared_measures


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """Answer {"summary", "settings", "claims", "measures": [...], "candidates": [...], "refused": [...]}.

    request: quantizer (name), settings {key: value or list}, bits (list or null), seed, program (packed, or null for a black box
    whose reason is `why_not`). arrays: the program's, and `calibration` (encoded rows) where there are any.
    candidates[i]: {settings, tensors, grids, formulas, noted: [{parameter, range, value}], recorded: [{measure, part, value}],
    reproducible}, arrays `c<i>.*`; refused: [{kind: declined|failed, reason, settings: [...]}]. Raises Refused in phase
    "settings" for what the author wrote, BrokenAnswer for measures that may not be declared.
    """
    record = offered(job)
    if record is None:
        return answer_frame(None, {}, "offers no quantizer for this model"), {}
    job.phase("settings")
    stated = job.request.get("settings") or {}
    values = check(record.name, record.settings, stated)
    values, rejected = apply_bits(record, values, None if "bits" in stated else job.request.get("bits"))
    empty = ", ".join(key for key, listed in values.items() if not listed)
    why = reason_not_to_quantize(record, job) or (rejected or f"setting {empty} has no values" if empty else "")
    if why:
        return answer_frame(record, values, why), {}
    job.phase("load")
    program = unpack_program(job.request["program"], job.arrays)
    context = CalibrationContext(program, rows_of(job.arrays), int(job.request["seed"]), record.name, record.measures)
    calibrations = context.calibrations()
    job.phase("quantize")
    answer, arrays = sweep(record, context, calibrations, product(values))
    answer = answer_frame(record, values) | answer
    if rejected:
        answer["refused"].append({"kind": "declined", "reason": rejected, "settings": []})
    return answer, arrays


def offered(job: Job) -> Quantizer | None:
    """The requested quantizer, or None where the plugin does not offer it for this model."""
    records = [record for record in job.offers.get("quantizer", []) if record.name == job.request["quantizer"]]
    return records[0] if records else None


def answer_frame(record: Quantizer | None, values: Mapping[str, tuple[Value, ...]], declined: str = "") -> Json:
    """The parts of the answer that do not depend on the candidates; `declined` is the reason where there are none."""
    claims = record.claims if record else None
    return {
        "summary": str(record.summary) if record else "",
        "settings": {key: list(listed) for key, listed in values.items()},
        "claims": {
            "zero_exact": bool(claims and claims.zero_exact),
            "max_kept": bool(claims and claims.max_kept),
            "deterministic": bool(claims and claims.deterministic),
        },
        "measures": declared_measures(record),
        "candidates": [],
        "refused": [{"kind": "declined", "reason": declined, "settings": []}] if declined else [],
    }


def apply_bits(
    record: Quantizer, values: dict[str, tuple[Value, ...]], bits: list[Value] | None
) -> tuple[dict[str, tuple[Value, ...]], str]:
    """The settings with the audit's list of bits in place of the default, where the quantizer has a setting `bits`.

    The second part says which of these bits the quantizer does not allow; empty where it allows all.
    """
    if bits is None or "bits" not in values:
        return values, ""
    setting = record.settings["bits"]
    allowed = tuple(dict.fromkeys(value for value in bits if is_allowed(setting, value)))
    rejected = [value for value in bits if not is_allowed(setting, value)]
    reason = f"bits {', '.join(map(str, rejected))}: not among {allowed_text(setting)}" if rejected else ""
    return {**values, "bits": allowed}, reason


def reason_not_to_quantize(record: Quantizer, job: Job) -> str:
    """Why the quantizer cannot quantize this model; empty where it can."""
    if job.request.get("program") is None:
        return f"the model cannot be lowered to named parameters: {job.request.get('why_not') or 'no reason given'}"
    if unknown := sorted(set(record.needs) - {"calibration"}):
        return f"needs {', '.join(unknown)}, which no quantizer is given"
    return NEEDS_ROWS if "calibration" in record.needs and rows_of(job.arrays) is None else ""


def rows_of(arrays: Arrays) -> Floats | None:
    """The encoded calibration rows (n, width), read-only; None where there are none."""
    rows = arrays.get("calibration")
    return None if rows is None or not len(rows) else frozen(np.asarray(rows, dtype=np.float64))


def sweep(
    record: Quantizer, context: CalibrationContext, calibrations: Mapping[str, Calibration], combinations: list[dict[str, Value]]
) -> tuple[Json, dict[str, NDArray[Any]]]:
    """Build the candidates of all combinations. One that fails or declines does not affect the others.

    Combinations that were refused with the same kind and reason share one row, so that the report prints each reason once.
    """
    candidates: list[Json] = []
    arrays: dict[str, NDArray[Any]] = {}
    refused: dict[tuple[str, str], list[dict[str, Value]]] = {}
    for settings in combinations:
        number = len(candidates)
        try:
            built = build_candidate(record, context, calibrations, settings)
            tensors, tensor_arrays = pack_tensors(built.tensors, f"c{number}")
        except Exception as error:
            refused.setdefault(reason_of(error), []).append(settings)
            continue
        arrays.update(tensor_arrays)
        candidates.append(
            {
                "settings": settings,
                "tensors": tensors,
                "grids": pack_grids(built.grids),
                "formulas": built.formulas,
                "noted": built.noted,
                "recorded": built.recorded,
                "reproducible": built.reproducible,
            }
        )
    rows = [{"kind": kind, "reason": reason, "settings": group} for (kind, reason), group in refused.items()]
    return {"candidates": candidates, "refused": rows}, arrays


def reason_of(error: Exception) -> tuple[str, str]:
    """The kind of a refusal (declined or failed) and its reason in one line of plain text."""
    if isinstance(error, Decline):
        return "declined", plain_reason(text_of(error)) or "declined without a reason"
    if isinstance(error, Broken):
        return "failed", f"broken contract: {plain_reason(str(error))}"
    return "failed", plain_reason(named(error))
