"""Mutants of a Python file: each is the file with one small change, made on the syntax tree.

Left alone are annotations, docstrings and all other strings (messages with them), decorators, imports, `__all__`, what stands
under `if TYPE_CHECKING`, `assert_never`, of which mypy proves that it is never reached, and numbers of `places=`, which only put
the measures of the catalogue in order.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
NAMES = {
    "min": "max",
    "minimum": "maximum",
    "argmin": "argmax",
    "nanmin": "nanmax",
    "any": "all",
    "floor": "ceil",
    "ones": "zeros",
    "ones_like": "zeros_like",
    "sum": "max",
    "mean": "median",
    "rint": "floor",
    "rankdata": "argsort",
    "log2": "log10",
    "log": "log2",
    "sorted": "list",
    "argsort": "argmax",
    "repeat": "tile",
    "ppf": "cdf",
}
"""Functions and methods that are swapped for each other; where two names map to one, the way back is the first."""
SWAPS = {**{new: old for old, new in reversed(NAMES.items())}, **NAMES}
UNWRAPPED = {"abs", "sqrt", "clip", "square", "floor", "ceil", "sign", "round", "ascontiguousarray", "unique", "expm1", "log1p"}
"""Functions whose call is replaced by its first argument."""
SHOWN = ast.expr | ast.keyword | ast.comprehension | ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return | ast.Expr
CONTEXT = 100
"""An expression or statement around the change is shown up to this many characters."""


@dataclass(frozen=True)
class Mutant:
    """One changed file. `before` and `after` are the texts of the expression or statement around the change."""

    file: str
    function: str
    line: int
    column: int
    kind: str
    before: str
    after: str
    number: int
    source: str

    @property
    def id(self) -> str:
        """A name that stays the same when lines above move: function and changed text, and a number where that repeats."""
        again = f" #{self.number}" if self.number > 1 else ""
        return f"{self.file}::{self.function}::{self.before} -> {self.after}{again}"

    @property
    def place(self) -> str:
        """file:line:column:kind, as an editor finds it."""
        return f"{self.file}:{self.line}:{self.column}:{self.kind}"


@dataclass
class Site:
    """A node with the way to put another in its place: `parents` from the module down, then the field (and index) of the last."""

    node: ast.AST
    parents: tuple[ast.AST, ...]
    field: str
    index: int | None
    function: str

    def put(self, node: ast.AST) -> None:
        """Let `node` stand at this place."""
        if self.index is None:
            setattr(self.parents[-1], self.field, node)
        else:
            getattr(self.parents[-1], self.field)[self.index] = node

    def around(self) -> ast.AST:
        """The largest expression or simple statement around the node that is still short, else the node itself."""
        widest = self.node
        for parent in reversed(self.parents):
            if isinstance(widest, ast.stmt) or not isinstance(parent, SHOWN) or len(ast.unparse(parent)) > CONTEXT:
                break
            widest = parent
        return widest


def mutants(text: str, file: str) -> list[Mutant]:
    """All mutants of a file's text, in order of lines. Every one is different source, and can be compiled."""
    tree, made, ids = ast.parse(text), [], dict[str, int]()
    statements = [ast.unparse(statement) for statement in tree.body]
    seen = {"\n".join(statements)}
    for site in _sites(tree, (), "<module>"):
        for kind, node in _changes(site):
            wide, top = site.around(), _top(site, tree)
            before = _first_line(wide)
            site.put(node)
            after = _first_line(node if wide is site.node else wide)
            source = "\n".join([*statements[:top], ast.unparse(tree.body[top]), *statements[top + 1 :]])
            site.put(site.node)
            if source in seen:
                continue
            seen.add(source)
            key = f"{site.function}::{before} -> {after}"
            ids[key] = ids.get(key, 0) + 1
            placed = next(
                each for each in (site.node, *reversed(site.parents)) if isinstance(each, ast.expr | ast.stmt | ast.arg)
            )
            line, column = placed.lineno, placed.col_offset
            made.append(Mutant(file, site.function, line, column, kind, before, after, ids[key], source))
    return made


def _first_line(node: ast.AST) -> str:
    return ast.unparse(node).split("\n")[0]


def _top(site: Site, tree: ast.Module) -> int:
    """The number of the statement of the module in which the change is made."""
    return tree.body.index(site.parents[1] if len(site.parents) > 1 else site.node)  # type: ignore[arg-type]


def _sites(node: ast.AST, parents: tuple[ast.AST, ...], function: str) -> Iterator[Site]:
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _left_alone(child):
                continue
            name = getattr(child, "name", None)
            inner = function
            # A function inside another belongs to it: the trace of calls names the outer one.
            if isinstance(child, ast.FunctionDef | ast.ClassDef) and not _in_function((*parents, node)):
                inner = str(name) if function == "<module>" else f"{function}.{name}"
            yield Site(child, (*parents, node), field, index, inner)
            yield from _sites(child, (*parents, node), inner)


def _in_function(nodes: tuple[ast.AST, ...]) -> bool:
    return any(isinstance(node, ast.FunctionDef) for node in nodes)


def _left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr) or (isinstance(node, ast.keyword) and node.arg == "places"):
        return True
    if isinstance(node, ast.If | ast.Expr) and _first_line(node).startswith(("if TYPE_CHECKING", "assert_never(")):
        return True
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return isinstance(target, ast.Name) and target.id == "__all__"
    return False


def _changes(site: Site) -> Iterator[tuple[str, ast.AST]]:
    """(kind, node that takes the place) for everything that is changed at this place."""
    for change in CHANGES:
        yield from change(site)


def _altered(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _comparisons(site: Site) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(site.node, ast.Compare):
        for index, op in enumerate(site.node.ops):
            for new in COMPARISONS[type(op)]:
                yield "compare", _altered(site.node, ops=[*site.node.ops[:index], new(), *site.node.ops[index + 1 :]])


def _arithmetic(site: Site) -> Iterator[tuple[str, ast.AST]]:
    node = site.node
    if isinstance(node, ast.BinOp | ast.AugAssign):
        sides = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.value]
        if not any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in sides):
            yield "operator", _altered(node, op=OPERATORS[type(node.op)]())


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _logic(site: Site) -> Iterator[tuple[str, ast.AST]]:
    node = site.node
    if isinstance(node, ast.BoolOp):
        yield "logic", _altered(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp):
        yield "unary", node.operand
    elif isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        yield "condition", _altered(node, test=ast.UnaryOp(ast.Not(), node.test))


def _filters(site: Site) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(site.node, ast.comprehension):
        for index in range(len(site.node.ifs)):
            yield "filter", _altered(site.node, ifs=site.node.ifs[:index] + site.node.ifs[index + 1 :])


def _constants(site: Site) -> Iterator[tuple[str, ast.AST]]:
    node = site.node
    if not isinstance(node, ast.Constant) or isinstance(node.value, str | bytes | complex):
        return
    if isinstance(node.value, bool):
        yield "constant", ast.Constant(not node.value)
    elif isinstance(node.value, int):
        axis = isinstance(site.parents[-1], ast.keyword) and site.parents[-1].arg == "axis"
        news = [1 - node.value] if axis else [node.value + 1] + [node.value - 1] * (node.value > 0)
        yield from (("axis" if axis else "constant", ast.Constant(new)) for new in news)
    elif isinstance(node.value, float):
        yield from (("constant", ast.Constant(new)) for new in ((node.value / 2, node.value * 2) if node.value else (1.0,)))


def _functions(site: Site) -> Iterator[tuple[str, ast.AST]]:
    node = site.node
    if not isinstance(node, ast.Call):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in SWAPS:
        func = _altered(node.func, **{"attr" if isinstance(node.func, ast.Attribute) else "id": SWAPS[name]})
        yield "function", _altered(node, func=func)
    if name in UNWRAPPED and node.args:
        yield "unwrapped", node.args[0]


def _returns(site: Site) -> Iterator[tuple[str, ast.AST]]:
    node = site.node
    if isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield "return", _altered(node, value=ast.Constant(None))


def _statements(site: Site) -> Iterator[tuple[str, ast.AST]]:
    node = site.node
    if isinstance(node, ast.AugAssign | ast.Raise | ast.Continue | ast.Break) or _is_effect(node) or _assigns_again(site):
        yield "removed", ast.Pass()


def _is_effect(node: ast.AST) -> bool:
    """A call whose value is dropped, or an assignment into an object."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)


def _assigns_again(site: Site) -> bool:
    """An assignment to a name that is bound before in the function: without it the name keeps its old value."""
    function = next((each for each in reversed(site.parents) if isinstance(each, ast.FunctionDef)), None)
    if function is None or not isinstance(site.node, ast.Assign):
        return False
    bound = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.lineno < site.node.lineno:
            bound.add(node.id)
    stored = {n.id for t in site.node.targets for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return bool(stored) and stored <= bound


CHANGES: tuple[Callable[[Site], Iterator[tuple[str, ast.AST]]], ...] = (
    _comparisons,
    _arithmetic,
    _logic,
    _filters,
    _constants,
    _functions,
    _returns,
    _statements,
)
