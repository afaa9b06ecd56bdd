"""The explain stage on a small model: identical variants, a planted change, floors, failures as rows."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hosting import hooks_for
from qaudit_explainers import drop_column, local_surrogate, permutation, surrogate_tree
from scipy.stats import binomtest
from sklearn.metrics import recall_score

from qaudit.core.decision import Decision
from qaudit.core.evidence import canonical_json
from qaudit.core.measures import agreement
from qaudit.core.measures.surrogate import apply_tree, leaves_in_order
from qaudit.core.program import Program, Quantized
from qaudit.core.records import Decline, Explainer, Feature, Format, Loaded, Subject
from qaudit.core.steps import Dense
from qaudit.core.table import Table
from qaudit.core.tensor import QType, QuantizedTensor
from qaudit.engine.sweep import predict
from qaudit.errors import Refused
from qaudit.pipeline.stages.explain import explain
from qaudit.pipeline.stages.explain_inputs import Sizes, draw_inputs
from qaudit.pipeline.types import Candidate, LoadedSubject
from qaudit.sandbox.job import Failure, Job, Outcome, PluginRef
from qaudit.sandbox.tasks import explain as task

NAMES = ("income", "debt", "noise", "kind")
WEIGHT = np.array([[2.0, -1.5, 0.0, 1.2, -0.7]])
SIZES = Sizes(local=30, whole=200, background=80, floor=4)
MODULES = {module.__name__.rpartition(".")[2]: module for module in (drop_column, local_surrogate, permutation, surrogate_tree)}


def table(rows, seed):
    rng = np.random.default_rng(seed)
    return Table(
        {
            "income": rng.normal(size=rows),
            "debt": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
            "noise": rng.normal(size=rows),
            "kind": np.array(rng.choice(["a", "b", None], rows), dtype=object),
        }
    )


def encode(frame):
    kind = np.array(frame["kind"], dtype=object)
    columns = [frame["income"], np.nan_to_num(np.array(frame["debt"], dtype=float)), frame["noise"], kind == "a", kind == "b"]
    return np.column_stack([np.asarray(column, dtype=float) for column in columns])


def program(output):
    wide = np.concatenate([np.zeros((1, 5)), WEIGHT, WEIGHT[:, ::-1]]) if output == "multiclass" else WEIGHT
    dense = Dense(wide, np.full(len(wide), 0.1))
    link = {"binary": "logistic", "multiclass": "softmax", "regression": "identity"}[output]
    classes = {"binary": ("no", "yes"), "multiclass": ("x", "y", "z"), "regression": ()}[output]
    return Program(("income", "debt", "noise", "a", "b"), (dense,), link, output, classes)


def toy(output="binary"):
    model = program(output)
    features = tuple(Feature(name) for name in NAMES)
    native = lambda frame: predict(model, encode(frame))  # noqa: E731
    return Format(
        "toy",
        "data",
        lambda path: True,
        lambda path: Loaded(model, encode, native, None, features, model.classes, output, "toy", 5),
    )


def ref(kind, name, file=None, value=""):
    return PluginRef(kind, name, value, "tests", "1", "0" * 64, file)


def subject(output="binary", *, native=False, training=True, rows=240):
    model, holdout, train = program(output), table(rows, 1), table(150, 2)
    encoded = encode(holdout.columns)
    answers = predict(model, encoded)
    decision = Decision(output, 1, 0.5)
    decided = decision(answers)
    return LoadedSubject(
        name="toy",
        version=1,
        digest="0",
        model=Path("toy"),
        format=ref("format", "toy"),
        tier="data",
        family="toy",
        features=tuple(Feature(name) for name in NAMES),
        classes=model.classes,
        decision=decision,
        program=None if native else model,
        why_not=None,
        refittable=False,
        tables={"holdout": holdout, **({"training": train} if training else {})},
        encoded={} if native else {"holdout": encoded},
        native={"holdout": answers},
        target={"holdout": answers[:, 0] if decided is None else decided},
        groups={},
        report={},
    )


def coarse(weight, bits):
    top = 2 ** (bits - 1) - 1
    scale = float(np.abs(weight).max() / top)
    return QuantizedTensor(np.rint(weight / scale).astype(np.int32), scale=scale, qtype=QType(bits))


def candidate(name, output="binary", weight=None, bits=16):
    model = program(output)
    tensors = {} if weight is None else {"layer0.weight": coarse(weight, bits)}
    return Candidate(name, "tests", {}, Quantized(model, tensors), {"id": name})


def here(output="binary", extra=None):
    """A function that runs a unit in this process."""

    def one(call):
        offers = {"format": [toy(output)], "explainer": []}
        for plugin in call.plugins:
            if plugin.kind == "explainer":
                hint = Subject(output, NAMES, (), ())
                offers["explainer"] += (extra or {}).get(plugin.name) or list(MODULES[plugin.name].qaudit_offer_explainers(hint))
        phases = []
        try:
            text = json.loads(json.dumps(call.request, allow_nan=False))
            answer, arrays = task.work(Job(text, call.arrays, offers, phases.append))
            assert all(array.dtype.kind in "biuf" for array in {**arrays, **call.arrays}.values())
            return Outcome(json.loads(json.dumps(answer, allow_nan=False)), arrays)
        except Decline as error:
            return Outcome({}, {}, Failure("declined", phases[-1] if phases else "", str(error), "plugin"))
        except Exception as error:
            return Outcome({}, {}, Failure("raised", phases[-1] if phases else "", f"{type(error).__name__}: {error}", "plugin"))

    return one


ALL = tuple(ref("explainer", name) for name in ("local_surrogate", "permutation", "surrogate_tree"))


def found(result, measure, **about):
    return [
        row
        for row in result.evidence
        if row.measure == measure and all(row.about.get(key) == value for key, value in about.items())
    ]


def run(audited, judged, *, output="binary", plugins=ALL, extra=None, selections=None, refits=None):
    hooks = hooks_for(plugins, here(output, extra), jobs=1)
    return explain(audited, judged, (), hooks, selections or {}, refits=refits, seed=3, sizes=SIZES)


@pytest.mark.parametrize("output", ["binary", "multiclass", "regression"])
def test_drift_of_an_identical_variant_is_exactly_zero(output):
    result = run(subject(output), candidate("same", output), output=output)
    rows = found(result, "drift")
    assert len(rows) == 2 * 2 + 2 + 1
    assert [row.value for row in rows] == [0.0] * len(rows)
    assert all(row.value > 0 for row in found(result, "drift_floor", explainer="local_surrogate"))
    rate = found(result, "reason_change_rate")
    assert [row.value for row in rate] == [0.0]
    assert rate[0].n == 30
    assert {entry["verdict"] for entry in result.explanations if entry["candidate"] == "same"} == {"none"}
    assert not result.skipped
    canonical_json([result.evidence, result.explanations, result.plugins])


@pytest.mark.parametrize("output", ["binary", "multiclass", "regression"])
def test_a_planted_change_is_above_the_floor_and_changes_reasons(output):
    planted = program(output).steps[0].weight.copy()
    planted[-1] = [0.2, -1.5, 2.5, 1.2, -0.7]
    result = run(subject(output), candidate("planted", output, planted), output=output)
    for explainer in ("local_surrogate", "permutation"):
        drifts, floors = found(result, "drift", explainer=explainer), found(result, "drift_floor", explainer=explainer)
        assert drifts[0].value > 3 * floors[0].value
        assert drifts[0].value > floors[0].interval.high
    verdicts = {entry["explainer"]: entry["verdict"] for entry in result.explanations if entry["candidate"] == "planted"}
    assert verdicts["permutation"] == "above floor"
    rate, floor = found(result, "reason_change_rate")[0], found(result, "reason_change_floor")[0]
    assert rate.value > floor.value
    assert rate.interval.low <= rate.value <= rate.interval.high
    if output != "regression":
        assert rate.n < 30


def test_a_slight_change_stays_below_the_floor():
    result = run(subject(), candidate("slight", weight=WEIGHT + 1e-4), plugins=(ref("explainer", "local_surrogate"),))
    entry = next(entry for entry in result.explanations if entry["candidate"] == "slight")
    assert 0 < entry["drift"][0]["value"] < entry["drift"][0]["floor"]["mean"]
    assert entry["verdict"] == "below floor"


def test_cases_are_the_same_rows_and_columns_in_both_entries():
    result = run(subject(), candidate("planted", weight=np.array([[0.2, -1.5, 2.5, 1.2, -0.7]])))
    reference, judged = (entry for entry in result.explanations if entry["kind"] == "local_models")
    for one, other in zip(reference["cases"], judged["cases"], strict=True):
        assert (one["row"], one["why"]) == (other["row"], other["why"])
        assert [each["column"] for each in one["features"]] == [each["column"] for each in other["features"]]
        assert [each["value"] for each in one["features"]] == [each["value"] for each in other["features"]]
    assert [case["why"] for case in reference["cases"]] == ["median", "worst flip", "changed reason", "stable"]
    worst = reference["cases"][1], judged["cases"][1]
    assert worst[0]["decision"] != worst[1]["decision"]


def test_the_shown_worst_flip_does_not_count_for_the_rate():
    audited = subject()
    changed = candidate("planted", weight=np.array([[0.2, -1.5, 2.5, 1.2, -0.7]]))
    result = run(audited, changed, plugins=(ref("explainer", "local_surrogate"),))
    before, after = audited.native["holdout"], predict(changed.quantized, audited.encoded["holdout"])
    flipped = (before[:, 1] >= 0.5) != (after[:, 1] >= 0.5)
    worst = int(np.argmax(np.where(flipped, np.abs(after - before)[:, 1], -1)))
    case = next(case for case in result.explanations[0]["cases"] if case["why"] == "worst flip")
    assert case["row"] == worst
    assert found(result, "local_r2")[0].n == 30


def test_the_tree_entry_is_complete_and_its_agreement_is_counted_on_the_holdout():
    audited = subject()
    result = run(audited, candidate("same"), plugins=(ref("explainer", "surrogate_tree"),))
    entry = result.explanations[0]
    nodes = entry["nodes"]
    assert nodes[0]["rows"] == 240
    leaves = [node for node in nodes if node["left"] < 0]
    assert sum(node["rows"] for node in leaves) == 240
    assert len(leaves) == entry["leaves"] == len(entry["rules"])
    hits = sum(node["rows"] * (node["agreement"] or 0.0) for node in leaves)
    fidelity = found(result, "fidelity", candidate="reference")[0]
    assert fidelity.value == pytest.approx(hits / 240)
    assert fidelity.interval.low < fidelity.value < fidelity.interval.high
    assert fidelity.value > found(result, "base_rate_fidelity")[0].value
    assert {row.about["value_of"] for row in found(result, "sweep_fidelity")} == {
        f"max_depth={depth}" for depth in (2, 3, 4, 5, 6)
    }
    assert found(result, "leaves")[0].value == entry["leaves"]


@pytest.mark.parametrize("output", ["binary", "multiclass"])
def test_the_agreement_of_the_tree_is_measured_by_predicted_class_and_by_leaf(output):
    audited = subject(output, training=False)
    result = run(audited, None, output=audited.decision.output, plugins=(ref("explainer", "surrogate_tree"),))
    tree = result.raw[("surrogate_tree", "reference")][0]
    unseen = draw_inputs(audited, [], None, SIZES, 3).unseen
    assert len(unseen) == 160
    decided = audited.decision(audited.native["holdout"])[unseen]
    leaf = apply_tree(tree, audited.tables["holdout"].take(unseen).columns, NAMES)
    answers = np.argmax(tree.value, axis=1)[leaf]
    classes = found(result, "class_fidelity")
    assert [row.about["output"] for row in classes] == list(audited.classes)
    recalls = recall_score(decided, answers, labels=range(len(audited.classes)), average=None, zero_division=np.nan)
    for index, row in enumerate(classes):
        assert row.n == np.sum(decided == index)
        assert row.value is None if np.isnan(recalls[index]) else row.value == pytest.approx(recalls[index])
    leaves = found(result, "leaf_fidelity")
    assert [row.about["value_of"] for row in leaves] == [f"leaf {place + 1}" for place in range(len(leaves))]
    entry = result.explanations[0]
    for row, rule in zip(leaves, entry["rules"], strict=True):
        assert rule.endswith(f": {row.about['output']}")
    assert sum(row.n for row in leaves) == sum(row.n for row in classes) == 160
    for row in [*classes, *leaves]:
        if row.n:
            exact = binomtest(round(row.value * row.n), row.n).proportion_ci(0.95, "exact")
            assert (row.interval.low, row.interval.high) == pytest.approx((exact.low, exact.high), abs=1e-10)
        else:
            assert (row.value, row.interval, bool(row.reason)) == (None, None, True)
    # the leaves of the entry that the page draws have the same shares
    drawn = [entry["nodes"][node]["agreement"] for node in leaves_in_order(tree)]
    assert drawn == [row.value for row in leaves]


def test_local_fit_is_measured_by_predicted_class():
    audited = subject()
    result = run(audited, None, plugins=(ref("explainer", "local_surrogate"),))
    models = result.raw[("local_surrogate", "reference")][0]
    inputs = draw_inputs(audited, [], None, SIZES, 3)
    decided = audited.decision(audited.native["holdout"])[inputs.sample]
    r2 = agreement.weighted_r2(models)
    rows = found(result, "class_local_r2")
    assert [row.about["output"] for row in rows] == ["no", "yes"]
    for index, row in enumerate(rows):
        assert row.value == pytest.approx(np.median(r2[decided == index]))
        assert row.n == np.sum(decided == index)
    assert not found(run(subject("regression"), None, output="regression"), "class_local_r2")
    assert not found(run(subject("regression"), None, output="regression"), "class_fidelity")


def test_without_training_rows_the_tree_is_judged_on_rows_outside_its_background():
    result = run(subject(training=False), None, plugins=(ref("explainer", "surrogate_tree"),))
    assert found(result, "fidelity")[0].n == 160
    assert result.explanations[0]["background"] == "holdout"


def test_importance_rows_are_ranked_with_intervals_and_noise_is_last():
    result = run(subject(), None, plugins=(ref("explainer", "permutation"),))
    shown = next(entry for entry in result.explanations if entry["of"] == "prediction_change")
    assert [row["rank"] for row in shown["rows"]] == [1, 2, 3, 4]
    assert shown["rows"][0]["feature"] == "income"
    assert shown["rows"][-1] == {"feature": "noise", "values": [0.0] * 5, "mean": 0.0, "low": 0.0, "high": 0.0, "rank": 4}
    assert found(result, "explain_cost")[0].value == pytest.approx(1 + 5 * 4, rel=0.1)
    assert not found(result, "drift")


def test_a_black_box_is_explained_natively():
    with_program, without = (run(subject(native=native), None) for native in (False, True))
    assert [row.value for row in found(with_program, "importance")] == [row.value for row in found(without, "importance")]


def test_drop_column_takes_its_floor_between_repeats_and_a_seedless_learner_has_floor_zero():
    audited = subject()

    def refits(several, variant, rows):
        answers = audited.native["holdout"] if variant is None else predict(variant.quantized, audited.encoded["holdout"])
        rng = np.random.default_rng(0)
        shifts = [rng.normal(0, 0.02, (len(answers), 1)) * several for _ in range(4 if several else 1)]
        return {
            name: [np.clip(answers * (0.5 + 0.1 * place) + shift, 0, 1)[rows] for shift in shifts]
            for place, name in enumerate(NAMES)
        }

    chosen = {"plugins": (ref("explainer", "drop_column"),)}
    noisy = run(audited, candidate("same"), refits=lambda variant, rows: refits(1, variant, rows), **chosen)
    floor = found(noisy, "drift_floor")[0]
    assert floor.n == 3
    assert floor.value > 0
    assert [row.value for row in found(noisy, "drift")] == [0.0] * 4
    fixed = run(audited, candidate("same"), refits=lambda variant, rows: refits(0, variant, rows), **chosen)
    assert [row.value for row in found(fixed, "drift_floor")] == [0.0] * 4
    assert fixed.explanations[1]["drift"][0]["deterministic"]
    assert found(fixed, "explain_cost")[0].value == pytest.approx(1 + 4)


def test_what_an_explainer_needs_and_does_not_get_is_a_row():
    result = run(subject(), candidate("same"), plugins=(*ALL, ref("explainer", "drop_column")))
    assert [(row.by, row.kind) for row in result.skipped] == [("drop_column", "declined")]
    assert "--train" in result.skipped[0].reason
    assert {row["name"]: row["status"] for row in result.plugins} == {
        "drop_column": "declined",
        "local_surrogate": "ran",
        "permutation": "ran",
        "surrogate_tree": "ran",
    }


def broken(context):
    raise OSError("the disk is gone")


def greedy(context):
    while True:
        context.predict({name: np.tile(values, 10_000) for name, values in context.background.items()})


def lying(context):
    return permutation.Importance(np.zeros((2, 7)), "prediction_change")


@pytest.mark.parametrize(
    ("function", "told"), [(broken, "the disk is gone"), (greedy, "the budget is"), (lying, "(2, 7), expected (repeats, 4)")]
)
def test_an_explainer_that_fails_changes_no_other_number(function, told):
    extra = {"wild": [Explainer("wild", "wild", function)]}
    alone = run(subject(), candidate("same"), plugins=(ref("explainer", "permutation"),))
    beside = run(subject(), candidate("same"), plugins=(ref("explainer", "wild"), ref("explainer", "permutation")), extra=extra)
    assert told in beside.skipped[0].reason
    assert beside.evidence == alone.evidence
    assert canonical_json(beside.explanations) == canonical_json(alone.explanations)


def test_settings_are_checked_and_passed_on():
    chosen = {"permutation": {"repeats": 2}}
    result = run(subject(), None, plugins=(ref("explainer", "permutation"),), selections=chosen)
    assert found(result, "importance")[0].n == 2
    assert result.plugins[0]["settings"] == {"repeats": 2}
    for wrong in ({"repeats": 0}, {"repeat": 2}, {"repeats": [2, 3]}):
        with pytest.raises(Refused, match="permutation"):
            run(subject(), None, plugins=(ref("explainer", "permutation"),), selections={"permutation": wrong})


def test_two_runs_in_any_plugin_order_are_equal_to_the_byte():
    one = run(subject(), candidate("some", weight=WEIGHT, bits=5))
    other = run(subject(), candidate("some", weight=WEIGHT, bits=5), plugins=ALL[::-1])
    for part in ("evidence", "explanations", "plugins"):
        assert canonical_json(getattr(one, part)) == canonical_json(getattr(other, part))


def test_one_row_and_one_class_are_no_failure():
    audited = subject(rows=1)
    result = run(audited, candidate("same"))
    assert not result.skipped
    assert found(result, "fidelity")[0].n == 1


TOY = """
import sys
sys.path.insert(0, {folder!r})
from test_explain_stage import toy
from qaudit import hookimpl

@hookimpl
def qaudit_offer_formats():
    yield toy()
"""


def test_the_same_numbers_come_from_real_children(tmp_path):
    file = tmp_path / "toy.py"
    file.write_text(TOY.format(folder=str(Path(__file__).parent)))
    audited = dataclasses.replace(subject(), format=ref("format", "toy", str(file)))
    plugins = tuple(dataclasses.replace(each, value=f"qaudit_explainers.{each.name}") for each in ALL)
    judged = candidate("some", weight=WEIGHT, bits=4)
    inside = run(audited, judged)
    outside = explain(audited, judged, (), hooks_for(plugins), {}, seed=3, sizes=SIZES)
    assert not outside.skipped
    assert canonical_json(outside.evidence) == canonical_json(inside.evidence)
