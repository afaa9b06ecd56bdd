"""Real reports of three tasks on real rows, by the stages and their units, held against the shipped schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from qaudit.core.catalogue.measures import MEASURES
from qaudit.inputs.policy import read_policy
from qaudit.pipeline.environment import environment
from qaudit.pipeline.stages.assess import assess
from qaudit.pipeline.stages.evaluate import evaluate
from qaudit.pipeline.stages.explain import explain
from qaudit.pipeline.stages.explain_inputs import Sizes
from qaudit.pipeline.stages.find import find
from qaudit.pipeline.stages.frameworks import frameworks
from qaudit.pipeline.stages.load import LoadRequest, load
from qaudit.pipeline.stages.quantize import quantize
from qaudit.pipeline.stages.report import assemble, evidence_table
from qaudit.plugin_host.discovery import KINDS, PluginHost
from qaudit.plugin_host.hooks import open_hooks
from qaudit.report.schema import schema_text

DATA = Path(__file__).parents[1] / "data"
POLICY = Path(__file__).parents[2] / "qaudit" / "inputs" / "policies" / "strict.toml"


def pipeline(model: Any, numbers: list[str], texts: list[str]) -> Any:
    encode = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), texts))
    return make_pipeline(encode, model)


def hmda() -> tuple[Any, pd.DataFrame, str]:
    rows = pd.read_csv(DATA / "hmda_boston.csv")[["deny", "pirat", "lvrat", "chist", "phist", "selfemp", "afam"]]
    model = pipeline(MLPClassifier((6,), max_iter=60, random_state=0), ["pirat", "lvrat", "chist"], ["phist", "selfemp"])
    return model, rows, "deny"


def letters() -> tuple[Any, pd.DataFrame, str]:
    rows = pd.read_csv(DATA / "letter_recognition.csv", nrows=2400)
    target = next(name for name in rows if not pd.api.types.is_numeric_dtype(rows[name]))
    return pipeline(MLPClassifier((12,), max_iter=40, random_state=0), [n for n in rows if n != target], []), rows, target


def wages() -> tuple[Any, pd.DataFrame, str]:
    rows = pd.read_parquet(DATA / "cps1988_wage.parquet").head(1200)
    texts = [n for n in rows if n != "wage" and not pd.api.types.is_numeric_dtype(rows[n])]
    numbers = [n for n in rows if n != "wage" and n not in texts]
    return pipeline(RandomForestRegressor(8, max_depth=5, random_state=0), numbers, texts), rows, "wage"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", [hmda, *(pytest.param(task, marks=pytest.mark.slow) for task in (letters, wages))])
def test_a_real_report_is_what_the_schema_says(task: Any, tmp_path: Path) -> None:
    model, rows, target = task()
    unseen = [target, "afam"]
    train, held = rows.iloc[: len(rows) * 3 // 4], rows.iloc[len(rows) * 3 // 4 :].head(300)
    model.fit(train.drop(columns=unseen, errors="ignore"), train[target])
    skops.io.dump(model, tmp_path / "model.skops")
    train.to_csv(tmp_path / "train.csv", index=False)
    held.to_csv(tmp_path / "holdout.csv", index=False)
    report = audited(tmp_path, target, ("afam",) if "afam" in rows else (), "yes" if target == "deny" else None)
    errors = jsonschema.Draft202012Validator(json.loads(schema_text("report"))).iter_errors(report)
    assert [f"{list(error.absolute_path)}: {error.message[:200]}" for error in errors] == []
    assert [one for one in report["skipped"] if one["kind"] == "failed"] == []
    assert report["subject"]["lowering"]["proved"] is True
    assert {one["kind"] for one in report["explanations"]} >= {"importance", "tree"}
    assert len(report["assessments"]) == 4
    measured = {row["measure"] for row in report["evidence"] if row["value"] is not None}
    assert {"sqnr_db", "effective_bits", "fidelity", "importance", "drift"} <= measured
    assert ("r2_change" if task is wages else "flip_rate") in measured
    assert ("auc_change" in measured) == (task is hmda)
    # a number that numpy wrote, "np.float64(-0.02)", is no number to a reader
    assert [text for text in texts(report) if "np." in text] == []
    assert all(MEASURES[row["measure"]].interval for row in report["evidence"] if row["interval"])


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def audited(folder: Path, target: str, groups: tuple[str, ...], positive: str | None) -> Any:
    """The whole road to a report with one quantizer and small explanations."""
    host = PluginHost.discover()
    used = {kind: host.select(kind, ["symmetric"] if kind == "quantizer" else None) for kind in KINDS}
    hooks = open_hooks(host, used)
    files = {"model": folder / "model.skops", "holdout": folder / "holdout.csv", "training": folder / "train.csv"}
    subject = load(LoadRequest(**files, target=target, groups=groups, positive=positive), hooks)
    candidates = quantize(subject, hooks, {}, bits=(3, 8), seed=0)
    judged = next(one for one in candidates.all if "bits=3" in one.id)
    measured = evaluate(subject, candidates, judged)
    small = Sizes(local=8, whole=60, background=40, floor=2)
    explained = explain(subject, judged, [], hooks, {}, sizes=small)
    policy, where = read_policy(POLICY), environment()
    table = evidence_table(subject, candidates, measured, explained, judged, where, policy)
    lists, skipped = frameworks(hooks, table, {})
    skipped += [*subject.skipped, *candidates.skipped, *measured.skipped, *explained.skipped]
    report = assemble(
        audit={"id": "t", "date": "2026-11-24", "seed": 0, "bits": [3, 8]},
        subject=subject,
        candidates=candidates,
        judged=judged,
        evidence=table,
        explained=explained,
        findings=find(subject, candidates, table, judged, skipped),
        assessments=assess(policy, table, judged.id),
        skipped=skipped,
        plugins=[],
        environment=where,
        frameworks=lists,
        policy=policy,
    )
    return report.plain()
