"""Before money moves: who asks for what, whether it was asked before, every check, and the cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

from cloudistill.backends.backend import Backend, Trains
from cloudistill.core.errors import (
    BudgetExceeded,
    InvalidDataset,
    MissingSetup,
    ModelUnavailable,
    RunConflict,
    UsageError,
)
from cloudistill.core.job import RunStatus
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.formats.dataset import Dataset
from cloudistill.pipeline import spec as specs
from cloudistill.pipeline.checking import Check, check
from cloudistill.pipeline.estimating import Estimate, estimate, require_budget
from cloudistill.pipeline.ordering import Doubt
from cloudistill.pipeline.progress import Event, Notify, silent
from cloudistill.pipeline.recipe import Recipe
from cloudistill.pipeline.retry import once
from cloudistill.pipeline.run import Run, trainer_of
from cloudistill.pipeline.settings import connected
from cloudistill.pipeline.store import Record, Store
from cloudistill.platforms.platform import load

LONGEST_NAME = 200
Confirm = Callable[[str, Estimate], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What every step needs besides the run: store, today, how doubt is settled, who listens, who is asked to pay.

    `again` starts another attempt after a failed one; `force_new` starts another whatever became of the last.
    `backends` are ready ones, by platform, to be used instead of connecting anew.
    `confirm` is asked once per run before the first paid call and may say no; None asks nobody.
    """

    store: Store
    today: date
    doubt: Doubt = field(default_factory=Doubt)
    notify: Notify = silent
    again: bool = False
    force_new: bool = False
    backends: Mapping[str, Backend] = field(default_factory=dict[str, Backend])
    confirm: Confirm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one student is to be made from, and how."""

    name: str
    dataset: Dataset
    student: ModelRef
    recipe: Recipe
    backend: Trains
    order: dict[str, Any]


def default_name(stem: str, student: ModelRef) -> str:
    """A run's name from the data's, or a common one, and the student's; two students never share one."""
    about, made_from = (re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") for text in (stem, str(student)))
    return f"{about[:60].strip('-')}-{made_from}"[:LONGEST_NAME]


def take_up(data: str | Path, student: ModelRef, name: str | None, recipe: Recipe, setting: Setting) -> Asked:
    """What is asked for, with the dataset opened and the backend connected.

    Raises:
        UsageError: a file, name, platform or setting that makes no sense.
    """
    dataset = Dataset(Path(data))
    name = default_name(dataset.path.name.split(".")[0], student) if name is None else name
    if not (name.isprintable() and name.strip() and len(name) <= LONGEST_NAME):
        raise UsageError(f"{name[:40]!r} cannot name a run: give 1 to {LONGEST_NAME} printable characters")
    return Asked(
        name=name,
        dataset=dataset,
        student=student,
        recipe=recipe,
        backend=trainer_of(connected(student.platform, setting.backends)),
        order=_order(dataset, student, recipe),
    )


def _order(dataset: Dataset, student: ModelRef, recipe: Recipe) -> dict[str, Any]:
    platform = load(student.platform)
    model = platform.model(student.id)
    rendering = recipe.rendering or (model.rendering if model else None)
    order = recipe.ordered() | {"student": str(student), "fingerprint": dataset.fingerprint}
    validation = Dataset(recipe.validation).fingerprint if recipe.validation else None
    return order | {"format": platform.format, "rendering": rendering, "validation": validation}


def recorded(asked: Asked, setting: Setting) -> Run | None:
    """The run of that name, or None if it is new.

    Raises:
        RunConflict: it has other content, or another payer.
    """
    record = setting.store.find(asked.name)
    if record is None:
        return None
    run = Run(setting.store, record, asked.backend, setting.doubt, setting.notify)
    run.trains()
    forced = setting.force_new and run.job is not None
    if record.order != asked.order and run.is_ordered() and not forced:
        raise _other_content(record, asked)
    return run


class Renewal(Enum):
    """What of a recorded run begins anew: nothing, its deployment alone, or another attempt that is paid for."""

    NONE = "none"
    DEPLOYMENT = "deployment"
    ATTEMPT = "attempt"


def renews(run: Run, asked: Asked, setting: Setting) -> Renewal:
    """What begins anew, by what was asked for and how the run stands.

    An order in doubt is looked for before another is paid, whatever was asked; a student that was trained and only
    failed to deploy is deployed again, not trained again.
    """
    if run.job is None and run.is_ordered():
        return Renewal.NONE
    if setting.force_new or run.record.order != asked.order:
        return Renewal.ATTEMPT
    if setting.again and run.status in {RunStatus.FAILED, RunStatus.CANCELLED}:
        return Renewal.DEPLOYMENT if run.record.facts.get("trained") else Renewal.ATTEMPT
    return Renewal.NONE


def redeploy(run: Run) -> None:
    """Let the next look order another deployment of what was trained."""
    attempt = run.record.facts.get("deployment_attempt", 1) + 1
    fresh: dict[str, Any] = {"deployment": None, "failure": None, "deployment_attempt": attempt}
    run.record = run.store.update(run.name, status=RunStatus.DEPLOYING, **fresh)


def _other_content(record: Record, asked: Asked) -> RunConflict:
    was, now = record.order, asked.order
    changed = sorted(key for key in now | was if now.get(key) != was.get(key))
    listed = "; ".join(f"{key} was {was.get(key)!r}, now {now.get(key)!r}" for key in changed)
    return RunConflict(
        f"run {asked.name!r} exists with other content: {listed}. Give another --name, or --force-new to pay for a "
        "new job under this one"
    )


def check_order(asked: Asked, setting: Setting) -> Check:
    """Every rule that can be checked before money moves: rows, model, setup at the vendor, budget."""
    message = f"checking {asked.dataset.path} for {asked.student}"
    setting.notify(Event(run=asked.name, step="check", message=message))
    checked = check_rows(asked, asked.dataset, setting, answered=asked.recipe.teacher is None)
    for finding in checked.findings:
        if not finding.line and not finding.is_error:
            setting.notify(Event(run=asked.name, step="check", message=str(finding)))
    unsent = FileRef(asked.student.platform, "unsent")
    spec = specs.ordered(asked.name, asked.order, unsent, unsent if asked.recipe.validation else None)
    once(asked.backend, lambda: asked.backend.accepts(spec))
    findings = once(asked.backend, lambda: asked.backend.preflight(asked.student))
    if errors := [finding for finding in findings if finding.is_error]:
        raise MissingSetup(str(errors[0]), errors)
    _check_validation(asked, setting)
    return checked


def check_rows(asked: Asked, dataset: Dataset, setting: Setting, *, answered: bool) -> Check:
    """Every rule of rows and model; with `answered` a row may not wait for the teacher any more."""
    checked = check(
        dataset,
        asked.student,
        today=setting.today,
        teacher=asked.recipe.teacher,
        allow_hourly=asked.recipe.allow_hourly,
        allow_unanswered=not answered,
        rendering=asked.order["rendering"],
    )
    refuse_rows(checked, asked.recipe.drop_refused)
    return checked


def _check_validation(asked: Asked, setting: Setting) -> None:
    """The held-out rows that the vendor reports its loss on; none of them may be refused."""
    if asked.recipe.validation is None:
        return
    dataset = Dataset(asked.recipe.validation)
    checked = check(dataset, asked.student, today=setting.today, rendering=asked.order["rendering"])
    broken = [finding for finding in checked.errors if finding.line]
    if broken:
        raise InvalidDataset(f"{len(broken)} rules are broken in the validation rows: {broken[0]}", broken)


def refuse_rows(checked: Check, allowed: int) -> None:
    """Refuse a dataset with broken rules, unless only rows are broken and no more of them than `allowed`.

    Raises:
        ModelUnavailable: the student cannot be tuned, whatever the rows.
        InvalidDataset: too many rows are refused, or the file as a whole is. Both carry every finding.
    """
    errors, refused = checked.errors, len(checked.refused_lines)
    if model := [finding for finding in errors if not finding.file]:
        raise ModelUnavailable(str(model[0]), errors)
    if refused > allowed:
        raise InvalidDataset(
            f"{refused} of {checked.rows_in} rows are refused, {allowed} allowed. Mend them (`cloudistill check` lists "
            f"them all), or go on without them by --drop-refused {refused}. The first: {errors[0]}",
            errors,
        )
    if whole := [finding for finding in errors if not finding.line]:
        raise InvalidDataset(str(whole[0]), errors)


def cost_facts(asked: Asked, checked: Check, setting: Setting, *, ask: bool = False) -> dict[str, Any]:
    """What is known of rows and cost, once the cost is within the budget and, if asked, confirmed."""
    cost = _estimate(asked, checked, setting)
    require_budget(cost, asked.recipe.budget)
    if ask:
        setting.notify(Event(run=asked.name, step="check", message=str(cost)))
    if ask and setting.confirm is not None and not setting.confirm(asked.name, cost):
        raise BudgetExceeded(f"run {asked.name!r} was not confirmed: nothing was sent")
    return {
        "data": str(asked.dataset.path),
        "cost_estimate_usd": {"low": cost.low, "high": cost.high},
        "rows": {"in": checked.rows_in, "refused": len(checked.refused_lines)},
    }


def _estimate(asked: Asked, checked: Check, setting: Setting) -> Estimate:
    model, recipe = load(asked.student.platform).model(asked.student.id), asked.recipe
    given, known = recipe.hyperparameters.get("epochs"), model.hyperparameters.get("epochs") if model else None
    return estimate(
        checked,
        asked.student,
        epochs=int(known.spell(given)) if known and given not in (None, "auto") else None,
        price=recipe.price,
        today=setting.today,
        teacher=recipe.teacher,
        teacher_max_tokens=recipe.teacher_max_tokens,
    )


def record(run: Run | None, asked: Asked, facts: dict[str, Any], setting: Setting, *, renew: bool) -> Run:
    """Record the run with its payer, or its next attempt."""
    store, backend = setting.store, asked.backend
    if run is None:
        payer = once(backend, backend.payer)
        record = store.add(asked.name, status=RunStatus.PLANNED, payer=payer, order=asked.order, facts=facts)
        run = Run(store, record, backend, setting.doubt, setting.notify)
    elif renew:
        again = run.is_ordered()
        attempt = run.record.attempt + again
        run.record = store.restart(run.name, attempt=attempt, order=asked.order, facts=facts)
        if again:
            run.notify(Event(run=run.name, step="again", message=f"attempt {attempt}: another job will be paid for"))
    else:
        run.record = store.update(run.name, **facts)
    store.note(run.name, "check", "done", **facts["rows"])
    return run
