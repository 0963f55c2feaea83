"""One hyperparameter: our neutral name's native spelling, its range and its default at a vendor."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Literal

from cloudistill.core.errors import UsageError
from cloudistill.platforms.sourced import Sourced

Value = int | float | str


class AutoEpochs(Sourced):
    """How a vendor picks the epochs of a job that names none: `target`, moved until rows x epochs lies in the range."""

    target: int
    fewest_passes: int
    most_passes: int
    minimum: int
    maximum: int

    def epochs(self, rows: int) -> int:
        """The epochs a file of `rows` rows would get."""
        if rows * self.target < self.fewest_passes:
            return min(self.maximum, self.fewest_passes // max(rows, 1))
        if rows * self.target > self.most_passes:
            return max(self.minimum, self.most_passes // rows)
        return self.target


class Hyperparameter(Sourced):
    """What a vendor calls a hyperparameter and which values it takes.

    `above` is an open lower bound, `minimum` a closed one. `choices` are the only values allowed, and
    `native_choices` their spelling, in the same order. A vendor that takes text gets text (`as_string`).
    """

    native: str
    kind: Literal["int", "float", "enum"]
    auto: bool = False
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    default: Value | None = None
    choices: tuple[int, ...] = ()
    native_choices: tuple[str, ...] = ()
    as_string: bool = False
    auto_epochs: AutoEpochs | None = None

    def spell(self, value: Value) -> Value:
        """`value` as the vendor wants it.

        Raises:
            UsageError: the value is of the wrong kind or outside the range.
        """
        if self.auto and value == "auto":
            return value
        number = self._number(value)
        spelled = self.native_choices[self.choices.index(int(number))] if self.native_choices else number
        if self.as_string:
            return format(Decimal(str(spelled)), "f")  # 0.00001, where str would write 1e-05
        return spelled

    def _number(self, value: Value) -> int | float:
        whole = self.kind in ("int", "enum")
        try:
            number = int(value) if whole else float(value)
        except (ValueError, OverflowError):
            raise self._refusal(value) from None
        if isinstance(value, bool) or number != float(value) or not self._allows(number):
            raise self._refusal(value)
        return number

    def _allows(self, number: float) -> bool:
        return (
            math.isfinite(number)
            and (not self.choices or number in self.choices)
            and (self.minimum is None or number >= self.minimum)
            and (self.above is None or number > self.above)
            and (self.maximum is None or number <= self.maximum)
        )

    def _refusal(self, value: Value) -> UsageError:
        return UsageError(f"{self.native} cannot be {value!r}: give {self.range} ({self.source})")

    @property
    def range(self) -> str:
        """The values allowed, in words."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        bounds = {"above": self.above, "at least": self.minimum, "at most": self.maximum}
        named = " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)
        kind = "a whole number" if self.kind == "int" else "a number"
        return f"{kind} {named}".strip() + (" or auto" if self.auto else "")
