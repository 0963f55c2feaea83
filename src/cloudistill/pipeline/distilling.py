"""The main job, in order: check, label, upload, submit, wait, deploy. Each step is recorded before and after it."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudistill.backends.backend import Answers
from cloudistill.core.errors import (
    InvalidDataset,
    UsageError,
)
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.formats import registry
from cloudistill.formats.dataset import Dataset, write
from cloudistill.pipeline import spec as specs
from cloudistill.pipeline.checking import Check
from cloudistill.pipeline.labelling import label
from cloudistill.pipeline.preparing import (
    Asked,
    Setting,
    check_order,
    check_rows,
    check_validation,
    cost_facts,
    record,
    recorded,
    renews,
    take_up,
)
from cloudistill.pipeline.progress import Event
from cloudistill.pipeline.recipe import Recipe
from cloudistill.pipeline.retry import ask
from cloudistill.pipeline.run import Run, submit_order
from cloudistill.pipeline.settings import connected
from cloudistill.pipeline.store import Store


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
    asked = take_up(data, student, name, recipe, setting)
    run = recorded(asked, setting)
    renew = run is not None and renews(run, asked, setting)
    if run is not None and not renew and run.is_ordered():
        return Prepared(asked=asked, run=run.or_raise(), checked=None)
    checked = check_order(asked, setting)
    return Prepared(asked=asked, run=record(run, asked, checked, setting, renew=renew), checked=checked)


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
        checked = check_rows(asked, dataset, setting, answered=True)
        run.record = run.store.update(run.name, **cost_facts(asked, checked, setting))
    training = _upload(run, "training", dataset, checked)
    validation = _validation(run, asked, setting)
    _submit(run, training, validation)
    return run


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


def _validation(run: Run, asked: Asked, setting: Setting) -> FileRef | None:
    checked = check_validation(asked, setting)
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
