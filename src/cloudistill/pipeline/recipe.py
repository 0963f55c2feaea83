"""What a person may ask of a distillation besides data and student: one checked, frozen object."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloudistill.core.errors import UsageError
from cloudistill.core.job import Logs, Vpc
from cloudistill.core.refs import ModelRef

Choice = Literal["sft", "native", "auto"]
"""A method, or `auto`: native where a live pair takes the rows and answers are missing, else sft."""
ANSWER_TOKENS = 1024
"""The longest answer we ask a teacher for, where nothing else was said."""


class Recipe(BaseModel):
    """How to distil. Everything has a default; what a platform cannot take is refused, never dropped.

    `hyperparameters` uses neutral names (`epochs`, `batch_size`, `learning_rate`, `learning_rate_multiplier`,
    `adapter_size`, `warmup_steps`); `native` holds members of the vendor's own create request. `budget` is in USD
    for the whole run, `price` in USD per million training tokens where the platform's own price is not known.
    `teacher_max_tokens` bounds each of the teacher's answers; `logs` are the source of prompts in place of a file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    teacher: ModelRef | None = None
    method: Choice = "sft"
    logs: Logs | None = None
    rendering: str | None = None
    validation: Path | None = None
    drop_refused: int = Field(default=0, ge=0)
    allow_hourly: bool = False
    budget: float | None = Field(default=None, ge=0)
    price: float | None = Field(default=None, ge=0)
    teacher_max_tokens: int | None = Field(default=None, ge=1)
    hyperparameters: dict[str, int | float | str] = {}
    native: dict[str, Any] = {}
    seed: int | None = None
    suffix: str | None = None
    tags: dict[str, str] = {}
    kms_key: str | None = None
    vpc: Vpc | None = None
    service_account: str | None = None

    @classmethod
    def of(cls, **settings: Any) -> Recipe:
        """A recipe from keyword arguments.

        Raises:
            UsageError: an unknown name or a value of the wrong kind.
        """
        try:
            return cls(**settings)
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error

    @property
    def answer_tokens(self) -> int:
        """The longest answer that is asked of the teacher."""
        return self.teacher_max_tokens or ANSWER_TOKENS

    def ordered(self) -> dict[str, Any]:
        """The part that decides what is trained, as plain JSON: a change of it is another order.

        What only some orders have is left out of the others, so that an order recorded before stays the same.
        """
        left_out = {"budget", "price", "drop_refused", "allow_hourly", "validation"}
        if self.method != "native" or self.teacher_max_tokens is None:
            left_out |= {"teacher_max_tokens"}
        if self.logs is None:
            left_out |= {"logs"}
        return self.model_dump(mode="json", exclude=left_out)
