"""`qaudit example`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

NEXT = (
    "qaudit register credit model.skops --holdout holdout.csv --target deny --train train.csv "
    "--positive yes --groups afam,single",
    "qaudit run audit.toml -o report",
)


@click.command()
@click.argument("name", metavar="credit")
@click.argument("folder", type=click.Path(path_type=Path))
def example(name: str, folder: Path) -> None:
    """Write an example into a new folder: data, a trained model, an audit file and a policy, ready to be audited.

    Standard output lists the files; the commands that come next follow on standard error.
    """
    from qaudit.pipeline.examples import write_example

    for path in write_example(name, folder):
        click.echo(str(path))
    click.echo("\n".join(["next:", f"  cd {shlex.quote(str(folder))}", *(f"  {line}" for line in NEXT)]), err=True)
