"""The single step that takes a run further: its order placed, its job looked at, its student deployed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import Deploys
from cloudistill.core.errors import CloudistillError, OutcomeUnknown, PlatformError, RunConflict, UsageError
from cloudistill.core.job import Deployment, Job, JobSpec, JobStatus, RunStatus
from cloudistill.core.refs import JobRef, ModelRef
from cloudistill.pipeline import spec as specs
from cloudistill.pipeline.following import note_prompts
from cloudistill.pipeline.ordering import Order, place
from cloudistill.pipeline.retry import once
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from cloudistill.pipeline.run import Run


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


def poll_job(run: Run) -> None:
    """Look how the job does, and record it."""
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
    if facts.get("trained"):
        note_prompts(run)


def _hourly(run: Run) -> bool:
    """Whether only provisioned throughput can serve this student."""
    model = load(run.student.platform).model(run.student.id)
    return model is not None and model.hourly


def poll_deployment(run: Run) -> None:
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
