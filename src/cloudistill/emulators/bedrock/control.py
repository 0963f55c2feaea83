"""Bedrock's control plane: customization jobs, custom models, deployments, foundation models, tags."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from cloudistill.emulators.bedrock import models
from cloudistill.emulators.bedrock.jobs import CustomModel, Deployment, Job, new_id
from cloudistill.emulators.bedrock.lists import DEPLOYMENTS, JOBS, MODELS, listed
from cloudistill.emulators.bedrock.models import FoundationModel
from cloudistill.emulators.bedrock.pairs import check_distillation
from cloudistill.emulators.bedrock.shapes import Refused, invalid
from cloudistill.emulators.bedrock.storage import Storage
from cloudistill.emulators.bedrock.training import Training
from cloudistill.emulators.clock import Clock
from cloudistill.emulators.teacher import Teacher

Said = dict[str, Any]
Handler = Callable[[str, Said], Said]
Named = TypeVar("Named", Job, CustomModel, Deployment)
Ordered = TypeVar("Ordered", Job, Deployment)


class Control:
    """The account's records and the operations on them. A handler takes the region and the judged parameters."""

    def __init__(self, clock: Clock, storage: Storage, teacher: Teacher) -> None:
        self.clock = clock
        self.storage = storage
        self.training = Training(storage, teacher)
        self.jobs: list[Job] = []
        self.deployments: list[Deployment] = []
        self._lock = threading.Lock()
        self.handlers: dict[str, Handler] = {
            "CreateModelCustomizationJob": self.create_job,
            "GetModelCustomizationJob": self.get_job,
            "ListModelCustomizationJobs": self.list_jobs,
            "StopModelCustomizationJob": self.stop_job,
            "GetCustomModel": self.get_model,
            "ListCustomModels": self.list_models,
            "DeleteCustomModel": self.delete_model,
            "CreateCustomModelDeployment": self.create_deployment,
            "GetCustomModelDeployment": self.get_deployment,
            "ListCustomModelDeployments": self.list_deployments,
            "DeleteCustomModelDeployment": self.delete_deployment,
            "ListFoundationModels": self.list_foundation_models,
            "GetFoundationModel": self.get_foundation_model,
            "ListTagsForResource": self.list_tags,
        }

    def create_job(self, region: str, said: Said) -> Said:
        """Take an order, or recognise one that was sent before."""
        with self._lock:
            jobs = [job for job in self.jobs if job.region == region]
            if known := _repeated(jobs, said):
                return {"jobArn": known.arn}
            if said["jobName"] in {job.name for job in jobs}:
                raise invalid("The provided job name is currently in use.")
            if said["customModelName"] in self._model_names(jobs):
                raise invalid("The provided model name is currently in use.")
            base = self._base(said, region)
            job = Job(new_id(), region, self.clock.now(), said, base, _hyper(base, said.get("hyperParameters", {})))
            self._check_places(said, region)
            self.jobs.append(job)
        return {"jobArn": job.arn}

    def get_job(self, region: str, said: Said) -> Said:
        """One job, by name or ARN."""
        return self._job(region, said["jobIdentifier"]).describe(self.clock.now())

    def list_jobs(self, region: str, said: Said) -> Said:
        """The jobs of a region that pass the filters."""
        now = self.clock.now()
        rows = [self._settled(job).summary(now) for job in self.jobs if job.region == region]
        return listed("modelCustomizationJobSummaries", rows, said, JOBS)

    def stop_job(self, region: str, said: Said) -> Said:
        """Tell a running job to stop."""
        job, now = self._job(region, said["jobIdentifier"]), self.clock.now()
        with job.lock:
            if job.status(now) != "InProgress":
                raise Refused("ConflictException", f"The job is in status {job.status(now)} and can not be stopped.")
            job.stop_asked = now
        return {}

    def get_model(self, region: str, said: Said) -> Said:
        """One custom model, by name or ARN."""
        return self._model(region, said["modelIdentifier"]).describe()

    def list_models(self, region: str, said: Said) -> Said:
        """The custom models of a region that pass the filters."""
        rows = [model.summary() for model in self.models(region)]
        return listed("modelSummaries", rows, said, MODELS)

    def delete_model(self, region: str, said: Said) -> Said:
        """Delete a custom model that nothing serves any more."""
        model = self._model(region, said["modelIdentifier"])
        if any(deployment.model is model for deployment in self.standing(region)):
            raise Refused("ConflictException", f"The model {model.arn} has a deployment. Delete it first.")
        model.deleted = True
        return {}

    def create_deployment(self, region: str, said: Said) -> Said:
        """Start serving a custom model on demand, where its base can be."""
        with self._lock:
            deployments = self.standing(region)
            if known := _repeated(deployments, said):
                return {"customModelDeploymentArn": known.arn}
            model = self._model(region, said["modelArn"])
            if not model.job.base.deploys:
                raise invalid(
                    f"On-demand deployment is not supported for custom models of base model {model.job.base.id}. "
                    "Use Provisioned Throughput instead."
                )
            if said["modelDeploymentName"] in {deployment.name for deployment in deployments}:
                raise invalid("The provided deployment name is currently in use.")
            deployment = Deployment(new_id(), region, self.clock.now(), said, model)
            self.deployments.append(deployment)
        return {"customModelDeploymentArn": deployment.arn}

    def get_deployment(self, region: str, said: Said) -> Said:
        """One deployment, by name or ARN."""
        return self.deployment(region, said["customModelDeploymentIdentifier"]).describe(self.clock.now())

    def list_deployments(self, region: str, said: Said) -> Said:
        """The deployments of a region that pass the filters."""
        rows = [deployment.summary(self.clock.now()) for deployment in self.standing(region)]
        return listed("modelDeploymentSummaries", rows, said, DEPLOYMENTS)

    def delete_deployment(self, region: str, said: Said) -> Said:
        """Begin to stop serving; the model stays."""
        deployment = self.deployment(region, said["customModelDeploymentIdentifier"])
        if deployment.delete_asked:
            raise Refused("ConflictException", f"The deployment {deployment.arn} is being deleted.")
        deployment.delete_asked = self.clock.now()
        return {}

    def list_foundation_models(self, region: str, said: Said) -> Said:
        """The models that a region has and that have not ended."""
        now = self.clock.now()
        rows = [m.describe(region, now) for m in models.MODELS if region in m.regions and not m.ended(now)]
        members = {
            "byCustomizationType": "customizationsSupported",
            "byInferenceType": "inferenceTypesSupported",
            "byOutputModality": "outputModalities",
        }
        for asked, member in members.items():
            rows = [row for row in rows if asked not in said or said[asked] in row[member]]
        provider = said.get("byProvider", "").lower()
        return {"modelSummaries": [row for row in rows if not provider or row["providerName"].lower() == provider]}

    def get_foundation_model(self, region: str, said: Said) -> Said:
        """One foundation model, by id or ARN."""
        model = models.find(said["modelIdentifier"], region, self.clock.now())
        if model is None:
            raise Refused("ResourceNotFoundException", f"Could not resolve the foundation model {said!r}")
        return {"modelDetails": model.describe(region, self.clock.now())}

    def list_tags(self, region: str, said: Said) -> Said:
        """The tags a job, model or deployment was ordered with."""
        jobs = {job.arn: job.order.get("jobTags", []) for job in self.jobs if job.region == region}
        students = {model.arn: model.job.order.get("customModelTags", []) for model in self.models(region)}
        deployments = {d.arn: d.order.get("tags", []) for d in self.standing(region)}
        tags = (jobs | students | deployments).get(said["resourceARN"])
        if tags is None:
            raise _missing(said["resourceARN"])
        return {"tags": tags}

    def models(self, region: str) -> list[CustomModel]:
        """The custom models of a region, oldest first."""
        found = [self._settled(job).model for job in self.jobs if job.region == region]
        return [model for model in found if model and not model.deleted]

    def standing(self, region: str) -> list[Deployment]:
        """The deployments of a region that are not gone, oldest first."""
        now = self.clock.now()
        return [d for d in self.deployments if d.region == region and not d.gone(now)]

    def remaining(self) -> list[Deployment]:
        """The record itself, rid of what is gone."""
        now = self.clock.now()
        with self._lock:
            self.deployments[:] = [deployment for deployment in self.deployments if not deployment.gone(now)]
        return self.deployments

    def deployment(self, region: str, identifier: str) -> Deployment:
        """The deployment with this name or ARN. Raises `Refused`."""
        return _one(identifier, self.standing(region))

    def _job(self, region: str, identifier: str) -> Job:
        return self._settled(_one(identifier, [job for job in self.jobs if job.region == region]))

    def _model(self, region: str, identifier: str) -> CustomModel:
        return _one(identifier, self.models(region))

    def _settled(self, job: Job) -> Job:
        job.settle(self.clock.now(), self.training.check, self.training.fit)
        return job

    def _model_names(self, jobs: Iterable[Job]) -> set[str]:
        """Names that finished models have or unfinished jobs have booked."""
        now = self.clock.now()
        taken = (job for job in jobs if self._settled(job).status(now) in {"InProgress", "Completed"})
        return {job.order["customModelName"] for job in taken if not (job.model and job.model.deleted)}

    def _base(self, said: Said, region: str) -> FoundationModel:
        kind, now = said.get("customizationType", "FINE_TUNING"), self.clock.now()
        if kind not in models.TUNABLE:
            raise invalid(f"customizationType {kind} is real, but this emulator offers FINE_TUNING and DISTILLATION")
        if kind == "FINE_TUNING" and "customizationConfig" in said:
            raise invalid("customizationConfig is not supported for customizationType FINE_TUNING")
        base = models.find(said["baseModelIdentifier"], region, now)
        if base is None:
            raise invalid("The provided model identifier is invalid.")
        if not base.tunes:
            raise invalid(f"The model {base.id} does not support customization. Use an id with a context suffix.")
        if base.legacy_at(now):
            raise invalid(f"The model {base.id} is in Legacy status and does not support new customization jobs.")
        if kind == "DISTILLATION":
            check_distillation(said, base, region, now)
        return base

    def _check_places(self, said: Said, region: str) -> None:
        self.storage.check_role(said["roleArn"])
        self._check_source(said, region)
        for place in said.get("validationDataConfig", {}).get("validators", []):
            self.storage.check_readable(place["s3Uri"], region)
        self.storage.check_writable(said["outputDataConfig"]["s3Uri"], region)

    def _check_source(self, said: Said, region: str) -> None:
        """A file, or for a distillation logged requests."""
        data, kind = said["trainingDataConfig"], said.get("customizationType", "FINE_TUNING")
        if kind == "FINE_TUNING" and set(data) != {"s3Uri"}:
            raise invalid("trainingDataConfig.s3Uri alone is required for customizationType FINE_TUNING")
        if len(data) != 1:
            raise invalid("trainingDataConfig must hold exactly one of s3Uri and invocationLogsConfig")
        if "s3Uri" in data:
            self.storage.check_readable(data["s3Uri"], region)
            return
        self.storage.check_listable(data["invocationLogsConfig"]["invocationLogSource"]["s3Uri"], region)


def _missing(identifier: str) -> Refused:
    return Refused("ResourceNotFoundException", f"The resource {identifier} could not be found.")


def _one(identifier: str, records: Iterable[Named]) -> Named:
    for record in records:
        if identifier in {record.name, record.arn}:
            return record
    raise _missing(identifier)


def _repeated(records: Iterable[Ordered], said: Said) -> Ordered | None:
    """The record this token already made; the token with another order is refused."""
    token = said.get("clientRequestToken")
    known = next((record for record in records if token and record.order.get("clientRequestToken") == token), None)
    if known and known.order != said:
        raise Refused("ConflictException", "The clientRequestToken was used before with different parameters.")
    return known


def _hyper(base: FoundationModel, said: dict[str, str]) -> dict[str, str]:
    """What was asked, judged by the base's ranges, and the defaults for the rest."""
    known = base.hyper or {}
    for name, value in said.items():
        if name not in known:
            raise invalid(f"The hyperparameter {name} is not supported for {base.id}: use {', '.join(known)}")
        if not known[name].holds(value):
            least, most = known[name].least, known[name].most
            raise invalid(f"The value {value} of the hyperparameter {name} must be between {least} and {most}")
    return {name: str(span.default) for name, span in known.items()} | said
