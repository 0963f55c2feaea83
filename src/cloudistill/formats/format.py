"""What a Format is: two functions that undo each other, and the refusal of what a format cannot carry."""

from __future__ import annotations

from typing import Any, Protocol

from cloudistill.core.example import Example
from cloudistill.core.finding import Finding


class CannotCarry(Exception):
    """A row, or an example, that a format cannot hold without loss; becomes a Finding for its line."""

    def __init__(self, rule: str, message: str, remedy: str, *, source: str = "") -> None:
        super().__init__(message)
        self.rule, self.message, self.remedy, self.source = rule, message, remedy, source

    def finding(self, file: str = "", line: int = 0) -> Finding:
        """The refusal as the Finding of a line of `file`; 0 is the file as a whole."""
        return Finding(
            rule=self.rule, message=self.message, remedy=self.remedy, source=self.source, file=file, line=line
        )


class Format(Protocol):
    """A vendor's spelling of one Example. `decode(encode(x)) == normalise(x)` for every x that `encode` accepts.

    `rendering` says how tools are spelled where a vendor has more than one way (`text` or `tool-config`), else None;
    it is recorded with a run, because a student must be called as it was trained.
    """

    name: str
    rendering: str | None

    def encode(self, example: Example) -> dict[str, Any]:
        """The vendor's row, or its question while the answer is missing. Raises CannotCarry for what would be lost."""
        ...

    def decode(self, record: dict[str, Any]) -> Example:
        """Our Example. Raises CannotCarry for anything unknown, malformed, or that an Example cannot hold."""
        ...

    def normalise(self, example: Example) -> Example:
        """What is left of `example` after a round trip: the format's listed normalisations applied."""
        ...
