"""What holds for every backend, with the real SDK against the emulated vendor."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from cloudistill.backends.backend import Answers, Deploys, Request, Trains
from cloudistill.core.errors import PlatformError, RateLimited, ServiceTrouble, UnusableAnswer
from cloudistill.core.example import Example, Message, Tool
from cloudistill.core.job import JobStatus
from cloudistill.core.refs import JobRef, ModelRef
from cloudistill.platforms.platform import load

from .vendors import CREATES, LISTS, WEATHER, Canned, Vendor, spec_for, trouble

WORDS = [(name, word) for name in ("openai", "bedrock", "vertex") for word in load(name).statuses]


def test_each_has_the_abilities_it_claims(vendor: Vendor):
    assert isinstance(vendor.backend, Trains)
    assert isinstance(vendor.backend, Answers)
    assert isinstance(vendor.backend, Deploys) is (vendor.name == "bedrock")


def test_the_same_content_is_found_and_not_sent_twice(vendor: Vendor):
    first = vendor.upload()
    sent = vendor.server.count(r"POST .*/files$")
    assert vendor.upload() == first
    assert vendor.server.count(r"POST .*/files$") == sent


def test_a_file_of_several_parts_arrives_whole(vendor: Vendor):
    vendor.file.write_bytes(vendor.file.read_bytes() + b'{"x": "' + b"x" * 9_000_000 + b'"}\n')
    ref = vendor.upload()
    stored = {
        "openai": lambda: vendor.backend.client.files.content(ref.id).read(),
        "bedrock": lambda: vendor.world.bedrock.storage.read(ref.id),
        "vertex": lambda: vendor.world.vertex.buckets.read(ref.id),
    }
    assert stored[vendor.name]() == vendor.file.read_bytes()
    assert vendor.upload() == ref


def test_an_order_that_was_sent_is_found_by_its_marker(vendor: Vendor):
    spec = vendor.spec()
    assert vendor.backend.find(spec) is None
    job = vendor.backend.submit(spec)
    found = vendor.backend.find(spec)
    assert found is not None
    assert found.ref == job.ref
    assert found.marker == vendor.marker
    assert found.base == vendor.student.id
    assert not found.status.is_final


def test_the_list_shows_the_job_and_whose_it_is(vendor: Vendor):
    job = vendor.backend.submit(vendor.spec())
    listed = {job.ref: job for job in vendor.backend.list()}
    assert listed[job.ref].marker == vendor.marker


def test_a_job_runs_to_a_model(vendor: Vendor):
    job = vendor.backend.submit(vendor.spec())
    seen: list[str] = []
    for _ in range(40):
        job = vendor.backend.poll(job.ref)
        seen.append(job.native_status)
        if job.status.is_final:
            break
        vendor.world.clock.advance(600)
    assert job.status is JobStatus.SUCCEEDED, (seen, job)
    assert job.model is not None
    assert job.model.platform == vendor.name
    assert job.warning is None
    assert job.failure is None
    assert job.created is not None
    assert job.created.tzinfo is not None


def test_a_poll_is_one_request(vendor: Vendor):
    job = vendor.backend.submit(vendor.spec())
    before = len(vendor.server.requests)
    vendor.backend.poll(job.ref)
    assert len(vendor.server.requests) == before + 1


def test_a_cancelled_job_ends_cancelled(vendor: Vendor):
    job = vendor.backend.submit(vendor.spec())
    vendor.backend.cancel(job.ref)
    vendor.world.clock.advance(3600)
    assert vendor.backend.poll(job.ref).status is JobStatus.CANCELLED


def test_an_answer_lost_on_the_way_back_is_maybe_and_the_job_is_found(vendor: Vendor):
    spec = vendor.spec()
    vendor.server.fail(CREATES[vendor.name], kind="drop-after")
    error = refusal(vendor, lambda: vendor.backend.submit(spec))
    assert isinstance(error, ServiceTrouble)
    assert error.outcome == "maybe"
    assert vendor.backend.find(spec) is not None


def test_a_create_is_sent_once_whatever_comes_back(vendor: Vendor):
    spec = vendor.spec()
    for status in (429, 500, 503):
        before = vendor.created()
        vendor.server.fail(CREATES[vendor.name], status=status, body=b'{"message": "busy"}')
        refusal(vendor, lambda: vendor.backend.submit(spec))
        assert vendor.created() == before + 1


def test_a_html_page_in_place_of_an_answer_is_unusable_and_maybe(vendor: Vendor):
    spec = vendor.spec()
    vendor.server.fail(CREATES[vendor.name], kind="garble")
    error = refusal(vendor, lambda: vendor.backend.submit(spec))
    assert isinstance(error, UnusableAnswer)
    assert error.outcome == "maybe"


def test_a_list_that_is_a_html_page_is_not_taken_for_an_empty_one(vendor: Vendor):
    vendor.server.fail(LISTS[vendor.name], kind="garble", times=2)
    assert isinstance(refusal(vendor, lambda: [*vendor.backend.list()]), UnusableAnswer)


def test_what_the_vendor_refuses_is_refused_in_its_words(vendor: Vendor):
    unknown = ModelRef(vendor.name, "no-such-model")
    spec = vendor.spec()
    broken = type(spec)(run=spec.run, marker=spec.marker, student=unknown, training=spec.training)
    error = refusal(vendor, lambda: vendor.backend.submit(broken))
    assert error.outcome == "refused"
    assert not error.retryable
    assert error.status in (400, 404)


def test_nobody_listens_means_not_sent(vendor: Vendor, monkeypatch: pytest.MonkeyPatch):
    spec = vendor.spec()
    nowhere = "http://127.0.0.1:9"
    for variable in ("OPENAI_BASE_URL", "AWS_ENDPOINT_URL_BEDROCK", "GOOGLE_VERTEX_BASE_URL"):
        monkeypatch.setenv(variable, nowhere)
    backend = type(vendor.backend)()
    error = trouble(backend, lambda: backend.submit(spec))
    assert isinstance(error, ServiceTrouble)
    assert error.outcome == "not-sent"


@pytest.mark.parametrize(
    ("header", "least", "most"), [("17", 17, 17), ("-5", 0, 0), ("date", 50, 60), ("soon", None, 0)]
)
def test_a_429_says_when_to_ask_again(vendor: Vendor, header: str, least: float | None, most: float):
    spec = vendor.spec()
    value = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True) if header == "date" else header
    bodies = {
        "openai": b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}',
        "bedrock": b'{"message": "slow down"}',
        "vertex": b'{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}',
    }
    headers = {"Retry-After": value, "x-amzn-errortype": "ThrottlingException"}
    vendor.server.fail(CREATES[vendor.name], status=429, body=bodies[vendor.name], headers=headers)
    error = refusal(vendor, lambda: vendor.backend.submit(spec))
    assert isinstance(error, RateLimited)
    assert "slow down" in str(error)
    assert error.outcome == "refused"
    if least is None:
        assert error.retry_after is None
    else:
        assert error.retry_after is not None
        assert least <= error.retry_after <= most


def test_a_question_about_tools_gets_an_answer(vendor: Vendor):
    tool = Tool(name="get_weather", description="The weather in a city.", parameters=WEATHER["parameters"])
    question = Message(role="user", content="What is the weather in Oslo?")
    facts = load(vendor.name).model(vendor.student.id)
    assert facts is not None
    base = facts.called_as or facts.id
    request = Request(example=Example(messages=(question,), tools=(tool,)))
    answer = vendor.backend.generate(ModelRef(vendor.name, base), request)
    assert answer.message.role == "assistant"
    assert answer.content or answer.tool_calls
    assert answer.usage.input_tokens > 0
    assert not answer.cut_off


@pytest.mark.parametrize("talking_to_canned", ["openai", "bedrock", "vertex"], indirect=True)
@pytest.mark.parametrize("answer", [{}, b"", b"<html>", b"[]", {"object": "list"}], ids=repr)
def test_an_answer_without_an_id_is_never_a_job(talking_to_canned: Any, canned: Canned, answer: Any):
    canned.answer = answer
    error = trouble(talking_to_canned, lambda: talking_to_canned.submit(spec_for(talking_to_canned)))
    assert isinstance(error, UnusableAnswer)
    assert error.outcome == "maybe"


def job_of(name: str, word: str) -> dict[str, Any]:
    """A job in the vendor's own object, finished but for its status."""
    jobs: dict[str, dict[str, Any]] = {
        "openai": {"id": "ftjob-1", "model": "m", "error": {}, "created_at": 1, "fine_tuned_model": "ft:m:o::1"},
        "bedrock": {"jobArn": "arn:1", "jobName": "n", "outputModelArn": "arn:model"},
        "vertex": {"name": REFS["vertex"], "tunedModel": {"endpoint": "projects/1/locations/us/endpoints/3"}},
    }
    return jobs[name] | {"state" if name == "vertex" else "status": word}


REFS = {"openai": "ftjob-1", "bedrock": "arn:1", "vertex": "projects/1/locations/us-central1/tuningJobs/2"}


@pytest.mark.parametrize(("talking_to_canned", "word"), WORDS, indirect=["talking_to_canned"])
def test_every_word_of_the_vendor_is_known(talking_to_canned: Any, canned: Canned, word: str):
    name = talking_to_canned.platform
    canned.answer = job_of(name, word)
    job = talking_to_canned.poll(JobRef(name, REFS[name]))
    assert job.status is load(name).status(word)
    assert job.native_status == word
    assert (job.model is not None) is (job.status is JobStatus.SUCCEEDED)
    assert job.failure is None


def test_a_word_nobody_knows_is_unknown_and_quoted(talking_to_canned: Any, canned: Canned):
    name = talking_to_canned.platform
    canned.answer = job_of(name, "JOB_STATE_Hibernating")
    job = talking_to_canned.poll(JobRef(name, REFS[name]))
    assert job.status is JobStatus.UNKNOWN
    assert job.native_status == "JOB_STATE_Hibernating"
    assert not job.status.is_final
    assert job.model is None


def test_a_job_that_succeeded_without_a_model_is_not_done_yet(talking_to_canned: Any, canned: Canned):
    name = talking_to_canned.platform
    words = {"openai": "succeeded", "bedrock": "Completed", "vertex": "JOB_STATE_SUCCEEDED"}
    answer = job_of(name, words[name])
    for member in ("fine_tuned_model", "outputModelArn", "tunedModel"):
        answer.pop(member, None)
    canned.answer = answer
    job = talking_to_canned.poll(JobRef(name, REFS[name]))
    assert (job.status, job.model) == (JobStatus.RUNNING, None)
    assert job.warning
    assert job.native_status == words[name]


def test_an_answer_about_another_job_is_unusable(talking_to_canned: Any, canned: Canned):
    name = talking_to_canned.platform
    canned.answer = job_of(name, "running")
    with pytest.raises(UnusableAnswer, match=re.escape(name)):
        talking_to_canned.poll(JobRef(name, "projects/1/locations/us-central1/tuningJobs/other"))


@pytest.mark.parametrize("status", [400, 408, 409, 425, 429, 500, 502])
def test_a_proxys_error_page_settles_nothing(talking_to_canned: Any, canned: Canned, status: int):
    canned.status, canned.answer, canned.headers = status, b"<html>gateway</html>", {"content-type": "text/html"}
    error = trouble(talking_to_canned, lambda: talking_to_canned.submit(spec_for(talking_to_canned)))
    assert error.outcome == "maybe"
    assert error.status == status


def test_what_no_sdk_raises_is_named_and_not_repeated(talking_to_canned: Any):
    error = talking_to_canned.classify(KeyError("whatever"))
    assert type(error) is PlatformError
    assert not error.retryable
    assert error.outcome == "maybe"


def refusal(vendor: Vendor, call: Any) -> PlatformError:
    """What `call` raises; it survives pickling with everything it says."""
    error = trouble(vendor.backend, call)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    assert "sk-emulated" not in str(error)
    return error
