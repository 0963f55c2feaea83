"""Where a vendor's document is wrong, or older than the vendor, and what is read instead, each with its reason."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Flaw:
    """`at` is the path of steps into a document; `change` is merged there: `name+` adds to what is there, `name-` takes
    from it, None removes, anything else replaces."""

    at: str
    change: dict[str, Any]
    reason: str


SCHEMAS = "components/schemas"
STRING_OR_NULL: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
EMPTY: dict[str, Any] = {"type": "object", "maxProperties": 0, "additionalProperties": True}
FLAWS: dict[str, tuple[Flaw, ...]] = {
    "openai": (
        Flaw("", {}, "`nullable` and `exclusiveMinimum: true` are words of OpenAPI 3.0: read as 3.1 spells them"),
        Flaw(
            f"{SCHEMAS}/FineTuningJob/properties/status",
            {"enum+": ["paused", "pausing"]},
            "the words that pause and resume lead to are missing",
        ),
        Flaw(
            f"{SCHEMAS}/FineTuningJob/properties/error",
            {"anyOf+": [EMPTY]},
            "a job that did not fail answers `error: {}`, as OpenAI's own examples do",
        ),
        Flaw(
            f"{SCHEMAS}/FineTuningJob",
            {
                "properties+": {
                    "user_provided_suffix": STRING_OR_NULL,
                    "usage_metrics": {},
                    "shared_with_openai": {"type": "boolean"},
                }
            },
            "members of real answers that OpenAI's guides print",
        ),
        Flaw(
            f"{SCHEMAS}/FineTuningJobEvent/properties/type",
            {"enum+": ["moderation_checks"]},
            "the type of the event that tells of the safety evaluation is missing",
        ),
        Flaw(
            f"{SCHEMAS}/ListFilesResponse/properties",
            {"first_id": STRING_OR_NULL, "last_id": STRING_OR_NULL},
            "an empty list has no first and no last file",
        ),
        Flaw(
            f"{SCHEMAS}/OpenAIFile/properties/purpose",
            {"enum+": ["evals"]},
            "a purpose that may be asked for, and is missing where it is answered",
        ),
        Flaw(
            f"{SCHEMAS}/Model",
            {"properties+": {"shutdown_date": STRING_OR_NULL}},
            "newer than the carried copy",
        ),
        Flaw(
            f"{SCHEMAS}/ChatCompletionRequestAssistantMessage",
            {"properties+": {"annotations": {}}},
            "OpenAI's SDK sends an answer back as it came, annotations included",
        ),
    ),
    "bedrock": (
        Flaw(
            "shapes/CustomModelDeploymentStatus",
            {"enum+": ["Deleting"]},
            "the user guide describes the status, the enum lacks it",
        ),
        Flaw(
            "shapes/InferenceType",
            {"enum+": ["INFERENCE_PROFILE"]},
            "AWS answers it for models that are called through a profile, the enum lacks it",
        ),
    ),
    "aiplatform.v1beta1": (
        Flaw("parameters/alt", {"enum+": ["sse"]}, "streams of Google's own SDK are asked for as `alt=sse`"),
    ),
    "aiplatform.v1": (
        Flaw("parameters/alt", {"enum+": ["sse"]}, "streams of Google's own SDK are asked for as `alt=sse`"),
    ),
}
KEPT: dict[str, dict[str, str]] = {
    "storage": {"answer: a refusal is no {error": "the kept emulator of Cloud Storage answers 404 with an empty body"},
}
"""What emulators that we keep, and did not write, do against the documents: the problem's beginning, and why it may."""


def mended(document: dict[str, Any], flaws: Sequence[Flaw]) -> dict[str, Any]:
    """A copy of the document with its flaws mended; one that the document does not have is passed over."""
    made = copy.deepcopy(document)
    for flaw in filter(lambda flaw: flaw.at, flaws):
        node = reach(made, flaw.at)
        if node is not None:
            _merge(node, flaw.change)
    return made


def reach(document: dict[str, Any], at: str) -> Any:
    """What lies at a path; None where the document has nothing there."""
    node: Any = document
    for step in at.split("/"):
        if step not in node:
            return None
        node = node[step]
    return node


def _merge(node: dict[str, Any], change: dict[str, Any]) -> None:
    for word, value in change.items():
        name = word.rstrip("+-")
        if value is None:
            node.pop(name, None)
        elif word.endswith("+") and isinstance(value, dict):
            node.setdefault(name, {}).update(value)
        elif word.endswith("+"):
            node[name] = [*node.get(name, ()), *value]
        elif word.endswith("-"):
            node[name] = [item for item in node[name] if item not in value]
        else:
            node[name] = value
