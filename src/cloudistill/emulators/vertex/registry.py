"""projects.locations.endpoints and .models: what tuning made, and its removal, which answers with operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudistill.emulators.vertex.call import Call, Rule
from cloudistill.emulators.vertex.contract import parse
from cloudistill.emulators.vertex.errors import GoogleError
from cloudistill.emulators.vertex.jobs import Job, Ledger, resource_id, stamp
from cloudistill.emulators.vertex.listing import page

Body = dict[str, Any]
_ANY = "type.googleapis.com/google"


class Registry:
    """The Model Registry and the endpoints, both read off the jobs that succeeded."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._operations: dict[str, Body] = {}

    def rules(self) -> Iterator[Rule]:
        """Its methods."""
        for kind, get, every, delete in (
            ("endpoints", self.endpoint, self.endpoints, self.delete_endpoint),
            ("models", self.model, self.models, self.delete_model),
        ):
            yield Rule("GET", kind, f"aiplatform.{kind}.list", every)
            yield Rule("GET", f"{kind}/{{id}}", f"aiplatform.{kind}.get", get)
            yield Rule("DELETE", f"{kind}/{{id}}", f"aiplatform.{kind}.delete", delete)
        yield Rule("POST", "endpoints/{id}:undeployModel", "aiplatform.endpoints.undeploy", self.undeploy)
        yield Rule("GET", "operations/{id}", "aiplatform.operations.get", self.operation)

    def endpoints(self, call: Call) -> Body:
        """The location's endpoints."""
        made = self._ledger.endpoints(call.now).items()
        here = [self._endpoint(name, *of) for name, of in made if name.startswith(f"{call.parent}/")]
        return page("endpoints", here, call.query)

    def endpoint(self, call: Call) -> Body:
        """One endpoint, found only at its own location."""
        return self._endpoint(*self._standing(call))

    def delete_endpoint(self, call: Call) -> Body:
        """Refused while a model is deployed to it."""
        name, _, _ = self._standing(call)
        if name not in self._ledger.undeployed:
            text = f'The Endpoint "{name}" has deployed or being-deployed DeployedModel(s): {_deployment(name)}.'
            raise GoogleError("FAILED_PRECONDITION", f"{text} Undeploy all models before deleting the endpoint.")
        self._ledger.removed.add(name)
        return self._done(call, name, "DeleteOperationMetadata", "protobuf.Empty")

    def undeploy(self, call: Call) -> Body:
        """Take the model off its endpoint."""
        name, _, _ = self._standing(call)
        given = parse(call.body).get("deployedModelId")
        if given != _deployment(name) or name in self._ledger.undeployed:
            raise GoogleError("NOT_FOUND", f"DeployedModel {given} is not found in Endpoint {name}.")
        self._ledger.undeployed.add(name)
        return self._done(
            call, name, "UndeployModelOperationMetadata", "cloud.aiplatform.v1beta1.UndeployModelResponse"
        )

    def models(self, call: Call) -> Body:
        """The location's models."""
        made = [job for job in self._ledger.succeeded(call.now) if job.location == call.location]
        here = [self._model(job) for job in made if job.model_name not in self._ledger.removed]
        return page("models", here, call.query)

    def model(self, call: Call) -> Body:
        """One model; `@1` and `@default` name its only version."""
        return self._model(self._registered(call))

    def delete_model(self, call: Call) -> Body:
        """Refused while it is deployed."""
        job = self._registered(call)
        deployed = self._deployed(job)
        if deployed:
            where = ", ".join(deployed)
            text = f'The Model "{job.model_name}" is deployed or being deployed at the following Endpoint(s): {where}.'
            raise GoogleError("FAILED_PRECONDITION", text)
        self._ledger.removed.add(job.model_name)
        return self._done(call, job.model_name, "DeleteOperationMetadata", "protobuf.Empty")

    def operation(self, call: Call) -> Body:
        """One of the operations handed back; all are done at once."""
        name = f"{call.parent}/operations/{call.id}"
        if name not in self._operations:
            raise GoogleError("NOT_FOUND", f"Operation {name} not found.")
        return self._operations[name]

    def _standing(self, call: Call) -> tuple[str, Job, int]:
        name = f"{call.parent}/endpoints/{call.id}"
        return name, *self._ledger.endpoint(name, call.now)

    def _registered(self, call: Call) -> Job:
        identifier, _, version = call.id.partition("@")
        name = f"{call.parent}/models/{identifier}"
        job = next((job for job in self._ledger.succeeded(call.now) if job.model_name == name), None)
        if job is None or name in self._ledger.removed or version not in {"", "1", "default"}:
            raise GoogleError("NOT_FOUND", f"The Model {call.parent}/models/{call.id} is not found.")
        return job

    def _deployed(self, job: Job) -> list[str]:
        gone = self._ledger.removed | self._ledger.undeployed
        return [name for name in job.endpoints() if name not in gone]

    def _endpoint(self, name: str, job: Job, epoch: int) -> Body:
        made = stamp(job.done)
        deployed = {"id": _deployment(name), "model": job.model_name, "modelVersionId": "1", "createTime": made}
        if epoch in job.checkpoints():
            deployed["checkpointId"] = str(job.checkpoints().index(epoch) + 1)
        body: Body = {"name": name, "displayName": job.display_name, "labels": job.labels, "createTime": made}
        body["updateTime"] = made
        if name not in self._ledger.undeployed:
            body |= {"deployedModels": [deployed], "trafficSplit": {deployed["id"]: 100}}
        return body

    def _model(self, job: Job) -> Body:
        made = stamp(job.done)
        kept = job.tuned_model().get("checkpoints", [])
        return {
            "name": job.model_name,
            "displayName": job.display_name,
            "versionId": "1",
            "versionAliases": ["default"],
            "labels": job.labels,
            "createTime": made,
            "updateTime": made,
            "deployedModels": [{"endpoint": at, "deployedModelId": _deployment(at)} for at in self._deployed(job)],
            "checkpoints": [{member: c[member] for member in ("checkpointId", "epoch", "step")} for c in kept],
            "defaultCheckpointId": str(len(kept)) if kept else "",
        }

    def _done(self, call: Call, of: str, metadata: str, answer: str) -> Body:
        name = f"{call.parent}/operations/{resource_id(of, metadata)}"
        when = {"createTime": stamp(call.now), "updateTime": stamp(call.now)}
        self._operations[name] = {
            "name": name,
            "metadata": {"@type": f"{_ANY}.cloud.aiplatform.v1beta1.{metadata}", "genericMetadata": when},
            "done": True,
            "response": {"@type": f"{_ANY}.{answer}"},
        }
        return self._operations[name]


def _deployment(endpoint: str) -> str:
    return resource_id(endpoint, "deployed")
