"""The commands on models: `register`, `models` and `inspect`."""

from __future__ import annotations

import json
from typing import Any

import click

from qaudit.cli.listing import LISTED, listed
from qaudit.cli.options import option_named, options_of, values_of
from qaudit.core.printable import printable
from qaudit.errors import Refused
from qaudit.inputs.option import REGISTER


@click.command()
@click.argument("name")
@click.argument("model", type=click.Path())
@options_of(REGISTER, required=("holdout",))
def register(name: str, model: str, **options: Any) -> None:
    """Put a model file and its rows into the registry as the next version of NAME."""
    import qaudit.pipeline.commands as commands
    from qaudit.inputs.audit_toml import table_of, validated

    if not options["target"]:
        raise Refused("--target COLUMN: missing; the column that the model predicts is wanted")
    settings = validated(table_of({**values_of(REGISTER, options), "model": model}), "command line")
    click.echo(commands.register(name, settings, options["parent"]))


@click.command()
@LISTED
def models(as_json: bool) -> None:
    """List the registered models."""
    import qaudit.pipeline.commands as commands

    rows = commands.models()
    listed(rows, as_json, ("name", "version", "digest", "parent", "file"))


@click.command()
@click.argument("model", type=click.Path())
@option_named("trust")
@LISTED
def inspect(model: str, trust: tuple[str, ...], as_json: bool) -> None:
    """Say what a model file or registered model holds: format, features, classes, parameters."""
    import qaudit.pipeline.commands as commands

    facts = commands.inspect(model, list(trust))
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    for key, value in facts.items():
        click.echo(printable(f"{key}: {_one_line(value)}"))


def _one_line(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_one_line(item) for item in value) or "none"
    if isinstance(value, dict):
        return " ".join(str(item) for item in value.values() if item is not None)
    return "none" if value is None else str(value)
