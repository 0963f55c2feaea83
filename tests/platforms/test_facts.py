"""What the three TOML files must hold, whatever their figures are."""

from __future__ import annotations

from datetime import date

import pytest

from cloudistill.core.job import JobStatus
from cloudistill.platforms.platform import Platform, load, names

PLATFORMS = ("bedrock", "openai", "vertex")


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> Platform:
    return load(request.param)


def test_the_three_platforms_come_with_the_package() -> None:
    assert set(names()) >= set(PLATFORMS)


def test_every_live_student_says_how_it_is_served_and_where_it_is_trained(platform: Platform) -> None:
    for model in platform.students(date(2026, 11, 24)):
        assert model.serving != "none" or platform.name == "openai", model.id
        assert model.regions or platform.name == "openai", model.id
        assert model.max_tokens_per_example or model.context, model.id


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("openai", "validating_files queued running pausing paused succeeded failed cancelled pending notRunning"),
        ("bedrock", "InProgress Completed Failed Stopping Stopped"),
        (
            "vertex",
            """JOB_STATE_UNSPECIFIED JOB_STATE_QUEUED JOB_STATE_PENDING JOB_STATE_RUNNING JOB_STATE_SUCCEEDED
            JOB_STATE_FAILED JOB_STATE_CANCELLING JOB_STATE_CANCELLED JOB_STATE_PAUSED JOB_STATE_EXPIRED
            JOB_STATE_UPDATING JOB_STATE_PARTIALLY_SUCCEEDED""",
        ),
    ],
)
def test_every_word_of_the_vendor_is_known_and_no_other(name: str, words: str) -> None:
    assert set(load(name).statuses) == set(words.split())


@pytest.mark.parametrize(
    ("name", "word", "status"),
    [
        ("openai", "validating_files", JobStatus.PENDING),
        ("openai", "pausing", JobStatus.STOPPING),
        ("openai", "paused", JobStatus.PAUSED),
        ("bedrock", "InProgress", JobStatus.RUNNING),
        ("bedrock", "Stopping", JobStatus.STOPPING),
        ("bedrock", "Stopped", JobStatus.CANCELLED),
        ("vertex", "JOB_STATE_EXPIRED", JobStatus.FAILED),
        ("vertex", "JOB_STATE_PARTIALLY_SUCCEEDED", JobStatus.SUCCEEDED),
        ("vertex", "JOB_STATE_CANCELLING", JobStatus.STOPPING),
        ("vertex", "JOB_STATE_UNSPECIFIED", JobStatus.UNKNOWN),
        ("openai", "SUCCEEDED", JobStatus.UNKNOWN),
        ("bedrock", "", JobStatus.UNKNOWN),
        ("vertex", None, JobStatus.UNKNOWN),
    ],
)
def test_a_word_means_what_the_vendor_means(name: str, word: str | None, status: JobStatus) -> None:
    assert load(name).status(word) is status


def test_a_deployment_is_callable_when_active_or_in_service_and_in_no_other_state() -> None:
    bedrock = load("bedrock")
    ready = {word for word in bedrock.deployment_statuses if bedrock.deployment_status(word) is JobStatus.SUCCEEDED}
    assert ready == {"Active", "InService"}
    assert not bedrock.deployment_status("Deleting").is_final
    assert bedrock.deployment_status("Hibernating") is JobStatus.UNKNOWN
    assert load("openai").deployment_status("Active") is JobStatus.UNKNOWN


def test_openai_bases_close_with_the_wind_down() -> None:
    openai = load("openai")
    closing = {model.training_ends for model in openai.students(date(2026, 11, 24))}
    assert closing == {date(2027, 1, 6)}


def test_every_live_pair_names_models_that_are_known_and_alive() -> None:
    bedrock, today = load("bedrock"), date(2026, 11, 24)
    live = [pair for pair in bedrock.pairs if pair.ended is None]
    assert len(live) == 6
    for pair in live:
        teacher, student = bedrock.model(pair.teacher), bedrock.model(pair.student)
        assert teacher is not None
        assert student is not None
        assert not teacher.ended(today)
        assert not student.training_ended(today)
        assert pair.region in student.regions


def test_every_pair_of_vertex_ended_with_the_first_of_its_models() -> None:
    vertex = load("vertex")
    assert len(vertex.pairs) == 25
    for pair in vertex.pairs:
        models = vertex.model(pair.teacher), vertex.model(pair.student)
        assert pair.ended == min(model.ends for model in models if model and model.ends), pair


def test_the_role_that_is_not_ready_is_told_by_its_code_and_text() -> None:
    rule = load("bedrock").texts["role-not-ready"]
    assert rule.matches("ValidationException", "… Could not assume provided IAM role, check …")
    assert not rule.matches("AccessDeniedException", "Could not assume provided IAM role")
    assert not rule.matches("ValidationException", "The provided IAM role is malformed")


@pytest.mark.parametrize(
    "text", ["User: hello", "a\\nassistant: b", "BOT:", "x [eos] y", "see <IMAGE>", "superuser: x"]
)
def test_nova_reserves_these_texts_in_any_case(text: str) -> None:
    assert load("bedrock").reserved_words["nova-reserved"].compiled().search(text)


@pytest.mark.parametrize("text", ["the user said", '{"user": "x"}', "image", "eos"])
def test_nova_does_not_reserve_these(text: str) -> None:
    assert not load("bedrock").reserved_words["nova-reserved"].compiled().search(text)


def test_openai_reserves_special_tokens_and_no_ordinary_brackets() -> None:
    pattern = load("openai").reserved_words["special-token"].compiled()
    assert pattern.search("a <|fim_suffix|> b")
    assert not pattern.search("a <| b |> c || <d>")
