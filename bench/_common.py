"""What the benchmarks share: data and what is in it, emulators in another process, figures held to limits."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NoReturn

import orjson

from cloudistill.demo import corpus

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "data" / "bfcl-train.openai.jsonl"
MEGABYTE = 1_000_000


def lessons(path: Path, *, times: int) -> Path:
    """Write `times` copies of the real lessons there; of the demo's, where those are not beside the checkout."""
    if REAL.exists():
        path.write_bytes(REAL.read_bytes() * times)
    else:
        corpus.write(path, 1_400 * times, seed=1, part="train")
    return path


def lessons_of_size(path: Path, size: int) -> Path:
    """Write at least `size` bytes of lessons; each carries its number, so that none is like another."""
    one = lessons(path, times=1).read_bytes().splitlines()
    written = number = 0
    with path.open("wb") as file:
        while written < size:
            row = orjson.loads(one[number % len(one)])
            row["messages"][-2 if len(row["messages"]) > 1 else -1]["content"] += f" (no. {number})"
            written += file.write(orjson.dumps(row) + b"\n")
            number += 1
    return path


def describe(path: Path) -> int:
    """Print what was measured on: hash, size, rows, distinct lists of tools. The number of rows."""
    rows, tools = 0, set[str]()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        for line in file:
            rows += 1
            tools.add(hashlib.sha256(json.dumps(orjson.loads(line).get("tools")).encode()).hexdigest())
    megabytes = path.stat().st_size / MEGABYTE
    print(
        f"data: sha256 {digest[:16]}, {megabytes:,.1f} MB, {rows:,} rows, {len(tools):,} distinct tool lists",
        flush=True,
    )
    return rows


@dataclass
class Verdict:
    """Figures against their limits; `leave` ends the program, with 1 if one was missed."""

    missed: list[str] = field(default_factory=list[str])

    def at_least(self, name: str, value: float, limit: float) -> None:
        """Print the figure, which should not be below the limit."""
        self._tell(name, value, f"limit: at least {limit:g}", kept=value >= limit)

    def at_most(self, name: str, value: float, limit: float) -> None:
        """Print the figure, which should not be above the limit."""
        self._tell(name, value, f"limit: at most {limit:g}", kept=value <= limit)

    def _tell(self, name: str, value: float, limit: str, *, kept: bool) -> None:
        print(f"{'ok    ' if kept else 'MISSED'}  {name}: {value:.3g} ({limit})", flush=True)
        if not kept:
            self.missed.append(name)

    def leave(self) -> NoReturn:
        """End: 0 if every limit was kept."""
        sys.exit(1 if self.missed else 0)


def interleaved(
    rounds: int, *tasks: Callable[[], object], clock: Callable[[], float] = time.process_time
) -> list[float]:
    """The median seconds of each task, run in turns so that a busy machine slows them alike."""
    spent: list[list[float]] = [[] for _ in tasks]
    for _ in range(rounds):
        for seconds, task in zip(spent, tasks, strict=True):
            begun = clock()
            task()
            seconds.append(clock() - begun)
    return [median(seconds) for seconds in spent]


def children_seconds() -> float:
    """CPU time of the processes that have ended: a clock for tasks that start one and wait for it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # os.times tells hundredths of a second
    return used.ru_utime + used.ru_stime


def bare(path: Path) -> Callable[[], None]:
    """The yardstick: every line through `orjson.loads` and `orjson.dumps`."""

    def run() -> None:
        with path.open("rb") as lines:
            for line in lines:
                orjson.dumps(orjson.loads(line))

    return run


@contextmanager
def emulated(*platforms: str) -> Generator[dict[str, str]]:
    """The vendors' emulators in another process, and the variables that lead there; this process gets them too."""
    command = [sys.executable, "-m", "cloudistill", "emulate", *platforms, "--json", "--today", "2026-11-24"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603
    try:
        line = process.stdout.readline() if process.stdout else ""
        environment: dict[str, str] = json.loads(line)["environment"]
        os.environ |= environment
        yield environment
    finally:
        process.terminate()  # a job in the background ignores SIGINT, and so do its children
        process.wait()
