"""The assumptions and steps of assumptions.toml, and the answers that were recorded beside it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloudistill.platforms.platform import load

HERE = Path(__file__).parent
ANSWERS = HERE / "answers.toml"
PLATFORMS = ("openai", "bedrock", "vertex")
Word = Literal["holds", "does not hold", "could not tell"]
_HEAD = "# What live accounts said of assumptions.toml. Written by verify_live; then run `make tables`.\n"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Priced(_Row):
    """Something that is done at a vendor. `usd` is a range, stated or made of `tokens` and the price of `model`.

    `price` says where the price comes from; `minutes` is what it usually takes.
    """

    id: str
    platform: str
    usd: tuple[float, float] = (0.0, 0.0)
    tokens: int = 0
    model: str | None = None
    price: str = ""
    minutes: int = 0

    @property
    def cost(self) -> tuple[float, float]:
        """US dollars: at least, at most.

        Raises:
            ValueError: the facts hold no training price for the model that is named.
        """
        if self.model is None:
            return self.usd
        known = load(self.platform).model(self.model)
        if known is None or known.prices is None or known.prices.training_high is None:
            raise ValueError(f"{self.id}: the facts hold no training price of {self.model!r}: state `usd` and `price`")
        return 0.0, self.tokens * known.prices.training_high / 1_000_000


class Step(Priced):
    """What several probes read from, so it is done once."""

    does: str


class Assumption(Priced):
    """What we take for true. `how` says what its probe does; `person` is why there is none and `how` is for a person.

    `needs` are the steps that the probe reads from.
    """

    assume: str
    if_wrong: str
    how: str
    person: str | None = None
    needs: tuple[str, ...] = ()


class Answer(_Row):
    """What an account said. `payer` is a hash of whose account it was."""

    id: str
    platform: str
    verdict: Word
    evidence: str
    when: date
    payer: str


class Listing(_Row):
    """Everything that is assumed, in the order in which it is probed: what destroys comes last."""

    steps: tuple[Step, ...]
    assumptions: tuple[Assumption, ...]

    @model_validator(mode="after")
    def _steps_are_known(self) -> Self:
        known = {step.id for step in self.steps}
        for assumption in self.assumptions:
            if missing := set(assumption.needs) - known:
                raise ValueError(f"{assumption.id} needs {sorted(missing)}, which are no steps")
        return self

    def chosen(self, asked: Iterable[str]) -> list[Assumption]:
        """The assumptions of the platforms and ids asked for; all when none are.

        Raises:
            ValueError: there is no such platform or id.
        """
        words = set(asked)
        known = {a.id for a in self.assumptions} | {a.platform for a in self.assumptions}
        if unknown := words - known:
            raise ValueError(f"{sorted(unknown)} is no platform and no assumption; --list shows them")
        return [a for a in self.assumptions if not words or words & {a.id, a.platform}]

    def needed(self, assumptions: Iterable[Assumption]) -> list[Step]:
        """The steps that these read from."""
        asked = {name for one in assumptions for name in one.needs}
        return [step for step in self.steps if step.id in asked]


class _Answers(_Row):
    answers: dict[str, Answer] = Field(default_factory=dict[str, Answer])


def read(path: Path = HERE / "assumptions.toml") -> Listing:
    """The assumptions and the steps."""
    document = tomllib.loads(path.read_text("utf-8"))
    rows = {table: [{"id": id_, **row} for id_, row in document[table].items()] for table in document}
    return Listing.model_validate(rows)


def answers(path: Path = ANSWERS) -> dict[str, Answer]:
    """The answers that were recorded, by the assumption's id; none where there is no file yet."""
    if not path.exists():
        return {}
    rows = tomllib.loads(path.read_text("utf-8"))
    return _Answers.model_validate({"answers": {id_: {"id": id_, **row} for id_, row in rows.items()}}).answers


def record(answer: Answer, path: Path = ANSWERS) -> None:
    """Write the answer among the others; one that settles nothing does not replace one that does."""
    known = answers(path)
    if answer.verdict == "could not tell" and answer.id in known and known[answer.id].verdict != answer.verdict:
        return
    known[answer.id] = answer
    path.write_text(_HEAD + "".join(_table(known[id_]) for id_ in sorted(known)), "utf-8")


def _table(answer: Answer) -> str:
    rows = answer.model_dump(exclude={"id"})
    return f"\n[{answer.id}]\n" + "".join(f"{name} = {_spelt(value)}\n" for name, value in rows.items())


def _spelt(value: object) -> str:
    """A date as it is; text as TOML's basic string, which is JSON's without control characters."""
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(re.sub(r"\s*[\x00-\x1f\x7f]+\s*", " ", str(value)), ensure_ascii=False)
