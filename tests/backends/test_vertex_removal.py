"""What Vertex stores and tunes is removed in the order Google demands, by calls that never wait."""

from __future__ import annotations

import pytest
from google import genai

from cloudistill.backends.vertex import VertexBackend
from cloudistill.backends.vertex.rest import host_for
from cloudistill.core.errors import AuthenticationFailed, NotFound, ServiceTrouble, UnusableAnswer, UsageError
from cloudistill.core.job import Job
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.pipeline.retry import Patience, ask

from .vendors import Canned, close, trouble
from .vertex_project import BUCKET, OPEN, Desk, asking

PLACE = "projects/1/locations/us-central1"


@pytest.fixture
def job(google: Desk) -> Job:
    return google.finished(google.spec(hyperparameters={"epochs": 2}))


def standing(google: Desk, job: Job) -> list[str]:
    """What is left of what the job made."""
    endpoints = [endpoint for endpoint, _ in endpoints_of(google, job)]
    listed = google.backend.client("us-central1").models.list(config={"query_base": False})
    models = [str(model.name) for model in listed]
    made = google.world.vertex.registry._ledger.jobs[job.ref.id]
    return [*endpoints, *(name for name in models if name == made.model_name)]


def endpoints_of(google: Desk, job: Job) -> list[tuple[str, int]]:
    ledger = google.world.vertex.registry._ledger
    found = ledger.endpoints(google.world.clock.now())
    return [(name, epoch) for name, (of, epoch) in found.items() if of.name == job.ref.id]


@pytest.mark.parametrize("uri", ["gs://somebody-elses/rows.jsonl", f"gs://{BUCKET}/", "s3://bucket/rows.jsonl"])
def test_files_that_lie_elsewhere_are_not_ours_to_delete(google: Desk, uri: str) -> None:
    with pytest.raises(UsageError, match="no file in the bucket"):
        google.backend.delete_file(FileRef("vertex", uri))


def test_an_endpoint_takes_its_model_and_the_checkpoints_endpoints_with_it(google: Desk, job: Job) -> None:
    model = job.model
    assert model
    assert len(standing(google, job)) == 3
    for _ in range(2):
        google.backend.delete_model(model)
        assert standing(google, job) == []
    assert isinstance(trouble(google.backend, lambda: google.backend.generate(model, asking("hi"))), NotFound)


def test_the_model_may_be_named_in_place_of_its_endpoint(google: Desk, job: Job) -> None:
    tuned = google.backend.client("us-central1").tunings.get(name=job.ref.id).tuned_model
    assert tuned
    assert tuned.model
    google.backend.delete_model(ModelRef("vertex", tuned.model))
    assert standing(google, job) == []


def test_of_a_checkpoint_its_endpoint_goes_alone(google: Desk, job: Job) -> None:
    first, *_ = google.backend.checkpoints(job.ref)
    for _ in range(2):
        google.backend.delete_model(first.model)
    assert job.model
    assert [name for name, _ in endpoints_of(google, job)] == [job.model.id]
    assert google.backend.generate(job.model, asking("where is my oven")).content == "shipping"


def test_while_google_is_at_work_it_is_asked_again_and_nothing_is_sent_twice(
    google: Desk, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google.world.vertex.registry, "operation_s", 15.0)
    model = job.model
    assert model
    before = google.count("POST .*undeployModel"), google.count("DELETE ")
    for _ in range(2):
        with pytest.raises(ServiceTrouble, match="Ask again") as waiting:
            google.backend.delete_model(model)
        assert waiting.value.retryable
    assert len(standing(google, job)) == 3
    patience = Patience(sleep=google.world.clock.advance, first=10)
    ask(google.backend, lambda: google.backend.delete_model(model), patience)
    assert standing(google, job) == []
    assert (google.count("POST .*undeployModel"), google.count("DELETE ")) == (before[0] + 2, before[1] + 3)


def test_an_open_model_that_nobody_serves_is_removed(google: Desk) -> None:
    job = google.finished(google.spec(OPEN))
    assert job.model
    for _ in range(2):
        google.backend.delete_model(job.model)
    assert standing(google, job) == []


@pytest.mark.parametrize("id_", ["gemini-3.5-flash", "qwen/qwen3@qwen3-4b", f"{PLACE}/tuningJobs/1", "gs://b/weights"])
def test_what_is_no_tuned_model_is_not_deleted(google: Desk, id_: str) -> None:
    with pytest.raises(UsageError, match="nothing of yours to delete"):
        google.backend.delete_model(ModelRef("vertex", id_))


def test_an_endpoint_that_no_job_of_ours_made_is_left_alone(google: Desk) -> None:
    with pytest.raises(UsageError, match="made by no tuning job"):
        google.backend.delete_model(ModelRef("vertex", f"{PLACE}/endpoints/1"))


@pytest.mark.parametrize(
    ("method", "fault", "expected"),
    [
        ("GET", {"kind": "html"}, UnusableAnswer),
        ("GET", {"kind": "drop-after"}, ServiceTrouble),
        ("GET", {"status": 404, "body": b"<html>proxy</html>"}, NotFound),
        (
            "POST",
            {"status": 401, "body": b'{"error":{"status":"UNAUTHENTICATED","message":"m"}}'},
            AuthenticationFailed,
        ),
        ("DELETE", {"status": 503, "body": b'{"error":{"status":"UNAVAILABLE","message":"m"}}'}, ServiceTrouble),
    ],
)
def test_trouble_on_the_way_is_named_and_no_absence(
    google: Desk, job: Job, method: str, fault: dict[str, object], expected: type[Exception]
) -> None:
    assert job.model
    model = job.model
    google.world.vertex.server.fail(rf"^{method} .*/endpoints/", times=1, **fault)
    error = trouble(google.backend, lambda: google.backend.delete_model(model))
    assert type(error) is expected
    assert "/endpoints/" in error.message
    google.backend.delete_model(model)
    assert standing(google, job) == []


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_a_location_is_asked_at_the_host_that_the_sdk_asks_too(
    google: Desk, monkeypatch: pytest.MonkeyPatch, location: str, host: str
) -> None:
    monkeypatch.delenv("GOOGLE_VERTEX_BASE_URL")
    assert host_for(location) == f"https://{host}"
    sdk = genai.Client(vertexai=True, project="p", location=location, credentials=google.backend.credentials)
    assert sdk._api_client._http_options.base_url == f"https://{host}/"  # pyright: ignore[reportPrivateUsage]
    sdk.close()


def test_an_operation_that_failed_says_so(google: Desk, canned: Canned) -> None:
    canned.answer = {"name": f"{PLACE}/operations/1", "done": True, "error": {"code": 9, "message": "still in use"}}
    backend = VertexBackend(bucket=BUCKET, base_url=canned.url, credentials=google.backend.credentials)
    error = trouble(backend, lambda: backend.delete_model(ModelRef("vertex", f"{PLACE}/models/1@1")))
    close(backend)
    assert (error.code, "still in use" in error.message) == ("9", True)


def test_a_model_that_others_serve_beside_theirs_leaves_their_endpoint_standing(google: Desk, canned: Canned) -> None:
    ours, theirs = f"{PLACE}/models/1", f"{PLACE}/models/2"
    canned.answer = {
        "done": True,
        "name": "x",
        "deployedModels": [
            {"id": "10", "model": ours, "endpoint": f"{PLACE}/endpoints/5"},
            {"id": "20", "model": theirs, "endpoint": f"{PLACE}/endpoints/5"},
        ],
    }
    backend = VertexBackend(bucket=BUCKET, base_url=canned.url, credentials=google.backend.credentials)
    backend.delete_model(ModelRef("vertex", ours))
    close(backend)
    sent = [(line, body) for line, body in canned.bodies if not line.startswith("GET")]
    assert sent == [
        (f"POST /v1beta1/{PLACE}/endpoints/5:undeployModel", b'{"deployedModelId": "10"}'),
        (f"DELETE /v1beta1/{ours}", b""),
    ]
