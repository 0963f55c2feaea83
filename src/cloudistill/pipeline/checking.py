"""Every rule a file of lessons must keep before it trains a student; reads, counts and tells, sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from cloudistill.core.finding import Finding
from cloudistill.core.jsonl import dump
from cloudistill.core.refs import ModelRef
from cloudistill.core.tally import Tally, Tokens
from cloudistill.core.tokens import counter
from cloudistill.formats import registry
from cloudistill.formats.dataset import DataRow, Dataset
from cloudistill.formats.format import CannotCarry, Format
from cloudistill.formats.lessons import lesson_findings
from cloudistill.pipeline.availability import Level, check_model, check_teacher, resolve_student
from cloudistill.pipeline.repeats import Repeats
from cloudistill.pipeline.row_rules import RowRules
from cloudistill.platforms.model import Model
from cloudistill.platforms.platform import Platform, load

__all__ = ["Check", "Tokens", "check", "check_model", "check_teacher", "resolve_student"]

MAX_FINDINGS = 10_000
TEXT = "text"
"""The rendering that spells tools as plain text, so that a vendor sees no tools in the rows."""


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
    reading = _Reading(facts, model, spelling, dataset.path, allow_unanswered=allow_unanswered)
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


class _Reading:
    """One pass over the rows: each is judged and counted, none is kept."""

    def __init__(
        self, facts: Platform, model: Model | None, spelling: Format, file: Path, *, allow_unanswered: bool
    ) -> None:
        self._facts, self._model, self._spelling, self._file = facts, model, spelling, str(file)
        self._allow_unanswered = allow_unanswered
        counting = counter(facts.tokenizer)
        self._tally = Tally(counting, expected=file.stat().st_size)
        self._rules = RowRules(facts, model, native_tools=spelling.rendering != TEXT, counter=counting)
        self._repeats = Repeats()
        self._uses_tools = False
        self.findings: list[Finding] = []
        self.untold = 0
        self.refused: list[int] = []
        self.rows_in = self.unanswered = self.bytes = 0

    def take(self, row: DataRow) -> None:
        """Judge the next row and count it."""
        self.rows_in += 1
        findings, size = self._judge(row)
        self._tell(findings, row.line)
        if row.example is None or not size or (findings and any(finding.is_error for finding in findings)):
            self.refused.append(row.line)
            return
        self.unanswered += row.example.answer is None
        self.bytes += size
        self._tally.add(row.example, size)

    def _tell(self, findings: Iterable[Finding], line: int) -> None:
        """Keep the findings, up to a number that memory and a reader can bear; the rest are counted."""
        for finding in findings:
            if len(self.findings) < MAX_FINDINGS:
                self.findings.append(finding if finding.line else replace(finding, file=self._file, line=line))
            else:
                self.untold += 1

    def tokens(self) -> Tokens:
        """The tokens of the rows that passed."""
        return self._tally.tokens()

    def _judge(self, row: DataRow) -> tuple[list[Finding], int]:
        """What is wrong with the row, and its bytes as it would be sent: 0 if it cannot be."""
        example = row.example
        if example is None:
            return [*row.findings], 0
        findings = [*row.findings, *lesson_findings(example, needs_answer=not self._allow_unanswered)]
        try:
            line = dump(self._spelling.encode(example))
        except CannotCarry as refusal:
            return [*findings, refusal.finding()], 0
        self._uses_tools = self._uses_tools or self._rules.uses_tools(example)
        findings += self._rules.broken(example, line)
        first = self._repeats.first(line, row.line)
        if first != row.line:
            findings.append(self._repeated(row.line, first))
        return findings, len(line) + 1

    def _repeated(self, line: int, first: int) -> Finding:
        return Finding(
            rule="duplicate-row",
            message=f"the same lesson as line {first}.",
            remedy="Keep one, unless it is to weigh double.",
            file=self._file,
            line=line,
            level="warning",
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
