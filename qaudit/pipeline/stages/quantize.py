"""The stage `quantize`: one candidate for every combination of settings of every selected quantizer; every answer is checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from qaudit.core.catalogue.measures import Unit
from qaudit.core.evidence import Evidence, Skipped, measured
from qaudit.core.json_values import Json
from qaudit.core.measures.changes import Number
from qaudit.core.measures.tensors import TensorFacts, formula_text, tensor_facts
from qaudit.core.plugin_settings import candidate_id, natural
from qaudit.core.program import Program, Quantized
from qaudit.core.records import Subject
from qaudit.core.steps import Parameter
from qaudit.core.tensor import QuantizedTensor
from qaudit.errors import Refused
from qaudit.pipeline.stages.plugin_measures import declared_entries, recorded_evidence
from qaudit.pipeline.types import Candidate, Candidates, LoadedSubject, Progress
from qaudit.plugin_host.hooks import Hooks
from qaudit.plugin_host.units import Answer, QuantizeTask
from qaudit.sandbox.answers import MALFORMED, broken, quantized_of
from qaudit.sandbox.job import Limits, Outcome, PluginRef
from qaudit.sandbox.pack_program import pack_program
from qaudit.sandbox.plugin_measures import measures_of, values_of
from qaudit.sandbox.runner import keep_unit

METHOD, BY_LAYER = "quantization.method", "quantization.per_layer"
FLOAT_BITS = 64
"""Bits of a parameter that stays in float64."""
BIAS_BITS = 32
"""Bits of an integer bias; its scale is the product of two scales that are counted already."""


@dataclass(slots=True)
class _Results:
    """The results of the stage so far."""

    candidates: list[tuple[Any, Candidate]] = field(default_factory=list)
    evidence: dict[str, list[Evidence]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    plugins: list[Json] = field(default_factory=list)
    breaches: dict[str, list[str]] = field(default_factory=dict)

    def broken(self, by: str, reason: str) -> None:
        """Record a breach of the contract that the unit itself did not detect."""
        self.skipped.append(Skipped("quantize", by, reason))
        self.breaches.setdefault(by, []).append(reason)


def quantize(
    subject: LoadedSubject,
    hooks: Hooks,
    selections: Mapping[str, Mapping[str, Any]],
    *,
    bits: Sequence[int] | None,
    seed: int,
    limits: Limits | None = None,
    progress: Progress = lambda line: None,
) -> Candidates:
    """All candidates in natural order of their ids, with per-tensor evidence, sizes and contributions.

    `selections` are the author's settings by quantizer name (a value or a list a key); `bits` stands in for the default sweep of
    every setting `bits` that the author did not give. What fails or declines is a row. Raises Refused for a wrong setting.
    """
    task = _task(subject, selections, bits, seed, limits or Limits())
    results = _Results()
    for answer in hooks.qaudit_offer_quantizers(subject=_subject(subject, task), task=task):
        name = answer.plugin.name
        _add_quantizer(subject, answer, results)
        if breaches := results.breaches.get(name):
            keep_unit(answer.call, answer.outcome, "\n".join(breaches))
        progress(f"quantize: {name}: {sum(candidate.by == name for _, candidate in results.candidates)} candidates")
    if bits and not results.candidates and any(row.reason.startswith("bits ") for row in results.skipped):
        reasons = "; ".join(f"{row.by}: {row.reason}" for row in results.skipped if row.reason.startswith("bits "))
        raise Refused(f"bits: no selected quantizer takes {', '.join(map(str, bits))} ({reasons})")
    results.candidates.sort(key=lambda pair: pair[0])
    candidates = tuple(candidate for _, candidate in results.candidates)
    reference = _reference(subject.program) if subject.program is not None and candidates else []
    evidence = [*reference, *(row for candidate in candidates for row in results.evidence[candidate.id])]
    return Candidates(candidates, tuple(evidence), tuple(results.skipped), tuple(results.plugins))


def _task(
    subject: LoadedSubject, selections: Mapping[str, Mapping[str, Any]], bits: Sequence[int] | None, seed: int, limits: Limits
) -> QuantizeTask:
    """What the units of all quantizers are given: the program, and the calibration rows where there are any."""
    program, arrays = pack_program(subject.program) if subject.program is not None else (None, {})
    rows = subject.encoded.get("calibration")
    if rows is not None and len(rows):
        arrays = {**arrays, "calibration": rows}
    return QuantizeTask(program, arrays, subject.why_not, selections, bits, seed, limits)


def _subject(subject: LoadedSubject, task: QuantizeTask) -> Subject:
    """What a quantizer may know of the subject: calibration rows count where they are encoded, since it sees no others."""
    return replace(subject.for_plugins(), calibration="calibration" in task.arrays)


def _add_quantizer(subject: LoadedSubject, answer: Answer, results: _Results) -> None:
    """Add the results of one quantizer. Its unit is foreign, so an answer of a wrong form is a failure of the plugin."""
    ref, outcome, failure = answer.plugin, answer.outcome, answer.failure
    if failure is not None and failure.kind == "refused" and failure.phase == "settings":
        raise Refused(failure.reason)
    row: Json = {
        "kind": "quantizer",
        "name": ref.name,
        "distribution": ref.distribution,
        "version": ref.version,
        "digest": ref.digest,
        "summary": "",
        "status": "ran",
        "reason": "",
        "settings": {},
    }
    results.plugins.append(row)
    start = len(results.skipped)
    if failure is not None and answer.skipped is not None:
        results.skipped.append(answer.skipped)
        row["status"] = "broken" if failure.phase in ("import", "offer") else answer.skipped.kind
        row["reason"] = failure.reason
        return
    try:
        count = _read(subject, ref, outcome, results)
        row |= {"summary": str(outcome.answer["summary"]), "settings": dict(outcome.answer["settings"])}
        row |= declared_entries(ref.name, measures_of(outcome.answer))
    except MALFORMED as error:
        results.broken(ref.name, broken(error))
        count = 0
    reasons = results.skipped[start:]
    if not count:
        row["status"] = "failed" if any(row_of_reason.kind == "failed" for row_of_reason in reasons) else "declined"
    row["reason"] = "; ".join(row_of_reason.reason for row_of_reason in reasons)


def _read(subject: LoadedSubject, ref: PluginRef, outcome: Outcome, results: _Results) -> int:
    """The candidates of an answer, checked; returns how many there are. Raises what malformed answers raise."""
    answer, count = outcome.answer, 0
    breaches: dict[str, list[Mapping[str, Any]]] = {}
    own, parameters = measures_of(answer), subject.program.parameters() if subject.program is not None else {}
    recorded = [values_of(entry.get("recorded", ()), own, parameters) for entry in answer["candidates"]]
    for entry, values in zip(answer["candidates"], recorded, strict=True):
        assert subject.program is not None  # without one no unit is asked for candidates
        quantized, wrong = quantized_of(entry, answer, subject.program, outcome.arrays)
        if wrong:
            breaches.setdefault(wrong, []).append(entry["settings"])
            continue
        candidate, rows = _candidate(ref, entry, quantized)
        rows += recorded_evidence(ref.name, own, values, {"candidate": candidate.id}, "parameter")
        if subject.encoded.get("calibration") is not None:
            rows += _contributions(candidate.id, ref.name, entry["noted"], len(subject.encoded["calibration"]))
        results.candidates.append(((ref.name, natural(entry["settings"])), candidate))
        results.evidence[candidate.id] = rows
        count += 1
    for reason, settings in breaches.items():
        results.broken(ref.name, _of(ref.name, reason, settings))
    for refused in answer["refused"]:
        kind: Literal["declined", "failed"] = "declined" if refused["kind"] == "declined" else "failed"
        results.skipped.append(Skipped("quantize", ref.name, _of(ref.name, str(refused["reason"]), refused["settings"]), kind))
    return count


def _of(name: str, reason: str, settings: Sequence[Mapping[str, Any]]) -> str:
    """A reason with the candidates that it concerns: a single one by its id, several by their number and the first id."""
    if not settings:
        return reason
    first = candidate_id(name, settings[0])
    return f"{reason} ({first})" if len(settings) == 1 else f"{reason} ({len(settings)} candidates, the first is {first})"


def _candidate(ref: PluginRef, entry: Mapping[str, Any], quantized: Quantized) -> tuple[Candidate, list[Evidence]]:
    """A checked candidate: its row of the report and its evidence."""
    name = candidate_id(ref.name, entry["settings"])
    known = quantized.program.parameters()
    facts = {p: tensor_facts(known[p].values, tensor) for p, tensor in quantized.tensors.items()}
    effective, size = sizes(quantized)
    row: Json = {
        "id": name,
        "by": ref.name,
        "settings": dict(entry["settings"]),
        "formulas": {str(key): str(text) for key, text in entry["formulas"].items()} | _dequantization_formulas(quantized),
        "effective_bits": effective,
        "size_bytes": size,
        "explained": False,
        "tensors": [_tensor_row(known[p], quantized.tensors[p], facts[p]) for p in quantized.tensors],
    }
    evidence = [
        *_size_rows(name, ref.name, effective, size, _elements(quantized)),
        *(line for p in quantized.tensors for line in _tensor_evidence(name, ref.name, p, facts[p])),
    ]
    return Candidate(name, ref.name, dict(entry["settings"]), quantized, row), evidence


def _dequantization_formulas(quantized: Quantized) -> dict[str, str]:
    """The dequantization formulas by role; equal ones appear once."""
    known = quantized.program.parameters()
    texts = {
        role: sorted({formula_text(t) for p, t in quantized.tensors.items() if known[p].role == role}) for role in _roles(known)
    }
    formulas = {f"dequantization of {role}": " or ".join(lines) for role, lines in texts.items() if lines}
    if quantized.grids:
        formulas["dequantization of input"] = "values = (codes - zero_point) * scale"
    return formulas


def _roles(known: Mapping[str, Parameter]) -> list[str]:
    return list(dict.fromkeys(parameter.role for parameter in known.values()))


def _tensor_row(parameter: Parameter, tensor: QuantizedTensor, facts: TensorFacts) -> Json:
    return {
        "parameter": parameter.name,
        "role": parameter.role,
        "bits": tensor.qtype.bits,
        "shape": list(parameter.values.shape),
        "sqnr_db": facts.sqnr_db.value,
        "max_abs_error": facts.max_abs_error.value,
        "saturated": facts.saturated,
        "zeros": facts.zeros,
        "distinct": facts.distinct,
    }


def _tensor_evidence(name: str, by: str, parameter: str, facts: TensorFacts) -> list[Evidence]:
    about = {"candidate": name, "parameter": parameter}

    def row(measure: str, number: Number, unit: Unit | None = None) -> Evidence:
        return measured(measure, number.value, about, by, BY_LAYER, unit=unit, n=number.n, reason=number.reason)

    return [row("sqnr_db", facts.sqnr_db), row("max_abs_error", facts.max_abs_error, "parameter")]


def sizes(quantized: Quantized) -> tuple[float | None, int]:
    """Effective bits an element of the quantized weights, thresholds and leaves (None where there are none), and bytes of all.

    Scales, zero points, masks and tables count in both. Biases count in the bytes alone, 32 bits an element where they are
    integers: the bits of candidates that treat them differently stay comparable. So do input grids, 32 bits and one code each. A
    parameter that is not quantized takes 64 bits an element. The structure of trees is the same in all and does not count.
    """
    known = quantized.program.parameters()
    bits = {name: tensor.size_bits for name, tensor in quantized.tensors.items() if known[name].role != "bias"}
    elements = sum(known[name].values.size for name in bits)
    whole = sum(bits.values()) + sum(32 + grid.qtype.bits for grid in quantized.grids.values())
    for name, parameter in known.items():
        if name not in bits:
            whole += (BIAS_BITS if name in quantized.tensors else FLOAT_BITS) * parameter.values.size
    return (sum(bits.values()) / elements if elements else None), -(-whole // 8)


def _elements(quantized: Quantized) -> int:
    known = quantized.program.parameters()
    return sum(tensor.codes.size for name, tensor in quantized.tensors.items() if known[name].role != "bias")


def _size_rows(name: str, by: str, effective: float | None, size: int, elements: int) -> list[Evidence]:
    reason = None if effective is not None else "no parameter is quantized"
    about = {"candidate": name}
    return [
        measured("effective_bits", effective, about, by, METHOD, n=elements, reason=reason),
        measured("size_bytes", float(size), about, by, METHOD),
    ]


def _reference(program: Program) -> list[Evidence]:
    """The size of the reference, beside which the candidates are shown."""
    elements = sum(parameter.values.size for parameter in program.parameters().values() if parameter.role != "bias")
    return _size_rows("reference", "quantize", float(FLOAT_BITS), sizes(Quantized(program, {}))[1], elements)


def _contributions(name: str, by: str, noted: Sequence[Mapping[str, Any]], rows: int) -> list[Evidence]:
    """Labelled calls of `effect`, measured by the host on calibration rows."""
    return [
        measured(
            "contribution",
            float(line["value"]) if math.isfinite(line["value"]) else None,
            {"candidate": name, "parameter": str(line["parameter"]), "range": str(line["range"])},
            by,
            BY_LAYER,
            n=rows,
            reason=None if math.isfinite(line["value"]) else "the change is not finite",
        )
        for line in noted
    ]
