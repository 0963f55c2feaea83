"""How a tuning job goes on Vertex: its times and stages as events, checkpoints that answer, measurements if told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cloudistill.backends.vertex import VertexBackend, reports
from cloudistill.core.job import StepMetrics
from cloudistill.emulators import World

from .vendors import trouble
from .vertex_project import BUCKET, HOUR, Desk, asking, contents, project

Project = tuple[World, VertexBackend]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project(tmp_path_factory.mktemp("vertex")) as made:
        yield made


@pytest.fixture
def desk(running: Project, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(*running, request.node.name, tmp_path, monkeypatch)


def test_times_stages_and_progress_are_told_oldest_first(desk: Desk) -> None:
    ref = desk.backend.submit(desk.spec()).ref
    assert [event.message for event in desk.backend.events(ref)] == ["ordered", "JOB_STATE_QUEUED"]
    desk.world.clock.advance(1_200)
    told = list(desk.backend.events(ref))
    assert [event.message for event in told][:2] == ["ordered", "started"]
    assert {event.message for event in told[2:]} == {
        "JOB_STATE_RUNNING",
        "TUNING_JOB_STATE_TUNING",
        "completed 2 epochs",
    }
    desk.world.clock.advance(HOUR)
    ended = list(desk.backend.events(ref))
    assert [event.message for event in ended] == ["ordered", "started", "JOB_STATE_SUCCEEDED"]
    times = [event.at for event in ended]
    assert times == sorted(time for time in times if time)


def test_a_failure_is_told_in_googles_words(desk: Desk) -> None:
    job = desk.finished(desk.spec(training=desk.upload([{"contents": contents("hi"), "tools": [{}]}])))
    last = list(desk.backend.events(job.ref))[-1]
    assert (last.level, last.kind, last.message) == ("error", "error", job.failure)
    assert "without function calls" in last.message


def test_a_cancelled_job_warns(desk: Desk) -> None:
    ref = desk.backend.submit(desk.spec()).ref
    desk.backend.cancel(ref)
    desk.world.clock.advance(HOUR)
    assert {event.message: event.level for event in desk.backend.events(ref)}["JOB_STATE_CANCELLED"] == "warning"


def test_checkpoints_answer_and_come_oldest_first(desk: Desk) -> None:
    job = desk.finished(desk.spec(hyperparameters={"epochs": 3}))
    kept = desk.backend.checkpoints(job.ref)
    assert [(point.name, point.epoch) for point in kept] == [("1", 1), ("2", 2), ("3", 3)]
    assert kept[-1].model == job.model
    assert desk.backend.generate(kept[0].model, asking("track the oven")).content == "shipping"


def test_what_is_not_there_yet_is_empty(desk: Desk) -> None:
    ref = desk.backend.submit(desk.spec()).ref
    assert desk.backend.checkpoints(ref) == []
    assert desk.backend.metrics(ref) == []
    assert desk.backend.prompt_report(ref) is None


def test_a_job_that_names_a_metrics_file_is_measured_by_it(desk: Desk) -> None:
    ref = desk.backend.submit(desk.spec()).ref
    uri = f"gs://{BUCKET}/metrics/{desk.marker}"
    desk.world.vertex.jobs[-1].metrics_uri = uri
    assert desk.backend.metrics(ref) == []
    desk.world.vertex.buckets.write(f"{uri}/train.jsonl", b'{"step": 1, "train_total_loss": 0.5}\n')
    assert desk.backend.metrics(ref) == [StepMetrics(step=1, training_loss=0.5)]


@pytest.mark.parametrize(
    "lines",
    [
        ['{"step": 2, "/train_total_loss": 0.25, "epoch": 1}', '{"step": 1, "train_total_loss": "0.5", "epoch": 0.5}'],
        ["step, /train_total_loss, epoch", "1, 0.5, 0.5", "2, 0.25, 1", "3, NaN, 1", "x, y"],
        ['{"step": 1, "train_total_loss": 0.5, "epoch": 0.5}', "no json", "[]", '{"loss": 1}'],
    ],
)
def test_measurements_are_read_from_json_lines_and_csv(lines: list[str]) -> None:
    first = StepMetrics(step=1, epoch=0.5, training_loss=0.5)
    assert reports.steps(lines) in ([first], [first, StepMetrics(step=2, epoch=1, training_loss=0.25)])


@pytest.mark.parametrize("lines", [[], ["hello"], ["\0\1"], ["{"]])
def test_a_file_of_another_kind_measures_nothing(lines: list[str]) -> None:
    assert reports.steps(lines) == []


def test_a_garbled_answer_is_no_empty_report(desk: Desk) -> None:
    ref = desk.backend.submit(desk.spec()).ref
    for ask in (desk.backend.metrics, desk.backend.checkpoints, desk.backend.prompt_report):
        desk.world.vertex.server.fail(r"GET .*/tuningJobs/", kind="garble")
        assert trouble(desk.backend, lambda ask=ask: ask(ref)).retryable


def test_events_are_dated_in_the_vendors_time(desk: Desk) -> None:
    ref = desk.backend.submit(desk.spec()).ref
    ordered = next(iter(desk.backend.events(ref)))
    assert ordered.at
    assert abs(ordered.at - desk.world.clock.now()) < timedelta(seconds=1)
