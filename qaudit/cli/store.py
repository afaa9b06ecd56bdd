"""`qaudit store`."""

from __future__ import annotations

import click


@click.command()
@click.option("--clear", is_flag=True, help="remove every kept result")
def store(clear: bool) -> None:
    """Say where results of finished units are kept and how much that is."""
    from qaudit.cache.result_cache import ResultCache, home

    results = ResultCache(home())
    if clear:
        results.trim(-1)
    sizes = [size for _, size, _ in results.sizes()]
    click.echo(f"{results.folder}: {len(sizes)} results, {sum(sizes)} bytes")
