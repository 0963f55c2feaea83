"""projects.locations.tuningJobs: create, get, list, cancel. There is no delete, and no server-side idempotency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudistill.emulators.teacher import Teacher
from cloudistill.emulators.vertex.call import NUMBER, Call, Rule
from cloudistill.emulators.vertex.contract import parse, read, without_beta
from cloudistill.emulators.vertex.errors import GoogleError
from cloudistill.emulators.vertex.jobs import FINAL, Job
from cloudistill.emulators.vertex.ledger import Ledger
from cloudistill.emulators.vertex.listing import page
from cloudistill.emulators.vertex.orders import check_order
from cloudistill.emulators.vertex.storage import Buckets

Body = dict[str, Any]


class TuningService:
    """Takes orders and shows what became of them. `invited`: the project is on the list of Gemini's distillation."""

    def __init__(self, ledger: Ledger, buckets: Buckets, teacher: Teacher) -> None:
        self._ledger, self._buckets, self._teacher = ledger, buckets, teacher
        self.invited = True

    def rules(self) -> Iterator[Rule]:
        """Its methods."""
        yield Rule("POST", "tuningJobs", "aiplatform.tuningJobs.create", self.create)
        yield Rule("GET", "tuningJobs", "aiplatform.tuningJobs.list", self.list)
        yield Rule("GET", "tuningJobs/{id}", "aiplatform.tuningJobs.get", self.get)
        yield Rule("POST", "tuningJobs/{id}:cancel", "aiplatform.tuningJobs.cancel", self.cancel)

    def create(self, call: Call) -> Body:
        """A new job, however often the same order was sent."""
        order = read("TuningJob", parse(call.body), at="tuning_job", version=call.version)
        model = check_order(order, location=call.location, now=call.now, buckets=self._buckets, invited=self.invited)
        job = self._ledger.add(
            project=NUMBER,
            location=call.location,
            base=order["baseModel"],
            model=model,
            order=order,
            created=call.now,
            buckets=self._buckets,
            teacher=self._teacher,
        )
        return _shown(job, call)

    def get(self, call: Call) -> Body:
        """The job as it stands."""
        return _shown(self._job(call), call)

    def list(self, call: Call) -> Body:
        """The location's jobs, newest first."""
        jobs = [job for job in reversed(self._ledger.all()) if job.location == call.location]
        return page("tuningJobs", [_shown(job, call) for job in jobs], call.query)

    def cancel(self, call: Call) -> Body:
        """Ask the job to stop; it takes a while."""
        job = self._job(call)
        state, _ = job.state(call.now)
        if state in FINAL:
            text = f"The tuning job {job.name} is in state {state} and can not be cancelled."
            raise GoogleError("FAILED_PRECONDITION", text)
        job.cancel(call.now)
        return {}

    def _job(self, call: Call) -> Job:
        name = f"{call.parent}/tuningJobs/{call.id}"
        job = self._ledger.jobs.get(name)
        if job is None:
            raise GoogleError("NOT_FOUND", f"The TuningJob {name} is not found.")
        return job


def _shown(job: Job, call: Call) -> Body:
    body = job.resource(call.now)
    return without_beta("TuningJob", body) if call.version == "v1" else body
