"""Converts the values of options from their written form into that of the settings. A ValueError says what is expected."""

import datetime
import os
import re
from typing import Any


def label(value: Any) -> Any:
    """A class label as text; labels of models may be numbers or booleans."""
    return str(value) if isinstance(value, bool | int | float) else value


def digests(value: Any) -> Any:
    """Digests as a tuple; a single digest need not be in a list. Raises ValueError."""
    digests = tuple(value) if isinstance(value, list | tuple) else (value,)
    for digest in digests:
        if not isinstance(digest, str) or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise ValueError("sha256: and 64 hex digits are wanted")
    return digests


def folder_name(value: str) -> str:
    """A text that may name a folder on any system. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", value):
        raise ValueError("letters, digits, dots, dashes and underscores are wanted, at most 80")
    return value


def report_file(value: str) -> str:
    """The path of a report.json; the folder of a report stands for the one in it."""
    return os.path.join(value, "report.json") if os.path.isdir(value) else value


def day(value: Any) -> str:
    """A date of TOML, of Python or as text, as YYYY-MM-DD. Raises ValueError."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    try:
        return datetime.date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ValueError("a date such as 2026-11-24 is wanted") from None


def one_or_more(value: int) -> int:
    """A count. Raises ValueError for 0 and below."""
    if value < 1:
        raise ValueError("1 or more")
    return value


def plugin_tables(value: Any) -> Any:
    """Tables of plugins as PluginPart has them; anything else as it is, for the check of the type."""
    return tuple(_plugin_table(each) if isinstance(each, dict) else each for each in value) if isinstance(value, list) else value


def _plugin_table(table: dict[str, Any]) -> dict[str, Any]:
    settings = {key: value for key, value in table.items() if key != "name"}
    return {key: value for key, value in table.items() if key == "name"} | {"settings": settings}
