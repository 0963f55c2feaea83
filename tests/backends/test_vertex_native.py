"""Vertex's own distillation through our backend: Gemini and open models, and what is refused before sending."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cloudistill.backends.vertex import VertexBackend
from cloudistill.core.errors import InvalidRequest, MissingSetup, PermissionDenied, UsageError
from cloudistill.core.job import Job, JobStatus, Logs
from cloudistill.core.refs import JobRef, ModelRef

from .vendors import Canned, close, trouble
from .vertex_project import BUCKET, GEMINI, HOUR, OPEN, PROMPTS, Desk, asking, contents, messages, project


def bodies(canned: Canned, google: Desk, spec: Any) -> dict[str, Any]:
    """The create request as it was sent."""
    canned.answer = {"name": "projects/1/locations/us-central1/tuningJobs/1", "state": "JOB_STATE_QUEUED"}
    backend = VertexBackend(bucket=BUCKET, base_url=canned.url, credentials=google.backend.credentials)
    backend.submit(spec)
    close(backend)
    return json.loads(dict(canned.bodies)[f"POST /v1beta1/projects/{BUCKET}/locations/us-central1/tuningJobs"])


def test_from_prompts_alone_comes_a_gemini_student_that_beats_its_base(google: Desk) -> None:
    spec = google.spec()
    assert google.backend.find(spec) is None
    job = google.finished(spec)
    assert (job.status, job.marker, job.base) == (JobStatus.SUCCEEDED, google.marker, "gemini-2.5-flash")
    assert job.model
    assert job.warning is None
    assert google.right(job.model) > 0.8 > google.right(ModelRef("vertex", "gemini-2.5-flash"))
    found = google.backend.find(spec)
    assert found
    assert found.ref == job.ref
    assert job.trained_tokens


def test_an_open_student_ends_as_weights_that_nobody_serves_yet(google: Desk) -> None:
    job = google.finished(google.spec(OPEN))
    folder = f"gs://{BUCKET}/cloudistill/out/{google.marker}/"
    assert job.status is JobStatus.SUCCEEDED
    assert job.model
    assert "/models/" in job.model.id
    assert job.warning
    assert folder in job.warning
    assert google.stored(f"{folder}postprocess/node-0/checkpoints/final/model.safetensors")
    with pytest.raises(UsageError, match="no endpoint"):
        google.backend.generate(job.model, asking("where is my oven"))


def test_a_job_at_global_is_followed_there_and_its_model_lies_in_a_region(
    google: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "global")
    job = google.finished(google.spec(OPEN))
    assert "/locations/global/" in job.ref.id
    assert job.model
    assert "/locations/us-central1/" in job.model.id


def test_the_teachers_answers_are_found_under_the_output_folder(google: Desk) -> None:
    spec = google.spec(OPEN)
    ordered = google.backend.submit(spec)
    assert google.backend.prompt_report(ordered.ref) is None
    google.world.clock.advance(HOUR)
    google.backend.poll(ordered.ref)
    report = google.backend.prompt_report(ordered.ref)
    assert report
    assert (report.accepted, report.rejected, report.reasons) == (len(PROMPTS), 0, {})
    labelled = google.stored(report.sources[-1])
    assert labelled
    rows = [json.loads(line) for line in labelled.splitlines()]
    assert [row["messages"][-1]["content"] for row in rows] == [queue for _, queue in PROMPTS]


def test_prompts_that_are_too_long_are_counted_by_their_reason(google: Desk) -> None:
    rows = [{"contents": contents(asked)} for asked, _ in PROMPTS]
    job = google.finished(google.spec(training=google.upload([*rows, {"contents": contents("long " * 8_000)}])))
    report = google.backend.prompt_report(job.ref)
    assert report
    assert report.accepted == len(PROMPTS)
    assert report.rejected is None  # Vertex gives a sample, no count
    assert report.reasons == {"The example has more than 8000 tokens.": 1}


def test_gemini_is_ordered_with_what_the_public_contract_holds_and_no_more(google: Desk, canned: Canned) -> None:
    spec = google.spec(hyperparameters={"epochs": 3, "adapter_size": 4, "learning_rate_multiplier": 0.5})
    body = bodies(canned, google, spec)
    assert spec.training
    assert body == {
        "baseModel": "gemini-2.5-flash",
        "distillationSpec": {
            "promptDatasetUri": spec.training.id,
            "baseTeacherModel": "gemini-3.1-pro",
            "hyperParameters": {"epochCount": 3, "adapterSize": "ADAPTER_SIZE_FOUR", "learningRateMultiplier": 0.5},
        },
        "tunedModelDisplayName": f"cloudistill-{google.marker}",
        "labels": {"cloudistill-marker": google.marker, "cloudistill-run": "queues"},
    }


def test_an_open_model_is_ordered_with_its_output_folder_and_what_is_native(google: Desk, canned: Canned) -> None:
    spec = google.spec(
        OPEN,
        validation=google.upload([{"messages": messages("where is my oven", "shipping")}]),
        hyperparameters={"batch_size": 4, "learning_rate": 0.0001},
        native={"tuning_mode": "TUNING_MODE_FULL", "description": "queues"},
    )
    body = bodies(canned, google, spec)
    assert body["outputUri"] == f"gs://{BUCKET}/cloudistill/out/{google.marker}/"
    assert body["description"] == "queues"
    assert body["distillationSpec"]["tuningMode"] == "TUNING_MODE_FULL"
    assert body["distillationSpec"]["hyperParameters"] == {"batchSize": 4, "learningRate": 0.0001}
    assert spec.validation
    assert body["distillationSpec"]["validationDatasetUri"] == spec.validation.id
    assert [member for member in body if member.endswith("Spec")] == ["distillationSpec"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"teacher": None}, "needs a teacher"),
        ({"teacher": ModelRef("openai", "gpt-4.1")}, "does not distil openai:gpt-4.1"),
        ({"teacher": ModelRef("vertex", "gemini-4-argon")}, r"does not distil vertex:gemini-4-argon .* gemini-3.1-pro"),
        ({"student": ModelRef("vertex", "gemini-3.5-flash")}, "for that: none"),
        ({"logs": Logs(uri="gs://b/logs"), "training": None}, "takes no logs"),
        ({"teacher_max_tokens": 9}, "takes no teacher_max_tokens"),
        ({"training": None}, "names no training file"),
        ({"hyperparameters": {"batch_size": 4}}, "takes no hyperparameter 'batch_size'"),
        ({"native": {"reward_config": {}}}, "reward_config"),
        ({"native": {"output_uri": "gs://mine/out"}}, "is set by cloudistill"),
    ],
)
def test_what_vertex_cannot_distil_is_refused_and_nothing_sent(
    google: Desk, members: dict[str, Any], words: str
) -> None:
    order: dict[str, Any] = {"training": google.upload([{"contents": contents("hi")}]), **members}
    spec = google.spec(**order)
    before = google.count("aiplatform|tuningJobs")
    with pytest.raises(UsageError, match=words):
        google.backend.submit(spec)
    assert google.count("aiplatform|tuningJobs") == before


def test_a_missing_file_of_prompts_is_refused_by_accepts_too(google: Desk) -> None:
    with pytest.raises(UsageError, match="names no training file"):
        google.backend.accepts(google.spec(training=None))


def test_a_teacher_is_not_dropped_from_an_order_to_fine_tune(google: Desk) -> None:
    with pytest.raises(UsageError, match="takes no teacher with an order of the method sft"):
        google.backend.accepts(google.spec(GEMINI, method="sft"))


def test_an_open_model_is_not_fine_tuned_on_answers(google: Desk) -> None:
    with pytest.raises(UsageError, match="Use the method native"):
        google.backend.accepts(google.spec(OPEN, method="sft", teacher=None))


@pytest.mark.parametrize(("pair", "place"), [(GEMINI, "europe-west4"), (OPEN, "us-east1")])
def test_a_pair_is_distilled_where_google_says_only(
    google: Desk, monkeypatch: pytest.MonkeyPatch, pair: tuple[ModelRef, ModelRef], place: str
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", place)
    with pytest.raises(MissingSetup, match=place) as refusal:
        google.backend.accepts(google.spec(pair))
    assert ("--method sft" in str(refusal.value)) == (pair is GEMINI), "an open model is not fine-tuned on answers"


def test_a_project_that_google_has_not_let_in_is_denied(google: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google.world.vertex.tuning, "invited", False)
    assert isinstance(trouble(google.backend, lambda: google.backend.submit(google.spec())), PermissionDenied)
    assert google.backend.submit(google.spec(OPEN)).status is JobStatus.PENDING


def test_once_a_model_is_retired_google_refuses_what_accepts_let_pass(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with project(tmp_path, date(2026, 11, 24)) as late:
        desk = Desk(*late, request.node.name, tmp_path, monkeypatch)
        for pair in (GEMINI, OPEN):
            spec = desk.spec(pair)
            desk.backend.accepts(spec)
            assert isinstance(trouble(desk.backend, lambda spec=spec: desk.backend.submit(spec)), InvalidRequest)


@pytest.mark.parametrize(
    ("word", "made", "status"),
    [
        ("JOB_STATE_PARTIALLY_SUCCEEDED", {"model": "projects/1/locations/us-west1/models/2@1"}, JobStatus.SUCCEEDED),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", {}, JobStatus.FAILED),
        ("JOB_STATE_SUCCEEDED", {}, JobStatus.RUNNING),
    ],
)
def test_a_success_without_an_endpoint_is_final_only_with_a_model(
    google: Desk, canned: Canned, word: str, made: dict[str, str], status: JobStatus
) -> None:
    ref = JobRef("vertex", "projects/1/locations/us-central1/tuningJobs/1")
    canned.answer = {"name": ref.id, "state": word, "outputUri": "gs://b/out/", "tunedModel": made}
    backend = VertexBackend(bucket=BUCKET, base_url=canned.url, credentials=google.backend.credentials)
    job: Job = backend.poll(ref)
    close(backend)
    assert job.status is status
    assert (job.model is not None) == (status is JobStatus.SUCCEEDED)
    if job.model:
        assert job.warning
        assert "in part only" in job.warning
        assert "gs://b/out/" in job.warning
