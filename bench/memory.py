"""How much more memory a large file takes than one of 1 MB, through check, convert and upload: `--size` in MB."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from _common import MEGABYTE, Verdict, describe, emulated, lessons_of_size

LIMIT = 100.0
PEAK = Path(__file__).with_name("_peak.py")
WORK = (
    ("check", "openai:gpt-4.1-mini-2025-04-14"),
    ("check", "bedrock:amazon.nova-micro-v1:0:128k"),
    ("check", "vertex:gemini-3.5-flash"),
    ("convert", "bedrock-conversation"),
    ("convert", "gemini-contents"),
    ("upload", "bedrock"),
    ("upload", "vertex"),
    ("upload", "openai"),
)


def peak(work: str, of: str, data: Path) -> float:
    """MB that a process of its own took at the most."""
    command = [sys.executable, str(PEAK), work, of, str(data)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return int(done.stdout) / MEGABYTE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=200, help="of the large file, in MB (200)")
    size = parser.parse_args().size
    verdict = Verdict()
    with TemporaryDirectory() as folder:
        small = lessons_of_size(Path(folder) / "small.jsonl", MEGABYTE)
        large = lessons_of_size(Path(folder) / "large.jsonl", size * MEGABYTE)
        describe(small)
        describe(large)
        for work, of in WORK:
            measure(verdict, work, of, small, large)
    verdict.leave()


def measure(verdict: Verdict, work: str, of: str, small: Path, large: Path) -> None:
    """Hold the two peaks against each other; each upload goes to an emulator that has nothing yet."""
    if work == "upload":
        with emulated(of):
            peaks = peak(work, of, small), peak(work, of, large)
    else:
        peaks = peak(work, of, small), peak(work, of, large)
    print(f"{work} {of}: {peaks[0]:.0f} MB for the small file, {peaks[1]:.0f} MB for the large one")
    verdict.at_most(f"{work} {of}, MB more", peaks[1] - peaks[0], LIMIT)


if __name__ == "__main__":
    main()
