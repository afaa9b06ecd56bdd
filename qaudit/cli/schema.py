"""`qaudit schema`."""

from __future__ import annotations

import click


@click.command()
@click.argument("which", type=click.Choice(["audit", "report"]), default="report")
def schema(which: str) -> None:
    """Print the JSON Schema of audit.toml or of report.json."""
    from qaudit.report.schema import schema_text

    click.echo(schema_text(which).strip())
