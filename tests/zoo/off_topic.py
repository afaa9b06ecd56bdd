"""An item about a topic that does not exist."""

from qaudit import Framework, hookimpl

ITEM = {
    "id": "one",
    "ref": "Article 1",
    "paraphrase": "Says something.",
    "evidence": "weather",
    "filled_by": "tool",
    "coverage": "direct",
}


@hookimpl
def qaudit_offer_frameworks():
    yield Framework("off_topic", "A list", "source", "in force", False, "note", "2026-01-01", [ITEM])
