"""`qaudit render`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from qaudit.cli.options import option_named, split
from qaudit.core.printable import printable


@click.command()
@click.argument("report", type=click.Path())
@option_named("output", help="folder of the pages [the report's own]")
@option_named("formats")
@option_named("lang", default="en")
@option_named("template")
def render(report: str, output: str | None, formats: str | None, lang: str, template: str | None) -> None:
    """Make report.html and report.pdf from a report.json alone; nothing is sealed."""
    import qaudit.pipeline.commands as commands

    written, notes = commands.render_again(
        Path(report),
        Path(output) if output else None,
        split(formats) or ["html", "pdf"],
        lang,
        Path(template) if template else None,
    )
    for path in written:
        click.echo(str(path))
    for line in notes:
        click.echo(printable(f"qaudit: {line}"), err=True)
    sys.exit(2 if notes else 0)
