"""The vendor's own distillation: whether it can be ordered, by which rules the prompts are judged, and `auto`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from cloudistill.backends.backend import Backend, Distils
from cloudistill.core.errors import UsageError
from cloudistill.core.example import Example
from cloudistill.core.finding import Finding
from cloudistill.core.job import Method
from cloudistill.core.refs import ModelRef
from cloudistill.formats.dataset import DataRow, Dataset
from cloudistill.pipeline.checking import Check, check
from cloudistill.pipeline.recipe import Recipe
from cloudistill.platforms.model import Model
from cloudistill.platforms.platform import Pair, Platform, load

INSTEAD = "Or use --method sft, which learns from any teacher's answers."
SHOWN = 5
ROW_RULES = frozenset({"native-tools", "native-turns"})


def pair_of(recipe: Recipe, student: ModelRef) -> Pair | None:
    """The pair, live or ended, that the method `native` means; None of another, or where the platform knows no such."""
    teacher = recipe.teacher
    if recipe.method != "native" or teacher is None or teacher.platform != student.platform:
        return None
    return load(student.platform).pair(teacher.id, student.id)


def findings(recipe: Recipe, student: ModelRef, backend: Backend | None, today: date) -> list[Finding]:
    """What stands against the vendor's own distillation of this pair, whatever the prompts.

    Without a `backend` only the facts are looked at.

    Raises:
        UsageError: no teacher is named.
    """
    facts, teacher = load(student.platform), recipe.teacher
    if teacher is None:
        raise UsageError(f"the method native needs a teacher that {facts.title} runs itself: name it with --teacher")
    if backend is not None and not isinstance(backend, Distils):
        message = f"cloudistill knows no way to have {facts.title} run the teacher itself."
        return [Finding(rule="not-native", message=message, remedy="Use --method sft.")]
    pair = pair_of(recipe, student)
    if pair is None:
        message = f"{facts.title} does not distil {teacher} into {student.id}."
        return [Finding(rule="no-native-pair", message=message, remedy=_live_pairs(recipe, student, today))]
    return list(_of_pair(pair, recipe, student, today))


def _of_pair(pair: Pair, recipe: Recipe, student: ModelRef, today: date) -> Iterator[Finding]:
    facts = load(student.platform)
    words = f"{pair.teacher} into {pair.student}"
    if not pair.live(today):
        message = f"{facts.title} distils {words} no more since {pair.ended}."
        yield Finding(
            rule="native-pair-ended", message=message, remedy=_live_pairs(recipe, student, today), source=pair.source
        )
    elif pair.by_invitation:
        message = f"{facts.title} distils {words} only for projects that it has let in."
        remedy = f"Go on only if yours is one of them. {INSTEAD}"
        yield Finding(rule="native-by-invitation", message=message, remedy=remedy, source=pair.source, level="warning")
    if recipe.logs and not pair.logs:
        message = f"{facts.title} distils {words} from a file alone, not from logs."
        yield Finding(rule="native-logs", message=message, remedy="Give a file of prompts.", source=pair.source)


def _live_pairs(recipe: Recipe, student: ModelRef, today: date) -> str:
    """The pairs to take instead: those that share the teacher or the student first."""
    facts, teacher = load(student.platform), recipe.teacher.id if recipe.teacher else ""
    live = [pair for pair in facts.pairs if pair.live(today)]
    live.sort(key=lambda pair: (pair.student != student.id, pair.teacher != teacher))
    if not live:
        return f"On {today} no pair of {facts.title} is live. {INSTEAD}"
    named = ", ".join(f"{pair.teacher} into {pair.student}" for pair in live[:SHOWN])
    more = f" and {len(live) - SHOWN} more (`cloudistill platforms {facts.name}`)" if len(live) > SHOWN else ""
    return f"On {today} it distils {named}{more}. {INSTEAD}"


def facts_of(recipe: Recipe, student: ModelRef) -> Platform:
    """What rows and student are held against: the platform's facts, by the method `native` as its pair has them."""
    facts, pair = load(student.platform), pair_of(recipe, student)
    return _as_facts(facts, pair) if pair else facts


def check_rows(dataset: Dataset, student: ModelRef, recipe: Recipe, today: date, *, answered: bool = False) -> Check:
    """Every rule of rows and models, by the recipe's method; `answered` rows wait for no teacher any more."""
    pair = pair_of(recipe, student)
    return check(
        Prompts(dataset, pair) if pair else dataset,
        student,
        today=today,
        teacher=recipe.teacher,
        allow_hourly=recipe.allow_hourly,
        allow_unanswered=recipe.teacher is not None and not answered,
        rendering=recipe.rendering,
        platform=facts_of(recipe, student),
    )


def _as_facts(facts: Platform, pair: Pair) -> Platform:
    """The platform's facts with the pair's rules in place of those for fine-tuning the student."""
    known = facts.model(pair.student)
    model = known or Model(
        id=pair.student, title=pair.student, roles=frozenset({"student"}), source=pair.source, checked=pair.checked
    )
    own = {
        "min_rows": pair.min_rows,
        "advised_rows": pair.advised_rows,
        "max_rows": pair.max_rows,
        "max_tokens_per_example": pair.max_tokens_per_example or model.max_tokens_per_example,
        "rendering": pair.rendering if pair.format else pair.rendering or model.rendering,
        "tools": True,  # whether prompts may offer tools is the pair's to say
        "roles": model.roles | {"student"},  # of this pair, whether or not it is ever tuned on answers
    }
    limits = facts.limits.model_copy(update={"file_bytes": pair.file_bytes or facts.limits.file_bytes})
    others = tuple(other for other in facts.models if other.id != pair.student)
    models = (model.model_copy(update=own), *others)
    return facts.model_copy(update={"format": pair.format or facts.format, "limits": limits, "models": models})


class Prompts(Dataset):
    """A dataset for the vendor's own distillation: what the pair does not take is refused, row by row."""

    def __init__(self, asked: Dataset, pair: Pair) -> None:
        super().__init__(asked.path)
        self._asked, self._pair = asked, pair

    def rows(self) -> Iterator[DataRow]:
        """The rows, with what the pair has against each."""
        return map(self._judged, self._asked.rows())

    def _judged(self, row: DataRow) -> DataRow:
        if row.example is None:
            return row
        return DataRow(row.line, row.example, (*row.findings, *self._broken(row.example)), row.file)

    def _broken(self, example: Example) -> Iterator[Finding]:
        words, source = f"distilling {self._pair.teacher} into {self._pair.student}", self._pair.source
        if not self._pair.tools and (example.tools or any(message.tool_calls for message in example.messages)):
            message = f"holds tools, which {words} does not take."
            yield Finding(rule="native-tools", message=message, remedy=f"Drop the row. {INSTEAD}", source=source)
        if not self._pair.several_turns and sum(message.role == "user" for message in example.messages) > 1:
            message = f"holds several user turns; {words} takes one."
            yield Finding(rule="native-turns", message=message, remedy=f"Split the row. {INSTEAD}", source=source)


class Decision(NamedTuple):
    """What `auto` comes to, and why; with the rows as they were `checked` for it, if they were by that method."""

    method: Method
    why: str
    checked: Check | None = None


def decide(recipe: Recipe, student: ModelRef, dataset: Dataset | None, backend: Backend, today: date) -> Decision:
    """The method that `auto` comes to."""
    title, recipe = load(student.platform).title, recipe.model_copy(update={"method": "native"})
    if dataset is None:
        return Decision("native", f"the prompts are in {title}'s logs, which it alone reads")
    if against := _against(recipe, student, backend, today):
        return Decision("sft", against)
    checked = check_rows(dataset, student, recipe, today)
    spoilt = len(checked.refused_lines) > recipe.drop_refused
    forbidden = [finding for finding in checked.errors if finding.rule in ROW_RULES]
    if broken := forbidden or [finding for finding in checked.errors if spoilt or not finding.line]:
        return Decision("sft", str(broken[0]))
    if not checked.unanswered:
        return Decision("sft", "every row has its answer already")
    waiting = f"{checked.unanswered} of {checked.rows_ok} rows wait for an answer"
    return Decision("native", f"{waiting}, and {title} runs {recipe.teacher} itself", checked)


def _against(recipe: Recipe, student: ModelRef, backend: Backend, today: date) -> str:
    """What rules the vendor's own distillation out, whatever the rows; empty if nothing does."""
    if recipe.teacher is None:
        return "no teacher is named"
    if recipe.budget is not None:
        return f"a budget bounds no job to which {load(student.platform).title} may add prompts of its own"
    return next((found.message for found in findings(recipe, student, backend, today) if found.is_error), "")
