"""The command that tells everything about one run: what is recorded, and what the vendor says of its job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cloudistill.cli.output import JsonFlag, out, plain, say, show, table
from cloudistill.cli.plot import curve
from cloudistill.cli.runs import RunName
from cloudistill.cli.told import LOSSES, Told, ask
from cloudistill.core.errors import UsageError

if TYPE_CHECKING:
    from cloudistill.pipeline.run import Run
    from cloudistill.pipeline.store import Step


def show_run(
    run: RunName,
    events: Annotated[
        bool, typer.Option("--events", help="Also what the vendor told of the job, line by line.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", dir_okay=False, help="Write all of it as one page.")
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Take the run a step further first.")] = False,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Only what is recorded here: no vendor is asked.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Everything about one run: order, job, model, steps; loss per step and checkpoints, where the vendor tells."""
    from cloudistill.pipeline import verbs

    handle = verbs.get(run)
    if refresh:
        handle.refresh()
    if recorded and events:
        raise UsageError("events are the vendor's to tell: leave --recorded out")
    told = Told() if recorded else ask(handle, events=events or html is not None)
    if events and told.events is None:
        handle.events()  # says why there are none
    if html is not None:
        from cloudistill.cli.page import render

        html.write_text(render(handle, told), "utf-8")
    history = handle.history()
    steps = [{"at": step.at, "step": step.step, "state": step.state, **step.detail} for step in history]
    record = {"order": handle.record.order, "payer": handle.record.payer, "steps": steps}
    show(handle.to_json() | record | told.to_json(), as_json)
    if not as_json:
        _print_record(handle, history)
        _print_told(told, events=events)
    if html is not None:
        say(f"written: {html}")


def _print_record(run: Run, history: Sequence[Step]) -> None:
    facts = {**run.to_json(), "prompts": _judged(run.record.facts.get("prompts")), "payer": run.record.payer}
    order = {f"order: {key}": value for key, value in run.record.order.items()}
    known = [(key, _shown(value)) for key, value in (facts | order).items() if value not in (None, {}, [])]
    out.print(table("", ("", ""), known))
    rows = [(f"{step.at:%m-%d %H:%M:%S}", step.attempt, step.step, step.state) for step in history]
    out.print(table("Steps", ("at (UTC)", "attempt", "step", "state"), rows))


def _judged(prompts: dict[str, Any] | None) -> str | None:
    """What the vendor made of the prompts, as a sentence."""
    if prompts is None:
        return None
    accepted, rejected = ("?" if prompts[name] is None else prompts[name] for name in ("accepted", "rejected"))
    reasons = "; ".join(f"{reason}: {count}" for reason, count in prompts["reasons"].items())
    return f"{accepted} accepted, {rejected} rejected" + (f" ({reasons})" if reasons else "")


def _shown(value: object) -> object:
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        if not any(isinstance(member, dict | list) for member in members.values()):
            return ", ".join(f"{name} {'?' if member is None else member}" for name, member in members.items())
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _print_told(told: Told, *, events: bool) -> None:
    for which in LOSSES:
        if points := told.loss(which):
            (first, begun), (last, ended) = points[0], points[-1]
            out.print(
                plain(f"{which.replace('_', ' ')}: {begun:.4g} at step {first:.0f}, {ended:.4g} at step {last:.0f}")
            )
            out.print(plain("\n".join(curve(points))))
    if told.checkpoints:
        rows = [(each.name, each.step, each.epoch, each.model) for each in told.checkpoints]
        out.print(table("Checkpoints", ("checkpoint", "step", "epoch", "model"), rows))
    if events and told.events is not None:
        rows = [(each.at and f"{each.at:%m-%d %H:%M:%S}", each.level, each.message) for each in told.events]
        out.print(table("Events", ("at (UTC)", "level", "the vendor says"), rows))
    for trouble in told.troubles:
        say(f"the vendor could not be asked: {trouble}", "dim")


COMMANDS = {"show": show_run}
