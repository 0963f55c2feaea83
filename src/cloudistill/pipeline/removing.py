"""Removes what a finished run left at the vendor: its uploaded files, and its model with what serves it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import Deletes
from cloudistill.core.errors import UsageError
from cloudistill.core.job import RunStatus
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.pipeline.following import lacks
from cloudistill.pipeline.retry import ask

if TYPE_CHECKING:
    from cloudistill.pipeline.run import Run

ROLES = ("training", "validation")


def delete_files(run: Run) -> list[FileRef]:
    """Remove the files that the run uploaded, and say which."""
    backend = _remover(run)
    held = {role: run.record.facts[role] for role in ROLES if run.record.facts.get(role)}
    _require_unused(run, set(held.values()))
    for role, file in held.items():
        ref = FileRef.parse(file)
        run.store.note(run.name, "delete file", "begun", file=file)
        ask(backend, lambda ref=ref: backend.delete_file(ref), run.doubt.patience)
        run.record = run.store.update(run.name, **{role: None})
        run.store.note(run.name, "delete file", "done", file=file)
    return [FileRef.parse(file) for file in held.values()]


def delete_model(run: Run) -> list[ModelRef]:
    """Remove the trained model and what serves it, and say which; the run has none afterwards."""
    backend, facts = _remover(run), run.record.facts
    promoted = facts.get("model") if facts.get("final_model") else None
    models = [model for model in dict.fromkeys((promoted, facts.get("trained"))) if model]
    for model in models:
        ref = ModelRef.parse(model)
        run.store.note(run.name, "delete model", "begun", model=model)
        ask(backend, lambda ref=ref: backend.delete_model(ref), run.doubt.patience)
        run.store.note(run.name, "delete model", "done", model=model)
    if models:
        gone: dict[str, Any] = dict.fromkeys(("model", "trained", "final_model", "checkpoint", "deployment"))
        deleted = f"its model {models[-1]} was deleted on {datetime.now(UTC):%Y-%m-%d}; --force-new trains another"
        warning = "; ".join(filter(None, [facts.get("warning"), deleted]))  # the earlier one may name what is left
        run.record = run.store.update(run.name, **gone, warning=warning)
    return [ModelRef.parse(model) for model in models]


def _remover(run: Run) -> Deletes:
    backend = run.trains()
    if not run.status.is_final:
        raise UsageError(f"run {run.name!r} is {run.status}: delete once it is finished, or cancel it first")
    if not isinstance(backend, Deletes):
        raise lacks(run, "deletes nothing through cloudistill")
    return backend


def _require_unused(run: Run, files: set[str]) -> None:
    """Files are stored by content: another run's order may name the very same."""
    for record in run.store.runs():
        shared = files & {record.facts.get(role) for role in ROLES}
        if record.name == run.name or not shared or _has_trained(record.status):
            continue
        other = replace(run, record=record, _trainer=None)  # its payer is looked at anew
        if not _has_trained(other.refresh().status):  # the record may be older than the job's end
            raise UsageError(f"{min(shared)} is what run {record.name!r} trains on: delete once that is finished")


def _has_trained(status: RunStatus) -> bool:
    """Whether no job reads the files any more; a look at what is being deployed would order the deployment."""
    return status.is_final or status is RunStatus.DEPLOYING
