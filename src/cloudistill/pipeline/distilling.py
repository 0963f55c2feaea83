"""The main job, in order: check, label, upload, submit, wait, deploy. Each step is recorded before and after."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from cloudistill.backends.backend import Answers, Backend, Trains
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
from cloudistill.formats import registry
from cloudistill.formats.dataset import Dataset, write
from cloudistill.pipeline import spec as specs
from cloudistill.pipeline.checking import Check, check
from cloudistill.pipeline.estimating import Estimate, estimate, require_budget
from cloudistill.pipeline.labelling import label
from cloudistill.pipeline.ordering import Doubt
from cloudistill.pipeline.progress import Event, Notify, silent
from cloudistill.pipeline.recipe import Recipe
from cloudistill.pipeline.retry import ask, once
from cloudistill.pipeline.run import Run, submit_order, trainer_of
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One student's order after every check: the run is recorded, nothing is sent yet unless it was before."""

    asked: Asked
    run: Run
    checked: Check | None


def prepare(data: str | Path, student: ModelRef, name: str | None, recipe: Recipe, setting: Setting) -> Prepared:
    """Check everything that can be checked before money moves, and record the run; a recorded one is taken up.

    Raises:
        Refused: nothing was sent; the message names the thing, the rule and the way out.
        JobFailed: the run's last attempt failed, and no other was asked for.
    """
    asked = _asked(data, student, name, recipe, setting)
    run = _recorded(asked, setting)
    renew = run is not None and _renews(run, asked, setting)
    if run is not None and not renew and run.is_ordered():
        return Prepared(asked=asked, run=run.or_raise(), checked=None)
    checked = _check(asked, setting)
    return Prepared(asked=asked, run=_record(run, asked, checked, setting, renew=renew), checked=checked)


def carry_out(prepared: Prepared, setting: Setting) -> Run:
    """Label, upload and submit: what is not done yet, as far as the vendor having the order.

    Raises:
        PlatformError: the vendor refused or failed.
        OutcomeUnknown: a paid order may or may not have arrived.
        InvalidDataset: too many of the teacher's answers cannot be used.
    """
    asked, run, checked, dataset = prepared.asked, prepared.run, prepared.checked, prepared.asked.dataset
    if checked is None:
        if run.job is None:  # an order that may have arrived is looked for before anything else is checked
            submit_order(run, run.spec())
        return run
    if checked.unanswered:
        dataset = _label(run, asked, setting)
        checked = _check_rows(asked, dataset, setting, answered=True)
        run.record = run.store.update(run.name, **_cost_facts(asked, checked, setting))
    training = _upload(run, "training", dataset, checked)
    validation = _validation(run, asked, setting)
    _submit(run, training, validation)
    return run


def default_name(stem: str, student: ModelRef) -> str:
    """A run's name from the data's, or a common one, and the student's; two students never share one."""
    about, made_from = (re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") for text in (stem, str(student)))
    return f"{about[:60].strip('-')}-{made_from}"[:LONGEST_NAME]


def _asked(data: str | Path, student: ModelRef, name: str | None, recipe: Recipe, setting: Setting) -> Asked:
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


def _recorded(asked: Asked, setting: Setting) -> Run | None:
    """The run of that name, or None if it is new.

    Raises:
        RunConflict: it has other content, or another payer.
    """
    record = setting.store.find(asked.name)
    if record is None:
        return None
    run = Run(setting.store, record, asked.backend, setting.doubt, setting.notify)
    run.trains()
    if record.order != asked.order and not (setting.force_new or not run.is_ordered()):
        raise _other_content(record, asked)
    return run


def _renews(run: Run, asked: Asked, setting: Setting) -> bool:
    """Whether the run begins anew: it was asked for after a failure, forced, or nothing was ordered of other content.

    A student that was trained and only failed to deploy is deployed again, not trained again.
    """
    failed = run.status in {RunStatus.FAILED, RunStatus.CANCELLED}
    if setting.again and failed and not setting.force_new and (facts := run.record.facts).get("trained"):
        attempt = facts.get("deployment_attempt", 1) + 1
        fresh: dict[str, Any] = {"deployment": None, "failure": None, "deployment_attempt": attempt}
        run.record = run.store.update(run.name, status=RunStatus.DEPLOYING, **fresh)
        return False
    return setting.force_new or (setting.again and failed) or run.record.order != asked.order


def _other_content(record: Record, asked: Asked) -> RunConflict:
    was, now = record.order, asked.order
    changed = sorted(key for key in now | was if now.get(key) != was.get(key))
    listed = "; ".join(f"{key} was {was.get(key)!r}, now {now.get(key)!r}" for key in changed)
    return RunConflict(
        f"run {asked.name!r} exists with other content: {listed}. Give another --name, or --force-new to pay for a "
        "new job under this one"
    )


def _check(asked: Asked, setting: Setting) -> Check:
    """Every rule that can be checked before money moves: rows, model, setup at the vendor, budget."""
    message = f"checking {asked.dataset.path} for {asked.student}"
    setting.notify(Event(run=asked.name, step="check", message=message))
    checked = _check_rows(asked, asked.dataset, setting, answered=asked.recipe.teacher is None)
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


def _check_rows(asked: Asked, dataset: Dataset, setting: Setting, *, answered: bool) -> Check:
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


def _record(run: Run | None, asked: Asked, checked: Check, setting: Setting, *, renew: bool) -> Run:
    """Hold the cost against the budget, then record the run with its payer; from here on a rerun resumes it."""
    facts = _cost_facts(asked, checked, setting, ask=True)
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


def _cost_facts(asked: Asked, checked: Check, setting: Setting, *, ask: bool = False) -> dict[str, Any]:
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


def _label(run: Run, asked: Asked, setting: Setting) -> Dataset:
    """Have the teacher answer what has no answer yet."""
    teacher = asked.recipe.teacher
    assert teacher is not None  # noqa: S101 - unanswered rows without a teacher were refused by the check
    backend = connected(teacher.platform, setting.backends)
    if not isinstance(backend, Answers):
        raise UsageError(f"the platform {teacher.platform!r} does not answer questions; choose another teacher")
    with _step(run, "label", teacher=str(teacher)):
        return label(
            asked.dataset,
            teacher,
            backend,
            answers_file(setting.store, asked.dataset, teacher),
            max_tokens=asked.recipe.teacher_max_tokens,
            patience=setting.doubt.patience,
            notify=setting.notify,
            run=run.name,
        )


def answers_file(store: Store, dataset: Dataset, teacher: ModelRef) -> Path:
    """Where the teacher's answers to this dataset are kept, shared by every student it is distilled into."""
    who = hashlib.sha256(f"{dataset.fingerprint} {teacher}".encode()).hexdigest()[:16]
    return store.folder / "answers" / f"{who}.jsonl"


def _check_validation(asked: Asked, setting: Setting) -> Check | None:
    """The held-out rows that the vendor reports its loss on; none of them may be refused."""
    if asked.recipe.validation is None:
        return None
    dataset = Dataset(asked.recipe.validation)
    checked = check(dataset, asked.student, today=setting.today, rendering=asked.order["rendering"])
    broken = [finding for finding in checked.errors if finding.line]
    if broken:
        raise InvalidDataset(f"{len(broken)} rules are broken in the validation rows: {broken[0]}", broken)
    return checked


def _validation(run: Run, asked: Asked, setting: Setting) -> FileRef | None:
    checked = _check_validation(asked, setting)
    if checked is None or asked.recipe.validation is None:
        return None
    return _upload(run, "validation", Dataset(asked.recipe.validation), checked)


def _upload(run: Run, role: str, dataset: Dataset, checked: Check) -> FileRef:
    """Write the rows in the student's spelling and store them at the vendor; what is there already is not sent."""
    if known := run.record.facts.get(role):
        return FileRef.parse(known)
    order, backend = run.record.order, run.trains()
    spelling = registry.get(order["format"], order["rendering"])
    refused = frozenset(checked.refused_lines)
    kept = (row for row in dataset.rows() if row.line not in refused)
    with _step(run, "upload", role=role), _draft(run.store) as draft:
        with draft.open("wb") as out:
            written = write(kept, spelling, out)
        if written.findings:
            raise InvalidDataset(f"{dataset.path} changed while it was read: {written.findings[0]}", written.findings)
        run.notify(Event(run=run.name, step="upload", message=f"{written.rows_out} rows as {spelling.name}"))
        file = ask(
            backend,
            lambda: backend.upload(draft, fingerprint=written.fingerprint),
            run.doubt.patience,
        )
    facts: dict[str, Any] = {
        role: str(file),
        f"{role}_fingerprint": written.fingerprint,
        f"{role}_rows": written.rows_out,
    }
    run.record = run.store.update(run.name, **facts)
    return file


@contextmanager
def _draft(store: Store) -> Generator[Path]:
    """A file for the rows on their way out, readable by its owner alone, and gone afterwards."""
    folder = store.folder / "work"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        yield Path(own) / "rows.jsonl"


def _submit(run: Run, training: FileRef, validation: FileRef | None) -> None:
    """Place the paid order, or find it placed."""
    facts = run.record.facts
    spec = specs.marked(
        specs.ordered(run.name, run.record.order, training, validation),
        run.record.attempt,
        training=facts.get("training_fingerprint"),
        validation=facts.get("validation_fingerprint"),
    )
    with _step(run, "submit"):
        job = submit_order(run, spec)
    run.notify(Event(run=run.name, step="submit", message=f"{job.ref} {job.native_status}"))


@contextmanager
def _step(run: Run, step: str, **detail: Any) -> Generator[None]:
    """Record a step before and after it."""
    run.store.note(run.name, step, "begun", **detail)
    try:
        yield
    except BaseException as error:
        run.store.note(run.name, step, "failed", error=type(error).__name__, **detail)
        raise
    run.store.note(run.name, step, "done", **detail)
