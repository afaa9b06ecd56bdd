"""The first page and the table of rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

from markupsafe import Markup

from qaudit.core.json_values import Json
from qaudit.rendering.charts.rows import bullet
from qaudit.rendering.numbers import NONE, one
from qaudit.rendering.table import (
    KEYS,
    ORDER,
    SECTIONS,
    VERDICTS,
    EvidenceTable,
    Row,
    judged_number,
    limit_text,
    shown,
    shown_span,
    signed,
    title,
    value,
    where_text,
    worst,
)
from qaudit.rendering.text import sentence, spoken, visible

UNNAMED = "no policy"


def anchor(text: object) -> str:
    """The address of a rule on the page: letters, digits, dots and dashes stay, all else by number."""
    return "rule-" + re.sub(r"[^A-Za-z0-9._-]", lambda found: f"_{ord(found.group()):x}", str(text)[:80])


def rules(facts: EvidenceTable) -> list[Json]:
    """A row a limit, in the policy's order."""
    return [_rule(facts, found) for found in facts.report.get("assessments") or ()]


def _rule(facts: EvidenceTable, found: Row) -> Json:
    limit, row = found["limit"], facts.at(found.get("evidence"))
    unit = (row or {}).get("unit", "")
    number = judged_number(limit, row)
    verdict = found["verdict"]
    name = visible(limit.get("title") or title(limit["measure"]))
    where = where_text(limit.get("where") or {})
    text = limit_text(limit, unit)
    return {
        "id": visible(limit["id"], 24),
        "anchor": anchor(limit["id"]),
        "title": name + (f", {where}" if where and not limit.get("title") else ""),
        "measured": one(number, unit, signed(limit)),
        "sort": "" if number is None else repr(number),
        "interval": shown_span(row),
        "n": (row or {}).get("n"),
        "limit": text,
        "end": {"lower": "lower end", "upper": "upper end"}.get(limit.get("use") or "", ""),
        "bullet": _bullet(
            number, limit, verdict, f"{name}: {one(number, unit, signed(limit))}, limit {text}, {VERDICTS[verdict][0]}"
        ),
        "verdict": verdict,
        "word": VERDICTS[verdict][0],
        "rank": ORDER.index(verdict),
        "section": found.get("section", "rules"),
        "number": list(SECTIONS).index(found["section"]) if found.get("section") in SECTIONS else 1,
        "why": visible(limit.get("reason", ""), 400),
        "note": visible(found.get("reason", ""), 300),
    }


def _bullet(number: float | None, limit: Row, verdict: str, text: str, wide: float = 96) -> Markup | None:
    if number is None:
        return None
    return bullet(number, limit.get("at_most"), limit.get("at_least"), verdict, text, wide)


def counts(facts: EvidenceTable) -> Json:
    """How many limits have each verdict, and all."""
    found = [a["verdict"] for a in facts.report.get("assessments") or ()]
    return {"all": len(found), **{verdict: found.count(verdict) for verdict in ORDER}}


def headline(facts: EvidenceTable) -> Json:
    """The band: tone, sentence, and the sentence under it."""
    policy, number = facts.report.get("policy"), counts(facts)
    if not policy:
        text = "No limit was set: every number below is a measurement with nothing to hold it against."
        return {"tone": "no_limit", "head": "No policy: no limit set", "text": text}
    name = f"policy {visible(policy['name'])} {visible(policy['version'], 24)}"
    count = f"{number['outside']} of {number['all']}" if number["outside"] else f"None of {number['all']}"
    head = f"{count} limits exceeded in {name}"
    parts = [_named(facts, "outside"), _named(facts, "undecided"), _rest(number)]
    tone = worst([a["verdict"] for a in facts.report.get("assessments") or ()]) or "no_limit"
    return {"tone": tone, "head": head, "text": " ".join(part for part in parts if part)}


def _named(facts: EvidenceTable, verdict: str) -> str:
    found = [rule for rule in rules(facts) if rule["verdict"] == verdict]
    if not found:
        return ""
    names = [f"{rule['title']} ({rule['id']})" for rule in found]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    listed = ", ".join(names[:4]) if more or len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"
    return f"{VERDICTS[verdict][0]}: {listed}{more}."


def _rest(number: Mapping[str, int]) -> str:
    words = {"near": "near the limit", "within": "within", "not_assessed": "not assessed", "no_limit": "with no limit"}
    found = [f"{number[verdict]} {word}" for verdict, word in words.items() if number[verdict]]
    return f"{', '.join(found)}." if found else ""


def key_numbers(facts: EvidenceTable) -> list[Json]:
    """Five numbers: limited measures first in choice, the worst verdict ahead; then others, in the order of KEYS."""
    chosen: dict[int, Json] = {}
    rows = [(a["limit"], a["verdict"], facts.at(a.get("evidence"))) for a in facts.report.get("assessments") or ()]
    held = [(limit, verdict, row) for limit, verdict, row in rows if row is not None and value(row) is not None]
    seen: set[str] = set()
    limited = {row["measure"] for _, _, row in held}
    whole = [row for key in KEYS if key not in limited and (row := facts.whole(key, facts.judged)) is not None]
    plain = [(None, "no_limit", row) for row in whole if value(row) is not None]
    ranked = sorted([*held, *plain], key=lambda item: (item[0] is None, ORDER.index(item[1]), _place(item[2])))
    for limit, verdict, row in ranked:
        key = str(row["measure"])
        if key not in seen and len(chosen) < 5:
            seen.add(key)
            chosen[len(chosen)] = {"place": _place(row), **_key(limit, verdict, row)}
    return sorted(chosen.values(), key=lambda item: (item["place"], item["name"]))


def _place(row: Row) -> int:
    return KEYS.index(row["measure"]) if row["measure"] in KEYS else len(KEYS)


def _key(limit: Row | None, verdict: str, row: Row) -> Json:
    unit = row.get("unit", "")
    number = value(row) if limit is None else judged_number(limit, row)
    where = where_text({k: v for k, v in (row.get("about") or {}).items() if k == "group"})
    name = title(row["measure"])
    end = {"lower": "lower end", "upper": "upper end"}.get((limit or {}).get("use") or "")
    return {
        "name": name + (f", {where}" if where else ""),
        "value": one(number, unit, signed(row)),
        "verdict": verdict,
        "word": VERDICTS[verdict][0],
        "limit": limit_text(limit, unit) if limit else "",
        "note": f"{end}; value {shown(row)}" if end else (f"{shown_span(row)}" if row.get("interval") else ""),
        "previous": _previous(row, unit),
        "bullet": _bullet(number, limit, verdict, f"{name}: {one(number, unit)}", 118) if limit else None,
    }


def _previous(row: Row, unit: str) -> str:
    before = row.get("previous")
    return "" if before is None else one(float(before), unit)


def themes(facts: EvidenceTable) -> list[Json]:
    """One icon a rule, by the section that shows it."""
    found = rules(facts)
    return [
        {"anchor": anchor, "name": name, "rules": [rule for rule in found if rule["section"] == anchor]}
        for anchor, name in SECTIONS.items()
        if any(rule["section"] == anchor for rule in found)
    ]


def steps(facts: EvidenceTable) -> list[Json]:
    """What to do next, at most three."""
    return [
        {
            "text": sentence(step["text"], 400),
            "rule": visible(step.get("limit") or "", 24),
            "anchor": anchor(step.get("limit") or ""),
        }
        for step in (facts.report.get("next_steps") or ())[:3]
    ]


def previous(facts: EvidenceTable) -> Json | None:
    """What changed since the earlier report: moved verdicts, how many kept theirs, changed inputs."""
    found = facts.report.get("previous")
    if not found:
        return None
    moved = []
    for row in found.get("moved") or ():
        before, after = row.get("before") or row.get("from"), row.get("after") or row.get("to")
        if before in VERDICTS and after in VERDICTS:
            moved.append(
                {
                    "id": visible(row.get("limit") or row.get("id") or "", 24),
                    "title": visible(row.get("title") or "", 60),
                    "before": before,
                    "after": after,
                    "before_word": VERDICTS[before][0],
                    "after_word": VERDICTS[after][0],
                }
            )
    inputs = [visible(text, 160) for text in found.get("inputs") or ()]
    return {"id": visible(found.get("id") or NONE, 60), "moved": moved, "kept": found.get("kept", 0), "inputs": inputs}


def _judged(facts: EvidenceTable) -> Json:
    """The judged candidate in words: its quantizer, and its settings."""
    row: Row = next((c for c in facts.report.get("candidates") or () if c["id"] == facts.judged), {})
    how = ", ".join(
        f"{visible(k.replace('_', ' '), 30)} {visible(v, 30)}" for k, v in sorted((row.get("settings") or {}).items())
    )
    return {"judged_by": spoken(row["by"]) if row.get("by") else visible(facts.judged or "", 120), "judged_how": how}


def identity(facts: EvidenceTable) -> Json:
    """What was audited: names, digests, rows, seed."""
    report = facts.report
    subject, data = report.get("subject") or {}, report.get("data") or {}
    holdout = (data.get("roles") or {}).get("holdout") or {}
    policy = report.get("policy") or {}
    version = subject.get("version")
    return {
        "name": visible(subject.get("name", "")) + (f"@{version}" if version is not None else ""),
        "digest": subject.get("digest") or NONE,
        "parent": visible(subject.get("parent") or "none recorded"),
        "family": visible(subject.get("family") or ""),
        "judged": visible(facts.judged or "", 120),
        **_judged(facts),
        "rows": holdout.get("rows"),
        "data_digest": holdout.get("digest") or NONE,
        "policy_digest": policy.get("digest") or "",
        "policy": f"{visible(policy['name'])} {visible(policy['version'], 24)}" if policy else UNNAMED,
        "policy_set": visible(policy.get("set") or "", 24),
        "seed": (report.get("audit") or {}).get("seed"),
        "signed": len(report.get("signoff") or ()),
    }
