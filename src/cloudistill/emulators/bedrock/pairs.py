"""Which teachers Bedrock distils into which students, as its documents said on 2026-11-24, and how each is named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloudistill.emulators.bedrock import models
from cloudistill.emulators.bedrock.models import ACCOUNT, FoundationModel
from cloudistill.emulators.bedrock.shapes import invalid

MICRO, LITE, PRO = "amazon.nova-micro-v1:0:128k", "amazon.nova-lite-v1:0:300k", "amazon.nova-pro-v1:0:300k"
LLAMA_8B, LLAMA_70B = "meta.llama3-1-8b-instruct-v1:0:128k", "meta.llama3-1-70b-instruct-v1:0:128k"
LLAMA_1B, LLAMA_33 = "meta.llama3-2-1b-instruct-v1:0:128k", "meta.llama3-3-70b-instruct-v1:0:128k"
PAIRS = {
    "amazon.nova-pro-v1:0": (LITE, MICRO),
    "amazon.nova-premier-v1:0": (LITE, MICRO, PRO),
    "meta.llama3-1-405b-instruct-v1:0": (LLAMA_8B, LLAMA_70B, LLAMA_1B, LLAMA_33),
    "meta.llama3-1-70b-instruct-v1:0": (LLAMA_8B, LLAMA_1B),
    "meta.llama3-3-70b-instruct-v1:0": (LLAMA_8B, LLAMA_1B),
}


def check_distillation(said: Mapping[str, Any], student: FoundationModel, region: str, now: datetime) -> None:
    """Refuse a distillation without a teacher, or of a pair that Bedrock does not have. Raises `Refused`."""
    config = said.get("customizationConfig", {}).get("distillationConfig")
    if config is None:
        raise invalid("customizationConfig.distillationConfig is required for customizationType DISTILLATION")
    teacher = config["teacherModelConfig"]
    if teacher.get("maxResponseLengthForInference", 1) < 1:
        raise invalid("maxResponseLengthForInference must be greater than 0")
    identifier = teacher["teacherModelIdentifier"]
    if student.id not in PAIRS.get(_teacher(identifier, region, now).id, ()):
        raise invalid(f"The teacher model {identifier} does not support distillation to the model {student.id}")


def _teacher(identifier: str, region: str, now: datetime) -> FoundationModel:
    """The model behind an id, a foundation-model ARN or a system profile; some are named by the profile alone."""
    profile = identifier.removeprefix(f"arn:aws:bedrock:{region}:{ACCOUNT}:inference-profile/")
    found = models.find(profile.removeprefix("us."), region, now)
    if found is None:
        raise invalid(f"The provided teacher model identifier is invalid: {identifier}")
    if region not in (found.profile if profile.startswith("us.") else found.on_demand):
        raise invalid(f"The teacher model {identifier} must be named by its system inference profile in {region}")
    return found
