"""generateContent on the emulated Vertex AI: base models, students, where each answers and what each refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.genai import errors, types
from tests.emulators.vertex_desk import (
    BASE,
    EXPERIMENTAL,
    JSON,
    PROJECT,
    TODAY,
    TOOLS,
    Google,
    ask,
    corpus,
    endpoint_of,
    line,
    running,
)

from cloudistill.emulators.vertex.rows import shapes

pytestmark = pytest.mark.filterwarnings(EXPERIMENTAL)


@pytest.mark.parametrize(("place", "home"), [("us-central1", "us"), ("europe-west4", "eu")])
def test_a_tuned_endpoint_answers_at_its_own_location_alone(kept: Google, place: str, home: str) -> None:
    endpoint = endpoint_of(kept.tuned(corpus(0, 12), place=place))
    assert f"/locations/{home}/" in endpoint
    assert ask(kept, endpoint).model_version == BASE
    for elsewhere in (place, "global"):
        with pytest.raises(errors.ClientError, match="not found") as refused:
            ask(kept, endpoint.replace(f"/locations/{home}/", f"/locations/{elsewhere}/"))
        assert refused.value.code == 404


@pytest.mark.parametrize(
    ("model", "place", "there"),
    [
        (BASE, "global", True),
        (BASE, "eu", True),
        (BASE, "us-central1", False),
        ("gemini-3.6-flash", "global", False),
        ("gemini-2.5-flash", "us-central1", False),
        ("gemini-9", "global", False),
    ],
)
def test_base_models_answer_while_they_live_and_where_they_are_served(
    kept: Google, model: str, place: str, *, there: bool
) -> None:
    client = kept.at(place)
    if there:
        assert client.models.generate_content(model=model, contents="Hello").text
        return
    with pytest.raises(errors.ClientError, match="was not found or your project does not have access") as refused:
        client.models.generate_content(model=model, contents="Hello")
    assert refused.value.code == 404


def test_a_base_model_answers_from_the_teachers_key_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    function: JSON = {"name": "track_order", "parameters": {"type": "object", "properties": {}}}
    call = {"id": "1", "type": "function", "function": {"name": "track_order", "arguments": '{"order_id": "A1"}'}}
    key: JSON = {
        "tools": [{"type": "function", "function": function}],
        "messages": [
            {"role": "system", "content": "You are a desk."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi, what is it?"},
            {"role": "user", "content": "Where is A1?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "in Hamburg"},
            {"role": "assistant", "content": "It is in Hamburg."},
        ],
    }
    path = tmp_path / "key.jsonl"
    path.write_text(json.dumps(key))
    turns: list[Any] = [
        {"role": "user", "parts": [{"text": "Hello"}]},
        {"role": "model", "parts": [{"text": "Hi, what is it?"}]},
        {"role": "user", "parts": [{"text": "Where is A1?"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "track_order", "args": {"order_id": "A1"}}}]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "track_order", "response": {"output": "in Hamburg"}}}],
        },
    ]
    with running(monkeypatch, TODAY, teacher_key=path) as cloud:
        answer = ask(cloud, BASE, turns[:3], tools=TOOLS, system_instruction="You are a desk.")
        assert [(c.name, c.args) for c in answer.function_calls or ()] == [("track_order", {"order_id": "A1"})]
        assert answered_by(answer) == "teacher-key"
        assert ask(cloud, BASE, turns).text == "It is in Hamburg."
        assert answered_by(ask(cloud, BASE, "Something else")) == "untrained"


def test_an_answer_counts_tokens_and_stops_where_it_is_told(kept: Google) -> None:
    endpoint = endpoint_of(kept.tuned([line("hello", {"text": "hello to you, dear customer"})]))
    whole = ask(kept, endpoint, "hello")
    assert (whole.text, finish(whole)) == ("hello to you, dear customer", "STOP")
    usage = whole.usage_metadata
    assert usage is not None
    assert usage.total_token_count == (usage.prompt_token_count or 0) + (usage.candidates_token_count or 0)
    assert whole.response_id
    cut = ask(kept, endpoint, "hello", max_output_tokens=2)
    assert (cut.text, finish(cut)) == ("hello to", "MAX_TOKENS")
    assert ask(kept, endpoint, "hello", stop_sequences=[" to"]).text == "hello"
    assert answered_by(whole) == "student"


def test_a_stream_says_the_same_as_the_whole(kept: Google) -> None:
    endpoint = endpoint_of(kept.tuned(corpus(0, 30)))
    config: Any = {"tools": [{"functionDeclarations": TOOLS}]}
    client = kept.at("us")
    streamed = list(client.models.generate_content_stream(model=endpoint, contents="Refund A9 please", config=config))
    whole = ask(kept, endpoint, "Refund A9 please", tools=TOOLS)
    assert [call for chunk in streamed for call in chunk.function_calls or ()] == whole.function_calls
    assert streamed[-1].usage_metadata == whole.usage_metadata


def test_a_student_calls_only_what_is_offered(kept: Google) -> None:
    endpoint = endpoint_of(kept.tuned(corpus(0, 30)))
    assert ask(kept, endpoint, "Refund A9 please", tools=TOOLS).function_calls
    assert not ask(kept, endpoint, "Refund A9 please").function_calls
    nothing: Any = {"functionCallingConfig": {"mode": "NONE"}}
    assert not ask(kept, endpoint, "Refund A9 please", tools=TOOLS, tool_config=nothing).function_calls


REQUESTS: list[tuple[JSON, str]] = [
    ({}, "at least one contents field is required"),
    (
        {"contents": [{"role": "user", "parts": [{"text": "a"}]}], "prompt": "b"},
        'Unknown name "prompt": Cannot find',
    ),
    ({"contents": [{"role": "tool", "parts": [{"text": "a"}]}]}, "Please use a valid role: user, model."),
    ({"contents": [{"role": "user", "parts": []}]}, "at least one parts field"),
    ({"contents": [{"role": "model", "parts": [{"text": "a"}]}]}, "must end with a user role"),
    (
        {"contents": {"parts": [{"text": "a"}]}, "generationConfig": {"frequencyPenalty": 0.5}},
        "Penalty is not enabled for gemini-3.8-flash",
    ),
    ({"contents": [{"parts": [{"text": 5}]}]}, "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), 5"),
    ({"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"topK": True}}, "(TYPE_DOUBLE), true"),
    ({"contents": [{"parts": [{"text": "a"}]}], "labels": []}, "Invalid value at 'labels'"),
    (
        {"contents": [{"parts": [{"text": "a"}]}], "systemInstruction": {"parts": [{"inlineData": {}}]}},
        "system_instruction must only hold text",
    ),
    (
        {
            "contents": [{"parts": [{"text": "a"}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "parameters": {}}]}],
        },
        "`f` functionDeclaration `parameters` schema didn't specify the schema type field.",
    ),
]


@pytest.mark.parametrize(("body", "words"), REQUESTS)
def test_requests_that_gemini_refuses_are_refused_in_its_words(kept: Google, body: JSON, words: str) -> None:
    path = f"/v1/projects/{PROJECT}/locations/global/publishers/google/models/gemini-3.8-flash:generateContent"
    status, answer = kept.send("POST", path, body)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert words in answer["error"]["message"]


def answered_by(answer: types.GenerateContentResponse) -> str:
    assert answer.sdk_http_response is not None
    return (answer.sdk_http_response.headers or {})["x-emulated-by"]


def finish(answer: types.GenerateContentResponse) -> str | None:
    reason = (answer.candidates or [types.Candidate()])[0].finish_reason
    return reason and reason.value


def test_schemas_reach_the_model_as_json_schema() -> None:
    """Parameters in Gemini's own spelling, however nested, and as JSON Schema, mean the same to a student."""
    nested = {"type": "ARRAY", "items": {"anyOf": [{"type": "STRING"}, {"ref": "#/defs/a"}]}}
    gemini = {"type": "OBJECT", "properties": {"a": nested}, "defs": {"a": {"type": "NULL"}}}
    either = {"anyOf": [{"type": "string"}, {"$ref": "#/defs/a"}]}
    plain = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": either}},
        "$defs": {"a": {"type": "null"}},
    }
    declared = [{"name": "f", "parameters": gemini}, {"name": "g", "parametersJsonSchema": plain}, {"name": "h"}]
    shown = shapes([{"functionDeclarations": declared}])
    assert [shape.parameters for shape in shown] == [plain, plain, {"type": "object", "properties": {}}]
