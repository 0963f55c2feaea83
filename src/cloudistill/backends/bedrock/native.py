"""Bedrock's own distillation as members of the create request: the teacher, and prompts in S3 or logged requests."""

from __future__ import annotations

from typing import Any

from cloudistill.backends.common import native_pair, training_file
from cloudistill.core.errors import UsageError
from cloudistill.core.job import Condition, JobSpec, Logs
from cloudistill.platforms.platform import Pair


def members(spec: JobSpec) -> dict[str, Any]:
    """What the order says about teacher and prompts, whatever its method.

    Raises:
        UsageError: the order is not one that Bedrock can distil, or names no file to fine-tune on.
    """
    if spec.method == "sft":
        return {"customizationType": "FINE_TUNING", "trainingDataConfig": {"s3Uri": training_file(spec)}}
    pair = native_pair(spec)
    return {
        "customizationType": "DISTILLATION",
        "customizationConfig": {"distillationConfig": {"teacherModelConfig": _teacher(pair, spec.teacher_max_tokens)}},
        "trainingDataConfig": _source(spec, pair),
    }


def _teacher(pair: Pair, max_tokens: int | None) -> dict[str, Any]:
    if max_tokens is None:
        return {"teacherModelIdentifier": pair.teacher}
    if max_tokens < 1:
        raise UsageError(f"teacher_max_tokens is {max_tokens}: give the teacher at least 1 token, or leave it out")
    return {"teacherModelIdentifier": pair.teacher, "maxResponseLengthForInference": max_tokens}


def _source(spec: JobSpec, pair: Pair) -> dict[str, Any]:
    """Prompts in a file, or logged requests; Bedrock takes one of them."""
    if spec.logs is None and spec.training is None:
        raise UsageError(f"run {spec.run!r} names neither a file of prompts nor logs: Bedrock distils from one of them")
    if spec.logs is None:
        return {"s3Uri": training_file(spec)}
    if spec.training is not None:
        raise UsageError(f"run {spec.run!r} names a training file and logs: Bedrock takes one source, leave one out")
    if not pair.logs:
        raise UsageError(f"Bedrock distils {pair.teacher} into {pair.student} from a file alone: give one, not logs")
    return {"invocationLogsConfig": _logs(spec.logs)}


def _logs(logs: Logs) -> dict[str, Any]:
    config: dict[str, Any] = {
        "usePromptResponse": logs.use_answers,
        "invocationLogSource": {"s3Uri": logs.uri},
    }
    conditions = [_filter(condition) for condition in logs.where]
    if len(conditions) == 1:
        config["requestMetadataFilters"] = conditions[0]
    elif conditions:
        config["requestMetadataFilters"] = {f"{'and' if logs.match == 'all' else 'or'}All": conditions}
    return config


def _filter(condition: Condition) -> dict[str, Any]:
    return {"equals" if condition.equal else "notEquals": {condition.key: condition.value}}
