"""All checks with their id, the kinds of plugins they apply to, what they require and why it matters.

The meaning of an id never changes, because plugins name ids in their expected failures.
"""

from __future__ import annotations

from dataclasses import dataclass

PAGE = "docs/plugin-checks.md"
_ALL = ("quantizer", "explainer", "format", "framework")
_CODE = ("quantizer", "explainer", "format")
_WORK = ("quantizer", "explainer")
_QUANTIZER = ("quantizer",)
_EXPLAINER = ("explainer",)


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `why` is one line for the author whose plugin fails it."""

    id: str
    kinds: tuple[str, ...]
    title: str
    why: str

    @property
    def anchor(self) -> str:
        """The place in the documentation that describes the check."""
        return f"{PAGE}#{self.id.lower()}"


CHECKS: tuple[Check, ...] = (
    Check("A1", _ALL, "the hook yields records of its kind", "the host calls one hook and takes nothing but its records"),
    Check("A2", _ALL, "a finite number of offers", "a run lists every offer; an endless one would never begin"),
    Check("A3", _ALL, "plain name, summary and settings", "they are printed in reports and written in audit.toml"),
    Check("A4", _CODE, "imports nothing inside qaudit", "only the names of `from qaudit import ...` stay the same"),
    Check("A5", _ALL, "imports within a second and prints nothing", "each unit imports the plugin anew"),
    Check("A6", _CODE, "no network, no processes, no files written", "an audit must not leak what it sees, nor leave traces"),
    Check("A7", _CODE, "works on the toy subject", "a plugin that does nothing here cannot be checked any further"),
    Check("A8", _WORK, "records the measures that it declares", "a declared measure without a value is a promise not kept"),
    Check("B1", _QUANTIZER, "codes have the shape of the values", "codes stand for the parameter's own elements"),
    Check("B2", _QUANTIZER, "codes are integers inside their type", "a code outside its type cannot be stored in those bits"),
    Check("B3", _QUANTIZER, "scales finite and positive, every part in shape", "the dequantization formula needs all of them"),
    Check("B4", _QUANTIZER, "zero stays zero, where claimed", "pruned weights and absent inputs must stay absent"),
    Check("B5", _QUANTIZER, "error within half a step inside the range", "the report states this bound beside the claim"),
    Check(
        "B6",
        _QUANTIZER,
        "constant, zero, single, tiny and huge tensors",
        "real models hold such tensors at times",
    ),
    Check("B7", _QUANTIZER, "scales of an axis belong to their own rows", "a scale of another row is too small or too large"),
    Check("B8", _QUANTIZER, "quantizing twice changes nothing, where claimed", "a quantized model is often quantized again"),
    Check("B9", _QUANTIZER, "the largest magnitude is kept, where claimed", "no error is larger than a lost peak"),
    Check("B10", _QUANTIZER, "twice the values give twice the result, where claimed", "a change of unit changes no verdict"),
    Check("B11", _QUANTIZER, "more bits, no larger error", "the sweep over bits is read as a curve"),
    Check("B12", _QUANTIZER, "random rounding is unbiased and independent", "a bias adds up, independent errors cancel"),
    Check("C1", _WORK, "same seed, same bytes, in every process", "a sealed report must be made again byte for byte"),
    Check("C2", _WORK, "does not change its inputs", "the host and the next call read the same arrays"),
    Check("C3", _WORK, "no state left behind", "a result must not depend on what ran before"),
    Check("C4", _QUANTIZER, "memory layout makes no difference", "the same tensor may come transposed, sliced or reversed"),
    Check("C5", _WORK, "prints nothing on standard output", "it belongs to results that other programs read"),
    Check("C6", _WORK, "declines rather than return invalid results", "a wrong number in a report costs more than a missing one"),
    Check("D1", _EXPLAINER, "answers in the shape and order of the names", "a swapped column blames the wrong reason"),
    Check("D2", _EXPLAINER, "a constant model has no reasons", "a reader takes noise for a finding"),
    Check("D3", _EXPLAINER, "asks the model only, within the budget", "the cost of an explanation is counted and capped"),
    Check("D4", _EXPLAINER, "the order of columns makes no difference", "a table may list its columns in any order"),
    Check("E1", ("format",), "recognises by content and never raises", "every format is asked about every file"),
    Check("E2", ("format",), "declares its tier", "the host decides by the tier whether a file may be opened"),
    Check("E3", ("format",), "loads its own sample into a sound model", "indices and shapes are used without further question"),
    Check("E4", ("format",), "the program equals the model", "everything in the report is computed from the program"),
    Check("E5", ("format",), "refuses damaged files", "half a model must not be audited as if it were whole"),
    Check("F1", ("framework",), "the data keep the contract", "the appendix of a report is made from these fields alone"),
    Check("F2", ("framework",), "items are in the plugin's own words", "an evidence list names a source and does not copy it"),
)

BY_ID = {check.id: check for check in CHECKS}


def checks_of(kind: str) -> tuple[str, ...]:
    """The ids of the checks that concern a kind of plugin, in order."""
    return tuple(check.id for check in CHECKS if kind in check.kinds)
