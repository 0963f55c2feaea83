"""How a run's job goes beyond its status, and what can be done to it on the way: each asked of the vendor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from cloudistill.backends.backend import Checkpoints, Distils, Pauses, Reports
from cloudistill.core.errors import CloudistillError, UsageError
from cloudistill.core.job import Checkpoint, JobEvent, PromptReport, RunStatus, StepMetrics
from cloudistill.core.refs import JobRef
from cloudistill.pipeline.retry import Patience, ask, once

if TYPE_CHECKING:
    from cloudistill.pipeline.run import Run

FINAL = "final"
"""The name under which the whole training's model is promoted again."""


def lacks(run: Run, what: str) -> UsageError:
    """The refusal of what a run's platform cannot do."""
    return UsageError(f"the platform {run.student.platform!r} {what} (run {run.name!r})")


def _job(run: Run) -> JobRef:
    if run.job is None:
        raise UsageError(f"run {run.name!r} is {run.status} and has no job to ask about: run its distill command again")
    return run.job


def events(run: Run) -> list[JobEvent]:
    """What the vendor tells about the job, oldest first. Raises UsageError where it tells nothing."""
    backend, job = run.trains(), _job(run)
    if not isinstance(backend, Reports):
        raise lacks(run, "tells no events of a job")
    return ask(backend, lambda: list(backend.events(job)), run.doubt.patience)


def metrics(run: Run) -> list[StepMetrics]:
    """What was measured, by step. Raises UsageError where nothing is."""
    backend, job = run.trains(), _job(run)
    if not isinstance(backend, Reports):
        raise lacks(run, "tells no metrics of a job")
    return ask(backend, lambda: backend.metrics(job), run.doubt.patience)


def checkpoints(run: Run) -> list[Checkpoint]:
    """The student part-way, oldest first. Raises UsageError where no checkpoints are kept."""
    backend, job = run.trains(), _job(run)
    if not isinstance(backend, Checkpoints):
        raise lacks(run, "keeps no checkpoints that can be called")
    return ask(backend, lambda: backend.checkpoints(job), run.doubt.patience)


def prompt_report(run: Run, patience: Patience | None = None) -> PromptReport | None:
    """What became of the prompts, recorded once the vendor has said. Raises UsageError for another method's run."""
    backend, job = run.trains(), _job(run)
    if run.method != "native" or not isinstance(backend, Distils):
        raise UsageError(f"run {run.name!r} was not distilled by the vendor itself, so nobody judged its prompts")
    report = ask(backend, lambda: backend.prompt_report(job), patience or run.doubt.patience)
    if report is not None:
        run.record = run.store.update(run.name, prompts=asdict(report))
    return report


def note_prompts(run: Run) -> None:
    """Read the prompt report back, if there is one; that it cannot be read yet is no trouble of the run, and keeps no
    other run waiting."""
    if run.method == "native" and run.record.facts.get("prompts") is None:
        with suppress(CloudistillError):
            prompt_report(run, Patience(total=0.0))


def promote(run: Run, name: str) -> None:
    """Make the checkpoint `name` the run's model, or with `final` the whole training's again."""
    facts = run.record.facts
    if run.status is not RunStatus.READY or facts.get("model") is None:
        raise UsageError(f"run {run.name!r} is {run.status} and has no model in whose place a checkpoint could stand")
    whole = facts.get("final_model") or facts["model"]
    if name == FINAL:
        model = whole
    else:
        models = {checkpoint.name: str(checkpoint.model) for checkpoint in checkpoints(run)}
        if name not in models:
            known = ", ".join([*models, FINAL])
            raise UsageError(f"run {run.name!r} has no checkpoint {name!r}; it has {known}")
        model = models[name]
    run.record = run.store.update(run.name, model=model, final_model=whole, checkpoint=name)
    run.store.note(run.name, "promote", "done", checkpoint=name, model=model)


def cancel(run: Run) -> None:
    """Ask the vendor to stop the job."""
    job, backend = _unfinished(run, "cancel"), run.trains()
    _tell(run, "cancel", job, backend.cancel)


def pause(run: Run) -> None:
    """Ask the vendor to hold the job."""
    backend = run.trains()
    if not isinstance(backend, Pauses):
        raise lacks(run, "cannot hold a job")
    _tell(run, "pause", _unfinished(run, "pause"), backend.pause)


def resume(run: Run) -> None:
    """Let a held job go on."""
    backend = run.trains()
    if not isinstance(backend, Pauses):
        raise lacks(run, "cannot hold a job, so none goes on")
    _tell(run, "resume", _unfinished(run, "resume"), backend.resume)


def _tell(run: Run, verb: str, job: JobRef, request: Callable[[JobRef], None]) -> None:
    run.store.note(run.name, verb, "begun", job=str(job))
    once(run.trains(), lambda: request(job))
    run.store.note(run.name, verb, "done", job=str(job))


def _unfinished(run: Run, verb: str) -> JobRef:
    """The job that the vendor is still at, after a look."""
    if run.status is not RunStatus.DEPLOYING:  # there the job is done, and a look would order the deployment
        run.refresh()
    if run.job is None or run.status.is_final or run.status is RunStatus.DEPLOYING:
        raise UsageError(f"run {run.name!r} is {run.status}: there is no job to {verb}")
    return run.job
