"""The declared options in the signature and the docstring of a function that takes them as keywords."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_type_hints

from qaudit.inputs.options import OPTIONS

F = TypeVar("F", bound=Callable[..., Any])


def shows(keywords: type) -> Callable[[F], F]:
    """For a function with `**options: Unpack[keywords]`: `inspect.signature` and `help` list every keyword."""

    def show(function: F) -> F:
        plain = inspect.signature(function)
        positional = [each for each in plain.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        function.__signature__ = plain.replace(parameters=[*positional, *_parameters(keywords)])  # type: ignore[attr-defined]
        lines = [f"    {each.name}: {each.explained_in_python}" for each in OPTIONS if each.name in keywords.__annotations__]
        function.__doc__ = "\n".join([str(function.__doc__), "", "Keywords, all of them optional:", *lines])
        return function

    return show


def _parameters(keywords: type) -> Iterator[inspect.Parameter]:
    defaults = {each.name: each.default for each in OPTIONS}
    for name, kind in get_type_hints(keywords).items():
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=kind)
