"""Sections 7 to 9: evidence lists of the frameworks, what the run was made from, what was skipped, limits of the audit."""

from __future__ import annotations

from typing import Any

from qaudit.core.json_values import Json
from qaudit.rendering.numbers import NONE, capped, column, compact, one, whole
from qaudit.rendering.table import SECTIONS, EvidenceTable, Row
from qaudit.rendering.text import prose, visible

STATES = {"here": "Here", "partial": "Partial", "not_here": "Not here"}
MOST_COLUMNS, MOST_ROWS, MOST_HASHES, MOST_PACKAGES = 40, 60, 60, 120
MOST_LISTS, MOST_ITEMS, MOST_TEXTS = 12, 150, 40
TO_DO = "to be completed by the author"
LIMITS = (
    "The numbers speak of the rows that were given. Rows, groups and conditions that are not in the holdout were not tested.",
    "An explanation describes what the model does with its inputs, not what causes an outcome in the world.",
    "The surrogate tree imitates the model with the agreement that is printed beside it; it is not the model.",
    "Importance and local explanations share weight between correlated features in ways that no method settles.",
    "Whether a change is material or substantial, which law applies and what tier the model has is for the author to say.",
    "The run is the preparer's evidence. It becomes a review only when someone independent has read and signed it.",
    "Text by the author is printed as given and was not checked.",
    "Local examples name holdout rows by number. Their input values are left out unless the author asks for them.",
)


def statements(facts: EvidenceTable) -> list[Json]:
    """The author's texts, each printed once: label A1, A2, ..., the field it was given for, its paragraphs."""
    found = sorted((str(k), str(v).strip()) for k, v in (facts.report.get("author") or {}).items() if str(v).strip())[:MOST_TEXTS]
    return [
        {"label": f"A{i}", "anchor": f"author-{i}", "field": visible(key.replace(".", ": ").replace("_", " "), 60), "text": text,
         "words": " ".join(text.split()), "paragraphs": prose(text, 3000)}
        for i, (key, text) in enumerate(found, 1)
    ]  # fmt: skip


def frameworks(facts: EvidenceTable) -> list[Json]:
    """Every framework: where evidence is, in the order of its items."""
    texts = statements(facts)
    return [_framework(found, texts) for found in list(facts.report.get("frameworks") or ())[:MOST_LISTS]]


def _framework(found: Row, texts: list[Json]) -> Json:
    counts = found.get("counts") or {}
    items = [_item(item, texts) for item in list(found.get("items") or ())[:MOST_ITEMS]]
    return {
        "title": visible(found.get("title"), 160),
        "id": visible(found.get("id"), 40),
        "source": visible(found.get("source") or "", 300),
        "status": visible(found.get("status") or "", 400),
        "binding": bool(found.get("binding")),
        "note": visible(found.get("scope_note") or "", 500),
        "dated": visible(found.get("dated") or "", 24),
        "counts": {key: counts.get(key, sum(i["state"] == key for i in items)) for key in STATES},
        "items": items,
        "all": len(found.get("items") or ()),
        "left_out": capped(MOST_ITEMS, len(found.get("items") or ()), "items"),
    }


def _item(item: Row, texts: list[Json]) -> Json:
    state = item.get("state") if item.get("state") in STATES else "not_here"
    said = " ".join(str(item.get("author") or "")[:200_000].split())
    cited = [text for text in texts if said and text["words"] in said]
    anchors = [a for a in item.get("sections") or () if a in SECTIONS]
    return {
        "ref": visible(item.get("ref"), 60),
        "what": visible(item.get("paraphrase"), 400),
        "state": state,
        "word": STATES[str(state)],
        "sections": [{"anchor": a, "number": list(SECTIONS).index(a), "name": SECTIONS[a]} for a in anchors],
        "cited": cited,
        "author": "" if cited else " ".join(prose(item.get("author") or "", 600)),
        "applies": visible(item.get("applies_if") or "", 200),
        "legacy": visible(item.get("legacy") or "", 80),
    }


def evidence(facts: EvidenceTable) -> Json:
    """Data, hashes, plugins, environment, what was skipped, limits."""
    report = facts.report
    data, environment = report.get("data") or {}, report.get("environment") or {}
    packages = environment.get("packages") or {}
    columns = list(data.get("columns") or ())
    plugins, skipped = list(report.get("plugins") or ()), list(report.get("skipped") or ())
    # what failed stands first: a cap must not hide it
    skipped.sort(key=lambda row: row.get("kind") == "declined")
    return {
        "roles": [_role(name, row) for name, row in sorted((data.get("roles") or {}).items()) if row],
        "overlap": [
            {"roles": " and ".join(visible(r, 24) for r in o["roles"]), "rows": o["rows"]} for o in data.get("overlap") or ()
        ],
        "columns": [_column(c) for c in columns[:MOST_COLUMNS]],
        "columns_left": capped(MOST_COLUMNS, len(columns), "columns"),
        "target": _target(data.get("target") or ()),
        "notes": [visible(n, 300) for n in list(data.get("notes") or ())[:20]],
        "groups": [visible(g, 60) for g in list(data.get("groups") or ())[:40]],
        "hashes": _hashes(facts),
        "plugins": [_plugin(p) for p in plugins[:MOST_ROWS]],
        "plugins_left": capped(MOST_ROWS, len(plugins), "plugins"),
        "environment": [
            (key, visible(environment[key], 160)) for key in ("python", "platform", "cpu", "blas") if environment.get(key)
        ]
        + [(f"PDF: {key}", visible(text, 60)) for key, text in sorted((environment.get("pdf") or {}).items())],
        "packages": [(visible(k, 40), visible(v, 30)) for k, v in sorted(packages.items())[:MOST_PACKAGES]],
        "skipped": [_skipped(s) for s in skipped[:MOST_ROWS]],
        "skipped_left": capped(MOST_ROWS, len(skipped), "steps"),
        "limits": LIMITS,
        "rows": len(facts.evidence),
        "findings": len(report.get("findings") or ()),
    }


def _role(name: str, row: Row) -> Json:
    return {"name": name.capitalize(), "file": visible(row.get("file") or NONE, 80), "digest": row.get("digest") or NONE,
            "rows": row.get("rows"), "how": visible(row.get("how") or "", 200)}  # fmt: skip


def _column(row: Row) -> Json:
    numbers = [row.get(key) for key in ("low", "mean", "high")]
    cells = [NONE if v is None else compact(float(v)) for v in numbers]
    top = ", ".join(f"{visible(v, 24)} ({whole(n)})" for v, n in list(row.get("top") or ())[:3])
    counts = {key: NONE if row.get(key) is None else whole(row[key]) for key in ("missing", "distinct")}
    named = {
        "name": visible(row.get("name"), 60),
        "kind": visible(row.get("kind") or "", 24),
        "role": visible(row.get("role") or "", 24),
    }
    return {**named, **counts, "numbers": cells, "top": top}


def _target(rows: Any) -> list[Json]:
    found = []
    for row in list(rows)[:30]:
        if "label" in row:
            found.append(
                {"name": visible(row["label"], 40), "text": f"{whole(row['rows'])} rows, {one(row.get('share'), 'share')}"}
            )
        else:
            low, mean, high = column([row.get("low"), row.get("mean"), row.get("high")])
            found.append({"name": "Target", "text": f"{low} to {high}, mean {mean}"})
    return found


def _hashes(facts: EvidenceTable) -> list[Json]:
    report = facts.report
    subject, policy = report.get("subject") or {}, report.get("policy") or {}
    rows = [("Model file", subject.get("digest"))]
    rows += [
        (f"{n.capitalize()} rows", r.get("digest"))
        for n, r in sorted(((report.get("data") or {}).get("roles") or {}).items())
        if r
    ]
    rows += (
        [(f"Policy {visible(policy.get('name'), 40)} {visible(policy.get('version'), 20)}", policy.get("digest"))]
        if policy
        else []
    )
    rows += [(f"Plugin {visible(p.get('name'), 40)}", p.get("digest")) for p in report.get("plugins") or () if p.get("digest")]
    return [{"name": name, "lines": halves(str(digest))} for name, digest in rows[:MOST_HASHES] if digest]


def halves(digest: str) -> list[str]:
    """A digest in two lines of 32 digits, without its "sha256:"."""
    text = visible(digest.removeprefix("sha256:"), 128)
    return [text[:32], text[32:]] if len(text) > 32 else [text]


def _expected(row: Row) -> list[tuple[str, str]]:
    return sorted((row.get("expected_failures") or {}).items())[:MOST_ROWS]


def _plugin(row: Row) -> Json:
    return {
        "kind": visible(row.get("kind"), 20),
        "name": visible(row.get("name"), 40),
        "by": f"{visible(row.get('distribution') or NONE, 40)} {visible(row.get('version') or '', 20)}".strip(),
        "status": visible(row.get("status"), 20),
        "summary": visible(row.get("summary") or "", 160),
        "reason": visible(row.get("reason") or "", 300),
        "expected": [f"check {visible(k, 20)} is expected to fail: {visible(v, 200)}" for k, v in _expected(row)],
        "digest": visible(str(row.get("digest") or "").removeprefix("sha256:")[:12], 12),
    }


def _skipped(row: Row) -> Json:
    return {"stage": visible(row.get("stage"), 30), "by": visible(row.get("by"), 60), "reason": visible(row.get("reason"), 400),
            "kind": "declined" if row.get("kind") == "declined" else "failed"}  # fmt: skip
