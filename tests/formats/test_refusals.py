"""What a row cannot hold, or a format cannot carry, is refused by its rule, with the place and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from cloudistill.core.example import Example, Message, Tool, ToolCall
from cloudistill.formats import registry, turns
from cloudistill.formats.format import CannotCarry
from cloudistill.formats.tools_as_text import tools_text

OPENAI = registry.get("openai-chat")
TEXT = registry.get("bedrock-conversation", "text")
BLOCKS = registry.get("bedrock-conversation", "tool-config")
GEMINI = registry.get("gemini-contents")

USER: dict[str, Any] = {"role": "user", "content": "hi"}
BOT: dict[str, Any] = {"role": "assistant", "content": "hello"}
CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLING: dict[str, Any] = {"role": "assistant", "tool_calls": [CALL]}


def refusal(row: dict[str, Any]) -> CannotCarry:
    with pytest.raises(CannotCarry) as caught:
        turns.check(registry.detect(row).decode(row).messages)
    assert caught.value.remedy
    return caught.value


def calling(**function: Any) -> dict[str, Any]:
    call = {**CALL, "function": {"name": "look", **function}}
    return {"messages": [USER, {"role": "assistant", "tool_calls": [call]}]}


def result(name: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": "x"}


Case = tuple[str, dict[str, Any], str]

OPENAI_ROWS: list[Case] = [
    ("extra", {"messages": [USER, BOT], "temperature": 1}, "'temperature'"),
    ("extra", {"messages": [USER, {**BOT, "score": 1}]}, "messages[1]"),
    ("extra", {"messages": [{**USER, "weight": 1}]}, "'weight'"),
    ("deprecated", {"messages": [USER, BOT], "functions": [{"name": "look"}]}, "`functions`"),
    ("deprecated", {"messages": [USER, {**BOT, "function_call": {"name": "a"}}]}, "'function_call'"),
    ("deprecated", {"messages": [USER, {"role": "function", "name": "a", "content": "b"}]}, "messages[1]"),
    ("unknown-role", {"messages": [USER, {"role": "model", "content": "x"}]}, "'model'"),
    ("unknown-role", {"messages": [{"role": "human", "content": "x"}]}, "'human'"),
    ("missing", {"messages": [{"content": "x"}]}, "'role'"),
    ("missing", {"messages": [{"role": "user", "content": None}]}, "messages[0]"),
    ("missing", {"messages": [USER, {"role": "tool", "content": "x"}]}, "'tool_call_id'"),
    ("wrong-type", {"messages": "hi"}, "messages is a string"),
    ("wrong-type", {"messages": ["hi"]}, "messages[0] is a string"),
    ("wrong-type", {"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
    ("wrong-type", {"messages": [USER], "parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ("wrong-type", {"messages": [USER], "id": 7}, "id is a number"),
    ("wrong-type", {"messages": [USER], "metadata": "x"}, "metadata"),
    ("not-text", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "image_url"),
    ("not-text", {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input_audio"),
    ("not-text", {"messages": [USER, {**BOT, "audio": {"id": "a"}}]}, "'audio'"),
    ("refusal", {"messages": [USER, {"role": "assistant", "refusal": "no"}]}, "'refusal'"),
    ("refusal", {"messages": [USER, {**BOT, "content": [{"type": "refusal", "refusal": "no"}]}]}, "content[0]"),
    ("weight", {"messages": [USER, {**BOT, "weight": 0.5}]}, "0.5"),
    ("weight", {"messages": [USER, {**BOT, "weight": True}]}, "True"),
    ("extra", {"messages": [USER], "tools": [{"type": "custom", "custom": {}}]}, "'custom'"),
    ("tool-type", {"messages": [USER], "tools": [{"type": "retrieval", "function": {"name": "a"}}]}, "retrieval"),
    (
        "extra",
        {"messages": [USER], "tools": [{"type": "function", "function": {"name": "a", "examples": 1}}]},
        "examples",
    ),
    ("missing", {"messages": [USER], "tools": [{"type": "function", "function": {}}]}, "'name'"),
    (
        "wrong-type",
        {"messages": [USER], "tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]},
        "is an array",
    ),
    ("arguments-not-a-string", calling(arguments={"a": 1}), "arguments"),
    ("arguments-not-an-object", calling(arguments="look()"), "not-json"),
    ("arguments-not-an-object", calling(arguments="[1]"), "not-an-object"),
    ("arguments-not-an-object", calling(arguments='{"a": NaN}'), "not-a-number"),
    ("arguments-not-an-object", calling(arguments='{"a": 1, "a": 2}'), "duplicate-key"),
    ("missing", calling(), "'arguments'"),
    ("unknown-call", {"messages": [USER, result("c9")]}, "'c9'"),
    ("unknown-call", {"messages": [USER, CALLING, result("c1"), result("c1")]}, "messages[3]"),
    ("unknown-call", {"messages": [USER, CALLING, result("c1"), BOT, result("c1")]}, "messages[4]"),
    ("unanswered-call", {"messages": [USER, CALLING, USER]}, "'c1'"),
    ("unanswered-call", {"messages": [USER, CALLING, BOT]}, "messages[2]"),
    (
        "unanswered-call",
        {"messages": [USER, {**CALLING, "tool_calls": [CALL, {**CALL, "id": "c2"}]}, result("c1")]},
        "'c2'",
    ),
    ("duplicate-call-id", {"messages": [USER, {**CALLING, "tool_calls": [CALL, CALL]}]}, "messages[1]"),
    ("other-purpose", {"prompt": "a", "completion": "b"}, "completion models"),
    ("other-purpose", {"input": {}, "preferred_output": [], "non_preferred_output": []}, "preference"),
    ("other-purpose", {"custom_id": "1", "method": "POST", "url": "/", "body": {}}, "batch"),
    ("unknown-format", {"text": "hello"}, "'text'"),
    ("unknown-format", {}, "no members"),
]


@pytest.mark.parametrize(("rule", "row", "says"), OPENAI_ROWS)
def test_a_broken_openai_row_is_refused_by_its_rule(rule: str, row: dict[str, Any], says: str) -> None:
    found = refusal(row)
    assert (found.rule, says in str(found)) == (rule, True), found


def bedrock(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"schemaVersion": "bedrock-conversation-2024", "messages": list(messages), **more}


def turn(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


ASKED = turn("user", {"text": "hi"})
USED = turn("assistant", {"toolUse": {"toolUseId": "t1", "name": "look", "input": {}}})
RETURNED = {"toolResult": {"toolUseId": "t1", "content": [{"text": "x"}]}}

BEDROCK_ROWS: list[Case] = [
    ("turns-alternate", bedrock(ASKED, ASKED), "messages[1]"),
    ("turns-alternate", bedrock(turn("assistant", {"text": "x"})), "messages[0]"),
    ("unknown-role", bedrock(turn("system", {"text": "x"})), "'system'"),
    ("not-text", bedrock(turn("user", {"image": {"format": "png"}})), "'image'"),
    ("not-text", bedrock(turn("user", {"document": {}})), "'document'"),
    ("extra", bedrock(ASKED, inferenceConfig={}), "'inferenceConfig'"),
    ("extra", bedrock(turn("user", {"text": "a", "cachePoint": {}})), "'cachePoint'"),
    ("wrong-type", bedrock({"role": "user", "content": "hi"}), "content is a string"),
    ("wrong-type", bedrock(ASKED, system="be nice"), "system is a string"),
    ("extra", bedrock(turn("user", {"text": "x", "toolResult": {}})), "'text'"),
    ("text-after-calls", bedrock(ASKED, turn("assistant", *USED["content"], {"text": "x"})), "messages[1]"),
    ("unknown-call", bedrock(ASKED, turn("assistant", {"text": "x"}), turn("user", RETURNED)), "'t1'"),
    ("unanswered-call", bedrock(ASKED, USED, ASKED), "call_0"),
    ("duplicate-call-id", bedrock(ASKED, turn("assistant", *USED["content"], *USED["content"])), "messages[1]"),
    (
        "result-status",
        bedrock(ASKED, USED, turn("user", {"toolResult": {**RETURNED["toolResult"], "status": "error"}})),
        "'error'",
    ),
    ("extra", bedrock(ASKED, toolConfig={"tools": [], "toolChoice": {"any": {}}}), "'toolChoice'"),
    ("missing", bedrock(ASKED, toolConfig={"tools": [{"toolSpec": {"name": "a"}}]}), "'inputSchema'"),
    ("tools-text", bedrock(ASKED, system=[{"text": "## Tools you can call (JSON)\n[]"}]), "cannot be read"),
]


@pytest.mark.parametrize(
    ("array", "rule"),
    [
        ("[{]", "tools-text"),
        ("{}", "wrong-type"),
        ('[{"name":"f"}]', "missing"),
        ('[{"name":"f","parameters":1}]', "wrong-type"),
    ],
)
def test_tools_in_the_text_that_somebody_broke_are_refused(array: str, rule: str) -> None:
    header, _, how = tools_text([], one_call=False).split("\n")
    assert refusal(bedrock(ASKED, system=[{"text": f"{header}\n{array}\n{how}"}])).rule == rule


@pytest.mark.parametrize(("rule", "row", "says"), BEDROCK_ROWS)
def test_a_broken_bedrock_row_is_refused_by_its_rule(rule: str, row: dict[str, Any], says: str) -> None:
    found = refusal(row)
    assert (found.rule, says in str(found)) == (rule, True), found


def test_a_row_of_blocks_is_not_read_as_text() -> None:
    for row in (bedrock(ASKED, USED), bedrock(ASKED, toolConfig={"tools": []})):
        with pytest.raises(CannotCarry, match=r"toolUse|toolConfig") as caught:
            TEXT.decode(row)
        assert caught.value.rule == "rendering"


def gemini(*contents: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"contents": list(contents), **more}


def parts(role: str, *given: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "parts": list(given)}


SAID = parts("user", {"text": "hi"})
FUNCTION: dict[str, Any] = {"functionCall": {"name": "look", "args": {}}}


def offering(**function: Any) -> dict[str, Any]:
    return gemini(SAID, tools=[{"functionDeclarations": [{"name": "look", **function}]}])


GEMINI_ROWS: list[Case] = [
    ("unknown-role", gemini(parts("assistant", {"text": "x"})), "'assistant'"),
    ("not-text", gemini(parts("user", {"inlineData": {}})), "'inlineData'"),
    ("not-text", gemini(parts("user", {"file_data": {}})), "'fileData'"),
    ("thought", gemini(SAID, parts("model", {"text": "x", "thought": True})), "contents[1]"),
    ("thought", gemini(SAID, parts("model", {**FUNCTION, "thoughtSignature": "AA"})), "contents[1]"),
    ("text-after-calls", gemini(SAID, parts("model", FUNCTION, {"text": "x"})), "contents[1]"),
    ("extra", gemini(SAID, generationConfig={}), "'generationConfig'"),
    ("extra", gemini(SAID, tools=[{"googleSearch": {}}]), "'googleSearch'"),
    ("extra", offering(behavior="BLOCKING"), "'behavior'"),
    ("extra", offering(parameters={"type": "OBJECT", "oneOf": []}), "'oneOf'"),
    ("schema-ref", offering(parameters={"type": "OBJECT", "properties": {"a": {"ref": "#/defs/A"}}}), "'ref'"),
    ("schema-type", offering(parameters={"type": "DICT"}), "'DICT'"),
    (
        "schema-enum",
        offering(parameters={"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "enum": ["x"]}}}),
        "'x'",
    ),
    ("duplicate-key", offering(parameters={"type": "OBJECT"}, parametersJsonSchema={}), "twice"),
    ("duplicate-key", {"contents": [SAID], "system_instruction": SAID, "systemInstruction": SAID}, "both spellings"),
    ("unknown-call", gemini(SAID, parts("user", {"functionResponse": {"name": "look", "response": {}}})), "'look'"),
    ("unanswered-call", gemini(SAID, parts("model", FUNCTION), SAID), "call_0"),
    ("missing", gemini({"role": "user"}), "'parts'"),
    ("missing", gemini(parts("user", {})), "'text'"),
    ("wrong-type", gemini(SAID, parts("model", {"functionCall": {"name": "look", "args": "{}"}})), "args"),
    ("wrong-type", gemini(SAID, systemInstruction="be nice"), "systemInstruction is a string"),
]


@pytest.mark.parametrize(("rule", "row", "says"), GEMINI_ROWS)
def test_a_broken_gemini_row_is_refused_by_its_rule(rule: str, row: dict[str, Any], says: str) -> None:
    found = refusal(row)
    assert (found.rule, says in str(found)) == (rule, True), found


def user(text: str = "hi", **more: Any) -> Message:
    return Message(role="user", content=text, **more)


def bot(text: str | None = "hello", **more: Any) -> Message:
    return Message(role="assistant", content=text, **more)


LOOK = Tool(name="look", parameters={"type": "object", "properties": {}})
LOOKS = ToolCall(id="x", name="look", arguments={})
SYSTEM = Message(role="system", content="be nice")


def told(*messages: Message, **more: Any) -> Example:
    return Example(messages=messages, **more)


def with_parameter(schema: Any, name: str = "a", definitions: dict[str, Any] | None = None) -> Example:
    parameters = {"type": "object", "properties": {name: schema}, "$defs": definitions or {}}
    return told(user(), bot(), tools=(Tool(name="look", parameters=parameters),))


ALL, OTHERS = (OPENAI, TEXT, BLOCKS, GEMINI), (TEXT, BLOCKS, GEMINI)
LOOPING: dict[str, Any] = {"A": {"type": "object", "properties": {"next": {"$ref": "#/$defs/A"}}}}
UNWRITABLE: list[tuple[str, tuple[Any, ...], Example]] = [
    ("metadata", ALL, told(user(), bot(), metadata={"team": "x"})),
    ("misplaced", ALL, told(user(tool_calls=(LOOKS,)), bot())),
    ("misplaced", ALL, told(user(weight=1), bot())),
    ("misplaced", ALL, told(user(tool_call_id="x"), bot())),
    (
        "misplaced",
        ALL,
        told(user(), bot(None, tool_calls=(LOOKS,)), Message(role="tool", content="", tool_call_id="x", name="n")),
    ),
    ("missing", ALL, told(Message(role="user"), bot())),
    ("late-system", OTHERS, told(user(), SYSTEM, user(), bot())),
    ("first-turn", OTHERS, told(SYSTEM, bot())),
    ("adjacent-assistant", OTHERS, told(user(), bot(), bot())),
    ("weight-zero", OTHERS, told(user(), bot(weight=0))),
    ("participant-name", OTHERS, told(user(name="ann"), bot())),
    ("empty-message", OTHERS, told(user(" \n"), bot())),
    ("empty-message", OTHERS, told(user(), bot(None))),
    ("empty-message", OTHERS, told(user(), bot(" ", tool_calls=(LOOKS,)), tools=(LOOK,))),
    ("strict", OTHERS, told(user(), bot(), tools=(Tool(name="look", strict=True),))),
    ("parallel-tool-calls", (BLOCKS, GEMINI), told(user(), bot(), tools=(LOOK,), parallel_tool_calls=False)),
    ("tool-name", (OPENAI, BLOCKS), told(user(), bot(), tools=(Tool(name="a.b"),))),
    (
        "tool-name",
        (OPENAI, BLOCKS, GEMINI),
        told(user(), bot(None, tool_calls=(ToolCall(id="x", name="a b", arguments={}),)), tools=(LOOK,)),
    ),
    ("tool-name", (GEMINI,), told(user(), bot(), tools=(Tool(name="1st"),))),
    ("calls-without-tools", (TEXT,), told(user(), bot(None, tool_calls=(LOOKS,)))),
    ("looks-like-tools", (TEXT,), told(user(), bot('[{"name":"a","arguments":{}}]'), tools=(LOOK,))),
    ("looks-like-tools", (TEXT,), told(user('{"tool_result":{"name":"a","content":"b"}}'), bot(), tools=(LOOK,))),
    ("looks-like-tools", (TEXT,), told(Message(role="system", content="## Tools you can call (JSON)"), user(), bot())),
    ("parameter-name", (GEMINI,), with_parameter({"type": "string"}, "año")),
    ("schema-keyword", (GEMINI,), with_parameter({"oneOf": [{"type": "string"}]})),
    ("schema-keyword", (GEMINI,), with_parameter({"type": "integer", "exclusiveMinimum": 0})),
    ("schema-type", (GEMINI,), with_parameter({"type": "dict"})),
    ("schema-type", (GEMINI,), with_parameter({"type": ["string", 1]})),
    ("schema-enum", (GEMINI,), with_parameter({"type": "integer", "enum": ["1"]})),
    ("schema-enum", (GEMINI,), with_parameter({"enum": ["a", 1]})),
    ("schema-enum", (GEMINI,), with_parameter({"type": "boolean", "enum": [True]})),
    ("schema-enum", (GEMINI,), with_parameter({"type": "string", "enum": ["a", None]})),
    ("schema-ref", (GEMINI,), with_parameter({"$ref": "#/$defs/Missing"})),
    ("schema-ref", (GEMINI,), with_parameter({"$ref": "https://example.com/a.json"})),
    ("schema-recursive", (GEMINI,), with_parameter({"$ref": "#/$defs/A"}, definitions=LOOPING)),
    (
        "schema-conflict",
        (GEMINI,),
        with_parameter({"minLength": 1, "anyOf": [{"type": "string", "minLength": 2}, {"type": "object"}]}),
    ),
    ("schema-any-of", (GEMINI,), with_parameter({"anyOf": [{"type": "null"}]})),
    ("schema-root", (GEMINI,), told(user(), bot(), tools=(Tool(name="look", parameters={"type": "string"}),))),
    ("wrong-type", (GEMINI,), with_parameter({"type": "string", "description": 1})),
    ("wrong-type", (GEMINI,), with_parameter({"type": "array", "items": [{"type": "string"}]})),
    ("wrong-type", (GEMINI,), with_parameter(False)),
]


@pytest.mark.parametrize(("rule", "refusing", "example"), UNWRITABLE)
def test_what_a_format_cannot_carry_is_refused_by_it_and_only_by_it(
    rule: str, refusing: tuple[Any, ...], example: Example
) -> None:
    for spelling in ALL:
        if spelling in refusing:
            with pytest.raises(CannotCarry) as caught:
                spelling.encode(example)
            assert caught.value.rule == rule
            assert caught.value.remedy
        else:
            spelling.encode(example)


def test_definitions_that_multiply_are_refused_before_they_fill_the_memory() -> None:
    definitions: dict[str, Any] = {"D0": {"type": "string"}}
    for level in range(1, 40):
        twice = {"$ref": f"#/$defs/D{level - 1}"}
        definitions[f"D{level}"] = {"type": "object", "properties": {"a": twice, "b": twice}}
    with pytest.raises(CannotCarry) as caught:
        GEMINI.encode(with_parameter({"$ref": "#/$defs/D39"}, definitions=definitions))
    assert caught.value.rule == "schema-too-large"
