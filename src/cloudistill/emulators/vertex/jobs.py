"""Tuning jobs: their way through Google's states on the clock, and the models and endpoints that come out."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudistill.emulators.learner import Student, fit
from cloudistill.emulators.teacher import Teacher
from cloudistill.emulators.vertex import prompts
from cloudistill.emulators.vertex.dataset import Dataset, DatasetError, check_validation, read_training
from cloudistill.emulators.vertex.models import PublisherModel, endpoint_location
from cloudistill.emulators.vertex.storage import Buckets

Body = dict[str, Any]

QUEUED_S, PENDING_S, DATASET_S, TUNING_S, POST_S = 60, 180, 240, 1680, 240
CANCELLING_S = 60
MAX_CHECKPOINTS = 10
_RUNNING_AT = QUEUED_S + PENDING_S
_READ_AT = _RUNNING_AT + DATASET_S
_TUNED_AT = _READ_AT + TUNING_S
_DONE_AT = _TUNED_AT + POST_S
_PHASES = (
    (QUEUED_S, "JOB_STATE_QUEUED", None),
    (_RUNNING_AT, "JOB_STATE_PENDING", None),
    (_READ_AT, "JOB_STATE_RUNNING", "TUNING_JOB_STATE_PROCESSING_DATASET"),
    (_TUNED_AT, "JOB_STATE_RUNNING", "TUNING_JOB_STATE_TUNING"),
    (_DONE_AT, "JOB_STATE_RUNNING", "TUNING_JOB_STATE_POST_PROCESSING"),
)
_INVALID_ARGUMENT, _CANCELLED = 3, 1
_NO_TENSORS = (2).to_bytes(8, "little") + b"{}"
FINAL = frozenset({"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"})


def stamp(moment: datetime) -> str:
    """A time as Google writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def resource_id(*parts: object) -> str:
    """Nineteen digits, the same for the same parts."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return str(10**18 + int.from_bytes(digest[:8], "big") % (9 * 10**18))


@dataclass(eq=False, kw_only=True)
class Job:
    """One order and what became of it. Its state follows from the clock; the work is done once, when it first shows."""

    project: str
    location: str
    id: str
    base: str
    model: PublisherModel
    order: Body
    created: datetime
    buckets: Buckets
    teacher: Teacher
    metrics_uri: str = ""
    """What `gcsMetricsUri` says; Google does not document what lies there, so nothing is written."""
    cancelled: datetime | None = None
    _failure: str = ""
    _dataset: Dataset | None = None
    _delivered: bool = False
    _students: dict[int, Student] = field(default_factory=dict[int, Student])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """The resource name."""
        return f"projects/{self.project}/locations/{self.location}/tuningJobs/{self.id}"

    @property
    def spec(self) -> Body:
        """The order's SupervisedTuningSpec or DistillationSpec."""
        return self.order.get("supervisedTuningSpec") or self.order["distillationSpec"]

    @property
    def distils(self) -> bool:
        """Whether the lessons are a teacher's answers."""
        return "distillationSpec" in self.order

    @property
    def home(self) -> str:
        """Where its model lives: what a job at `global` makes lies in a real region."""
        return "us-central1" if self.location == "global" else self.location

    @property
    def epochs(self) -> int:
        """How often the lessons are gone through."""
        return self.spec.get("hyperParameters", {}).get("epochCount", self.model.epochs)

    def state(self, now: datetime) -> tuple[str, str | None]:
        """Google's word at `now`, with the detail while it runs; the dataset is read when the word depends on it."""
        passed = (now - self.created).total_seconds()
        worked = passed if self.cancelled is None else (self.cancelled - self.created).total_seconds()
        if worked >= _READ_AT and self._failed():
            return "JOB_STATE_FAILED", None
        if self.cancelled is not None:
            stopped = now >= self.cancelled + timedelta(seconds=CANCELLING_S)
            return "JOB_STATE_CANCELLED" if stopped else "JOB_STATE_CANCELLING", None
        for end, state, detail in _PHASES:
            if passed < end:
                return state, detail
        self._deliver()
        return "JOB_STATE_SUCCEEDED", None

    def student(self, epochs: int) -> Student:
        """The student after `epochs`, fitted on first need."""
        with self._lock:
            if epochs not in self._students:
                self._students[epochs] = self._fit(epochs)
            return self._students[epochs]

    def resource(self, now: datetime) -> Body:
        """The TuningJob as v1beta1 shows it."""
        state, detail = self.state(now)
        body: Body = {"name": self.name, **_numbers_as_text(self.order), "state": state}
        body |= {"createTime": stamp(self.created), "updateTime": stamp(min(now, self.ended(state) or now))}
        if detail:
            body["tuningJobState"] = detail
        if state == "JOB_STATE_RUNNING":
            body["tuningJobMetadata"] = {"completedEpochCount": str(self._epochs_done(now))}
        began = self.created + timedelta(seconds=_RUNNING_AT)
        if now >= began and (self.cancelled is None or self.cancelled >= began):
            body["startTime"] = stamp(began)
        ended = self.ended(state)
        if ended:
            body["endTime"] = stamp(ended)
        return body | self._outcome(state)

    def ended(self, state: str) -> datetime | None:
        """When it came to the final `state`; None for a state that is not final."""
        match state:
            case "JOB_STATE_FAILED":
                return self.created + timedelta(seconds=_READ_AT)
            case "JOB_STATE_CANCELLED":
                return (self.cancelled or self.created) + timedelta(seconds=CANCELLING_S)
            case "JOB_STATE_SUCCEEDED":
                return self.done
            case _:
                return None

    def checkpoints(self) -> list[int]:
        """The epochs that are kept: each one up to ten, else ten evenly spaced, the last among them."""
        if self.model.weights or self.spec.get("exportLastCheckpointOnly"):
            return []
        kept = min(self.epochs, MAX_CHECKPOINTS)
        return [round(self.epochs * (i + 1) / kept) for i in range(kept)]

    def tuned_model(self) -> Body:
        """Its place in the Model Registry, its endpoint, and those of its checkpoints."""
        body: Body = {"model": f"{self.model_name}@1"}
        if self.model.weights:
            return body
        body["endpoint"] = self._endpoint(self.epochs)
        steps = self._dataset.steps if self._dataset else 0
        kept = [
            {
                "checkpointId": str(number),
                "epoch": str(epoch),
                "step": str(epoch * steps),
                "endpoint": self._endpoint(epoch),
            }
            for number, epoch in enumerate(self.checkpoints(), 1)
        ]
        return body | ({"checkpoints": kept} if kept else {})

    @property
    def model_name(self) -> str:
        """The resource name in the Model Registry, without a version."""
        return f"projects/{self.project}/locations/{self.home}/models/{resource_id(self.name, 'model')}"

    @property
    def display_name(self) -> str:
        """What the model and its endpoints are called."""
        return self.order.get("tunedModelDisplayName", f"{self.base}-{self.id}")

    @property
    def labels(self) -> dict[str, str]:
        """The order's labels, which go over to the model and its endpoints, and Google's own."""
        kind = "distillation" if self.distils else "sft"
        own = {"tune-type": kind, "google-vertex-llm-tuning-base-model-id": re.sub(r"[^a-z0-9_-]", "-", self.base)}
        return {**self.order.get("labels", {}), **own}

    @property
    def done(self) -> datetime:
        """When the model is ready, if all goes well."""
        return self.created + timedelta(seconds=_DONE_AT)

    def cancel(self, now: datetime) -> None:
        """Ask it to stop; asking again changes nothing."""
        self.cancelled = self.cancelled or now

    def endpoints(self) -> dict[str, int]:
        """The endpoints by name, each with the epochs its student has learnt."""
        epochs = set[int]() if self.model.weights else {*self.checkpoints(), self.epochs}
        return {self._endpoint(epoch): epoch for epoch in epochs}

    def _endpoint(self, epoch: int) -> str:
        location = endpoint_location(self.model, self.location)
        return f"projects/{self.project}/locations/{location}/endpoints/{resource_id(self.name, epoch)}"

    def _outcome(self, state: str) -> Body:
        body: Body = {}
        if self._dataset is not None:
            body["tuningDataStats"] = self._dataset.stats(epochs=self.epochs)
        if self.metrics_uri:
            body["gcsMetricsUri"] = self.metrics_uri
        match state:
            case "JOB_STATE_FAILED":
                body["error"] = {"code": _INVALID_ARGUMENT, "message": self._failure}
            case "JOB_STATE_CANCELLED":
                body["error"] = {"code": _CANCELLED, "message": "The tuning job was cancelled."}
            case "JOB_STATE_SUCCEEDED":
                body["tunedModel"] = self.tuned_model()
            case _:
                pass
        return body

    def _epochs_done(self, now: datetime) -> int:
        tuned = ((now - self.created).total_seconds() - _READ_AT) / TUNING_S
        return int(self.epochs * min(max(tuned, 0.0), 1.0))

    def _failed(self) -> bool:
        with self._lock:
            if self._dataset is None and not self._failure:
                try:
                    self._dataset = self._read()
                except DatasetError as error:
                    self._failure = str(error)
            return bool(self._failure)

    def _read(self) -> Dataset:
        validation = self.spec.get("validationDatasetUri")
        if self.distils:
            raw = self._object(self.spec["promptDatasetUri"])
            if validation:
                prompts.check_validation(self._object(validation), raw, self.model)
            return prompts.read_prompts(raw, self.model, self.teacher)
        if validation:
            check_validation(self._object(validation), self.model)
        return read_training(self._object(self.spec["trainingDatasetUri"]), self.model)

    def _object(self, uri: str) -> bytes:
        raw = self.buckets.read(uri)
        if raw is None:
            raise DatasetError(f"The object {uri} is no longer there, or the tuning service agent may not read it.")
        return raw

    def _deliver(self) -> None:
        """Leave an open model's weights and the teacher's answers in the order's folder, once."""
        with self._lock:
            if self._delivered or not self.model.weights or not isinstance(self._dataset, prompts.Prompts):
                return
            self._delivered = True
            folder = self.order["outputUri"].rstrip("/")
            labelled = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self._dataset.labelled)
            self.buckets.write(f"{folder}/distillation_labelled_dataset.jsonl", labelled.encode())
            kept = min(self.epochs, MAX_CHECKPOINTS)
            for name in (*(f"checkpoint-{number}" for number in range(1, kept)), "final"):
                self.buckets.write(f"{folder}/postprocess/node-0/checkpoints/{name}/model.safetensors", _NO_TENSORS)

    def _fit(self, epochs: int) -> Student:
        given = self.spec.get("hyperParameters", {})
        return fit(
            self._dataset.lessons if self._dataset else (),
            seed=self.model.seed,
            epochs=epochs,
            learning_rate=given.get("learningRateMultiplier", 1.0),
            capacity=self.model.capacity,
        )


def _numbers_as_text(value: Any) -> Any:
    """Proto JSON writes int64 as a string; every whole number of an order is one."""
    if isinstance(value, dict):
        return {name: _numbers_as_text(inner) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return str(value) if type(value) is int else value
