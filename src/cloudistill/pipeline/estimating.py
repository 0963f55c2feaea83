"""What the training will cost, as a range: tokens x epochs x the vendor's price. What is not known is named."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from cloudistill.core.errors import BudgetExceeded
from cloudistill.core.refs import ModelRef
from cloudistill.pipeline.checking import Check
from cloudistill.platforms.model import Model
from cloudistill.platforms.platform import Platform, load

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """US dollars for answers and training: at least `low`, at most `high`; None where something needed is in `unknown`.

    `tokens` is one pass over the data. `parts` lists, in words, what the range is made of and what
    comes on top of it.
    """

    student: ModelRef
    low: float | None
    high: float | None
    tokens: int
    epochs_low: int | None
    epochs_high: int | None
    unknown: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.high is None:
            least = f", about {self.low:.2f} USD and up" if self.low else ""
            return f"cost of training {self.student}: not known{least} ({'; '.join(self.unknown)})"
        return f"training {self.student}: {self.low or 0:.2f} to {self.high:.2f} USD ({'; '.join(self.parts)})"

    def to_json(self) -> dict[str, Any]:
        """The estimate as `--json` prints it."""
        return asdict(self) | {"student": str(self.student)}


def estimate(
    check: Check,
    student: ModelRef,
    *,
    epochs: int | None = None,
    price: float | None = None,
    today: date,
    teacher: ModelRef | None = None,
    teacher_max_tokens: int = 0,
    native: bool = False,
    platform: Platform | None = None,
) -> Estimate:
    """The cost of training `student` on the rows that `check` let pass, and of the answers that `teacher` owes them.

    `price` is USD per million training tokens and goes before the vendor's own. Without `epochs` the
    vendor's default, or the range of its own choice, is taken. With `native` the vendor asks its teacher about every
    row, and about as many prompts of its own making as it likes: such a job has no upper end.
    """
    facts = platform or load(student.platform)
    model, answers = facts.model(student.id), check.rows_ok if native else check.unanswered
    passes = (epochs, epochs) if epochs is not None else _epochs(model, check.rows_ok)
    rates = (price, price) if price is not None else _rates(model)
    taught = _teaching(check, teacher, teacher_max_tokens, answers)
    beyond = f" beyond the {answers:,} rows" if check.rows_in else ""
    unbounded = f"what {teacher} is asked{beyond}, if {facts.title} makes prompts of its own"
    unknown = [
        *(["the number of logged requests"] if native and not check.rows_in else []),
        *(["the number of epochs, which the vendor chooses"] if passes[1] is None else []),
        *(["the price per million training tokens"] if rates[1] is None else []),
        *([f"the price of asking {teacher}"] if taught is None else []),
        *([unbounded] if native else []),
    ]
    owed = answers * teacher_max_tokens if teacher else 0
    low, high = _cost(check.tokens.least, passes[0], rates[0]), _cost(check.tokens.most + owed, passes[1], rates[1])
    return Estimate(
        student=student,
        low=low,
        high=None if unknown or high is None or taught is None else high + taught,
        tokens=check.tokens.total,
        epochs_low=passes[0],
        epochs_high=passes[1],
        unknown=tuple(unknown),
        parts=(
            f"{check.tokens.total:,} tokens, {check.tokens.how}",
            f"{_span(passes)} epochs",
            f"{_span(rates)} USD per million tokens ({_origin(model, price, today)})",
            *([f"at most {taught:.2f} USD for {answers} answers of {teacher}"] if taught else []),
            *_besides(model),
        ),
    )


def _teaching(check: Check, teacher: ModelRef | None, max_tokens: int, answers: int) -> float | None:
    """The most that so many answers of the teacher can cost: every token read, every answer as long as allowed; None
    if its prices are not known."""
    if teacher is None or not answers:
        return 0.0
    model = load(teacher.platform).model(teacher.id)
    prices = model.prices if model else None
    if prices is None or prices.input is None or prices.output is None:
        return None
    return (check.tokens.most * prices.input + answers * max_tokens * prices.output) / MILLION


def require_budget(estimate: Estimate, budget: float | None) -> None:
    """Let pass what costs `budget` USD at most; None is no limit.

    Raises:
        BudgetExceeded: it may cost more, or what it costs is not known.
    """
    if budget is None:
        return
    if estimate.high is None:
        raise BudgetExceeded(
            f"a budget of {budget:.2f} USD was given, but the cost of training {estimate.student} is not known: "
            f"missing {'; '.join(estimate.unknown)}. --price gives the price of training (USD per million tokens) and "
            "--set epochs=N the epochs; where anything else is missing, leave the budget out"
        )
    if estimate.high > budget:
        raise BudgetExceeded(
            f"training {estimate.student} may cost {estimate.high:.2f} USD, above the budget of {budget:.2f}: "
            f"{'; '.join(estimate.parts)}. Train on fewer rows or epochs, or raise --budget"
        )


def _cost(tokens: int, passes: int | None, rate: float | None) -> float | None:
    return None if passes is None or rate is None else tokens * passes * rate / MILLION


def _epochs(model: Model | None, rows: int) -> tuple[int | None, int | None]:
    """The fewest and the most epochs that the vendor gives a job that names none."""
    epochs = model.hyperparameters.get("epochs") if model else None
    if epochs is not None and epochs.auto_epochs is not None:
        chosen = epochs.auto_epochs.epochs(rows)
        return chosen, chosen
    if epochs is not None and isinstance(epochs.default, int):
        return epochs.default, epochs.default
    return 1, None


def _rates(model: Model | None) -> tuple[float | None, float | None]:
    prices = model.prices if model else None
    return (prices.training_low, prices.training_high) if prices else (None, None)


def _origin(model: Model | None, price: float | None, today: date) -> str:
    if price is not None:
        return "as given"
    if model is None or model.prices is None or model.prices.training_high is None:
        return "not known"
    age = (today - model.prices.checked).days
    return "; ".join(filter(None, [f"checked {model.prices.checked}, {age} days ago", model.prices.note]))


def _besides(model: Model | None) -> list[str]:
    """What the student costs after training, whether it is called or not."""
    if model is None:
        return []
    storage = model.prices.storage_per_month if model.prices else None
    hosting = model.prices.hosting_per_hour if model.prices else None
    parts = [f"on top, {storage:g} USD a month for keeping the model"] if storage else []
    if model.hourly:
        parts.append(
            f"on top, {f'{hosting:g} USD an hour' if hosting else 'an unknown price by the hour'} for serving it"
        )
    return parts


def _span(ends: tuple[float | None, float | None]) -> str:
    low, high = ("?" if end is None else f"{end:g}" for end in ends)
    return low if low == high else f"{low} to {high}"
