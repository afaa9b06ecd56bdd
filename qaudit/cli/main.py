"""The command line: parses, prints, exits. What it prints on standard output is the result and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

import qaudit.cli.plugins as cli_plugins
from qaudit.cli import verify_and_cache
from qaudit.core.__about__ import VERSION
from qaudit.core.printable import printable
from qaudit.errors import Refused
from qaudit.plugin_host.discovery import PluginHost

F = TypeVar("F", bound=Callable[..., Any])
AUDIT = click.option("--audit", type=click.Path(), help="an audit.toml: say which plugins it leaves out")
LISTED = click.option("--json", "as_json", is_flag=True, help="print JSON")


class Commands(click.Group):
    """Commands whose refusals are one line on standard error and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a refusal, Ctrl-C, a full disk and a closed pipe end it without a traceback."""
        try:
            return super().invoke(ctx)
        except Refused as error:
            stop(str(error))
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            stop(f"{error.format_message()} (qaudit{f' {ctx.invoked_subcommand}' if ctx.invoked_subcommand else ''} --help)")
        except BrokenPipeError:
            sys.exit(2)
        except KeyboardInterrupt:
            resumed = "; the same command goes on from here" if ctx.invoked_subcommand == "run" else ""
            stop(f"interrupted; what was there before is unchanged{resumed}")
        except OSError as error:
            stop(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def stop(reason: str) -> NoReturn:
    """One line on standard error, exit code 2."""
    click.echo(printable(f"qaudit: {' '.join(reason.split())}"), err=True)
    sys.exit(2)


def split(text: str | None) -> list[str]:
    """A comma-separated option as a list."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def model_options(command: F) -> F:
    """The options that say what a model's rows are; the same for `register` and `run`."""
    for option in reversed(
        (
            click.option("--target", help="column that the model predicts"),
            click.option("--train", type=click.Path(), help="training rows (CSV or Parquet); refits need them"),
            click.option("--calibration", type=click.Path(), help="calibration rows; else a seeded sample of the training rows"),
            click.option("--positive", help="label of the positive class"),
            click.option("--groups", help="columns to compare groups by, separated by commas"),
            click.option("--trust", multiple=True, help="sha256:DIGEST of a model file whose code may run"),
        )
    ):
        command = option(command)
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="qaudit")
def main() -> None:
    """Audit a model before its quantized or converted form goes live."""


@main.command()
@click.argument("name")
@click.argument("model", type=click.Path())
@click.option("--holdout", required=True, type=click.Path(), help="rows the model has never seen (CSV or Parquet)")
@click.option("--parent", help="registered model that this one comes from, NAME@V")
@model_options
def register(name: str, model: str, **options: Any) -> None:
    """Put a model file and its rows into the registry as the next version of NAME."""
    import qaudit.pipeline.commands as commands

    if not options["target"]:
        raise Refused("--target COLUMN: missing; the column that the model predicts is wanted")
    holdout = Path(options.pop("holdout"))
    given = {**options, "groups": split(options["groups"]), "trust": list(options["trust"])}
    click.echo(commands.register(name, Path(model), holdout, **given))


@main.command()
@click.argument("target_", metavar="NAME[@V] | AUDIT.toml | MODEL HOLDOUT")
@click.argument("holdout", required=False, type=click.Path())
@model_options
@click.option("-o", "--output", type=click.Path(), help="folder of the report [./<audit id>]")
@click.option("--quantizers", help="names, separated by commas [all]")
@click.option("--explainers", help="names, separated by commas [all]")
@click.option("--bits", help="bit widths to sweep, such as 2,4,8")
@click.option("--judge", help="id of the candidate that the limits judge")
@click.option("--policy", type=click.Path(), help="policy file with the author's limits")
@click.option("--framework", multiple=True, help="id of an evidence list to append; may be repeated")
@click.option("--lang", type=click.Choice(["en"]), help="language of the report [en]")
@click.option("--format", "formats", help="html,pdf or one of them [both]")
@click.option("--template", type=click.Path(), help="folder of a third-party template for what follows page one")
@click.option("--cutoff", type=float, help="cut-off of a binary decision [0.5]")
@click.option("--calibration-share", type=float, help="share of the holdout to set apart for calibration")
@click.option("--seed", type=int, help="seed of every draw [0]")
@click.option("--date", help="date of the audit, YYYY-MM-DD [SOURCE_DATE_EPOCH, else today]")
@click.option("--jobs", type=int, help="units at a time [2]")
@click.option("--plugin", multiple=True, type=click.Path(), help="a plugin that is a single file; may be repeated")
@click.option("--fresh", "results", flag_value="fresh", help="run every unit again, whatever the result store holds")
@click.option("--no-store", "results", flag_value="none", help="run every unit again and keep no result")
@click.option("--in-process", is_flag=True, help="for authors: quantizers and explainers run in this process; nothing is sealed")
@click.option("--keep", type=click.Path(file_okay=False), help="for authors: folder for units that failed, each with a repro.py")
@click.option("--timings", is_flag=True, help="print the timings, which are not sealed")
@click.option("--quiet", is_flag=True, help="no progress")
def run(target_: str, holdout: str | None, **options: Any) -> None:
    """Audit a model and write report.json, report.html, report.pdf and their seal.

    Exit code 0: no limit exceeded; 1: a limit exceeded; 2: refused, or sealed with a failed plugin or without its PDF.
    """
    import qaudit.pipeline.run as auditing
    from qaudit.inputs.audit_toml import settings_of
    from qaudit.pipeline.progress import Reporter
    from qaudit.sandbox.runner import Debugging

    settings = settings_of(target_, holdout, flags(options))
    how = Debugging(cli_plugins.IN_PROCESS if options["in_process"] else (), Path(options["keep"]) if options["keep"] else None)
    if options["in_process"]:
        click.echo("qaudit: --in-process: plugins run in this process, without limits; nothing is sealed", err=True)
    output = Path(options["output"]) if options["output"] else None
    reporter = Reporter(quiet=options["quiet"])
    done = auditing.run(settings, output=output, reporter=reporter, results=_results(options), debugging=how)
    for path in done.written:
        click.echo(str(path))
    for line in done.notes:
        click.echo(printable(f"qaudit: {line}"), err=True)
    if options["timings"]:
        click.echo((done.folder / "timings.json").read_text("utf-8").strip(), err=True)
    sys.exit(done.exit_code)


def _results(options: dict[str, Any]) -> Any:
    """How the result store is used; a unit that is to be kept must run."""
    return options["results"] or ("fresh" if options["keep"] else "use")


def flags(given: dict[str, Any]) -> dict[str, Any]:
    """The options of `run` in the shape of audit.toml; what was not given is None or empty."""
    try:
        bits = [int(each) for each in split(given["bits"])]
    except ValueError:
        raise Refused(f"--bits {given['bits']}: whole numbers separated by commas are wanted, such as 2,4,8") from None
    return {
        "subject": {
            "target": given["target"],
            "positive": given["positive"],
            "cutoff": given["cutoff"],
            "trust": list(given["trust"]),
        },
        "data": {
            "train": given["train"],
            "calibration": given["calibration"],
            "groups": split(given["groups"]),
            "calibration_share": given["calibration_share"],
        },
        "quantizers": None if given["quantizers"] is None else split(given["quantizers"]),
        "explainers": None if given["explainers"] is None else split(given["explainers"]),
        "policy": {"file": given["policy"], "judge": given["judge"]},
        "report": {
            "frameworks": list(given["framework"]),
            "lang": given["lang"],
            "formats": split(given["formats"]),
            "date": given["date"],
            "template": given["template"],
        },
        "run": {"bits": bits, "seed": given["seed"], "jobs": given["jobs"], "plugins": list(given["plugin"])},
    }


@main.command()
@LISTED
def models(as_json: bool) -> None:
    """List the registered models."""
    import qaudit.pipeline.commands as commands

    rows = commands.models()
    listed(rows, as_json, ("name", "version", "digest", "parent", "file"))


@main.command()
@click.argument("model", type=click.Path())
@click.option("--trust", multiple=True, help="sha256:DIGEST of a model file whose code may run")
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


@main.group(invoke_without_command=True)
@click.option("--plugin", multiple=True, type=click.Path(), help="a plugin that is a single file; may be repeated")
@AUDIT
@LISTED
@click.pass_context
def plugins(ctx: click.Context, plugin: tuple[str, ...], audit: str | None, as_json: bool) -> None:
    """List the plugins that are installed, without importing any."""
    if ctx.invoked_subcommand is None:
        _list_plugins(plugin, audit, as_json)


@plugins.command("list")
@click.option("--plugin", multiple=True, type=click.Path(), help="a plugin that is a single file; may be repeated")
@AUDIT
@LISTED
def list_(plugin: tuple[str, ...], audit: str | None, as_json: bool) -> None:
    """List the plugins that are installed, without importing any."""
    _list_plugins(plugin, audit, as_json)


plugins.add_command(cli_plugins.new)
plugins.add_command(cli_plugins.check)


def _list_plugins(files: tuple[str, ...], audit: str | None, as_json: bool) -> None:
    host = PluginHost.discover([Path(file) for file in files])
    rows = host.listing(cli_plugins.listed_in(Path(audit)) if audit else None)
    listed(rows, as_json, ("kind", "name", "distribution", "version", "spec", "digest", "status"))
    for row in () if as_json else rows:
        if row["status"] != "ok":
            click.echo(printable(f"{row['kind']} {row['name']}: {row['reason']}; {row['remedy']}"))
        for number, reason in row["expected_failures"].items():
            click.echo(printable(f"{row['kind']} {row['name']}: check {number} is expected to fail: {reason}"))


def listed(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    """Rows as JSON, or as aligned columns; digests are cut to 12 digits for the eye."""
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    cells = [[printable(_cell(row, name)) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in [list(columns), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(row: dict[str, Any], name: str) -> str:
    text = "" if row.get(name) is None else str(row[name])
    return text.removeprefix("sha256:")[:12] if name == "digest" else text


@main.command()
@click.argument("report", type=click.Path())
@click.option("-o", "--output", type=click.Path(), help="folder of the pages [the report's own]")
@click.option("--format", "formats", help="html,pdf or one of them [both]")
@click.option("--lang", type=click.Choice(["en"]), default="en", show_default=True)
@click.option("--template", type=click.Path(), help="folder of a third-party template for what follows page one")
def render(report: str, output: str | None, formats: str | None, lang: str, template: str | None) -> None:
    """Make report.html and report.pdf from a report.json alone; nothing is sealed."""
    import qaudit.pipeline.commands as commands

    written, notes = commands.render_again(
        Path(report),
        Path(output) if output else None,
        split(formats) or ["html", "pdf"],
        lang,
        Path(template) if template else None,
    )
    for path in written:
        click.echo(str(path))
    for line in notes:
        click.echo(printable(f"qaudit: {line}"), err=True)
    sys.exit(2 if notes else 0)


main.add_command(verify_and_cache.verify)
main.add_command(verify_and_cache.store_)


@main.command()
@click.argument("which", type=click.Choice(["audit", "report"]), default="report")
def schema(which: str) -> None:
    """Print the JSON Schema of audit.toml or of report.json."""
    from qaudit.report.schema import schema_text

    click.echo(schema_text(which).strip())
