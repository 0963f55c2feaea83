"""What aiplatform checks before it takes a tuning job: the order's members, its base, its place and its files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cloudistill.emulators.vertex.distilling import check_distillation
from cloudistill.emulators.vertex.errors import GoogleError, found_errors
from cloudistill.emulators.vertex.files import uri_problem
from cloudistill.emulators.vertex.messages import TUNING_SPECS
from cloudistill.emulators.vertex.models import TUNING_LOCATIONS, PublisherModel, alive
from cloudistill.emulators.vertex.storage import Buckets

Body = dict[str, Any]
_LABEL_LIMIT, _NAME_LIMIT = 64, 128
_SPEC = "tuning_job.supervised_tuning_spec"


def check_order(order: Body, *, location: str, now: datetime, buckets: Buckets, invited: bool) -> PublisherModel:
    """The base model of an order that may run. Raises GoogleError for one that may not.

    `invited`: the project is on the allowlist of Gemini's distillation.
    """
    if "preTunedModel" in order:
        raise GoogleError("UNIMPLEMENTED", "Continuous tuning from a tuned model is not emulated.")
    problems = list(_problems(order, buckets))
    if problems:
        raise found_errors(problems)
    if "distillationSpec" in order:
        return check_distillation(order, location=location, now=now, buckets=buckets, invited=invited)
    if "supervisedTuningSpec" not in order:
        raise GoogleError("INVALID_ARGUMENT", f"Tuning method is not supported for base model {order['baseModel']}.")
    model = _base(order["baseModel"], location, now)
    if "outputUri" in order:
        raise GoogleError("INVALID_ARGUMENT", "The output_uri field is only available for open source models.")
    adapter = order["supervisedTuningSpec"].get("hyperParameters", {}).get("adapterSize", "ADAPTER_SIZE_UNSPECIFIED")
    if adapter.removeprefix("ADAPTER_SIZE_") not in {"UNSPECIFIED", *model.adapters}:
        raise GoogleError("INVALID_ARGUMENT", "The adapter size is not supported for this base model.")
    if "encryptionSpec" in order and not model.regional:
        raise GoogleError("INVALID_ARGUMENT", f"CMEK is not supported for base model {order['baseModel']}.")
    return model


def _base(name: str, location: str, now: datetime) -> PublisherModel:
    model = alive(name, now)
    if model is None or not model.tunable:
        raise GoogleError("INVALID_ARGUMENT", f"Base model {name} is not supported for tuning.")
    if location not in TUNING_LOCATIONS:
        offered = ", ".join(sorted(TUNING_LOCATIONS))
        text = f"Tuning of base model {name} is not supported in location {location}. Supported locations: {offered}."
        raise GoogleError("FAILED_PRECONDITION", text)
    return model


def _problems(order: Body, buckets: Buckets) -> Iterator[tuple[str, str]]:
    if not order.get("baseModel"):
        yield "tuning_job.base_model", "Required field is not set."
    if order.keys().isdisjoint(TUNING_SPECS):
        yield "tuning_job.tuning_spec", "Required field is not set."
    if len(order.get("tunedModelDisplayName", "")) > _NAME_LIMIT:
        yield "tuning_job.tuned_model_display_name", f"Must be at most {_NAME_LIMIT} characters long."
    yield from _label_problems(order.get("labels", {}))
    if "supervisedTuningSpec" in order:
        yield from _spec_problems(order["supervisedTuningSpec"], buckets)


def _spec_problems(spec: Body, buckets: Buckets) -> Iterator[tuple[str, str]]:
    for name, required in (("training_dataset_uri", True), ("validation_dataset_uri", False)):
        uri = spec.get("trainingDatasetUri" if required else "validationDatasetUri", "")
        if problem := uri_problem(name, uri, buckets, required=required):
            yield f"{_SPEC}.{name}", problem
    given = spec.get("hyperParameters", {})
    for name, field in (("epochCount", "epoch_count"), ("learningRateMultiplier", "learning_rate_multiplier")):
        if given.get(name, 1) <= 0:
            yield f"{_SPEC}.hyper_parameters.{field}", f"{field} must be greater than 0."
    for name, field in (("batchSize", "batch_size"), ("learningRate", "learning_rate")):
        if name in given:
            yield f"{_SPEC}.hyper_parameters.{field}", f"{field} is only available for open source models."


def _label_problems(labels: dict[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in labels.items():
        if not key or not _labelled(key) or not (key[0].isalpha()):
            yield "tuning_job.labels", f"Label key {key!r} is not valid: {_RULE} A key begins with a letter."
        if not _labelled(value):
            yield "tuning_job.labels", f"Label value {value!r} is not valid: {_RULE}"


_RULE = (
    f"keys and values can be no longer than {_LABEL_LIMIT} characters, and can only contain lowercase letters, numeric "
    "characters, underscores and dashes. International characters are allowed."
)


def _labelled(text: str) -> bool:
    allowed = all(character in "_-" or (character.isalnum() and not character.isupper()) for character in text)
    return allowed and len(text) <= _LABEL_LIMIT
