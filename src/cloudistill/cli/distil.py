"""Commands about runs: distill, jobs, show, watch, cancel."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudistill.cli.data import DataPath, RenderingFlag, TodayFlag, day
from cloudistill.cli.output import WIDE, JsonFlag, out, say, show, table
from cloudistill.cli.progress import Board, interruptible
from cloudistill.core.errors import CloudistillError, UsageError

if TYPE_CHECKING:
    from cloudistill.pipeline.estimating import Estimate
    from cloudistill.pipeline.preparing import Confirm
    from cloudistill.pipeline.run import Run

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, as `jobs` lists it.")]
PaceFlag = Annotated[
    float | None, typer.Option("--every", min=0.05, help="Seconds between two looks; each platform's own by default.")
]
TimeoutFlag = Annotated[
    str | None, typer.Option(metavar="TIME", help="Stop waiting after this long (90, 30m, 2h); the job goes on.")
]
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def distill(
    data: DataPath,
    student: Annotated[
        list[str], typer.Option(metavar="REF", help="The student, platform:model; several times for several.")
    ],
    teacher: Annotated[
        str | None, typer.Option(metavar="REF", help="The model that answers rows without an answer.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(metavar="METHOD", help="sft, the default: fine-tune on the answers.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The run's name; the same name and content again resumes.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="Refuse before the first paid call above it.")
    ] = None,
    price: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="USD per million training tokens, if unknown.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before paying.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return once the vendor has the order.")] = False,
    timeout: TimeoutFlag = None,
    drop_refused: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Go on without up to this many refused rows.")
    ] = None,
    teacher_max_tokens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The longest answer of the teacher.")
    ] = None,
    rendering: RenderingFlag = None,
    validation: Annotated[Path | None, typer.Option(help="Held-out rows the vendor reports its loss on.")] = None,
    hyperparameter: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="epochs, batch_size, learning_rate, …")
    ] = None,
    native: Annotated[
        list[str] | None, typer.Option(metavar="NAME=JSON", help="A member of the vendor's own create request.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A tag on job and model.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Where the vendor takes one.")] = None,
    suffix: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Part of the student's name, where the vendor takes one.")
    ] = None,
    kms_key: Annotated[
        str | None, typer.Option(metavar="ARN", help="The key that encrypts the student (Bedrock).")
    ] = None,
    subnet: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A subnet of the training job (Bedrock).")
    ] = None,
    security_group: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A security group of the job (Bedrock).")
    ] = None,
    service_account: Annotated[
        str | None, typer.Option(metavar="ID", help="Who the job runs as (Vertex), or its role.")
    ] = None,
    allow_hourly: Annotated[
        bool | None, typer.Option("--allow-hourly", help="Accept a student that bills by the hour.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Pay for another attempt after a failed one.")] = False,
    force_new: Annotated[
        bool, typer.Option("--force-new", help="Pay for another job whatever became of the last.")
    ] = False,
    resubmit_after: Annotated[
        str, typer.Option(metavar="TIME", help="Send a doubtful order again after this long (10m, 600).")
    ] = "10m",
    every: PaceFlag = None,
    today: TodayFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """The main job: check, label, upload, submit, wait, deploy. Run it again and it resumes, never paying twice."""
    from cloudistill.pipeline import verbs

    recipe = _recipe(
        teacher=teacher,
        method=method,
        budget=budget,
        price=price,
        teacher_max_tokens=teacher_max_tokens,
        drop_refused=drop_refused,
        rendering=rendering,
        validation=validation,
        seed=seed,
        suffix=suffix,
        kms_key=kms_key,
        service_account=service_account,
        allow_hourly=allow_hourly,
        hyperparameters={key: _number(value) for key, value in _pairs(hyperparameter, "--set")},
        native={key: _json(value, key) for key, value in _pairs(native, "--native")},
        tags=dict(_pairs(tag, "--tag")),
        vpc=_network(subnet, security_group),
    )
    board, limit = Board(quiet=as_json), seconds(timeout) if timeout else None
    with interruptible(board):
        runs: list[Run] = verbs.distill(
            data,
            student=student,
            name=name,
            wait=False,
            again=again,
            force_new=force_new,
            resubmit_after=seconds(resubmit_after),
            today=day(today),
            notify=board.notify,
            confirm=None if yes else _asker(),
            **recipe,
        )
    if not no_wait:
        ordered = [run for run in runs if run.error is None]
        _follow(board, ordered, limit, every)
    _finish(runs, as_json)


def _recipe(**said: Any) -> dict[str, Any]:
    """What was said on the line; for what was not, `distill.toml` speaks."""
    from cloudistill.pipeline import settings

    return settings.flags() | {name: value for name, value in said.items() if value is not None and value != {}}


def _network(subnets: list[str] | None, groups: list[str] | None) -> dict[str, Any] | None:
    if bool(subnets) != bool(groups):
        raise UsageError("a private network needs both --subnet and --security-group")
    return {"subnet_ids": subnets, "security_group_ids": groups} if subnets else None


def _pairs(given: list[str] | None, flag: str) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in given or ()]
    if wrong := next((key for key, equals, _ in pairs if not (key and equals)), None):
        raise UsageError(f"{flag} {wrong!r}: write NAME=VALUE")
    return [(key, value) for key, _, value in pairs]


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--native {name}: {text[:80]!r} is not JSON: {error}") from error


def seconds(text: str) -> float:
    """`10m`, `600`, `2h` as seconds."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smhd]?)", text.strip())
    if not found:
        raise UsageError(f"{text!r} is not a length of time: write 600, 10m or 2h")
    return float(found[1]) * _UNITS[found[2]]


def _asker() -> Confirm | None:
    """Asks a person at a terminal before the first paid call; a script has said what it wants by running."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(run: str, cost: Estimate) -> bool:
        return typer.confirm(f"{run}: {cost}. Go on?", err=True)

    return ask


def _follow(board: Board, runs: list[Run], limit: float | None, pace: float | None) -> None:
    """Watch to the end; an error is kept on the runs it leaves unfinished, so that all of them are printed."""
    from cloudistill.pipeline.watching import watch as look

    try:
        board.follow(runs, look(runs, timeout=limit, pace=pace))
    except CloudistillError as error:
        for run in runs:
            if not run.status.is_final and run.error is None:
                run.error = error


def _finish(runs: list[Run], as_json: bool) -> None:
    """Print how each run stands, then exit with the first failure's code."""
    from cloudistill.pipeline.watching import failures

    documents = [run.to_json() for run in runs]
    show(documents[0] if len(documents) == 1 else documents, as_json, _runs_table(runs))
    errors = failures(runs)
    for words in dict.fromkeys(str(error) for error in errors):
        say(words, "bold red")
    for run in runs:
        if not as_json and run.model:
            say(f'ask it: cloudistill chat "{run.model}" "…"', "green")
    raise typer.Exit(errors[0].exit_code if errors else 0)


def _runs_table(runs: list[Run]) -> Any:
    """The runs in one table; a narrow terminal gets the columns that fit, `show` has the rest."""
    rows = [(run.name, run.student.platform, run.status, run.native_status, run.job, run.model) for run in runs]
    columns = ("run", "platform", "status", "vendor says", "job", "model")
    fitting = len(columns) if out.width >= WIDE else 4
    return table("", columns[:fitting], [row[:fitting] for row in rows])


def jobs(as_json: JsonFlag = False) -> None:
    """The recorded runs of every platform in one table, newest first."""
    from cloudistill.pipeline import verbs

    runs = verbs.jobs()
    show([run.to_json() for run in runs], as_json, _runs_table(runs) if runs else "no runs are recorded here")


def show_run(
    run: RunName,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the vendor first.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Everything recorded about one run: order, job, model, and each step with its time."""
    from cloudistill.pipeline import verbs

    handle = verbs.get(run)
    if refresh:
        handle.refresh()
    steps = handle.history()
    history = [{"at": step.at, "step": step.step, "state": step.state, **step.detail} for step in steps]
    show(handle.to_json() | {"order": handle.record.order, "payer": handle.record.payer, "steps": history}, as_json)
    if not as_json:
        facts = {**handle.to_json(), "payer": handle.record.payer}
        order = {f"order: {key}": value for key, value in handle.record.order.items()}
        known = [(key, _shown(value)) for key, value in (facts | order).items() if value not in (None, {}, [])]
        out.print(table("", ("", ""), known))
        rows = [(f"{step.at:%m-%d %H:%M:%S}", step.attempt, step.step, step.state) for step in steps]
        out.print(table("Steps", ("at (UTC)", "attempt", "step", "state"), rows))


def _shown(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


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
    _follow(board, handles, seconds(timeout) if timeout else None, every)
    _finish(handles, as_json)


def cancel(run: RunName, as_json: JsonFlag = False) -> None:
    """Ask the vendor to stop a run's job; what it trained so far is billed."""
    from cloudistill.pipeline import verbs

    handle = verbs.get(run)
    handle.cancel()
    handle.refresh()
    show(handle.to_json(), as_json, _runs_table([handle]))


COMMANDS = {"distill": distill, "jobs": jobs, "show": show_run, "watch": watch, "cancel": cancel}
