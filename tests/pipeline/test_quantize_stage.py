"""The quantize stage with real units: candidates, evidence, what declines, and planted broken quantizers."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hosting import hooks_for
from subjects import subject

from qaudit.core.evidence import canonical_json
from qaudit.core.plugin_settings import parse_id
from qaudit.core.program import Program
from qaudit.core.steps import Dense, Trees
from qaudit.engine.sweep import predict
from qaudit.errors import Refused
from qaudit.pipeline.stages.quantize import quantize
from qaudit.pipeline.types import Candidates, LoadedSubject
from qaudit.sandbox.job import PluginRef

BUILT_IN = ("affine", "bucket_prune", "dithered", "fully_connected", "symmetric")


def built_in(*names: str) -> list[PluginRef]:
    return [PluginRef("quantizer", name, f"qaudit_quantizers.{name}", "qaudit", "0.1.0", "0" * 64) for name in names]


def planted(folder: Path, name: str, body: str, record: str = "") -> list[PluginRef]:
    """A plugin file whose quantizer is `f(values, calibration, *, bits)`."""
    file = folder / f"{name}.py"
    record = record or f'Quantizer("{name}", "planted", f, settings={{"bits": Setting((4,), allowed=range(2, 9))}})'
    head = "import numpy as np\nfrom qaudit import *\n\n"
    hook = f"\n\n@hookimpl\ndef qaudit_offer_quantizers(subject):\n    yield {record}\n"
    file.write_text(head + textwrap.dedent(body).strip() + hook)
    return [PluginRef("quantizer", name, file.name, "unpackaged", "", "0" * 64, str(file))]


def network(rows: int = 40) -> LoadedSubject:
    """Two dense layers, with calibration rows."""
    rng = np.random.default_rng(8)
    steps = (Dense(rng.normal(size=(4, 3)), rng.normal(size=4), "relu"), Dense(rng.normal(size=(1, 4)), rng.normal(size=1)))
    program = Program(("x0", "x1", "x2"), steps, "logistic", "binary", ("no", "yes"))
    return calibrated(subject(program=program), rows)


def calibrated(of: LoadedSubject, rows: int = 40) -> LoadedSubject:
    return replace(of, encoded={**of.encoded, "calibration": np.random.default_rng(9).normal(size=(rows, 3))})


def forest() -> LoadedSubject:
    """Two stumps on two features."""
    trees = Trees(
        left=np.array([1, -1, -1, 4, -1, -1], np.int32),
        right=np.array([2, -1, -1, 5, -1, -1], np.int32),
        feature=np.array([0, -2, -2, 1, -2, -2], np.int32),
        threshold=np.array([0.3, 0, 0, -0.7, 0, 0]),
        value=np.array([[0.0], [1.0], [-2.0], [0.0], [0.5], [0.1]]),
        roots=np.array([0, 3], np.int32),
        base=np.zeros(1),
        missing_left=np.zeros(6, bool),
        aggregate="sum",
    )
    return calibrated(subject(program=Program(("x0", "x1", "x2"), (trees,), "logistic", "binary", ("no", "yes"))))


def made(of: LoadedSubject, refs: list[PluginRef], chosen: Any = None, bits: Any = None, seed: int = 3) -> Candidates:
    return quantize(of, hooks_for(refs), chosen or {}, bits=bits, seed=seed)


@pytest.fixture(scope="module")
def whole() -> Candidates:
    return made(network(), built_in(*BUILT_IN))


def test_default_sweep_of_a_network(whole):
    by = {name: [one for one in whole.all if one.by == name] for name in BUILT_IN}
    assert {name: len(found) for name, found in by.items()} == {
        "affine": 8,
        "bucket_prune": 4,
        "dithered": 6,
        "fully_connected": 2,
        "symmetric": 8,
    }
    assert whole.skipped == ()
    assert [row["name"] for row in whole.plugins] == sorted(BUILT_IN)
    assert {row["status"] for row in whole.plugins} == {"ran"}
    assert all(row["summary"] and row["settings"]["bits"] for row in whole.plugins)
    expected = [(axis, bits) for axis in ("channel", "tensor") for bits in (2, 4, 6, 8)]
    assert [one.id for one in by["symmetric"]] == [f"symmetric(axis='{axis}',bits={bits})" for axis, bits in expected]


def test_ids_are_read_back_and_every_setting_is_written(whole):
    for one in whole.all:
        assert parse_id(one.id) == (one.by, dict(one.settings))


def test_rows_hold_formulas_laws_sizes_and_tensors(whole):
    rows = {one.id: one.row for one in whole.all}
    canonical_json(list(rows.values()))
    row = rows["symmetric(axis='tensor',bits=8)"]
    assert row["formulas"] == {
        "weight": "maximum(peak / high, tiny); minimum(maximum(round(w / scale), low), high)",
        "dequantization of weight": "values = codes * scale",
    }
    # 16 weights of 8 bits and two scales of 32; 5 biases of 64
    assert row["effective_bits"] == (16 * 8 + 2 * 32) / 16
    assert row["size_bytes"] == (16 * 8 + 2 * 32 + 5 * 64) // 8
    assert [(t["parameter"], t["bits"], t["shape"]) for t in row["tensors"]] == [
        ("layer0.weight", 8, [4, 3]),
        ("layer1.weight", 8, [1, 4]),
    ]
    # in integers: 5 scales, 5 biases of 32 bits, two grids of a scale and a code
    integers = rows["fully_connected(bits=8,input_bits=8,mode='full')"]
    assert integers["effective_bits"] == (16 * 8 + 5 * 32) / 16
    assert integers["size_bytes"] == (16 * 8 + 5 * 32 + 5 * 32 + 2 * 40) // 8
    whole_layer = rows["fully_connected(bits=4,input_bits=8,mode='full')"]
    assert whole_layer["formulas"]["dequantization of input"] == "values = (codes - zero_point) * scale"
    assert "bias / (weight_scale * input_scale)" in whole_layer["formulas"]["bias"]
    assert [t["role"] for t in whole_layer["tensors"]] == ["weight", "weight", "bias", "bias"]
    subtractive = rows["dithered(axis='tensor',bits=4,dither='subtractive',k=None,range='maxabs',seed=0)"]
    assert subtractive["formulas"]["dequantization of weight"] == "values = offset + (codes - dither) * scale"


def test_evidence_is_what_the_codes_say(whole):
    of = network()
    known = of.program.parameters()
    rows = {(row.measure, *map(row.about.get, ("candidate", "parameter", "range"))): row for row in whole.evidence}
    assert len(rows) == len(whole.evidence)
    for one in whole.all:
        for name, tensor in one.quantized.tensors.items():
            error = np.abs(tensor.dequantize() - known[name].values)
            assert rows["max_abs_error", one.id, name, None].value == error.max()
            ratio = 10 * np.log10((known[name].values ** 2).sum() / (error**2).sum())
            assert rows["sqnr_db", one.id, name, None].value == pytest.approx(ratio, rel=1e-12)
        assert rows["effective_bits", one.id, None, None].value == one.row["effective_bits"]
        assert rows["size_bytes", one.id, None, None].value == one.row["size_bytes"]
    assert rows["effective_bits", "reference", None, None].value == 64
    assert rows["size_bytes", "reference", None, None].value == 21 * 8


def test_contributions_are_measured_on_calibration_rows(whole):
    of = network()
    found = [row for row in whole.evidence if row.measure == "contribution"]
    assert {row.by for row in found} == {"bucket_prune"}
    assert {row.n for row in found} == {40}
    weight = of.program.steps[1].weight
    edges = np.abs(weight).max() * np.arange(5) / 4
    cal = of.encoded["calibration"]
    for row in found:
        if row.about["parameter"] != "layer1.weight":
            continue
        k = int(row.about["range"].split()[1]) - 1
        inside = (np.abs(weight) >= edges[k]) & ((np.abs(weight) < edges[k + 1]) | (k == 3))
        zeroed = of.program.with_parameters({"layer1.weight": np.where(inside, 0.0, weight)})
        assert row.value == pytest.approx(np.abs(predict(zeroed, cal) - predict(of.program, cal)).mean(), rel=1e-12)


def test_a_network_in_integers_predicts_near_the_float_one(whole):
    of = network()
    one = next(c for c in whole.all if c.id == "fully_connected(bits=8,input_bits=8,mode='full')")
    cal = of.encoded["calibration"]
    assert set(one.quantized.grids) == {0, 1}
    assert one.quantized.tensors["layer0.bias"].qtype.bits == 32
    assert np.abs(predict(one.quantized, cal) - predict(of.program, cal)).max() < 0.02


def test_inputs_of_a_later_layer_are_the_float_models_own(whole):
    one = next(c for c in whole.all if c.by == "fully_connected")
    first = network().program.steps[0]
    hidden = np.maximum(network().encoded["calibration"] @ first.weight.T + first.bias, 0)
    assert one.quantized.grids[1].scale == pytest.approx(hidden.max() / 255, rel=1e-12)
    assert one.quantized.grids[1].zero_point == 0


def test_trees_take_what_fits_and_say_what_does_not():
    found = made(forest(), built_in(*BUILT_IN))
    assert {one.by for one in found.all} == {"affine", "bucket_prune", "dithered", "symmetric"}
    reasons = [(row.by, row.kind, row.reason) for row in found.skipped]
    assert len(reasons) == 3
    assert all(kind == "declined" for _, kind, _ in reasons)
    assert reasons[0][:2] == ("affine", "declined")
    assert "axis='channel' needs a parameter with an output axis (4 candidates, the first is affine(axis='channel',bits=2))" in [
        reason for _, _, reason in reasons
    ]
    status = {row["name"]: row["status"] for row in found.plugins}
    assert status == {**dict.fromkeys(BUILT_IN, "ran"), "fully_connected": "declined"}
    pruned = next(one for one in found.all if one.by == "bucket_prune")
    assert set(pruned.quantized.tensors) == {"leaf[0]"}
    plain = next(one for one in found.all if one.by == "symmetric")
    assert set(plain.quantized.tensors) == {"threshold[x0]", "threshold[x1]", "leaf[0]"}


def test_without_calibration_rows_what_needs_them_declines():
    found = made(subject(), built_in("bucket_prune", "fully_connected", "symmetric"))
    assert {one.by for one in found.all} == {"symmetric"}
    assert [row.by for row in found.skipped] == ["bucket_prune", "fully_connected"]
    assert all(row.kind == "declined" and "--calibration-share" in row.reason for row in found.skipped)


def test_a_black_box_declines_visibly():
    found = made(subject(program=None, why_not="a voting ensemble"), built_in("affine", "symmetric"))
    assert found.all == ()
    assert found.evidence == ()
    assert [row.kind for row in found.skipped] == ["declined"] * 2
    assert "a voting ensemble" in found.skipped[0].reason
    assert [row["status"] for row in found.plugins] == ["declined"] * 2
    assert all(row["summary"] for row in found.plugins)


def test_same_bytes_whatever_the_order_and_the_company():
    one = made(network(), built_in("symmetric", "dithered"))
    two = made(network(), built_in("dithered", "affine", "symmetric"))
    ours = [row for row in two.evidence if row.by != "affine"]
    assert canonical_json(ours) == canonical_json(one.evidence)
    assert [c.row for c in two.all if c.by != "affine"] == [c.row for c in one.all]


def test_the_audits_seed_moves_the_dither_and_nothing_else():
    chosen = {"dithered": {"bits": 3}}
    first, second = (made(network(), built_in("dithered"), chosen, seed=seed) for seed in (1, 2))
    changed = [a.row["tensors"] != b.row["tensors"] for a, b in zip(first.all, second.all, strict=True)]
    assert changed == [False, True, True]


def test_settings_are_the_authors_then_the_audits_bits_then_the_default():
    found = made(network(), built_in("symmetric", "affine"), {"symmetric": {"bits": [5], "axis": "tensor"}}, bits=[3, 99])
    assert [one.id for one in found.all] == [
        "affine(axis='channel',bits=3)",
        "affine(axis='tensor',bits=3)",
        "symmetric(axis='tensor',bits=5)",
    ]
    assert [(row.by, row.kind, row.reason) for row in found.skipped] == [("affine", "declined", "bits 99: not among 2 to 16")]


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"bit": 8}, "symmetric: unknown setting 'bit'; did you mean 'bits'?"),
        ({"bits": 99}, "symmetric: setting 'bits' is 99; allowed: 2 to 16"),
        ({"axis": "row"}, "symmetric: setting 'axis' is 'row'; allowed: 'tensor', 'channel'"),
    ],
)
def test_a_wrong_setting_is_refused(chosen, words):
    with pytest.raises(Refused) as refused:
        made(network(), built_in("symmetric"), {"symmetric": chosen})
    assert words in str(refused.value)


GOOD = "return QuantizedTensor(np.zeros(values.shape, np.int32), scale=1.0, qtype=QType(bits))"
BROKEN = {
    "wrong_shape": ("return QuantizedTensor(np.zeros(7, np.int32), scale=1.0, qtype=QType(bits))", "shape (7,)"),
    "transposed": ("return QuantizedTensor(np.zeros(values.T.shape, np.int32), scale=1.0, qtype=QType(bits))", "expected (4, 3)"),
    "float_codes": ("return QuantizedTensor(values, scale=1.0, qtype=QType(bits))", "expected an integer array"),
    "codes_beyond": ("return QuantizedTensor(np.full(values.shape, 99), scale=1.0, qtype=QType(bits))", "expected -7 to 7"),
    "scale_nan": ("return QuantizedTensor(np.zeros(values.shape, np.int32), scale=float('nan'), qtype=QType(bits))", "scale"),
    "scale_zero": ("return QuantizedTensor(np.zeros(values.shape, np.int32), scale=0.0, qtype=QType(bits))", "scale"),
    "scale_short": (
        "return QuantizedTensor(np.zeros(values.shape, np.int32), scale=np.ones(2), qtype=QType(bits), axis=0)",
        "expected (4,)",
    ),
    "plain_array": ("return np.zeros(values.shape)", "expected a QuantizedTensor"),
    "text": ("return 'done'", "gave a str"),
    "moves_zero": ("return QuantizedTensor(np.ones(values.shape, np.int32), scale=1.0, qtype=QType(bits))", "claims exact zeros"),
    "writes_input": (f"values[0] = 0\n    {GOOD}", "read-only"),
    "writes_rows": (f"calibration.inputs[0] = 0\n    {GOOD}", "read-only"),
    "raises": ("raise KeyError('nothing')", "KeyError: 'nothing'"),
    "own_seed": (
        "return QuantizedTensor(np.random.default_rng().integers(-7, 7, values.shape), scale=1.0, qtype=QType(bits))",
        "claims",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_planted_broken_quantizers_are_rows_not_candidates(name, tmp_path):
    body, words = BROKEN[name]
    of = network()
    first = of.program.steps[0]
    weight = first.weight.copy()
    weight[0, 0] = 0.0
    of = replace(of, program=replace(of.program, steps=(replace(first, weight=weight), of.program.steps[1])))
    found = made(of, [*planted(tmp_path, name, f"def f(values, calibration, *, bits):\n    {body}"), *built_in("affine")])
    assert {one.by for one in found.all} == {"affine"}
    assert [(row.by, row.kind) for row in found.skipped] == [(name, "failed")]
    assert words in found.skipped[0].reason
    assert {row["name"]: row["status"] for row in found.plugins} == {"affine": "ran", name: "failed"}


def test_one_bad_combination_spares_the_others(tmp_path):
    body = f"""
    def f(values, calibration, *, bits):
        if bits == 3:
            raise Decline("not three")
        if bits == 5:
            raise ValueError("five")
        {GOOD}
    """
    found = made(network(), planted(tmp_path, "picky", body), bits=[2, 3, 4, 5])
    assert [one.settings["bits"] for one in found.all] == [2, 4]
    assert [(row.kind, row.reason) for row in found.skipped] == [
        ("declined", "not three (picky(bits=3))"),
        ("failed", "ValueError: five (picky(bits=5))"),
    ]
    assert found.plugins[0]["status"] == "ran"
    assert "five" in found.plugins[0]["reason"]
    assert found.all[0].row["formulas"]["weight"] == "codes made by the plugin's own code"


def test_a_formula_that_was_not_evaluated_is_not_printed(tmp_path):
    body = f"""
    def f(values, calibration, *, bits):
        {GOOD.replace("qtype=QType(bits))", "qtype=QType(bits), formula='w * 0')")}
    """
    found = made(network(), planted(tmp_path, "boasts", body))
    assert found.all[0].row["formulas"]["weight"] == "codes made by the plugin's own code"
    assert {t.formula for t in found.all[0].quantized.tensors.values()} == {None}


def test_none_leaves_a_parameter_in_float(tmp_path):
    body = f"""
    def f(values, calibration, *, bits):
        if calibration.name == "layer1.weight":
            return None
        {GOOD}
    """
    found = made(network(), planted(tmp_path, "half", body))
    assert set(found.all[0].quantized.tensors) == {"layer0.weight"}
    nothing = made(network(), planted(tmp_path, "none", "def f(values, calibration, *, bits):\n    return None"))
    assert nothing.all == ()
    assert nothing.skipped[0].kind == "declined"


def test_a_model_quantizer_may_not_touch_biases_or_strangers(tmp_path):
    for name, key in (("bias", "layer0.bias"), ("stranger", "layer9.weight")):
        body = f"""
        def f(program, calibrations):
            return {{"{key}": QuantizedTensor(np.zeros(4, np.int32), scale=1.0, qtype=QType(8))}}
        """
        found = made(network(), planted(tmp_path, name, body, f'Quantizer("{name}", "planted", model=f)'))
        assert found.all == ()
        assert f"{key!r} is no parameter that may be replaced" in found.skipped[0].reason


def test_a_plugin_that_cannot_be_imported_is_broken(tmp_path):
    found = made(network(), planted(tmp_path, "typo", "import there_is_no_such_module"))
    assert found.plugins[0]["status"] == "broken"
    assert found.skipped[0].kind == "failed"


def test_an_unknown_need_declines(tmp_path):
    body = f"def f(values, calibration):\n    {GOOD.replace('bits', '8')}"
    found = made(network(), planted(tmp_path, "wants", body, 'Quantizer("wants", "planted", f, needs=("labels",))'))
    assert [(row.kind, row.reason) for row in found.skipped] == [("declined", "needs labels, which no quantizer is given")]


def test_the_stranger_of_the_documentation(tmp_path):
    file = Path(__file__).parents[2] / "examples" / "third_party_quantizer" / "qaudit_pow2.py"
    assert len(file.read_text().splitlines()) == 14
    stranger = PluginRef("quantizer", "pow2", "qaudit_pow2", "qaudit-pow2", "1.0.0", "0" * 64, str(file))
    found = made(network(), [stranger])
    assert [one.id for one in found.all] == ["pow2(bits=2)", "pow2(bits=4)", "pow2(bits=8)"]
    scales = [float(t.scale) for one in found.all for t in one.quantized.tensors.values()]
    assert all(np.log2(scale) % 1 == 0 for scale in scales)
    assert found.skipped == ()
    assert found.plugins[0]["distribution"] == "qaudit-pow2"
