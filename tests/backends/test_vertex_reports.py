"""How a tuning job goes on Vertex: its times and stages as events, checkpoints that answer, measurements if told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.genai import types

from cloudistill.backends.vertex import reports
from cloudistill.core.job import StepMetrics

from .vendors import trouble
from .vertex_project import BUCKET, HOUR, Desk, asking, contents


def test_times_stages_and_progress_are_told_oldest_first(google: Desk) -> None:
    ref = google.backend.submit(google.spec()).ref
    assert [event.message for event in google.backend.events(ref)] == ["ordered", "JOB_STATE_QUEUED"]
    google.world.clock.advance(1_200)
    told = list(google.backend.events(ref))
    assert [event.message for event in told][:2] == ["ordered", "started"]
    assert {event.message for event in told[2:]} == {
        "JOB_STATE_RUNNING",
        "TUNING_JOB_STATE_TUNING",
        "completed 2 epochs",
    }
    google.world.clock.advance(HOUR)
    ended = list(google.backend.events(ref))
    assert [event.message for event in ended] == ["ordered", "started", "JOB_STATE_SUCCEEDED"]
    times = [event.at for event in ended]
    assert times == sorted(time for time in times if time)


def test_a_failure_is_told_in_googles_words(google: Desk) -> None:
    job = google.finished(google.spec(training=google.upload([{"contents": contents("hi"), "tools": [{}]}])))
    last = list(google.backend.events(job.ref))[-1]
    assert (last.level, last.kind, last.message) == ("error", "error", job.failure)
    assert "without function calls" in last.message


def test_a_cancelled_job_warns(google: Desk) -> None:
    ref = google.backend.submit(google.spec()).ref
    google.backend.cancel(ref)
    google.world.clock.advance(HOUR)
    assert {event.message: event.level for event in google.backend.events(ref)}["JOB_STATE_CANCELLED"] == "warning"


def test_checkpoints_answer_and_come_oldest_first(google: Desk) -> None:
    job = google.finished(google.spec(hyperparameters={"epochs": 3}))
    kept = google.backend.checkpoints(job.ref)
    assert [(point.name, point.epoch) for point in kept] == [("1", 1), ("2", 2), ("3", 3)]
    assert kept[-1].model == job.model
    assert google.backend.generate(kept[0].model, asking("track the oven")).content == "shipping"


def test_checkpoints_told_in_another_order_come_oldest_first() -> None:
    place = "projects/1/locations/us-central1/endpoints"
    told = [types.TunedModelCheckpoint(epoch=epoch, endpoint=f"{place}/{epoch}") for epoch in (10, 9)]
    job = types.TuningJob(tuned_model=types.TunedModel(checkpoints=told))
    assert [point.epoch for point in reports.checkpoints(job)] == [9, 10]


def test_a_job_that_names_a_metrics_file_is_measured_by_it(google: Desk) -> None:
    ref = google.backend.submit(google.spec()).ref
    uri = f"gs://{BUCKET}/metrics/{google.marker}"
    google.world.vertex.jobs[-1].metrics_uri = uri
    assert google.backend.metrics(ref) == []
    google.world.vertex.buckets.write(f"{uri}/train.jsonl", b'{"step": 1, "train_total_loss": 0.5}\n')
    assert google.backend.metrics(ref) == [StepMetrics(step=1, training_loss=0.5)]


FIRST, SECOND = StepMetrics(step=1, epoch=0.5, training_loss=0.5), StepMetrics(step=2, epoch=1, training_loss=0.25)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            [
                '{"step": 2, "/train_total_loss": 0.25, "epoch": 1}',
                '{"step": 1, "train_total_loss": "0.5", "epoch": 0.5}',
            ],
            [FIRST, SECOND],
        ),
        (["step, /train_total_loss, epoch", "1, 0.5, 0.5", "2, 0.25, 1", "3, NaN, 1", "x, y"], [FIRST, SECOND]),
        (['{"step": 1, "train_total_loss": 0.5, "epoch": 0.5}', "no json", "[]", '{"loss": 1}'], [FIRST]),
    ],
)
def test_measurements_are_read_from_json_lines_and_csv(lines: list[str], told: list[StepMetrics]) -> None:
    assert reports.steps(lines) == told


@pytest.mark.parametrize("lines", [[], ["hello"], ["\0\1"], ["{"]])
def test_a_file_of_another_kind_measures_nothing(lines: list[str]) -> None:
    assert reports.steps(lines) == []


def test_a_garbled_answer_is_no_empty_report(google: Desk) -> None:
    ref = google.backend.submit(google.spec()).ref
    for ask in (google.backend.metrics, google.backend.checkpoints, google.backend.prompt_report):
        google.world.vertex.server.fail(r"GET .*/tuningJobs/", kind="html")
        assert trouble(google.backend, lambda ask=ask: ask(ref)).retryable


def test_events_are_dated_in_the_vendors_time(google: Desk) -> None:
    ref = google.backend.submit(google.spec()).ref
    ordered = next(iter(google.backend.events(ref)))
    assert ordered.at
    assert abs(ordered.at - google.world.clock.now()) < timedelta(seconds=1)
