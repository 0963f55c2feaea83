"""Before money moves: who asks for what, by which method, and whether it was asked before."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

from cloudistill.backends.backend import Backend, Trains
from cloudistill.core.errors import RunConflict, UsageError
from cloudistill.core.job import Method, RunStatus
from cloudistill.core.refs import ModelRef
from cloudistill.formats.dataset import Dataset
from cloudistill.pipeline import native, removing
from cloudistill.pipeline.checking import Check
from cloudistill.pipeline.estimating import Estimate
from cloudistill.pipeline.ordering import Doubt
from cloudistill.pipeline.progress import Event, Notify, silent
from cloudistill.pipeline.recipe import Recipe
from cloudistill.pipeline.retry import once
from cloudistill.pipeline.run import Run, trainer_of
from cloudistill.pipeline.settings import connected
from cloudistill.pipeline.store import Record, Store
from cloudistill.platforms.platform import Platform, load

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
    """What one student is to be made from, and how.

    `dataset` is None where the vendor's logs are the source. `facts` are the rules that rows and student are held
    against; `why` says how `auto` came to the method, and `checked` what it found in the rows by that one.
    """

    name: str
    dataset: Dataset | None
    student: ModelRef
    recipe: Recipe
    backend: Trains
    facts: Platform
    order: dict[str, Any] = field(default_factory=dict[str, Any])
    why: str | None = None
    checked: Check | None = None

    @property
    def is_native(self) -> bool:
        """Whether the vendor runs the teacher itself."""
        return self.recipe.method == "native"

    @property
    def source(self) -> str:
        """Where the lessons come from: a file, or logs."""
        return str(self.dataset.path) if self.dataset else self.recipe.logs.uri if self.recipe.logs else ""


def default_name(stem: str, student: ModelRef) -> str:
    """A run's name from the data's, or a common one, and the student's; two students never share one."""
    about, made_from = (re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") for text in (stem, str(student)))
    return f"{about[:60].strip('-')}-{made_from}"[:LONGEST_NAME]


def take_up(data: str | Path | None, student: ModelRef, name: str | None, recipe: Recipe, setting: Setting) -> Asked:
    """What is asked for, with the dataset opened, the backend connected and the method settled.

    Raises:
        UsageError: a file, name, platform or setting that makes no sense.
    """
    dataset = _source(data, recipe)
    stem = dataset.path.name.split(".")[0] if dataset else "logs"
    name = default_name(stem, student) if name is None else name
    if not (name.isprintable() and name.strip() and len(name) <= LONGEST_NAME):
        raise UsageError(f"{name[:40]!r} cannot name a run: give 1 to {LONGEST_NAME} printable characters")
    asked = Asked(
        name=name,
        dataset=dataset,
        student=student,
        recipe=recipe,
        backend=trainer_of(connected(student.platform, setting.backends)),
        facts=load(student.platform),
    )
    return _settled(asked, setting)


def _source(data: str | Path | None, recipe: Recipe) -> Dataset | None:
    if data is not None and recipe.logs is not None:
        raise UsageError(f"{str(data)!r} and the logs {recipe.logs.uri!r} cannot both be the source: give one of them")
    if data is not None:
        return Dataset(Path(data))
    if recipe.logs is None:
        raise UsageError("there is nothing to learn from: give a file of lessons, or --logs with --method native")
    if recipe.method == "sft":
        raise UsageError(f"the logs {recipe.logs.uri!r} are read by the vendor alone: add --method native")
    return None


def _settled(asked: Asked, setting: Setting) -> Asked:
    """With its method chosen; a run for which money may have moved keeps the one it has, however dates pass."""
    if asked.recipe.method != "auto":
        return _ordered(asked, asked.recipe.method)
    record = setting.store.find(asked.name)
    if record is not None and _keeps_method(Run(setting.store, record), setting):
        kept = _ordered(asked, record.order["method"], record.facts.get("method_reason"))
        if kept.order == record.order:
            return kept
    found = native.decide(asked.recipe, asked.student, asked.dataset, asked.backend, setting.today)
    setting.notify(Event(run=asked.name, step="method", message=f"method {found.method}: {found.why}"))
    return replace(_ordered(asked, found.method, found.why), checked=found.checked)


def _keeps_method(run: Run, setting: Setting) -> bool:
    """Whether the method was settled for good: an order was sent, or a teacher of ours may have answered already."""
    if setting.force_new:
        return run.job is None and run.is_ordered()  # in doubt: it is looked for before another is paid
    return run.method == "sft" or run.is_ordered()


def _ordered(asked: Asked, method: Method, why: str | None = None) -> Asked:
    """With the order that the method makes of it."""
    recipe = asked.recipe.model_copy(update={"method": method})
    facts = native.facts_of(recipe, asked.student)
    model = facts.model(asked.student.id)
    order = recipe.ordered() | {
        "student": str(asked.student),
        "fingerprint": asked.dataset.fingerprint if asked.dataset else None,
        "format": facts.format,
        "rendering": recipe.rendering or (model.rendering if model else None),
        "validation": Dataset(recipe.validation).fingerprint if recipe.validation else None,
    }
    return replace(asked, recipe=recipe, facts=facts, order=order, why=why)


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
        handed_on = facts | removing.leftovers(run)
        run.record = store.restart(run.name, attempt=attempt, order=asked.order, facts=handed_on)
        if again:
            run.notify(Event(run=run.name, step="again", message=f"attempt {attempt}: another job will be paid for"))
    else:
        run.record = store.update(run.name, **facts)
    if asked.why is not None:
        store.note(run.name, "method", "done", method=asked.recipe.method, why=asked.why)
    store.note(run.name, "check", "done", **facts["rows"])
    return run
