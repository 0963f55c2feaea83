"""Every rule a file of lessons must keep before it trains a student; reads, counts and tells, sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Any

from cloudistill.core.finding import Finding
from cloudistill.core.jsonl import dump
from cloudistill.core.refs import ModelRef
from cloudistill.core.tokens import Count, Counter, counter
from cloudistill.formats import registry
from cloudistill.formats.dataset import DataRow, Dataset
from cloudistill.formats.format import CannotCarry, Format
from cloudistill.formats.lessons import lesson_findings
from cloudistill.pipeline.availability import Level, check_model, check_teacher, resolve_student
from cloudistill.pipeline.row_rules import RowRules
from cloudistill.platforms.platform import Model, Platform, load

__all__ = ["Check", "Tokens", "check", "check_model", "check_teacher", "resolve_student"]

MAX_FINDINGS = 10_000
TEXT = "text"
"""The rendering that spells tools as plain text, so that a vendor sees no tools in the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens of the rows that passed: `total` is likely, `least` and `most` are its bounds; `how` they were counted."""

    total: int
    least: int
    most: int
    longest: int
    how: str

    def __str__(self) -> str:
        return f"about {self.total:,} tokens, {self.longest:,} in the longest row ({self.how})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What became of every row, and every broken rule: those of the whole file first, then by line.

    `unanswered` counts rows that passed and wait for a teacher.
    """

    student: ModelRef
    rows_in: int
    rows_ok: int
    unanswered: int
    findings: tuple[Finding, ...]
    refused_lines: tuple[int, ...]
    tokens: Tokens
    bytes: int

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that refuse a row or the whole order."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    def to_json(self) -> dict[str, Any]:
        """The check as `check --json` prints it."""
        return {
            "student": str(self.student),
            "rows_in": self.rows_in,
            "rows_ok": self.rows_ok,
            "rows_refused": len(self.refused_lines),
            "unanswered": self.unanswered,
            "bytes": self.bytes,
            "tokens": {name: getattr(self.tokens, name) for name in ("total", "least", "most", "longest", "how")},
            "findings": [finding.to_json() for finding in self.findings],
        }


def check(
    data: Path | Dataset,
    student: ModelRef,
    *,
    today: date,
    teacher: ModelRef | None = None,
    allow_hourly: bool = False,
    allow_unanswered: bool = False,
    rendering: str | None = None,
    platform: Platform | None = None,
) -> Check:
    """Hold every row, the file and the models against every rule known here.

    `rendering` is the student's spelling of tools, None for the one it is used to; `platform` replaces
    the facts that come with the package.

    Raises:
        UsageError: the file cannot be read, or nothing is known about the platform.
    """
    dataset = data if isinstance(data, Dataset) else Dataset(data)
    facts = platform or load(student.platform)
    model = facts.model(student.id)
    spelling = registry.get(facts.format, rendering or (model.rendering if model else None))
    reading = _Reading(facts, model, spelling, str(dataset.path), allow_unanswered=allow_unanswered)
    for row in dataset.rows():
        reading.take(row)
    whole = [
        *check_model(student, today, allow_hourly=allow_hourly, platform=facts),
        *(check_teacher(teacher, today, needed=reading.unanswered > 0) if teacher else []),
        *reading.whole(),
    ]
    return Check(
        student=student,
        rows_in=reading.rows_in,
        rows_ok=reading.rows_in - len(reading.refused),
        unanswered=reading.unanswered,
        findings=(*whole, *reading.findings),
        refused_lines=tuple(reading.refused),
        tokens=reading.tokens(),
        bytes=reading.bytes,
    )


@dataclass(slots=True)
class _Judged:
    """One row: what is wrong with it, and its size as it would be sent, if it can be."""

    findings: list[Finding]
    tokens: Count | None = None
    bytes: int = 0


class _Reading:
    """One pass over the rows: each is judged and counted, none is kept."""

    def __init__(
        self, facts: Platform, model: Model | None, spelling: Format, file: str, *, allow_unanswered: bool
    ) -> None:
        self._facts, self._model, self._spelling, self._file = facts, model, spelling, file
        self._allow_unanswered = allow_unanswered
        self._counter: Counter = counter(facts.tokenizer)
        self._rules = RowRules(facts, model, native_tools=spelling.rendering != TEXT, how=self._counter.how)
        self._first_seen: dict[bytes, int] = {}
        self._uses_tools = False
        self.findings: list[Finding] = []
        self.untold = 0
        self.refused: list[int] = []
        self.rows_in = self.unanswered = self.bytes = 0
        self.total = self.least = self.most = self.longest = 0

    def take(self, row: DataRow) -> None:
        """Judge the next row and count it."""
        self.rows_in += 1
        judged = self._judge(row)
        self._tell(replace(finding, file=self._file, line=row.line) for finding in judged.findings)
        if judged.tokens is None or any(finding.level == "error" for finding in judged.findings):
            self.refused.append(row.line)
            return
        self.unanswered += row.example is not None and row.example.answer is None
        self.bytes += judged.bytes
        self._add(judged.tokens)

    def _tell(self, findings: Iterable[Finding]) -> None:
        """Keep the findings, up to a number that memory and a reader can bear; the rest are counted."""
        for finding in findings:
            if len(self.findings) < MAX_FINDINGS:
                self.findings.append(finding)
            else:
                self.untold += 1

    def _add(self, tokens: Count) -> None:
        self.total += tokens.likely
        self.least += tokens.least
        self.most += tokens.most
        self.longest = max(self.longest, tokens.likely)

    def tokens(self) -> Tokens:
        """The tokens of the rows that passed."""
        return Tokens(total=self.total, least=self.least, most=self.most, longest=self.longest, how=self._counter.how)

    def _judge(self, row: DataRow) -> _Judged:
        example = row.example
        if example is None:
            return _Judged(list(row.findings))
        findings = [*row.findings, *lesson_findings(example, needs_answer=not self._allow_unanswered)]
        try:
            line = dump(self._spelling.encode(example))
        except CannotCarry as refusal:
            return _Judged([*findings, refusal.finding()])
        self._uses_tools = self._uses_tools or self._rules.uses_tools(example)
        tokens = self._counter.count(example)
        findings += self._rules.broken(example, line.decode(), tokens)
        findings += self._repeated(line, row.line)
        return _Judged(findings, tokens, len(line) + 1)

    def _repeated(self, line: bytes, number: int) -> Iterator[Finding]:
        first = self._first_seen.setdefault(blake2b(line, digest_size=16).digest(), number)
        if first != number:
            message = f"the same lesson as line {first}."
            yield Finding(
                rule="duplicate-row", message=message, remedy="Keep one, unless it is to weigh double.", level="warning"
            )

    def whole(self) -> Iterator[Finding]:
        """What is wrong with the file as a whole."""
        if self.untold:
            message = f"{self.untold:,} more rules are broken than the {MAX_FINDINGS:,} that are listed."
            yield self._of_file("more-findings", message, "Mend these first.", "", "warning")
        if self._model is not None:
            yield from self._row_count(self._model, self.rows_in - len(self.refused))
            yield from self._doubtful_tools(self._model)
        limit = self._facts.limits.file_bytes
        if limit is not None and self.bytes > limit:
            message = f"the training file would be {self.bytes:,} bytes; {limit:,} is the most."
            yield self._of_file("file-too-large", message, "Train on fewer rows.", self._facts.limits.source)

    def _row_count(self, model: Model, rows: int) -> Iterator[Finding]:
        count = f"{rows:,} of {self.rows_in:,} rows can be used"
        if rows == 0:
            yield self._of_file("no-rows", f"{count}.", "Give at least one whole lesson.", "")
        elif model.min_rows is not None and rows < model.min_rows:
            message = f"{count}; {model.id} needs at least {model.min_rows:,}."
            yield self._of_file("too-few-rows", message, "Add lessons.", model.source)
        elif model.advised_rows is not None and rows < model.advised_rows:
            message = f"{count}; {model.advised_rows:,} are advised to start with."
            yield self._of_file(
                "few-rows", message, "Add lessons if the student learns little.", model.source, "warning"
            )
        if model.max_rows is not None and rows > model.max_rows:
            message = f"{count}; {model.id} takes {model.max_rows:,} at most."
            yield self._of_file("too-many-rows", message, "Choose the best of them.", model.source)

    def _doubtful_tools(self, model: Model) -> Iterator[Finding]:
        if self._uses_tools and model.tools is None:
            message = f"rows hold tools, and whether {model.id} takes them in training rows is not settled."
            yield self._of_file("tools-uncertain", message, "Try a small job first.", model.source, "warning")

    def _of_file(self, rule: str, message: str, remedy: str, source: str, level: Level = "error") -> Finding:
        return Finding(rule=rule, message=message, remedy=remedy, source=source, file=self._file, level=level)
