"""The step that every vendor has: one tiny tuned job, watched from its order to its model."""

from __future__ import annotations

import time
from dataclasses import dataclass

from cloudistill.backends.backend import Request
from cloudistill.core.errors import PlatformError
from cloudistill.core.example import Example, Message
from cloudistill.core.job import Job, JobSpec
from cloudistill.core.refs import ModelRef
from scripts.verify_live.desk import Desk, Unsettled, Verdict, words

LISTED_WITHIN = 60.0
"""Seconds for which an order is looked for."""


@dataclass(frozen=True)
class Tuned:
    """A job that succeeded. `listed_after` and `named_after` are seconds from the order, and from success, until the
    job was found by its marker and its model was named; None is not within `LISTED_WITHIN`.
    """

    spec: JobSpec
    job: Job
    model: ModelRef
    listed_after: float | None
    named_after: float

    @property
    def found(self) -> Verdict:
        """Whether the job is found by its marker."""
        if self.listed_after is None:
            return Verdict("does not hold", f"not listed within {LISTED_WITHIN:.0f} s")
        return Verdict("holds", f"listed after {self.listed_after:.1f} s")


def tuned(desk: Desk, spec: JobSpec) -> Tuned:
    """Order, look whether it is found, and wait for the model. Raises Unsettled when none comes."""
    ordered = desk.order(spec)
    listed = _until_listed(desk, spec)
    succeeded: list[float] = []

    def look() -> Job:
        job = desk.backend.poll(ordered.ref)
        if job.warning or job.model:  # the vendor says succeeded, with or without a model
            succeeded.append(time.monotonic())
        desk.say(words(job))
        return job

    job = desk.wait(look, lambda found: found.status.is_final)
    if job.model is None:
        raise Unsettled(f"the job came to nothing: {words(job)}")
    return Tuned(spec, job, job.model, listed, succeeded[-1] - succeeded[0])


def _until_listed(desk: Desk, spec: JobSpec) -> float | None:
    begun = time.monotonic()
    try:
        desk.wait(lambda: desk.backend.find(spec), lambda found: found is not None, longest=LISTED_WITHIN)
    except Unsettled:
        return None
    return time.monotonic() - begun


def answers(desk: Desk, model: ModelRef) -> PlatformError | None:
    """Ask the model for a word; None when it answers, else how it refuses."""
    question = Request(example=Example(messages=(Message(role="user", content="Say yes."),)), max_tokens=16)
    return desk.refusal(lambda: desk.backend.generate(model, question))
