"""report.json -> what the templates print. Every name is made visible here; the templates escape."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from babel.dates import format_date

from qaudit.core.json_values import Json
from qaudit.rendering.numbers import capped
from qaudit.rendering.pages import drift, explanations, page_one, precision, record
from qaudit.rendering.table import SECTIONS, VERDICTS, EvidenceTable, worst
from qaudit.rendering.text import look_alikes, sentence, visible

MOST_RULES, MOST_FINDINGS, LONGEST_NAME, MOST_LISTED = 100, 60, 4_000, 40
STAGE_OF = {
    "precision": ("quantize", "evaluate"),
    "importance": ("explain",),
    "surrogate": ("explain",),
    "local": ("explain",),
    "drift": ("explain", "drift"),
    "frameworks": ("frameworks", "framework"),
}


def build(report: Mapping[str, Any], lang: str = "en") -> Json:
    """The view model of the report."""
    with look_alikes(named(report)) as groups:
        return _build(report, lang, groups)


def named(report: Mapping[str, Any]) -> list[str]:
    """Names that stand side by side on the pages: features, columns, groups, classes, plugins."""
    subject, data = report.get("subject") or {}, report.get("data") or {}
    names = [row.get("name") for row in [*(subject.get("features") or ()), *(data.get("columns") or ())]]
    names += [*(subject.get("classes") or ()), *(data.get("groups") or ())]
    names += [row.get("name") for row in report.get("plugins") or ()]
    names += [row["about"]["group"] for row in report.get("evidence") or () if "group" in (row.get("about") or {})]
    return sorted({str(name)[:LONGEST_NAME] for name in names if name is not None})


def _build(report: Mapping[str, Any], lang: str, groups: list[list[str]]) -> Json:
    facts = EvidenceTable(report)
    audit, rules = report.get("audit") or {}, page_one.rules(facts)
    shown: Json = {
        "precision": precision.precision(facts),
        "importance": explanations.importance(facts),
        "surrogate": explanations.surrogate(facts),
        "local": drift.local(facts),
        "drift": drift.drifts(facts),
        "frameworks": record.frameworks(facts),
        "statements": record.statements(facts),
        "evidence": {**record.evidence(facts), "alike": [[visible(text, 80) for text in group] for group in groups[:20]]},
    }
    kept = _kept(rules)
    anchors = {rule["anchor"] for rule in kept}
    sections = [_section(facts, anchor, rules, shown) for anchor in SECTIONS]
    identity = page_one.identity(facts)
    view: Json = {
        **shown,
        "audit_id": visible(audit.get("id", ""), 60),
        "date": _day(audit.get("date"), lang),
        "date_iso": f"{audit['date']}T00:00:00Z" if audit.get("date") else "",
        "qaudit": visible(report.get("qaudit", ""), 30),
        "title": f"Model audit report {visible(audit.get('id', ''), 60)}: {identity['name']}",
        "author": visible((report.get("author") or {}).get("owner") or "qaudit", 80),
        "identity": identity,
        "headline": page_one.headline(facts),
        "key_numbers": page_one.key_numbers(facts),
        "themes": [
            {**theme, "rules": [rule for rule in theme["rules"] if rule["anchor"] in anchors]} for theme in page_one.themes(facts)
        ],
        "steps": [{**step, "rule": step["rule"] if step["anchor"] in anchors else ""} for step in page_one.steps(facts)],
        "previous": page_one.previous(facts),
        "rules": kept,
        "rules_left": capped(len(kept), len(rules), "rules, the exceeded ones first to be kept"),
        "open_rules": [rule for rule in kept if rule["verdict"] in ("outside", "undecided")],
        "counts": page_one.counts(facts),
        "legend": [(key, word, text) for key, (word, text) in VERDICTS.items()],
        "findings": _findings(report)[:MOST_FINDINGS],
        "main": _main(report),
        "findings_left": capped(MOST_FINDINGS, len(report.get("findings") or ()), "findings"),
        "candidates": len(report.get("candidates") or ()),
        "skipped_count": len(report.get("skipped") or ()),
        "classification": visible((report.get("author") or {}).get("classification") or "", 600),
        "default_cutoff": _cutoff(report.get("subject") or {}),
        "sections": sections,
        "by": {section["anchor"]: section for section in sections},
    }
    digest = f" ({identity['policy_digest'].removeprefix('sha256:')[:12]})" if identity["policy_digest"] else ""
    policy = f"policy {identity['policy']}" if report.get("policy") else identity["policy"]
    view["footer"] = f"{view['audit_id']}   {policy}{digest}"
    return view


def _kept(rules: list[Json]) -> list[Json]:
    """At most MOST_RULES, those that need attention first to be kept, in the policy's order."""
    order = sorted(range(len(rules)), key=lambda i: (rules[i]["rank"], i))[:MOST_RULES]
    return [rules[i] for i in sorted(order)]


def _day(text: object, lang: str) -> str:
    try:
        return str(format_date(date.fromisoformat(str(text)), "d MMMM y" if lang == "en" else "long", locale=lang))
    except ValueError:
        return visible(text or "", 30)


def _findings(report: Mapping[str, Any]) -> list[Json]:
    return [
        {
            "code": visible(f["code"], 24),
            "statement": sentence(f["statement"]),
            "section": f["section"],
            "number": _number(f["section"]),
        }
        for f in report.get("findings") or ()
        if f.get("section") in SECTIONS
    ]


def _main(report: Mapping[str, Any]) -> list[Json]:
    """Findings for the first page: those to attend to first, one a section, at most five."""
    found = [f for f in report.get("findings") or () if f.get("section") in SECTIONS]
    by_section: dict[str, Mapping[str, Any]] = {}
    for finding in sorted(found, key=lambda f: f.get("severity") != "attention"):
        by_section.setdefault(finding["section"], finding)
    return _findings({"findings": [by_section[anchor] for anchor in SECTIONS if anchor in by_section]})[:5]


def _number(anchor: str) -> int:
    return list(SECTIONS).index(anchor)


def _section(facts: EvidenceTable, anchor: str, rules: list[Json], shown: Json) -> Json:
    own = [rule for rule in rules if rule["section"] == anchor]
    pool = rules if anchor in ("result", "rules") else own
    verdict = worst(rule["verdict"] for rule in pool)
    found = [sentence(f["statement"]) for f in facts.report.get("findings") or () if f.get("section") == anchor][:MOST_LISTED]
    counted = [
        f"{sum(r['verdict'] == v for r in own)} {word.lower()}"
        for v, (word, _) in VERDICTS.items()
        if any(r["verdict"] == v for r in own)
    ]
    ids = ", ".join(rule["id"] for rule in own[:MOST_LISTED])
    more = f" and {len(own) - MOST_LISTED} more" if len(own) > MOST_LISTED else ""
    text = f"Limits of this section: {', '.join(counted)}. Rules {ids}{more}." if own else ""
    return {
        "anchor": anchor,
        "number": _number(anchor) or "",
        "name": SECTIONS[anchor],
        "verdict": verdict,
        "word": VERDICTS[verdict][0] if verdict else "",
        "findings": found,
        "rules_text": text,
        "missing": "" if _has(anchor, shown, rules) else _why(facts, anchor),
    }


def _has(anchor: str, shown: Json, rules: list[Json]) -> bool:
    if anchor == "rules":
        return bool(rules)
    if anchor == "precision":
        return any(shown["precision"][key] for key in ("metrics", "flips", "sweep"))
    if anchor == "surrogate":
        return bool(shown["surrogate"]["trees"] or shown["surrogate"]["numbers"])
    if anchor == "local":
        return bool(shown["local"] or shown["drift"]["reasons"])
    if anchor == "drift":
        return bool(shown["drift"]["table"] or shown["drift"]["reasons"])
    return bool(shown.get(anchor, True))


def _why(facts: EvidenceTable, anchor: str) -> str:
    if anchor == "rules":
        return "no policy was given, so no limit is set."
    stages = STAGE_OF.get(anchor, ())
    rows = [s for s in facts.report.get("skipped") or () if s["stage"] in stages]
    reasons = "; ".join(f"{visible(s['by'], 60)}: {visible(s['reason'], 200)}" for s in rows[:4])
    if anchor == "drift" and not facts.judged:
        return "no candidate is judged, so there is nothing to compare the reference with."
    if anchor == "frameworks":
        return reasons or "no framework was chosen."
    return reasons or "nothing was measured for this section in this run."


def _cutoff(subject: Mapping[str, Any]) -> str:
    if subject.get("cutoff") is None:
        return ""
    if subject.get("cutoff_source") == "default":
        return f"The cut-off {subject['cutoff']:g} is a default that nobody chose; decisions and flips depend on it."
    positive = visible(subject.get("positive") or "", 40)
    return f"Decisions use the declared cut-off {subject['cutoff']:g} for the class {positive}." if positive else ""
