"""Commands that need no account: demo, emulate."""

from __future__ import annotations

import os
import shlex
import time
from contextlib import ExitStack
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cloudistill.cli.data import TodayFlag, day
from cloudistill.cli.output import JsonFlag, out, plain, say, show
from cloudistill.core.errors import UsageError


class Vendor(StrEnum):
    """A vendor that can be emulated."""

    OPENAI = "openai"
    BEDROCK = "bedrock"
    VERTEX = "vertex"


DEMO_DAY = datetime(2026, 11, 24)  # noqa: DTZ001 - a day, not an instant


def demo(
    folder: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Where data, table and page are written.")
    ] = Path("demo-out"),
    today: TodayFlag = DEMO_DAY,
    as_json: JsonFlag = False,
) -> None:
    """The whole story on loopback, no account needed: check, distil on all three vendors, ask, compare, one page."""
    from cloudistill.cli.progress import Board
    from cloudistill.demo.story import tell

    board = Board(quiet=as_json)
    story = tell(folder, today=day(today) or DEMO_DAY.date(), notify=board.notify, follow=board.follow)
    show(story.to_json(), as_json, story.table())
    if not as_json:
        say(f"open {story.page}", "green")


def emulate(
    names: Annotated[list[Vendor] | None, typer.Argument(help="All three by default.")] = None,
    env_file: Annotated[Path | None, typer.Option(help="Write the variables there, for `source`.")] = None,
    speed: Annotated[float, typer.Option(min=0, help="Vendor seconds per second.")] = 60.0,
    teacher_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="OpenAI-chat rows: base models give these answers.")
    ] = None,
    teacher_faults: Annotated[float, typer.Option(min=0, max=1, help="Share of them spoilt on purpose.")] = 0.0,
    today: TodayFlag = None,
    record: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Append every request and answer there, as JSON Lines.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """The vendors on loopback until Ctrl-C; prints the variables that point stock SDKs and cloudistill there."""
    from cloudistill.backends.backend import load_sdk

    emulate_vendors = load_sdk("cloudistill.emulators", extra="emulators").emulate
    if env_file:
        env_file.unlink(missing_ok=True)  # ports change: nobody should wait for a file that is there
    options = {"teacher_key": teacher_key, "teacher_faults": teacher_faults, "today": day(today), "speed": speed}
    options |= {"record": record}
    with ExitStack() as running:
        try:
            world = running.enter_context(emulate_vendors(*(names or ()), **options))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{teacher_key} is not a key of OpenAI-chat rows: {error!r}") from error
        lines = [f"export {key}={shlex.quote(value)}" for key, value in sorted(world.environment.items())]
        if env_file:
            descriptor = os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        show({"environment": world.environment, "teacher": world.note}, as_json, plain("\n".join(lines)))
        out.file.flush()
        say(f"base models: {world.note}", "dim")
        if "GOOGLE_VERTEX_BASE_URL" in world.environment:
            say(
                "a bare genai.Client() ignores its variable and would reach Google: give it vertexai=True, project, "
                "location and http_options base_url",
                "yellow",
            )
        say("running until Ctrl-C", "green")
        try:
            while True:
                time.sleep(0.2)  # one endless wait would not always notice Ctrl-C
        except KeyboardInterrupt:
            say("stopped")


COMMANDS = {"demo": demo, "emulate": emulate}
