"""A Platform: what a vendor allows, as dated facts read from TOML. Data only; asking the vendor is a backend's work."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from cloudistill.core.errors import UsageError
from cloudistill.core.job import JobStatus
from cloudistill.platforms.model import Model
from cloudistill.platforms.sourced import Facts, Sourced

GROUP = "cloudistill.platforms"
"""Entry points of this group name a platform and the package that holds `<platform>.toml`."""
_HERE = "cloudistill.platforms"

Meaning = Literal["cut-off", "quota", "partial-success", "lost-file"]


class Vocabulary(Sourced):
    """Every word a vendor is known to use for a status, in our words."""

    words: dict[str, JobStatus]


class Polling(Sourced):
    """How often to look, in seconds: from `first`, times `factor` each time, up to `maximum`, give or take `jitter`."""

    first: float
    maximum: float
    factor: float
    jitter: float


class Limits(Sourced):
    """What an order may hold; None is unknown, never unlimited. Lengths are in characters, patterns match whole.

    A file above `single_upload_bytes` is sent in parts of `upload_part_bytes`, where the vendor takes parts.
    """

    file_bytes: int | None = None
    single_upload_bytes: int | None = None
    upload_part_bytes: int | None = None
    tool_count: int | None = None
    tags: int | None = None
    tag_key_length: int | None = None
    tag_value_length: int | None = None
    tag_key_pattern: str | None = None
    tag_value_pattern: str | None = None
    suffix_length: int | None = None
    seed_maximum: int | None = None
    temperature_maximum: float | None = None


class TextRule(Sourced):
    """A refusal that passes by itself, which a vendor tells apart from others by text alone; it leads to waiting."""

    contains: str
    code: str | None = None

    def matches(self, code: str | None, text: str) -> bool:
        """Whether an answer with this error code and text is meant."""
        return self.contains in text and self.code in (None, code)


class Words(Sourced):
    """A vendor's words that mean one thing: an answer `cut-off` by a token limit, a `quota` that waiting does not lift,
    a job's `partial-success`, a stored file that is a `lost-file`: it cannot be trained on.
    """

    words: tuple[str, ...]


class RoleNames(Sourced):
    """The roles that a managed policy lets its holders pass: those with `contains` in their name."""

    policy: str
    contains: str


class ReservedText(Sourced):
    """Text that makes a vendor fail a whole training file wherever it stands; `pattern` is a regular expression."""

    pattern: str
    ignore_case: bool = False
    what: str
    """The reserved words as a person would list them."""

    def compiled(self) -> re.Pattern[str]:
        """The pattern, ready to search a row's JSON text with."""
        return re.compile(self.pattern, re.IGNORECASE if self.ignore_case else 0)


class Pair(Sourced):
    """A teacher and a student that the vendor itself distils; `ended` is the day it stopped, None while it is live.

    `format` is how prompts are spelled, where it is not the platform's own; `rendering` how tools are shown.
    `tools` says whether prompts may offer tools, `several_turns` whether a prompt may hold more than one user turn.
    `by_invitation`: the vendor serves only projects it has let in. `logs`: logged requests can be the source.
    """

    teacher: str
    student: str
    region: str
    ended: date | None = None
    format: str | None = None
    rendering: str | None = None
    tools: bool = False
    several_turns: bool = True
    by_invitation: bool = False
    logs: bool = False
    min_rows: int | None = None
    advised_rows: int | None = None
    max_rows: int | None = None
    file_bytes: int | None = None
    max_tokens_per_example: int | None = None

    def live(self, today: date) -> bool:
        """Whether the vendor still distils this pair."""
        return self.ended is None or today < self.ended


class WindDown(Sourced):
    """How a vendor closes tuning: to newcomers, then to accounts that did not use it; models say their own last day."""

    closed_to_new: date | None = None
    closed_to_dormant: date | None = None


class Platform(Facts):
    """Everything known about one vendor."""

    name: str
    title: str
    format: str
    tokenizer: str | None = None
    polling: Polling
    limits: Limits
    job_words: Vocabulary
    deployment_words: Vocabulary | None = None
    says: dict[Meaning, Words] = Field(default_factory=dict[Meaning, Words])
    role_names: RoleNames | None = None
    texts: dict[str, TextRule] = Field(default_factory=dict[str, TextRule])
    reserved_words: dict[str, ReservedText] = Field(default_factory=dict[str, ReservedText])
    pairs: tuple[Pair, ...] = ()
    wind_down: WindDown | None = None
    models: tuple[Model, ...]

    @property
    def statuses(self) -> dict[str, JobStatus]:
        """The vendor's words for a tuning job."""
        return self.job_words.words

    @property
    def deployment_statuses(self) -> dict[str, JobStatus]:
        """The vendor's words for a deployment; empty where a tuned model needs none."""
        return self.deployment_words.words if self.deployment_words else {}

    def status(self, word: str | None) -> JobStatus:
        """Our word for the vendor's; UNKNOWN for one that nobody knows."""
        return self.statuses.get(word or "", JobStatus.UNKNOWN)

    def deployment_status(self, word: str | None) -> JobStatus:
        """Our word for the vendor's word for a deployment; UNKNOWN for one that nobody knows."""
        return self.deployment_statuses.get(word or "", JobStatus.UNKNOWN)

    def means(self, meaning: Meaning, word: str | None) -> bool:
        """Whether the vendor's `word` is one of those that mean it."""
        return meaning in self.says and word in self.says[meaning].words

    def model(self, id: str) -> Model | None:  # noqa: A002 - the word of the contract
        """The model of exactly this id, alive or ended."""
        return next((model for model in self.models if model.id == id), None)

    def pair(self, teacher: str, student: str) -> Pair | None:
        """The pair of exactly these ids, live or ended."""
        return next((pair for pair in self.pairs if (pair.teacher, pair.student) == (teacher, student)), None)

    def students(self, today: date) -> tuple[Model, ...]:
        """The models for which a tuning job can be made today."""
        return tuple(m for m in self.models if "student" in m.roles and not m.training_ended(today))

    def reserved(self, model: Model) -> dict[str, ReservedText]:
        """The texts that may not stand in this model's training rows, by the name of the rule."""
        return {name: self.reserved_words[name] for name in model.reserved}

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for model in self.models:
            if unknown := set(model.reserved) - set(self.reserved_words):
                raise ValueError(f"{model.id} names reserved words that are not listed: {sorted(unknown)}")
        return self


def names() -> list[str]:
    """The platforms whose facts are installed: ours, and those of plug-ins."""
    return sorted(_shelves())


@cache
def load(name: str) -> Platform:
    """The facts about platform `name`.

    Raises:
        UsageError: there are no facts about it.
    """
    return parse(read(name), f"{name}.toml")


def read(name: str) -> str:
    """The TOML document about platform `name`. Raises UsageError as `load` does."""
    if name not in names():
        raise UsageError(f"there is no platform {name!r}; known: {', '.join(names())}")
    return (files(_shelves()[name]) / f"{name}.toml").read_text("utf-8")


@cache
def _shelves() -> dict[str, str]:
    """The package in which each platform's file lies; a plug-in cannot take the place of ours."""
    own = (file.name for file in files(_HERE).iterdir() if file.name.endswith(".toml"))
    theirs = {point.name: point.value for point in entry_points(group=GROUP)}
    return theirs | {name.removesuffix(".toml"): _HERE for name in own}


def parse(text: str, file: str) -> Platform:
    """The facts in a TOML document.

    Raises:
        UsageError: it is not TOML, or does not have the shape of a Platform; `file` names it.
    """
    try:
        return Platform.model_validate(_with_families(tomllib.loads(text)))
    except (tomllib.TOMLDecodeError, ValidationError, KeyError) as error:
        raise UsageError(f"{file}: not the facts of a platform: {error}") from error


def _with_families(document: dict[str, Any]) -> dict[str, Any]:
    """What models, or pairs, have in common is written once, in `[families.X]`; a row's own words win."""
    families: dict[str, dict[str, Any]] = document.pop("families", {})

    def whole(row: dict[str, Any]) -> dict[str, Any]:
        return (families[row.pop("family")] if "family" in row else {}) | row

    models = [whole({"id": id_, **row}) for id_, row in document.get("models", {}).items()]
    return {**document, "models": models, "pairs": [whole(pair) for pair in document.get("pairs", ())]}
