"""A Run: the handle on one recorded distillation, and the verbs that follow it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cloudistill.backends.backend import Backend, Trains
from cloudistill.core.errors import CloudistillError, JobFailed, OutcomeUnknown, Refused, RunConflict, UsageError
from cloudistill.core.job import Checkpoint, JobEvent, JobSpec, Method, PromptReport, RunStatus, StepMetrics
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.pipeline import following, removing
from cloudistill.pipeline import spec as specs
from cloudistill.pipeline.moving import poll_deployment, poll_job
from cloudistill.pipeline.ordering import Doubt
from cloudistill.pipeline.progress import Notify, silent
from cloudistill.pipeline.retry import once
from cloudistill.pipeline.settings import connected
from cloudistill.pipeline.store import Record, Step, Store
from cloudistill.pipeline.watching import follow


@dataclass(eq=False)
class Run:
    """One distillation: what was asked, where it stands, and the verbs that follow it. Not for sharing by threads."""

    store: Store
    record: Record
    backend: Backend | None = None
    doubt: Doubt = field(default_factory=Doubt)
    notify: Notify = silent
    error: CloudistillError | None = None
    _trainer: Trains | None = None

    @property
    def name(self) -> str:
        """The run's name; the same name and content again resumes it."""
        return self.record.name

    @property
    def status(self) -> RunStatus:
        """Our word for where it stands."""
        return self.record.status

    @property
    def native_status(self) -> str | None:
        """The vendor's own word for the job, verbatim, as last seen."""
        return self.record.facts.get("native_status")

    @property
    def student(self) -> ModelRef:
        """The base model that is tuned."""
        return ModelRef.parse(self.record.order["student"])

    @property
    def job(self) -> JobRef | None:
        """The vendor's job, once there is one."""
        return specs.ref(JobRef, self.record.facts.get("job"))

    @property
    def model(self) -> ModelRef | None:
        """The model as it is called, once it can be called."""
        return specs.ref(ModelRef, self.record.facts.get("model"))

    @property
    def method(self) -> Method:
        """Who asks the teacher: we (`sft`), or the vendor itself (`native`)."""
        return self.record.order.get("method", "sft")

    @property
    def failure(self) -> str | None:
        """The vendor's words for why it failed."""
        return self.record.facts.get("failure")

    def refresh(self) -> Run:
        """Ask the vendor once and record the answer and the step that follows; a final run is left alone."""
        if self.status is RunStatus.DEPLOYING:
            poll_deployment(self)
        elif self.job is not None and not self.status.is_final:
            poll_job(self)
        return self

    def wait(self, timeout: float | None = None, *, pace: float | None = None) -> Run:
        """Follow the run until nothing more will happen to it, looking every `pace` seconds or at the platform's pace.

        Raises:
            StillRunning: `timeout` seconds have passed; the job goes on.
            JobFailed: the vendor's job failed or was cancelled.
        """
        follow([self], timeout=timeout, pace=pace)
        return self.or_raise()

    def cancel(self) -> Run:
        """Ask the vendor to stop the job; it may take a while, and what is trained so far is billed."""
        following.cancel(self)
        return self

    def events(self) -> list[JobEvent]:
        """What the vendor tells about the job, oldest first. Like all below, UsageError where the platform cannot."""
        return following.events(self)

    def metrics(self) -> list[StepMetrics]:
        """What was measured, by step; empty while the vendor has not said."""
        return following.metrics(self)

    def checkpoints(self) -> list[Checkpoint]:
        """The student as it was part-way, oldest first."""
        return following.checkpoints(self)

    def prompt_report(self) -> PromptReport | None:
        """What became of the prompts of the vendor's own distillation; None while the vendor has not said."""
        return following.prompt_report(self)

    def promote(self, checkpoint: str) -> Run:
        """Make a checkpoint's model the run's own; `final` makes it the whole training's again."""
        following.promote(self, checkpoint)
        return self

    def pause(self) -> Run:
        """Ask the vendor to hold the job; it may take a while."""
        following.pause(self)
        return self

    def resume(self) -> Run:
        """Let a held job go on."""
        following.resume(self)
        return self

    def delete_files(self) -> list[FileRef]:
        """Remove the files a finished run's attempts uploaded, unless another run trains on them; those that were."""
        return removing.delete_files(self)

    def delete_model(self) -> list[ModelRef]:
        """Remove a finished run's models, one of each attempt, and what serves them; those that were. None is left."""
        return removing.delete_model(self)

    def or_raise(self) -> Run:
        """This run, unless something stands against it.

        Raises:
            JobFailed: the job failed or was cancelled; with the vendor's words and the way to try again.
            Refused: the vendor refused the order.
            OutcomeUnknown: the vendor does not know the job any more.
        """
        if self.error is not None:
            raise self.error
        why = self.failure or self.native_status or "no reason was given"
        match self.status:
            case RunStatus.FAILED | RunStatus.CANCELLED:
                raise JobFailed(
                    f"run {self.name!r} {self.status}: {why}. Mend the cause, then run the same command with --again "
                    "to pay for another attempt",
                    run=self.name,
                )
            case RunStatus.LOST:
                raise OutcomeUnknown(
                    f"{self.job} of run {self.name!r} is not known to the vendor any more: {why}. Look in its console; "
                    "`cloudistill watch` asks again, --force-new pays for another job",
                    run=self.name,
                )
            case RunStatus.REFUSED:
                raise Refused(
                    f"the order of run {self.name!r} was refused: {why}. Mend the cause, then run the command again",
                    run=self.name,
                )
            case _:
                return self

    def trains(self) -> Trains:
        """The backend; before it is first used it must be the payer's that the run was recorded with.

        Raises:
            RunConflict: it is another payer's.
        """
        if self._trainer is None:
            trainer = trainer_of(self.backend or connected(self.student.platform))
            self._check_payer(trainer)
            self._trainer = trainer
        return self._trainer

    def reconnect(self) -> None:
        """Forget the backend, so that credentials are read anew; one that was handed in is kept."""
        self._trainer = None

    def _check_payer(self, backend: Trains) -> None:
        """Refuse to go on under another payer: looking there would find nothing, and pay again."""
        payer = once(backend, backend.payer)
        if payer != self.record.payer:
            raise RunConflict(
                f"run {self.name!r} is paid by {self.record.payer!r}, these credentials and settings mean {payer!r}: "
                "use the former, or another --name"
            )

    def is_ordered(self) -> bool:
        """Whether an order of this attempt was sent, or may have been."""
        intent = self.store.intent(self.name, "tuning", self.record.attempt)
        return intent is not None and intent.state != "refused"

    def spec(self) -> JobSpec:
        """The order of this attempt, as it was recorded before it was sent."""
        intent = self.store.intent(self.name, "tuning", self.record.attempt)
        if intent is None:
            raise UsageError(f"run {self.name!r} has ordered nothing yet")
        return specs.from_json(intent.spec)

    def history(self) -> list[Step]:
        """Each step with its time, oldest first."""
        return self.store.steps(self.name)

    def to_json(self) -> dict[str, Any]:
        """The run as `--json` prints it."""
        facts = self.record.facts
        return {
            "run": self.name,
            "student": str(self.student),
            "job": facts.get("job"),
            "status": str(self.status),
            "native_status": self.native_status,
            "model": facts.get("model"),
            "checkpoint": facts.get("checkpoint"),
            "method": self.method,
            "method_reason": facts.get("method_reason"),
            "attempt": self.record.attempt,
            "cost_estimate_usd": facts.get("cost_estimate_usd", {"low": None, "high": None}),
            "rows": facts.get("rows"),
            "prompts": facts.get("prompts"),
            "trained_tokens": facts.get("trained_tokens"),
            "failure": self.failure,
            "warning": facts.get("warning"),
            "created": self.record.created.isoformat(),
            "updated": self.record.updated.isoformat(),
        }


def trainer_of(backend: Backend) -> Trains:
    """The backend as one that trains.

    Raises:
        UsageError: it only answers questions.
    """
    if not isinstance(backend, Trains):
        raise UsageError(f"the platform {backend.platform!r} answers questions but does not train")
    return backend
