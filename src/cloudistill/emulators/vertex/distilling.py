"""What aiplatform checks before it takes a distillation: the product, its pair, its place, its folder and its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cloudistill.emulators.vertex.call import PROJECT
from cloudistill.emulators.vertex.errors import GoogleError, denied, found_errors
from cloudistill.emulators.vertex.files import uri_problem
from cloudistill.emulators.vertex.models import (
    GEMINI_DISTILLATION_LOCATION,
    GEMINI_PAIRS,
    OPEN_LOCATIONS,
    OPEN_STUDENTS,
    OPEN_TEACHERS,
    PublisherModel,
    alive,
    has_ended,
)
from cloudistill.emulators.vertex.storage import Buckets

Body = dict[str, Any]
_OPEN_NAME = re.compile(r"[a-z0-9-]+/[a-z0-9_.-]+@[a-z0-9_.-]+")
_SPEC = "tuning_job.distillation_spec"


def check_distillation(order: Body, *, location: str, now: datetime, buckets: Buckets, invited: bool) -> PublisherModel:
    """The student of an order that may run. Raises GoogleError for one that may not."""
    spec, base = order["distillationSpec"], order["baseModel"]
    model = _open_student(base) if "/" in base else _gemini_student(base, now)
    problems = list(_problems(spec, model, buckets))
    if problems:
        raise found_errors(problems)
    if "tunedTeacherModelSource" in spec:
        raise GoogleError("UNIMPLEMENTED", "Distillation from a tuned teacher is not emulated.")
    _check_teacher(spec["baseTeacherModel"], base, model, now)
    _check_product(model, order, invited=invited)
    _check_place(base, model, location)
    return model


def _open_student(base: str) -> PublisherModel:
    if not _OPEN_NAME.fullmatch(base):
        raise GoogleError("INVALID_ARGUMENT", f"Invalid open source publisher model resource name: {base}")
    if base not in OPEN_STUDENTS:
        raise GoogleError("INVALID_ARGUMENT", f"Base model {base} is not supported for tuning.")
    return OPEN_STUDENTS[base]


def _gemini_student(base: str, now: datetime) -> PublisherModel:
    model = alive(base, now)
    if model is None:
        raise GoogleError("INVALID_ARGUMENT", f"Base model {base} is not supported for tuning.")
    if base not in {student for _, student in GEMINI_PAIRS}:
        raise GoogleError("INVALID_ARGUMENT", f"Tuning method is not supported for base model {base}.")
    return model


def _problems(spec: Body, model: PublisherModel, buckets: Buckets) -> Iterator[tuple[str, str]]:
    if not spec.get("baseTeacherModel") and not spec.get("tunedTeacherModelSource"):
        yield f"{_SPEC}.base_teacher_model", "Required field is not set."
    for name, member, required in (
        ("prompt_dataset_uri", "promptDatasetUri", True),
        ("validation_dataset_uri", "validationDatasetUri", False),
    ):
        if problem := uri_problem(name, spec.get(member, ""), buckets, required=required):
            yield f"{_SPEC}.{name}", problem
    given = spec.get("hyperParameters", {})
    for name, value in (("epoch_count", given.get("epochCount", 1)), ("batch_size", given.get("batchSize", 1))):
        if value <= 0:
            yield f"{_SPEC}.hyper_parameters.{name}", f"{name} must be greater than 0."
    for member, name in (("batchSize", "batch_size"), ("learningRate", "learning_rate")):
        if member in given and not model.weights:
            yield f"{_SPEC}.hyper_parameters.{name}", f"{name} is only available for open source models."
    if "learningRate" in given and "learningRateMultiplier" in given:
        yield f"{_SPEC}.hyper_parameters", "learning_rate and learning_rate_multiplier are mutually exclusive."
    if "tuningMode" in spec and not model.weights:
        yield f"{_SPEC}.tuning_mode", "tuning_mode is only available for open source models."


def _check_teacher(teacher: str, base: str, model: PublisherModel, now: datetime) -> None:
    known = teacher in OPEN_TEACHERS if model.weights else (teacher, base) in GEMINI_PAIRS
    if not known or has_ended(OPEN_TEACHERS.get(teacher), now):
        raise GoogleError("INVALID_ARGUMENT", f"Teacher model {teacher} is not supported for base model {base}.")


def _check_product(model: PublisherModel, order: Body, *, invited: bool) -> None:
    if model.weights and not order.get("outputUri"):
        raise GoogleError("INVALID_ARGUMENT", "The output_uri field is required for this model.")
    if not model.weights and order.get("outputUri"):
        raise GoogleError("INVALID_ARGUMENT", "The output_uri field is only available for open source models.")
    if not model.weights and not invited:
        raise denied("aiplatform.tuningJobs.create", f"projects/{PROJECT}")


def _check_place(base: str, model: PublisherModel, location: str) -> None:
    places = OPEN_LOCATIONS if model.weights else {GEMINI_DISTILLATION_LOCATION}
    if location not in places:
        offered = ", ".join(sorted(places))
        text = f"Tuning of base model {base} is not supported in location {location}. Supported locations: {offered}."
        raise GoogleError("FAILED_PRECONDITION", text)
