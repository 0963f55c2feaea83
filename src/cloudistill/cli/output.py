"""What commands print: tables and words for people, one JSON document for scripts, and never a bare traceback."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloudistill.core.errors import CloudistillError, Refused
from cloudistill.core.finding import Finding

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

ALIKE = 3  # findings of one kind that are shown one by one
WIDE = 120
_PIPED_WIDTH = 200  # a file has no width of its own
out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
err = Console(highlight=False, width=None if sys.stderr.isatty() else _PIPED_WIDTH, stderr=True)


def plain(value: object) -> Text:
    """Any value as text that a terminal shows and never obeys: no markup, no escape codes, no direction marks."""
    if value is None or value == "":
        return Text("–", style="dim")
    text = str(value)
    return Text("".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text))


def say(message: object, style: str = "") -> None:
    """A sentence for the person at the terminal, on stderr."""
    text = plain(message)
    text.stylize(style)
    err.print(text, soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, narrow: int | None = None) -> Table:
    """A table whose cells are shown as they are; the first column keeps its lines whole where there is room.

    A narrow terminal gets no more than the first `narrow` columns.
    """
    shown = None if out.width >= WIDE else narrow
    grid = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns[:shown]):
        grid.add_column(column, overflow="fold", no_wrap=number == 0 and out.width >= WIDE)
    for row in rows:
        grid.add_row(*(plain(cell) for cell in row[:shown]))
    return grid


def show(document: Any, as_json: bool, human: Any = None) -> None:
    """Print the document for scripts, or what a person would rather see."""
    if as_json:
        text = json.dumps(document, ensure_ascii=False, default=str)
        sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")  # a lone surrogate as JSON's escape
    elif human is not None:
        out.print(human)


def show_findings(findings: Sequence[Finding], limit: int = 20) -> None:
    """Findings for a person, on stderr: a few of each kind, up to `limit` lines; the rest are counted."""
    kinds = Counter((finding.rule, finding.message) for finding in findings)
    shown: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        kind = finding.rule, finding.message
        if shown[kind] < ALIKE and shown.total() < limit:
            shown[kind] += 1
            say(finding, "red" if finding.is_error else "yellow")
    rest = kinds - shown
    if rest:
        rules = Counter[str]()
        for (rule, _), count in rest.items():
            rules[rule] += count
        counted = ", ".join(f"{rule} {count}" for rule, count in sorted(rules.items()))
        say(f"… and {rest.total()} more: {counted} (all of them with --json)", "dim")


def report(error: CloudistillError, as_json: bool) -> None:
    """Say what went wrong: the message for a person, findings first, or one JSON document."""
    findings = error.findings if isinstance(error, Refused) else ()
    if as_json:
        document = {
            "error": {"kind": type(error).__name__, "message": error.message, "exit_code": error.exit_code},
            "findings": [finding.to_json() for finding in findings],
        }
        show(document, as_json=True)
    elif len(findings) > 1:
        show_findings(findings)
    say(f"{type(error).__name__}: {error.message}", "bold red")
