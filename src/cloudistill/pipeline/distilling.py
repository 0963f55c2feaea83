"""The main job, in order: check, label, upload, submit, wait, deploy. Each step is recorded before and after."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cloudistill.backends.backend import Answers, Backend, Trains
from cloudistill.core.errors import (
    BudgetExceeded,
    InvalidDataset,
    MissingSetup,
    RunConflict,
    UsageError,
)
from cloudistill.core.job import JobSpec, RunStatus, Vpc
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.formats import registry
from cloudistill.formats.dataset import Dataset, write
from cloudistill.pipeline.checking import Check, check
from cloudistill.pipeline.estimating import Estimate, estimate, require_budget
from cloudistill.pipeline.labelling import label
from cloudistill.pipeline.ordering import Doubt
from cloudistill.pipeline.progress import Event, Notify, silent
from cloudistill.pipeline.recipe import Recipe
from cloudistill.pipeline.retry import ask, once
from cloudistill.pipeline.run import Run, submit_order
from cloudistill.pipeline.settings import connected
from cloudistill.pipeline.store import Record, Store
from cloudistill.platforms.platform import load

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


def distill(data: str | Path, student: ModelRef, name: str | None, recipe: Recipe, setting: Setting) -> Run:
    """Take one student as far as the vendor having the order; `Run.wait` does the rest.

    Run again with the same name and content, it resumes at the first step that is not done.

    Raises:
        Refused: nothing was sent; the message names the thing, the rule and the way out.
        PlatformError: the vendor refused or failed.
        OutcomeUnknown: a paid order may or may not have arrived.
    """
    dataset = Dataset(Path(data))
    run = _begin(dataset, student, name or default_name(dataset.path, student), recipe, setting)
    if run.job is not None:
        return run
    checked = _check(run, dataset, recipe, setting)
    if checked.unanswered:
        dataset = _label(run, dataset, recipe, setting)
        checked = _check_rows(run, dataset, recipe, setting, answered=True)
    training = _upload(run, "training", dataset, checked)
    validation = _validation(run, recipe, setting)
    _submit(run, training, validation)
    return run


def default_name(path: Path, student: ModelRef) -> str:
    """The name of a run that was given none: the data's and the student's."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{path.name.split('.')[0]}-{student.platform}-{student.id}".lower())
    return words.strip("-")[:100]


def _begin(dataset: Dataset, student: ModelRef, name: str, recipe: Recipe, setting: Setting) -> Run:
    """The run of that name, made or found; other content or another payer under the same name is refused."""
    backend = connected(student.platform, setting.backends)
    if not isinstance(backend, Trains):
        raise UsageError(f"the platform {student.platform!r} answers questions but does not train")
    order = _order(dataset, student, recipe)
    record = setting.store.find(name)
    if record is None:
        facts: dict[str, Any] = {"data": str(dataset.path)}
        record = Record(
            name=name, status=RunStatus.PLANNED, payer="", order=order, facts=facts, created=_now(), updated=_now()
        )
    run = Run(setting.store, record, backend, setting.doubt, setting.notify)
    if record.payer:
        _resume(run, order, setting)
    return run


def _order(dataset: Dataset, student: ModelRef, recipe: Recipe) -> dict[str, Any]:
    platform = load(student.platform)
    model = platform.model(student.id)
    rendering = recipe.rendering or (model.rendering if model else None)
    order = recipe.ordered() | {"student": str(student), "fingerprint": dataset.fingerprint}
    validation = Dataset(recipe.validation).fingerprint if recipe.validation else None
    return order | {"format": platform.format, "rendering": rendering, "validation": validation}


def _resume(run: Run, order: dict[str, Any], setting: Setting) -> None:
    """Go on with a recorded run, or start its next attempt where that was asked for."""
    run.check_payer()
    changed = {key for key in order | run.record.order if order.get(key) != run.record.order.get(key)}
    if changed and not setting.force_new:
        listed = "; ".join(
            f"{key} was {run.record.order.get(key)!r}, now {order.get(key)!r}" for key in sorted(changed)
        )
        raise RunConflict(
            f"run {run.name!r} exists with other content: {listed}. Give another --name, or --force-new to pay for "
            "a new job under this one"
        )
    if setting.force_new or (setting.again and run.status in {RunStatus.FAILED, RunStatus.CANCELLED}):
        attempt = run.record.attempt + 1
        kept = ("data", "cost_estimate_usd", "rows")
        facts = {key: run.record.facts.get(key) for key in run.record.facts if key in kept}
        run.record = run.store.restart(run.name, attempt=attempt, order=order, facts=facts)
        run.store.note(run.name, "again", "done", attempt=attempt)
    run.or_raise()


def _check(run: Run, dataset: Dataset, recipe: Recipe, setting: Setting) -> Check:
    """Every rule that can be checked before money moves: rows, model, setup at the vendor, budget."""
    run.notify(Event(run=run.name, step="check", message=f"checking {dataset.path} for {run.student}"))
    checked = _check_rows(run, dataset, recipe, setting, answered=recipe.teacher is None)
    _preflight(run)
    cost = estimate(checked, run.student, epochs=_epochs(recipe), price=recipe.price, today=setting.today)
    require_budget(cost, recipe.budget)
    if setting.confirm is not None and not setting.confirm(run.name, cost):
        raise BudgetExceeded(f"run {run.name!r} was not confirmed: nothing was sent")
    _record(run, cost, checked)
    return checked


def _check_rows(run: Run, dataset: Dataset, recipe: Recipe, setting: Setting, *, answered: bool) -> Check:
    checked = check(
        dataset,
        run.student,
        today=setting.today,
        teacher=recipe.teacher,
        allow_hourly=recipe.allow_hourly,
        allow_unanswered=not answered,
        rendering=run.record.order["rendering"],
    )
    refuse_rows(checked, recipe.drop_refused)
    return checked


def _record(run: Run, cost: Estimate, checked: Check) -> None:
    """Record the run with its payer; from here on a rerun resumes it."""
    facts: dict[str, Any] = {
        "cost_estimate_usd": {"low": cost.low, "high": cost.high},
        "rows": {"in": checked.rows_in, "refused": len(checked.refused_lines)},
    }
    if run.record.payer:
        run.record = run.store.update(run.name, **facts)
    else:
        backend = run.trains()
        payer = once(backend, backend.payer)
        order, known = run.record.order, run.record.facts | facts
        run.record = run.store.add(run.name, status=RunStatus.PLANNED, payer=payer, order=order, facts=known)
    run.store.note(run.name, "check", "done", **facts["rows"])


def refuse_rows(checked: Check, allowed: int) -> None:
    """Refuse a dataset with broken rules, unless only rows are broken and no more of them than `allowed`.

    Raises:
        InvalidDataset: with every finding.
    """
    errors = [finding for finding in checked.findings if finding.level == "error"]
    whole = [finding for finding in errors if not finding.line]
    refused = len(checked.refused_lines)
    if whole:
        raise InvalidDataset("; ".join(str(finding) for finding in whole[:3]), errors)
    if refused > allowed:
        first = "; ".join(str(finding) for finding in errors[:3])
        raise InvalidDataset(
            f"{refused} of {checked.rows_in} rows are refused, {allowed} allowed: {first}. See them all with "
            f"`cloudistill check`, mend them, or go on without them by --drop-refused {refused}",
            errors,
        )


def _preflight(run: Run) -> None:
    backend = run.trains()
    findings = once(backend, lambda: backend.preflight(run.student))
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        raise MissingSetup("; ".join(str(finding) for finding in errors), errors)


def _label(run: Run, dataset: Dataset, recipe: Recipe, setting: Setting) -> Dataset:
    """Have the teacher answer what has no answer yet."""
    teacher = recipe.teacher
    assert teacher is not None  # noqa: S101 - unanswered rows without a teacher were refused by the check
    backend = connected(teacher.platform, setting.backends)
    if not isinstance(backend, Answers):
        raise UsageError(f"the platform {teacher.platform!r} does not answer questions; choose another teacher")
    with _step(run, "label", teacher=str(teacher)):
        return label(
            dataset,
            teacher,
            backend,
            answers_file(setting.store, dataset, teacher),
            max_tokens=recipe.teacher_max_tokens,
            patience=setting.doubt.patience,
            notify=setting.notify,
            run=run.name,
        )


def answers_file(store: Store, dataset: Dataset, teacher: ModelRef) -> Path:
    """Where the teacher's answers to this dataset are kept, shared by every student it is distilled into."""
    who = hashlib.sha256(f"{dataset.fingerprint} {teacher}".encode()).hexdigest()[:16]
    return store.folder / "answers" / f"{who}.jsonl"


def _validation(run: Run, recipe: Recipe, setting: Setting) -> FileRef | None:
    """The held-out rows that the vendor reports its loss on; none of them may be refused."""
    if recipe.validation is None:
        return None
    dataset = Dataset(recipe.validation)
    checked = check(dataset, run.student, today=setting.today, rendering=run.record.order["rendering"])
    broken = [finding for finding in checked.errors if finding.line]
    if broken:
        raise InvalidDataset(f"{len(broken)} rules are broken in the validation rows: {broken[0]}", broken)
    return _upload(run, "validation", dataset, checked)


def _upload(run: Run, role: str, dataset: Dataset, checked: Check) -> FileRef:
    """Write the rows in the student's spelling and store them at the vendor; what is there already is not sent."""
    if known := run.record.facts.get(role):
        return FileRef.parse(known)
    order, backend = run.record.order, run.trains()
    spelling = registry.get(order["format"], order["rendering"])
    refused = frozenset(checked.refused_lines)
    kept = (row for row in dataset.rows() if row.line not in refused)
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", dataset.path.stem)[:40]
    with _step(run, "upload", role=role), _draft(run.store) as draft:
        with draft.open("wb") as out:
            written = write(kept, spelling, out)
        run.notify(Event(run=run.name, step="upload", message=f"{written.rows_out} rows as {spelling.name}"))
        file = ask(
            backend,
            lambda: backend.upload(draft, fingerprint=written.fingerprint, name=stem),
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
    order = run.record.order
    vpc = order["vpc"]
    spec = JobSpec(
        run=run.name,
        marker="",
        student=run.student,
        training=training,
        validation=validation,
        hyperparameters=order["hyperparameters"],
        native=order["native"],
        seed=order["seed"],
        suffix=order["suffix"],
        tags=order["tags"],
        kms_key=order["kms_key"],
        vpc=vpc and Vpc(subnet_ids=tuple(vpc["subnet_ids"]), security_group_ids=tuple(vpc["security_group_ids"])),
        service_account=order["service_account"],
        rendering=order["rendering"],
    )
    with _step(run, "submit"):
        job = submit_order(run, marked(spec, run))
    run.notify(Event(run=run.name, step="submit", message=f"{job.ref} {job.native_status}"))
    run.or_raise()


def marked(spec: JobSpec, run: Run) -> JobSpec:
    """The order with its marker: derived from content and attempt once, and frozen in the intent from then on."""
    intent = run.store.intent(run.name, "tuning", run.record.attempt)
    if intent is not None:
        return replace(spec, marker=intent.marker)
    facts = run.record.facts
    content = {
        "run": run.name,
        "attempt": run.record.attempt,
        "student": str(spec.student),
        "method": spec.method,
        "training": facts.get("training_fingerprint", str(spec.training)),
        "validation": facts.get("validation_fingerprint", str(spec.validation)),
        "hyperparameters": spec.hyperparameters,
        "native": spec.native,
        "seed": spec.seed,
        "suffix": spec.suffix,
        "rendering": spec.rendering,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())
    return replace(spec, marker=digest.hexdigest()[:32])


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


def _epochs(recipe: Recipe) -> int | None:
    epochs = recipe.hyperparameters.get("epochs")
    return epochs if isinstance(epochs, int) else None


def _now() -> datetime:
    return datetime.now(UTC)
