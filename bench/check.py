"""How fast `check` is with every rule, against bare `orjson.loads` and `dumps`: rows per CPU second."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from _common import Verdict, bare, describe, interleaved, lessons

from cloudistill.core.refs import ModelRef
from cloudistill.pipeline.checking import check

LIMIT = 0.12
STUDENTS = (
    "openai:gpt-4.1-mini-2025-04-14",
    "bedrock:amazon.nova-micro-v1:0:128k",
    "vertex:gemini-3.5-flash",
)


def main() -> None:
    verdict = Verdict()
    with TemporaryDirectory() as folder:
        data = lessons(Path(folder) / "lessons.jsonl", times=4)
        rows = describe(data)
        for student in map(ModelRef.parse, STUDENTS):
            plain, checked = interleaved(5, bare(data), lambda: check(data, student, today=date(2026, 11, 24)))  # noqa: B023
            print(f"{student}: {rows / checked:,.0f} rows/s checked, {rows / plain:,.0f} rows/s bare")
            verdict.at_least(f"check for {student.platform}, of bare orjson", plain / checked, LIMIT)
    verdict.leave()


if __name__ == "__main__":
    main()
