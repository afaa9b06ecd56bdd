"""A framework of contract 1 in Python. Never edited: what it says must always be read."""

from qaudit import Framework, hookimpl

qaudit_spec = 1
ITEM = {
    "id": "two",
    "ref": "Article 2",
    "paraphrase": "How much precision is lost.",
    "evidence": "quantization.precision_loss",
    "filled_by": "tool",
    "coverage": "direct",
    "legacy": None,
    "applies_if": None,
}


@hookimpl
def qaudit_offer_frameworks():
    yield Framework(
        "fossil_framework_code", "A list", "An invented source", "draft", False, "Made for a test.", "2026-01-01", [ITEM]
    )
