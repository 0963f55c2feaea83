"""What holds over time, whatever a schema says: final is final, ids and times of birth stay, a success has a model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast
from urllib.parse import unquote
from xml.etree import ElementTree

from tests.contracts.contract import Operation, media_type
from tests.contracts.stored import Stored

from cloudistill.emulators.recording import Exchange

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of resource: where its id, creation time and state stand, which members never change, which states are
    final, and what the states of success and failure need."""

    name: str
    id: str
    created: str
    state: str = ""
    fixed: tuple[str, ...] = ()
    final: tuple[object, ...] = ()
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """For a state, the members of which one must be there and hold something."""


OPENAI = {
    "fine_tuning.job": Kind(
        "job",
        "id",
        "created_at",
        "status",
        ("model", "training_file", "validation_file", "seed", "organization_id"),
        ("succeeded", "failed", "cancelled"),
        {"succeeded": ("fine_tuned_model",), "failed": ("error",)},
    ),
    "fine_tuning.job.event": Kind("event", "id", "created_at", fixed=("message", "level", "type", "data")),
    "fine_tuning.job.checkpoint": Kind(
        "checkpoint", "id", "created_at", fixed=("fine_tuned_model_checkpoint", "step_number", "metrics")
    ),
    "file": Kind("file", "id", "created_at", fixed=("bytes", "filename", "purpose")),
    "upload": Kind(
        "upload",
        "id",
        "created_at",
        "status",
        ("bytes", "filename", "purpose"),
        ("completed", "cancelled", "expired"),
        {"completed": ("file",)},
    ),
    "model": Kind("model", "id", "created", fixed=("owned_by",)),
}
BEDROCK = {
    "ModelCustomizationJob": Kind(
        "job",
        "jobArn",
        "creationTime",
        "status",
        ("jobName", "baseModelArn", "clientRequestToken", "roleArn"),
        ("Completed", "Failed", "Stopped"),
        {"Completed": ("outputModelArn", "customModelArn")},
    ),
    "CustomModelDeployment": Kind(
        "deployment",
        "customModelDeploymentArn",
        "createdAt",
        "status",
        ("modelDeploymentName", "modelArn"),
        ("Deleting",),
    ),
    "CustomModel": Kind("model", "modelArn", "creationTime", fixed=("modelName", "baseModelArn", "jobArn")),
}
TOLD: dict[str, dict[str, tuple[str, ...]]] = {"job": {"Failed": ("failureMessage",)}}
"""What one resource must say that a list leaves out."""
GOOGLE = {
    "tuningJobs": Kind(
        "job",
        "name",
        "createTime",
        "state",
        ("baseModel", "tunedModelDisplayName", "labels"),
        ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"),
        {"JOB_STATE_SUCCEEDED": ("tunedModel",), "JOB_STATE_FAILED": ("error",)},
    ),
    "models": Kind("model", "name", "createTime"),
    "endpoints": Kind("endpoint", "name", "createTime"),
    "operations": Kind("operation", "name", "name", "done", final=(True,)),
}


class History:
    """Every resource that any emulator showed, as it was last seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str], Body] = {}
        self._gone: set[tuple[str, str, str]] = set()
        self._stored = Stored()

    def observe(self, exchange: Exchange, operation: Operation | None) -> list[str]:
        """What an exchange says against those before it, and against itself."""
        if operation is None or not 200 <= exchange.status < 400:
            return []
        try:
            return [*self._stored.observe(exchange, operation), *self._resources_in(exchange, operation)]
        except (KeyError, IndexError, TypeError, ValueError, ElementTree.ParseError):
            return []  # of another shape than the document's: its judge says so

    def _resources_in(self, exchange: Exchange, operation: Operation) -> Iterator[str]:
        resources = RESOURCES.get(exchange.server.partition("-")[0])
        if resources and media_type(exchange.answer_headers) == "application/json":
            shown = list(resources(exchange, operation))
            yield from _asked(exchange, operation, shown)
            for kind, body in shown:
                yield from self._look(exchange, kind, body)

    def _look(self, exchange: Exchange, kind: Kind, body: Body) -> Iterator[str]:
        if kind.id not in body:
            return
        key = exchange.server, kind.name, str(body[kind.id])
        at = f"{kind.name} {body[kind.id]}"
        if exchange.method == "DELETE":
            self._seen.pop(key, None)
            self._gone.add(key)
            return
        if key in self._gone:
            yield f"{at}: was deleted, and is there again"
        yield from _needs(kind, body, at)
        before = self._seen.get(key, {})
        for name in (kind.created, *kind.fixed):
            if name in before and name in body and before[name] != body[name]:
                yield f"{at}.{name}: was {before[name]!r}, is {body[name]!r}"
        if before.get(kind.state) in kind.final and body.get(kind.state, before[kind.state]) != before[kind.state]:
            yield f"{at}: was {before[kind.state]!r}, which is final, and is {body[kind.state]!r}"
        self._seen[key] = before | body


def _needs(kind: Kind, body: Body, at: str) -> Iterator[str]:
    wanted = kind.needs.get(body.get(kind.state, ""))
    if wanted and not any(_holds(body.get(name)) for name in wanted):
        yield f"{at}: {body[kind.state]!r} without {' or '.join(wanted)}"


def _holds(value: Any) -> bool:
    """Whether a member says something: `{}` and `{"code": null}` do not."""
    if isinstance(value, dict):
        return any(_holds(inner) for inner in cast("Body", value).values())
    return value not in (None, "", [])


def _asked(exchange: Exchange, operation: Operation, shown: list[tuple[Kind, Body]]) -> Iterator[str]:
    """The id that is answered must be the id that was asked, wherever one resource was asked for by id."""
    last = operation.path.rpartition("/")[2]
    if not shown or ":" in last or not ("{" in last or last in {"cancel", "pause", "resume", "complete"}):
        return
    wanted = unquote(exchange.path).rstrip("/").removesuffix("" if "{" in last else f"/{last}")
    kind, body = shown[0]
    names = [str(body[name]) for name in (kind.id, *kind.fixed) if name in body and isinstance(body[name], str)]
    if not any(_same(wanted, name) for name in names):
        yield f"{kind.name} {body.get(kind.id)!r} was answered where {wanted!r} was asked for"


def _same(path: str, name: str) -> bool:
    """Whether a path ends in a name; of a Google name its project may be spelt as id or as number."""
    return re.sub(r"@\w+$", "", path).endswith(f"/{re.sub(r'^projects/[^/]+/', '', name)}")


def _openai(exchange: Exchange, _operation: Operation) -> Iterator[tuple[Kind, Body]]:
    body = _json(exchange.answer)
    items = body["data"] if isinstance(body.get("data"), list) and body.get("object") == "list" else [body]
    for item in cast("list[Body]", items):
        kind = OPENAI.get(str(item.get("object")))
        if kind:
            yield kind, item
        if kind and kind.name == "upload" and item.get("file"):
            yield OPENAI["file"], item["file"]


def _bedrock(exchange: Exchange, operation: Operation) -> Iterator[tuple[Kind, Body]]:
    found = re.fullmatch(r"(Get|List)(\w+?)s?", operation.name)
    kind = BEDROCK.get(found[2]) if found else None
    if kind is None or found is None:
        return
    body = _json(exchange.answer)
    if found[1] == "Get":
        yield replace(kind, needs=kind.needs | TOLD.get(kind.name, {})), body
        return
    for items in body.values():
        yield from ((kind, item) for item in cast("list[Body]", items) if isinstance(items, list))


def _google(exchange: Exchange, operation: Operation) -> Iterator[tuple[Kind, Body]]:
    found = re.search(r"\.(tuningJobs|models|endpoints|operations)\.(get|list|create|patch) ", operation.name)
    if found is None or "publishers" in operation.name:
        return
    body = _json(exchange.answer)
    kind = GOOGLE[found[1]]
    if kind.name == "operation":
        body.setdefault("done", False)
    elif "/operations/" in str(body.get("name")):
        return  # the answer is about the work, not about what is made
    if found[2] != "list":
        yield kind, body
        return
    yield from ((kind, item) for item in body.get(found[1], ()))


RESOURCES: dict[str, Callable[[Exchange, Operation], Iterator[tuple[Kind, Body]]]] = {
    "openai": _openai,
    "bedrock": _bedrock,
    "vertex": _google,
}
"""What resources an answer of each vendor shows."""


def _json(raw: bytes) -> Body:
    try:
        value = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return cast("Body", value) if isinstance(value, dict) else {}
