"""A report -> what the templates print. Every name is made visible here; the templates escape."""

from __future__ import annotations

from datetime import date

from babel.dates import format_date

from qaudit.core.json_values import Json
from qaudit.rendering.numbers import capped
from qaudit.rendering.pages import drift, explanations, page_one, precision, record
from qaudit.rendering.table import SECTIONS, VERDICTS, EvidenceTable, worst
from qaudit.rendering.text import look_alikes, sentence, visible
from qaudit.report.inputs import Subject
from qaudit.report.model import Finding, Report

MOST_RULES, MOST_FINDINGS, LONGEST_NAME, MOST_LISTED = 100, 60, 4_000, 40
STAGE_OF = {
    "precision": ("quantize", "evaluate"),
    "importance": ("explain",),
    "surrogate": ("explain",),
    "local": ("explain",),
    "drift": ("explain", "drift"),
    "frameworks": ("frameworks", "framework"),
}


def build(report: Report, lang: str = "en") -> Json:
    """The view model of the report."""
    with look_alikes(named(report)) as groups:
        return _build(report, lang, groups)


def named(report: Report) -> list[str]:
    """Names that stand side by side on the pages: features, columns, groups, classes, plugins."""
    names = [*(each.name for each in report.subject.features), *(each.name for each in report.data.columns)]
    names += [*(each.name for each in report.plugins), *report.subject.classes, *report.data.groups]
    names += [row.about["group"] for row in report.evidence if "group" in row.about]
    return sorted({name[:LONGEST_NAME] for name in names})


def _build(report: Report, lang: str, groups: list[list[str]]) -> Json:
    facts = EvidenceTable(report)
    audit, rules = report.audit, page_one.rules(facts)
    shown: Json = {
        "precision": precision.precision(facts),
        **explanations.sections(facts),
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
        "audit_id": visible(audit.id, 60),
        "date": _day(audit.date, lang),
        "date_iso": f"{audit.date}T00:00:00Z",
        "qaudit": visible(report.qaudit, 30),
        "title": f"Model audit report {visible(audit.id, 60)}: {identity['name']}",
        "author": visible(report.author.get("owner") or "qaudit", 80),
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
        "findings": [_finding(each) for each in report.findings[:MOST_FINDINGS]],
        "main": _main(report),
        "findings_left": capped(MOST_FINDINGS, len(report.findings), "findings"),
        "candidates": len(report.candidates),
        "skipped_count": len(report.skipped),
        "classification": visible(report.author.get("classification") or "", 600),
        "default_cutoff": _cutoff(report.subject),
        "sections": sections,
        "by": {section["anchor"]: section for section in sections},
    }
    digest = f" ({identity['policy_digest'].removeprefix('sha256:')[:12]})" if identity["policy_digest"] else ""
    policy = f"policy {identity['policy']}" if report.policy else identity["policy"]
    view["footer"] = f"{view['audit_id']}   {policy}{digest}"
    return view


def _kept(rules: list[Json]) -> list[Json]:
    """At most MOST_RULES, those that need attention first to be kept, in the policy's order."""
    order = sorted(range(len(rules)), key=lambda i: (rules[i]["rank"], i))[:MOST_RULES]
    return [rules[i] for i in sorted(order)]


def _day(day: str, lang: str) -> str:
    return str(format_date(date.fromisoformat(day), "d MMMM y" if lang == "en" else "long", locale=lang))


def _finding(finding: Finding) -> Json:
    return {
        "code": visible(finding.code, 24),
        "statement": sentence(finding.statement),
        "section": finding.section,
        "number": _number(finding.section),
    }


def _main(report: Report) -> list[Json]:
    """Findings for the first page: those to attend to first, one a section, at most five."""
    by_section: dict[str, Finding] = {}
    for finding in sorted(report.findings, key=lambda each: each.severity != "attention"):
        by_section.setdefault(finding.section, finding)
    return [_finding(by_section[anchor]) for anchor in SECTIONS if anchor in by_section][:5]


def _number(anchor: str) -> int:
    return list(SECTIONS).index(anchor)


def _section(facts: EvidenceTable, anchor: str, rules: list[Json], shown: Json) -> Json:
    own = [rule for rule in rules if rule["section"] == anchor]
    pool = rules if anchor in ("result", "rules") else own
    verdict = worst(rule["verdict"] for rule in pool)
    statements = [sentence(each.statement) for each in facts.report.findings if each.section == anchor][:MOST_LISTED]
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
        "findings": statements,
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
    rows = [row for row in facts.report.skipped if row.stage in stages]
    reasons = "; ".join(f"{visible(row.by, 60)}: {visible(row.reason, 200)}" for row in rows[:4])
    if anchor == "drift" and not facts.judged:
        return "no candidate is judged, so there is nothing to compare the reference with."
    if anchor == "frameworks":
        return reasons or "no framework was chosen."
    return reasons or "nothing was measured for this section in this run."


def _cutoff(subject: Subject) -> str:
    if subject.decision:
        return visible(subject.decision, 300)
    if subject.cutoff is None:
        return ""
    # reports of earlier versions have no sentence of their own
    if subject.cutoff_source == "default":
        return f"The cut-off {subject.cutoff:g} is a default that nobody chose; decisions and flips depend on it."
    positive = visible(subject.positive or "", 40)
    return f"Decisions use the declared cut-off {subject.cutoff:g} for the class {positive}." if positive else ""
