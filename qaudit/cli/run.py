"""`qaudit run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from qaudit.cli.options import options_of, values_of
from qaudit.core.printable import printable
from qaudit.inputs.option import RUN
from qaudit.inputs.options import Results

IN_PROCESS = ("quantize", "explain")
"""The tasks that `run --in-process` runs in the command's own process."""


@click.command()
@click.argument("target_", metavar="NAME[@V] | AUDIT.toml | MODEL HOLDOUT")
@click.argument("holdout", required=False, type=click.Path())
@options_of(RUN)
def run(target_: str, holdout: str | None, **options: Any) -> None:
    """Audit a model and write report.json, report.html, report.pdf and their seal.

    Exit code 0: every limit within or near, or none set; 1: a limit shown not to be met; 2: a limit that could not be assessed or
    shown with these rows, a plugin that failed, no PDF, or refused.
    """
    import qaudit.pipeline.run as auditing
    from qaudit.inputs.audit_toml import settings_of, table_of
    from qaudit.pipeline.progress import Reporter
    from qaudit.sandbox.runner import Debugging

    settings = settings_of(target_, holdout, table_of(values_of(RUN, options)))
    how = Debugging(IN_PROCESS if options["in_process"] else (), Path(options["keep"]) if options["keep"] else None)
    if options["in_process"]:
        click.echo("qaudit: --in-process: plugins run in this process, without limits; nothing is sealed", err=True)
    output = Path(options["output"]) if options["output"] else None
    # a unit that is to be kept must run
    results: Results = options["results"] or ("fresh" if options["keep"] else "use")
    reporter = Reporter(quiet=options["quiet"])
    done = auditing.run(settings, output=output, reporter=reporter, results=results, debugging=how)
    for path in done.written:
        click.echo(str(path))
    for line in done.notes:
        click.echo(printable(f"qaudit: {line}"), err=True)
    if options["timings"]:
        click.echo((done.folder / "timings.json").read_text("utf-8").strip(), err=True)
    click.echo(printable(f"qaudit: {done.last_line}"), err=True)
    sys.exit(done.exit_code)
