"""A fact that says where it was read, and when."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict


class Facts(BaseModel):
    """Facts as people write them: an unknown key is a mistake, and nothing changes them after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(Facts):
    """Facts with their origin. `note` says what is uncertain about them."""

    source: str
    checked: date
    note: str = ""
