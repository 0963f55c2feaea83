"""Removes what a finished run and its earlier attempts left at the vendor: uploaded files, models, what serves them."""

from __future__ import annotations

from collections.abc import Iterable
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
EARLIER_FILES, EARLIER_MODELS = "earlier_files", "earlier_models"


def delete_files(run: Run) -> list[FileRef]:
    """Remove the files that the run uploaded, and say which."""
    backend, files = _remover(run), _files(run)
    _require_unused(run, set(files))
    for file in files:
        ref = FileRef.parse(file)
        run.store.note(run.name, "delete file", "begun", file=file)
        ask(backend, lambda ref=ref: backend.delete_file(ref), run.doubt.patience)
        _forget_file(run, file)
        run.store.note(run.name, "delete file", "done", file=file)
    return [FileRef.parse(file) for file in files]


def _files(run: Run) -> list[str]:
    facts = run.record.facts
    return _distinct([*(facts.get(EARLIER_FILES) or ()), *map(facts.get, ROLES)])


def _forget_file(run: Run, file: str) -> None:
    facts = run.record.facts
    gone: dict[str, Any] = {role: None for role in ROLES if facts.get(role) == file}
    gone[EARLIER_FILES] = [earlier for earlier in facts.get(EARLIER_FILES) or () if earlier != file]
    run.record = run.store.update(run.name, **gone)


def delete_model(run: Run) -> list[ModelRef]:
    """Remove the trained models and what serves them, and say which; the run has none afterwards."""
    backend, models = _remover(run), _models(run)
    for model in models:
        ref = ModelRef.parse(model)
        run.store.note(run.name, "delete model", "begun", model=model)
        ask(backend, lambda ref=ref: backend.delete_model(ref), run.doubt.patience)
        run.store.note(run.name, "delete model", "done", model=model)
    if models:
        gone: dict[str, Any] = dict.fromkeys(
            ("model", "trained", "final_model", "checkpoint", "deployment", EARLIER_MODELS)
        )
        deleted = f"its model {models[-1]} was deleted on {datetime.now(UTC):%Y-%m-%d}; --force-new trains another"
        warned = run.record.facts.get("warning")  # it may name what is left
        warning = "; ".join(filter(None, [warned, deleted]))
        run.record = run.store.update(run.name, **gone, warning=warning)
    return [ModelRef.parse(model) for model in models]


def _models(run: Run) -> list[str]:
    """Those of earlier attempts, the promoted checkpoint's, and last the one that was trained."""
    facts = run.record.facts
    promoted = facts.get("model") if facts.get("final_model") else None
    return _distinct([*(facts.get(EARLIER_MODELS) or ()), promoted, facts.get("trained")])


def leftovers(run: Run) -> dict[str, Any]:
    """The facts by which the next attempt's run can still remove what those before it left.

    The files of a job that may still be at work are none of them.
    """
    facts = run.record.facts
    if run.job is not None and not _has_trained(run.status):
        return {name: facts[name] for name in (EARLIER_FILES, EARLIER_MODELS) if name in facts}
    return {EARLIER_FILES: _files(run), EARLIER_MODELS: _models(run)}


def _distinct(refs: Iterable[str | None]) -> list[str]:
    return [ref for ref in dict.fromkeys(refs) if ref]


def _remover(run: Run) -> Deletes:
    backend = run.trains()
    if not _is_over(run.status):
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
    return _is_over(status) or status is RunStatus.DEPLOYING


def _is_over(status: RunStatus) -> bool:
    """Whether nothing is to come, as far as the vendor knows: of a lost job it knows nothing."""
    return status.is_final or status is RunStatus.LOST
