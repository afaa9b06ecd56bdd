"""`qaudit plugins`: list, new and check."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

from qaudit.cli.listing import LISTED, listed
from qaudit.cli.options import option_named
from qaudit.core.printable import printable
from qaudit.errors import Refused
from qaudit.plugin_host.discovery import KINDS, PluginHost

AUDIT = click.option("--audit", type=click.Path(), help="an audit.toml: say which plugins it leaves out")
FILES = option_named("plugins", help="a plugin that is a single file; may be repeated")


@click.group("plugins", invoke_without_command=True)
@FILES
@AUDIT
@LISTED
@click.pass_context
def group(ctx: click.Context, plugins: tuple[str, ...], audit: str | None, as_json: bool) -> None:
    """List the plugins that are installed, without importing any."""
    if ctx.invoked_subcommand is None:
        _list_plugins(plugins, audit, as_json)


@group.command("list")
@FILES
@AUDIT
@LISTED
def list_(plugins: tuple[str, ...], audit: str | None, as_json: bool) -> None:
    """List the plugins that are installed, without importing any."""
    _list_plugins(plugins, audit, as_json)


def _list_plugins(files: tuple[str, ...], audit: str | None, as_json: bool) -> None:
    host = PluginHost.discover([Path(file) for file in files])
    rows = host.listing(listed_in(Path(audit)) if audit else None)
    listed(rows, as_json, ("kind", "name", "distribution", "version", "spec", "digest", "status"))
    for row in () if as_json else rows:
        if row["status"] != "ok":
            click.echo(printable(f"{row['kind']} {row['name']}: {row['reason']}; {row['remedy']}"))
        for number, reason in row["expected_failures"].items():
            click.echo(printable(f"{row['kind']} {row['name']}: check {number} is expected to fail: {reason}"))


@group.command("new")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option("--into", type=click.Path(file_okay=False), default=".", help="folder of the new files [the working folder]")
def new(kind: str, name: str, into: str) -> None:
    """Write a plugin that works as it stands: its module, its pyproject.toml and its test. Nothing is overwritten."""
    from qaudit.plugin_host.scaffold import write_plugin

    written = write_plugin(kind, name, Path(into))
    for path in written:
        click.echo(str(path))
    module = written[0] if written[0].is_absolute() else f"./{written[0]}"
    click.echo(f"next: qaudit plugins check {module}", err=True)


@group.command("check")
@click.argument("plugin", metavar="PATH|NAME")
@click.option("--sample", type=click.Path(dir_okay=False, exists=True), help="a model file, for the checks of a format")
@LISTED
def check(plugin: str, sample: str | None, as_json: bool) -> None:
    """Check a plugin's behaviour on toy subjects. Exit code 0: every check passed; 1: one failed; 2: no such plugin."""
    from qaudit.testing import refs_of
    from qaudit.testing.checks.runner import check_plugin, lines

    verdicts = [check_plugin(ref, sample=Path(sample) if sample else None) for ref in refs_of(plugin)]
    if as_json:
        click.echo(json.dumps([_plain(verdict) for verdict in verdicts], indent=2, ensure_ascii=False))
    for verdict in () if as_json else verdicts:
        owner = f"{verdict.ref.distribution} {verdict.ref.version}".strip()
        click.echo(printable(f"{verdict.ref.kind} {verdict.ref.name} ({owner}, sha256 {verdict.ref.digest[:12]})"))
        for result in verdict.results:
            for line in lines(result, verdict.expected, Path.cwd()):
                click.echo(printable(line))
        click.echo(_summary(verdict))
    sys.exit(0 if all(verdict.passed for verdict in verdicts) else 1)


def listed_in(audit: Path) -> dict[str, list[str]]:
    """The plugin names that an audit.toml lists, by kind. Raises Refused where it cannot be read."""
    try:
        table = tomllib.loads(audit.read_text("utf-8"))
    except OSError as error:
        raise Refused(f"--audit {audit}: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"--audit {audit}: not TOML ({error})") from error
    names: dict[str, list[str]] = {}
    for kind in ("quantizer", "explainer"):
        parts = table.get(f"{kind}s")
        if isinstance(parts, list):
            names[kind] = [str(part.get("name")) for part in parts if isinstance(part, dict)]
    report = table.get("report")
    if isinstance(report, dict) and isinstance(report.get("frameworks"), list):
        names["framework"] = [str(name) for name in report["frameworks"]]
    return names


def _summary(verdict: Any) -> str:
    counts = {
        status: sum(result.status == status for result in verdict.results)
        for status in ("passed", "failed", "expected", "not run")
    }
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count or status in ("passed", "failed"))


def _plain(verdict: Any) -> dict[str, Any]:
    from qaudit.testing.checks.catalogue import BY_ID

    ref = verdict.ref
    return {
        "kind": ref.kind,
        "name": ref.name,
        "distribution": ref.distribution,
        "version": ref.version,
        "spec": ref.spec,
        "digest": ref.digest,
        "passed": verdict.passed,
        "expected_failures": dict(verdict.expected),
        "checks": [
            {
                "id": result.id,
                "title": BY_ID[result.id].title,
                "status": result.status,
                "seen": list(result.seen),
                "more": result.more,
                "why": BY_ID[result.id].why,
                "look": result.look,
                "anchor": BY_ID[result.id].anchor,
            }
            for result in verdict.results
        ],
    }
