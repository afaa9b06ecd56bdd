"""Parses, checks, evaluates and records formulas that are given as text. The only file that imports numexpr.

Everything is float64. Allowed are names, numbers, + - * /, unary minus, squares, comparisons inside where, and the functions of
FUNCTIONS. With these, numexpr (>= 2.13.1) and the same operations in numpy give equal bits at every size, so results below SMALL
elements are computed by numpy; a fixed size decides, never a timing. exp, log and tanh differ in the last bit and are refused.

Two properties of numexpr need care. It turns a division by a literal into a product with its reciprocal; therefore numbers are
passed as arrays, and a float literal as divisor is refused. It also evaluates strings as code; therefore it receives only text
that was built here from a checked syntax tree, with generated names, and formulas come from code and never from a file.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numexpr
import numpy as np
from numpy.typing import NDArray

from qaudit.core.tensor import Floats

SMALL = 32_768
"""Results of fewer elements than this are computed by numpy."""
THREADS = 2
"""numexpr threads: fixed, and without effect on the result."""
LONGEST = 2_000
"""Characters of a formula."""


def _minimum(a: Floats, b: Floats) -> Floats:
    # np.minimum leaves the sign of a zero to the processor where 0.0 meets -0.0; numexpr takes the second
    return np.where((a < b) | np.isnan(a), a, b)


def _maximum(a: Floats, b: Floats) -> Floats:
    return np.where((a > b) | np.isnan(a), a, b)


FUNCTIONS: Mapping[str, tuple[str, int, Callable[..., Any]]] = {
    "abs": ("abs", 1, np.abs),
    "sqrt": ("sqrt", 1, np.sqrt),
    "round": ("round", 1, np.rint),
    "minimum": ("minimum", 2, _minimum),
    "maximum": ("maximum", 2, _maximum),
    "min": ("minimum", 2, _minimum),
    "max": ("maximum", 2, _maximum),
    "where": ("where", 3, np.where),
}
"""Name in a formula: name in numexpr, number of arguments, the same in numpy. `round` is to nearest, ties to even."""

_OPERATORS: Mapping[type[ast.AST], tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", np.add),
    ast.Sub: ("-", np.subtract),
    ast.Mult: ("*", np.multiply),
    ast.Div: ("/", np.divide),
    ast.Lt: ("<", np.less),
    ast.LtE: ("<=", np.less_equal),
    ast.Gt: (">", np.greater),
    ast.GtE: (">=", np.greater_equal),
    ast.Eq: ("==", np.equal),
    ast.NotEq: ("!=", np.not_equal),
}

_texts: ContextVar[list[str] | None] = ContextVar("formulas", default=None)


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula: its text with single spaces, its syntax tree, its sorted names, its numbers, its text for numexpr."""

    text: str
    tree: ast.expr
    names: tuple[str, ...]
    numbers: tuple[float, ...]
    machine: str


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Collects the text of every formula evaluated inside, each once, in order of first use."""
    texts: list[str] = []
    token = _texts.set(texts)
    try:
        yield texts
    finally:
        _texts.reset(token)


def evaluate(formula: str, **arrays: Any) -> Floats:
    """The formula over named numbers and arrays (broadcast together), in float64.

    Raises ValueError on text that is not allowed, on names that do not match the arrays, and on values that are not numbers.
    """
    parsed = parse(formula)
    values = {name: _floats(name, value) for name, value in arrays.items()}
    if missing := sorted(set(parsed.names) - set(values)):
        raise ValueError(f"formula {parsed.text!r}: no value for {', '.join(missing)}")
    if extra := sorted(set(values) - set(parsed.names)):
        raise ValueError(f"formula {parsed.text!r}: does not name {', '.join(extra)}")
    texts = _texts.get()
    if texts is not None and parsed.text not in texts:
        texts.append(parsed.text)
    size = np.prod(np.broadcast_shapes(*(value.shape for value in values.values())), dtype=np.int64)
    return by_numpy(parsed, values) if size < SMALL else by_numexpr(parsed, values)


def by_numexpr(parsed: Formula, values: Mapping[str, Floats]) -> Floats:
    """numexpr over whole arrays: threaded, no temporaries."""
    if numexpr.get_num_threads() != THREADS:
        numexpr.set_num_threads(THREADS)
    operands = {f"v{index}": values[name] for index, name in enumerate(parsed.names)}
    operands |= {f"c{index}": np.array(number) for index, number in enumerate(parsed.numbers)}
    return np.asarray(numexpr.evaluate(parsed.machine, local_dict=operands, global_dict={}), dtype=np.float64)


def by_numpy(parsed: Formula, values: Mapping[str, Floats]) -> Floats:
    """The same formula in numpy, operation by operation."""
    with np.errstate(all="ignore"):
        return np.array(_walk(parsed.tree, values), dtype=np.float64)


def _walk(node: ast.expr, values: Mapping[str, Floats]) -> Any:
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.Constant):
        return np.float64(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp):
        return np.negative(_walk(node.operand, values))
    if isinstance(node, ast.BinOp):
        left = _walk(node.left, values)
        if isinstance(node.op, ast.Pow):
            return np.multiply(left, left)
        return _OPERATORS[type(node.op)][1](left, _walk(node.right, values))
    if isinstance(node, ast.Compare):
        return _OPERATORS[type(node.ops[0])][1](_walk(node.left, values), _walk(node.comparators[0], values))
    # nothing but a call of a listed function is left: `parse` lets nothing else through
    assert isinstance(node, ast.Call)
    return FUNCTIONS[ast.unparse(node.func)][2](*(_walk(argument, values) for argument in node.args))


@lru_cache(maxsize=256)
def parse(formula: str) -> Formula:
    """Checks a formula. Raises ValueError in one line that says what is not allowed."""
    text = " ".join(formula.split())
    if len(text) > LONGEST:
        raise ValueError(f"formula of {len(text)} characters, at most {LONGEST}")
    try:
        tree = ast.parse(text, mode="eval").body
        writer = _Writer(text)
        machine = writer.number(tree)
    except (SyntaxError, RecursionError, MemoryError) as wrong:
        raise ValueError(f"formula {text!r}: {type(wrong).__name__}") from wrong
    names = tuple(sorted(writer.names))
    # placeholders carry the name while the tree is walked; now that all names are known they get their sorted number
    for index, name in enumerate(names):
        machine = machine.replace(f"<{name}>", f"v{index}")
    return Formula(text, tree, names, tuple(writer.numbers), machine)


class _Writer:
    """Writes the numexpr text of a tree and refuses every node that is not listed."""

    def __init__(self, text: str) -> None:
        self.text, self.names, self.numbers = text, set[str](), list[float]()

    def number(self, node: ast.expr) -> str:
        """The text of a node that has a number as its value."""
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.Constant):
            return self._constant(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return f"(-{self.number(node.operand)})"
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        raise self._no(node)

    def _name(self, name: str) -> str:
        if name in FUNCTIONS:
            raise ValueError(f"formula {self.text!r}: {name} is a function, not an array")
        self.names.add(name)
        return f"<{name}>"

    def _constant(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"formula {self.text!r}: {value!r} is no number")
        self.numbers.append(float(value))
        return f"c{len(self.numbers) - 1}"

    def _binary(self, node: ast.BinOp) -> str:
        if isinstance(node.op, ast.Pow):
            return self._square(node)
        if type(node.op) not in _OPERATORS:
            raise self._no(node)
        if isinstance(node.op, ast.Div) and _float_literal(node.right):
            raise ValueError(f"formula {self.text!r}: a float literal as divisor; pass it by name")
        return f"({self.number(node.left)} {_OPERATORS[type(node.op)][0]} {self.number(node.right)})"

    def _square(self, node: ast.BinOp) -> str:
        power = node.right.value if isinstance(node.right, ast.Constant) else None
        if isinstance(power, bool) or power != 2:
            raise ValueError(f"formula {self.text!r}: the only power is ** 2")
        base = self.number(node.left)
        return f"({base} * {base})"

    def _call(self, node: ast.Call) -> str:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise ValueError(f"formula {self.text!r}: no function {ast.unparse(node.func)}; there are {', '.join(FUNCTIONS)}")
        machine, arguments, _ = FUNCTIONS[name]
        if node.keywords or len(node.args) != arguments:
            raise ValueError(f"formula {self.text!r}: {name} takes {arguments} arguments")
        if name != "where":
            return f"{machine}({', '.join(self.number(argument) for argument in node.args)})"
        return f"where({self._condition(node.args[0])}, {self.number(node.args[1])}, {self.number(node.args[2])})"

    def _condition(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Compare) or len(node.ops) != 1 or type(node.ops[0]) not in _OPERATORS:
            raise ValueError(f"formula {self.text!r}: where takes one comparison first")
        return f"({self.number(node.left)} {_OPERATORS[type(node.ops[0])][0]} {self.number(node.comparators[0])})"

    def _no(self, node: ast.AST) -> ValueError:
        return ValueError(f"formula {self.text!r}: {type(node).__name__} is not allowed")


def _float_literal(node: ast.expr) -> bool:
    """A literal, or arithmetic of literals alone, with a float in it."""
    parts = list(ast.walk(node))
    return not any(isinstance(part, ast.Name) for part in parts) and any(
        isinstance(part, ast.Constant) and isinstance(part.value, float) for part in parts
    )


def _floats(name: str, value: Any) -> Floats:
    array: NDArray[Any] = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: {array.dtype} values, expected numbers")
    return array.astype(np.float64, copy=False)
