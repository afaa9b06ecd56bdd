"""The built-in framework lists through the host's own door and a real unit."""

from __future__ import annotations

import re

from qaudit.core.evidence import Evidence
from qaudit.pipeline.stages.frameworks import frameworks
from qaudit.plugin_host.discovery import PluginHost
from qaudit.plugin_host.hooks import Hooks, open_hooks

OWN = ("title", "source", "status", "scope_note")
NEVER = re.compile(
    r"\b(compliant|conforms to the AI Act|certified|approved by|meets Annex IV|satisfies SR 26-2|bias-free|"
    r"free of risk|audit opinion|safe|guaranteed)\b",
    re.IGNORECASE,
)


def hooks(*names: str) -> Hooks:
    """The hooks of an audit that lists these frameworks, or all."""
    host = PluginHost.discover()
    return open_hooks(host, {"framework": host.select("framework", names or None)})


def test_both_lists_come_through_their_door() -> None:
    row = Evidence("accuracy", 0.9, "share", None, 9, {"candidate": "reference"}, "evaluate", "metrics.performance")
    lists, skipped = frameworks(hooks(), [row], {"purpose": "Second look at mortgage denials."})
    assert skipped == []
    assert {"eu_ai_act_annex_iv", "sr_26_2"} <= {one["id"] for one in lists}
    annex = next(one for one in lists if one["id"] == "eu_ai_act_annex_iv")
    texts = {item["id"]: item["author"] for item in annex["items"]}
    assert texts["aiv-1a"] == "Second look at mortgage denials."
    assert texts["aiv-2h"] is None
    assert annex["counts"]["here"] == 2
    assert annex["binding"] is True


def test_the_wording_rules_hold_in_the_lists() -> None:
    lists, _ = frameworks(hooks(), [], {})
    for one in lists:
        for text in [one[key] for key in OWN] + [item["paraphrase"] for item in one["items"]]:
            assert not NEVER.search(text), text


def test_status_and_date_are_said() -> None:
    lists, _ = frameworks(hooks("eu_ai_act_annex_iv"), [], {})
    assert "2 Dec 2027" in lists[0]["status"]
    assert lists[0]["dated"] == "2026-11-24"
    assert lists[0]["scope_note"].startswith("Only providers of high-risk AI systems.")
