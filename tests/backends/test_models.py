"""From a finished job to a model that answers, and lists that go on for pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from starlette.applications import Starlette
from starlette.requests import Request as WebRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cloudistill.backends.backend import Request
from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.backends.openai import OpenAIBackend
from cloudistill.backends.vertex import VertexBackend
from cloudistill.core.errors import InvalidRequest, UnusableAnswer, UsageError
from cloudistill.core.example import Example, Message, Tool
from cloudistill.core.job import Job, JobStatus
from cloudistill.core.refs import ModelRef
from cloudistill.emulators.server import Server

from .vendors import WEATHER, Canned, Vendor, close, spec_for

TOOL = Tool(name="get_weather", description="The weather in a city.", parameters=WEATHER["parameters"])
QUESTION = Request(
    example=Example(messages=(Message(role="user", content="What is the weather in Oslo?"),), tools=(TOOL,))
)


def finished(vendor: Vendor) -> Job:
    """The job of this vendor's order, once it has ended."""
    job = vendor.backend.submit(vendor.spec())
    for _ in range(40):
        vendor.world.clock.advance(1200)
        job = vendor.backend.poll(job.ref)
        if job.status.is_final:
            break
    assert job.status is JobStatus.SUCCEEDED
    return job


@pytest.mark.parametrize("vendor", ["openai", "vertex"], indirect=True)
def test_the_model_of_a_job_answers_at_once_and_calls_its_tool(vendor: Vendor):
    job = finished(vendor)
    assert job.model is not None
    answer = vendor.backend.generate(job.model, QUESTION)
    assert [call.name for call in answer.tool_calls] == ["get_weather"]
    assert answer.usage.output_tokens > 0
    if vendor.name == "vertex":
        assert "/locations/us/" in job.model.id  # not where the job ran


@pytest.mark.parametrize("vendor", ["bedrock"], indirect=True)
def test_a_bedrock_model_answers_once_it_is_deployed(vendor: Vendor):
    job, spec = finished(vendor), vendor.spec()
    assert job.model is not None
    with pytest.raises(UsageError, match="deploy it first"):
        vendor.backend.generate(job.model, QUESTION)
    assert vendor.backend.find_deployment(spec, job.model) is None
    deployed = vendor.backend.deploy(spec, job.model)
    assert vendor.backend.deploy(spec, job.model).ref == deployed.ref  # Bedrock drops the second
    found = vendor.backend.find_deployment(spec, job.model)
    assert found is not None
    assert (found.ref, found.status) == (deployed.ref, JobStatus.PENDING)
    vendor.world.clock.advance(600)
    active = vendor.backend.poll_deployment(deployed.ref)
    assert (active.status, active.native_status) == (JobStatus.SUCCEEDED, "Active")
    answer = vendor.backend.generate(active.ref, replace(QUESTION, rendering="text"))
    assert answer.content or answer.tool_calls


@pytest.mark.parametrize("vendor", ["bedrock"], indirect=True)
def test_the_same_order_twice_is_one_job_at_bedrock(vendor: Vendor):
    spec = vendor.spec()
    assert vendor.backend.submit(spec).ref == vendor.backend.submit(spec).ref


@pytest.mark.parametrize("vendor", ["bedrock"], indirect=True)
def test_a_bedrock_student_says_by_its_tag_how_it_was_trained_to_see_tools(vendor: Vendor):
    job, spec = finished(vendor), vendor.spec(rendering="text")
    assert job.model is not None
    deployed = vendor.backend.deploy(spec, job.model)
    assert vendor.backend.rendering_of(deployed.ref) == "text"


@pytest.mark.parametrize("vendor", ["bedrock"], indirect=True)
def test_a_base_model_was_not_trained_to_see_tools_in_any_way_and_nobody_is_asked(vendor: Vendor):
    before = len(vendor.server.requests)
    assert vendor.backend.rendering_of(ModelRef("bedrock", "amazon.nova-micro-v1:0")) is None
    assert len(vendor.server.requests) == before


@pytest.mark.parametrize("vendor", ["bedrock"], indirect=True)
def test_a_deployment_without_our_tag_is_refused_with_the_flag_that_says_it(vendor: Vendor):
    job = finished(vendor)
    assert job.model is not None
    deployed = vendor.backend.deploy(vendor.spec(), job.model)
    with pytest.raises(UsageError, match="--rendering text or tool-config"):
        vendor.backend.rendering_of(deployed.ref)


# -- what is asked, and what is made of the answer


def asked(backend: Any, canned: Canned, request: Request, answer: Any, model: str = "m") -> tuple[str, dict[str, Any]]:
    """Path and body of the question."""
    canned.answer = answer
    backend.generate(ModelRef(backend.platform, model), request)
    ((path, body),) = canned.bodies
    return path, json.loads(body)


CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
    "stopReason": "max_tokens",
    "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4},
}


@pytest.mark.parametrize("talking_to_canned", ["bedrock"], indirect=True)
def test_tools_as_text_go_into_the_system_text_and_no_tool_config_is_sent(talking_to_canned: Any, canned: Canned):
    _, body = asked(talking_to_canned, canned, replace(QUESTION, rendering="text"), CONVERSED)
    assert "toolConfig" not in body
    assert "get_weather" in body["system"][0]["text"]
    assert body["inferenceConfig"]["maxTokens"] > 0


@pytest.mark.parametrize("talking_to_canned", ["bedrock"], indirect=True)
def test_a_base_model_is_given_converses_own_tools(talking_to_canned: Any, canned: Canned):
    request = replace(QUESTION, max_tokens=7, temperature=0.5)
    _, body = asked(talking_to_canned, canned, request, CONVERSED)
    assert body["toolConfig"]["tools"][0]["toolSpec"]["name"] == "get_weather"
    assert body["inferenceConfig"] == {"maxTokens": 7, "temperature": 0.5}
    answer = talking_to_canned.generate(ModelRef("bedrock", "m"), request)
    assert (answer.content, answer.cut_off, answer.finish_reason) == ("Hi", True, "max_tokens")


@pytest.mark.parametrize("talking_to_canned", ["bedrock"], indirect=True)
@pytest.mark.parametrize("wrong", [{"temperature": 1.5}, {"rendering": "xml"}])
def test_what_converse_cannot_take_is_refused(talking_to_canned: Any, canned: Canned, wrong: dict[str, Any]):
    with pytest.raises(UsageError):
        talking_to_canned.generate(ModelRef("bedrock", "m"), replace(QUESTION, **wrong))
    assert canned.bodies == []


SAID = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "x", "thought": True}, {"text": "Hi"}]},
            "finishReason": "MAX_TOKENS",
        }
    ],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "thoughtsTokenCount": 2},
}


@pytest.mark.parametrize("talking_to_canned", ["vertex"], indirect=True)
def test_a_tuned_gemini_is_asked_in_its_own_location_without_thoughts(talking_to_canned: Any, canned: Canned):
    endpoint = "projects/1/locations/us/endpoints/3"
    path, body = asked(talking_to_canned, canned, replace(QUESTION, max_tokens=9), SAID, endpoint)
    assert path == f"POST /v1beta1/{endpoint}:generateContent"
    assert body["generationConfig"] == {"maxOutputTokens": 9, "thinkingConfig": {"thinking_level": "MINIMAL"}}
    assert body["tools"][0]["functionDeclarations"][0]["parameters"]["type"] == "OBJECT"
    answer = talking_to_canned.generate(ModelRef("vertex", endpoint), QUESTION)
    assert (answer.content, answer.cut_off) == ("Hi", True)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 3)


@pytest.mark.parametrize("talking_to_canned", ["vertex"], indirect=True)
def test_a_base_gemini_is_asked_where_it_is_served_not_where_jobs_run(talking_to_canned: Any, canned: Canned):
    path, body = asked(talking_to_canned, canned, QUESTION, SAID, "gemini-3.5-flash")
    assert "/locations/global/publishers/google/models/gemini-3.5-flash:" in path
    assert body["generationConfig"] == {}


@pytest.mark.parametrize("talking_to_canned", ["vertex"], indirect=True)
def test_a_blocked_question_is_refused_and_not_repeated(talking_to_canned: Any, canned: Canned):
    canned.answer = {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "no"}}
    with pytest.raises(InvalidRequest, match="SAFETY no"):
        talking_to_canned.generate(ModelRef("vertex", "m"), QUESTION)


@pytest.mark.parametrize("talking_to_canned", ["openai"], indirect=True)
def test_openai_is_told_not_to_keep_the_answer(talking_to_canned: Any, canned: Canned):
    said = {"model": "m", "choices": [{"finish_reason": "length", "message": {"role": "assistant", "content": "Hi"}}]}
    _, body = asked(talking_to_canned, canned, replace(QUESTION, max_tokens=9, temperature=0), said)
    assert (body["store"], body["max_completion_tokens"], body["temperature"]) == (False, 9, 0)
    assert talking_to_canned.generate(ModelRef("openai", "m"), QUESTION).cut_off


@pytest.mark.parametrize("talking_to_canned", ["openai"], indirect=True)
def test_a_refusal_of_the_model_is_not_taken_for_an_answer(talking_to_canned: Any, canned: Canned):
    message = {"role": "assistant", "content": None, "refusal": "I will not."}
    canned.answer = {"model": "m", "choices": [{"finish_reason": "stop", "message": message}]}
    with pytest.raises(InvalidRequest, match="I will not"):
        talking_to_canned.generate(ModelRef("openai", "m"), QUESTION)


def test_an_empty_answer_is_unusable(talking_to_canned: Any, canned: Canned):
    canned.answer = {}
    with pytest.raises(UnusableAnswer):
        talking_to_canned.generate(ModelRef(talking_to_canned.platform, "m"), QUESTION)


# -- pages


class Pages:
    """A vendor that ignores filters and shows one job a page; the third is ours."""

    def __init__(self) -> None:
        marker = spec_for("openai").marker
        self.markers = ["f" * 32, "e" * 32, marker]
        self.refuses_filters = False

    def answer(self, request: WebRequest) -> Response:
        query = request.query_params
        if self.refuses_filters and query.get("filter"):
            body = {"error": {"code": 400, "message": "bad filter", "status": "INVALID_ARGUMENT"}}
            return JSONResponse(body, 400)
        number = int(query.get("after") or query.get("nextToken") or query.get("pageToken") or 0)
        marker, more = self.markers[number], number + 1 < len(self.markers)
        token = str(number + 1) if more else None
        if "fine_tuning" in request.url.path:
            job = {"id": str(number + 1), "status": "queued", "model": "m", "metadata": {"cloudistill-marker": marker}}
            return JSONResponse({"object": "list", "data": [job], "has_more": more})
        if "customization" in request.url.path:
            job = {"jobArn": f"arn:{number}", "jobName": f"cloudistill-{marker}", "status": "InProgress"}
            return JSONResponse({"modelCustomizationJobSummaries": [job]} | ({"nextToken": token} if token else {}))
        job = {
            "name": f"projects/1/locations/us-central1/tuningJobs/{number}",
            "state": "JOB_STATE_QUEUED",
            "labels": {"cloudistill-marker": marker},
        }
        return JSONResponse({"tuningJobs": [job]} | ({"nextPageToken": token} if token else {}))


@pytest.fixture
def pages() -> Iterator[tuple[Pages, str]]:
    shown = Pages()
    server = Server(Starlette(routes=[Route("/{path:path}", shown.answer)]))
    server.start()
    yield shown, server.url
    server.stop()


def paging(name: str, url: str, patch: pytest.MonkeyPatch) -> Any:
    """A backend of that vendor at `url`."""
    patch.setenv("AWS_ENDPOINT_URL_BEDROCK", url)
    patch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    token = Credentials("token")  # pyright: ignore[reportUnknownVariableType]
    make = {
        "openai": lambda: OpenAIBackend(base_url=f"{url}/v1", api_key="k"),
        "bedrock": lambda: BedrockBackend(region="us-east-1"),
        "vertex": lambda: VertexBackend(project="p", location="us-central1", base_url=url, credentials=token),
    }
    return make[name]()


@pytest.mark.parametrize("name", ["openai", "bedrock", "vertex"])
def test_a_list_goes_through_every_page(name: str, pages: tuple[Pages, str], monkeypatch: pytest.MonkeyPatch):
    shown, url = pages
    backend = paging(name, url, monkeypatch)
    assert [job.marker for job in backend.list()] == shown.markers
    close(backend)


@pytest.mark.parametrize(("name", "refuses"), [("openai", False), ("vertex", False), ("vertex", True)])
def test_a_filter_is_a_hint_and_every_page_is_looked_through(
    name: str, refuses: bool, pages: tuple[Pages, str], monkeypatch: pytest.MonkeyPatch
):
    shown, url = pages
    shown.refuses_filters = refuses
    backend = paging(name, url, monkeypatch)
    found = backend.find(spec_for(name))
    assert found is not None
    assert found.marker == spec_for(name).marker
    shown.markers[2] = "d" * 32
    assert backend.find(spec_for(name)) is None
    close(backend)
