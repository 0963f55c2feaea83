"""Whether a model can be tuned, or asked, on a given day: what is ended, ending, closed, hourly or not known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Literal

from cloudistill.core.errors import ModelUnavailable
from cloudistill.core.finding import Finding
from cloudistill.core.refs import ModelRef
from cloudistill.platforms.model import Model
from cloudistill.platforms.platform import Platform, load, names

Level = Literal["error", "warning"]

NOTICE_DAYS = 90
"""How long before its end a model is warned about."""
SHELF_LIFE = timedelta(days=365)
"""How long we believe a model to live whose end was not announced when its facts were checked."""


def check_model(
    student: ModelRef,
    today: date,
    *,
    allow_hourly: bool = False,
    platform: Platform | None = None,
) -> list[Finding]:
    """What stands against tuning `student` on `today`; the data is not looked at.

    Raises:
        UsageError: nothing is known about the platform.
    """
    facts = platform or load(student.platform)
    model = facts.model(student.id)
    if model is None or "student" not in model.roles:
        return [_not_a_student(facts, student, model, today)]
    if closed := _closed(facts, model, today):
        return [closed]
    return [*_limits(model, student, allow_hourly=allow_hourly), *_warnings(facts, model, today)]


def check_teacher(teacher: ModelRef, today: date, *, needed: bool) -> list[Finding]:
    """What stands against asking `teacher` on `today`; nothing more than warnings unless it is `needed`."""
    model = load(teacher.platform).model(teacher.id) if teacher.platform in names() else None
    if model is None:
        return [_unknown_teacher(teacher)]
    level: Level = "error" if needed else "warning"
    if model.ended(today):
        remedy = _instead(model) or "Choose another teacher."
        return [_about(model, "teacher-ended", f"{teacher} {_ended_words(model)}.", remedy, level=level)]
    return [replace(soon, rule="teacher-ends-soon") for soon in _ends_soon(model, str(teacher), today)]


def resolve_student(ref: ModelRef, *, platform: Platform | None = None) -> Model:
    """The facts about a student, ended or not.

    Raises:
        ModelUnavailable: no such student is known; the message names those with a like name.
        UsageError: nothing is known about the platform.
    """
    facts = platform or load(ref.platform)
    model = facts.model(ref.id)
    if model is None or "student" not in model.roles:
        finding = _not_a_student(facts, ref, model, None)
        raise ModelUnavailable(f"{finding.message} {finding.remedy}", [finding])
    return model


def _not_a_student(facts: Platform, ref: ModelRef, model: Model | None, today: date | None) -> Finding:
    students = [m for m in facts.models if "student" in m.roles and (today is None or _tunable(m, today))]
    near = get_close_matches(ref.id, [m.id for m in students], n=3, cutoff=0.5)
    named = ", ".join(f"{facts.name}:{id_}" for id_ in near or [m.id for m in students])
    remedy = (
        f"{'Did you mean' if near else 'Students here:'} {named}{'?' if near else '.'}" if named else _nothing(facts)
    )
    if model is None:
        rule, message = "unknown-model", f"{facts.title} has no model {ref.id!r} that is known here."
        return Finding(rule=rule, message=message, remedy=remedy)
    if any(pair.student == model.id for pair in facts.pairs):
        message = f"{ref} is not tuned on answers: it learns by {facts.title}'s own distillation (--method native)."
        return _about(model, "not-tunable", message, remedy)
    return _about(model, "not-tunable", f"{ref} answers but cannot be tuned.", remedy)


def _nothing(facts: Platform) -> str:
    return f"No student is known on {facts.title} that can be tuned: choose another platform, or upgrade cloudistill."


def _closed(facts: Platform, model: Model, today: date) -> Finding | None:
    """Why no job can be made today, if none can."""
    ref, remedy = f"{facts.name}:{model.id}", alternatives(facts, model, today)
    if model.ended(today):
        return _about(model, "model-ended", f"{ref} {_ended_words(model)}.", remedy)
    if model.training_ended(today):
        message = f"{facts.title} takes no new tuning jobs for {model.id} since {model.training_ends}."
        return _about(model, "no-new-jobs", message, remedy)
    if _stale(model, today):
        age = (today - model.checked).days
        message = (
            f"what is known of {ref} was checked on {model.checked}, {age} days before {today}: it may have ended."
        )
        return _about(model, "facts-too-old", message, remedy)
    return None


def _ended_words(model: Model) -> str:
    if model.ends_no_sooner_than:
        return f"was promised until {model.ends} only and may have ended (checked {model.checked})"
    return f"ended on {model.ends}: calls fail since then"


def _stale(model: Model, today: date) -> bool:
    return (model.ends is None or model.ends_no_sooner_than) and today > model.checked + SHELF_LIFE


def _tunable(model: Model, today: date) -> bool:
    return not model.training_ended(today) and not _stale(model, today)


def alternatives(facts: Platform, model: Model, today: date) -> str:
    """What to tune instead of `model`: this vendor's students that can be tuned, then the others'."""
    others = [load(name) for name in names() if name != facts.name]
    found = [
        f"{platform.name}:{other.id}"
        for platform in (facts, *others)
        for other in platform.models
        if "student" in other.roles and not other.hourly and _tunable(other, today)
    ]
    if not found:
        tail = f"No student in these facts can be tuned on {today}: upgrade cloudistill."
    else:
        tail = f"Students that can be tuned on {today}: {', '.join(found[:6])}."
    return f"{_instead(model)} {tail}".strip()


def _instead(model: Model) -> str:
    return f"Named in its place: {', '.join(model.replaced_by)}." if model.replaced_by else ""


def _limits(model: Model, ref: ModelRef, *, allow_hourly: bool) -> Iterator[Finding]:
    if model.hourly and not allow_hourly:
        message = (
            f"a student tuned from {ref} can be served by provisioned throughput only, billed by the hour even idle."
        )
        yield _about(
            model, "hourly-serving", message, "Choose another student, or accept the cost with --allow-hourly."
        )


def _warnings(facts: Platform, model: Model, today: date) -> Iterator[Finding]:
    ref = f"{facts.name}:{model.id}"
    yield from _ends_soon(model, f"{ref}, with everything tuned from it,", today)
    if (closing := facts.wind_down) and closing.closed_to_new and today >= closing.closed_to_new:
        message = (
            f"{facts.title} takes tuning jobs only from organisations that had tuned before {closing.closed_to_new}"
            f" and still called a tuned model shortly before {closing.closed_to_dormant}."
        )
        remedy = "Go on only if yours is one of them: it answers 403 to the others."
        yield Finding(
            rule="closed-to-newcomers", message=message, remedy=remedy, source=closing.source, level="warning"
        )
    if model.note:
        remedy = "Try a small job first."
        yield _about(model, "uncertain-facts", f"{ref}: {model.note}.", remedy, level="warning")


def _ends_soon(model: Model, subject: str, today: date) -> Iterator[Finding]:
    if not model.ends_within(NOTICE_DAYS, today) or model.ends is None:
        return
    left = (model.ends - today).days
    when = (
        f"may end in {left} days, on {model.ends} or later"
        if model.ends_no_sooner_than
        else f"ends in {left} days, on {model.ends}"
    )
    remedy = _instead(model) or "Plan the move to another model."
    yield _about(model, "model-ends-soon", f"{subject} {when}.", remedy, level="warning")


def _unknown_teacher(teacher: ModelRef) -> Finding:
    return Finding(
        rule="unknown-teacher",
        message=f"nothing is known here about the teacher {teacher}: its end date and terms are not checked.",
        remedy="Check them at the vendor.",
        level="warning",
    )


def _about(model: Model, rule: str, message: str, remedy: str, *, level: Level = "error") -> Finding:
    return Finding(rule=rule, message=message, remedy=remedy, source=model.source, level=level)
