"""Decodes the answers of child processes on the host's side and checks them against the plugin contract.

Used in a normal run, and by the script that repeats one saved unit for debugging (`repro.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from qaudit.core.catalogue.measures import Measure
from qaudit.core.contract import contract_problems
from qaudit.core.decision import Ties
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
from qaudit.sandbox.plugin_measures import measures_of, values_of

MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""The exceptions that decoding can raise when a plugin has written the answer and its structure is not the expected one."""


def broken(error: Exception | str) -> str:
    """One line of plain text for a breach of the contract, or for an answer that cannot be decoded."""
    message = f"unreadable answer ({error!r})" if isinstance(error, KeyError) else str(error)
    return plain_reason(f"broken contract: {message}")


def quantized_of(packed: Mapping[str, Any], answer: Json, program: Program, arrays: Arrays) -> tuple[Quantized, str | None]:
    """One candidate of a quantizer's answer, and its breach of the contract in one line (None where there is none).

    Raises one of MALFORMED where the packed candidate cannot be decoded.
    """
    quantized = Quantized(program, unpack_tensors(packed["tensors"], arrays), unpack_grids(packed["grids"]))
    problems = contract_problems(quantized, answer["claims"], bool(packed["reproducible"]))
    return quantized, "broken contract: " + "; ".join(problems[:3]) if problems else None


@dataclass(frozen=True, slots=True, eq=False)
class ExplainerAnswer:
    """The explanations of one variant of the model.

    `runs` has one tuple of explanations per run: the run with the audit's seed, the runs with other seeds that give the noise
    baseline, and the runs over settings. `cost` has the number of rows that the model predicted in each run. `recorded` has the
    values of the explainer's own measures, by measure and feature (None: the model as a whole).
    """

    runs: tuple[tuple[Explanation, ...], ...]
    cost: tuple[int, ...]
    recorded: Mapping[tuple[str, str | None], float] = field(default_factory=dict)


def explainer_answer(outcome: Outcome, measures: Sequence[Measure] = (), features: Collection[str] = ()) -> ExplainerAnswer:
    """The unpacked answer of an explainer's unit, which declares `measures` and explains `features`. Raises one of MALFORMED."""
    runs = [
        tuple(unpack_explanation(part, outcome.arrays, f"run{number}.{place}") for place, part in enumerate(parts))
        for number, parts in enumerate(outcome.answer["runs"])
    ]
    recorded = values_of(outcome.answer.get("recorded", ()), measures, features)
    return ExplainerAnswer(tuple(runs), tuple(int(cost) for cost in outcome.answer["cost"]), recorded)


def alike(answer: ExplainerAnswer, reference: ExplainerAnswer | None) -> ExplainerAnswer:
    """The answer itself, after a check that every run has the same kinds of explanation as the reference's first run.

    Without a reference the answer's own first run is the standard. Raises ValueError where they differ: explanations of different
    kinds cannot be compared, so no drift could be computed.
    """
    wanted = [type(part) for part in (reference or answer).runs[0]]
    if any([type(part) for part in run] != wanted for run in answer.runs):
        raise ValueError("one run gave other kinds of explanation than another")
    return answer


def declared_settings(answer: Json) -> dict[str, Setting]:
    """The settings that an explainer declares, by name. Raises one of MALFORMED."""
    return {key: _setting(packed) for key, packed in answer["settings"].items()}


def _setting(packed: Json) -> Setting:
    allowed = packed["allowed"]
    if isinstance(allowed, dict):
        allowed = range(*allowed["range"])
    return Setting(tuple(packed["default"]), allowed, str(packed["help"]))


def framework_breach(name: str, answer: Json) -> str | None:
    """The breach where a framework plugin offers anything but one list under its own name; None where it does not."""
    ids = [framework["id"] for framework in answer["frameworks"]]
    if ids == [name]:
        return None
    return f"offered {', '.join(ids) or 'nothing'}; a framework plugin offers one list under its own name"


def tier_breach(answer: Json) -> str | None:
    """The breach where a format plugin declares an unknown tier; None where the tier is known."""
    tier, tiers = answer["tier"], get_args(Tier)
    return None if tier in tiers else f"tier {tier!r}: expected one of {', '.join(tiers)}"


def rows_breach(what: Literal["native", "encoded"], arrays: Arrays, rows: Mapping[str, int]) -> str | None:
    """The breach where an array is not a matrix with one row for each data row of its role; None where all are.

    `rows` gives the expected number of rows by role. Predictions ("native") are required, encoded rows are optional, since a
    black box has none.
    """
    for role, count in rows.items():
        array = arrays.get(f"{what}.{role}")
        shape = None if array is None else array.shape
        if (shape is None and what == "native") or (shape is not None and (len(shape) != 2 or shape[0] != count)):
            return f"{'predictions' if what == 'native' else 'encoded rows'} of shape {shape} for {count} {role} rows"
    return None


def decision_breach(answer: Json, arrays: Arrays, rows: int) -> str | None:
    """The breach where a format plugin's decisions are not one class index for each holdout row, or `ties` is no known word."""
    if answer["ties"] not in get_args(Ties):
        return f"ties {answer['ties']!r}: expected one of {', '.join(get_args(Ties))}"
    decided, native = arrays.get("decided.holdout"), arrays["native.holdout"]
    if decided is None:
        return None
    classes = max(2, native.shape[1])
    if decided.shape != (rows,) or decided.dtype.kind != "i":
        return f"decisions of shape {decided.shape} and type {decided.dtype}, expected ({rows},) and integers"
    if np.any(outside := (decided < 0) | (decided >= classes)):
        row = int(np.argmax(outside))
        return f"the decision in row {row + 1} is {decided[row]}, expected the index of one of {classes} classes"
    return None


def refit_of(packed_refit: Json, arrays: Arrays, rows: int) -> tuple[Program | None, Floats | None, Floats]:
    """A refitted model: its program and encoded rows (both None for a black box), and its predictions (n, k).

    Raises one of MALFORMED.
    """
    prefix = packed_refit["prefix"]
    checked_arrays = {f"{what}.asked": arrays[f"{prefix}{what}"] for what in ("native", "encoded") if f"{prefix}{what}" in arrays}
    if wrong := rows_breach("native", checked_arrays, {"asked": rows}) or rows_breach("encoded", checked_arrays, {"asked": rows}):
        raise ValueError(wrong)
    native = np.array(checked_arrays["native.asked"])
    if packed_refit["program"] is None:
        return None, None, native
    start = f"{prefix}program."
    packed = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
    return unpack_program(packed_refit["program"], packed), np.array(checked_arrays["encoded.asked"]), native


def breach(task: str, plugin: str, request: Json, request_arrays: Arrays, outcome: Outcome) -> str | None:
    """The first breach of the contract in an answer that arrived complete; None where there is none.

    Only what can be decided from this unit alone is checked. `request_arrays` are the arrays that were sent with the request.
    """
    answer = outcome.answer
    try:
        if task == "quantize" and answer["candidates"]:
            program = unpack_program(request["program"], request_arrays)
            for packed in answer["candidates"]:
                values_of(packed.get("recorded", ()), measures_of(answer), program.parameters())
            problems = (quantized_of(packed, answer, program, outcome.arrays)[1] for packed in answer["candidates"])
            return next((problem for problem in problems if problem), None)
        if task == "recognise":
            return tier_breach(answer) if answer["recognised"] else None
        if task == "inspect_model" and answer["program"] is not None:
            unpack_program(answer["program"], outcome.arrays)
        if task == "encode":
            counts = {role: unpack_table(packed, request_arrays, role).rows for role, packed in request["tables"].items()}
            wrong = rows_breach("native", outcome.arrays, counts) or rows_breach("encoded", outcome.arrays, counts)
            return wrong or decision_breach(answer, outcome.arrays, counts.get("holdout", 0))
        if task == "refit":
            rows = unpack_table(request["rows"], request_arrays, "rows").rows
            for packed in answer["refits"]:
                refit_of(packed, outcome.arrays, rows)
        if task == "frameworks":
            return framework_breach(plugin, answer)
        if task == "explain" and request.get("describe"):
            measures_of(answer)
            empty = [key for key, setting in declared_settings(answer).items() if not setting.default]
            return broken(f"setting {empty[0]!r} has no values") if empty else None
        if task == "explain":
            alike(explainer_answer(outcome), None)
    except MALFORMED as error:
        return broken(error)
    return None
