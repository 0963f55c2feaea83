"""A Model: what can be tuned or asked, until when, within which limits, at what price."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from pydantic import Field

from cloudistill.platforms.hyperparameter import Hyperparameter
from cloudistill.platforms.sourced import Sourced

Serving = Literal["none", "deployment", "provisioned", "endpoint"]
OverLong = Literal["truncated", "dropped", "fails"]


class Prices(Sourced):
    """US dollars: per million tokens, per hour, per month. None is unknown, never free."""

    training_low: float | None = None
    training_high: float | None = None
    input: float | None = None
    output: float | None = None
    tuned_input: float | None = None
    tuned_output: float | None = None
    hosting_per_hour: float | None = None
    storage_per_month: float | None = None


class Model(Sourced):
    """A model that can be tuned (`student`), or can answer (`teacher`), now or once.

    `regions` are where tuning jobs run, `inference_locations` where the base model is called and
    `tuned_locations` where a tuned one is. `tools` says whether training rows may hold native tool
    fields; None is unknown. `called_as` is the id under which the untuned base is called, where it is
    not the one that is tuned. `hourly` students cost money while nobody calls them.
    """

    id: str
    title: str
    roles: frozenset[Literal["student", "teacher"]]
    regions: tuple[str, ...] = ()
    called_as: str | None = None
    inference_locations: tuple[str, ...] = ()
    tuned_locations: tuple[str, ...] = ()
    ends: date | None = None
    ends_no_sooner_than: bool = False
    training_ends: date | None = None
    replaced_by: tuple[str, ...] = ()
    tools: bool | None = None
    rendering: str | None = None
    min_rows: int | None = None
    advised_rows: int | None = None
    max_rows: int | None = None
    max_tokens_per_example: int | None = None
    context: int | None = None
    over_long: OverLong | None = None
    serving: Serving = "none"
    hourly: bool = False
    reserved: tuple[str, ...] = ()
    prices: Prices | None = None
    hyperparameters: dict[str, Hyperparameter] = Field(default_factory=dict[str, Hyperparameter])

    def ended(self, today: date) -> bool:
        """Whether calls fail today, or may, when the vendor only promised to keep the model until then."""
        return self.ends is not None and today >= self.ends

    def training_ended(self, today: date) -> bool:
        """Whether no new tuning job can be made today."""
        return self.ended(today) or (self.training_ends is not None and today >= self.training_ends)

    def ends_within(self, days: int, today: date) -> bool:
        """Whether the model is alive today and gone in `days` days or fewer."""
        return self.ends is not None and today < self.ends <= today + timedelta(days=days)
