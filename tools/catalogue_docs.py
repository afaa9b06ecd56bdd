"""Write docs/measures.md from the catalogue: measures by section, verdicts, sections.

`python tools/catalogue_docs.py` rewrites the page; tests/test_docs.py fails where it differs from the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from qaudit.core.catalogue.measures import DEPENDENT, MEASURES, Measure
from qaudit.core.catalogue.sections import NUMBERS, SECTIONS
from qaudit.core.catalogue.verdicts import VERDICTS

PAGE = Path(__file__).parent.parent / "docs" / "measures.md"
HEAD = """# Measures, verdicts and sections

Everything that a report can say, as `qaudit/core/catalogue/` declares it. A limit in policy.toml may name any measure whose rows
speak of a candidate; a plugin may declare measures of its own, which are named `plugin.measure`
([write a quantizer](write-a-quantizer.md), [write an explainer](write-an-explainer.md)).
"""
UNITS = {
    "score": "the unit of what the model gives: {}",
    "values": "the unit of the two arrays that are compared: {}",
    "agreement": "how a surrogate agrees with its model: {}",
    "distance": "the unit of the explanations that are compared, or the share of rows on which they decide otherwise: {}",
}
GROUPS = {"no": "", "judged": "candidate under assessment and reference", "every": "every candidate"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def unit(measure: Measure) -> str:
    """The unit in print."""
    return f"*{measure.unit}*" if measure.unit in DEPENDENT else measure.unit


def row(measure: Measure) -> list[str]:
    """One measure."""
    better = {"high": "higher is better", "low": "lower is better", "": ""}[measure.better]
    of = f"`{measure.change_of}`" if measure.change_of else ""
    return [f"`{measure.name}`", measure.title, unit(measure), better, measure.interval, GROUPS[measure.grouped], of]


def measures() -> list[str]:
    """The measures of each section that has any."""
    lines = []
    for anchor, section in SECTIONS.items():
        own = [measure for measure in MEASURES.values() if measure.section == anchor]
        for of, title in (("candidate", section.title), ("audit", f"{section.title}: of the audit, not of a candidate")):
            rows = [row(measure) for measure in own if measure.of == of]
            if rows:
                head = ["measure", "in print", "unit", "", "interval", "by group", "change of"]
                lines += ["", f"## {title}", "", *table(head, rows)]
    return lines


def page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip(), *measures(), "", "## Units that depend on the task", ""]
    lines += [
        f"- *{name}*: {UNITS[name].format(', '.join(text or 'a plain number' for text in DEPENDENT[name]))}" for name in UNITS
    ]
    verdicts = [[f"`{word}`", each.title, each.meaning, each.shape] for word, each in VERDICTS.items()]
    lines += ["", "## Verdicts", "", "What needs attention first stands first.", ""]
    lines += table(["verdict", "in print", "meaning", "shape"], verdicts)
    sections = [[str(NUMBERS[anchor] or ""), f"`{anchor}`", each.title] for anchor, each in SECTIONS.items()]
    lines += ["", "## Sections", "", *table(["", "anchor", "title"], sections)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
