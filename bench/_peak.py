"""Does one piece of work on one file and prints the most memory it took, in bytes; `memory.py` runs it."""

from __future__ import annotations

import resource
import sys
from datetime import date
from pathlib import Path
from typing import Any

from cloudistill.backends.backend import connect
from cloudistill.core.refs import ModelRef
from cloudistill.formats import registry
from cloudistill.formats.dataset import Dataset, convert
from cloudistill.pipeline.checking import check


def checked(data: Path, student: str) -> None:
    check(data, ModelRef.parse(student), today=date(2026, 11, 24))


def converted(data: Path, name: str) -> None:
    with Path("/dev/null").open("wb") as out:
        convert(Dataset(data), registry.get(name), out)


def uploaded(data: Path, platform: str) -> None:
    backend: Any = connect(platform)
    backend.upload(data, fingerprint=f"{data.stat().st_size:064}")


WORK = {"check": checked, "convert": converted, "upload": uploaded}


def peak() -> int:
    """The largest resident set of this process, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts the parent's memory before exec in ru_maxrss
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


if __name__ == "__main__":
    WORK[sys.argv[1]](Path(sys.argv[3]), sys.argv[2])
    print(peak())
