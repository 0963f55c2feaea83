"""Commands about lessons: check, convert."""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from cloudistill.cli.output import JsonFlag, plain, say, show, show_findings
from cloudistill.core.errors import UsageError
from cloudistill.core.refs import ModelRef

DataPath = Annotated[Path, typer.Argument(help="JSON Lines in OpenAI's, Bedrock's or Gemini's spelling.")]
RenderingFlag = Annotated[
    str | None, typer.Option("--rendering", help="How tools are spelled for Bedrock: text (default) or tool-config.")
]
TodayFlag = Annotated[
    datetime | None, typer.Option("--today", formats=["%Y-%m-%d"], help="Judge end dates by this day.")
]


def day(today: datetime | None) -> date | None:
    """The day of a `--today` flag."""
    return today.date() if today else None


def check(
    data: DataPath,
    student: Annotated[str, typer.Option(help="The student, platform:model.")],
    teacher: Annotated[
        str | None, typer.Option(help="Rows without an answer are fine: this model will answer.")
    ] = None,
    method: Annotated[
        Literal["sft", "native"],
        typer.Option(help="native: by the rules of the vendor's own distillation, with --teacher."),
    ] = "sft",
    rendering: RenderingFlag = None,
    allow_hourly: Annotated[
        bool, typer.Option("--allow-hourly", help="Accept a student that bills by the hour.")
    ] = False,
    ask: Annotated[
        bool, typer.Option("--ask", help="Also ask the vendor's service whether it still has the student.")
    ] = False,
    today: TodayFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Every broken rule with line, rule and remedy; nothing is sent. Exit 3 if any row or rule is refused."""
    from cloudistill.pipeline import verbs
    from cloudistill.pipeline.estimating import estimate
    from cloudistill.pipeline.recipe import ANSWER_TOKENS

    result = verbs.check(
        data,
        student=student,
        today=day(today),
        teacher=teacher,
        method=method,
        allow_hourly=allow_hourly,
        rendering=rendering,
        ask_service=ask,
    )
    cost = estimate(
        result,
        result.student,
        today=day(today) or datetime.now(UTC).date(),
        teacher=ModelRef.parse(teacher) if teacher else None,
        teacher_max_tokens=ANSWER_TOKENS,
        native=method == "native",
    )
    if as_json:
        show(result.to_json() | {"estimate": cost.to_json()}, as_json=True)
    else:
        show_findings(result.findings)
        refused = len(result.refused_lines)
        say(f"{result.rows_in} rows: {result.rows_ok} fit {student}, {refused} refused", "bold")
        if result.rows_ok:
            say(result.tokens)
            say(cost)
    raise typer.Exit(3 if result.errors else 0)


def convert(
    data: DataPath,
    to: Annotated[str, typer.Option("--to", help="openai-chat, bedrock-conversation or gemini-contents.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The file to write; stdout by default.")] = None,
    rendering: RenderingFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Any format into any other. Rows that cannot be carried are listed, never dropped in silence; then exit 3."""
    from cloudistill.pipeline import verbs

    if out is None and as_json:
        raise UsageError("rows and --json would share stdout: give a file with -o")
    with tempfile.TemporaryDirectory() as folder:
        target = out or Path(folder) / "rows.jsonl"
        result = verbs.convert(data, to=to, out=target, rendering=rendering)
        if out is None:
            with target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.flush()
    if as_json:
        document = {
            "rows_in": result.rows_in,
            "rows_out": result.rows_out,
            "rows_refused": result.refused,
            "out": str(out),
        }
        show(document | {"findings": [finding.to_json() for finding in result.findings]}, as_json=True)
    else:
        show_findings(result.findings)
        say(f"{result.rows_in} rows in = {result.rows_out} out + {result.refused} refused", "bold")
        if out is not None:
            say(plain(f"written: {out}"))
    raise typer.Exit(3 if result.refused else 0)


COMMANDS = {"check": check, "convert": convert}
