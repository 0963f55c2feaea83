"""`python -m scripts.verify_live`: what it does and costs, then a yes, then the probes and what they found."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cloudistill.core.errors import CloudistillError
from scripts.verify_live import listing, probes
from scripts.verify_live.desk import PROBES, Desk, Unsettled, Verdict
from scripts.verify_live.listing import Answer, Assumption, Priced

__all__ = ["main", "probes"]
Ask = Callable[[str], str]


def main(arguments: Sequence[str] | None = None, *, ask: Ask | None = None) -> int:
    """Plan, ask, probe, record, remove. 0 when everything that was asked for is settled, else 1; 2 for wrong usage.

    `ask` puts a question to a person; by default one is asked where there is a terminal.
    """
    asked = _parser().parse_args(arguments)
    everything = listing.read()
    try:
        chosen = everything.chosen(asked.what)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    _print_plan(everything, chosen)
    if asked.list:
        return 0
    if not (asked.yes or _agreed(ask)):
        print("Nothing was done.", file=sys.stderr)
        return 1
    try:
        settled = [_platform(name, [a for a in chosen if a.platform == name], asked) for name in listing.PLATFORMS]
    except KeyboardInterrupt:
        print("Interrupted: what was made is removed, but for what is named above.", file=sys.stderr)
        return 1
    return 0 if all(settled) and not any(one.person for one in chosen) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verify_live", description="Settles what no live account has confirmed.")
    parser.add_argument("what", nargs="*", metavar="PLATFORM|ID", help="which assumptions; all by default")
    parser.add_argument("--list", action="store_true", help="print the plan and its cost; nothing is sent")
    parser.add_argument("--yes", action="store_true", help="do not ask before spending")
    parser.add_argument("--keep", action="store_true", help="leave at the vendor what was made there")
    parser.add_argument(
        "--every", type=float, metavar="SECONDS", help="between looks at a job; the vendor's by default"
    )
    parser.add_argument("--answers", type=Path, default=listing.ANSWERS, metavar="FILE", help="where answers are kept")
    parser.add_argument("--today", type=date.fromisoformat, default=datetime.now(UTC).date(), help=argparse.SUPPRESS)
    return parser


# -- the plan


def _print_plan(everything: listing.Listing, chosen: Sequence[Assumption]) -> None:
    steps = everything.needed(chosen)
    for step in steps:
        print(f"{step.id}: {step.does} {_price(step)}")
    for one in chosen:
        print(f"{one.id}: {one.assume}\n    {'a person: ' if one.person else ''}{one.how} {_price(one)}")
    low, high = total([*steps, *chosen])
    minutes = sum(row.minutes for row in (*steps, *chosen))
    print(f"total: {_range(low, high)}, about {minutes / 60:.1f} hours, most of it waiting\n", flush=True)


def _price(row: Priced) -> str:
    cost = _range(*row.cost) if row.cost[1] else "free"
    why = f": {row.price}" if row.price else ""
    return f"[{cost}{why}; {row.minutes} min]" if row.minutes else f"[{cost}{why}]"


def _range(low: float, high: float) -> str:
    return f"{low:.2f} to {math.ceil(high * 100) / 100:.2f} USD"


def total(rows: Sequence[Priced]) -> tuple[float, float]:
    """US dollars for all of them: at least, at most."""
    return sum(row.cost[0] for row in rows), sum(row.cost[1] for row in rows)


def _agreed(ask: Ask | None) -> bool:
    if ask is None and not sys.stdin.isatty():
        print("There is no terminal to ask at: pass --yes to spend this.", file=sys.stderr)
        return False
    return (ask or input)("Spend this? [y/N] ").strip().lower() in {"y", "yes"}


# -- the probes


def _platform(name: str, chosen: Sequence[Assumption], asked: argparse.Namespace) -> bool:
    """Probe one vendor; whether all of it is settled."""
    due = [one for one in chosen if not one.person]
    if not due:
        return True
    with TemporaryDirectory() as folder:
        desk = _desk(name, Path(folder), asked)
        if desk is None:
            return False
        with _removing(desk, keep=asked.keep):
            settled = [_settle(desk, one, asked) for one in due]
            return all(settled)


def _desk(name: str, folder: Path, asked: argparse.Namespace) -> Desk | None:
    """The vendor's account, if it is set up, and a real one where answers go into the project's own file."""
    try:
        desk = Desk(name, folder, every=asked.every, today=asked.today)
        missing = [f"{finding.message} {finding.remedy}" for finding in desk.ask(desk.backend.preflight)]
    except CloudistillError as error:
        missing, desk = [str(error)], None
    if desk and desk.emulated and asked.answers.resolve() == listing.ANSWERS.resolve():
        missing.append("it is emulated, which settles nothing: name another file with --answers")
    for message in missing:
        print(f"{name}: {message}", file=sys.stderr)
    return None if missing else desk


@contextmanager
def _removing(desk: Desk, *, keep: bool) -> Generator[None]:
    """Remove in the end what was made, whatever happened, and say what is left."""
    try:
        try:
            yield
        finally:
            if not keep:
                desk.clean()
    finally:
        for what in desk.left:
            print(f"left at {desk.platform}: {what}", file=sys.stderr)


def _settle(desk: Desk, one: Assumption, asked: argparse.Namespace) -> bool:
    desk.say(one.id)
    found = _probed(desk, one)
    evidence = desk.fit_to_keep(found.evidence)
    print(f"{one.id}: {found.word}: {evidence}", flush=True)
    answer = Answer(
        id=one.id,
        platform=one.platform,
        verdict=found.word,
        evidence=evidence,
        when=asked.today,
        payer=desk.whose,
    )
    listing.record(answer, asked.answers)
    return found.word != "could not tell"


def _probed(desk: Desk, one: Assumption) -> Verdict:
    """The probe's verdict; trouble of any kind settles nothing, and does not stop the others."""
    try:
        return PROBES[one.id](desk)
    except (CloudistillError, Unsettled) as error:
        return Verdict("could not tell", str(error))
    except Exception as error:
        return Verdict("could not tell", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
