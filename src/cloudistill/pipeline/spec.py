"""The order of a run as the store keeps it, and the marker that names it at the vendor."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from cloudistill.core.job import Condition, JobSpec, Logs, Vpc
from cloudistill.core.refs import FileRef, JobRef, ModelRef

R = TypeVar("R", FileRef, JobRef, ModelRef)


def to_json(spec: JobSpec) -> dict[str, Any]:
    """The order as plain JSON, equal to what is read back."""
    refs = {name: getattr(spec, name) for name in ("student", "teacher", "training", "validation")}
    plain = asdict(spec) | {name: str(ref) if ref else None for name, ref in refs.items()}
    return json.loads(json.dumps(plain))


def said(order: dict[str, Any]) -> dict[str, Any]:
    """What an order says, whenever it was recorded: members that say nothing, and the marker, left out."""
    return {name: value for name, value in order.items() if value is not None and name != "marker"}


def from_json(stored: dict[str, Any]) -> JobSpec:
    """The order that `to_json` wrote."""
    vpc, logs = stored["vpc"], stored.get("logs")
    refs: dict[str, Any] = {
        "student": ModelRef.parse(stored["student"]),
        "teacher": ref(ModelRef, stored.get("teacher")),
        "training": ref(FileRef, stored["training"]),
        "validation": ref(FileRef, stored["validation"]),
        "vpc": vpc and Vpc(**{name: tuple(ids) for name, ids in vpc.items()}),
        "logs": logs and Logs(**(logs | {"where": tuple(Condition(**held) for held in logs["where"])})),
    }
    return JobSpec(**(stored | refs))


def ordered(run: str, order: dict[str, Any], training: FileRef | None, validation: FileRef | None) -> JobSpec:
    """The order of a run, from what was asked for and the files that were uploaded."""
    files = {"run": run, "training": str(training) if training else None}
    files["validation"] = str(validation) if validation else None
    if order["method"] == "sft":  # who answered is in the rows; the vendor is not told
        order = {**order, "teacher": None}
    return from_json({member.name: order[member.name] for member in fields(JobSpec) if member.name in order} | files)


def ref(kind: type[R], text: str | None) -> R | None:
    """A reference that may be missing."""
    return None if text is None else kind.parse(text)


def marked(spec: JobSpec, attempt: int, *, training: str | None = None, validation: str | None = None) -> JobSpec:
    """The order with its marker, derived from its content and the attempt.

    `training` and `validation` are the files' fingerprints, so that a colleague whose upload has another id derives
    the same marker. Once recorded in an intent a marker is read from there, and never derived anew.
    """
    content = {
        "run": spec.run,
        "attempt": attempt,
        "student": str(spec.student),
        "method": spec.method,
        "training": training or str(spec.training),
        "validation": validation or str(spec.validation),
        "hyperparameters": spec.hyperparameters,
        "native": spec.native,
        "seed": spec.seed,
        "suffix": spec.suffix,
        "rendering": spec.rendering,
        "kms_key": spec.kms_key,
        "vpc": spec.vpc and asdict(spec.vpc),
        "service_account": spec.service_account,
    }
    if spec.method == "native":  # an order of another method keeps the marker it always had
        content |= {"teacher": str(spec.teacher), "teacher_max_tokens": spec.teacher_max_tokens}
        content["logs"] = spec.logs and asdict(spec.logs)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())
    return replace(spec, marker=digest.hexdigest()[:32])


def redeployed(spec: JobSpec, attempt: int) -> JobSpec:
    """The order under another marker: a deployment that failed keeps its name at the vendor."""
    digest = hashlib.sha256(f"{spec.marker} deployment {attempt}".encode())
    return replace(spec, marker=digest.hexdigest()[:32])
