"""Checks the settings of a plugin, forms all combinations, and writes them into the id of a candidate."""

from __future__ import annotations

import ast
import hashlib
import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qaudit.core.records import Setting, Value
from qaudit.errors import Refused, unknown

Chosen = Mapping[str, Any]
"""The settings that the author wrote for a plugin: one value or a list of values by name."""


def derived_seed(seed: int, *names: str) -> int:
    """A seed of 48 bits derived from the audit's seed and names; it is the same on every machine."""
    text = "\x1f".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def candidate_id(name: str, settings: Mapping[str, Value]) -> str:
    """The id `name(key=value,...)` with sorted keys, all settings, and text in single quotes."""
    return f"{name}({','.join(f'{key}={written(settings[key])}' for key in sorted(settings))})"


def written(value: Value) -> str:
    """A value as it is written in an id."""
    text = repr(value)
    if text.startswith('"'):  # repr uses double quotes where the text has a single quote
        return "'" + text[1:-1].replace("'", "\\'") + "'"
    return text


def parse_id(text: str) -> tuple[str, dict[str, Value]]:
    """Name and settings of an id. Spaces and the order of keys do not matter. Raises Refused where the text is not an id.

    >>> parse_id("symmetric( bits = 8, axis = tensor )")
    ('symmetric', {'bits': 8, 'axis': 'tensor'})
    """
    wanted = f"candidate id {text[:200]!r}: expected name(key=value,...), for example symmetric(axis='tensor',bits=8)"
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise Refused(wanted) from None
    if isinstance(tree, ast.Name):
        return tree.id, {}
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
        raise Refused(wanted)
    settings: dict[str, Value] = {}
    for keyword in tree.keywords:
        if keyword.arg is None:
            raise Refused(wanted)
        settings[keyword.arg] = _literal(keyword.value, wanted)
    return tree.func.id, settings


def _literal(node: ast.expr, wanted: str) -> Value:
    if isinstance(node, ast.Name):
        return node.id
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        raise Refused(wanted) from None
    if value is not None and not isinstance(value, int | float | str):
        raise Refused(wanted)
    return value


def check(name: str, declared: Mapping[str, Setting], chosen: Chosen) -> dict[str, tuple[Value, ...]]:
    """The values of every setting: the author's, or the defaults.

    Raises Refused with the plugin, the key, the value and what is allowed.
    """
    for key in chosen:
        if key not in declared:
            raise Refused(_unknown(name, key, declared))
    return {key: _values(name, key, declared[key], chosen) for key in sorted(declared)}


def _unknown(name: str, key: str, declared: Collection[str]) -> str:
    if not declared:
        return f"{name}: unknown setting {key!r}; {name} has no settings"
    return f"{name}: {unknown('setting', key, sorted(declared))}"


def _values(name: str, key: str, setting: Setting, chosen: Chosen) -> tuple[Value, ...]:
    if key not in chosen:
        return tuple(setting.default)
    stated = chosen[key]
    values = list(stated) if isinstance(stated, list | tuple) else [stated]
    if not values:
        raise Refused(f"{name}: setting {key!r} is an empty list; expected {allowed_text(setting)}")
    accepted_values: list[Value] = []
    for value in values:
        checked = accepted(setting, value)
        if checked is _NOTHING:
            raise Refused(f"{name}: setting {key!r} is {value!r}; allowed: {allowed_text(setting)}")
        if checked not in accepted_values:
            accepted_values.append(checked)
    return tuple(accepted_values)


_NOTHING: Any = object()


def accepted(setting: Setting, value: Any) -> Any:
    """The value in the type of the setting (3 becomes 3.0 where the defaults are floats), or a marker where it is not allowed."""
    floats = any(type(default) is float for default in setting.default) or _allows_floats(setting.allowed)
    if floats and type(value) is int:
        value = float(value)
    if any(type(value) is type(default) and value == default for default in setting.default):
        return value
    if setting.allowed is None or isinstance(value, list | tuple | dict):
        return _NOTHING
    if isinstance(setting.allowed, range):
        return value if type(value) is int and value in setting.allowed else _NOTHING
    return value if any(type(value) is type(member) and value == member for member in setting.allowed) else _NOTHING


def is_allowed(setting: Setting, value: Any) -> bool:
    """Whether a value is allowed for this setting."""
    return accepted(setting, value) is not _NOTHING


def _allows_floats(allowed: Collection[Value] | None) -> bool:
    return allowed is not None and not isinstance(allowed, range) and any(type(member) is float for member in allowed)


def allowed_text(setting: Setting) -> str:
    """The allowed values in a few words."""
    allowed = setting.default if setting.allowed is None else setting.allowed
    if isinstance(allowed, range) and allowed.step == 1 and len(allowed) > 1:
        return f"{allowed[0]} to {allowed[-1]}"
    values = list(allowed)
    if len(values) <= 12:
        return ", ".join(written(value) for value in values)
    numbers = [value for value in values if isinstance(value, int | float)]
    rest = [written(value) for value in values if not isinstance(value, int | float)]
    return ", ".join([*rest, f"{min(numbers)!r} to {max(numbers)!r} ({len(numbers)} values)"])


def product(values: Mapping[str, Sequence[Value]]) -> list[dict[str, Value]]:
    """All combinations of the values, with sorted keys, in natural order."""
    keys = sorted(values)
    combined = [dict(zip(keys, row, strict=True)) for row in itertools.product(*(values[key] for key in keys))]
    return sorted(combined, key=natural)


def natural(settings: Mapping[str, Value]) -> tuple[Any, ...]:
    """A sort key for settings: numbers before text, and 2 before 16."""
    return tuple((key, *_rank(settings[key])) for key in sorted(settings))


def _rank(value: Value) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return 0, float(value), ""
    return (1, 0.0, "") if value is None else (2, 0.0, value)
