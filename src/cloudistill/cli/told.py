"""What a run's vendor says of its job, asked at once: metrics, checkpoints, events, and why they are missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cloudistill.core.errors import CloudistillError, UsageError
from cloudistill.core.job import Checkpoint, JobEvent, StepMetrics

if TYPE_CHECKING:
    from cloudistill.pipeline.run import Run

T = TypeVar("T")
LOSSES = ("training_loss", "validation_loss")
_LARGEST = 1e300  # beyond it no two can be subtracted; infinity is, and NaN is below nothing


@dataclass(kw_only=True)
class Told:
    """What the vendor says of a job; None is what it does not say, or was not asked. `troubles` are why not."""

    metrics: list[StepMetrics] | None = None
    checkpoints: list[Checkpoint] | None = None
    events: list[JobEvent] | None = None
    troubles: list[str] = field(default_factory=list[str])

    def loss(self, which: str) -> list[tuple[float, float]]:
        """One of `LOSSES` in the order of steps, where it was measured."""
        measured = [(step.step, getattr(step, which)) for step in self.metrics or ()]
        return sorted((step, loss) for step, loss in measured if loss is not None and abs(loss) < _LARGEST)

    def to_json(self) -> dict[str, Any]:
        """What was told as `show --json` prints it."""
        told = {"metrics": self.metrics, "checkpoints": self.checkpoints, "events": self.events}
        return {name: None if rows is None else [_plain_json(row) for row in rows] for name, rows in told.items()}


def _plain_json(row: StepMetrics | Checkpoint | JobEvent) -> dict[str, Any]:
    facts = _without_nan(asdict(row))
    return facts | {"model": str(row.model)} if isinstance(row, Checkpoint) else facts


def _without_nan(value: Any) -> Any:
    """The value with None for what is no number: JSON has no word for it."""
    if isinstance(value, dict):
        return {name: _without_nan(member) for name, member in cast("dict[str, Any]", value).items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def ask(run: Run, *, events: bool) -> Told:
    """What the run's vendor says at once, without patience; what it cannot say is left out."""
    from cloudistill.pipeline.ordering import Doubt
    from cloudistill.pipeline.retry import Patience

    told = Told()
    if run.job is None:
        return told
    run.doubt = Doubt(patience=Patience(total=0.0))
    told.metrics = _if_told(run.metrics, told.troubles)
    told.checkpoints = _if_told(run.checkpoints, told.troubles)
    if events:
        told.events = _if_told(run.events, told.troubles)
    if run.record.facts.get("prompts") is None:  # it may not have been there yet when the job was done
        _if_told(run.prompt_report, told.troubles)
    return told


def _if_told(question: Callable[[], T], troubles: list[str]) -> T | None:
    try:
        return question()
    except UsageError:
        return None
    except CloudistillError as error:
        if str(error) not in troubles:
            troubles.append(str(error))
        return None
