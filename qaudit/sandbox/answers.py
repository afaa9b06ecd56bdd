"""Answers decoded and held to the contract, on the host's side of the border: in a run, and where a kept unit runs again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from qaudit.core.contract import contract_problems
from qaudit.core.explanation import Explanation
from qaudit.core.json_values import Json
from qaudit.core.program import Program, Quantized
from qaudit.core.records import Setting, Tier
from qaudit.core.tensor import Floats
from qaudit.sandbox.ipc import plain_reason
from qaudit.sandbox.job import Arrays, Outcome
from qaudit.sandbox.pack_explanation import unpack_explanation
from qaudit.sandbox.pack_program import unpack_grids, unpack_program, unpack_tensors
from qaudit.sandbox.pack_table import unpack_table

MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What decoding an answer raises that foreign code wrote into its shape."""


def broken(error: Exception | str) -> str:
    """One plain line for a breach, or for an answer that cannot be decoded."""
    said = f"unreadable answer ({error!r})" if isinstance(error, KeyError) else str(error)
    return plain_reason(f"broken contract: {said}")


def quantized_of(told: Mapping[str, Any], answer: Json, program: Program, arrays: Arrays) -> tuple[Quantized, str | None]:
    """One candidate of a quantizer's answer, and its breach in one line. Raises MALFORMED."""
    quantized = Quantized(program, unpack_tensors(told["tensors"], arrays), unpack_grids(told["grids"]))
    wrong = contract_problems(quantized, answer["claims"], bool(told["reproducible"]))
    return quantized, "broken contract: " + "; ".join(wrong[:3]) if wrong else None


@dataclass(frozen=True, slots=True, eq=False)
class ExplainerAnswer:
    """What an explainer said of one variant: a tuple of explanations a run (seed, floor seeds, sweep), and model rows a run."""

    runs: tuple[tuple[Explanation, ...], ...]
    cost: tuple[int, ...]


def explainer_answer(outcome: Outcome) -> ExplainerAnswer:
    """What an explainer's unit answered, unpacked. Raises MALFORMED."""
    runs = [
        tuple(unpack_explanation(part, outcome.arrays, f"run{number}.{place}") for place, part in enumerate(parts))
        for number, parts in enumerate(outcome.answer["runs"])
    ]
    return ExplainerAnswer(tuple(runs), tuple(int(cost) for cost in outcome.answer["cost"]))


def alike(answer: ExplainerAnswer, reference: ExplainerAnswer | None) -> ExplainerAnswer:
    """The answer, once each of its runs holds the same kinds of explanation, and those of the reference. Raises ValueError."""
    wanted = [type(part) for part in (reference or answer).runs[0]]
    if any([type(part) for part in run] != wanted for run in answer.runs):
        raise ValueError("one run gave other kinds of explanation than another")
    return answer


def declared_settings(answer: Json) -> dict[str, Setting]:
    """The settings that an explainer says it has. Raises MALFORMED."""
    return {key: _setting(given) for key, given in answer["settings"].items()}


def _setting(given: Json) -> Setting:
    allowed = given["allowed"]
    if isinstance(allowed, dict):
        allowed = range(*allowed["range"])
    return Setting(tuple(given["default"]), allowed, str(given["help"]))


def framework_breach(name: str, answer: Json) -> str | None:
    """Where a framework plugin offers anything but one list under its own name."""
    ids = [framework["id"] for framework in answer["frameworks"]]
    if ids == [name]:
        return None
    return f"offered {', '.join(ids) or 'nothing'}; a framework plugin offers one list under its own name"


def tier_breach(answer: Json) -> str | None:
    """Where a format plugin says of its files what is no tier."""
    tier, tiers = answer["tier"], get_args(Tier)
    return None if tier in tiers else f"tier {tier!r}: expected one of {', '.join(tiers)}"


def rows_breach(what: Literal["native", "encoded"], arrays: Arrays, rows: Mapping[str, int]) -> str | None:
    """Predictions, or encoded rows where there are any, that are no table with a row for each of the role's `rows`."""
    for role, count in rows.items():
        given = arrays.get(f"{what}.{role}")
        shape = None if given is None else given.shape
        if (shape is None and what == "native") or (shape is not None and (len(shape) != 2 or shape[0] != count)):
            return f"{'predictions' if what == 'native' else 'encoded rows'} of shape {shape} for {count} {role} rows"
    return None


def refit_of(told: Json, arrays: Arrays, rows: int) -> tuple[Program | None, Floats | None, Floats]:
    """A model trained again: program and encoded rows (None for a black box), and predictions (n, k). Raises MALFORMED."""
    prefix = told["prefix"]
    given = {f"{what}.asked": arrays[f"{prefix}{what}"] for what in ("native", "encoded") if f"{prefix}{what}" in arrays}
    if wrong := rows_breach("native", given, {"asked": rows}) or rows_breach("encoded", given, {"asked": rows}):
        raise ValueError(wrong)
    native = np.array(given["native.asked"])
    if told["program"] is None:
        return None, None, native
    head = f"{prefix}program."
    packed = {name.removeprefix(head): array for name, array in arrays.items() if name.startswith(head)}
    return unpack_program(told["program"], packed), np.array(given["encoded.asked"]), native


def breach(task: str, plugin: str, request: Json, given: Arrays, outcome: Outcome) -> str | None:
    """What the host finds wrong in an answer that came back whole, as far as it follows from this unit alone; None for nothing.

    `given` are the arrays of the request.
    """
    answer = outcome.answer
    try:
        if task == "quantize" and answer["candidates"]:
            program = unpack_program(request["program"], given)
            found = (quantized_of(each, answer, program, outcome.arrays)[1] for each in answer["candidates"])
            return next((line for line in found if line), None)
        if task == "recognise":
            return tier_breach(answer) if answer["recognised"] else None
        if task == "inspect_model" and answer["program"] is not None:
            unpack_program(answer["program"], outcome.arrays)
        if task == "encode":
            counts = {role: unpack_table(packed, given, role).rows for role, packed in request["tables"].items()}
            return rows_breach("native", outcome.arrays, counts) or rows_breach("encoded", outcome.arrays, counts)
        if task == "refit":
            rows = unpack_table(request["rows"], given, "rows").rows
            for each in answer["refits"]:
                refit_of(each, outcome.arrays, rows)
        if task == "frameworks":
            return framework_breach(plugin, answer)
        if task == "explain" and request.get("describe"):
            empty = [key for key, setting in declared_settings(answer).items() if not setting.default]
            return broken(f"setting {empty[0]!r} has no values") if empty else None
        if task == "explain":
            alike(explainer_answer(outcome), None)
    except MALFORMED as error:
        return broken(error)
    return None
