"""What Bedrock offers, as its documents said on 2026-11-24: foundation models, their dates, and how they are tuned."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

ACCOUNT = "123456789012"
EAST, WEST = "us-east-1", "us-west-2"
TUNABLE = ("FINE_TUNING", "DISTILLATION")


@dataclass(frozen=True, slots=True)
class Range:
    """A hyperparameter: least, most and default value."""

    least: float
    most: float
    default: float

    def holds(self, text: str) -> bool:
        """Whether the string AWS wants here is a number in the range, whole where the range is."""
        try:
            value = float(text) if isinstance(self.default, float) else int(text)
        except ValueError:
            return False
        return self.least <= value <= self.most


NOVA = {
    "epochCount": Range(1, 5, 2),
    "learningRate": Range(1e-6, 1e-4, 1e-5),
    "learningRateWarmupSteps": Range(0, 100, 10),
}
LLAMA = {"epochCount": Range(1, 10, 5), "batchSize": Range(1, 1, 1), "learningRate": Range(5e-6, 0.1, 1e-4)}


@dataclass(frozen=True, slots=True)
class FoundationModel:
    """One row of ListFoundationModels. `capacity` is the number of weights of the emulated student."""

    id: str
    name: str
    provider: str
    on_demand: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()
    provisioned: tuple[str, ...] = ()
    tunes: bool = False
    deploys: bool = False
    hyper: dict[str, Range] | None = None
    capacity: int = 2**18
    legacy: datetime | None = None
    end: datetime | None = None

    @property
    def regions(self) -> frozenset[str]:
        """Where it exists at all."""
        return frozenset((*self.on_demand, *self.profile, *self.provisioned))

    @property
    def nova(self) -> bool:
        """One of Amazon's own, whose tuner takes what Llama's does not."""
        return self.provider == "Amazon"

    @property
    def bare(self) -> str:
        """The id without a context suffix: what custom-model listings call the base."""
        return self.id.partition(":")[0]

    def schooling(self, hyper: dict[str, str]) -> dict[str, Any]:
        """The learner's settings: rates count as multiples of the documented default, within what a learner bears."""
        default = (self.hyper or {})["learningRate"].default
        return {
            "seed": zlib.crc32(self.id.encode()),
            "epochs": int(hyper["epochCount"]),
            "learning_rate": min(max(float(hyper["learningRate"]) / default, 0.1), 10.0),
            "capacity": self.capacity,
        }

    def arn(self, region: str) -> str:
        """Its ARN in `region`."""
        return f"arn:aws:bedrock:{region}::foundation-model/{self.id}"

    def ended(self, now: datetime) -> bool:
        """Past its end of life: no call is answered."""
        return self.end is not None and now >= self.end

    def legacy_at(self, now: datetime) -> bool:
        """Legacy models take no new tuning jobs."""
        return self.legacy is not None and now >= self.legacy

    def describe(self, region: str, now: datetime) -> dict[str, Any]:
        """Its summary, which is also its details."""
        return {
            "modelArn": self.arn(region),
            "modelId": self.id,
            "modelName": self.name,
            "providerName": self.provider,
            "inputModalities": ["TEXT"],
            "outputModalities": ["TEXT"],
            "responseStreamingSupported": True,
            "customizationsSupported": list(TUNABLE) if self.tunes else [],
            "inferenceTypesSupported": self.inference(region),
            "modelLifecycle": {
                "status": "LEGACY" if self.legacy_at(now) else "ACTIVE",
                "legacyTime": self.legacy,
                "endOfLifeTime": self.end,
            },
        }

    def inference(self, region: str) -> list[str]:
        """How it may be called in `region`. AWS answers INFERENCE_PROFILE too, a word its own enum lacks."""
        ways = {"ON_DEMAND": self.on_demand, "PROVISIONED": self.provisioned, "INFERENCE_PROFILE": self.profile}
        return [way for way, regions in ways.items() if region in regions]


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _nova(size: str, context: str, capacity: int) -> tuple[FoundationModel, FoundationModel]:
    called_id, name = f"amazon.nova-{size}-v1:0", f"Nova {size.title()}"
    called = FoundationModel(called_id, name, "Amazon", on_demand=(EAST,), profile=(EAST, WEST))
    tuned = FoundationModel(
        f"{called_id}:{context}",
        name,
        "Amazon",
        provisioned=(EAST,),
        tunes=True,
        deploys=True,
        hyper=NOVA,
        capacity=capacity,
    )
    return called, tuned


def _llama(version: str, name: str, capacity: int, **ways: Any) -> tuple[FoundationModel, FoundationModel]:
    called_id = f"meta.{version}-instruct-v1:0"
    called = FoundationModel(called_id, name, "Meta", on_demand=ways.get("on_demand", ()), profile=(WEST,))
    tuned = FoundationModel(
        f"{called_id}:128k",
        name,
        "Meta",
        provisioned=(WEST,),
        tunes=True,
        deploys=ways.get("deploys", False),
        hyper=LLAMA,
        capacity=capacity,
    )
    return called, tuned


MODELS = (
    *_nova("micro", "128k", 2**16),
    *_nova("lite", "300k", 2**17),
    *_nova("pro", "300k", 2**18),
    *_llama("llama3-1-8b", "Llama 3.1 8B", 2**16, on_demand=(WEST,)),
    *_llama("llama3-1-70b", "Llama 3.1 70B", 2**18, on_demand=(WEST,)),
    *_llama("llama3-3-70b", "Llama 3.3 70B", 2**18, deploys=True),
    FoundationModel(
        "amazon.nova-premier-v1:0",
        "Nova Premier",
        "Amazon",
        profile=(EAST, WEST),
        legacy=_day("2026-03-13"),
        end=_day("2026-09-14"),
    ),
    FoundationModel(
        "meta.llama3-1-405b-instruct-v1:0",
        "Llama 3.1 405B",
        "Meta",
        on_demand=(WEST,),
        legacy=_day("2026-01-07"),
        end=_day("2026-07-07"),
    ),
    FoundationModel(
        "meta.llama3-2-1b-instruct-v1:0:128k",
        "Llama 3.2 1B",
        "Meta",
        provisioned=(WEST,),
        tunes=True,
        hyper=LLAMA,
        legacy=_day("2026-01-07"),
        end=_day("2026-07-07"),
    ),
    FoundationModel(
        "anthropic.claude-3-haiku-20240307-v1:0:200k",
        "Claude 3 Haiku",
        "Anthropic",
        provisioned=(WEST,),
        tunes=True,
        end=_day("2026-09-10"),
    ),
)


def find(identifier: str, region: str, now: datetime) -> FoundationModel | None:
    """The model with this id or foundation-model ARN, if `region` has it and it has not ended."""
    for model in MODELS:
        if region in model.regions and not model.ended(now) and identifier in {model.id, model.arn(region)}:
            return model
    return None


def ended(identifier: str, now: datetime) -> bool:
    """Whether an id, ARN or profile names a model that is past its end of life."""
    bare = identifier.rpartition("/")[2].removeprefix("us.")
    return any(model.id == bare and model.ended(now) for model in MODELS)
