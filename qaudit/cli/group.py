"""The group of all commands, which prints refusals and other errors as one line."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from qaudit.core.printable import printable
from qaudit.errors import Refused, unexpected


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
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        # a traceback ends with exit code 1, which would say that the data show a limit not to be met
        except Exception as error:
            stop(unexpected(error))


def stop(reason: str) -> NoReturn:
    """One line on standard error, exit code 2."""
    click.echo(printable(f"qaudit: {' '.join(reason.split())}"), err=True)
    sys.exit(2)
