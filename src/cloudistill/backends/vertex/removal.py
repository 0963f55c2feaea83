"""Removing what tuning made, in the order Google demands: off its endpoints, the endpoints, then the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cloudistill.backends.vertex.orders import kind_of
from cloudistill.backends.vertex.rest import Rest
from cloudistill.core.errors import ServiceTrouble, UsageError
from cloudistill.core.refs import ModelRef

if TYPE_CHECKING:
    from google.genai.types import TunedModel

Body = dict[str, Any]


def require_ours(ref: ModelRef) -> None:
    """Refuse what nobody tuned here: a publisher's model."""
    if kind_of(ref.id) not in {"endpoints", "models"}:
        raise UsageError(f"{ref} is neither a tuned model nor an endpoint: there is nothing of yours to delete")


def made(ref: ModelRef, tuned: TunedModel) -> bool:
    """Whether a job's result is, or is served by, what `ref` names."""
    return ref.id in endpoints_of(tuned) or _stem(ref.id) == _stem(tuned.model or "")


def endpoints_of(tuned: TunedModel) -> list[str]:
    """The endpoints that a job made, its checkpoints' first, each once."""
    named = [*(checkpoint.endpoint for checkpoint in tuned.checkpoints or ()), tuned.endpoint]
    return list(dict.fromkeys(name for name in named if name))


def remove(rest: Rest, ref: ModelRef, tuned: TunedModel | None) -> None:
    """Take down the model that `ref` names, with every endpoint that serves it; of a checkpoint, its endpoint alone.

    `tuned` is the result of the job that made it; without one, `ref` must name a model.

    Raises:
        UsageError: no job of ours made this endpoint.
        ServiceTrouble: Google is still at work; ask again.
    """
    served = kind_of(ref.id) == "endpoints"
    if served and tuned is None:
        raise UsageError(
            f"{ref} was made by no tuning job of this location: name the model, or set GOOGLE_CLOUD_LOCATION to where "
            "it was tuned"
        )
    model = _stem((tuned.model if tuned else None) or ref.id)
    if tuned and served and ref.id != tuned.endpoint:
        _wait_for(_left(rest, [ref.id], model))
        return
    _wait_for(_left(rest, [*(endpoints_of(tuned) if tuned else ()), *_deployed_at(rest, model)], model))
    if not _without_model(rest, model):
        _wait_for([model])


def _left(rest: Rest, endpoints: list[str], model: str) -> list[str]:
    """The endpoints that Google is still taking down, once everything that can be done now is done."""
    return [name for name in dict.fromkeys(endpoints) if not _without_endpoint(rest, name, model)]


def _without_endpoint(rest: Rest, name: str, model: str) -> bool:
    """Whether the endpoint is gone, or serves others only; what can be done for it now is done."""
    found = rest.get(name)
    if found is None:
        return True
    if _at_work(rest, name):
        return False
    deployed: list[Body] = found.get("deployedModels", [])
    ours = [one["id"] for one in deployed if _stem(str(one.get("model"))) == model]
    undeployed = [rest.order("POST", f"{name}:undeployModel", {"deployedModelId": id_}) for id_ in ours]
    if not all(undeployed):
        return False
    return len(ours) < len(deployed) or rest.order("DELETE", name)


def _without_model(rest: Rest, name: str) -> bool:
    if rest.get(name) is None:
        return True
    return not _at_work(rest, name) and rest.order("DELETE", name)


def _at_work(rest: Rest, name: str) -> bool:
    """Whether an operation on the resource is running: a second one would be refused."""
    operations: list[Body] = (rest.get(f"{name}/operations") or {}).get("operations", [])
    return any(not operation.get("done") for operation in operations)


def _deployed_at(rest: Rest, model: str) -> Iterator[str]:
    """The endpoints that serve the model, whoever made them."""
    yield from (str(one["endpoint"]) for one in (rest.get(model) or {}).get("deployedModels", ()))


def _wait_for(busy: list[str]) -> None:
    if busy:
        raise ServiceTrouble(
            f"Google Vertex AI is still taking down {', '.join(busy)}. Ask again.", platform="vertex", outcome="refused"
        )


def _stem(model: str) -> str:
    """A model's name without its version."""
    return model.partition("@")[0]
