"""Removing what was stored and trained, in the order AWS demands: deployments, then the model they served."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cloudistill.core.errors import ServiceTrouble, UsageError
from cloudistill.core.job import JobStatus
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.platforms.platform import load

_FOLDER = "cloudistill/"
Deployments = Callable[[str], Iterator[Mapping[str, Any]]]


def key_of(ref: FileRef, bucket: str) -> str:
    """The key of a file in our folder of our bucket, to the letter: in a key `?` and `#` are letters like any.

    Raises:
        UsageError: it lies elsewhere, and is not ours to delete.
    """
    root = f"s3://{bucket}/"
    key = ref.id.removeprefix(root)
    if not ref.id.startswith(root) or not key.startswith(_FOLDER):
        raise UsageError(f"{ref} is no file under {root}{_FOLDER}: delete it where it lies, with its owner's tools")
    return key


def remove_model(client: Any, arn: str, deployments: Deployments) -> None:
    """Delete a custom model once nothing serves it.

    Raises:
        ServiceTrouble: a deployment is still being deleted; ask again.
    """
    serving = list(deployments(arn))
    for found in serving:
        _remove_deployment(client, found)
    if serving and (left := [str(found["customModelDeploymentArn"]) for found in deployments(arn)]):
        raise ServiceTrouble(
            f"Amazon Bedrock is still deleting {', '.join(left)}; the model {arn} goes after that. Ask again.",
            platform="bedrock",
            outcome="refused",
        )
    try:
        client.delete_custom_model(modelIdentifier=arn)
    except client.exceptions.ResourceNotFoundException:
        return


def _remove_deployment(client: Any, found: Mapping[str, Any]) -> None:
    """Ask AWS to delete a deployment, once."""
    if load("bedrock").deployment_status(found.get("status")) is JobStatus.STOPPING:
        return
    try:
        client.delete_custom_model_deployment(customModelDeploymentIdentifier=found["customModelDeploymentArn"])
    except client.exceptions.ResourceNotFoundException:
        return


def require_ours(model: ModelRef) -> None:
    """Refuse what nobody trained here, a foundation model or a profile, and a deployment in its model's place."""
    if ":custom-model-deployment/" in model.id:
        raise UsageError(f"{model} is a deployment: name the model that it serves, and both go")
    if ":custom-model/" not in model.id:
        raise UsageError(f"{model} is no custom model: there is nothing of yours to delete")
