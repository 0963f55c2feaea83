"""Following runs: one vendor's trouble stops no other, passing trouble ends nothing, a lost job is not a failed one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudistill import JobSpec, Run, RunStatus, Store, distill, errors, get, submit, watch
from cloudistill.backends.backend import Trains
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.emulators import World
from cloudistill.pipeline.ordering import Doubt
from cloudistill.pipeline.progress import Event
from cloudistill.pipeline.retry import Patience
from tests.conftest import STUDENTS, TODAY

Lessons = Callable[..., Path]


def ordered(world: World, data: Path, name: str = "r") -> tuple[Run, list[float], list[str]]:
    run = distill(data, student=STUDENTS["openai"], name=name, today=TODAY, wait=False)
    slept: list[float] = []
    told: list[str] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.clock.advance(seconds)

    def hear(event: Event) -> None:
        told.append(event.message)

    run.doubt, run.notify = Doubt(patience=Patience(sleep=sleep)), hear
    return run, slept, told


def test_the_pace_is_the_platforms_own_and_grows(standing: World, lessons: Lessons) -> None:
    run, slept, told = ordered(standing, lessons(20))
    polls = standing.openai.server.count("GET /v1/fine_tuning/jobs/")
    run.wait()
    assert run.status is RunStatus.READY
    assert max(slept) > 1.5 * slept[0] >= 8
    assert standing.openai.server.count("GET /v1/fine_tuning/jobs/") - polls == len(slept) + 1
    assert "queued" in told


def test_the_vendors_wish_to_be_left_alone_is_obeyed(standing: World, lessons: Lessons) -> None:
    run, slept, _ = ordered(standing, lessons(20))
    standing.openai.server.fail("GET /v1/fine_tuning/jobs/", status=429, headers={"Retry-After": "45"},
                            body=b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}')  # fmt: skip
    run.wait(pace=1.0)
    assert max(slept) >= 45


def test_a_job_that_is_not_found_is_lost_only_after_minutes_and_found_again_later(
    standing: World, lessons: Lessons
) -> None:
    run, slept, _ = ordered(standing, lessons(20))
    gone: dict[str, Any] = {"status": 404, "body": b'{"error": {"message": "no such job"}}'}
    standing.openai.server.fail("GET /v1/fine_tuning/jobs/", times=1000, **gone)
    with pytest.raises(errors.OutcomeUnknown, match="not known to the vendor"):
        run.wait()
    assert run.status is RunStatus.LOST
    assert sum(slept) >= 120
    standing.openai.server.faults.clear()
    run.refresh()
    assert run.status is RunStatus.WAITING
    assert run.wait().status is RunStatus.READY


def test_refused_credentials_pause_the_watching_and_fail_nothing(standing: World, lessons: Lessons) -> None:
    run, _, _ = ordered(standing, lessons(20))
    standing.openai.server.fail(
        "GET /v1/fine_tuning/jobs/", times=2, status=401, body=b'{"error": {"message": "who?"}}'
    )
    with pytest.raises(errors.StillRunning, match="cloudistill watch r"):
        run.wait()
    assert run.status is RunStatus.WAITING
    assert run.wait().status is RunStatus.READY


def test_trouble_with_one_run_stops_no_other(vendors: World, lessons: Lessons) -> None:
    data = lessons(20, seed=41)
    good = distill(data, student=STUDENTS["vertex"], name="good", today=TODAY, wait=False)
    bad = distill(data, student=STUDENTS["openai"], name="bad", today=TODAY, wait=False)
    vendors.openai.server.fail(
        f"GET /v1/fine_tuning/jobs/{bad.job.id if bad.job else ''}", times=50, status=403, body=b'{"error": {}}'
    )
    with pytest.raises(errors.StillRunning):
        for _ in watch([bad, good], pace=0.1):
            pass
    vendors.openai.server.faults.clear()
    assert (good.status, bad.status) == (RunStatus.READY, RunStatus.WAITING)


def test_what_was_never_ordered_is_not_watched(vendors: World, tmp_path: Path) -> None:
    store = Store()
    for name, status in (("planned", RunStatus.PLANNED), ("doubtful", RunStatus.UNCONFIRMED)):
        store.add(name, status=status, payer="p", order={"student": STUDENTS["openai"]}, facts={})
    with pytest.raises(errors.UsageError, match="no job to watch"):
        get("planned").wait()
    with pytest.raises(errors.OutcomeUnknown):
        get("doubtful").wait()


def test_the_job_api_orders_once_and_is_found_by_name(vendors: World, lessons: Lessons) -> None:
    run = distill(lessons(20, seed=42), student=STUDENTS["openai"], name="first", today=TODAY, wait=False)
    spec = JobSpec(run="api", student=ModelRef.parse(STUDENTS["openai"]), training=run.spec().training)
    before = len(vendors.openai.jobs)
    one, two = submit(spec), submit(spec)
    assert one.job == two.job == get("api").job
    assert len(vendors.openai.jobs) == before + 1
    with pytest.raises(errors.RunConflict):
        submit(JobSpec(run="api", student=spec.student, training=FileRef.parse("openai:file-other")))
    assert one.wait(pace=0.1).status is RunStatus.READY


def test_a_failed_deployment_is_tried_again_without_training_again(vendors: World, lessons: Lessons) -> None:
    data = lessons(20, seed=43)
    run = distill(data, student=STUDENTS["bedrock"], name="undeployed", today=TODAY, wait=False)
    run.record = run.store.update(run.name, deployment=None)
    trained = len(vendors.bedrock.jobs)
    while run.status is RunStatus.WAITING:
        run.refresh()
    run.record = run.store.update(run.name, status=RunStatus.FAILED, failure="no capacity")
    with pytest.raises(errors.JobFailed, match="no capacity"):
        distill(data, student=STUDENTS["bedrock"], name="undeployed", today=TODAY)
    again = distill(data, student=STUDENTS["bedrock"], name="undeployed", today=TODAY, again=True, pace=0.1)
    assert again.status is RunStatus.READY
    assert len(vendors.bedrock.jobs) == trained


def test_a_ready_backend_is_used_as_it_is(vendors: World, lessons: Lessons) -> None:
    from cloudistill import connect

    backend = connect("openai")
    assert isinstance(backend, Trains)
    run = distill(
        lessons(20, seed=44), student=STUDENTS["openai"], name="own", today=TODAY, wait=False, backends=[backend]
    )
    assert run.trains() is backend
    assert isinstance(run.job, JobRef)


def test_a_run_that_only_waits_for_its_deployment_has_nothing_to_cancel(vendors: World, lessons: Lessons) -> None:
    run = distill(lessons(20, seed=45), student=STUDENTS["bedrock"], name="trained", today=TODAY, wait=False)
    while run.status is RunStatus.WAITING:
        run.refresh()
    deployed = len(vendors.bedrock.deployments)
    with pytest.raises(errors.UsageError, match="no job to cancel"):
        run.cancel()
    assert len(vendors.bedrock.deployments) == deployed
    assert run.status is RunStatus.DEPLOYING
