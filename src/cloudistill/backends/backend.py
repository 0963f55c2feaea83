"""The seam between the pipeline and a vendor: abilities as Protocols, stateless, never sleeping, never retrying.

A backend is a class whose instance answers questions about one platform. Every backend can `classify` what its
SDK raises and name who pays. The rest are abilities: a platform that only answers implements `Answers` alone.
SDKs are imported lazily, inside methods, with their own retries switched off: the pipeline retries, in one place.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from cloudistill.core.errors import MissingExtra, PlatformError, UsageError
from cloudistill.core.example import Example, Message, ToolCall
from cloudistill.core.finding import Finding
from cloudistill.core.job import (
    Checkpoint,
    Deployment,
    Job,
    JobEvent,
    JobSpec,
    Offer,
    PromptReport,
    StepMetrics,
    Usage,
)
from cloudistill.core.refs import FileRef, JobRef, ModelRef

GROUP = "cloudistill.backends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to a model: a lesson without its answer.

    `rendering` is how the student was trained to see tools, if it was tuned.
    """

    example: Example
    max_tokens: int | None = None
    temperature: float | None = None
    rendering: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said: the message, why it stopped (the vendor's word), tokens, and the vendor's request id.

    `cut_off` says that the vendor's word means the token limit was reached, so the answer is not whole.
    """

    message: Message
    finish_reason: str
    cut_off: bool = False
    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    request_id: str | None = None

    @property
    def content(self) -> str | None:
        """The answer's text."""
        return self.message.content

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools the model wants called."""
        return self.message.tool_calls


@runtime_checkable
class Backend(Protocol):
    """What every backend can do."""

    platform: str

    def classify(self, error: Exception) -> PlatformError:
        """Name an SDK's exception in our tree: by type and code, never by guessing at text. Never given one of ours."""
        ...

    def payer(self) -> str:
        """Whose money an order spends: account or project, region or location, endpoint. No secret in it.

        Raises MissingSetup when the answer cannot be known.
        """
        ...

    def preflight(self, student: ModelRef | None = None) -> list[Finding]:
        """Everything that would fail later (credentials, bucket, role, region), asked of the vendor; costs nothing."""
        ...


@runtime_checkable
class Trains(Backend, Protocol):
    """Tunes a student."""

    idempotent: bool
    """Whether the vendor itself drops a second create that carries the same marker."""

    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        """Store a training file, streamed; what has the same `fingerprint`, its SHA-256 in hex, is not sent twice."""
        ...

    def accepts(self, spec: JobSpec) -> None:
        """Raise UsageError for whatever in the order this platform has no place for; nothing is sent."""
        ...

    def find(self, spec: JobSpec) -> Job | None:
        """The job that carries `spec.marker`, looking through every page; None when there is none."""
        ...

    def submit(self, spec: JobSpec) -> Job:
        """Send the paid order, exactly one request."""
        ...

    def poll(self, ref: JobRef) -> Job:
        """One GET."""
        ...

    def cancel(self, ref: JobRef) -> None:
        """Ask the vendor to stop the job; it may take a while."""
        ...

    def list(self) -> Iterator[Job]:
        """The account's tuning jobs, newest first where the vendor sorts, page by page."""
        ...


@runtime_checkable
class Distils(Trains, Protocol):
    """Runs the teacher itself: takes orders of the method `native`, for the pairs in the platform's facts."""

    def prompt_report(self, ref: JobRef) -> PromptReport | None:
        """What became of the prompts; None while the vendor has not said."""
        ...


@runtime_checkable
class Reports(Trains, Protocol):
    """Tells how a job goes, beyond its status."""

    def events(self, ref: JobRef) -> Iterator[JobEvent]:
        """What the vendor tells about the job, oldest first; made of its stages and times where it keeps no events."""
        ...

    def metrics(self, ref: JobRef) -> list[StepMetrics]:
        """What was measured, by step; empty while the vendor has not said."""
        ...


@runtime_checkable
class Checkpoints(Trains, Protocol):
    """Keeps the student as it was part-way."""

    def checkpoints(self, ref: JobRef) -> list[Checkpoint]:
        """The checkpoints that can be called, oldest first; empty while there are none."""
        ...


@runtime_checkable
class Pauses(Trains, Protocol):
    """Can hold a job and let it go on."""

    def pause(self, ref: JobRef) -> None:
        """Ask the vendor to hold the job; it may take a while."""
        ...

    def resume(self, ref: JobRef) -> None:
        """Let a held job go on."""
        ...


@runtime_checkable
class Deletes(Backend, Protocol):
    """Removes what was stored or trained. What is gone already is no error."""

    def delete_file(self, ref: FileRef) -> None:
        """Remove a stored file."""
        ...

    def delete_model(self, ref: ModelRef) -> None:
        """Remove a trained model and what was made to serve it, in the order the vendor demands."""
        ...


@runtime_checkable
class Offers(Backend, Protocol):
    """Can ask the service itself whether a model is there to be tuned, and until when."""

    def offer(self, model: ModelRef) -> Offer:
        """What the service says of `model`; costs nothing."""
        ...


@runtime_checkable
class Deploys(Backend, Protocol):
    """Makes a trained model callable where training alone does not."""

    def deploy(self, spec: JobSpec, model: ModelRef) -> Deployment:
        """Send the order for a deployment of `model` named after `spec.marker`, exactly one request."""
        ...

    def find_deployment(self, spec: JobSpec, model: ModelRef) -> Deployment | None:
        """The deployment named after `spec.marker`; None when there is none."""
        ...

    def poll_deployment(self, ref: ModelRef) -> Deployment:
        """One GET."""
        ...


@runtime_checkable
class Answers(Backend, Protocol):
    """Answers questions, base models and students alike."""

    def generate(self, model: ModelRef, request: Request) -> Answer:
        """Ask `model`; raises an SDK exception that `classify` knows, or an error of ours."""
        ...


@runtime_checkable
class Remembers(Backend, Protocol):
    """Knows from the vendor's own tags how a student was trained, where no run store does."""

    def rendering_of(self, model: ModelRef) -> str | None:
        """The rendering of tools the student was trained with; None when the model carries no tag of ours."""
        ...


ABILITIES: tuple[type, ...] = (
    Trains,
    Distils,
    Reports,
    Checkpoints,
    Pauses,
    Deploys,
    Answers,
    Remembers,
    Deletes,
    Offers,
)
"""What a backend may be able to do besides what every `Backend` can."""


def available() -> dict[str, str]:
    """The platforms that have a backend here, with where each is loaded from."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def connect(platform: str, **settings: Any) -> Backend:
    """The backend of `platform`. `settings` are the backend's own keyword arguments, a ready client among them.

    Raises:
        UsageError: no backend of that name is installed.
        MissingExtra: the vendor's SDK is not installed.
    """
    for point in entry_points(group=GROUP, name=platform):
        backend: Backend = point.load()(**settings)
        return backend
    known = ", ".join(sorted(available()))
    raise UsageError(f"there is no platform {platform!r}; installed here: {known}")


def load_sdk(module: str, *, extra: str) -> ModuleType:
    """Import a vendor's SDK, or say the line that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{extra} needs the package {error.name!r}, which is not installed: pip install 'cloudistill[{extra}]'"
        ) from error
