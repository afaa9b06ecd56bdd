"""Its items are a number."""

from qaudit import Framework, hookimpl


@hookimpl
def qaudit_offer_frameworks():
    yield Framework("no_list", "A list", "source", "in force", False, "note", "2026-01-01", 7)
