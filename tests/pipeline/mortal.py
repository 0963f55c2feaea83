"""A store whose process dies, for what must hold however an order is cut short."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import Connection

from cloudistill import Store


class Killed(BaseException):
    """The process dies here."""


class Mortal(Store):
    """A store whose process dies at its n-th transaction, before or after it is durable."""

    def __init__(self, where: Path, dies_at: int, *, durable: bool) -> None:
        self.countdown, self.durable = dies_at, durable
        super().__init__(where)

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        self.countdown -= 1
        if self.countdown == 0 and not self.durable:
            raise Killed
        with super()._writing() as db:
            yield db
        if self.countdown == 0:
            raise Killed
