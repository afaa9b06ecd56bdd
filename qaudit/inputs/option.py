"""The record that describes an option beside each field of `options.py`, and the functions that list these fields.

Only the standard library is imported here, so that the command line lists its options without waiting for pydantic.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Concatenate, Literal, ParamSpec, Union, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

P = ParamSpec("P")
Surface = Literal["audit.toml", "qaudit run", "qaudit register", "qaudit.audit", "qaudit.register"]
"""A place where a user gives options."""

TOML: Surface = "audit.toml"
RUN: Surface = "qaudit run"
REGISTER: Surface = "qaudit register"
PY_AUDIT: Surface = "qaudit.audit"
PY_REGISTER: Surface = "qaudit.register"
SURFACES: tuple[Surface, ...] = get_args(Surface)


def absent(reason: str, *surfaces: Surface) -> dict[Surface, str]:
    """The same reason for several surfaces, as `Option.absent` takes it."""
    return dict.fromkeys(surfaces, reason)


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """The description of an option besides the name, type and default of its field.

    It applies on every surface that is not a key of `absent`, which gives the reasons. The methods are called by pydantic.
    """

    help: str
    absent: Mapping[Surface, str] = dataclasses.field(default_factory=dict)
    name: str = ""
    """The name in Python and on the command line, where it differs from that of the field."""
    flag: str = ""
    """The spelling on the command line without dashes, where it differs from the name; Python takes it as well."""
    short: str = ""
    """The one-letter spelling, such as -o."""
    switches: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    """Flags that stand for a value each, in the place of one that takes a value: {flag: (value, help)}."""
    metavar: str = ""
    usual: str = ""
    """The value in words if the option is not used, where the default of the field does not show it."""
    in_python: str = ""
    """How the option differs in Python, in a few words."""
    path: str = ""
    """For a path: the kind of file, such as "a policy file". A path in audit.toml is relative to the folder of audit.toml."""
    folder: bool = False
    """The path may not be that of a file."""
    repeat: bool = False
    """For several values: the flag is repeated for each."""
    commas: bool = True
    """For several values: a text is split at its commas."""
    identity: bool = True
    """Part of the digest that names an audit and of what `verify --rerun` repeats. False: the content has a digest of its own,
    or no number depends on it."""
    before: Callable[[Any], Any] | None = None
    """Takes the value as written and returns one of the field's type. Raises ValueError saying what is wanted."""
    after: Callable[[Any], Any] | None = None
    """Takes a value of the field's type and returns it. Raises ValueError saying what is wanted."""
    schema: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The JSON Schema, where audit.toml takes more than the field's type."""

    def __get_pydantic_core_schema__(self, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        """The check of the field's type with ours before and after it."""
        from pydantic_core import core_schema

        schema = handler(source)
        if self.after is not None:
            schema = core_schema.no_info_after_validator_function(_unless_none(self.after), schema)
        if get_origin(bare(source)) is tuple:
            schema = core_schema.no_info_before_validator_function(_as_tuple, schema)
        if self.before is not None:
            schema = core_schema.no_info_before_validator_function(_unless_none(self.before), schema)
        return schema

    def __get_pydantic_json_schema__(self, schema: "CoreSchema", handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        """The JSON Schema of the field, with the help as its description."""
        return {**(self.schema or handler(schema)), "description": self.help}


def _as_field(record: Callable[P, Option]) -> Callable[Concatenate[Any, P], Any]:
    def make(default: Any, /, *args: P.args, **options: P.kwargs) -> Any:
        metadata = {"option": record(*args, **options)}
        if isinstance(default, dict):
            return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
        return dataclasses.field(default=default, metadata=metadata)

    return make


option = _as_field(Option)
"""option(default, help, ...): a field of a Part that is an option, with its default and what `Option` takes."""


class Part:
    """The base of every table of audit.toml: unknown keys are refused, and values are not converted from one type to another."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid", "strict": True}

    def __init_subclass__(cls) -> None:
        """Puts the option of each field into its type, where pydantic looks for it."""
        for name, value in vars(cls).items():
            if isinstance(value, dataclasses.Field) and "option" in value.metadata:
                cls.__annotations__[name] = Annotated[cls.__annotations__[name], value.metadata["option"]]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        """The schema of pydantic, except that a dictionary is accepted for the table although its values are strict."""
        schema = handler(source)
        handler.resolve_ref_schema(schema)["strict"] = False  # type: ignore[index]
        return schema


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """An option with the type and default of its field. `section` is "" where it lies outside all tables of audit.toml."""

    name: str
    section: str
    key: str
    type: Any
    default: Any
    option: Option

    def on(self, surface: Surface) -> bool:
        """Whether the option applies there."""
        return surface not in self.option.absent

    @property
    def bare(self) -> Any:
        """The type without None."""
        return bare(self.type)

    @property
    def several(self) -> bool:
        """Whether it takes any number of values."""
        return get_origin(self.bare) is tuple

    @property
    def mapping(self) -> bool:
        """Whether it takes names with a value each."""
        return get_origin(self.bare) is dict

    @property
    def plugins(self) -> bool:
        """Whether it takes plugins, each with its settings."""
        return self.several and dataclasses.is_dataclass(get_args(self.bare)[0])

    @property
    def empty_is_none(self) -> bool:
        """Whether an empty list means "none at all"; for other options it means that the option is not used."""
        return self.several and self.default is None

    @property
    def flag(self) -> str:
        """The spelling on the command line, such as --calibration-share."""
        return f"--{self.option.flag or self.name.replace('_', '-')}"

    @property
    def place(self) -> str:
        """Its place in audit.toml, such as "[subject] cutoff"."""
        return f"[{self.section}] {self.key}" if self.section else f"[{self.key}]" if self.mapping else f"[[{self.key}]]"

    @property
    def usual(self) -> str:
        """The value in words if the option is not used; "" where there is none."""
        values = self.default if isinstance(self.default, tuple) else (self.default,)
        texts = [str(value) for value in values if value is not None and value is not False and value != {}]
        return self.option.usual or ",".join(texts)

    @property
    def explained(self) -> str:
        """The help on the command line, with the value of an unused option in brackets."""
        help = f"{self.option.help}; may be repeated" if self.option.repeat else self.option.help
        return f"{help} [{self.usual}]" if self.usual else help

    @property
    def explained_in_python(self) -> str:
        """The help of a keyword."""
        text = "; ".join(text for text in (self.option.help, self.option.in_python) if text)
        return f"{text} [{self.usual}]" if self.usual else text


def declared(holder: Any, section: str = "") -> Iterator[Declared]:
    """The options of a dataclass in the order of its fields, those of the dataclasses within it included."""
    for field in dataclasses.fields(holder):
        record = field.metadata.get("option")
        if record is None:
            yield from declared(field.type, field.name)
            continue
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        yield Declared(record.name or field.name, section, field.name, get_args(field.type)[0], default, record)


def bare(kind: Any) -> Any:
    """`float` of `float | None`; another type as it is."""
    inner = [each for each in get_args(kind) if each is not NoneType]
    return inner[0] if get_origin(kind) in (UnionType, Union) and len(inner) == 1 else kind


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _unless_none(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else check(value)
