"""Turns the declared options into options of click, and the values that click read into the form of audit.toml."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from qaudit.errors import Refused
from qaudit.inputs.option import TOML, Declared, Surface
from qaudit.inputs.options import OPTIONS

F = TypeVar("F", bound=Callable[..., Any])


def options_of(surface: Surface, required: Collection[str] = ()) -> Callable[[F], F]:
    """Gives a command every option that is declared for it, under its declared name."""

    def add_options(command: F) -> F:
        for each in reversed([each for each in OPTIONS if each.on(surface)]):
            changes = {"required": True} if each.name in required else {}
            for option in reversed(list(_click_options(each, **changes))):
                command = option(command)
        return command

    return add_options


def option_named(name: str, **changes: Any) -> Callable[[F], F]:
    """A single declared option for a command of another kind; `changes` are arguments of click.option."""
    (each,) = [each for each in OPTIONS if each.name == name]
    (option,) = _click_options(each, **changes)
    return option


def _click_options(each: Declared, **changes: Any) -> Iterator[Callable[[F], F]]:
    """The option of click, or one for each switch of an option that has switches."""
    for flag, (value, text) in each.option.switches.items():
        yield click.option(flag, each.name, flag_value=value, help=text)
    if each.option.switches:
        return
    spellings = [*([each.option.short] if each.option.short else []), each.flag]
    arguments: dict[str, Any] = {"help": each.explained, "metavar": each.option.metavar or None}
    if each.bare is bool and each.on(TOML):  # the command line may also switch off what audit.toml switches on
        spellings = [f"{each.flag}/{each.flag.replace('--', '--no-', 1)}"]
        arguments |= {"default": None}
    elif each.bare is bool:
        arguments |= {"is_flag": True}
    else:
        arguments |= {"type": _type(each), "multiple": each.option.repeat}
    yield click.option(*spellings, each.name, **(arguments | changes))


def _type(each: Declared) -> Any:
    if each.option.path:
        return click.Path(file_okay=not each.option.folder)
    if get_origin(each.bare) is Literal:
        return click.Choice(get_args(each.bare))
    return each.bare if each.bare in (int, float) else str


def values_of(surface: Surface, options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the command line by option, in the form of audit.toml; None where an option was not used. Raises Refused."""
    from qaudit.inputs.audit_toml import author_texts

    values = {each.name: _value(each, options[each.name]) for each in OPTIONS if each.on(surface) and each.on(TOML)}
    if values.get("author"):
        values["author"] = author_texts(values["author"], Path("--author"))
    return values


def _value(each: Declared, value: Any) -> Any:
    texts = value if each.option.repeat else () if value is None else (value,)
    if each.mapping:
        return dict(_pair(each, text) for text in texts) or None
    if not each.several:
        return value
    if not texts:
        return None
    parts = [part for text in texts for part in split(text)] if each.option.commas else list(texts)
    return [_whole(each, part, value) for part in parts] if int in get_args(each.bare) else parts


def _pair(each: Declared, text: str) -> tuple[str, str]:
    if "=" not in text:
        raise Refused(f"{each.flag} {text}: {each.option.metavar} is wanted")
    # a text of the author may contain "=", so the first one separates; a column's name may too, so the last one separates
    name, _, value = text.partition("=") if get_args(each.bare)[1] is str else text.rpartition("=")
    return name, value


def _whole(each: Declared, part: str, value: str) -> int:
    try:
        return int(part)
    except ValueError:
        raise Refused(f"{each.flag} {value}: whole numbers separated by commas are wanted, such as 2,4,8") from None


def split(text: str | None) -> list[str]:
    """A comma-separated text as a list."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else []
