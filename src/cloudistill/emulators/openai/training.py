"""What comes of a tuning order: numbers for `auto`, a student, its checkpoints, and the losses the learner measured."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudistill.emulators.chat_lines import lessons
from cloudistill.emulators.lesson import tokens
from cloudistill.emulators.openai.models import OWNER, Tuned, base_of
from cloudistill.emulators.openai.orders import Hyperparameters, Order

EXAMPLE_TOKENS = 65_536
CHECKPOINTS_KEPT = 3
TARGET_EPOCHS, FEWEST_PASSES, MOST_PASSES, MOST_AUTO_EPOCHS = 3, 100, 25_000, 25
BATCH_SHARE = 0.002
CSV_HEADER = "step,train_loss,train_mean_token_accuracy,valid_loss,valid_mean_token_accuracy"


@dataclass(frozen=True, slots=True)
class Metric:
    """The training loss after a step."""

    step: int
    train_loss: float


@dataclass(frozen=True, slots=True)
class Trained:
    """The outcome: the model, its last checkpoints oldest first, and what was measured on the way."""

    model: Tuned
    checkpoints: Sequence[tuple[Tuned, Metric]]
    metrics: Sequence[Metric]
    tokens: int

    def csv(self) -> bytes:
        """The result file; what was not measured stays empty."""
        return "\n".join([CSV_HEADER, *(f"{m.step},{m.train_loss:.6f},,," for m in self.metrics), ""]).encode()


def resolve(ordered: Hyperparameters, examples: int) -> Hyperparameters:
    """Numbers in place of `auto`, by OpenAI's published rule of thumb for epochs."""
    epochs = TARGET_EPOCHS
    if examples * TARGET_EPOCHS < FEWEST_PASSES:
        epochs = min(MOST_AUTO_EPOCHS, FEWEST_PASSES // examples)
    elif examples * TARGET_EPOCHS > MOST_PASSES:
        epochs = max(1, MOST_PASSES // examples)
    return Hyperparameters(
        n_epochs=ordered.n_epochs or epochs,
        batch_size=ordered.batch_size or max(1, round(examples * BATCH_SHARE)),
        learning_rate_multiplier=ordered.learning_rate_multiplier or 1.0,
    )


def train(order: Order, rows: Sequence[Mapping[str, Any]], numbers: Hyperparameters, *, job: str, seed: int) -> Trained:
    """Fit a student on `rows`; takes seconds. A fine-tune that is tuned further keeps its earlier lessons."""
    seen = [_seen(row) for row in rows]
    earlier = order.model.lessons if isinstance(order.model, Tuned) else ()
    taught = [*earlier, *(lesson for row in seen for lesson in lessons(row))]
    epochs, batch, rate = numbers.n_epochs or 1, numbers.batch_size or 1, numbers.learning_rate_multiplier or 1.0
    base = base_of(order.model)

    def tuned(name: str, after: int) -> Tuned:
        return Tuned(id=name, base=base, lessons=taught, seed=seed, epochs=after, learning_rate=rate)

    model = tuned(_name(base.id, order.suffix, job), epochs)
    per_epoch = math.ceil(len(rows) / batch)
    metrics = _metrics(model.student().losses, epochs * per_epoch)
    checkpoints: list[tuple[Tuned, Metric]] = []
    for epoch in range(max(1, epochs - CHECKPOINTS_KEPT + 1), epochs + 1):
        step = epoch * per_epoch
        name = f"{_name(base.id, order.suffix, f'{job} {epoch}')}:ckpt-step-{step}"
        last = [metric for metric in metrics if metric.step <= step] or metrics[:1]
        checkpoints.append((tuned(name, epoch), Metric(step, last[-1].train_loss)))
    return Trained(model, checkpoints, metrics, epochs * sum(tokens(json.dumps(row)) for row in seen))


def _metrics(losses: Sequence[float], steps: int) -> list[Metric]:
    """The learner's losses, spread evenly over the steps."""
    return [Metric(max(1, steps * n // len(losses)), float(loss)) for n, loss in enumerate(losses, 1)]


def _seen(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the model sees it: over-long examples lose their end, without a word."""
    return {**row, "messages": list(_within(row["messages"]))}


def _within(messages: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    used = 0
    for message in messages:
        used += tokens(json.dumps(message))
        if used > EXAMPLE_TOKENS:
            return
        yield message


def _name(base: str, suffix: str | None, source: str) -> str:
    """A fine-tune's name. The suffix is not echoed as it was sent."""
    short = re.sub(r"[^a-z0-9]+", "-", (suffix or "").lower()).strip("-")
    return f"ft:{base}:{OWNER}:{short}:{hashlib.sha256(source.encode()).hexdigest()[:8]}"
