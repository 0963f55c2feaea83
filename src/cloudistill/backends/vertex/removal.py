"""Removing what tuning made, in the order Google demands: off its endpoints, the endpoints, then the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cloudistill.backends.vertex.orders import kind_of
from cloudistill.backends.vertex.rest import Body, Rest, entries
from cloudistill.core.errors import ServiceTrouble, UsageError
from cloudistill.core.refs import ModelRef

if TYPE_CHECKING:
    from google.genai.types import TunedModel


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
    return list(dict.fromkeys(name for name in named if name and kind_of(name) == "endpoints"))


def remove(rest: Rest, ref: ModelRef, tuned: TunedModel | None) -> None:
    """Take the model that `ref` names off every endpoint, and remove it with the endpoints that its job made.

    Of a checkpoint, its endpoint goes alone. `tuned` is the result of the job that made it; without one, `ref` must
    name a model. An endpoint that somebody else made stays, and so does one that serves others too.

    Raises:
        UsageError: no job of ours made this endpoint, or the model has other versions.
        ServiceTrouble: Google is still at work; ask again.
    """
    served = kind_of(ref.id) == "endpoints"
    if served and tuned is None:
        raise UsageError(
            f"{ref} was made by no tuning job of this location: name the model, or set GOOGLE_CLOUD_LOCATION to where "
            "it was tuned"
        )
    model, own = _stem((tuned.model if tuned else None) or ref.id), endpoints_of(tuned) if tuned else []
    if tuned and served and ref.id != tuned.endpoint:
        _wait_for(_left(rest, [ref.id], model, own))
        return
    found = rest.get(model)
    _require_alone(rest, model)
    model = _called(found) or model
    _wait_for(_left(rest, [*own, *_deployed_at(found)], model, own))
    if not _without_model(rest, model):
        _wait_for([model])


def _called(model: Body | None) -> str | None:
    """The model's own name, as endpoints write it: with the project's number, however it was asked for."""
    name = _stem(str((model or {}).get("name")))
    return name if kind_of(name) == "models" else None


def _require_alone(rest: Rest, model: str) -> None:
    """Refuse a model with several versions: they go together, and other jobs made the others."""
    versions = entries(rest.get(f"{model}:listVersions"), "models")
    if len(versions) > 1:
        raise UsageError(
            f"{model} has {len(versions)} versions, which would all go: remove the others first, with Google's tools"
        )


def _left(rest: Rest, endpoints: list[str], model: str, own: list[str]) -> list[str]:
    """The endpoints that Google is still taking down, once everything that can be done now is done."""
    return [name for name in dict.fromkeys(endpoints) if not _without_endpoint(rest, name, model, ours=name in own)]


def _without_endpoint(rest: Rest, name: str, model: str, *, ours: bool) -> bool:
    """Whether the endpoint, if it is ours, is gone, or serves others only; what can be done for it now is done."""
    found = rest.get(name)
    if found is None:
        return True
    if _at_work(rest, name):
        return False
    deployed = entries(found, "deployedModels")
    those = [one.get("id") for one in deployed if _stem(str(one.get("model"))) == model]
    undeployed = [rest.order("POST", f"{name}:undeployModel", {"deployedModelId": id_}) for id_ in those]
    if not all(undeployed):
        return False
    return not ours or len(those) < len(deployed) or rest.order("DELETE", name)


def _without_model(rest: Rest, name: str) -> bool:
    if rest.get(name) is None:
        return True
    return not _at_work(rest, name) and rest.order("DELETE", name)


def _at_work(rest: Rest, name: str) -> bool:
    """Whether an operation on the resource is running: a second one would be refused."""
    operations = entries(rest.get(f"{name}/operations"), "operations")
    return any(not operation.get("done") for operation in operations)


def _deployed_at(model: Body | None) -> Iterator[str]:
    """The endpoints that serve the model, whoever made them."""
    named = (str(one.get("endpoint")) for one in entries(model, "deployedModels"))
    yield from (name for name in named if kind_of(name) == "endpoints")


def _wait_for(busy: list[str]) -> None:
    if busy:
        raise ServiceTrouble(
            f"Google Vertex AI is still taking down {', '.join(busy)}. Ask again.", platform="vertex", outcome="refused"
        )


def _stem(model: str) -> str:
    """A model's name without its version."""
    return model.partition("@")[0]
