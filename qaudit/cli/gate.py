"""`qaudit gate`."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("report", type=click.Path())
def gate(report: str) -> None:
    """Decide on a finished report (its folder or report.json) as a run does; nothing is run again.

    One line a limit, then the last line of the run. Exit code 0: every limit within or near, or none set; 1: a limit shown not to
    be met; 2: a limit that could not be assessed or shown with these rows, a plugin that failed, or a report that is refused.
    """
    from qaudit.pipeline.gate import gate as decide

    decided = decide(Path(report))
    for line in (*decided.lines, decided.last_line):
        click.echo(line)
    sys.exit(decided.exit_code)
