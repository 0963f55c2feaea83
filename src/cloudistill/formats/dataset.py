"""A Dataset: Examples in a JSONL file, streamed row by row, and its conversion into another format."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from cloudistill.core import jsonl
from cloudistill.core.errors import UsageError
from cloudistill.core.example import Example
from cloudistill.core.finding import Finding
from cloudistill.formats import openai_rows, registry, turns
from cloudistill.formats.bedrock_conversation import shows_rendering
from cloudistill.formats.format import CannotCarry, Format
from cloudistill.formats.lessons import lesson_findings
from cloudistill.formats.openai_chat import OpenAIChat

_BATCH_BYTES = 256 * 1024

__all__ = ["Conversion", "DataRow", "Dataset", "convert", "lesson_findings", "write"]


class DataRow(Struct, frozen=True):
    """One line of a dataset: its Example, or None and the findings that refuse it."""

    line: int
    example: Example | None
    findings: tuple[Finding, ...] = ()
    file: str = ""


class Dataset:
    """Examples in a JSONL file; each pass over `rows` reads the file again and holds one row at a time."""

    def __init__(self, path: Path | str, format: Format | None = None) -> None:  # noqa: A002
        """Nothing is read yet but the file's kind.

        Raises:
            UsageError: the path is missing, empty, or not a regular file.
        """
        self.path = Path(path)
        self._given = format
        _check_file(self.path)

    def rows(self) -> Iterator[DataRow]:
        """Every line in order, as an Example or as the findings that refuse it."""
        spelling, file = _Spelling(self._given), str(self.path)
        for number, line in enumerate(jsonl.lines(self.path), 1):
            example = spelling.quickly(line)
            yield self._carefully(number, line, spelling) if example is None else DataRow(number, example, (), file)

    def _carefully(self, number: int, line: bytes | None, spelling: _Spelling) -> DataRow:
        row = jsonl.row(self.path, number, line)
        if row.value is None:
            return DataRow(number, None, (row.finding,) if row.finding else (), str(self.path))
        try:
            example = spelling.of(row.value).decode(row.value)
            turns.check(example.messages)
        except CannotCarry as refusal:
            return DataRow(number, None, (refusal.finding(str(self.path), number),), str(self.path))
        return DataRow(number, example, (), str(self.path))

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the file's bytes in hex."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class _Spelling:
    """The one format of a file, learnt from its rows; a Bedrock row without tools fits either rendering."""

    def __init__(self, given: Format | None) -> None:
        self._known, self._settled = given, given is not None

    def quickly(self, line: bytes | None) -> Example | None:
        """The example of a usual line of the format known so far; None where the careful readers must look."""
        return openai_rows.quickly(line) if type(self._known) is OpenAIChat else None

    def of(self, record: dict[str, Any]) -> Format:
        """The file's format, if this row is spelled in it. Raises CannotCarry (`mixed-formats`) if it is not."""
        found = registry.detect(record)
        known = self._known
        plain = found.rendering is not None and shows_rendering(record) is None
        if known is None or (not self._settled and known.name == found.name):
            self._known, self._settled = found, not plain
            return found
        if known.name != found.name or not (plain or known.rendering == found.rendering):
            raise CannotCarry(
                "mixed-formats",
                f"this row is {_words(found)}, and the file's first is {_words(known)}.",
                "Keep one format in a file: convert the parts one by one, then join them.",
            )
        return known


def _words(spelling: Format) -> str:
    return spelling.name if spelling.rendering is None else f"{spelling.name} ({spelling.rendering})"


def _check_file(path: Path) -> None:
    try:
        about = path.stat()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{str(path)!r} cannot be read: {why}. Give a JSONL file.") from error
    if stat.S_ISDIR(about.st_mode):
        raise UsageError(f"{str(path)!r} is a folder. Give one JSONL file in it.")
    if not stat.S_ISREG(about.st_mode):
        raise UsageError(f"{str(path)!r} is not a regular file. Save its content to a file: it is read more than once.")
    if about.st_size == 0:
        raise UsageError(f"{str(path)!r} is empty. Give a JSONL file with one example in each line.")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{str(path)!r} may not be read by this user. Change its permissions.")


@dataclass(slots=True)
class Conversion:
    """What became of the rows: `rows_in` is `rows_out` and the rows refused, each with its findings.

    `fingerprint` is the SHA-256 of the bytes written.
    """

    rows_in: int = 0
    rows_out: int = 0
    fingerprint: str = ""
    findings: list[Finding] = field(default_factory=list[Finding])

    @property
    def refused(self) -> int:
        """The rows that were not written."""
        return self.rows_in - self.rows_out


def convert(dataset: Dataset, to: Format, out: BinaryIO) -> Conversion:
    """Write every row of `dataset` that `to` can carry, in order; the rest is in the findings."""
    return write(dataset.rows(), to, out)


def write(rows: Iterable[DataRow], to: Format, out: BinaryIO) -> Conversion:
    """Write rows as lines of `to`, a few in memory at a time, hashing what is written."""
    done, lines = Conversion(), _Lines(out)
    for row in rows:
        done.rows_in += 1
        done.findings += row.findings
        if row.example is None:
            continue
        try:
            lines.add(jsonl.dump(to.encode(row.example)))
        except CannotCarry as refusal:
            done.findings.append(refusal.finding(row.file, row.line))
        else:
            done.rows_out += 1
    done.fingerprint = lines.flushed()
    return done


class _Lines:
    """Lines on their way into a file: written and hashed in batches."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._batch, self._digest = out, bytearray(), hashlib.sha256()

    def add(self, line: bytes) -> None:
        self._batch += line
        self._batch += b"\n"
        if len(self._batch) >= _BATCH_BYTES:
            self.flushed()

    def flushed(self) -> str:
        """The SHA-256 of everything so far, all of it written."""
        self._out.write(self._batch)
        self._digest.update(self._batch)
        self._batch = bytearray()
        return self._digest.hexdigest()
