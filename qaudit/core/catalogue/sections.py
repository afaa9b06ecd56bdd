"""The sections of the report, in the order of its pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

Anchor = Literal[
    "result", "rules", "precision", "importance", "surrogate", "local", "drift", "frameworks", "evidence", "signoff"
]  # fmt: skip
"""The address of a section on the page and its name in report.json."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the report.

    `stages` are the stages of an audit whose skipped parts explain why the section is empty; `empty` is said where none of them
    skipped anything. `topic` is the evidence field of measures that a plugin declares for this section; a section without one
    takes no measures of plugins.
    """

    anchor: Anchor
    title: str
    stages: tuple[str, ...] = ()
    topic: str | None = None
    empty: str = "nothing was measured for this section in this run."


_ALL = (
    Section("result", "Result"),
    Section("rules", "Rules and results", empty="no policy was given, so no limit is set."),
    Section("precision", "Precision loss", ("quantize", "evaluate"), "quantization.precision_loss"),
    Section("importance", "Feature importance", ("explain",), "explain.importance"),
    Section("surrogate", "Surrogate tree", ("explain",), "explain.surrogate_tree"),
    Section("local", "Local explanations", ("explain",), "explain.local"),
    Section("drift", "Explanation drift", ("explain", "drift"), "explain.drift"),
    Section("frameworks", "Regulatory evidence lists", ("frameworks", "framework"), empty="no framework was chosen."),
    Section("evidence", "Evidence and limits"),
    Section("signoff", "Sign-off and exceptions"),
)
SECTIONS: Mapping[str, Section] = MappingProxyType({section.anchor: section for section in _ALL})
"""Anchor -> section, in the order of the pages."""
NUMBERS: Mapping[str, int] = MappingProxyType({anchor: number for number, anchor in enumerate(SECTIONS)})
"""Anchor -> the number printed before the title. The first section has number 0, which is not printed."""

if tuple(SECTIONS) != get_args(Anchor):
    raise ImportError("catalogue of sections: the anchors of the type and of the records differ")
