"""Vertex against what is hostile or not ours: names that lead elsewhere, redirects, loops, others' files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudistill.backends.vertex import VertexBackend, reports
from cloudistill.backends.vertex.native import is_open
from cloudistill.backends.vertex.orders import kind_of, location_of
from cloudistill.core.errors import UnusableAnswer, UsageError
from cloudistill.core.job import JobStatus, StepMetrics
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.emulators.server import Server

from .vendors import Canned, close, trouble
from .vertex_project import BUCKET, Desk

PLACE = "projects/1/locations/us-central1"
MODEL, OURS, THEIRS = f"{PLACE}/models/1", f"{PLACE}/endpoints/5", f"{PLACE}/endpoints/6"
JOB: dict[str, Any] = {
    "name": f"{PLACE}/tuningJobs/1",
    "state": "JOB_STATE_SUCCEEDED",
    "tunedModel": {"model": f"{MODEL}@1", "endpoint": OURS},
}


@pytest.fixture
def vertex(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexBackend]:
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-central1")
    credentials = Credentials("token")  # pyright: ignore[reportUnknownArgumentType]
    backend = VertexBackend(project="p", bucket=BUCKET, base_url=canned.url, credentials=credentials)
    yield backend
    close(backend)


class Scripted:
    """A Google that answers by path, and keeps what it was told to do and under which authorisation."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.sent, self.signed = answers, list[str](), set[str | None]()
        self.server = Server(Starlette(routes=[Route("/{path:path}", self.respond, methods=["GET", "POST", "DELETE"])]))

    async def respond(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/v1beta1/")
        self.signed.add(request.headers.get("authorization"))
        if request.method != "GET":
            self.sent.append(f"{request.method} {path}")
            return json_of({"name": f"{PLACE}/operations/1", "done": True})
        tail = next((key for key in self.answers if path.endswith(key)), None)
        return json_of(self.answers[tail]) if tail else json_of({"error": {"status": "NOT_FOUND"}}, 404)


def json_of(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, {"content-type": "application/json"})


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Scripted, VertexBackend]]:
    google = Scripted({"/tuningJobs": {"tuningJobs": [JOB]}})
    google.server.start()
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-central1")
    credentials = Credentials("token")  # pyright: ignore[reportUnknownArgumentType]
    backend = VertexBackend(project="p", bucket=BUCKET, base_url=google.server.url, credentials=credentials)
    yield google, backend
    close(backend)
    google.server.stop()


# -- names


@pytest.mark.parametrize(
    "name",
    [
        "projects/1/locations/evil.example#/endpoints/1",
        "projects/1/locations/evil.example?x=/endpoints/1",
        "projects/1/locations/u:p@evil.example:443#/endpoints/1",
        f"{PLACE}/endpoints/..",
        f"{PLACE}/endpoints/1?force=true",
        f"{PLACE}/endpoints/1:undeployModel",
        "projects/../locations/us/endpoints/1",
    ],
)
def test_a_name_that_leads_elsewhere_names_nothing(vertex: VertexBackend, canned: Canned, name: str) -> None:
    assert kind_of(name) is None
    assert location_of(name) in {None, "us-central1"}
    with pytest.raises(UsageError, match="nothing of yours"):
        vertex.delete_model(ModelRef("vertex", name))
    assert isinstance(trouble(vertex, lambda: vertex.rest().get("a/b/c/evil.example#")), UnusableAnswer)
    assert canned.bodies == []


@pytest.mark.parametrize(
    "name",
    [
        f"{MODEL}@2",
        f"{MODEL}@golden",
        "projects/example.com:my-project/locations/eu/models/my-model",
        f"{PLACE}/models/mg-endpoint_1",
    ],
)
def test_googles_own_names_are_understood(name: str) -> None:
    assert kind_of(name) == "models"
    assert not is_open(name)


def test_an_open_model_that_is_not_named_yet_says_where_its_weights_are(vertex: VertexBackend, canned: Canned) -> None:
    canned.answer = {"name": JOB["name"], "state": "JOB_STATE_SUCCEEDED", "outputUri": "gs://b/out/"}
    job = vertex.poll(JobRef("vertex", JOB["name"]))
    assert (job.status, job.model) == (JobStatus.RUNNING, None)
    assert job.warning
    assert "gs://b/out/" in job.warning
    assert "endpoint" not in job.warning


# -- on the way


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_of_a_deletion_is_not_followed_and_no_success(
    vertex: VertexBackend, canned: Canned, status: int
) -> None:
    canned.answer, canned.status, canned.headers = {"done": True}, status, {"location": f"{canned.url}/elsewhere"}
    trouble(vertex, lambda: vertex.rest().order("DELETE", MODEL))
    assert len(canned.bodies) == 1


def test_a_netrc_does_not_take_the_place_of_the_token(
    scripted: tuple[Scripted, VertexBackend], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    google, backend = scripted
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n", "utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    assert backend.rest().get(MODEL) is None
    assert google.signed == {"Bearer token"}


def test_a_list_that_leads_back_to_its_own_page_ends(vertex: VertexBackend, canned: Canned) -> None:
    canned.answer = {"tuningJobs": [JOB], "nextPageToken": "again"}
    assert isinstance(trouble(vertex, lambda: list(vertex.list())), UnusableAnswer)
    assert len(canned.bodies) == 2


@pytest.mark.parametrize(
    "answer", [{"deployedModels": "x"}, {"deployedModels": [None]}, {"models": {}, "operations": 7}]
)
def test_a_list_of_something_else_is_unusable(vertex: VertexBackend, canned: Canned, answer: dict[str, Any]) -> None:
    canned.answer = answer | {"error": None}
    error = trouble(vertex, lambda: vertex.delete_model(ModelRef("vertex", MODEL)))
    assert type(error) is UnusableAnswer
    assert {line.partition(" ")[0] for line, _ in canned.bodies} == {"GET"}


def test_an_operation_with_an_odd_error_is_told_as_it_is(vertex: VertexBackend, canned: Canned) -> None:
    canned.answer = {"done": True, "error": "still in use"}
    assert "still in use" in trouble(vertex, lambda: vertex.rest().order("DELETE", MODEL)).message


# -- what is not ours


def deployed(*models: str) -> dict[str, Any]:
    return {"deployedModels": [{"id": str(number), "model": model} for number, model in enumerate(models, 1)]}


def test_a_model_that_others_have_tuned_on_is_not_taken_down_with_theirs(
    scripted: tuple[Scripted, VertexBackend],
) -> None:
    google, backend = scripted
    google.answers |= {":listVersions": {"models": [{"versionId": "1"}, {"versionId": "2"}]}, "/models/1": {}}
    for name in (OURS, f"{MODEL}@1"):
        with pytest.raises(UsageError, match="2 versions"):
            backend.delete_model(ModelRef("vertex", name))
    assert google.sent == []


def test_an_endpoint_that_somebody_made_by_hand_is_emptied_and_stays(scripted: tuple[Scripted, VertexBackend]) -> None:
    google, backend = scripted
    model = {"name": MODEL, "deployedModels": [{"endpoint": OURS}, {"endpoint": THEIRS}]}
    google.answers |= {"/models/1": model, "/endpoints/5": deployed(MODEL), "/endpoints/6": deployed(MODEL)}
    backend.delete_model(ModelRef("vertex", OURS))
    assert google.sent == [
        f"POST {OURS}:undeployModel",
        f"DELETE {OURS}",
        f"POST {THEIRS}:undeployModel",
        f"DELETE {MODEL}",
    ]


def test_a_model_named_by_its_projects_name_is_known_by_the_number(scripted: tuple[Scripted, VertexBackend]) -> None:
    google, backend = scripted
    google.answers |= {"/models/1": {"name": MODEL, "deployedModels": [{"endpoint": THEIRS}]}}
    google.answers |= {"/endpoints/6": deployed(MODEL)}
    backend.delete_model(ModelRef("vertex", MODEL.replace("projects/1/", "projects/my-project/")))
    assert google.sent == [f"POST {THEIRS}:undeployModel", f"DELETE {MODEL}"]


def test_what_others_keep_in_our_bucket_is_not_deleted(google: Desk) -> None:
    for key in ("ledger.csv", "cloudistill.jsonl", "cloudistilled/rows.jsonl"):
        google.world.vertex.buckets.write(f"gs://{BUCKET}/{key}", b"theirs")
        with pytest.raises(UsageError, match="under cloudistill/"):
            google.backend.delete_file(FileRef("vertex", f"gs://{BUCKET}/{key}"))
        assert google.stored(f"gs://{BUCKET}/{key}") == b"theirs"


def test_another_jobs_measurements_are_not_taken_for_its_own(google: Desk) -> None:
    ref = google.backend.submit(google.spec()).ref
    uri = f"gs://{BUCKET}/metrics/{google.marker}"
    google.world.vertex.buckets.write(f"{uri}0/train.jsonl", b'{"step": 1, "train_total_loss": 9}\n')
    google.world.vertex.jobs[-1].metrics_uri = uri
    assert google.backend.metrics(ref) == []
    google.world.vertex.jobs[-1].metrics_uri = f"gs://{BUCKET}"
    assert google.backend.metrics(ref) == []


def test_training_and_validation_of_one_step_are_put_together() -> None:
    lines = ['{"step": 1, "train_total_loss": 0.5}', '{"step": 1, "eval_total_loss": 0.6, "epoch": 1}']
    assert reports.steps(lines) == [StepMetrics(step=1, epoch=1, training_loss=0.5, validation_loss=0.6)]
