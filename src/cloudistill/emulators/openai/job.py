"""One OpenAI tuning job: the states it goes through on the clock, and how the API shows it and tells of it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from cloudistill.emulators.openai.models import OWNER
from cloudistill.emulators.openai.orders import Hyperparameters, Order
from cloudistill.emulators.openai.training import Trained

VALIDATING, QUEUED, RUNNING, PAUSING = (timedelta(minutes=m) for m in (3, 4, 13, 1))
FINAL = ("succeeded", "failed", "cancelled")
Plan = list[tuple[datetime, str]]


@dataclass(kw_only=True)
class Job:
    """A job. `plan` holds each state with the time it begins, those to come as they are foreseen included.

    `trained` is what training comes to, worked out when somebody looks at a job that has begun to run; it is `kept`
    once the job has succeeded.
    """

    id: str
    order: Order
    seed: int
    plan: Plan
    rows: list[dict[str, Any]] | None = None
    numbers: Hyperparameters | None = None
    error: dict[str, str] = field(default_factory=dict[str, str])
    trained: Trained | None = None
    kept: bool = False
    result_files: list[str] = field(default_factory=list[str])
    lock: threading.RLock = field(default_factory=threading.RLock)

    def past(self, now: datetime) -> Plan:
        """The states up to `now`, the present one last."""
        return [(at, status) for at, status in self.plan if at <= now]

    def status(self, now: datetime) -> str:
        """OpenAI's word at `now`."""
        return self.past(now)[-1][1]

    def reached(self, status: str, now: datetime) -> datetime | None:
        """When the job first entered `status`, if it has by `now`."""
        return next((at for at, word in self.past(now) if word == status), None)

    def shown(self, now: datetime) -> dict[str, Any]:
        """The FineTuningJob object. `error` is empty, not null, on a job that has not failed: so is the real one's."""
        began, status = self.past(now)[-1]
        done = self.trained if self.kept and status == "succeeded" else None
        numbers = (self.numbers or self.order.hyperparameters).shown()
        return {
            "id": self.id,
            "object": "fine_tuning.job",
            "model": self.order.model.id,
            "created_at": unix(self.plan[0][0]),
            "finished_at": unix(began) if status in FINAL else None,
            "estimated_finish": unix(self.plan[-1][0]) if status == "running" else None,
            "fine_tuned_model": done.model.id if done else None,
            "organization_id": f"org-{OWNER}",
            "status": status,
            "training_file": self.order.training.id,
            "validation_file": self.order.validation.id if self.order.validation else None,
            "result_files": self.result_files if done else [],
            "trained_tokens": done.tokens if done else None,
            "error": self.error,
            "user_provided_suffix": self.order.suffix,
            "seed": self.seed,
            "integrations": [],
            "metadata": self.order.metadata,
            "usage_metrics": None,
            "shared_with_openai": False,
            "hyperparameters": numbers,
            "method": {"type": "supervised", "supervised": {"hyperparameters": numbers}},
        }

    def ran(self, share: float) -> datetime | None:
        """When that share of the training is done, over every stretch the job runs; None if it never is."""
        left = RUNNING * share
        for start, end in _stretches(self.plan):
            if left <= end - start:
                return start + left
            left -= end - start
        return None

    def events(self, now: datetime) -> list[dict[str, Any]]:
        """The job's FineTuningJobEvent objects, newest first."""
        told = sorted(self._told(now), key=lambda event: event["created_at"])
        for event in told:
            named = f"{self.id} {event['created_at']} {event['message']}"
            event["id"] = f"ftevent-{hashlib.sha256(named.encode()).hexdigest()[:24]}"
        return told[::-1]

    def _told(self, now: datetime) -> Iterator[dict[str, Any]]:
        yield _event(self.plan[0][0], f"Created fine-tuning job: {self.id}")
        yield from self._measured(now)
        for at, status in self.past(now):
            if status == "succeeded" and self.trained and self.kept:
                yield from _made(self.trained, at)
            level = {"failed": "error", "cancelled": "warn"}.get(status, "info")
            yield _event(at, _WORDS[status].format(order=self.order, **self.error), level=level)

    def _measured(self, now: datetime) -> Iterator[dict[str, Any]]:
        """What the learner measured by `now`, spread over the time the job runs."""
        if self.trained is None:
            return
        total = self.trained.metrics[-1].step
        for metric in self.trained.metrics:
            at = self.ran(metric.step / (total + 1))
            if at is not None and at <= now:
                data = {"step": metric.step, "total_steps": total, "train_loss": metric.train_loss}
                words = f"Step {metric.step}/{total}: training loss={metric.train_loss:.2f}"
                yield _event(at, words, kind="metrics", data=data)


def _made(trained: Trained, end: datetime) -> Iterator[dict[str, Any]]:
    """What is told of the models when they are there."""
    for model, metric in trained.checkpoints[:-1]:
        yield _event(end, f"Checkpoint created at step {metric.step}: {model.id}")
    yield _event(end, f"New fine-tuned model created: {trained.model.id}")
    passed = "Usage policy evaluations completed, model is now enabled for sampling"
    yield _event(end, passed, kind="moderation_checks")


_WORDS = {
    "validating_files": "Validating training file: {order.training.id}",
    "queued": "Files validated, moving job to queued state",
    "running": "Fine-tuning job started",
    "pausing": "Fine-tuning job is pausing",
    "paused": "Fine-tuning job paused",
    "succeeded": "The job has successfully completed",
    "failed": "{message}",
    "cancelled": "Fine-tuning job cancelled",
}


def planned(now: datetime) -> Plan:
    """The states of a new job that nothing disturbs."""
    queued = now + VALIDATING
    running = queued + QUEUED
    return [(now, "validating_files"), (queued, "queued"), (running, "running"), (running + RUNNING, "succeeded")]


def resumed(job: Job, now: datetime) -> Plan:
    """The states of a paused job from now on: the queue, and then what was left to run."""
    ran = sum((end - start for start, end in _stretches(job.plan)), timedelta())
    running = now + QUEUED
    return [(now, "queued"), (running, "running"), (running + RUNNING - ran, "succeeded")]


def _stretches(plan: Plan) -> Iterator[tuple[datetime, datetime]]:
    """When each stretch of running begins and ends."""
    return ((start, end) for (start, word), (end, _) in pairwise(plan) if word == "running")


def unix(time: datetime) -> int:
    """Whole seconds, as the API counts them."""
    return int(time.timestamp())


def _event(
    at: datetime, message: str, *, level: str = "info", kind: str = "message", data: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.event",
        "created_at": unix(at),
        "level": level,
        "message": message,
        "type": kind,
        "data": data or {},
    }
