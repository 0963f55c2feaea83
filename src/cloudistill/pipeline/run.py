"""A Run: the handle on one recorded distillation, and the single step that takes it further."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cloudistill.backends.backend import Backend, Deploys, Trains
from cloudistill.core.errors import (
    CloudistillError,
    JobFailed,
    OutcomeUnknown,
    PlatformError,
    Refused,
    RunConflict,
    UsageError,
)
from cloudistill.core.job import Deployment, Job, JobSpec, JobStatus, RunStatus
from cloudistill.core.refs import JobRef, ModelRef
from cloudistill.pipeline import spec as specs
from cloudistill.pipeline.ordering import Doubt, Order, place
from cloudistill.pipeline.progress import Notify, silent
from cloudistill.pipeline.retry import once
from cloudistill.pipeline.settings import connected
from cloudistill.pipeline.store import Record, Step, Store
from cloudistill.pipeline.watching import follow
from cloudistill.platforms.platform import load


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
    def failure(self) -> str | None:
        """The vendor's words for why it failed."""
        return self.record.facts.get("failure")

    def refresh(self) -> Run:
        """Ask the vendor once and record the answer and the step that follows; a final run is left alone."""
        if self.status is RunStatus.DEPLOYING:
            _poll_deployment(self)
        elif self.job is not None and not self.status.is_final:
            _poll_job(self)
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
        if self.status is not RunStatus.DEPLOYING:  # there the job is done, and a look would order the deployment
            self.refresh()
        if self.job is None or self.status.is_final or self.status is RunStatus.DEPLOYING:
            raise UsageError(f"run {self.name!r} is {self.status}: there is no job to cancel")
        backend, ref = self.trains(), self.job
        self.store.note(self.name, "cancel", "begun", job=str(ref))
        once(backend, lambda: backend.cancel(ref))
        self.store.note(self.name, "cancel", "done", job=str(ref))
        return self

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
            "attempt": self.record.attempt,
            "cost_estimate_usd": facts.get("cost_estimate_usd", {"low": None, "high": None}),
            "rows": facts.get("rows"),
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


def submit_order(run: Run, spec: JobSpec) -> Job:
    """Place the tuning order of this attempt and record the job."""
    backend = run.trains()
    intent = run.store.intent(run.name, "tuning", run.record.attempt)
    spec = replace(spec, marker=intent.marker) if intent else spec
    run.record = run.store.update(run.name, status=RunStatus.SUBMITTING, failure=None)
    order: Order[Job] = Order(
        run=run.name,
        kind="tuning",
        attempt=run.record.attempt,
        marker=spec.marker,
        payer=run.record.payer,
        spec=specs.to_json(spec),
        idempotent=backend.idempotent,
        find=lambda: backend.find(spec),
        create=lambda: backend.submit(spec),
        poll=lambda ref: backend.poll(JobRef.parse(ref)),
        ref=lambda job: str(job.ref),
    )
    try:
        job = place(order, run.store, backend, run.doubt)
    except OutcomeUnknown:
        run.record = run.store.update(run.name, status=RunStatus.UNCONFIRMED)
        raise
    except RunConflict:  # another process is placing it: what stands in the record is its own
        raise
    except CloudistillError as error:
        refused = not isinstance(error, PlatformError) or error.outcome == "refused"
        status = RunStatus.UNCONFIRMED if run.is_ordered() else RunStatus.REFUSED if refused else None
        run.record = run.store.update(run.name, status=status, failure=str(error))
        raise
    _record_job(run, job)
    return job


def _poll_job(run: Run) -> None:
    backend, ref = run.trains(), run.job
    assert ref is not None  # noqa: S101 - a waiting run was recorded with its job
    _record_job(run, once(backend, lambda: backend.poll(ref)))


def _record_job(run: Run, job: Job) -> None:
    facts: dict[str, Any] = {
        "job": str(job.ref),
        "native_status": job.native_status,
        "last_event": job.last_event,
        "failure": job.failure,
        "warning": job.warning,
        "trained_tokens": job.trained_tokens,
        "job_created": job.created.isoformat() if job.created else None,
        "job_finished": job.finished.isoformat() if job.finished else None,
    }
    status = RunStatus.WAITING
    if job.status is JobStatus.SUCCEEDED and job.model is not None:
        status = RunStatus.READY
        facts["trained"] = str(job.model)
        if _hourly(run):
            facts["warning"] = (
                f"{job.model} is trained; only throughput billed by the hour serves it, and none is bought"
            )
        elif isinstance(run.trains(), Deploys):
            status = RunStatus.DEPLOYING
        else:
            facts["model"] = str(job.model)
    elif job.status is JobStatus.FAILED:
        status = RunStatus.FAILED
    elif job.status is JobStatus.CANCELLED:
        status = RunStatus.CANCELLED
    run.record = run.store.update(run.name, status=status, **facts)


def _hourly(run: Run) -> bool:
    """Whether only provisioned throughput can serve this student."""
    model = load(run.student.platform).model(run.student.id)
    return model is not None and model.hourly


def _poll_deployment(run: Run) -> None:
    """Place the deployment's order, or look how it does; the student is callable once it is active."""
    backend = run.trains()
    if not isinstance(backend, Deploys):
        raise UsageError(f"the backend of {run.student.platform!r} cannot deploy")
    spec, model = run.spec(), ModelRef.parse(run.record.facts["trained"])
    attempt = run.record.facts.get("deployment_attempt", 1)
    spec = specs.redeployed(spec, attempt) if attempt > 1 else spec
    if (known := run.record.facts.get("deployment")) is not None:
        deployment = once(backend, lambda: backend.poll_deployment(ModelRef.parse(known)))
    else:
        order: Order[Deployment] = Order(
            run=run.name,
            kind=f"deployment {attempt}",
            attempt=run.record.attempt,
            marker=spec.marker,
            payer=run.record.payer,
            spec={"model": str(model)},
            idempotent=backend.idempotent,
            find=lambda: backend.find_deployment(spec, model),
            create=lambda: backend.deploy(spec, model),
            poll=lambda ref: backend.poll_deployment(ModelRef.parse(ref)),
            ref=lambda deployment: str(deployment.ref),
        )
        deployment = place(order, run.store, backend, run.doubt)
    _record_deployment(run, deployment)


def _record_deployment(run: Run, deployment: Deployment) -> None:
    facts: dict[str, Any] = {"deployment": str(deployment.ref), "native_status": deployment.native_status}
    match deployment.status:
        case JobStatus.SUCCEEDED:
            status, facts["model"] = RunStatus.READY, str(deployment.ref)
        case JobStatus.FAILED | JobStatus.CANCELLED:
            status, facts["failure"] = RunStatus.FAILED, deployment.failure
        case _:
            status = RunStatus.DEPLOYING
    run.record = run.store.update(run.name, status=status, **facts)
