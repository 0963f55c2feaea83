"""A Finding: one broken rule, where it is broken, and the way out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken rule. `line` counts from 1; 0 means the file or the plan as a whole.

    `rule` is a stable kebab-case word for scripts, `message` says what is wrong, `remedy` the way out,
    `source` where a vendor states the rule. A `warning` does not refuse the row.
    """

    rule: str
    message: str
    remedy: str
    file: str = ""
    line: int = 0
    source: str = ""
    level: Literal["error", "warning"] = "error"

    @property
    def is_error(self) -> bool:
        """Whether it refuses its row, or the whole order."""
        return self.level == "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else (f"{self.file}: " if self.file else "")
        return f"{place}{self.rule}: {self.message} {self.remedy}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """The finding as `check --json` prints it."""
        return asdict(self)
