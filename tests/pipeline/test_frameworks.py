"""Framework lists mapped to evidence, through a real unit and through a fake one."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hosting import hooks_for

from qaudit import Framework
from qaudit.core.evidence import TOPICS, Evidence, measured
from qaudit.errors import Refused
from qaudit.pipeline.stages.frameworks import author_text, frameworks, state_of
from qaudit.plugin_host.discovery import PluginHost
from qaudit.sandbox.ipc import BrokenAnswer
from qaudit.sandbox.job import Call, Failure, Job, Outcome, PluginRef
from qaudit.sandbox.tasks.frameworks import work

NAMES = ("eu_ai_act_annex_iv", "sr_26_2")
REFS = [PluginRef("framework", n, f"qaudit_frameworks.{n}", "qaudit", "0.1.0", "0" * 64) for n in NAMES]
ITEM = {"id": "a-1", "ref": "A(1)", "paraphrase": "Say it.", "evidence": "hashes", "filled_by": "both", "coverage": "direct"}


def records(name: str) -> list[Framework]:
    return list(importlib.import_module(f"qaudit_frameworks.{name}").qaudit_offer_frameworks())


def ran(call: Call) -> Outcome:
    assert call.task == "frameworks"
    answer, _ = work(Job(call.request, call.arrays, {"framework": [r for ref in call.plugins for r in records(ref.name)]}))
    return Outcome(answer, {})


def row(topic: str, measure: str = "accuracy", value: float | None = 0.9) -> Evidence:
    return measured(measure, value, {"candidate": "reference"}, "evaluate", topic, n=9)


def framework(*items: object, **changes: object) -> Framework:
    given: dict[str, Any] = {"id": "f", "title": "T", "source": "S", "status": "s", "binding": False, "scope_note": "n"}
    return Framework(**{**given, "dated": "2026-11-24", "items": items, **changes})


def test_the_built_in_lists_have_every_item_and_a_date() -> None:
    sizes = {name: len(records(name)[0].items) for name in NAMES}
    assert sizes == {"eu_ai_act_annex_iv": 26, "sr_26_2": 20}
    annex = records(NAMES[0])[0]
    found = [item["coverage"] for item in annex.items]
    # three of 26 points can be measured directly: the list says so itself
    assert [found.count(c) for c in ("direct", "partial", "none")] == [3, 12, 11]
    for name in NAMES:
        (record,) = records(name)
        assert record.id == name
        assert record.dated == "2026-11-24"
        assert record.status


def test_states_follow_the_evidence() -> None:
    lists, skipped = frameworks(
        hooks_for(REFS, ran), [row("metrics.performance"), row("environment", "environment_packages")], {}
    )
    assert skipped == []
    assert [f["id"] for f in lists] == list(NAMES)
    items = {item["id"]: item for item in lists[0]["items"]}
    assert (items["aiv-2g"]["state"], items["aiv-2g"]["sections"]) == ("here", ["precision"])
    assert (items["aiv-1c"]["state"], items["aiv-1c"]["sections"]) == ("partial", ["evidence"])
    assert (items["aiv-3-input"]["state"], items["aiv-3-input"]["sections"]) == ("not_here", [])
    assert (items["aiv-1b"]["state"], items["aiv-1b"]["sections"]) == ("not_here", [])
    assert sum(lists[0]["counts"].values()) == 26
    assert items["aiv-1f"]["applies_if"] == "component of a product"


def test_without_evidence_nothing_is_here() -> None:
    lists, _ = frameworks(hooks_for(REFS, ran), [row("metrics.performance", value=None)], {})
    assert [f["counts"] for f in lists] == [{"here": 0, "partial": 0, "not_here": 26}, {"here": 0, "partial": 0, "not_here": 20}]


@pytest.mark.parametrize(
    ("coverage", "rows", "state"),
    [
        ("direct", 1, "here"),
        ("direct", 0, "not_here"),
        ("partial", 3, "partial"),
        ("partial", 0, "not_here"),
        ("none", 5, "not_here"),
    ],
)
def test_the_rule(coverage: str, rows: int, state: str) -> None:
    assert state_of(coverage, rows) == state


def test_the_authors_words_by_item_then_by_field() -> None:
    item = {**ITEM, "also": ["model.purpose", "limits"]}
    assert author_text(item, {}) is None
    assert author_text(item, {"purpose": "P", "limits": "L"}) == "P\n\nL"
    assert author_text(item, {"model.purpose": "P", "a-1": "own"}) == "own"
    assert author_text({**item, "filled_by": "tool"}, {"limits": "L"}) is None


def test_selection_by_id_and_a_typing_mistake() -> None:
    lists, _ = frameworks(hooks_for(REFS, ran, names={"framework": ["sr_26_2"]}), [], {})
    assert [f["id"] for f in lists] == ["sr_26_2"]
    with pytest.raises(Refused, match="unknown framework plugin 'sr_26_3'; did you mean 'sr_26_2'"):
        PluginHost(REFS).select("framework", ["sr_26_3"])


def test_a_plugin_that_fails_or_lies_is_a_row() -> None:
    def fails(call: Call) -> Outcome:
        if call.plugins[0].name == "sr_26_2":
            return Outcome({}, {}, Failure("raised", "import", "KeyError: 'x'", "plugin"))
        return Outcome({"frameworks": [{"id": "other", "items": []}]}, {})

    lists, skipped = frameworks(hooks_for(REFS, fails), [], {})
    assert lists == []
    assert [(s.by, s.kind) for s in skipped] == [("eu_ai_act_annex_iv", "failed"), ("sr_26_2", "failed")]
    assert "offered other" in skipped[0].reason
    assert skipped[1].reason == "KeyError: 'x'"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("text", "offered str"),
        (framework(dated="soon"), "dated is 'soon'"),
        (framework(id="Not Snake"), "not a snake_case name"),
        (framework(binding="yes"), "binding is 'yes'"),
        (framework("x"), "an item is str"),
        (framework({**ITEM, "coverage": "full"}), "coverage is 'full'; allowed: direct, partial, none"),
        (framework({**ITEM, "evidence": "vibes"}), "evidence is 'vibes'"),
        (framework({**ITEM, "also": ["vibes"]}), "also is"),
        (framework({**ITEM, "extra": 1}), "unknown keys extra"),
        (framework({**ITEM, "ref": 3}), "ref is 3, expected text"),
        (framework({**ITEM, "legacy": 3}), "legacy is 3, expected text"),
        (framework(ITEM, ITEM), "item ids used twice: a-1"),
    ],
)
def test_data_that_breaks_the_contract_is_refused(record: object, message: str) -> None:
    with pytest.raises(BrokenAnswer) as caught:
        work(Job({}, {}, {"framework": [record]}))
    assert message in str(caught.value)


def test_items_speak_of_known_topics_only() -> None:
    for name in NAMES:
        for item in records(name)[0].items:
            assert {item["evidence"], *item.get("also", ())} <= set(TOPICS)
