"""The runs recorded here, and several vendors' jobs side by side: newest first, filtered, read as far as asked."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from enum import StrEnum
from itertools import dropwhile, islice
from typing import TypeVar

from cloudistill.backends.backend import Backend, Trains, available
from cloudistill.core.errors import CloudistillError, UsageError
from cloudistill.core.job import Job, JobStatus, RunStatus
from cloudistill.core.refs import JobRef
from cloudistill.pipeline.retry import Patience, ask
from cloudistill.pipeline.run import Run, trainer_of
from cloudistill.pipeline.settings import connected
from cloudistill.pipeline.store import Store

EVERYWHERE = "all"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
Word = TypeVar("Word", bound=StrEnum)


def recorded(
    store: Store,
    *,
    status: str | None = None,
    since: date | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> list[Run]:
    """The runs of a store, newest first: those of one status, begun on `since` or later, listed after the run `after`.

    Raises:
        UsageError: there is no such status, or no run `after`.
    """
    wanted = status and _word(RunStatus, status)
    records = iter(store.runs())
    if after is not None:
        store.get(after)
        records = dropwhile(lambda record: record.name != after, records)
        next(records, None)
    fitting = (
        record for record in records if record.status == (wanted or record.status) and _begun(record.created, since)
    )
    return [Run(store, record) for record in islice(fitting, limit)]


@dataclass(kw_only=True)
class Jobs:
    """The tuning jobs of several accounts. Each pass asks the vendors anew, page by page, as far as it goes.

    With `everywhere` a platform that does not train is left out, else it is a trouble. `runs` names the run here that
    a job belongs to. `troubles` holds, after a pass, what kept a vendor's jobs, or the rest of them, from being
    listed; the others' are listed all the same.
    """

    at: tuple[str, ...]
    everywhere: bool = False
    status: JobStatus | None = None
    since: date | None = None
    limit: int | None = None
    after: JobRef | None = None
    backends: Mapping[str, Backend] = field(default_factory=dict[str, Backend])
    runs: Mapping[JobRef, str] = field(default_factory=dict[JobRef, str])
    patience: Patience = field(default_factory=lambda: Patience(total=10.0))
    troubles: dict[str, CloudistillError] = field(default_factory=dict[str, CloudistillError])

    def __iter__(self) -> Iterator[Job]:
        self.troubles.clear()
        merged: Iterable[Job] = heapq.merge(*map(self._listed, self.at), key=_created, reverse=True)
        if self.after is not None:
            merged = self._rest(iter(merged), self.after)
        return islice(filter(self._fits, merged), self.limit)

    def _fits(self, job: Job) -> bool:
        return self.status in (None, job.status) and _begun(job.created, self.since)

    def _listed(self, platform: str) -> Iterator[Job]:
        """One vendor's jobs, until there are no more, or it is in trouble."""
        try:
            backend = connected(platform, self.backends)
            if self.everywhere and not isinstance(backend, Trains):
                return
            pages = _Pages(trainer_of(backend))
            while (job := ask(backend, pages.next, self.patience)) is not None:
                yield job
        except CloudistillError as error:
            self.troubles[platform] = error

    def _rest(self, merged: Iterator[Job], after: JobRef) -> Iterator[Job]:
        for job in merged:
            if job.ref == after:
                break
        else:
            if trouble := self.troubles.get(after.platform):  # it may be among those that could not be listed
                raise trouble
            raise UsageError(f"{str(after)!r} is none of the jobs of {', '.join(self.at)}: give one that was listed")
        yield from merged


def at_vendors(
    at: Sequence[str],
    store: Store,
    *,
    status: str | None = None,
    since: date | None = None,
    limit: int | None = None,
    after: str | None = None,
    backends: Sequence[Backend] = (),
) -> Jobs:
    """The jobs of the accounts at these platforms; `all` is every platform that is installed and trains.

    Raises:
        UsageError: there is no such platform or status, or `after` is no reference.
    """
    known = {*available(), *(backend.platform for backend in backends)}
    platforms = sorted(known) if EVERYWHERE in at else list(dict.fromkeys(at))
    if unknown := sorted(set(platforms) - known):
        raise UsageError(f"there is no platform {unknown[0]!r}; installed here: {', '.join(sorted(known))}")
    jobs = ((record.facts.get("job"), record.name) for record in reversed(store.runs()))
    return Jobs(
        at=tuple(platforms),
        everywhere=EVERYWHERE in at,
        status=_word(JobStatus, status) if status else None,
        since=since,
        limit=limit,
        after=JobRef.parse(after) if after else None,
        backends={backend.platform: backend for backend in backends},
        runs={JobRef.parse(job): run for job, run in jobs if job},
    )


@dataclass
class _Pages:
    """One vendor's list that can be gone on with after a page that failed: begun anew, without what was given."""

    backend: Trains
    _jobs: Iterator[Job] | None = None
    _given: set[JobRef] = field(default_factory=set[JobRef])

    def next(self) -> Job | None:
        """The next job, or None after the last."""
        if self._jobs is None:
            self._jobs = (job for job in self.backend.list() if job.ref not in self._given)
        try:
            job = next(self._jobs, None)
        except Exception:
            self._jobs = None
            raise
        if job is not None:
            self._given.add(job.ref)
        return job


def _created(job: Job) -> datetime:
    return job.created or _LONG_AGO


def _begun(created: datetime | None, since: date | None) -> bool:
    return since is None or (created or _LONG_AGO) >= datetime.combine(since, time(), UTC)


def _word(kind: type[Word], text: str) -> Word:
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"there is no status {text!r}: there are {', '.join(kind)}") from None
