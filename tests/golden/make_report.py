"""Makes tests/golden/report.json: a plausible report with invented numbers, for tests of the pages only."""

# ruff: noqa: E501
from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from qaudit.core.evidence import Limit, plain
from qaudit.core.outcome import outcome
from qaudit.inputs.policy import Policy
from qaudit.pipeline.stages.assess import assess
from qaudit.report.model import Interval, Row

JUDGED = "symmetric(axis='tensor',bits=8)"
FEATURES = [
    "dir",
    "hir",
    "lvr",
    "ccs",
    "mcs",
    "pbcr",
    "dmi",
    "self",
    "uria",
    "comdominiom",
    "tenure_months",
    "客户年龄",
    "region_risk",
]
FEATURES += ["debt_to_income_ratio_at_application_date", "channel", "product", "weekday"]


def digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def wave(*parts: object) -> float:
    """A number in [0, 1) that depends on its arguments only."""
    return int(hashlib.sha256(repr(parts).encode()).hexdigest()[:8], 16) / 2**32


def row(measure: str, value: float | None, unit: str = "", low: float | None = None, high: float | None = None, n: int | None = 714,
        topic: str = "quantization.precision_loss", reason: str | None = None, **about: str) -> dict[str, Any]:  # fmt: skip
    level = (
        None
        if low is None
        else {
            "low": float(low),
            "high": high if high is None else float(high),
            "level": 0.95,
            "method": "clopper-pearson" if unit == "share" else "paired bootstrap",
        }
    )
    return {
        "measure": measure,
        "value": None if value is None else float(value),
        "unit": unit,
        "interval": level,
        "n": n,
        "about": about,
        "by": "evaluate",
        "topic": topic,
        "reason": reason,
    }


def candidates() -> list[dict[str, Any]]:
    found = []
    for by in ("affine", "bucket_prune", "dithered", "fully_connected", "symmetric"):
        for bits in (2, 3, 4, 6, 8):
            for axis in ("channel", "tensor") if by in ("affine", "symmetric") else ("tensor",):
                name = f"{by}(axis='{axis}',bits={bits})"
                tensors = [
                    {"parameter": p, "role": role, "bits": bits, "shape": shape, "sqnr_db": 6.02 * bits - 4 + 3 * wave(name, p), "max_abs_error": 1.6 / 2**bits,
                     "saturated": int(3 * wave(p)), "zeros": int(20 * wave(p, 1)), "distinct": min(2**bits, 300)}
                    for p, role, shape in (("dense0.W", "weight", [17, 24]), ("dense1.W", "weight", [24, 1]), ("input", "input", [17]))
                ]  # fmt: skip
                overhead = 0.7 if axis == "channel" else 0.1
                found.append(
                    {"id": name, "by": by, "settings": {"axis": axis, "bits": bits}, "effective_bits": bits + overhead + (0.3 if by == "bucket_prune" else 0),
                     "size_bytes": int(432 * (bits + overhead) / 8), "explained": name == JUDGED, "tensors": tensors,
                     "formulas": {"dense0.W": "codes = clip(rint(values / scale), -top, top); scale = max(abs(values)) / top", "dense1.W": "codes = clip(rint(values / scale), -top, top); scale = max(abs(values)) / top"}}
                )  # fmt: skip
    return found


def evidence() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    levels = {"accuracy": (0.8824, 0.8796, "share"), "roc_auc": (0.8412, 0.8391, ""), "log_loss": (0.2455, 0.2468, "nats"), "brier": (0.0718, 0.0722, ""),
              "ece": (0.0091, 0.0104, "")}  # fmt: skip
    for name, (before, after, unit) in levels.items():
        rows.append(row(name, before, unit, before - 0.02, before + 0.02, topic="metrics.performance", candidate="reference"))
        rows.append(row(name, after, unit, after - 0.02, after + 0.02, topic="metrics.performance", candidate=JUDGED))
        change = "auc_change" if name == "roc_auc" else f"{name}_change"
        low, high = (after - before - 0.004, after - before + 0.003)
        rows.append(
            row(
                change,
                after - before,
                unit,
                low if name in ("accuracy", "roc_auc") else None,
                high,
                candidate=JUDGED,
                against="reference",
            )
        )
    for made in candidates():
        bits, name = made["settings"]["bits"], made["id"]
        rate = 0 if bits == 8 and made["by"] == "affine" else round(714 * (0.9 * 2.0**-bits * (0.5 + wave(name)))) / 714
        if name == JUDGED:
            rate = 6 / 714
        rows.append(row("flip_rate", rate, "share", max(0, rate - 0.006), rate + 0.009, candidate=name, against="reference"))
        if name != JUDGED:
            rows.append(row("accuracy_change", -rate / 3, "share", candidate=name, against="reference"))
    for name, value, unit in (("flips", 6, "rows"), ("flips_fixed", 2, "rows"), ("flips_broken", 4, "rows"), ("max_abs_error", 0.0412, ""), ("mean_abs_error", 0.0021, ""),
                              ("mcnemar_p", 0.6875, ""), ("effective_bits", 8.1, "bits"), ("size_bytes", 441, "bytes")):  # fmt: skip
        rows.append(row(name, value, unit, candidate=JUDGED, against="reference"))
    for group, rate, n in (
        ("afam=no", 0.0049, 612),
        ("afam=yes", 0.0294, 102),
        ("single=no", 0.0069, 437),
        ("single=yes", 0.0108, 277),
        ("region=<b>&\u202eNorth", 0.0, 12),
    ):
        reason = "fewer than 50 rows" if n < 50 else None
        rows.append(
            row(
                "flip_rate",
                rate,
                "share",
                max(0, rate - 0.01),
                rate + 0.04,
                n,
                reason=reason,
                candidate=JUDGED,
                against="reference",
                group=group,
            )
        )
        rows.append(row("accuracy_change", -rate / 2, "share", n=n, candidate=JUDGED, against="reference", group=group))
    for i in range(21):
        low, high = -0.0525 + 0.005 * i, -0.0475 + 0.005 * i
        count = round(230 * math.exp(-((low + 0.003) ** 2) / 0.0002))
        rows.append(
            row(
                "score_change_histogram",
                count,
                "rows",
                candidate=JUDGED,
                against="reference",
                bin=str(i),
                range=f"{low!r} to {high!r}",
            )
        )
    for candidate, fidelity in (("reference", 0.874), (JUDGED, 0.861)):
        rows.append(
            row(
                "fidelity",
                fidelity,
                "share",
                fidelity - 0.03,
                fidelity + 0.025,
                238,
                "explain.surrogate_tree",
                candidate=candidate,
                explainer="surrogate_tree",
            )
        )
        rows.append(
            row(
                "base_rate_fidelity",
                0.79,
                "share",
                topic="explain.surrogate_tree",
                n=238,
                candidate=candidate,
                explainer="surrogate_tree",
            )
        )
        rows.append(row("leaves", 14, "leaves", topic="explain.surrogate_tree", candidate=candidate, explainer="surrogate_tree"))
        for depth in (2, 3, 4, 5, 6):
            where = {"candidate": candidate, "explainer": "surrogate_tree", "value_of": f"max_depth={depth}"}
            rows.append(
                row(
                    "sweep_fidelity",
                    0.80 + 0.016 * depth + (0.004 if candidate == "reference" else 0),
                    "share",
                    n=238,
                    topic="explain.surrogate_tree",
                    **where,
                )
            )
            rows.append(row("sweep_leaves", min(2**depth, 4 * depth + 2), "leaves", topic="explain.surrogate_tree", **where))
    for explainer, what, value, low, high in (("drop_column", "loss_change rank", 0.021, 0.01, 0.06), ("drop_column", "loss_change size", 0.0004, 0.0002, 0.0011),
                                              ("permutation", "prediction_change rank", 0.044, 0.0, 0.03), ("surrogate_tree", "decision", 0.034, 0.0, 0.0),
                                              ("local_surrogate", "direction", 0.012, 0.006, 0.02)):  # fmt: skip
        where = {"candidate": JUDGED, "against": "reference", "explainer": explainer, "value_of": what}
        rows.append(row("drift", value, "", topic="explain.drift", n=None, **where))
        rows.append(row("drift_floor", (low + high) / 2, "", low, high, 10, "explain.drift", **where))
    where = {"candidate": JUDGED, "against": "reference", "explainer": "local_surrogate"}
    rows.append(row("reason_change_rate", 0.057, "share", 0.034, 0.089, 300, "explain.drift", **where))
    rows.append(row("reason_change_floor", 0.021, "share", 0.013, 0.03, 300, "explain.drift", **where))
    for i in range(14):
        where = {"candidate": JUDGED, "parameter": "dense0.W", "range": f"bucket {i}"}
        rows.append(row("contribution", 0.02 / (i + 1), "", topic="quantization.per_layer", n=300, **where))
    return rows


def importances() -> list[dict[str, Any]]:
    found = []
    for explainer, of in (("drop_column", "loss_change"), ("permutation", "prediction_change")):
        for candidate in ("reference", JUDGED):
            base = {
                f: 0.12 * math.exp(-0.35 * i) * (0.9 + 0.2 * wave(f, candidate if i > 3 else "")) for i, f in enumerate(FEATURES)
            }
            order = sorted(FEATURES, key=lambda f: -base[f])
            rows = [
                {
                    "feature": f,
                    "values": [base[f]] * 5,
                    "mean": base[f],
                    "low": base[f] - 0.004,
                    "high": base[f] + 0.004,
                    "rank": order.index(f) + 1,
                }
                for f in FEATURES
            ]
            found.append(
                {
                    "explainer": explainer,
                    "settings": {"repeats": 5},
                    "candidate": candidate,
                    "kind": "importance",
                    "seed": 7,
                    "floor_seeds": [],
                    "of": of,
                    "rows": rows,
                }
            )
    return found


def grown(depth: int, path: str, rows: int, nodes: list[dict[str, Any]]) -> int:
    """Grow a tree in place; returns the index of its root."""
    index = len(nodes)
    nodes.append({})
    stop = depth == 0 or rows < 24 or (depth < 3 and wave(path) < 0.3)
    feature = FEATURES[int(wave(path, "f") * 8)]
    node: dict[str, Any] = {"feature": None, "threshold": None, "categories": None, "missing_left": False, "left": -1, "right": -1, "rows": rows,
                            "label": "yes" if wave(path, "y") < 0.3 else "no", "share": 0.55 + 0.45 * wave(path, "s"), "agreement": 0.7 + 0.3 * wave(path, "a")}  # fmt: skip
    if not stop:
        left = int(rows * (0.2 + 0.6 * wave(path, "l")))
        node["feature"] = feature
        if feature == "dmi":
            node["categories"] = ["no", "unknown"]
        else:
            node["threshold"] = round(4000 * wave(path, "t"), 3) if wave(path) > 0.5 else round(wave(path, "t"), 3)
        node["missing_left"] = wave(path, "m") < 0.3
        nodes[index] = node
        node["left"] = grown(depth - 1, path + "l", left, nodes)
        node["right"] = grown(depth - 1, path + "r", rows - left, nodes)
    nodes[index] = node
    return index


def trees() -> list[dict[str, Any]]:
    found = []
    for candidate in ("reference", JUDGED):
        nodes: list[dict[str, Any]] = []
        grown(5, "root", 476, nodes)
        leaves = sum(n["left"] < 0 for n in nodes)
        rules = [
            f"dir ≤ {0.1 * i:.1f} and ccs ≤ {i} and lvr > 0.8: {'yes' if i % 3 == 0 else 'no'} ({10 * i + 3} rows)"
            for i in range(leaves)
        ]
        found.append({"explainer": "surrogate_tree", "settings": {"depth": 5}, "candidate": candidate, "kind": "tree", "seed": 7, "floor_seeds": [], "names": FEATURES,
                      "classes": ["no", "yes"], "nodes": nodes, "depth": 5, "leaves": leaves, "rules": rules})  # fmt: skip
    return found


def cases() -> list[dict[str, Any]]:
    found = []
    for candidate in ("reference", JUDGED):
        listed = []
        for number, (index, why) in enumerate(((104, "median"), (201, "worst flip"), (330, "changed reason"), (417, "stable"))):
            features = [
                {
                    "column": f,
                    "value": None,
                    "contribution": (0.5 - wave(f, index)) * 1.6 / (i + 1) + (0.06 * (0.5 - wave(f, index, candidate))),
                }
                for i, f in enumerate(FEATURES[number : number + 6])
            ]
            listed.append(
                {
                    "row": index,
                    "why": why,
                    "decision": "yes" if candidate != "reference" and number == 1 else "no",
                    "prediction": 0.14 + 0.02 * number,
                    "features": features,
                }
            )
        found.append({"explainer": "local_surrogate", "settings": {"samples": 200}, "candidate": candidate, "kind": "local_models", "seed": 7, "floor_seeds": [1, 2],
                      "cases": listed, "r2": {"median": 0.83, "low": 0.61, "high": 0.94}})  # fmt: skip
    return found


def limit(
    key: str,
    measure: str,
    title: str,
    most: float | None = None,
    least: float | None = None,
    use: str | None = "value",
    near: float | None = None,
    **where: str,
) -> dict[str, Any]:
    return {"id": key, "measure": measure, "where": where, "use": use, "at_most": most, "at_least": least, "near": near,
            "reason": "Agreed by the model risk committee before the run." if key == "Q1" else "", "title": title, "todo": ""}  # fmt: skip


def assessed(limits: list[dict[str, Any]], rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The limits as the stage compares them with the invented rows, and what belongs to all of them."""
    table = [Row(**{**each, "interval": each["interval"] and Interval(**each["interval"])}) for each in rows]
    policy = Policy("golden", "1", "2026-11-01", digest("policy"), tuple(Limit(**each) for each in limits))
    assessments = assess(policy, table, JUDGED)
    return plain(assessments), plain(outcome(assessments))


def report() -> dict[str, Any]:
    rows = evidence()

    def at(measure: str, **about: str) -> int:
        return next(
            i
            for i, r in enumerate(rows)
            if r["measure"] == measure
            and r["about"].get("candidate") == JUDGED
            and all(r["about"].get(k) == v for k, v in about.items())
        )

    held = [
        (limit("Q1", "accuracy_change", "Loss of accuracy", least=-0.01), at("accuracy_change"), "within", "precision"),
        (limit("Q2", "flip_rate", "Decisions changed", most=0.02, use=None, near=0.015), at("flip_rate"), "near", "precision"),
        (limit("Q3", "flip_rate", "Decisions changed in the worst group", most=0.02, group="*"), at("flip_rate", group="afam=yes"), "outside", "precision"),
        (limit("Q4", "max_abs_error", "Largest score change", most=0.05), at("max_abs_error"), "within", "precision"),
        (limit("F1", "drift", "Drift of the feature ranks", most=0.05, explainer="permutation"), at("drift", explainer="permutation"), "within", "drift"),
        (limit("T1", "fidelity", "Agreement of the surrogate tree", least=0.85, use=None), at("fidelity"), "not_demonstrable", "surrogate"),
        (limit("L1", "reason_change_rate", "Top reason changed", most=0.05), at("reason_change_rate"), "outside", "local"),
        (limit("L2", "local_r2", "Fit of local models", least=0.7), None, "not_assessed", "local"),
    ]  # fmt: skip
    assessments, outcome = assessed([each[0] for each in held], rows)
    for each, (_, index, verdict, section) in zip(assessments, held, strict=True):
        assert (each["evidence"], each["verdict"], each["section"]) == (index, verdict, section), (each, index, verdict, section)
    listed = [
        {
            "id": f"aiv-{i}",
            "ref": ref,
            "paraphrase": text,
            "evidence": topic,
            "also": [],
            "filled_by": "both",
            "coverage": "direct",
            "applies_if": None,
            "legacy": None,
            "state": state,
            "sections": sections,
            "author": author,
        }
        for i, (topic, ref, text, state, sections, author) in enumerate(
            [
                (
                    "model.identity",
                    "Annex IV 1(a)",
                    "Purpose, provider, version and its relation to earlier versions",
                    "partial",
                    ["result", "evidence"],
                    "Supports the decision of a loan officer on mortgage applications.",
                ),
                (
                    "data.description",
                    "Annex IV 2(d)",
                    "Data sheets: provenance, scope, characteristics, selection, labelling and cleaning of the data",
                    "partial",
                    ["evidence"],
                    None,
                ),
                ("human_oversight", "Annex IV 2(e)", "Measures of human oversight", "not_here", [], None),
                (
                    "metrics.performance",
                    "Annex IV 2(g)",
                    "Validation and testing: data, metrics of accuracy and robustness, potentially discriminatory impact, dated and signed logs",
                    "here",
                    ["precision", "local", "drift"],
                    None,
                ),
                ("limits", "Annex IV 3", "Capabilities and limits, accuracy for groups of persons", "here", ["precision"], None),
                ("robustness", "Annex IV 5", "Risk management system", "not_here", [], None),
                ("monitoring_plan", "Annex IV 9", "Post-market evaluation and its plan", "not_here", [], None),
            ]
        )
    ]
    frameworks = [
        {"id": key, "title": title, "source": source, "status": status, "binding": binding, "scope_note": "", "dated": "2026-10-15",
         "counts": {"here": 2, "partial": 2, "not_here": 3}, "items": listed}
        for key, title, source, status, binding in (
            ("eu_ai_act_annex_iv", "EU AI Act, Annex IV: technical documentation", "Regulation (EU) 2024/1689 as amended by (EU) 2026/1744", "In force; Annex III systems from 2 December 2027", True),
            ("sr_26_2", "SR 26-2: model risk management", "Federal Reserve SR 26-2, OCC Bulletin 2026-13", "Guidance since 17 April 2026, in place of SR 11-7", False),
        )
    ]  # fmt: skip
    columns = [
        {
            "name": f,
            "kind": "number",
            "role": "input",
            "missing": i % 3,
            "distinct": 20 + i,
            "low": 0.0,
            "mean": 0.33 * i,
            "high": 3.2 * i,
            "top": [],
        }
        for i, f in enumerate(FEATURES)
    ]
    columns.append(
        {
            "name": "afam",
            "kind": "text",
            "role": "group",
            "missing": 0,
            "distinct": 2,
            "low": None,
            "mean": None,
            "high": None,
            "top": [["no", 612], ["yes", 102]],
        }
    )
    plugins = [{"kind": kind, "name": name, "distribution": "qaudit", "version": "0.1.0", "digest": digest(name), "summary": text, "status": status, "reason": reason, "settings": {}}
               for kind, name, text, status, reason in (
                   ("explainer", "drop_column", "the model trained again without each column", "ran", ""),
                   ("explainer", "surrogate_tree", "a tree fitted on the outputs of the model", "ran", ""),
                   ("format", "sklearn_skops", "scikit-learn models in skops files", "ran", ""),
                   ("quantizer", "affine", "scale and zero point", "ran", ""),
                   ("quantizer", "bucket_prune", "contribution on calibration rows, then keep or discard", "ran", ""),
                   ("quantizer", "pow2", "power-of-two scale", "failed", "ZeroDivisionError: float division by zero"))]  # fmt: skip
    return {
        "format": 3, "qaudit": "0.1.0", "audit": {"id": "HMDA-2026-11", "date": "2026-11-24", "seed": 20261124, "bits": [2, 3, 4, 6, 8]},
        "subject": {"name": "credit", "version": 1, "digest": digest("model"), "parent": None, "format": "sklearn_skops", "tier": "checked", "family": "Pipeline of MLPClassifier",
                    "loaded_by": "qaudit 0.1.0", "output": "binary", "classes": ["no", "yes"], "positive": "yes", "cutoff": 0.15, "cutoff_source": "audit.toml", "target": "deny",
                    "size_bytes": 48213, "features": [{"name": f, "kind": "number"} for f in FEATURES], "parameters": [{"name": "dense0.W", "role": "weight", "shape": [17, 24]}],
                    "lowering": {"proved": True, "statement": "Probabilities of our reading equal the model's own within the bound on every row.", "rows": 714, "max_error": 2.2e-16, "bound": 8.9e-16,
                                 "ambiguous_rows": [], "why_not": None}},
        "data": {"roles": {"holdout": {"file": "holdout.csv", "digest": digest("holdout"), "rows": 714, "how": "given"}, "training": {"file": "train.csv", "digest": digest("train"), "rows": 1666, "how": "given"},
                           "calibration": {"file": "train.csv", "digest": digest("train"), "rows": 500, "how": "a seeded sample of the training rows"}},
                 "overlap": [{"roles": ["holdout", "training"], "rows": 3}], "columns": columns, "groups": ["afam", "single"], "target": [{"label": "no", "rows": 630, "share": 0.882}, {"label": "yes", "rows": 84, "share": 0.118}],
                 "notes": []},
        "plugins": plugins, "candidates": candidates(), "judged": JUDGED, "evidence": rows, "explanations": [*importances(), *trees(), *cases()],
        "findings": [
            {"code": "QA-FLIPS", "statement": "6 of 714 decisions change (0.84%, 95% interval 0.31% to 1.82%): 2 become right, 4 become wrong.", "evidence": [at("flip_rate")], "section": "precision", "severity": "note"},
            {"code": "QA-GROUP", "statement": "Applicants with afam=yes see 2.94% of decisions changed against 0.49% of the others.", "evidence": [], "section": "precision", "severity": "attention"},
            {"code": "QA-REASON", "statement": "The top reason changes on 5.7% of rows whose decision is unchanged; the floor is 2.1%.", "evidence": [], "section": "drift", "severity": "attention"},
            {"code": "QA-TREE", "statement": "The surrogate tree agrees with the judged model on 86.1% of unseen rows; always saying the commonest decision reaches 79.0%.", "evidence": [], "section": "surrogate", "severity": "note"},
            {"code": "QA-RANK", "statement": "The four most important features keep their rank.", "evidence": [], "section": "importance", "severity": "note"},
        ],
        "assessments": assessments,
        "skipped": [{"stage": "quantize", "by": "pow2", "reason": "ZeroDivisionError: float division by zero", "kind": "failed"},
                    {"stage": "explain", "by": "local_surrogate", "reason": "R² was not measured for the reference: \x1b[31mred\u200b", "kind": "declined"}],
        "environment": {"python": "3.11.2", "platform": "Linux-6.1-x86_64", "cpu": "x86_64 avx2 avx512", "blas": "OpenBLAS 0.3.27 Haswell", "packages": {"numpy": "2.1.0", "scipy": "1.14.0", "scikit-learn": "1.7.0", "numexpr": "2.13.1"},
                        "pdf": {"weasyprint": "70.0", "pango": "1.50.12", "harfbuzz": "6.0.0"}},
        "frameworks": frameworks, "author": {"model.purpose": "Supports a loan officer.", "owner": "Credit risk modelling"},
        "policy": {"name": "retail-credit", "version": "1.3", "set": "2026-11-01", "digest": digest("policy"), "limits": [a["limit"] for a in assessments]},
        "next_steps": [{"text": "Keep dense1.W at 16 bits or recalibrate with more rows of the group afam=yes, then run again.", "limit": "Q3", "section": "precision"},
                       {"text": "Do not send reasons from the local surrogate to applicants until the change of top reasons is below the limit.", "limit": "L1", "section": "drift"},
                       {"text": "Measure more rows: the interval of the agreement holds the limit, so these rows do not decide it.", "limit": "T1", "section": "surrogate"}],
        "outcome": outcome,
        "previous": {"id": "HMDA-2026-05", "digest": digest("previous"), "moved": [{"limit": "L1", "title": "Top reason changed", "before": "within", "after": "outside"}, {"limit": "Q2", "title": "Decisions changed", "before": "within", "after": "near"}], "kept": 6, "inputs": []},
    }  # fmt: skip


if __name__ == "__main__":
    Path(__file__).with_name("report.json").write_text(
        json.dumps(report(), ensure_ascii=False, sort_keys=True, indent=1) + "\n", encoding="utf-8"
    )
