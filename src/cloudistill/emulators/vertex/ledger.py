"""Everything the project has ordered, and what of the things that came out is taken down."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

from cloudistill.emulators.vertex.errors import GoogleError
from cloudistill.emulators.vertex.jobs import Job, resource_id


class Ledger:
    """Every job of the project in the order they came, and which of the things they made have been taken down."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.removed: dict[str, datetime] = {}
        self.undeployed: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def add(self, **order: Any) -> Job:
        """A new job; the same order again is another job."""
        with self._lock:
            job = Job(id=resource_id(len(self.jobs), order["location"]), **order)
            self.jobs[job.name] = job
            return job

    def all(self) -> list[Job]:
        """The jobs, oldest first."""
        with self._lock:
            return list(self.jobs.values())

    def is_removed(self, name: str, now: datetime) -> bool:
        """Whether a model or an endpoint is gone."""
        return name in self.removed and now >= self.removed[name]

    def is_undeployed(self, endpoint: str, now: datetime) -> bool:
        """Whether nothing is deployed at an endpoint any more."""
        return endpoint in self.undeployed and now >= self.undeployed[endpoint]

    def succeeded(self, now: datetime) -> list[Job]:
        """The jobs that made a model, newest first."""
        return [job for job in reversed(self.all()) if job.state(now)[0] == "JOB_STATE_SUCCEEDED"]

    def endpoints(self, now: datetime) -> dict[str, tuple[Job, int]]:
        """The endpoints that stand, each with its job and the epochs its student has learnt."""
        made = ((name, job, epoch) for job in self.succeeded(now) for name, epoch in job.endpoints().items())
        return {name: (job, epoch) for name, job, epoch in made if not self.is_removed(name, now)}

    def endpoint(self, name: str, now: datetime) -> tuple[Job, int]:
        """One of them. Raises GoogleError when nothing of that whole name, location included, stands."""
        found = self.endpoints(now).get(name)
        if found is None:
            raise GoogleError("NOT_FOUND", f"Endpoint `{name}` not found.")
        return found
