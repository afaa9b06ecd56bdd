"""The command line: every command in one group. Standard output holds results and nothing else."""

from __future__ import annotations

import click

from qaudit.cli import plugins
from qaudit.cli.example import example
from qaudit.cli.gate import gate
from qaudit.cli.group import Commands
from qaudit.cli.models import inspect, models, register
from qaudit.cli.render import render
from qaudit.cli.run import run
from qaudit.cli.schema import schema
from qaudit.cli.store import store
from qaudit.cli.verify import verify
from qaudit.core.__about__ import VERSION


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="qaudit")
def main() -> None:
    """Audit a model before its quantized or converted form goes live."""


for command in (example, register, run, gate, models, inspect, plugins.group, render, verify, store, schema):
    main.add_command(command)
