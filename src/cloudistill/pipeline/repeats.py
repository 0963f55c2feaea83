"""Which lines of a file were there before: in fifty bytes a line at the most, so that long files fit in memory."""

from __future__ import annotations

from array import array
from hashlib import blake2b

FULL = 0.7


class Repeats:
    """The number under which each line was first seen.

    Lines are known by 64 bits of their hash, in a table that doubles when it is `FULL`: two unlike lines of a
    million are taken for one in one file of forty million.
    """

    def __init__(self, slots: int = 1 << 12) -> None:
        """`slots` is a power of two."""
        self._seen = 0
        self._make(slots)

    def _make(self, slots: int) -> None:
        self._mask = slots - 1
        self._most = int(slots * FULL)
        self._marks, self._numbers = array("Q", [0]) * slots, array("I", [0]) * slots

    def first(self, line: bytes, number: int) -> int:
        """The number, from 1, under which the same line was taken first: `number` itself, if it is new."""
        mark = int.from_bytes(blake2b(line, digest_size=8).digest(), "little")
        slot = self._slot(mark)
        if known := self._numbers[slot]:
            return known
        self._marks[slot], self._numbers[slot] = mark, number
        self._seen += 1
        if self._seen > self._most:
            self._grow()
        return number

    def _slot(self, mark: int) -> int:
        """Where the mark lies, or else the free place for it."""
        slot = mark & self._mask
        while self._numbers[slot] and self._marks[slot] != mark:
            slot = (slot + 1) & self._mask
        return slot

    def _grow(self) -> None:
        marks, numbers = self._marks, self._numbers
        self._make(2 * len(marks))
        for mark, number in zip(marks, numbers, strict=True):
            if number:
                slot = self._slot(mark)
                self._marks[slot], self._numbers[slot] = mark, number
