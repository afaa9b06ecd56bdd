"""Reads policy.toml with the author's limits, which are set before the run.

Every error names the file, the key, its value and what is allowed.
"""

from __future__ import annotations

import datetime
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator, model_validator

from qaudit.core.catalogue.measures import MEASURES, OF_PLUGIN
from qaudit.core.evidence import ABOUT, Limit, plain
from qaudit.errors import Refused, unknown

FREE = tuple(key for key in ABOUT if key not in ("candidate", "against"))
"""Keys that `where` may name. A limit always applies to the candidate under assessment against the reference."""
LIMITED = tuple(sorted(name for name, measure in MEASURES.items() if measure.of == "candidate"))
"""Measures that a limit can be set on."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits with a name and a version. `set` is the ISO date on which they were set, `digest` is "sha256:..." of the file."""

    name: str
    version: str
    set: str
    digest: str
    limits: tuple[Limit, ...]

    def report(self) -> dict[str, Any]:
        """The entry `policy` of report.json."""
        entry: dict[str, Any] = plain(self)
        return entry


class _Limit(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    measure: str
    where: dict[str, str] = {}
    use: Literal["value", "lower", "upper"] | None = None
    at_most: FiniteFloat | None = None
    at_least: FiniteFloat | None = None
    near: FiniteFloat | None = None
    reason: str = Field(min_length=1)
    title: str = ""
    todo: str = ""

    @field_validator("measure")
    @classmethod
    def _known(cls, measure: str) -> str:
        if measure in MEASURES and measure not in LIMITED:
            raise ValueError(f"{measure!r} speaks of the audit, not of a candidate: no limit can be set on it")
        # whether a plugin has such a measure is known when it runs, and whether there is such a plugin when plugins are selected
        return measure if OF_PLUGIN.fullmatch(measure) else _one_of(measure, LIMITED, "measure")

    @field_validator("where")
    @classmethod
    def _keys(cls, where: dict[str, str]) -> dict[str, str]:
        for key, value in where.items():
            _one_of(key, FREE, "key")
            if key == "group" and "=" not in value and value != "*":
                raise ValueError(f"group is {value!r}; expected 'column=value', or '*' for every group")
        return where

    @model_validator(mode="after")
    def _bounds(self) -> _Limit:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("expected exactly one of at_most and at_least")
        if self.near is not None and self.at_most is not None and self.near > self.at_most:
            raise ValueError(f"near = {self.near!r} lies beyond at_most = {self.at_most!r}; expected at or below it")
        if self.near is not None and self.at_least is not None and self.near < self.at_least:
            raise ValueError(f"near = {self.near!r} lies beyond at_least = {self.at_least!r}; expected at or above it")
        return self


class _Policy(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    set: datetime.date
    limit: list[_Limit] = []


def older_use(policy: Policy) -> str | None:
    """What `use = "upper"` and "lower" of policies of version 0.1 now mean, with the limits that have them; None for none."""
    limits = [limit.id for limit in policy.limits if limit.use in ("upper", "lower")]
    if not limits:
        return None
    return (
        f'Limits {", ".join(limits)} have use = "upper" or "lower", of policies of version 0.1. It no longer chooses one end of '
        "the interval: the whole interval decides, within where it lies on the allowed side, outside where all of it lies beyond "
        "the limit, else not demonstrable. Leave `use` out to say the same."
    )


def read_policy(path: Path) -> Policy:
    """The policy in a file. Raises Refused."""
    try:
        return parse_policy(path.read_bytes(), path.name)
    except OSError as error:
        raise Refused(f"{path}: policy cannot be read ({error.strerror or error})") from None


def parse_policy(content: bytes, source: str) -> Policy:
    """The policy in the bytes of a policy.toml; `source` names it in errors. Raises Refused."""
    try:
        # TOML is UTF-8; some editors write a byte-order mark, which is no content
        table = tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{source}: not valid TOML: {error}") from None
    try:
        parsed = _Policy.model_validate(table)
    except ValidationError as error:
        raise Refused(f"{source}: {_line(error, table)}") from None
    _no_twice([limit.id for limit in parsed.limit], source)
    limits = tuple(Limit(**limit.model_dump()) for limit in parsed.limit)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Policy(parsed.name, parsed.version, parsed.set.isoformat(), digest, limits)


def _no_twice(ids: Sequence[str], source: str) -> None:
    for number, name in enumerate(ids, 1):
        if name in ids[: number - 1]:
            raise Refused(f"{source}: limit {number}: id {name!r} is used twice; expected an id of its own for every limit")


def _one_of(name: str, known: Sequence[str], what: str) -> str:
    if name in known:
        return name
    raise ValueError(unknown(what, name, known))


def _line(error: ValidationError, table: Mapping[str, Any]) -> str:
    """The first validation error as one line: its place, the value, and what is allowed."""
    first = error.errors(include_url=False)[0]
    where, key = _place(first["loc"], table)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        fields = _Limit.model_fields if where else _Policy.model_fields
        known = ["limit" if name == "limit" else name for name in fields]
        return where + unknown("key", key, known)
    if first["type"] == "missing":
        return f"{where}{key} is missing"
    if first["type"] == "value_error":
        return f"{where}{key + ': ' if key else ''}{message}"
    return f"{where}{key} is {first['input']!r}; {message[0].lower() + message[1:]}"


def _place(loc: tuple[int | str, ...], table: Mapping[str, Any]) -> tuple[str, str]:
    """("limit 2 (Q2): ", key) for a place inside a limit, ("", key) for a place at the top level."""
    if len(loc) < 2 or loc[0] != "limit" or not isinstance(loc[1], int):
        return "", ".".join(str(part) for part in loc)
    entry = table["limit"][loc[1]]
    name = f" ({entry['id']})" if isinstance(entry, dict) and isinstance(entry.get("id"), str) else ""
    return f"limit {loc[1] + 1}{name}: ", ".".join(str(part) for part in loc[2:])
