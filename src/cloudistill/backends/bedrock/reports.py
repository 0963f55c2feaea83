"""How a job goes and went: events made of its stages, metrics and the prompt report out of the files it left."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from cloudistill.backends import figures
from cloudistill.backends.bedrock.orders import STAGES
from cloudistill.backends.bedrock.outputs import Outputs
from cloudistill.backends.common import unusable
from cloudistill.core.job import JobEvent, JobStatus, Level, PromptReport, StepMetrics
from cloudistill.platforms.platform import load

_METRICS = re.compile(r"(step_wise_training_metrics|validation_metrics)\.csv$")
_PROMPTS = re.compile(r"(prompt|insight|accept|reject).*\.jsonl?$", re.IGNORECASE)
_LEVELS: dict[JobStatus, Level] = {
    JobStatus.FAILED: "error",
    JobStatus.STOPPING: "warning",
    JobStatus.CANCELLED: "warning",
}
_COLUMNS = {"epoch": "epoch_number", "training_loss": "training_loss", "validation_loss": "validation_loss"}
_BEGUN = "InProgress"
_VERDICTS = ("accepted", "rejected")
Verdict = tuple[str, tuple[str, ...]]


# -- events


def events(job: Mapping[str, Any]) -> list[JobEvent]:
    """The order, the stages with their times, and the end, oldest first."""
    told = [JobEvent(message="ordered", at=job.get("creationTime"), kind="job")]
    for name, title in STAGES.items():
        told += _stage(title, name, job.get("statusDetails", {}).get(name, {}))
    if job.get("endTime"):
        word = job.get("status", "")
        told.append(JobEvent(message=word, at=job["endTime"], level=_level(word), kind="job"))
    if job.get("failureMessage"):
        told.append(JobEvent(message=job["failureMessage"], at=job.get("endTime"), level="error", kind="failure"))
    return sorted(told, key=lambda event: event.at or datetime.max.replace(tzinfo=UTC))


def _stage(title: str, kind: str, stage: Mapping[str, Any]) -> Iterator[JobEvent]:
    word, begun = stage.get("status"), stage.get("creationTime")
    if begun:
        yield JobEvent(message=f"{title} {_BEGUN}", at=begun, kind=kind)
    if word and begun and word != _BEGUN:
        at = stage.get("lastModifiedTime")
        yield JobEvent(message=f"{title} {word}", at=at, level=_level(word), kind=kind)


def _level(word: str) -> Level:
    """A stage's words are the job's."""
    return _LEVELS.get(load("bedrock").status(word), "info")


# -- metrics


def metrics(job: Mapping[str, Any], outputs: Outputs) -> list[StepMetrics]:
    """The steps of the CSV files; without them the job's own last losses, as one step; else nothing."""
    return figures.steps(_measured(row) for key in outputs.keys(_METRICS) for row in _rows(outputs, key)) or _last(job)


def _rows(outputs: Outputs, key: str) -> Iterator[Mapping[str, Any]]:
    try:
        yield from csv.DictReader(outputs.lines(key))
    except csv.Error as error:
        raise unusable("bedrock", outputs.uri(key), str(error)) from error


def _measured(row: Mapping[str, Any]) -> figures.Row:
    step = figures.number(row.get("step_number"))
    read = {member: figures.number(row.get(column)) for member, column in _COLUMNS.items()}
    return (None if step is None else step + 1), read  # Bedrock counts from 0


def _last(job: Mapping[str, Any]) -> list[StepMetrics]:
    training = job.get("trainingMetrics", {}).get("trainingLoss")
    validation = next((one.get("validationLoss") for one in job.get("validationMetrics", ())), None)
    if training is None and validation is None:
        return []
    return [StepMetrics(step=1, training_loss=training, validation_loss=validation)]


# -- prompts


def prompt_report(outputs: Outputs) -> PromptReport | None:
    """The verdicts on single prompts in whatever JSON the job left about them; None where there are none.

    AWS names neither the files nor their members: a verdict is a member that says accepted or rejected, else the
    name of the list or file a prompt stands in; reasons are the members with `reason` in their name.
    """
    counted, reasons, sources = Counter[str](), Counter[str](), list[str]()
    for key in outputs.keys(_PROMPTS):
        before = counted.total()
        for word, why in _told(outputs, key):
            counted[word] += 1
            reasons.update(why)
        if counted.total() > before:
            sources.append(outputs.uri(key))
    if not counted:
        return None
    accepted, rejected = (counted[word] for word in _VERDICTS)
    return PromptReport(accepted=accepted, rejected=rejected, reasons=dict(reasons), sources=tuple(sources))


def _told(outputs: Outputs, key: str) -> Iterator[Verdict]:
    named = _verdict_in(key.rpartition("/")[2])
    lines = outputs.lines(key)
    for text in lines if key.endswith("l") else ["\n".join(lines)]:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        yield from _verdicts(value, named)


def _verdicts(value: Any, named: str | None) -> Iterator[Verdict]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _verdicts(item, named)
    elif isinstance(value, dict):
        row = cast("dict[str, Any]", value)
        lists = [name for name, item in row.items() if isinstance(item, list) and _verdict_in(name)]
        for name in lists:
            yield from _verdicts(row[name], _verdict_in(name))
        words = [item.lower() for item in row.values() if isinstance(item, str)]
        verdict = next((word for word in words if word in _VERDICTS), named)
        if verdict and not lists:
            yield verdict, _reasons(row)


def _reasons(row: Mapping[str, Any]) -> tuple[str, ...]:
    told = [item for name, item in row.items() if "reason" in name.lower()]
    flat = [one for item in told for one in (cast("list[Any]", item) if isinstance(item, list) else [item])]
    return tuple(one for one in flat if isinstance(one, str) and one)


def _verdict_in(name: str) -> str | None:
    return next((word for word in _VERDICTS if word in name.lower()), None)
