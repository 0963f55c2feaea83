"""The models of the emulated Vertex AI: what each can be used for, where, and until when.

From Google's pages on model versions, tuning and tuned-model locations as they stood in late 2026. Where a page says
"or later" the model ends here on the day named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

TUNING_LOCATIONS = frozenset({"us-central1", "europe-west4"})
SHARED_LOCATIONS = frozenset({"global", "us", "eu"})
MAX_LINE_TOKENS = 131_072
MAX_VALIDATION_LINES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherModel:
    """One publisher model. `epochs`, `capacity` and `seed` are how its student learns."""

    ends: date | None = None
    tunable: bool = False
    learns_calls: bool = True
    regional: bool = False
    outspoken: bool = False
    """Refuses penalties and a last turn of the model's own."""
    adapters: tuple[str, ...] = ("ONE", "TWO", "FOUR", "EIGHT", "SIXTEEN")
    epochs: int = 6
    capacity: int = 1 << 16
    seed: int = 0
    weights: bool = False
    """An open model: its tuned weights are written to a bucket, and nobody serves them."""


MODELS: dict[str, PublisherModel] = {
    "gemini-3.5-flash": PublisherModel(ends=date(2027, 5, 19), tunable=True, epochs=8, capacity=1 << 17, seed=35),
    "gemini-3.5-flash-lite": PublisherModel(
        ends=date(2027, 7, 21), tunable=True, outspoken=True, capacity=1 << 15, seed=351
    ),
    "gemini-3.1-flash-lite": PublisherModel(ends=date(2027, 5, 7), tunable=True, capacity=1 << 14, seed=311),
    "gemini-3.6-flash": PublisherModel(ends=date(2026, 11, 19), outspoken=True),
    "gemini-3.7-flash": PublisherModel(ends=date(2027, 1, 28), outspoken=True),
    "gemini-3.8-flash": PublisherModel(ends=date(2027, 9, 2), outspoken=True),
    "gemini-4-argon": PublisherModel(ends=date(2027, 10, 13), outspoken=True),
    "gemini-3.1-pro-preview": PublisherModel(),
    "gemini-2.5-flash": PublisherModel(
        ends=date(2026, 10, 20), tunable=True, learns_calls=False, regional=True, seed=25
    ),
    "gemini-2.5-flash-lite": PublisherModel(
        ends=date(2026, 10, 20), tunable=True, learns_calls=False, regional=True, seed=251
    ),
    "gemini-2.5-pro": PublisherModel(
        ends=date(2026, 10, 20),
        tunable=True,
        learns_calls=False,
        regional=True,
        adapters=("ONE", "TWO", "FOUR", "EIGHT"),
        capacity=1 << 17,
        seed=2,
    ),
}


OPEN_STUDENTS: dict[str, PublisherModel] = {
    "qwen/qwen3@qwen3-4b": PublisherModel(weights=True, seed=34),
    "qwen/qwen3@qwen3-8b": PublisherModel(weights=True, seed=38),
    "qwen/qwen3@qwen3-14b": PublisherModel(weights=True, seed=314),
    "qwen/qwen3@qwen3-32b": PublisherModel(weights=True, capacity=1 << 17, seed=332),
    "google/gemma3@gemma-3-1b-it": PublisherModel(weights=True, capacity=1 << 14, seed=31),
    "google/gemma3@gemma-3-4b-it": PublisherModel(weights=True, seed=304),
    "google/gemma3@gemma-3-12b-it": PublisherModel(weights=True, seed=312),
    "google/gemma3@gemma-3-27b-it": PublisherModel(weights=True, capacity=1 << 17, seed=327),
}
OPEN_LOCATIONS = frozenset(
    {"global", "us-central1", "europe-west4", "us-west1", "us-east5", "asia-southeast1", "asia-southeast2"}
)
_MAAS_ENDS = date(2026, 10, 21)
OPEN_TEACHERS = {
    "deepseek-ai/deepseek-r1-0528-maas": _MAAS_ENDS,
    "deepseek-ai/deepseek-v3.2-maas": _MAAS_ENDS,
    "qwen/qwen3-next-80b-a3b-thinking-maas": _MAAS_ENDS,
}
GEMINI_PAIRS = {("gemini-3.1-pro", "gemini-2.5-flash")}
GEMINI_DISTILLATION_LOCATION = "us-central1"


def has_ended(ends: date | None, now: datetime) -> bool:
    """Whether a model that ends on that day is gone at `now`."""
    return ends is not None and now >= datetime.combine(ends, time(), UTC)


def alive(name: str, now: datetime) -> PublisherModel | None:
    """The model, unless it is unknown or has ended."""
    model = MODELS.get(name)
    return None if model is None or has_ended(model.ends, now) else model


def served_at(model: PublisherModel, location: str) -> bool:
    """Whether the base model answers there: PublisherModel 3 and later at no single region."""
    return location in SHARED_LOCATIONS or model.regional


def endpoint_location(model: PublisherModel, job_location: str) -> str:
    """Where the endpoint of a model tuned at `job_location` lives."""
    if model.regional:
        return job_location
    return "eu" if job_location.startswith("europe") else "us"
