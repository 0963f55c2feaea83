"""The main command: distill."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudistill.cli.data import RenderingFlag, TodayFlag, day
from cloudistill.cli.output import JsonFlag
from cloudistill.cli.progress import Board, interruptible
from cloudistill.cli.runs import PaceFlag, TimeoutFlag, finish, follow, seconds
from cloudistill.core.errors import UsageError
from cloudistill.core.job import Condition, Logs

if TYPE_CHECKING:
    from cloudistill.pipeline.estimating import Estimate
    from cloudistill.pipeline.preparing import Confirm
    from cloudistill.pipeline.run import Run


def distill(
    student: Annotated[
        list[str], typer.Option(metavar="REF", help="The student, platform:model; several times for several.")
    ],
    data: Annotated[
        Path | None, typer.Argument(help="JSON Lines in OpenAI's, Bedrock's or Gemini's spelling; or --logs instead.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(metavar="REF", help="The model that answers rows without an answer.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="sft (default): fine-tune on the answers. native: the vendor runs the teacher. auto: whichever fits.",
        ),
    ] = None,
    logs: Annotated[
        str | None, typer.Option(metavar="URI", help="Requests the vendor logged, in place of a file (Bedrock).")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Of the logs, those with this metadata; or KEY!=VALUE."),
    ] = None,
    any_of: Annotated[bool, typer.Option("--any", help="One --where is enough; else all must hold.")] = False,
    use_answers: Annotated[
        bool, typer.Option("--use-answers", help="Learn the answers that were logged; the teacher is not asked.")
    ] = False,
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
        logs=_logs(logs, where, any_of=any_of, use_answers=use_answers),
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
        follow(board, ordered, limit, every)
    finish(runs, as_json)


def _recipe(**said: Any) -> dict[str, Any]:
    """What was said on the line; for what was not, `distill.toml` speaks."""
    from cloudistill.pipeline import settings

    return settings.flags() | {name: value for name, value in said.items() if value is not None and value != {}}


def _logs(uri: str | None, where: list[str] | None, *, any_of: bool, use_answers: bool) -> Logs | None:
    if uri is None and (where or any_of or use_answers):
        raise UsageError("--where, --any and --use-answers pick from logs: say which, with --logs URI")
    if uri is None:
        return None
    conditions = tuple(map(_condition, where or ()))
    return Logs(uri=uri, use_answers=use_answers, where=conditions, match="any" if any_of else "all")


def _condition(text: str) -> Condition:
    found = re.fullmatch(r"(.+?)(!?=)(.*)", text, re.DOTALL)
    if not found:
        raise UsageError(f"--where {text!r}: write KEY=VALUE, or KEY!=VALUE")
    return Condition(key=found[1], value=found[3], equal=found[2] == "=")


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


def _asker() -> Confirm | None:
    """Asks a person at a terminal before the first paid call; a script has said what it wants by running."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(run: str, cost: Estimate) -> bool:
        return typer.confirm(f"{run}: {cost}. Go on?", err=True)

    return ask


COMMANDS = {"distill": distill}
