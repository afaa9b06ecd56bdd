"""Markup and bidi characters in its texts."""

from qaudit import Framework, hookimpl

ITEM = {
    "id": "one",
    "ref": "Article 1",
    "paraphrase": "{{7*7}} \u202edeined\u202c <b>",
    "evidence": "model.identity",
    "filled_by": "tool",
    "coverage": "direct",
}


@hookimpl
def qaudit_offer_frameworks():
    yield Framework(
        "marked_up",
        '"><img src=x onerror=alert(1)></title><script>1</script>',
        "source",
        "in force",
        False,
        "note",
        "2026-01-01",
        [ITEM],
    )
