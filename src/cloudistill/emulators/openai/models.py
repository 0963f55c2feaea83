"""OpenAI's models as they stood in November 2026: base models with their last days, and the fine-tunes made here."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from starlette.responses import JSONResponse, Response

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.learner import Student, fit
from cloudistill.emulators.lesson import Lesson
from cloudistill.emulators.openai.api import Asked, Refusal

OWNER = "emulated"
DEPRECATIONS = "https://platform.openai.com/docs/deprecations"
_EPOCH = date(2026, 1, 1)

_DONE, _DECEMBER, _JANUARY = date(2026, 10, 23), date(2026, 12, 11), date(2027, 1, 14)
ChatTools = Literal["always", "without-reasoning", "never"]
Role = Literal["owner", "reader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base model. Its students have `capacity` weights; without a capacity it is not tunable. `snapshot` is what
    an alias answers as; `context` counts tokens; `chat_tools` says whether Chat Completions takes tools."""

    id: str
    shutdown: date | None = None
    snapshot: str | None = None
    capacity: int | None = None
    context: int = 128_000
    reasons: bool = False
    chat_tools: ChatTools = "always"

    @property
    def created(self) -> datetime:
        """The day in the model's name, or a fixed one."""
        try:
            day = date.fromisoformat(self.id[-10:])
        except ValueError:
            day = _EPOCH
        return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _bases() -> Sequence[Base]:
    return (
        Base(id="gpt-4.1-2025-04-14", shutdown=_JANUARY, capacity=2**18, context=1_047_576),
        Base(id="gpt-4.1-mini-2025-04-14", shutdown=_JANUARY, capacity=2**16, context=1_047_576),
        Base(id="gpt-4.1-nano-2025-04-14", shutdown=_DONE, capacity=2**12, context=1_047_576),
        Base(id="gpt-4o-2024-08-06", shutdown=_JANUARY, capacity=2**17),
        Base(id="gpt-4o-mini-2024-07-18", shutdown=_JANUARY, capacity=2**14),
        Base(id="gpt-4o-2024-11-20", shutdown=_JANUARY),
        *(
            Base(id=snapshot[:-11], shutdown=_JANUARY, snapshot=snapshot, context=1_047_576)
            for snapshot in ("gpt-4.1-2025-04-14", "gpt-4.1-mini-2025-04-14")
        ),
        *(
            Base(id=snapshot[:-11], shutdown=_JANUARY, snapshot=snapshot)
            for snapshot in ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18")
        ),
        *(Base(id=name, shutdown=_DONE) for name in ("gpt-3.5-turbo", "gpt-4", "babbage-002", "davinci-002")),
        Base(id="o4-mini", shutdown=_DONE, reasons=True),
        *(
            Base(id=name, shutdown=_DECEMBER, reasons=True)
            for name in ("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "o3", "o3-pro")
        ),
        *(Base(id=f"gpt-5.6-{size}", reasons=True) for size in ("luna", "terra", "sol")),
        *(Base(id=f"gpt-6-{size}", reasons=True, chat_tools="without-reasoning") for size in ("luna", "sol")),
        *(Base(id=name, reasons=True, chat_tools="never") for name in ("gpt-6-astra", "gpt-6.1-sol")),
    )


@dataclass(kw_only=True)
class Tuned:
    """A fine-tune, or one of its checkpoints (fewer epochs). Its student is fitted once, when it is first needed.

    It is `created` when its job succeeds.
    """

    id: str
    base: Base
    lessons: Sequence[Lesson]
    seed: int
    epochs: int
    learning_rate: float
    created: datetime = field(default=datetime.min.replace(tzinfo=UTC))
    _student: Student | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def student(self) -> Student:
        """The trained learner."""
        with self._lock:
            if self._student is None:
                self._student = fit(
                    self.lessons,
                    seed=self.seed,
                    epochs=self.epochs,
                    learning_rate=self.learning_rate,
                    capacity=self.base.capacity or 0,
                )
            return self._student


class Models:
    """Every model this account can see at the clock's time. `role` is the key's in its organisation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.role: Role = "owner"
        self._bases = {base.id: base for base in _bases()}
        self.tuned: dict[str, Tuned] = {}

    def get(self, name: str) -> Base | Tuned:
        """The living model called `name`; 404 in OpenAI's words when it is unknown, or past its last day."""
        model = self._bases.get(name) or self.tuned.get(name)
        if model is None:
            message = f"The model `{name}` does not exist or you do not have access to it."
            raise Refusal(message, status=404, code="model_not_found")
        if self._ended(model):
            message = f"The model `{name}` has been deprecated, learn more here: {DEPRECATIONS}"
            raise Refusal(message, status=404, code="model_not_found")
        return model

    def tunable(self, name: str) -> Base | Tuned:
        """The model called `name`, on which a student can be trained today."""
        model = self._bases.get(name) or self.tuned.get(name)
        if model is None or base_of(model).capacity is None or self._ended(model):
            message = f"Model {name} is not available for fine-tuning or does not exist."
            raise Refusal(message, code="model_not_available")
        return model

    def _ended(self, model: Base | Tuned) -> bool:
        last = base_of(model).shutdown
        return last is not None and self._clock.now().date() >= last

    def list(self, asked: Asked) -> Response:
        """GET /models."""
        asked.parameters()
        models = [*self._bases.values(), *self.tuned.values()]
        return JSONResponse({"object": "list", "data": [_shown(m) for m in models if not self._ended(m)]})

    def retrieve(self, asked: Asked) -> Response:
        """GET /models/{model}."""
        return JSONResponse(_shown(self.get(asked.path["model"])))

    def delete(self, asked: Asked) -> Response:
        """DELETE /models/{model}: fine-tunes only, and by owners only."""
        model = self.get(asked.path["model"])
        if isinstance(model, Base) or self.role != "owner":
            raise Refusal("You have insufficient permissions for this operation.", status=403)
        self.tuned.pop(model.id, None)
        return JSONResponse({"id": model.id, "object": "model", "deleted": True})


def base_of(model: Base | Tuned) -> Base:
    """The base model under a fine-tune; a base model itself."""
    return model.base if isinstance(model, Tuned) else model


def _shown(model: Base | Tuned) -> dict[str, Any]:
    """The Model object; whether a real fine-tune carries a date is not known, so ours carries none."""
    shown = {"id": model.id, "object": "model", "created": int(model.created.timestamp())}
    if isinstance(model, Tuned):
        return {**shown, "owned_by": OWNER}
    ends = model.shutdown.isoformat() if model.shutdown else None
    return {**shown, "owned_by": "system", "shutdown_date": ends}
