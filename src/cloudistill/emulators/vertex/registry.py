"""projects.locations.endpoints and .models: what tuning made, and its removal, which answers with operations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudistill.emulators.vertex.call import Call, Rule
from cloudistill.emulators.vertex.contract import parse
from cloudistill.emulators.vertex.errors import GoogleError
from cloudistill.emulators.vertex.jobs import Job, resource_id, stamp
from cloudistill.emulators.vertex.ledger import Ledger
from cloudistill.emulators.vertex.listing import page

Body = dict[str, Any]
_ANY = "type.googleapis.com/google"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Something asked of a model or an endpoint (`of`), which takes until `ready`."""

    name: str
    of: str
    verb: str
    begun: datetime
    ready: datetime

    def resource(self, now: datetime) -> Body:
        """The google.longrunning.Operation."""
        about = f"{_ANY}.cloud.aiplatform.v1beta1.{self.verb}"
        when = {"createTime": stamp(self.begun), "updateTime": stamp(min(now, self.ready))}
        body: Body = {"name": self.name}
        body["metadata"] = {"@type": f"{about}OperationMetadata", "genericMetadata": when}
        if now < self.ready:
            return body
        answer = f"{_ANY}.protobuf.Empty" if self.verb == "Delete" else f"{about}Response"
        return body | {"done": True, "response": {"@type": answer}}


class Registry:
    """The Model Registry and the endpoints, both read off the jobs that succeeded.

    `operation_s` is how long an operation runs, in vendor seconds: none at all, unless it is set.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._operations: dict[str, Operation] = {}
        self.operation_s = 0.0

    def rules(self) -> Iterator[Rule]:
        """Its methods."""
        for kind, get, every, delete in (
            ("endpoints", self.endpoint, self.endpoints, self.delete_endpoint),
            ("models", self.model, self.models, self.delete_model),
        ):
            yield Rule("GET", kind, f"aiplatform.{kind}.list", every)
            yield Rule("GET", f"{kind}/{{id}}", f"aiplatform.{kind}.get", get)
            yield Rule("DELETE", f"{kind}/{{id}}", f"aiplatform.{kind}.delete", delete)
            yield Rule("GET", f"{kind}/{{id}}/operations", "aiplatform.operations.list", self.operations)
        yield Rule("GET", "models/{id}:listVersions", "aiplatform.models.list", self.versions)
        yield Rule("POST", "endpoints/{id}:undeployModel", "aiplatform.endpoints.undeploy", self.undeploy)
        yield Rule("GET", "operations/{id}", "aiplatform.operations.get", self.operation)

    def endpoints(self, call: Call) -> Body:
        """The location's endpoints."""
        made = self._ledger.endpoints(call.now).items()
        here = [self._endpoint(name, *of, call.now) for name, of in made if name.startswith(f"{call.parent}/")]
        return page("endpoints", here, call.query)

    def endpoint(self, call: Call) -> Body:
        """One endpoint, found only at its own location."""
        return self._endpoint(*self._standing(call), call.now)

    def delete_endpoint(self, call: Call) -> Body:
        """Refused while a model is deployed to it."""
        name, _, _ = self._standing(call)
        self._check_idle(name, call)
        if not self._ledger.is_undeployed(name, call.now):
            text = f'The Endpoint "{name}" has deployed or being-deployed DeployedModel(s): {_deployment(name)}.'
            raise GoogleError("FAILED_PRECONDITION", f"{text} Undeploy all models before deleting the endpoint.")
        return self._begin(call, name, "Delete", self._ledger.removed)

    def undeploy(self, call: Call) -> Body:
        """Take the model off its endpoint."""
        name, _, _ = self._standing(call)
        self._check_idle(name, call)
        given = parse(call.body).get("deployedModelId")
        if given != _deployment(name) or self._ledger.is_undeployed(name, call.now):
            raise GoogleError("NOT_FOUND", f"DeployedModel {given} is not found in Endpoint {name}.")
        return self._begin(call, name, "UndeployModel", self._ledger.undeployed)

    def models(self, call: Call) -> Body:
        """The location's models."""
        made = [job for job in self._ledger.succeeded(call.now) if job.home == call.location]
        here = [self._model(job, call.now) for job in made if not self._ledger.is_removed(job.model_name, call.now)]
        return page("models", here, call.query)

    def model(self, call: Call) -> Body:
        """One model; `@1` and `@default` name its only version."""
        return self._model(self._registered(call), call.now)

    def versions(self, call: Call) -> Body:
        """A model's versions: tuning makes one."""
        job = self._registered(call)
        return page("models", [self._model(job, call.now) | {"name": f"{job.model_name}@1"}], call.query)

    def delete_model(self, call: Call) -> Body:
        """Refused while it is deployed."""
        job = self._registered(call)
        self._check_idle(job.model_name, call)
        deployed = self._deployed(job, call.now)
        if deployed:
            where = ", ".join(deployed)
            text = f'The Model "{job.model_name}" is deployed or being deployed at the following Endpoint(s): {where}.'
            raise GoogleError("FAILED_PRECONDITION", text)
        return self._begin(call, job.model_name, "Delete", self._ledger.removed)

    def operation(self, call: Call) -> Body:
        """One of the operations handed back."""
        name = f"{call.parent}/operations/{call.id}"
        if name not in self._operations:
            raise GoogleError("NOT_FOUND", f"Operation {name} not found.")
        return self._operations[name].resource(call.now)

    def operations(self, call: Call) -> Body:
        """Those on one model or endpoint."""
        on = [operation.resource(call.now) for operation in self._on(call.id, call.location)]
        return page("operations", on, call.query)

    def _on(self, identifier: str, location: str) -> list[Operation]:
        tail = f"/{identifier.partition('@')[0]}"
        found = self._operations.values()
        return [one for one in found if one.of.endswith(tail) and f"/locations/{location}/" in one.of]

    def _check_idle(self, name: str, call: Call) -> None:
        running = [one.name for one in self._operations.values() if one.of == name and call.now < one.ready]
        if running:
            text = f'There are other operations running on "{name}". Operation(s) are: {", ".join(running)}.'
            raise GoogleError("FAILED_PRECONDITION", text)

    def _standing(self, call: Call) -> tuple[str, Job, int]:
        name = f"{call.parent}/endpoints/{call.id}"
        return name, *self._ledger.endpoint(name, call.now)

    def _registered(self, call: Call) -> Job:
        identifier, _, version = call.id.partition("@")
        name = f"{call.parent}/models/{identifier}"
        job = next((job for job in self._ledger.succeeded(call.now) if job.model_name == name), None)
        if job is None or self._ledger.is_removed(name, call.now) or version not in {"", "1", "default"}:
            raise GoogleError("NOT_FOUND", f"The Model {call.parent}/models/{call.id} is not found.")
        return job

    def _deployed(self, job: Job, now: datetime) -> list[str]:
        return [name for name in job.endpoints() if not self._ledger.is_undeployed(name, now)]

    def _endpoint(self, name: str, job: Job, epoch: int, now: datetime) -> Body:
        made = stamp(job.done)
        deployed = {"id": _deployment(name), "model": job.model_name, "modelVersionId": "1", "createTime": made}
        if epoch in job.checkpoints():
            deployed["checkpointId"] = str(job.checkpoints().index(epoch) + 1)
        body: Body = {"name": name, "displayName": job.display_name, "labels": job.labels, "createTime": made}
        body["updateTime"] = made
        if not self._ledger.is_undeployed(name, now):
            body |= {"deployedModels": [deployed], "trafficSplit": {deployed["id"]: 100}}
        return body

    def _model(self, job: Job, now: datetime) -> Body:
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
            "deployedModels": [{"endpoint": at, "deployedModelId": _deployment(at)} for at in self._deployed(job, now)],
            "checkpoints": [{member: c[member] for member in ("checkpointId", "epoch", "step")} for c in kept],
            "defaultCheckpointId": str(len(kept)) if kept else "",
        }

    def _begin(self, call: Call, of: str, verb: str, effects: dict[str, datetime]) -> Body:
        ready = call.now + timedelta(seconds=self.operation_s)
        name = f"{call.parent}/operations/{resource_id(of, verb)}"
        self._operations[name] = Operation(name=name, of=of, verb=verb, begun=call.now, ready=ready)
        effects[of] = ready
        return self._operations[name].resource(call.now)


def _deployment(endpoint: str) -> str:
    return resource_id(endpoint, "deployed")
