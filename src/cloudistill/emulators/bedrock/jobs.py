"""Bedrock's records: customization jobs on the clock, the custom models they yield, and deployments of those."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from cloudistill.emulators.bedrock.checks import BadData
from cloudistill.emulators.bedrock.models import ACCOUNT, FoundationModel
from cloudistill.emulators.bedrock.rows import Course
from cloudistill.emulators.learner import Student

STAGES = {  # when each stage begins and ends, in vendor seconds after the order
    "validationDetails": (60, 300),
    "dataProcessingDetails": (300, 600),
    "trainingDetails": (600, 3600),
}
CHECKED = STAGES["validationDetails"][1]
TRAINED = STAGES["trainingDetails"][1]
STOPPING = 60
DEPLOYING = 300
UNDEPLOYING = 30


def new_id() -> str:
    """The twelve characters at the end of an ARN."""
    return uuid4().hex[:12]


@dataclass
class Deployment:
    """An on-demand deployment of a custom model."""

    id: str
    region: str
    created: datetime
    order: dict[str, Any]
    model: CustomModel
    delete_asked: datetime | None = None

    @property
    def arn(self) -> str:
        """Its ARN, which Converse takes."""
        return f"arn:aws:bedrock:{self.region}:{ACCOUNT}:custom-model-deployment/{self.id}"

    @property
    def name(self) -> str:
        """The name it was ordered under."""
        return str(self.order["modelDeploymentName"])

    def status(self, now: datetime) -> str:
        """Creating, Active, or Deleting, a word that AWS's documents have and its own enum lacks."""
        if self.delete_asked:
            return "Deleting"
        return "Creating" if now < self.created + timedelta(seconds=DEPLOYING) else "Active"

    def gone(self, now: datetime) -> bool:
        """Whether nothing is left of it."""
        return self.delete_asked is not None and now >= self.delete_asked + timedelta(seconds=UNDEPLOYING)

    def describe(self, now: datetime) -> dict[str, Any]:
        """What GetCustomModelDeployment answers."""
        return {
            "customModelDeploymentArn": self.arn,
            "modelDeploymentName": self.name,
            "modelArn": self.model.arn,
            "createdAt": self.created,
            "status": self.status(now),
            "description": self.order.get("description"),
            "lastUpdatedAt": min(now, self.created + timedelta(seconds=DEPLOYING)),
        }

    def summary(self, now: datetime) -> dict[str, Any]:
        """Its row in a listing."""
        members = ("customModelDeploymentArn", "modelArn", "createdAt", "status", "lastUpdatedAt")
        said = self.describe(now)
        return {"customModelDeploymentName": self.name, **{name: said[name] for name in members}}


@dataclass
class CustomModel:
    """What a completed job leaves: a student, callable only through a deployment."""

    id: str
    job: Job
    student: Student
    course: Course
    validation: tuple[float, ...] = ()
    deleted: bool = False

    @property
    def arn(self) -> str:
        """Its ARN; Converse refuses it."""
        return f"arn:aws:bedrock:{self.job.region}:{ACCOUNT}:custom-model/{self.job.base.id}/{self.id}"

    @property
    def name(self) -> str:
        """The name the job was told to give it."""
        return str(self.job.order["customModelName"])

    @property
    def created(self) -> datetime:
        """When its job completed."""
        return self.job.created + timedelta(seconds=TRAINED)

    def describe(self) -> dict[str, Any]:
        """What GetCustomModel answers."""
        job = self.job
        return {
            "modelArn": self.arn,
            "modelName": self.name,
            "jobName": job.name,
            "jobArn": job.arn,
            "baseModelArn": job.base.arn(job.region),
            "customizationType": job.kind,
            "customizationConfig": job.order.get("customizationConfig"),
            "hyperParameters": job.hyper,
            "trainingDataConfig": job.order["trainingDataConfig"],
            "validationDataConfig": job.order.get("validationDataConfig"),
            "outputDataConfig": job.order["outputDataConfig"],
            "trainingMetrics": {"trainingLoss": job.loss},
            "validationMetrics": job.validation,
            "creationTime": self.created,
            "modelStatus": "Active",
        }

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        members = ("modelArn", "modelName", "creationTime", "baseModelArn", "customizationType", "modelStatus")
        said = self.describe()
        more = {"baseModelName": self.job.base.bare, "ownerAccountId": ACCOUNT}
        return {name: said[name] for name in members} | more


@dataclass
class Job:
    """A customization job. What it is at a moment follows from the clock and from what its data turned out to be."""

    id: str
    region: str
    created: datetime
    order: dict[str, Any]
    base: FoundationModel
    hyper: dict[str, str]
    stop_asked: datetime | None = None
    failure: str | None = None
    course: Course | None = None
    model: CustomModel | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:bedrock:{self.region}:{ACCOUNT}:model-customization-job/{self.base.id}/{self.id}"

    @property
    def name(self) -> str:
        """The name it was ordered under."""
        return str(self.order["jobName"])

    @property
    def kind(self) -> str:
        """FINE_TUNING or DISTILLATION."""
        return str(self.order.get("customizationType", "FINE_TUNING"))

    @property
    def teacher(self) -> dict[str, Any]:
        """A distillation's teacherModelConfig."""
        return dict(self.order["customizationConfig"]["distillationConfig"]["teacherModelConfig"])

    @property
    def validators(self) -> list[str]:
        """Where the validation rows lie."""
        return [one["s3Uri"] for one in self.order.get("validationDataConfig", {}).get("validators", ())]

    @property
    def validation(self) -> list[dict[str, float]] | None:
        """What each validator found of the finished student."""
        return [{"validationLoss": loss} for loss in self.model.validation] if self.model else None

    @property
    def loss(self) -> float | None:
        """The learner's last training loss."""
        return self.model.student.losses[-1] if self.model else None

    def ran(self, now: datetime) -> float:
        """Vendor seconds of work until `now`, or until it was told to stop."""
        return (min(now, self.stop_asked or now) - self.created).total_seconds()

    def settle(self, now: datetime, check: Callable[[Job], Course], fit: Callable[[Job, Course], CustomModel]) -> None:
        """Do the work that is due by `now`, once: judge the data, then learn from it. `check` may raise BadData."""
        with self.lock:
            if self.course is None and self.failure is None and self.ran(now) >= CHECKED:
                try:
                    self.course = check(self)
                except BadData as bad:
                    self.failure = str(bad)
            if self.course and self.model is None and self.ran(now) >= TRAINED:
                self.model = fit(self, self.course)

    def status(self, now: datetime) -> str:
        """The vendor's word, for a job settled at `now`."""
        if self.failure:
            return "Failed"
        if self.model:
            return "Completed"
        if self.stop_asked:
            return "Stopping" if now < self.stop_asked + timedelta(seconds=STOPPING) else "Stopped"
        return "InProgress"

    def ended(self, now: datetime) -> datetime | None:
        """When it came to its final state."""
        after = {"Failed": CHECKED, "Completed": TRAINED}.get(self.status(now))
        if after:
            return self.created + timedelta(seconds=after)
        if self.stop_asked and self.status(now) == "Stopped":
            return self.stop_asked + timedelta(seconds=STOPPING)
        return None

    def stages(self, now: datetime) -> dict[str, dict[str, Any]]:
        """The three stages, each with its own status and times."""
        return {name: self._stage(begins, ends, now) for name, (begins, ends) in STAGES.items()}

    def _stage(self, begins: int, ends: int, now: datetime) -> dict[str, Any]:
        ran = self.ran(now)
        if ran < begins or (self.failure and begins >= CHECKED):
            return {"status": "NotStarted"}
        begun = self.created + timedelta(seconds=begins)
        changed = min(self.created + timedelta(seconds=ends), now)
        if self.failure or ran < ends:
            return {"status": self.status(now), "creationTime": begun, "lastModifiedTime": changed}
        return {"status": "Completed", "creationTime": begun, "lastModifiedTime": changed}

    def describe(self, now: datetime) -> dict[str, Any]:
        """What GetModelCustomizationJob answers."""
        order, ended = self.order, self.ended(now)
        key = order.get("customModelKmsKeyId", "")
        echoed = ("jobName", "roleArn", "trainingDataConfig", "outputDataConfig")
        return {name: order[name] for name in echoed} | {
            "jobArn": self.arn,
            "outputModelName": order["customModelName"],
            "outputModelArn": self.model.arn if self.model else None,
            "clientRequestToken": order.get("clientRequestToken"),
            "status": self.status(now),
            "statusDetails": self.stages(now),
            "failureMessage": self.failure,
            "creationTime": self.created,
            "lastModifiedTime": ended or now,
            "endTime": ended,
            "baseModelArn": self.base.arn(self.region),
            "hyperParameters": self.hyper,
            "validationDataConfig": order.get("validationDataConfig", {"validators": []}),
            "customizationType": self.kind,
            "customizationConfig": order.get("customizationConfig"),
            "outputModelKmsKeyArn": key if key.startswith("arn:") and ":key/" in key else None,
            "trainingMetrics": {"trainingLoss": self.loss} if self.model else None,
            "validationMetrics": self.validation,
            "vpcConfig": order.get("vpcConfig"),
        }

    def summary(self, now: datetime) -> dict[str, Any]:
        """Its row in a listing."""
        members = ("jobArn", "baseModelArn", "jobName", "status", "statusDetails", "lastModifiedTime", "creationTime")
        said = self.describe(now)
        custom = {"customModelArn": said["outputModelArn"], "customModelName": said["outputModelName"]}
        return {name: said[name] for name in (*members, "endTime", "customizationType")} | custom
