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
from cloudistill.core.errors import InvalidDataset, UsageError
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.formats import registry
from cloudistill.formats.dataset import Dataset, write
from cloudistill.pipeline import spec as specs
from cloudistill.pipeline.checking import Check
from cloudistill.pipeline.labelling import label
from cloudistill.pipeline.moving import submit_order
from cloudistill.pipeline.preparing import (
    Asked,
    Renewal,
    Setting,
    record,
    recorded,
    redeploy,
    renews,
    take_up,
)
from cloudistill.pipeline.progress import Event
from cloudistill.pipeline.recipe import Recipe
from cloudistill.pipeline.retry import ask
from cloudistill.pipeline.run import Run
from cloudistill.pipeline.settings import connected
from cloudistill.pipeline.store import Store
from cloudistill.pipeline.vetting import check_labelled, check_order, cost_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One student's order after every check. Nothing is written or sent yet: all students are prepared first.

    `checked` and `facts` are None for a run that goes on with what it ordered before.
    """

    asked: Asked
    run: Run | None
    renewal: Renewal
    checked: Check | None = None
    facts: dict[str, Any] | None = None

    @property
    def cost(self) -> float:
        """The most that is still to be paid, in USD; 0 where it is not known or was ordered before."""
        return (self.facts or {}).get("cost_estimate_usd", {}).get("high") or 0.0


def prepare(data: str | Path | None, student: ModelRef, name: str | None, recipe: Recipe, setting: Setting) -> Prepared:
    """Check everything that can be checked before money moves, against what is recorded under the name.

    Raises:
        Refused: nothing was sent or recorded; the message names the thing, the rule and the way out.
        JobFailed: the run's last attempt failed, and no other was asked for.
    """
    asked = take_up(data, student, name, recipe, setting)
    run = recorded(asked, setting)
    renewal = renews(run, asked, setting) if run is not None else Renewal.NONE
    if run is not None and renewal is not Renewal.ATTEMPT and run.is_ordered():
        if renewal is Renewal.NONE:
            run.or_raise()
        return Prepared(asked=asked, run=run, renewal=renewal)
    checked = check_order(asked, setting)
    facts = cost_facts(asked, checked, setting, ask=True)
    return Prepared(asked=asked, run=run, renewal=renewal, checked=checked, facts=facts)


def begin(prepared: Prepared, setting: Setting) -> Run:
    """Record the run, or its next attempt; from here on a rerun resumes it."""
    run = prepared.run
    if run is not None and prepared.renewal is Renewal.DEPLOYMENT:
        redeploy(run)
    if prepared.facts is None:
        assert run is not None  # noqa: S101 - only a recorded run goes on without checks
        return run
    return record(run, prepared.asked, prepared.facts, setting, renew=prepared.renewal is Renewal.ATTEMPT)


def carry_out(run: Run, prepared: Prepared, setting: Setting) -> None:
    """Label, upload and submit: what is not done yet, as far as the vendor having the order.

    Raises:
        PlatformError: the vendor refused or failed.
        OutcomeUnknown: a paid order may or may not have arrived.
        InvalidDataset: too many of the teacher's answers cannot be used.
    """
    asked, checked, dataset = prepared.asked, prepared.checked, prepared.asked.dataset
    if checked is None:
        if run.job is None:  # an order that may have arrived is looked for before anything else is checked
            submit_order(run, run.spec())
        return
    if dataset and checked.unanswered and not asked.is_native:
        dataset = _label(run, asked, dataset, setting)
        checked = check_labelled(asked, dataset, setting)
        run.record = run.store.update(run.name, **cost_facts(asked, checked, setting))
    training = _upload(run, "training", dataset, frozenset(checked.refused_lines)) if dataset else None
    held_out = asked.recipe.validation
    validation = _upload(run, "validation", Dataset(held_out)) if held_out else None
    _submit(run, training, validation)


def _label(run: Run, asked: Asked, dataset: Dataset, setting: Setting) -> Dataset:
    """Have the teacher answer what has no answer yet."""
    teacher = asked.recipe.teacher
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
            max_tokens=asked.recipe.answer_tokens,
            patience=setting.doubt.patience,
            notify=setting.notify,
            run=run.name,
        )


def answers_file(store: Store, dataset: Dataset, teacher: ModelRef) -> Path:
    """Where the teacher's answers to this dataset are kept, shared by every student it is distilled into."""
    who = hashlib.sha256(f"{dataset.fingerprint} {teacher}".encode()).hexdigest()[:16]
    return store.folder / "answers" / f"{who}.jsonl"


def _upload(run: Run, role: str, dataset: Dataset, refused: frozenset[int] = frozenset()) -> FileRef:
    """Write the rows in the student's spelling and store them at the vendor; what is there already is not sent."""
    order, backend = run.record.order, run.trains()
    spelling = registry.get(order["format"], order["rendering"])
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


def _submit(run: Run, training: FileRef | None, validation: FileRef | None) -> None:
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
    run.notify(Event(run=run.name, step="submit", message=f"{job.ref} {job.native_status}".rstrip()))


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
