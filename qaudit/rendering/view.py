"""Prepares a report for the templates. Invisible characters in names are replaced here; the templates escape all texts."""

from __future__ import annotations

from datetime import date
from typing import Any, assert_never

from babel.dates import format_date

from qaudit.core.catalogue.sections import NUMBERS, SECTIONS, Anchor, Section
from qaudit.core.catalogue.verdicts import VERDICTS, worst
from qaudit.core.json_values import Json
from qaudit.core.numbers import capped, setting
from qaudit.rendering.pages import choice, drift, explanations, page_one, precision, record, worst_slice
from qaudit.rendering.pages.further import further
from qaudit.rendering.table import EvidenceTable
from qaudit.rendering.text import look_alikes, sentence, visible
from qaudit.report.inputs import Subject
from qaudit.report.model import Finding, Report

MOST_RULES, MOST_FINDINGS, LONGEST_NAME, MOST_LISTED = 100, 60, 4_000, 40


def build(report: Report, lang: str = "en") -> Json:
    """The view model of the report."""
    with look_alikes(named(report)) as groups:
        return _build(report, lang, groups)


def named(report: Report) -> list[str]:
    """Names that appear together on the pages: features, columns, groups, classes, plugins."""
    names = [*(each.name for each in report.subject.features), *(each.name for each in report.data.columns)]
    names += [*(each.name for each in report.plugins), *report.subject.classes, *report.data.groups]
    names += [row.about["group"] for row in report.evidence if "group" in row.about]
    return sorted({name[:LONGEST_NAME] for name in names})


def _build(report: Report, lang: str, groups: list[list[str]]) -> Json:
    facts = EvidenceTable(report)
    audit, rules = report.audit, page_one.rules(facts)
    explained = explanations.sections(facts)
    content = {section.anchor: _content(section.anchor, facts, rules, explained) for section in SECTIONS.values()}
    shown: Json = {anchor: made for anchor, (made, _) in content.items() if made is not None}
    shown["statements"] = record.statements(facts)
    shown["evidence"]["alike"] = [[visible(text, 80) for text in group] for group in groups[:20]]
    kept = _kept(rules)
    anchors = {rule["anchor"] for rule in kept}
    sections = [_section(facts, section, rules, content[section.anchor][1]) for section in SECTIONS.values()]
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
        "choice": choice.choice(facts),
        "worst_slice": worst_slice.worst_slice(facts),
        "headline": page_one.headline(facts),
        "key_numbers": page_one.key_numbers(facts),
        "themes": [
            {**theme, "rules": [rule for rule in theme["rules"] if rule["anchor"] in anchors]} for theme in page_one.themes(facts)
        ],
        "steps": [{**step, "rule": step["rule"] if step["anchor"] in anchors else ""} for step in page_one.steps(facts)],
        "previous": page_one.previous(facts),
        "rules": kept,
        "parted": [rule for rule in kept if rule["rows"]],
        "rules_left": capped(len(kept), len(rules), "rules, the exceeded ones first to be kept"),
        "open_rules": [rule for rule in kept if VERDICTS[rule["verdict"]].open],
        "counts": page_one.counts(facts),
        "legend": [(word, verdict.title, verdict.meaning) for word, verdict in VERDICTS.items()],
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
    """At most MOST_RULES limits in the order of the policy; those with the worst verdicts are kept first."""
    order = sorted(range(len(rules)), key=lambda i: (rules[i]["rank"], i))[:MOST_RULES]
    return [rules[i] for i in sorted(order)]


def _day(day: str, lang: str) -> str:
    return str(format_date(date.fromisoformat(day), "d MMMM y" if lang == "en" else "long", locale=lang))


def _finding(finding: Finding) -> Json:
    return {
        "code": visible(finding.code, 24),
        "statement": sentence(finding.statement),
        "section": finding.section,
        "number": NUMBERS[finding.section],
    }


def _main(report: Report) -> list[Json]:
    """The findings for page one: those that need attention first, one for each section, at most five."""
    by_section: dict[str, Finding] = {}
    for finding in sorted(report.findings, key=_by_severity):
        by_section.setdefault(finding.section, finding)
    return [_finding(by_section[anchor]) for anchor in SECTIONS if anchor in by_section][:5]


def _by_severity(finding: Finding) -> bool:
    """A key that sorts findings that need attention before the others."""
    return finding.severity != "attention"


def _section(facts: EvidenceTable, section: Section, rules: list[Json], filled: bool) -> Json:
    anchor = section.anchor
    own = [rule for rule in rules if rule["section"] == anchor]
    pool = rules if anchor in ("result", "rules") else own
    verdict = worst(rule["verdict"] for rule in pool)
    own_findings = [each for each in facts.report.findings if each.section == anchor]
    statements = [sentence(each.statement) for each in sorted(own_findings, key=_by_severity)][:MOST_LISTED]
    attention = any(each.severity == "attention" for each in own_findings)
    counted = [
        f"{sum(r['verdict'] == word for r in own)} {each.title.lower()}"
        for word, each in VERDICTS.items()
        if any(r["verdict"] == word for r in own)
    ]
    ids = ", ".join(rule["id"] for rule in own[:MOST_LISTED])
    more = f" and {len(own) - MOST_LISTED} more" if len(own) > MOST_LISTED else ""
    text = f"Limits of this section: {', '.join(counted)}. Rules {ids}{more}." if own else ""
    more_rows = further(facts, anchor)
    return {
        "anchor": anchor,
        "number": NUMBERS[anchor] or "",
        "name": section.title,
        "verdict": verdict,
        "word": VERDICTS[verdict].title if verdict else "",
        "findings": statements,
        # limits that are met say nothing of what a finding asks a person to look at
        "band": "attention" if attention and verdict in (None, "no_limit", "within") else verdict or "no_limit",
        "rules_text": text,
        "missing": "" if filled or more_rows else _why(facts, section),
        "further": more_rows,
    }


def _content(anchor: Anchor, facts: EvidenceTable, rules: list[Json], explained: Json) -> tuple[Any, bool]:
    """What the template of a section prints (None: only what every template has), and whether that is anything."""
    match anchor:
        case "result" | "signoff":
            return None, True
        case "rules":
            return None, bool(rules)
        case "precision":
            made = precision.precision(facts)
            return made, any(made[key] for key in ("metrics", "flips", "sweep"))
        case "importance":
            return explained[anchor], bool(explained[anchor])
        case "surrogate":
            return explained[anchor], bool(explained[anchor]["trees"] or explained[anchor]["numbers"])
        case "local":
            return explained[anchor], bool(explained[anchor] or drift.reasons(facts))
        case "drift":
            made = drift.drifts(facts)
            return made, bool(made["table"] or made["reasons"])
        case "frameworks":
            return (lists := record.frameworks(facts)), bool(lists)
        case "evidence":
            return record.evidence(facts), True
        case _:
            assert_never(anchor)


def _why(facts: EvidenceTable, section: Section) -> str:
    """Why a section is empty."""
    if section.anchor == "drift" and not facts.judged:
        return "no candidate is judged, so there is nothing to compare the reference with."
    rows = [row for row in facts.report.skipped if row.stage in section.stages]
    return "; ".join(f"{visible(row.by, 60)}: {visible(row.reason, 200)}" for row in rows[:4]) or section.empty


def _cutoff(subject: Subject) -> str:
    if subject.decision:
        return visible(subject.decision, 300)
    if subject.tolerance is not None:
        return f"A prediction counts as moved where it changes by more than the declared tolerance {setting(subject.tolerance)}."
    if subject.cutoff is None:
        return ""
    # reports of earlier versions have no sentence of their own
    if subject.cutoff_source == "default":
        return f"The cut-off {setting(subject.cutoff)} is a default that nobody chose; decisions and flips depend on it."
    positive = visible(subject.positive or "", 40)
    return f"Decisions use the declared cut-off {setting(subject.cutoff)} for the class {positive}." if positive else ""
