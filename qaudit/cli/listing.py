"""Prints rows on the terminal, for all commands that list something."""

from __future__ import annotations

import json
from typing import Any

import click

from qaudit.core.printable import printable

LISTED = click.option("--json", "as_json", is_flag=True, help="print JSON")


def listed(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    """Print rows as JSON or as aligned columns, in which digests are shortened to 12 digits."""
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    cells = [[printable(_cell(row, name)) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in [list(columns), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(row: dict[str, Any], name: str) -> str:
    text = "" if row.get(name) is None else str(row[name])
    return text.removeprefix("sha256:")[:12] if name == "digest" else text
