"""Commands that follow runs and do something to them: watch, cancel, pause, resume, promote, delete."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudistill.cli.output import JsonFlag, say, show, table
from cloudistill.cli.progress import Board
from cloudistill.core.errors import CloudistillError, UsageError

if TYPE_CHECKING:
    from cloudistill.pipeline.run import Run

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, as `jobs` lists it.")]
PaceFlag = Annotated[
    float | None, typer.Option("--every", min=0.05, help="Seconds between two looks; each platform's own by default.")
]
TimeoutFlag = Annotated[
    str | None, typer.Option(metavar="TIME", help="Stop waiting after this long (90, 30m, 2h); the job goes on.")
]
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """`10m`, `600`, `2h` as seconds."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smhd]?)", text.strip())
    if not found:
        raise UsageError(f"{text!r} is not a length of time: write 600, 10m or 2h")
    return float(found[1]) * _UNITS[found[2]]


def follow(board: Board, runs: list[Run], limit: float | None, pace: float | None) -> None:
    """Watch to the end; an error is kept on the runs it leaves unfinished, so that all of them are printed."""
    from cloudistill.pipeline.watching import watch as look

    try:
        board.follow(runs, look(runs, timeout=limit, pace=pace))
    except CloudistillError as error:
        for run in runs:
            if not run.status.is_final and run.error is None:
                run.error = error


def finish(runs: list[Run], as_json: bool) -> None:
    """Print how each run stands, then exit with the first failure's code."""
    from cloudistill.pipeline.watching import failures

    documents = [run.to_json() for run in runs]
    show(documents[0] if len(documents) == 1 else documents, as_json, runs_table(runs))
    errors = failures(runs)
    for words in dict.fromkeys(str(error) for error in errors):
        say(words, "bold red")
    for run in runs:
        if warning := run.record.facts.get("warning"):
            say(f"{run.name}: {warning}", "yellow")
        elif not as_json and run.model:
            say(f'ask it: cloudistill chat "{run.model}" "…"', "green")
    raise typer.Exit(errors[0].exit_code if errors else 0)


def runs_table(runs: list[Run]) -> Any:
    """The runs in one table; a narrow terminal gets the columns that fit, `show` has the rest."""
    rows = [(run.name, run.student.platform, run.status, run.native_status, run.job, run.model) for run in runs]
    columns = ("run", "platform", "status", "vendor says", "job", "model")
    return table("", columns, rows, narrow=4)


def watch(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs of any platforms.")],
    timeout: TimeoutFlag = None,
    every: PaceFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Follow runs of all vendors in one live table. Ctrl-C stops watching, not the jobs."""
    from cloudistill.pipeline import verbs

    handles = [verbs.get(name) for name in runs]
    board = Board(quiet=as_json)
    for handle in handles:
        handle.notify = board.notify
    follow(board, handles, seconds(timeout) if timeout else None, every)
    finish(handles, as_json)


def cancel(run: RunName, as_json: JsonFlag = False) -> None:
    """Ask the vendor to stop a run's job; what it trained so far is billed."""
    from cloudistill.pipeline import verbs

    handle = verbs.get(run)
    handle.cancel()
    handle.refresh()
    show(handle.to_json(), as_json, runs_table([handle]))


def pause(run: RunName, as_json: JsonFlag = False) -> None:
    """Ask the vendor to hold a run's job, where it can; `resume` lets it go on."""
    from cloudistill.pipeline import verbs

    handle = verbs.get(run).pause().refresh()
    show(handle.to_json(), as_json, runs_table([handle]))


def resume(run: RunName, as_json: JsonFlag = False) -> None:
    """Let a held job go on."""
    from cloudistill.pipeline import verbs

    handle = verbs.get(run).resume().refresh()
    show(handle.to_json(), as_json, runs_table([handle]))


def promote(
    run: RunName,
    checkpoint: Annotated[str, typer.Argument(help="As `show` names it; `final` for the whole training's model.")],
    as_json: JsonFlag = False,
) -> None:
    """Make a checkpoint's model the run's own: what `show`, `jobs` and programs read. The vendor is not told."""
    from cloudistill.pipeline import verbs

    handle = verbs.get(run).promote(checkpoint)
    show(handle.to_json(), as_json, runs_table([handle]))


def delete(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Finished runs.")],
    files: Annotated[bool, typer.Option("--files", help="The files that were uploaded, by every attempt.")] = False,
    model: Annotated[
        bool, typer.Option("--model", help="The trained model of every attempt, and what serves it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove what finished runs left at the vendor. It cannot be undone; the record of the run stays."""
    from cloudistill.pipeline import verbs

    if not (files or model):
        raise UsageError("say what to delete: --files, --model or both")
    handles = [verbs.get(name) for name in runs]
    _require_consent(runs, files=files, model=model, yes=yes)
    documents: list[dict[str, Any]] = []
    for handle in handles:
        gone: list[str] = []
        for remove in [*([handle.delete_model] if model else []), *([handle.delete_files] if files else [])]:
            for ref in remove():  # said at once: what comes next may fail
                gone.append(str(ref))
                say(f"{handle.name}: deleted {ref}")
        if not gone:
            say(f"{handle.name}: nothing was left to delete", "dim")
        documents.append({"run": handle.name, "deleted": gone, "model": handle.model})
    show(documents[0] if len(documents) == 1 else documents, as_json)


def _require_consent(runs: Sequence[str], *, files: bool, model: bool, yes: bool) -> None:
    """Ask the person at the terminal; a script says --yes."""
    what = " and ".join([*(["the model"] if model else []), *(["the files"] if files else [])])
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"deleting {what} of {', '.join(runs)} cannot be undone: add --yes")
    if not typer.confirm(f"Delete {what} of every attempt of {', '.join(runs)}? It cannot be undone.", err=True):
        raise UsageError("nothing was deleted")


COMMANDS = {
    "watch": watch,
    "cancel": cancel,
    "pause": pause,
    "resume": resume,
    "promote": promote,
    "delete": delete,
}
