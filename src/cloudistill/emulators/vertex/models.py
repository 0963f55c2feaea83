"""The Gemini models of the emulated Vertex AI: what each can be used for, where, and until when.

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
class Gemini:
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


MODELS: dict[str, Gemini] = {
    "gemini-3.5-flash": Gemini(ends=date(2027, 5, 19), tunable=True, epochs=8, capacity=1 << 17, seed=35),
    "gemini-3.5-flash-lite": Gemini(ends=date(2027, 7, 21), tunable=True, outspoken=True, capacity=1 << 15, seed=351),
    "gemini-3.1-flash-lite": Gemini(ends=date(2027, 5, 7), tunable=True, capacity=1 << 14, seed=311),
    "gemini-3.6-flash": Gemini(ends=date(2026, 11, 19), outspoken=True),
    "gemini-3.7-flash": Gemini(ends=date(2027, 1, 28), outspoken=True),
    "gemini-3.8-flash": Gemini(ends=date(2027, 9, 2), outspoken=True),
    "gemini-4-argon": Gemini(ends=date(2027, 10, 13), outspoken=True),
    "gemini-3.1-pro-preview": Gemini(),
    "gemini-2.5-flash": Gemini(ends=date(2026, 10, 20), tunable=True, learns_calls=False, regional=True, seed=25),
    "gemini-2.5-flash-lite": Gemini(ends=date(2026, 10, 20), tunable=True, learns_calls=False, regional=True, seed=251),
    "gemini-2.5-pro": Gemini(
        ends=date(2026, 10, 20),
        tunable=True,
        learns_calls=False,
        regional=True,
        adapters=("ONE", "TWO", "FOUR", "EIGHT"),
        capacity=1 << 17,
        seed=2,
    ),
}


def alive(name: str, now: datetime) -> Gemini | None:
    """The model, unless it is unknown or has ended."""
    model = MODELS.get(name)
    if model is None or (model.ends is not None and now >= datetime.combine(model.ends, time(), UTC)):
        return None
    return model


def served_at(model: Gemini, location: str) -> bool:
    """Whether the base model answers there: Gemini 3 and later at no single region."""
    return location in SHARED_LOCATIONS or model.regional


def endpoint_location(model: Gemini, job_location: str) -> str:
    """Where the endpoint of a model tuned at `job_location` lives."""
    if model.regional:
        return job_location
    return "eu" if job_location.startswith("europe") else "us"
