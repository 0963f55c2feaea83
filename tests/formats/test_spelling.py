"""How each vendor spells one lesson, member by member, and how a model's answer is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from google.genai import types
from msgspec.structs import replace

from cloudistill.core.example import Example, Message, Tool, ToolCall
from cloudistill.formats import normalisations, registry
from cloudistill.formats.bedrock_conversation import BedrockConversation
from cloudistill.formats.format import CannotCarry
from cloudistill.formats.gemini_contents import GeminiContents
from cloudistill.formats.openai_chat import OpenAIChat
from cloudistill.formats.tools_as_text import tools_text

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool(name="weather", description="Now.", parameters=SCHEMA)
CALLS = (
    ToolCall(id="a", name="weather", arguments={"city": "Rome"}),
    ToolCall(id="b", name="weather", arguments={"city": "Oslo"}),
)
LESSON = Example(
    messages=(
        Message(role="system", content="Be brief."),
        Message(role="user", content="Weather?"),
        Message(role="user", content="Rome and Oslo."),
        Message(role="assistant", content="One moment.", tool_calls=CALLS),
        Message(role="tool", content="rain", tool_call_id="b"),
        Message(role="tool", content="sun", tool_call_id="a"),
        Message(role="user", content="Well?"),
        Message(role="assistant", content="Sun, and rain."),
    ),
    tools=(WEATHER,),
    parallel_tool_calls=True,
    id="row-1",
)
OFFERED = tools_text([WEATHER], one_call=False)


def test_openai_spells_arguments_as_a_string_and_keeps_ids_and_order() -> None:
    row = OpenAIChat().encode(LESSON)
    assert list(row) == ["messages", "tools", "parallel_tool_calls"]
    assert row["messages"][3]["tool_calls"][0] == {
        "id": "a",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
    }
    assert [m.get("tool_call_id") for m in row["messages"]][4:6] == ["b", "a"]
    assert row["tools"] == [
        {"type": "function", "function": {"name": "weather", "description": "Now.", "parameters": SCHEMA}}
    ]


def test_bedrock_text_says_tools_calls_and_results_in_words() -> None:
    assert BedrockConversation("text").encode(LESSON) == {
        "schemaVersion": "bedrock-conversation-2024",
        "system": [{"text": f"Be brief.\n\n{OFFERED}"}],
        "messages": [
            {"role": "user", "content": [{"text": "Weather?"}, {"text": "Rome and Oslo."}]},
            {
                "role": "assistant",
                "content": [
                    {
                        "text": "One moment.\n"
                        '[{"name":"weather","arguments":{"city":"Rome"}},{"name":"weather","arguments":{"city":"Oslo"}}]'
                    }
                ],
            },
            {
                "role": "user",
                "content": [
                    {"text": '{"tool_result":{"name":"weather","content":"sun"}}'},
                    {"text": '{"tool_result":{"name":"weather","content":"rain"}}'},
                    {"text": "Well?"},
                ],
            },
            {"role": "assistant", "content": [{"text": "Sun, and rain."}]},
        ],
    }


def test_the_words_about_tools_hold_none_that_nova_reserves() -> None:
    reserved = ("system:", "user:", "bot:", "assistant:", "thought:", "[eos]", "<image>", "<video>", "<unk>")
    said = (tools_text([WEATHER], one_call=True) + str(BedrockConversation("text").encode(LESSON)["messages"])).lower()
    assert not [word for word in reserved if word in said]


def test_one_call_at_a_time_is_said_in_the_text_and_read_back() -> None:
    text = BedrockConversation("text")
    example = Example(messages=LESSON.messages[1:3], tools=(WEATHER,), parallel_tool_calls=False)
    row = text.encode(example)
    assert "at most one call" in row["system"][0]["text"]
    assert text.decode(row).parallel_tool_calls is False


def test_bedrock_tool_config_spells_blocks_that_converse_takes() -> None:
    row = BedrockConversation("tool-config").encode(LESSON)
    assert row["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "weather", "description": "Now.", "inputSchema": {"json": SCHEMA}}}]
    }
    uses = row["messages"][1]["content"]
    assert uses[0] == {"text": "One moment."}
    assert uses[1] == {"toolUse": {"toolUseId": "call_0", "name": "weather", "input": {"city": "Rome"}}}
    assert [block["toolResult"]["toolUseId"] for block in row["messages"][2]["content"][:2]] == ["call_0", "call_1"]


@pytest.mark.parametrize("rendering", ["text", "tool-config"])
def test_aws_own_contract_of_converse_accepts_the_prompt(rendering: Any) -> None:
    prompt = BedrockConversation(rendering).encode(replace(LESSON, messages=LESSON.prompt))
    del prompt["schemaVersion"]
    shape: Any = Session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape
    report = ParamValidator().validate({"modelId": "m", **prompt}, shape)
    assert not report.has_errors(), report.generate_report()
    assert ("toolConfig" in prompt) == (rendering == "tool-config")


def test_gemini_spells_contents_that_googles_sdk_takes() -> None:
    row = GeminiContents().encode(LESSON)
    assert row["systemInstruction"] == {"role": "system", "parts": [{"text": "Be brief."}]}
    assert [content["role"] for content in row["contents"]] == ["user", "model", "user", "model"]
    assert row["contents"][1]["parts"] == [
        {"text": "One moment."},
        {"functionCall": {"name": "weather", "args": {"city": "Rome"}}},
        {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}},
    ]
    assert row["contents"][2]["parts"][0] == {"functionResponse": {"name": "weather", "response": {"output": "sun"}}}
    assert row["tools"][0]["functionDeclarations"][0]["parameters"] == {
        "type": "OBJECT",
        "properties": {"city": {"type": "STRING"}},
        "required": ["city"],
    }
    for content in (row["systemInstruction"], *row["contents"]):
        types.Content.model_validate(content)
    types.Tool.model_validate(row["tools"][0])


def test_foreign_openai_spellings_are_read() -> None:
    row: dict[str, Any] = {
        "id": "x",
        "metadata": {"team": "a"},
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "hi", "name": None},
            {"role": "assistant", "content": "yes", "refusal": None, "audio": None, "tool_calls": [], "weight": 0},
        ],
        "tools": None,
    }
    example = OpenAIChat().decode(row)
    assert example.messages[0] == Message(role="system", content="a\nb")
    assert example.messages[2] == Message(role="assistant", content="yes", weight=0)
    assert (example.id, example.metadata, example.tools) == ("x", {"team": "a"}, ())


def test_foreign_bedrock_ids_are_followed_whatever_the_order_of_results() -> None:
    uses: list[Any] = [{"toolUse": {"toolUseId": i, "name": "weather", "input": {}}} for i in ("t-b", "t-a")]
    results = [{"toolResult": {"toolUseId": "t-a", "content": [{"json": {"x": 1}}, {"text": "!"}],
                               "status": "success"}},
               {"toolResult": {"toolUseId": "t-b", "content": [{"text": "B"}]}}]  # fmt: skip
    rows: dict[str, Any] = {
        "schemaVersion": "anything",
        "messages": [
            {"role": "user", "content": [{"text": "hi"}]},
            {"role": "assistant", "content": [{"text": "a"}, {"text": "b"}, *uses]},
            {"role": "user", "content": results},
        ],
    }
    blocks = BedrockConversation("tool-config")
    example = blocks.decode(rows)
    assert example.messages[1].content == "a\nb"
    assert [(m.tool_call_id, m.content) for m in example.messages[2:]] == [("call_1", '{"x":1}\n!'), ("call_0", "B")]
    assert [m.content for m in blocks.normalise(example).messages[2:]] == ["B", '{"x":1}\n!']


def test_foreign_gemini_spellings_are_read() -> None:
    row: dict[str, Any] = {
        "system_instruction": {"parts": [{"text": "a"}, {"text": "b"}]},
        "contents": [
            {"parts": [{"text": "hi"}]},
            {"role": "model", "parts": [
                {"function_call": {"name": "f", "id": "1"}},
                {"functionCall": {"name": "f", "args": {"x": 1}, "id": "2"}}]},
            {"parts": [{"function_response": {"id": "2", "name": "f", "response": {"result": 2}}},
                       {"functionResponse": {"id": "1", "name": "f", "response": {"output": "one"}}}]},
        ],
        "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": SCHEMA}]},
                  {"functionDeclarations": [{"name": "g"}]}],
    }  # fmt: skip
    example = GeminiContents().decode(row)
    assert [m.content for m in example.messages[:2]] == ["a", "b"]
    assert [call.arguments for call in example.messages[3].tool_calls] == [{}, {"x": 1}]
    assert [(m.tool_call_id, m.content) for m in example.messages[4:]] == [
        ("call_1", '{"result":2}'),
        ("call_0", "one"),
    ]
    assert example.tools == (Tool(name="f", parameters=SCHEMA), Tool(name="g"))


def test_calls_of_one_name_are_answered_in_order_where_the_vendor_has_no_ids() -> None:
    call: dict[str, Any] = {"functionCall": {"name": "f", "args": {}}}
    contents: list[dict[str, Any]] = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [call, call]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": t}}} for t in "ab"]},
    ]
    read = GeminiContents().decode({"contents": contents})
    assert [(m.tool_call_id, m.content) for m in read.messages[2:]] == [("call_0", "a"), ("call_1", "b")]


ARRAY = '[{"name":"f","arguments":{"x":1}}]'


STUDENTS_SAY: list[tuple[str, str | None, list[Any]]] = [
    ("Hello.", "Hello.", []),
    ("", "", []),
    (ARRAY, None, [("f", {"x": 1})]),
    (f"  \n{ARRAY}\n", None, [("f", {"x": 1})]),
    ('[\n  {"name": "f",\n   "arguments": {}}\n]', None, [("f", {})]),
    (f"I look.\n{ARRAY}", "I look.", [("f", {"x": 1})]),
    (ARRAY[:-4], ARRAY[:-4], []),
    ("[1, 2]", "[1, 2]", []),
    ("[]", "[]", []),
    ('[{"name":"f"}]', '[{"name":"f"}]', []),
    ('[{"name":"f","arguments":"{}"}]', '[{"name":"f","arguments":"{}"}]', []),
    ('[{"name":"f","arguments":{"a":NaN}}]', '[{"name":"f","arguments":{"a":NaN}}]', []),
    ("[" * 5000 + "]" * 5000, "[" * 5000 + "]" * 5000, []),
    ("as in [3]", "as in [3]", []),
]


@pytest.mark.parametrize(("said", "content", "calls"), STUDENTS_SAY)
def test_a_student_of_the_text_rendering_is_understood(said: str, content: str | None, calls: list[Any]) -> None:
    answer = BedrockConversation("text").decode_answer([{"text": said}])
    assert answer.content == content
    assert [(call.name, call.arguments) for call in answer.tool_calls] == calls


def test_without_tools_on_offer_an_array_is_just_text() -> None:
    assert BedrockConversation("text").decode_answer([{"text": ARRAY}], offered=False).content == ARRAY
    row = BedrockConversation("text").encode(
        Example(messages=(Message(role="user", content="hi"), Message(role="assistant", content=ARRAY)))
    )
    assert BedrockConversation("text").decode(row).messages[1].content == ARRAY


def test_converse_answers_keep_text_and_calls_and_lose_their_reasoning() -> None:
    answer = BedrockConversation("tool-config").decode_answer(
        [
            {"reasoningContent": {"reasoningText": {"text": "hm"}}},
            {"text": "Look:"},
            {"toolUse": {"toolUseId": "t9", "name": "f", "input": {"x": 1}}},
        ]
    )
    assert (answer.content, [c.arguments for c in answer.tool_calls]) == ("Look:", [{"x": 1}])
    assert BedrockConversation("tool-config").decode_answer([{"text": ARRAY}]).content == ARRAY


def test_gemini_answers_keep_text_and_calls_and_lose_their_thoughts() -> None:
    answer = GeminiContents().decode_answer(
        [
            {"text": "hm", "thought": True},
            {"text": "Look"},
            {"text": ":"},
            {"function_call": {"name": "f", "args": {"x": 1}}, "thought_signature": "AA"},
        ]
    )
    assert (answer.content, [c.arguments for c in answer.tool_calls]) == ("Look:", [{"x": 1}])
    assert GeminiContents().decode_answer([{"text": ""}]).content == ""


def test_openai_answers_ignore_members_we_have_no_word_for() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    said = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": [call]}
    assert OpenAIChat().decode_answer(said).tool_calls == (ToolCall(id="c", name="f", arguments={"x": 1}),)
    for broken, rule in [
        ({**said, "refusal": "I cannot."}, "refusal"),
        ({**said, "tool_calls": [{**call, "function": {"name": "f", "arguments": '{"x"'}}]}, "arguments-not-an-object"),
    ]:
        with pytest.raises(CannotCarry) as caught:
            OpenAIChat().decode_answer(broken)
        assert caught.value.rule == rule


def test_every_normalisation_is_named_once_and_stands_on_the_page_of_formats() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "formats.md").read_text("utf-8")
    assert [row.name for row in normalisations.NORMALISATIONS if f"| `{row.name}` |" not in page] == []
    assert all(normalisations.of(name) for name in registry.NAMES)
    assert len({row.name for row in normalisations.NORMALISATIONS}) == len(normalisations.NORMALISATIONS)
