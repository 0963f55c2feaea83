"""What a probe works with: a backend, orders that are removed in the end, waiting, steps done once, words to keep."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from cloudistill.backends.backend import Trains, connect
from cloudistill.core.errors import (
    AuthenticationFailed,
    CloudistillError,
    PermissionDenied,
    PlatformError,
    QuotaExceeded,
    RateLimited,
)
from cloudistill.core.job import Job, JobSpec, JobStatus
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.pipeline.retry import Patience, ask, once
from cloudistill.platforms.platform import load
from scripts.verify_live.listing import Word

T = TypeVar("T")
LONGEST = 48 * 3600.0
"""Seconds that a wait may take: jobs queue for hours."""
_SHOWN = 400
_STOPPING = 3600.0
_PRIVATE = (
    (re.compile(r"\b\d{12}\b"), "<account>"),
    (re.compile(r"\bprojects/[\w-]+"), "projects/<project>"),
    (re.compile(r"\b(org|proj|sk)-[\w-]+"), r"\1-…"),
    (re.compile(r"(ft:[^:\s]+):[^:\s]*:"), r"\1:<org>:"),
    (re.compile(r"arn:aws[\w-]*:iam::\S+"), "<role>"),
    (re.compile(r'\{"(contents|messages|schemaVersion)"[\s\S]*'), "<row>"),
)


class Unsettled(Exception):
    """A step that a probe reads from did not come about; the message says why."""


@dataclass(frozen=True)
class Verdict:
    """What a probe found, and the vendor's words for it."""

    word: Word
    evidence: str


def verdict(holds: bool | None, evidence: str) -> Verdict:  # noqa: FBT001 - the question is yes or no
    """The verdict for yes, no and don't know."""
    words: dict[bool | None, Word] = {True: "holds", False: "does not hold", None: "could not tell"}
    return Verdict(words[holds], evidence)


class Desk:
    """One vendor's account for the length of a run.

    Args:
        platform: whose.
        folder: where the small files that are uploaded are written.
        every: seconds between looks; the platform's own first interval by default.
        today: which models have ended.
    """

    def __init__(self, platform: str, folder: Path, *, today: date, every: float | None = None) -> None:
        backend = connect(platform)
        assert isinstance(backend, Trains)  # noqa: S101 - ours all train
        self.backend: Any = backend
        self.platform = platform
        self.today = today
        self.payer = ask(backend, backend.payer, Patience(total=30))
        self._folder = folder
        self._every = load(platform).polling.first if every is None else every
        self._done: dict[str, Any] = {}
        self._removals: list[tuple[str, Callable[[], Any]]] = []
        self._stuck: list[str] = []

    # -- asking

    def ask(self, call: Callable[[], T]) -> T:
        """A read, repeated while the vendor has passing trouble."""
        return ask(self.backend, call, Patience(first=min(0.5, self._every)))

    def once(self, call: Callable[[], T]) -> T:
        """What is sent once, come what may; an SDK's exception becomes ours."""
        return once(self.backend, call)

    def refusal(self, call: Callable[[], Any]) -> PlatformError | None:
        """How the vendor refuses `call`; None when it does not. Raises what is no decision about it."""
        try:
            self.once(call)
        except PlatformError as error:
            return decided(error)
        return None

    def wait(self, look: Callable[[], T], until: Callable[[T], bool], *, longest: float = LONGEST) -> T:
        """Look until it is so. Raises Unsettled after `longest` seconds."""
        end = time.monotonic() + longest
        while True:
            found = self.ask(look)
            if until(found):
                return found
            if time.monotonic() > end:
                raise Unsettled(f"gave up waiting after {longest / 3600:g} hours")
            time.sleep(self._every)

    def step(self, name: str, make: Callable[[Desk], T]) -> T:
        """What `make` gives, made once. Raises Unsettled, every time, when it could not be made."""
        if name not in self._done:
            self.say(name)
            try:
                self._done[name] = make(self)
            except Exception as error:  # whatever it was, a second attempt would be paid for again
                self._done[name] = error
        done = self._done[name]
        if isinstance(done, Exception):
            raise Unsettled(f"{name}: {done}") from done
        return done

    def say(self, words: str) -> None:
        """Progress, for who waits."""
        print(f"  {self.platform}: {words}", file=sys.stderr, flush=True)

    # -- making

    def upload(self, rows: Iterable[dict[str, Any]]) -> FileRef:
        """Store rows as a file, which is removed in the end."""
        path = self._folder / f"{secrets.token_hex(8)}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return self.upload_file(path)

    def upload_file(self, path: Path, backend: Any = None) -> FileRef:
        """Store a file, with another backend if one is given."""
        fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()
        stored = self.ask(lambda: (backend or self.backend).upload(path, fingerprint=fingerprint))
        self.later(f"file {stored}", lambda: self.backend.delete_file(stored))
        return stored

    def spec(self, student: ModelRef, **members: Any) -> JobSpec:
        """An order of its own."""
        return JobSpec(run="verify-live", marker=secrets.token_hex(16), student=student, **members)

    def order(self, spec: JobSpec) -> Job:
        """Send the order, once; whatever becomes of it, doubtful or not, is stopped and removed in the end."""
        self.remove_order_later(spec)
        return self.once(lambda: self.backend.submit(spec))

    def remove_order_later(self, spec: JobSpec) -> None:
        """Look in the end for the job of this order, and leave nothing of it."""
        self.later(f"job {spec.marker} and its model", lambda: self._remove_job(spec))

    def finished(self, ref: JobRef) -> Job:
        """The job once it is final."""
        return self.wait(lambda: self._look(ref), lambda job: job.status.is_final)

    def _look(self, ref: JobRef) -> Job:
        job = self.backend.poll(ref)
        self.say(f"{job.native_status} {job.last_event or ''}".rstrip())
        return job

    def judged(self, spec: JobSpec, begun: Callable[[Job], bool]) -> Job:
        """Order, wait until the data was judged (`begun`, or a final status), and stop what is still running.

        Raises:
            Unsettled: somebody else stopped it before that.
        """
        ref = self.order(spec).ref
        job = self.wait(lambda: self._look(ref), lambda job: job.status.is_final or begun(job))
        if job.status is JobStatus.CANCELLED:
            raise Unsettled(f"stopped by somebody else: {words(job)}")
        self.stop(job.ref)
        return job

    def stop(self, ref: JobRef) -> None:
        """Ask the vendor to stop a job that may be final by now."""
        with suppress(CloudistillError):
            self.once(lambda: self.backend.cancel(ref))

    # -- removing

    def later(self, what: str, remove: Callable[[], Any]) -> None:
        """Do this when all is done, last made first removed."""
        self._removals.append((what, remove))

    def _remove_job(self, spec: JobSpec) -> None:
        job = self.ask(lambda: self.backend.find(spec))
        if job is None:
            return
        if not job.status.is_final:
            self.stop(job.ref)
        final = self.wait(lambda: self.backend.poll(job.ref), lambda found: found.status.is_final, longest=_STOPPING)
        if self.platform in _LEFTOVERS:
            _LEFTOVERS[self.platform](self, spec, final)
        if final.model:
            self.remove_model(final.model)

    def remove_model(self, model: ModelRef) -> None:
        """Delete a model; the vendor may want to be asked again until what serves it is gone."""
        patience = Patience(total=900, first=min(0.5, self._every))
        ask(self.backend, lambda: self.backend.delete_model(model), patience)

    @property
    def left(self) -> list[str]:
        """What was made and is not removed, in words."""
        return [*self._stuck, *(what for what, _ in reversed(self._removals))]

    def clean(self) -> None:
        """Remove everything that was made; what could not be is `left`."""
        while self._removals:
            what, remove = self._removals.pop()
            try:
                self.ask(remove)
            except KeyboardInterrupt:
                self._removals.append((what, remove))
                raise
            except Exception as error:  # one thing left behind must not keep the others
                self._stuck.append(f"{what}: {error}")

    # -- telling

    def fit_to_keep(self, words: str) -> str:
        """The words without account numbers, projects, buckets, keys and names of organisations, and not too long."""
        for pattern, instead in _PRIVATE:
            words = pattern.sub(instead, words)
        for member in ("bucket", "project"):
            name = getattr(self.backend, member, None)
            words = words.replace(name, f"<{member}>") if isinstance(name, str) else words
        return words if len(words) <= _SHOWN else words[:_SHOWN] + "…"

    @property
    def whose(self) -> str:
        """The payer as a hash: the same account is the same, and stays unnamed."""
        return f"sha256:{hashlib.sha256(self.payer.encode()).hexdigest()[:16]}"

    @property
    def emulated(self) -> bool:
        """Whether this is loopback, where nothing is settled."""
        return bool(re.search(r"\b(127\.0\.0\.1|localhost|\[::1\])", self.payer))


Probe = Callable[[Desk], Verdict]
PROBES: dict[str, Probe] = {}
"""Every probe, by the id of the assumption that it settles."""


def probe(name: str) -> Callable[[Probe], Probe]:
    """Register a probe for an assumption."""

    def registered(found: Probe) -> Probe:
        PROBES[name] = found
        return found

    return registered


Leftovers = Callable[[Desk, JobSpec, Job], None]
_LEFTOVERS: dict[str, Leftovers] = {}


def leftovers(platform: str) -> Callable[[Leftovers], Leftovers]:
    """Register what removes the files that a job leaves behind."""

    def registered(found: Leftovers) -> Leftovers:
        _LEFTOVERS[platform] = found
        return found

    return registered


def decided(error: PlatformError) -> PlatformError:
    """`error`, where with it the vendor decides about what was asked; else it settles nothing, and is raised."""
    by_the_way = isinstance(error, AuthenticationFailed | PermissionDenied | QuotaExceeded | RateLimited)
    if by_the_way or error.status is None or error.status // 100 != 4 or error.code is None:  # noqa: PLR2004 - 4xx
        raise error
    return error


def words(job: Job) -> str:
    """How a job stands, in the vendor's words."""
    return ": ".join(filter(None, (job.native_status, job.last_event, job.failure)))


def codes(*refused: PlatformError | None) -> Sequence[str]:
    """The vendor's code for each refusal; `accepted` where there was none."""
    return [str(one.code) if one else "accepted" for one in refused]
