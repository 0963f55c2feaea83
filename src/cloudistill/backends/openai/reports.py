"""How a job goes and went, out of OpenAI's events, result files and checkpoints. Pure."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from cloudistill.backends import figures
from cloudistill.backends.common import unusable
from cloudistill.backends.openai.orders import time_of
from cloudistill.core.job import Checkpoint, JobEvent, Level, StepMetrics
from cloudistill.core.refs import JobRef, ModelRef

METRICS = "metrics"
"""OpenAI's word for the events that hold measurements."""

_LEVELS: dict[str, Level] = {"warn": "warning", "error": "error"}
# the first that is told counts: a loss over the whole validation file outweighs one over a batch of it
_COLUMNS = {
    "training_loss": ("train_loss",),
    "training_accuracy": ("train_mean_token_accuracy", "train_accuracy"),
    "validation_loss": ("full_valid_loss", "valid_loss"),
    "validation_accuracy": (
        "full_valid_mean_token_accuracy",
        "valid_mean_token_accuracy",
        "validation_mean_token_accuracy",
        "valid_accuracy",
    ),
}


def to_event(found: Any, asked: str) -> JobEvent:
    """One event; kinds and levels that nobody knows pass.

    Raises:
        UnusableAnswer: it says nothing.
    """
    message = getattr(found, "message", None)
    if not isinstance(message, str):
        raise unusable("openai", asked, found)
    at = time_of(getattr(found, "created_at", None))
    return JobEvent(message=message, at=at, level=_LEVELS.get(found.level, "info"), kind=found.type)


def oldest_first(told: Sequence[JobEvent]) -> list[JobEvent]:
    """Events in the order of their times, whichever way they came; of one second, as if they came newest first."""
    turned = list(reversed(told))
    turned.sort(key=lambda event: event.at or datetime.fromtimestamp(0, UTC))
    return turned


def to_checkpoint(found: Any, ref: JobRef, asked: str) -> Checkpoint:
    """One checkpoint; its model can be called as it is.

    Raises:
        UnusableAnswer: it has no id or no model, or is another job's.
    """
    id_, model = getattr(found, "id", None), getattr(found, "fine_tuned_model_checkpoint", None)
    if not id_ or not model or found.fine_tuning_job_id not in (None, ref.id):
        raise unusable("openai", asked, found)
    measured = steps([{**_members(found.metrics), "step": found.step_number}])
    metrics = measured[0] if measured else None
    return Checkpoint(
        name=id_,
        model=ModelRef("openai", model),
        step=metrics.step if metrics else None,
        created=time_of(found.created_at),
        metrics=metrics,
    )


def steps(rows: Iterable[Mapping[str, Any]]) -> list[StepMetrics]:
    """What was measured at each step; rows about the same step are one."""
    return figures.steps((figures.number(row.get("step")), _told(row)) for row in rows)


def _told(row: Mapping[str, Any]) -> dict[str, float | None]:
    read = {member: (figures.number(row.get(name)) for name in names) for member, names in _COLUMNS.items()}
    return {member: next((value for value in values if value is not None), None) for member, values in read.items()}


def measured_by(event: Any) -> Mapping[str, Any]:
    """The row in an event of the kind `metrics`."""
    return _members(event.data)


def _members(value: Any) -> dict[str, Any]:
    """The members of an object, whether the SDK made a model of it or not; none of anything else."""
    value = value.model_dump() if hasattr(value, "model_dump") else value
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def rows_of(content: bytes, asked: str) -> Iterator[Mapping[str, Any]]:
    """The rows of a result file: CSV, or the same in base64, as older files are; an empty file has none.

    Raises:
        UnusableAnswer: it is neither.
    """
    text = content.decode("utf-8-sig", "replace")
    if not text.strip():
        return
    if not _has_header(text):
        text = _decoded(content)
    if not _has_header(text):
        raise unusable("openai", asked, content)
    try:
        yield from csv.DictReader(io.StringIO(text.replace("\0", ""), newline=""), skipinitialspace=True)
    except csv.Error as error:
        raise unusable("openai", asked, str(error)) from error


def _has_header(text: str) -> bool:
    return "step" in [name.strip() for name in text.lstrip().partition("\n")[0].split(",")]


def _decoded(content: bytes) -> str:
    try:
        return base64.b64decode(content).decode("utf-8-sig", "replace")
    except ValueError:
        return ""
