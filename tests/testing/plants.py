"""A good quantizer and a good explainer, and the single faults that are planted in them."""

from __future__ import annotations

QUANTIZER = '''
import os, socket, time
import numpy as np
from qaudit import Claims, Decline, QType, QuantizedTensor, Quantizer, Setting, hookimpl

SEEN = {}

def planted(values, calibration, *, bits):
    """Symmetric."""
    top = 2 ** (bits - 1) - 1
    peak = np.abs(values).max()
    scale = max(peak / top, np.finfo(float).tiny) if peak else 1.0
    codes = np.clip(np.rint(values / scale), -top, top).astype(np.int32)
    return QuantizedTensor(codes, scale=scale, qtype=QType(bits))

BITS = Setting((4, 8), allowed=range(2, 17))
CLAIMS = Claims(max_kept=True, idempotent=True)

@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("planted", "a planted fault", planted, settings={"bits": BITS}, claims=CLAIMS)
'''

_RINT = "np.rint(values / scale)"
_CODES = f"codes = np.clip({_RINT}, -top, top).astype(np.int32)"
_RETURN = "return QuantizedTensor(codes, scale=scale, qtype=QType(bits))"
_CLAIMS = "CLAIMS = Claims(max_kept=True, idempotent=True)"
_STOCHASTIC = (_CLAIMS, 'CLAIMS = Claims("stochastic")')
_DRAW = "np.random.Generator(np.random.Philox(calibration.seed)).random({})"
_OFFER = 'yield Quantizer("planted"'

_MEASURE = ("import Claims,", "import Claims, Measure,")
_TOP = 'measures=(Measure("top", "Codes at the end", "share", "precision"),)'
_WRONG = ("    return QuantizedTensor", '    calibration.record_measure("tops", 0.5)\n    return QuantizedTensor')

FAULTS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    # name: (the check that must fail, replacements in the good source)
    "a string in place of a record": ("A1", [(_OFFER, 'yield "planted"\n    yield Quantizer("planted"')]),
    "no hook": ("A1", [("@hookimpl\n", "")]),
    "raises while offering": ("A1", [(_OFFER, 'raise KeyError("weights")\n    yield Quantizer("planted"')]),
    "endless offers": ("A2", [(_OFFER, 'while True: yield Quantizer("planted"')]),
    "another name than promised": ("A3", [(_OFFER, 'yield Quantizer("plant" + "ed2"')]),
    "a summary of two lines": ("A3", [('"a planted fault"', '"a planted\\nfault"')]),
    "markup in the summary": ("A3", [('"a planted fault"', '"a <b>planted</b> fault"')]),
    "a setting that no function takes": ("A3", [('{"bits": BITS}', '{"bits": BITS, "mode": Setting(("a",))}')]),
    "a default that is not allowed": ("A3", [("Setting((4, 8),", "Setting((4, 32),")]),
    "an import of internals": ("A4", [("import numpy as np", "import numpy as np\nfrom qaudit.core.tensor import dither")]),
    "an import of internals by name": (
        "A4",
        [("import numpy as np", 'import numpy as np\nimport importlib\nimportlib.import_module("qaudit.sandbox.job")')],
    ),
    "prints when imported": ("A5", [("SEEN = {}", 'SEEN = {}\nprint("hello")')]),
    "a slow import": (
        "A5",
        [("SEEN = {}", "SEEN = {}\nbegan = time.process_time()\nwhile time.process_time() < began + 1.2: pass")],
    ),
    "fails when imported": ("A5", [("SEEN = {}", "import no_such_module_at_all")]),
    "writes a file": ("A6", [("    top =", '    open("seen.txt", "w").close()\n    top =')]),
    "looks up a host": (
        "A6",
        [("    top =", '    try: socket.getaddrinfo("localhost", 80)\n    except OSError: pass\n    top =')],
    ),
    "starts a process": ("A6", [("    top =", '    os.system("true")\n    top =')]),
    "declines everything": ("A7", [("    top =", '    raise Decline("not today")\n    top =')]),
    "quantizes nothing": ("A7", [("    top =", "    return None\n    top =")]),
    "raises on weights": ("A7", [("    top =", '    if values.ndim == 2: raise KeyError("axis")\n    top =')]),
    "never records its measure": ("A8", [_MEASURE, ("claims=CLAIMS)", f"claims=CLAIMS, {_TOP})")]),
    "a measure in an unknown unit": ("A8", [_MEASURE, ("claims=CLAIMS)", f"claims=CLAIMS, {_TOP.replace('share', 'furlong')})")]),
    "records what is not declared": ("A8", [_MEASURE, ("claims=CLAIMS)", f"claims=CLAIMS, {_TOP})"), _WRONG]),
    "aborts": ("A7", [("    top =", "    os.abort()\n    top =")]),
    "transposed codes": ("B1", [(_RETURN, _RETURN.replace("codes, ", "codes.T, "))]),
    "flat codes": ("B1", [(_RETURN, _RETURN.replace("codes, ", "codes.ravel(), "))]),
    "a bare array": ("B1", [(_RETURN, "return codes * scale")]),
    "codes outside their type": ("B2", [("peak / top", "peak / (top + 13)"), (_CODES, f"codes = {_RINT}.astype(np.int32)")]),
    "codes that are floats": ("B2", [(".astype(np.int32)", "")]),
    "a negative scale": ("B3", [(_RETURN, _RETURN.replace("scale=scale", "scale=-scale"))]),
    "a zero point that is no integer": ("B3", [(_RETURN, _RETURN.replace("scale=scale", "scale=scale, zero_point=0.5"))]),
    "zeros that become one step": ("B4", [(_RETURN, f"codes = codes + (codes == 0)\n    {_RETURN}")]),
    "rounds down and claims nearest": ("B5", [("np.rint", "np.floor")]),
    "rounds towards zero and claims nearest": ("B5", [("np.rint", "np.trunc")]),
    "takes the mean off and forgets it": ("B5", [(_RINT, "np.rint((values - values.mean()) / scale)")]),
    "wraps at sixteen bits": ("B5", [(".astype(np.int32)", ".astype(np.int8).astype(np.int32)")]),
    "scale zero for zeros": ("B6", [("if peak else 1.0", "if peak else 0.0")]),
    "raises on zeros": ("B6", [("    scale =", '    if not peak: raise ZeroDivisionError("scale")\n    scale =')]),
    "underflows on denormal values": ("B6", [("max(peak / top, np.finfo(float).tiny)", "peak / top")]),
    "scales of the other axis": (
        "B7",
        [
            (
                "    codes =",
                "    if values.ndim == 2 and values.shape[0] == values.shape[1]:\n"
                "        scale = np.maximum(np.abs(values).max(axis=0) / top, 1e-300)\n"
                "        codes = np.clip(np.rint(values / scale[:, None]), -top, top).astype(np.int32)\n"
                "        return QuantizedTensor(codes, scale=scale, qtype=QType(bits), axis=0)\n    codes =",
            )
        ],
    ),
    "shrinks at every turn": ("B8", [("peak / top", "np.abs(values).mean() * 2 / top"), ("max_kept=True, ", "")]),
    "clips a tenth of the range": ("B9", [("peak / top", "0.9 * peak / top")]),
    "an absolute epsilon in the scale": ("B10", [("peak / top", "peak / top + 1e-7"), (_CLAIMS, "CLAIMS = Claims()")]),
    "fewer levels at eight bits": ("B11", [("2 ** (bits - 1) - 1", "2 ** ((bits if bits < 8 else 3) - 1) - 1")]),
    "a draw that is not centred": (
        "B12",
        [(_RINT, f"np.rint(values / scale + {_DRAW.format('values.shape')})"), _STOCHASTIC],
    ),
    "one draw for all": ("B12", [(_RINT, f"np.rint(values / scale + {_DRAW.format('')} - 0.5)"), _STOCHASTIC]),
    "draws from the clock": (
        "C1",
        [(_RINT, "np.rint(values / scale + np.random.default_rng().random(values.shape) - 0.5)"), _STOCHASTIC],
    ),
    "draws from the process": (
        "C1",
        [(_RINT, "np.rint(values / scale + np.random.default_rng(os.getpid()).random(values.shape) - 0.5)"), _STOCHASTIC],
    ),
    "sorts what it was given": ("C2", [("    top =", "    if values.flags.writeable: values.sort()\n    top =")]),
    "seeds the global generator": ("C3", [("    top =", "    np.random.seed(0)\n    top =")]),
    "silences numpy's errors": ("C3", [("    top =", '    np.seterr(all="ignore")\n    top =')]),
    "leaves a variable in the environment": (
        "C3",
        [("    top =", '    os.environ["SEEN"] = str(values.size + bits)\n    top =')],
    ),
    "remembers the first scale of a shape": (
        "C3",
        [("    codes =", "    SEEN[values.shape] = scale = SEEN.get(values.shape, scale)\n    codes =")],
    ),
    "reads memory in its own order": (
        "C4",
        [(_RETURN, _RETURN.replace("codes, ", 'codes.ravel(order="K").reshape(codes.shape), '))],
    ),
    "prints when called": ("C5", [("    top =", "    print(bits)\n    top =")]),
    "NaN as zero": ("C6", [("    top =", "    values = np.nan_to_num(values)\n    top =")]),
    "an allowed setting that fails": ("C6", [("    top =", '    if bits == 2: raise ValueError("two")\n    top =')]),
}

EXPLAINER = '''
import os
import numpy as np
from qaudit import Attributions, Explainer, Importance, Setting, hookimpl

def explain(context, *, draws):
    """How far the prediction moves when a column takes the value of a background row."""
    each = np.arange(len(context.output))
    plain = context.predict(context.rows)[each, context.output]
    moved = np.zeros((draws, len(context.names)))
    for j, name in enumerate(context.names):
        values = context.background[name]
        for draw in range(draws):
            other = np.full_like(context.rows[name], values[draw * len(values) // draws])
            asked = context.predict({**context.rows, name: other})
            moved[draw, j] = np.abs(asked[each, context.output] - plain).mean()
    return Importance(moved, "prediction_change")

@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("planted", "a planted fault", explain, settings={"draws": Setting((5,), allowed=range(1, 51))})
'''

_MOVED = 'return Importance(moved, "prediction_change")'
_EACH = "    each ="
_END = "allowed=range(1, 51))})"

EXPLAINER_FAULTS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "an unknown need": (
        "A3",
        [("Setting((5,), allowed=range(1, 51))}", 'Setting((5,), allowed=range(1, 51))}, needs=("gradients",)')],
    ),
    "writes a file": ("A6", [(_EACH, '    open("seen", "w").close()\n    each =')]),
    "returns an array": ("A7", [(_MOVED, "return moved")]),
    "one column short": ("A7", [(_MOVED, 'return Importance(moved[:, 1:], "prediction_change")')]),
    "not finite": ("A7", [(_MOVED, 'return Importance(moved / 0.0, "prediction_change")')]),
    "never records its measure": (
        "A8",
        [("import Attributions,", "import Attributions, Measure,"), (_END, f"{_END[:-1]}, {_TOP})")],
    ),
    "records another value each time": (
        "C1",
        [
            ("import Attributions,", "import Attributions, Measure,"),
            (_END, f"{_END[:-1]}, {_TOP})"),
            (_MOVED, f'context.record_measure("top", np.random.default_rng().random())\n    {_MOVED}'),
        ],
    ),
    "draws from the clock": (
        "C1",
        [(_MOVED, 'return Importance(moved * np.random.default_rng().random(), "prediction_change")')],
    ),
    "draws from the process": ("C1", [(_MOVED, 'return Importance(moved * os.getpid(), "prediction_change")')]),
    "writes into the rows": ("C2", [(_EACH, '    context.rows["age"][0] = 0.0\n    each =')]),
    "writes into the background": ("C2", [(_EACH, '    context.background["debt"][:] = 0.0\n    each =')]),
    "seeds the global generator": ("C3", [(_EACH, "    np.random.seed(context.seed)\n    each =")]),
    "prints": ("C5", [(_EACH, "    print(context.names)\n    each =")]),
    "fails on one row": ("C6", [(_EACH, "    assert len(context.output) > 1\n    each =")]),
    "fails on missing values": ("C6", [(_EACH, "    assert not np.isnan(context.rows['income']).any()\n    each =")]),
    "fails on three classes": ("C6", [(_EACH, "    assert len(context.classes) < 3\n    each =")]),
    "columns in the order of the alphabet": (
        "D1",
        [(_MOVED, 'moved = moved[:, np.argsort(context.names)]\n    return Importance(moved, "prediction_change")')],
    ),
    "columns turned around": ("D1", [(_MOVED, 'return Importance(moved[:, ::-1], "prediction_change")')]),
    "noise for a constant model": ("D2", [(_MOVED, 'return Importance(moved + 0.01, "prediction_change")')]),
    "shares that sum to one": ("D2", [(_MOVED, 'return Importance((moved + 1e-9) / (moved + 1e-9).sum(), "prediction_change")')]),
    "never asks the model": ("D3", [("context.predict", "(lambda rows: np.ones((len(each), 3)))")] * 2),
    "more than its budget": (
        "A7",
        [(_EACH, "    context.predict({k: np.repeat(v, 6000) for k, v in context.rows.items()})\n    each =")],
    ),
    "the first column counts double": ("D4", [(_MOVED, 'moved[:, 0] *= 2\n    return Importance(moved, "prediction_change")')]),
}


def planted(source: str, replacements: list[tuple[str, str]]) -> str:
    """The good source with its fault. Every replacement must find its place."""
    for old, new in replacements:
        assert old in source, old
        source = source.replace(old, new, 1)
    return source
