"""The `cloudistill` command: groups the verbs, turns our errors into exit codes and plain words."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from cloudistill.cli import accounts, data, distil, judge, listing, runs, showing, trying
from cloudistill.cli.output import report
from cloudistill.core.errors import CloudistillError, UsageError

app = typer.Typer(
    name="cloudistill",
    help="Distil a teacher model into a cheap student on OpenAI, Amazon Bedrock or Google Vertex AI.",
    epilog=(
        "Exit codes: 0 done, 2 wrong usage, 3 refused before spending, 4 the vendor refused, 5 the job failed, "
        "6 still running, 7 outcome unknown."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(asked: bool) -> None:
    if asked:
        from cloudistill import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    _version_flag: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Distil a teacher model into a cheap student on OpenAI, Amazon Bedrock or Google Vertex AI."""


for panel, commands in (
    ("Distil", distil.COMMANDS | listing.COMMANDS | showing.COMMANDS | runs.COMMANDS),
    ("Data", data.COMMANDS),
    ("Judge", judge.COMMANDS),
    ("Accounts", accounts.COMMANDS),
    ("Try it", trying.COMMANDS),
):
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(command)


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    arguments = sys.argv[1:] if argv is None else argv
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # being ended is being interrupted
    try:
        app(arguments)
    except CloudistillError as error:
        report(error, as_json="--json" in arguments)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        report(UsageError(f"{error.filename or 'a file'}: {error.strerror or error}"), as_json="--json" in arguments)
        sys.exit(UsageError.exit_code)
    finally:
        signal.signal(signal.SIGTERM, before)
