"""The command that lists: the runs recorded here, or with `--at` the jobs of the vendors' accounts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudistill.cli.data import day
from cloudistill.cli.output import JsonFlag, say, show, table
from cloudistill.cli.runs import runs_table
from cloudistill.core.errors import PlatformError

if TYPE_CHECKING:
    from cloudistill.core.job import Job
    from cloudistill.pipeline.listing import Jobs

PAGE = 20


def jobs(
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="PLATFORM", help="Ask these accounts, or `all`, for every job they have."),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(metavar="STATUS", help="Only these: ready, waiting, …; with --at succeeded, running, …"),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Begun on that day or later.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help=f"At most so many; {PAGE} with --at, else all.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="JOB", help="Go on after this one: a run's name, or with --at a job's id.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """The recorded runs of every platform, or the jobs of several accounts, in one table, newest first."""
    from cloudistill.pipeline import verbs

    if at:
        _print_jobs(
            verbs.jobs(at=at, status=status, since=day(since), limit=limit or PAGE, after=after),
            as_json=as_json,
        )
        return
    runs = verbs.jobs(status=status, since=day(since), limit=limit, after=after)
    nothing = "no such run is recorded here" if status or since or after else "no runs are recorded here"
    show([run.to_json() for run in runs], as_json, runs_table(runs) if runs else nothing)


def _print_jobs(listed: Jobs, *, as_json: bool) -> None:
    """All that could be listed; a vendor in trouble hides no other's jobs, and is told at the end."""
    found = list(listed)
    rows = [_row(job, listed.runs.get(job.ref)) for job in found]
    columns = ("created (UTC)", "status", "run here", "job", "vendor says", "base", "model")
    grid = table("", columns, rows, narrow=4)
    nothing = "no job could be listed" if listed.troubles else "no such job"
    show([_document(job, listed.runs.get(job.ref)) for job in found], as_json, grid if found else nothing)
    for platform, trouble in listed.troubles.items():
        say(f"{platform} could not be listed: {trouble}", "bold red")
    if listed.limit is not None and len(found) == listed.limit:
        say(f"the next ones: --after {found[-1].ref}", "dim")
    raise typer.Exit(PlatformError.exit_code if listed.troubles else 0)


def _row(job: Job, run: str | None) -> tuple[object, ...]:
    created = job.created and f"{job.created:%Y-%m-%d %H:%M}"
    return (created, job.status, run, job.ref, job.native_status, job.base, job.model)


def _document(job: Job, run: str | None) -> dict[str, Any]:
    return {
        "job": str(job.ref),
        "status": str(job.status),
        "native_status": job.native_status,
        "created": job.created and job.created.isoformat(),
        "finished": job.finished and job.finished.isoformat(),
        "run": run,
        "ordered_as": job.run,
        "base": job.base,
        "model": job.model and str(job.model),
        "failure": job.failure,
    }


COMMANDS = {"jobs": jobs}
