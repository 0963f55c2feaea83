"""A vendor in memory, for what the pipeline does whatever the vendor: with as few abilities as a test needs, or all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloudistill.core.errors import PlatformError, ServiceTrouble
from cloudistill.core.finding import Finding
from cloudistill.core.job import (
    Checkpoint,
    Job,
    JobEvent,
    JobSpec,
    JobStatus,
    Offer,
    PromptReport,
    StepMetrics,
)
from cloudistill.core.refs import FileRef, JobRef, ModelRef

BEGAN = datetime(2026, 11, 24, 9, tzinfo=UTC)


class Backend:
    """Pays for itself, and finds nothing wrong with itself."""

    platform = "acme"

    def classify(self, error: Exception) -> PlatformError:
        return ServiceTrouble(str(error), platform=self.platform)

    def payer(self) -> str:
        return "acme 1"

    def preflight(self, student: ModelRef | None = None) -> list[Finding]:
        return []


@dataclass
class Trainer(Backend):
    """Stands in for a platform that trains and can do no more. A job stays as it is until a test says otherwise."""

    platform: str = "acme"
    idempotent: bool = True
    specs: list[JobSpec] = field(default_factory=list[JobSpec])
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    uploads: list[bytes] = field(default_factory=list[bytes])
    asked: list[str] = field(default_factory=list[str])
    troubles: list[Exception] = field(default_factory=list[Exception])

    def hear(self, what: str) -> None:
        """Note a request, and fail if a test has prepared trouble."""
        self.asked.append(what)
        if self.troubles:
            raise self.troubles.pop(0)

    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        self.uploads.append(path.read_bytes())
        return FileRef(self.platform, f"file-{fingerprint[:12]}")

    def accepts(self, spec: JobSpec) -> None:
        pass

    def find(self, spec: JobSpec) -> Job | None:
        return next((job for job in self.jobs.values() if job.marker == spec.marker), None)

    def submit(self, spec: JobSpec) -> Job:
        self.specs.append(spec)
        number = len(self.jobs) + 1
        job = Job(
            ref=JobRef(self.platform, f"job-{number}"),
            status=JobStatus.RUNNING,
            native_status="busy",
            marker=spec.marker,
            run=spec.run,
            created=BEGAN + timedelta(hours=number),
        )
        self.jobs[job.ref.id] = job
        return job

    def poll(self, ref: JobRef) -> Job:
        return self.jobs[ref.id]

    def cancel(self, ref: JobRef) -> None:
        self.become(ref, JobStatus.CANCELLED)

    def list(self) -> Iterator[Job]:
        for job in sorted(self.jobs.values(), key=lambda job: job.created or BEGAN, reverse=True):
            self.hear("list")
            yield job

    def become(self, ref: JobRef | None, status: JobStatus) -> None:
        """Let a job go to another status; one that succeeded has a model."""
        assert ref is not None
        model = ModelRef(self.platform, f"tuned-by-{ref.id}") if status is JobStatus.SUCCEEDED else None
        self.jobs[ref.id] = replace(self.jobs[ref.id], status=status, native_status=str(status), model=model)


@dataclass
class Vendor(Trainer):
    """Can do everything that a platform may."""

    report: PromptReport | None = None
    offered: Offer = field(default_factory=lambda: Offer(served=True, trains=True, says="fine"))
    deleted: list[str] = field(default_factory=list[str])

    def prompt_report(self, ref: JobRef) -> PromptReport | None:
        self.hear(f"prompts {ref.id}")
        return self.report

    def events(self, ref: JobRef) -> Iterator[JobEvent]:
        self.hear(f"events {ref.id}")
        yield JobEvent(message="ordered", at=BEGAN)
        yield JobEvent(message="trained", at=BEGAN + timedelta(hours=1), level="warning")

    def metrics(self, ref: JobRef) -> list[StepMetrics]:
        self.hear(f"metrics {ref.id}")
        return [StepMetrics(step=step, training_loss=2.0 / step, validation_loss=3.0 / step) for step in (1, 2, 3)]

    def checkpoints(self, ref: JobRef) -> list[Checkpoint]:
        self.hear(f"checkpoints {ref.id}")
        return [
            Checkpoint(name=f"step-{step}", model=ModelRef(self.platform, f"part-{step}"), step=step) for step in (1, 2)
        ]

    def pause(self, ref: JobRef) -> None:
        self.become(ref, JobStatus.PAUSED)

    def resume(self, ref: JobRef) -> None:
        self.become(ref, JobStatus.RUNNING)

    def delete_file(self, ref: FileRef) -> None:
        self.hear(f"delete {ref}")
        self.deleted.append(str(ref))

    def delete_model(self, ref: ModelRef) -> None:
        self.hear(f"delete {ref}")
        self.deleted.append(str(ref))

    def offer(self, model: ModelRef) -> Offer:
        self.hear(f"offer {model.id}")
        return self.offered
