"""The commands on what a run left behind: `verify` and `store`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command()
@click.argument("target", type=click.Path())
@click.option("--rerun", is_flag=True, help="repeat the audit and compare every value; nothing is written")
@click.option("--inputs", multiple=True, type=click.Path(exists=True), help="file or folder in which --rerun finds the inputs")
@click.option("--trust", multiple=True, help="sha256:DIGEST of a model file whose code --rerun may run")
@click.option("--plugin", multiple=True, type=click.Path(), help="a plugin that is a single file, for --rerun")
@click.option("--jobs", type=int, default=2, show_default=True, help="units at a time, for --rerun")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def verify(
    target: str, rerun: bool, inputs: tuple[str, ...], trust: tuple[str, ...], plugin: tuple[str, ...], jobs: int, as_json: bool
) -> None:
    """Repeat the digests of a sealed report. Exit code 0: verified; 1: does not match; 2: could not verify."""
    from qaudit.pipeline.stages.seal import EXITS
    from qaudit.pipeline.stages.seal import verify as repeated

    if rerun:
        from qaudit.pipeline.rerun import rerun as again

        paths = [Path(each) for each in inputs]
        status, lines = again(Path(target), inputs=paths, trust=trust, plugins=plugin, jobs=jobs)
    else:
        status, lines = repeated(Path(target))
    if as_json:
        click.echo(json.dumps({"status": status, "lines": lines}, indent=2))
    else:
        for line in [status, *lines]:
            click.echo(line)
    sys.exit(EXITS[status])


@click.command("store")
@click.option("--clear", is_flag=True, help="remove every kept result")
def store_(clear: bool) -> None:
    """Say where results of finished units are kept and how much that is."""
    from qaudit.cache.result_cache import ResultCache, home

    results = ResultCache(home())
    if clear:
        results.trim(-1)
    sizes = [size for _, size, _ in results.sizes()]
    click.echo(f"{results.folder}: {len(sizes)} results, {sum(sizes)} bytes")
