"""Commands about vendors and accounts: platforms, doctor."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cloudistill.cli.data import TodayFlag, day
from cloudistill.cli.output import JsonFlag, out, plain, say, show, table


def platforms(
    platform: Annotated[str | None, typer.Argument(help="One platform, with everything known about it.")] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Also ask each service about its students, where the vendor has a way to.")
    ] = False,
    today: TodayFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Models, pairs, limits, prices and end dates, each with its source and the day it was checked."""
    from cloudistill.platforms.platform import load, names

    chosen = [load(name) for name in ([platform] if platform else names())]
    said = _services(chosen) if ask else {}
    if as_json:
        documents = [facts.model_dump(mode="json") | ({"asked": said[facts.name]} if ask else {}) for facts in chosen]
        show(documents, as_json=True)
        return
    when = day(today) or datetime.now(UTC).date()
    rows = [_model_row(facts.name, model, when) for facts in chosen for model in facts.models]
    columns = ("model", "roles", "state", "ends", "training $/M", "tuned in/out $/M", "served", "checked")
    out.print(table("Models", columns, rows))
    if ask:
        answers = [(f"{name}:{model}", words) for name, models in said.items() for model, words in models.items()]
        out.print(table("What the services say today", ("student", "service says"), answers))
    if platform:
        for title, grid in _details(chosen[0]):
            out.print()
            out.print(plain(title))
            out.print(grid)


def _services(platforms: list[Any]) -> dict[str, dict[str, str]]:
    """What each platform's service says of each of its students: one GET a student."""
    from cloudistill.pipeline.offers import ask

    return {facts.name: ask(facts) for facts in platforms}


def _model_row(platform: str, model: Any, today: Any) -> tuple[object, ...]:
    prices = model.prices
    training = _span(prices and prices.training_low, prices and prices.training_high)
    tuned = f"{_price(prices and prices.tuned_input)}/{_price(prices and prices.tuned_output)}"
    ends = f"{model.ends}{' or later' if model.ends_no_sooner_than else ''}" if model.ends else None
    state = "ended" if model.ended(today) else ("tunable" if _tunable(model, today) else "callable")
    served = f"{model.serving}{' (hourly)' if model.hourly else ''}"
    return (
        f"{platform}:{model.id}",
        " ".join(sorted(model.roles)),
        state,
        ends,
        training,
        tuned,
        served,
        model.checked,
    )


def _tunable(model: Any, today: Any) -> bool:
    return "student" in model.roles and not model.training_ended(today)


def _span(low: float | None, high: float | None) -> str:
    return _price(low) if low == high else f"{_price(low)}–{_price(high)}"


def _price(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"


def _details(facts: Any) -> list[tuple[str, Any]]:
    """Everything else that is known of one platform, a table a kind."""
    words = [(word, status) for word, status in facts.statuses.items()]
    words += [(word, f"{status} (deployment)") for word, status in facts.deployment_statuses.items()]
    limits = [(name, value) for name, value in facts.limits.model_dump().items() if value not in (None, "")]
    hyper = [
        (model.id, neutral, h.native, h.range, h.default)
        for model in facts.models
        for neutral, h in model.hyperparameters.items()
    ]
    pairs = [
        (pair.teacher, pair.student, pair.region, pair.ended or "live", _span_of(pair), _takes(pair))
        for pair in facts.pairs
    ]
    pair_columns = ("teacher", "student", "region", "until", "prompts", "takes")
    sources = sorted({(model.source, model.checked) for model in facts.models})
    return [
        ("Status words", table("", ("vendor's word", "ours"), words)),
        ("Limits", table("", ("limit", "value"), limits)),
        ("Hyperparameters", table("", ("model", "name", "vendor's name", "range", "default"), hyper)),
        ("Native teacher and student pairs", table("", pair_columns, pairs)),
        ("Sources", table("", ("source", "checked"), sources)),
    ]


def _span_of(pair: Any) -> str | None:
    """How many prompts a pair wants and takes."""
    ends = ("" if end is None else f"{end:,}" for end in (pair.min_rows, pair.max_rows))
    return " to ".join(ends).strip() if pair.min_rows or pair.max_rows else None


def _takes(pair: Any) -> str:
    """What a pair's prompts may hold, and for whom it is."""
    said = {
        "tools": pair.tools,
        "several turns": pair.several_turns,
        "logs": pair.logs,
        "by invitation": pair.by_invitation,
    }
    return ", ".join(words for words, holds in said.items() if holds)


def doctor(
    names: Annotated[list[str] | None, typer.Argument(metavar="[PLATFORM]...", help="All of them by default.")] = None,
    student: Annotated[str | None, typer.Option(help="Also check region and location for this student.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Credentials, permissions, buckets, regions: what would fail, before it does. Costs nothing; exit 3 if any."""
    from cloudistill.core.refs import ModelRef
    from cloudistill.pipeline.diagnosis import diagnose

    ref = ModelRef.parse(student) if student else None
    reports = diagnose(names or ([ref.platform] if ref else None), ref)
    broken = any(finding.is_error for findings in reports.values() for finding in findings)
    if as_json:
        show({name: [finding.to_json() for finding in findings] for name, findings in reports.items()}, as_json=True)
    else:
        for name, findings in reports.items():
            say(f"{name}: {'fine' if not findings else ''}", "bold")
            for finding in findings:
                mark = "✗" if finding.is_error else "!"
                say(f"  {mark} {finding}", "red" if finding.is_error else "yellow")
    raise typer.Exit(3 if broken else 0)


COMMANDS = {"platforms": platforms, "doctor": doctor}
