"""The lists of the chosen frameworks, each item with where its evidence stands: here, partial or not here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qaudit.core.catalogue.measures import MEASURES, section_of
from qaudit.core.catalogue.sections import SECTIONS
from qaudit.core.evidence import Evidence, Skipped
from qaudit.core.json_values import Json
from qaudit.plugin_host.hooks import Hooks

STATES = ("here", "partial", "not_here")


def frameworks(hooks: Hooks, evidence: Sequence[Evidence], author: Mapping[str, str]) -> tuple[list[Json], list[Skipped]]:
    """Entries `frameworks` of report.json in sorted order, and what failed.

    `author` maps evidence fields, or item ids, to the author's text.
    """
    answers = hooks.qaudit_offer_frameworks()
    skipped = [answer.skipped for answer in answers if answer.skipped is not None]
    lists = [answer.outcome.answer["frameworks"][0] for answer in answers if answer.skipped is None]
    return [_mapped(each, evidence, author) for each in lists], skipped


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
