"""Page one and the table of limits."""

from __future__ import annotations

import re
from collections.abc import Mapping

from markupsafe import Markup

from qaudit.core.assessment_text import basis_text, count_text, limit_text, observed_text
from qaudit.core.catalogue.measures import is_range, names
from qaudit.core.catalogue.sections import NUMBERS, SECTIONS
from qaudit.core.catalogue.verdicts import RANKS, VERDICTS, worst
from qaudit.core.json_values import Json
from qaudit.core.numbers import NONE, one
from qaudit.rendering.charts.rows import bullet
from qaudit.rendering.table import EvidenceTable, shown_span, signed, where_text
from qaudit.rendering.text import in_words, sentence, settings_text, visible
from qaudit.report.model import Assessment, Bound, ComparedRow, Limit, Row

UNNAMED = "no policy"
_Ranked = tuple[Assessment | None, str, Row]


def anchor(text: object) -> str:
    """The anchor of a limit on the page: letters, digits, dots and dashes stay, other characters become code points."""
    return "rule-" + re.sub(r"[^A-Za-z0-9._-]", lambda char: f"_{ord(char.group()):x}", str(text)[:80])


def rules(facts: EvidenceTable) -> list[Json]:
    """One row for each limit, in the order of the policy."""
    return [_rule(facts, each) for each in facts.report.assessments]


def _rule(facts: EvidenceTable, assessment: Assessment) -> Json:
    limit, row = assessment.limit, facts.at(assessment.evidence)
    unit = row.unit if row else ""
    number, verdict = assessment.observed, assessment.verdict
    name = visible(limit.title or facts.title(limit.measure))
    where = where_text(limit.where)
    text = limit_text(limit, unit)
    return {
        "id": visible(limit.id, 24),
        "anchor": anchor(limit.id),
        "title": name + (f", {where}" if where and not limit.title else ""),
        "observed": observed_text(row),
        "count": count_text(row),
        "basis": basis_text(limit, assessment, row),
        "sort": "" if number is None else repr(number),
        "interval": shown_span(row),
        "n": assessment.n,
        "limit": text,
        "bullet": _bullet(
            number,
            limit,
            verdict,
            f"{name}: observed {observed_text(row)}, limit {text}, {VERDICTS[verdict].title}",
            bound=assessment.bound,
        ),
        "rows": [_part(facts, limit, each) for each in assessment.rows],
        "verdict": verdict,
        "word": VERDICTS[verdict].title,
        "rank": RANKS[verdict],
        "section": assessment.section,
        "number": NUMBERS[assessment.section],
        "why": visible(limit.reason, 400),
        "note": visible(assessment.reason, 300),
    }


def _part(facts: EvidenceTable, limit: Limit, part: ComparedRow) -> Json:
    """One of several rows that a limit was compared with."""
    row = facts.at(part.evidence)
    assert row is not None
    return {
        "about": where_text(row.about) or facts.title(row.measure),
        "observed": observed_text(row),
        "count": count_text(row),
        "basis": basis_text(limit, part, row),
        "verdict": part.verdict,
        "word": VERDICTS[part.verdict].title,
        "note": visible(part.reason, 300),
    }


def _bullet(
    number: float | None, limit: Limit, verdict: str, text: str, wide: float = 96, bound: Bound | None = None
) -> Markup | None:
    if number is None:
        return None
    return bullet(number, limit.at_most, limit.at_least, verdict, text, wide, None if bound is None else bound.value)


def counts(facts: EvidenceTable) -> Json:
    """The number of limits by verdict, and of all limits."""
    verdicts: list[str] = [each.verdict for each in facts.report.assessments]
    return {"all": len(verdicts), **{verdict: verdicts.count(verdict) for verdict in VERDICTS}}


def headline(facts: EvidenceTable) -> Json:
    """The box at the top of page one: its tone, headline and explanation."""
    policy, number = facts.report.policy, counts(facts)
    if not policy:
        text = "No limit was set: every number below is a measurement with nothing to hold it against."
        return {"tone": "no_limit", "head": "No policy: no limit set", "text": text}
    name = f"policy {visible(policy.name)} {visible(policy.version, 24)}"
    parts = [
        *(_named(facts, word) for word, verdict in VERDICTS.items() if not verdict.counted),
        _rest(number),
        _permitted(facts),
    ]
    tone = worst(each.verdict for each in facts.report.assessments) or "no_limit"
    return {"tone": tone, "head": f"{_head(number)} in {name}", "text": " ".join(part for part in parts if part)}


def _head(number: Mapping[str, int]) -> str:
    """What the limits give together: those not met first; else whether all are met, which a limit that is not known prevents."""
    every = number["all"]
    outside = sum(number[word] for word, verdict in VERDICTS.items() if verdict.exceeded)
    unknown = sum(number[word] for word, verdict in VERDICTS.items() if verdict.exit_code == 2)
    if outside:
        return f"{outside} of {every} limits not met"
    return f"{unknown} of {every} limits not shown to be met" if unknown else f"All {every} limits met"


def _permitted(facts: EvidenceTable) -> str:
    outcome = facts.report.outcome
    if outcome is None or outcome.not_demonstrable == "fail":
        return ""
    return 'The author of the audit lets limits that are not demonstrable pass (not_demonstrable = "pass").'


def _named(facts: EvidenceTable, verdict: str) -> str:
    of_verdict = [rule for rule in rules(facts) if rule["verdict"] == verdict]
    if not of_verdict:
        return ""
    titles = [f"{rule['title']} ({rule['id']})" for rule in of_verdict]
    more = f" and {len(titles) - 4} more" if len(titles) > 4 else ""
    listed = ", ".join(titles[:4]) if more or len(titles) == 1 else ", ".join(titles[:-1]) + f" and {titles[-1]}"
    return f"{VERDICTS[verdict].title}: {listed}{more}."


def _rest(number: Mapping[str, int]) -> str:
    counted = [f"{number[word]} {verdict.counted}" for word, verdict in VERDICTS.items() if verdict.counted and number[word]]
    return f"{', '.join(counted)}." if counted else ""


def key_numbers(facts: EvidenceTable) -> list[Json]:
    """Five numbers: limited measures first in choice, the worst verdict ahead; then others, in the order of the catalogue."""
    chosen: dict[int, Json] = {}
    rows = [(each, facts.at(each.evidence)) for each in facts.report.assessments]
    limited_rows: list[_Ranked] = [(each, each.verdict, row) for each, row in rows if row and row.value is not None]
    seen: set[str] = set()
    limited = {row.measure for _, _, row in limited_rows}
    whole = [row for key in names("key") if key not in limited and (row := facts.whole(key, facts.judged)) is not None]
    plain: list[_Ranked] = [(None, "no_limit", row) for row in whole if row.value is not None]
    ranked = sorted([*limited_rows, *plain], key=lambda item: (item[0] is None, RANKS[item[1]], _place(item[2])))
    for assessment, verdict, row in ranked:
        if row.measure not in seen and len(chosen) < 5:
            seen.add(row.measure)
            chosen[len(chosen)] = {"place": _place(row), **_key(facts, assessment, verdict, row)}
    return sorted(chosen.values(), key=lambda item: (item["place"], item["name"]))


def _place(row: Row) -> int:
    keys = names("key")
    return keys.index(row.measure) if row.measure in keys else len(keys)


def _key(facts: EvidenceTable, assessment: Assessment | None, verdict: str, row: Row) -> Json:
    """One key figure: what was observed is large, what it bounds and the limit stand below."""
    where = where_text({key: group for key, group in row.about.items() if key == "group"})
    name = facts.title(row.measure)
    limit = assessment.limit if assessment else None
    drawn = assessment and _bullet(
        row.value, assessment.limit, verdict, f"{name}: observed {observed_text(row)}", 118, assessment.bound
    )
    interval = f"{shown_span(row)} in such rows" if row.interval and not is_range(row.measure) else ""
    return {
        "name": name + (f", {where}" if where else ""),
        "value": observed_text(row),
        "count": count_text(row),
        "basis": basis_text(assessment.limit, assessment, row) if assessment else interval,
        "verdict": verdict,
        "word": VERDICTS[verdict].title,
        "limit": limit_text(limit, row.unit) if limit else "",
        "previous": "" if row.previous is None else one(row.previous, row.unit, signed(row)),
        "bullet": drawn,
    }


def themes(facts: EvidenceTable) -> list[Json]:
    """One mark for each limit, by the section that shows it."""
    every_rule = rules(facts)
    return [
        {"anchor": anchor, "name": section.title, "rules": [rule for rule in every_rule if rule["section"] == anchor]}
        for anchor, section in SECTIONS.items()
        if any(rule["section"] == anchor for rule in every_rule)
    ]


def steps(facts: EvidenceTable) -> list[Json]:
    """At most three next steps."""
    return [
        {
            "text": sentence(step.text, 400),
            "rule": visible(step.limit or "", 24),
            "anchor": anchor(step.limit or ""),
        }
        for step in facts.report.next_steps[:3]
    ]


def previous(facts: EvidenceTable) -> Json | None:
    """What changed since the earlier report: verdicts, the number of unchanged ones, and inputs."""
    earlier = facts.report.previous
    if earlier is None:
        return None
    moved = [
        {
            "id": visible(row.limit, 24),
            "title": visible(row.title, 60),
            "before": row.before,
            "after": row.after,
            "before_word": VERDICTS[row.before].title,
            "after_word": VERDICTS[row.after].title,
        }
        for row in earlier.moved
    ]
    inputs = [visible(text, 160) for text in earlier.inputs]
    return {"id": visible(earlier.id or NONE, 60), "moved": moved, "kept": earlier.kept, "inputs": inputs}


def _judged(facts: EvidenceTable) -> Json:
    """The candidate under assessment in words: its quantizer and its settings."""
    candidate = facts.judged_candidate
    if candidate is None or not candidate.by:
        return {
            "judged_by": visible(facts.judged or "", 120),
            "judged_how": settings_text(candidate.settings) if candidate else "",
        }
    return {"judged_by": in_words(candidate.by), "judged_how": settings_text(candidate.settings)}


def identity(facts: EvidenceTable) -> Json:
    """What was audited: names, digests, rows, seed."""
    subject, holdout, policy = facts.report.subject, facts.report.data.roles.holdout, facts.report.policy
    return {
        "name": visible(subject.name) + (f"@{subject.version}" if subject.version is not None else ""),
        "digest": subject.digest,
        "parent": visible(subject.parent or "none recorded"),
        "family": visible(subject.family),
        "judged": visible(facts.judged or "", 120),
        **_judged(facts),
        "rows": holdout.rows,
        "data_digest": holdout.digest,
        "policy_digest": policy.digest if policy else "",
        "policy": f"{visible(policy.name)} {visible(policy.version, 24)}" if policy else UNNAMED,
        "policy_set": policy.set if policy else "",
        "seed": facts.report.audit.seed,
    }
