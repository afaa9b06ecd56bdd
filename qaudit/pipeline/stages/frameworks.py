"""The lists of the chosen frameworks, each item with where its evidence stands: here, partial or not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from qaudit.core.catalogue.measures import MEASURES, section_of
from qaudit.core.catalogue.sections import SECTIONS
from qaudit.core.evidence import Evidence, Skipped
from qaudit.core.json_values import Json
from qaudit.errors import Refused, unknown
from qaudit.sandbox.answers import framework_breach
from qaudit.sandbox.job import Outcome, PluginRef
from qaudit.sandbox.runner import Call, keep_unit

STATES = ("here", "partial", "not_here")


def frameworks(
    plugins: Sequence[PluginRef],
    selected: Sequence[str] | None,
    evidence: Sequence[Evidence],
    author: Mapping[str, str],
    run: Callable[..., Outcome],
) -> tuple[list[Json], list[Skipped]]:
    """Entries `frameworks` of report.json in sorted order, and what failed.

    `selected` are ids (None: every plugin). `author` maps evidence fields, or item ids, to the author's text. `run` is the unit
    runner. Raises Refused on an id that no plugin bears.
    """
    offered = {ref.name: ref for ref in plugins if ref.kind == "framework"}
    for name in selected or ():
        if name not in offered:
            raise Refused(unknown("framework", name, sorted(offered)))
    found: list[Json] = []
    skipped: list[Skipped] = []
    for name in sorted(offered if selected is None else set(selected)):
        outcome = run("frameworks", {}, {}, plugins=[offered[name]])
        problem = _problem(name, outcome)
        if problem is not None:
            keep_unit(Call("frameworks", {}, {}, [offered[name]]), outcome, problem)
            kind = outcome.failure is not None and outcome.failure.kind == "declined"
            skipped.append(Skipped("frameworks", name, problem, "declined" if kind else "failed"))
            continue
        found.append(_mapped(outcome.answer["frameworks"][0], evidence, author))
    return found, skipped


def author_text(item: Json, author: Mapping[str, str]) -> str | None:
    """The author's text for an item: under its own id, else that of its evidence fields; None where nothing was written."""
    if item["filled_by"] == "tool":
        return None
    if text := author.get(item["id"]):
        return text
    texts = [_field(topic, author) for topic in (item["evidence"], *item["also"])]
    return "\n\n".join(text for text in texts if text) or None


def state_of(coverage: str, rows: int) -> str:
    """`here`: direct and at least one row; `partial`: partial and at least one; else `not_here`."""
    return {"direct": "here", "partial": "partial"}.get(coverage, "not_here") if rows else "not_here"


def _field(topic: str, author: Mapping[str, str]) -> str | None:
    # audit.toml may say `purpose` for model.purpose
    return author.get(topic) or author.get(topic.rpartition(".")[2])


def _mapped(framework: Json, evidence: Sequence[Evidence], author: Mapping[str, str]) -> Json:
    items = [_item(item, evidence, author) for item in framework["items"]]
    counts = {state: sum(item["state"] == state for item in items) for state in STATES}
    return {**framework, "items": items, "counts": counts}


def _item(item: Json, evidence: Sequence[Evidence], author: Mapping[str, str]) -> Json:
    topics = {item["evidence"], *item["also"]}
    # A row that could not be assessed is visible in its table, but it is evidence of nothing; and what a plugin says of itself
    # was not measured by qaudit.
    rows = [row for row in evidence if row.topic in topics and row.value is not None and row.measure in MEASURES]
    shown = {section_of(row.measure) for row in rows} if item["coverage"] != "none" else set()
    return {
        **item,
        "state": state_of(item["coverage"], len(rows)),
        "sections": [anchor for anchor in SECTIONS if anchor in shown],
        "author": author_text(item, author),
    }


def _problem(name: str, outcome: Outcome) -> str | None:
    return outcome.failure.reason if outcome.failure is not None else framework_breach(name, outcome.answer)
