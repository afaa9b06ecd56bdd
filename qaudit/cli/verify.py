"""`qaudit verify`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from qaudit.cli.listing import LISTED
from qaudit.cli.options import option_named


@click.command()
@click.argument("target", type=click.Path())
@click.option("--rerun", is_flag=True, help="repeat the audit and compare every value; nothing is written")
@click.option("--inputs", multiple=True, type=click.Path(exists=True), help="file or folder in which --rerun finds the inputs")
@option_named("trust", help="sha256:DIGEST of a model file whose code --rerun may run")
@option_named("plugins", help="a plugin that is a single file, for --rerun")
@option_named("jobs", help="units at a time, for --rerun", default=2, show_default=True)
@LISTED
def verify(
    target: str, rerun: bool, inputs: tuple[str, ...], trust: tuple[str, ...], plugins: tuple[str, ...], jobs: int, as_json: bool
) -> None:
    """Repeat the digests of a sealed report. Exit code 0: verified; 1: does not match; 2: could not verify."""
    from qaudit.pipeline.stages.seal import EXITS
    from qaudit.pipeline.stages.seal import verify as repeated

    if rerun:
        from qaudit.pipeline.rerun import rerun as again

        paths = [Path(each) for each in inputs]
        status, lines = again(Path(target), inputs=paths, trust=trust, plugins=plugins, jobs=jobs)
    else:
        status, lines = repeated(Path(target))
    if as_json:
        click.echo(json.dumps({"status": status, "lines": lines}, indent=2))
    else:
        for line in [status, *lines]:
            click.echo(line)
    sys.exit(EXITS[status])
