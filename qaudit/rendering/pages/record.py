"""Sections 7 to 9: evidence lists of frameworks, the inputs of the run, skipped parts, and limitations of the audit."""

from __future__ import annotations

from qaudit.core.catalogue.sections import NUMBERS, SECTIONS
from qaudit.core.json_values import Json
from qaudit.core.numbers import NONE, capped, column, compact, one, whole
from qaudit.rendering.table import EvidenceTable
from qaudit.rendering.text import prose, visible
from qaudit.report.inputs import ClassShare, Column, Plugin, Role, TargetRange
from qaudit.report.model import Framework, Item, Skipped

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
    """The author's texts, each printed once, with a label (A1, A2, ...), the field to which it belongs, and its paragraphs."""
    texts = sorted((key, text.strip()) for key, text in facts.report.author.items() if text.strip())[:MOST_TEXTS]
    return [
        {"label": f"A{i}", "anchor": f"author-{i}", "field": visible(key.replace(".", ": ").replace("_", " "), 60), "text": text,
         "words": " ".join(text.split()), "paragraphs": prose(text, 3000)}
        for i, (key, text) in enumerate(texts, 1)
    ]  # fmt: skip


def frameworks(facts: EvidenceTable) -> list[Json]:
    """For every framework the state of its items, in their order."""
    texts = statements(facts)
    return [_framework(each, texts) for each in facts.report.frameworks[:MOST_LISTS]]


def _framework(framework: Framework, texts: list[Json]) -> Json:
    return {
        "title": visible(framework.title, 160),
        "id": visible(framework.id, 40),
        "source": visible(framework.source, 300),
        "status": visible(framework.status, 400),
        "binding": framework.binding,
        "note": visible(framework.scope_note, 500),
        "dated": framework.dated,
        "counts": {"here": framework.counts.here, "partial": framework.counts.partial, "not_here": framework.counts.not_here},
        "items": [_item(item, texts) for item in framework.items[:MOST_ITEMS]],
        "all": len(framework.items),
        "left_out": capped(MOST_ITEMS, len(framework.items), "items"),
    }


def _item(item: Item, texts: list[Json]) -> Json:
    written = " ".join((item.author or "")[:200_000].split())
    cited = [text for text in texts if written and text["words"] in written]
    return {
        "ref": visible(item.ref, 60),
        "what": visible(item.paraphrase, 400),
        "state": item.state,
        "word": STATES[item.state],
        "sections": [{"anchor": a, "number": NUMBERS[a], "name": SECTIONS[a].title} for a in item.sections],
        "cited": cited,
        "author": "" if cited else " ".join(prose(item.author or "", 600)),
        "applies": visible(item.applies_if or "", 200),
        "legacy": visible(item.legacy or "", 80),
    }


def evidence(facts: EvidenceTable) -> Json:
    """Data, digests, plugins, environment, skipped parts, and limitations."""
    report = facts.report
    data, environment, plugins = report.data, report.environment, report.plugins
    # failures come first, so that they are not among the rows that a long table leaves out
    skipped = sorted(report.skipped, key=lambda row: row.kind == "declined")
    where = (
        ("python", environment.python),
        ("platform", environment.platform),
        ("cpu", environment.cpu),
        ("blas", environment.blas),
    )
    return {
        "roles": [_role(name, role) for name, role in data.roles.named()],
        "overlap": [{"roles": " and ".join(visible(name, 24) for name in o.roles), "rows": o.rows} for o in data.overlap],
        "columns": [_column(each) for each in data.columns[:MOST_COLUMNS]],
        "columns_left": capped(MOST_COLUMNS, len(data.columns), "columns"),
        "target": [_target(each) for each in data.target[:30]],
        "notes": [visible(note, 300) for note in data.notes[:20]],
        "groups": [visible(group, 60) for group in data.groups[:40]],
        "cluster": "" if data.cluster is None else visible(data.cluster, 60),
        "clusters": data.clusters,
        "hashes": _hashes(facts),
        "plugins": [_plugin(p) for p in plugins[:MOST_ROWS]],
        "plugins_left": capped(MOST_ROWS, len(plugins), "plugins"),
        "environment": [(key, visible(text, 160)) for key, text in where if text]
        + [(f"PDF: {key}", visible(text, 60)) for key, text in sorted(environment.pdf.items())],
        "packages": [(visible(k, 40), visible(v, 30)) for k, v in sorted(environment.packages.items())[:MOST_PACKAGES]],
        "skipped": [_skipped(s) for s in skipped[:MOST_ROWS]],
        "skipped_left": capped(MOST_ROWS, len(skipped), "steps"),
        "limits": LIMITS,
        "rows": len(facts.evidence),
        "findings": len(report.findings),
    }


def _role(name: str, role: Role) -> Json:
    return {"name": name.capitalize(), "file": visible(role.file or NONE, 80), "digest": role.digest,
            "rows": role.rows, "how": visible(role.how, 200)}  # fmt: skip


def _column(row: Column) -> Json:
    cells = [NONE if number is None else compact(number) for number in (row.low, row.mean, row.high)]
    top = ", ".join(f"{visible(text, 24)} ({whole(n)})" for text, n in row.top[:3])
    named = {"name": visible(row.name, 60), "kind": row.kind, "role": visible(row.role, 24)}
    return {**named, "missing": whole(row.missing), "distinct": whole(row.distinct), "numbers": cells, "top": top}


def _target(target: ClassShare | TargetRange) -> Json:
    if isinstance(target, ClassShare):
        return {"name": visible(target.label, 40), "text": f"{whole(target.rows)} rows, {one(target.share, 'share')}"}
    low, mean, high = column([target.low, target.mean, target.high])
    return {"name": "Target", "text": f"{low} to {high}, mean {mean}"}


def _hashes(facts: EvidenceTable) -> list[Json]:
    report, policy = facts.report, facts.report.policy
    rows = [("Model file", report.subject.digest)]
    rows += [(f"{name.capitalize()} rows", role.digest) for name, role in report.data.roles.named()]
    rows += [(f"Policy {visible(policy.name, 40)} {visible(policy.version, 20)}", policy.digest)] if policy else []
    rows += [(f"Plugin {visible(p.name, 40)}", p.digest) for p in report.plugins if p.digest]
    return [{"name": name, "lines": halves(digest)} for name, digest in rows[:MOST_HASHES]]


def halves(digest: str) -> list[str]:
    """A digest in two lines of 32 digits, without its "sha256:"."""
    text = visible(digest.removeprefix("sha256:"), 128)
    return [text[:32], text[32:]] if len(text) > 32 else [text]


def _plugin(row: Plugin) -> Json:
    expected = sorted(row.expected_failures.items())[:MOST_ROWS]
    return {
        "kind": row.kind,
        "name": visible(row.name, 40),
        "by": f"{visible(row.distribution or NONE, 40)} {visible(row.version, 20)}".strip(),
        "status": row.status,
        "summary": visible(row.summary, 160),
        "reason": visible(row.reason, 300),
        "expected": [f"check {visible(k, 20)} is expected to fail: {visible(v, 200)}" for k, v in expected],
        "digest": visible(row.digest.removeprefix("sha256:")[:12], 12),
    }


def _skipped(row: Skipped) -> Json:
    return {"stage": visible(row.stage, 30), "by": visible(row.by, 60), "reason": visible(row.reason, 400), "kind": row.kind}
