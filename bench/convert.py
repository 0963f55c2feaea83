"""How fast `convert` is from openai-chat, with tools, against bare `orjson.loads` and `dumps`: rows per CPU second.

The file to convert may be given as an argument.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from _common import REAL, Verdict, bare, describe, interleaved, lessons

from cloudistill.formats import registry
from cloudistill.formats.dataset import Conversion, Dataset, convert

LIMIT = 0.25
ROUNDS = 7
DIRECTIONS = ("bedrock-conversation", "gemini-contents")


def converting(data: Path, to: str, out: Path) -> Callable[[], Conversion]:
    """Read, check, convert, hash and write every row; nothing is kept from one row to the next."""

    def run() -> Conversion:
        with out.open("wb") as file:
            return convert(Dataset(data), registry.get(to), file)

    return run


def copying(data: Path, out: Path) -> Callable[[], None]:
    """The yardstick with what it leaves out: the lines are written to a file as well."""

    def run() -> None:
        with data.open("rb") as lines, out.open("wb") as file:
            for line in lines:
                file.write(orjson.dumps(orjson.loads(line)) + b"\n")

    return run


def measure(data: Path, folder: Path, verdict: Verdict) -> None:
    rows = describe(data)
    nowhere, out = Path(os.devnull), folder / "out.jsonl"
    for name in DIRECTIONS:
        refused = converting(data, name, nowhere)().refused
        plain, converted, copied, written = interleaved(
            ROUNDS,
            bare(data),
            converting(data, name, nowhere),
            copying(data, out),
            converting(data, name, out),
        )
        print(f"{name}: {rows / converted:,.0f} rows/s ({refused:,} refused), {rows / plain:,.0f} rows/s bare")
        print(f"{name}, written to a file: {copied / written:.3g} of bare orjson that writes one too")
        verdict.at_least(f"convert to {name}, of bare orjson", plain / converted, LIMIT)


def main() -> None:
    verdict = Verdict()
    with TemporaryDirectory() as name:
        folder = Path(name)
        if len(sys.argv) > 1:
            data = Path(sys.argv[1])
        else:
            data = lessons(folder / "lessons.jsonl", times=4)
            print(
                "lessons: the real ones, four times" if REAL.exists() else "lessons: the demo's; no real ones are here"
            )
        measure(data, folder, verdict)
    verdict.leave()


if __name__ == "__main__":
    main()
