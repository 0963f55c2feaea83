"""How a tuning job goes and went: events, measurements, checkpoints and the prompts' fate, out of Vertex's object."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from cloudistill.backends import figures
from cloudistill.backends.vertex.orders import kind_of
from cloudistill.core.job import Checkpoint, JobEvent, JobStatus, Level, PromptReport, StepMetrics
from cloudistill.core.refs import ModelRef
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from google.genai.types import DatasetStats, TuningJob

LABELLED = "distillation_labelled_dataset.jsonl"
"""The teacher's answers, under the output folder of an open model's distillation."""

_LEVELS: dict[JobStatus, Level] = {JobStatus.FAILED: "error", JobStatus.CANCELLED: "warning"}


# -- events


def events(job: TuningJob) -> list[JobEvent]:
    """The order, the start, where it stands, and the end, oldest first: Vertex keeps times, not events."""
    told = [*_stations(job), *_progress(job), *_failure(job)]
    return sorted(told, key=lambda event: event.at or datetime.max.replace(tzinfo=UTC))


def _stations(job: TuningJob) -> Iterator[JobEvent]:
    if job.create_time:
        yield JobEvent(message="ordered", at=job.create_time, kind="createTime")
    if job.start_time:
        yield JobEvent(message="started", at=job.start_time, kind="startTime")
    if job.state:
        word, ended = str(job.state.value), job.end_time
        level = _LEVELS.get(load("vertex").status(word), "info")
        yield JobEvent(message=word, at=ended or job.update_time, level=level, kind="state")


def _progress(job: TuningJob) -> Iterator[JobEvent]:
    if job.tuning_job_state:
        yield JobEvent(message=str(job.tuning_job_state.value), at=job.update_time, kind="tuningJobState")
    done = job.tuning_job_metadata
    counts = {"epochs": done.completed_epoch_count, "steps": done.completed_step_count} if done else {}
    if said := ", ".join(f"{count} {what}" for what, count in counts.items() if count is not None):
        yield JobEvent(message=f"completed {said}", at=job.update_time, kind="tuningJobMetadata")


def _failure(job: TuningJob) -> Iterator[JobEvent]:
    if job.error:
        message = job.error.message or f"code {job.error.code}"
        yield JobEvent(message=message, at=job.end_time, level="error", kind="error")


# -- metrics

# Google documents that there is a file, not how it is written: the names are those that its console shows
_NAMES = {
    "training_loss": "train_total_loss",
    "training_accuracy": "train_fraction_of_correct_next_step_preds",
    "validation_loss": "eval_total_loss",
    "validation_accuracy": "eval_fraction_of_correct_next_step_preds",
}


def steps(lines: Iterable[str]) -> list[StepMetrics]:
    """The steps in JSON lines, or in CSV under a line of names; what is neither, or names no step, is passed over.

    Rows of one step are put together: training and validation may be told apart.
    """
    rows = map(_plain, _rows(lines))
    return figures.steps((figures.number(row.get("step")), told) for row in rows if (told := _told(row)))


def _told(row: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures in a row; none of one that tells its epoch alone."""
    read = {ours: figures.number(row.get(name)) for ours, name in _NAMES.items()}
    measures = any(figure is not None for figure in read.values())
    return read | {"epoch": figures.number(row.get("epoch"))} if measures else {}


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row by names without white space and the slash that Google's console shows before them."""
    return {str(name).strip().lstrip("/"): value for name, value in row.items()}


def _rows(lines: Iterable[str]) -> Iterator[Mapping[Any, Any]]:
    listed = iter(lines)
    first = next(listed, "")
    whole = chain([first], listed)
    if "{" not in first:
        yield from csv.DictReader(whole)
        return
    for line in whole:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield cast("dict[str, Any]", value)


# -- checkpoints


def checkpoints(job: TuningJob) -> list[Checkpoint]:
    """Those that have an endpoint, oldest first."""
    kept = (job.tuned_model.checkpoints if job.tuned_model else None) or []
    found = [
        Checkpoint(
            name=checkpoint.checkpoint_id or checkpoint.endpoint,
            model=ModelRef("vertex", checkpoint.endpoint),
            step=checkpoint.step,
            epoch=checkpoint.epoch,
        )
        for checkpoint in kept
        if checkpoint.endpoint and kind_of(checkpoint.endpoint) == "endpoints"
    ]
    return sorted(found, key=lambda checkpoint: (checkpoint.epoch or 0, checkpoint.step or 0))


# -- prompts


def prompt_report(job: TuningJob, labelled: str | None) -> PromptReport | None:
    """What Vertex counted of the prompts; `labelled` is where the teacher's answers lie. None when nothing is told.

    Vertex counts every prompt it read, and gives reasons for a sample of those it dropped: how many it dropped is
    known only where the sample is empty.
    """
    told = job.tuning_data_stats.distillation_data_stats if job.tuning_data_stats else None
    stats = told.training_dataset_stats if told else None
    if stats is None and labelled is None:
        return None
    sources = (*([f"{job.name}: tuningDataStats"] if stats else []), *([labelled] if labelled else []))
    return PromptReport(
        accepted=stats.tuning_dataset_example_count if stats else None,
        rejected=_dropped(stats) if stats else None,
        reasons=dict(Counter(stats.dropped_example_reasons or ())) if stats else {},
        sources=sources,
    )


def _dropped(stats: DatasetStats) -> int | None:
    sampled = stats.dropped_example_indices or stats.dropped_example_reasons
    return None if sampled or stats.tuning_dataset_example_count is None else 0
