"""The `gemini-contents` format: Vertex AI's tuning lines and Gemini's generateContent bodies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from cloudistill.core.example import Example, Message, Tool
from cloudistill.core.jsonl import dump
from cloudistill.formats import gemini_schema, normal_schema, reading, turns
from cloudistill.formats.format import CannotCarry
from cloudistill.formats.normalisations import GEMINI

SOURCE = "https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_LINE = frozenset({"systemInstruction", "contents", "tools"})
_CONTENT = frozenset({"role", "parts"})
_PART = frozenset({"text", "functionCall", "functionResponse", "thought", "thoughtSignature"})
_MEDIA = frozenset({"inlineData", "fileData", "executableCode", "codeExecutionResult", "videoMetadata"})
_CALL = frozenset({"id", "name", "args"})
_RESPONSE = frozenset({"id", "name", "response"})
_FUNCTION = frozenset({"name", "description", "parameters", "parametersJsonSchema"})

Part = dict[str, Any]


class GeminiContents:
    """Gemini's lines: `systemInstruction`, `contents` and `tools`."""

    name = GEMINI
    rendering: str | None = None

    def normalise(self, example: Example) -> Example:
        """The example with ids by position, schemas in the form Gemini can say, and no default flags.

        Raises:
            CannotCarry: what `turns.alternating` and `gemini_schema.normalise` refuse, strict tools, metadata,
                or one call at a time.
        """
        if example.parallel_tool_calls is False and example.tools:
            raise CannotCarry(
                "parallel-tool-calls",
                "Gemini cannot be told to make at most one call (`parallel_tool_calls` false).",
                "Delete the flag, or say it in the system text.",
            )
        says = "1 to 128 letters, digits or '_.:-', a letter or '_' first"
        turns.check_names(example, _NAME, says=says, source=normal_schema.SOURCE)
        return replace(
            turns.bare(example),
            messages=tuple(turns.alternating(example.messages)),
            tools=tuple([_normal_tool(tool) for tool in example.tools]),
            parallel_tool_calls=None,
        )

    def encode(self, example: Example) -> dict[str, Any]:
        """The tuning line. Raises CannotCarry as `normalise` does."""
        normal = self.normalise(example)
        system = [{"text": message.content} for message in normal.messages if message.role == "system"]
        line: dict[str, Any] = {"systemInstruction": {"role": "system", "parts": system}} if system else {}
        line["contents"] = _spelt_contents(normal.messages)
        if normal.tools:
            line["tools"] = [{"functionDeclarations": [_spelt_tool(tool) for tool in normal.tools]}]
        return line

    def decode(self, record: dict[str, Any]) -> Example:
        """The example of one line. Raises CannotCarry for anything unknown or malformed."""
        line = reading.members(reading.camel_case(record, "the row"), _LINE, "the row")
        system = _system(line["systemInstruction"]) if "systemInstruction" in line else []
        numbering = turns.Numbering()
        contents = reading.array(reading.needed(line, "contents", "the row"), "contents")
        said = [m for i, content in enumerate(contents) for m in _content(content, numbering, f"contents[{i}]")]
        tools = [
            tool
            for i, entry in enumerate(reading.array(line.get("tools", []), "tools"))
            for tool in _tools(entry, f"tools[{i}]")
        ]
        return Example(messages=(*system, *said), tools=tuple(tools))

    def decode_answer(self, parts: Sequence[Part]) -> Message:
        """The parts of a candidate's content as a message; thoughts and their signatures are left out."""
        said = [reading.camel_case(part, "the answer") for part in parts if not part.get("thought")]
        text = "".join(part["text"] for part in said if part.get("text"))
        calls = [part["functionCall"] for part in said if part.get("functionCall")]
        made: Sequence[turns.Made] = [(call["name"], call.get("args") or {}, call.get("id")) for call in calls]
        content = text if text or not made else None
        return Message(role="assistant", content=content, tool_calls=turns.Numbering().calls(made, "the answer"))


def _normal_tool(tool: Tool) -> Tool:
    tool = turns.plain_tool(tool)
    if tool.parameters is None:
        return tool
    normal = gemini_schema.normalise(tool.parameters, f"{tool.name}.parameters")
    return tool if normal is tool.parameters else replace(tool, parameters=normal)


def _spelt_tool(tool: Tool) -> dict[str, Any]:
    spelt: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        spelt["description"] = tool.description
    if tool.parameters is not None:
        spelt["parameters"] = gemini_schema.spell(tool.parameters)
    return spelt


def _spelt_contents(messages: Sequence[Message]) -> list[dict[str, Any]]:
    names = turns.called(messages)
    contents: list[dict[str, Any]] = []
    for assistants, spoken in turns.by_speaker(messages):
        parts: list[Part] = []
        for message in spoken:
            parts += _spelt_parts(message, names)
        contents.append({"role": "model" if assistants else "user", "parts": parts})
    return contents


def _spelt_parts(message: Message, names: dict[str, str]) -> list[Part]:
    if message.role == "tool":
        response = {"name": names[str(message.tool_call_id)], "response": {"output": message.content}}
        return [{"functionResponse": response}]
    parts: list[Part] = [] if message.content is None else [{"text": message.content}]
    if message.tool_calls:
        parts += [{"functionCall": {"name": call.name, "args": call.arguments}} for call in message.tool_calls]
    return parts


def _system(value: Any) -> list[Message]:
    instruction = reading.members(value, _CONTENT, "systemInstruction")
    parts = _parts(instruction, "systemInstruction")
    return [Message(role="system", content=_text(part, "systemInstruction")) for part in parts]


def _content(value: Any, numbering: turns.Numbering, where: str) -> Iterator[Message]:
    content = reading.members(value, _CONTENT, where)
    role = content.get("role", "user")
    if role not in ("user", "model"):
        raise CannotCarry(
            "unknown-role",
            f"{where}: the role {role!r} is unknown.",
            "It must be user or model; function responses stand in a user turn.",
            source=SOURCE,
        )
    parts = _parts(content, where)
    if role == "model":
        yield _model(parts, numbering, where)
        return
    for part in parts:
        if "functionResponse" in part:
            yield _response(part, numbering, where)
        else:
            yield Message(role="user", content=_text(part, where))


def _parts(content: dict[str, Any], where: str) -> list[Part]:
    parts = reading.array(reading.needed(content, "parts", where), f"{where}.parts")
    return [_part(part, f"{where}.parts[{i}]") for i, part in enumerate(parts)]


def _part(value: Any, where: str) -> Part:
    part = reading.camel_case(value, where)
    for media in part.keys() & _MEDIA:
        raise reading.not_text(where, media)
    part = reading.members(part, _PART, where)
    if not part.keys().isdisjoint({"thought", "thoughtSignature"}):
        raise CannotCarry(
            "thought", f"{where} holds a thought.", "Delete it: tuning teaches the answer without thoughts."
        )
    return part


def _text(part: Part, where: str) -> str:
    only = reading.members(part, {"text"}, where)
    return reading.needed_text(only, "text", where)


def _model(parts: list[Part], numbering: turns.Numbering, where: str) -> Message:
    calls = [part for part in parts if "functionCall" in part]
    texts = [_text(part, where) for part in parts if "functionCall" not in part]
    if calls and parts[-len(calls) :] != calls:
        raise CannotCarry("text-after-calls", f"{where}: text stands behind a call.", "Put the text before the calls.")
    made = [_call(part, where) for part in calls]
    content = "\n".join(texts) if texts else None
    return Message(role="assistant", content=content, tool_calls=numbering.calls(made, where))


def _call(part: Part, where: str) -> tuple[str, dict[str, Any], str | None]:
    where = f"{where}.functionCall"
    call = reading.members(reading.members(part, {"functionCall"}, where)["functionCall"], _CALL, where)
    arguments = reading.obj(call.get("args", {}), f"{where}.args")
    name = reading.needed_text(call, "name", where)
    return name, arguments, reading.text_or_none(call, "id", where)


def _response(part: Part, numbering: turns.Numbering, where: str) -> Message:
    where = f"{where}.functionResponse"
    answer = reading.members(reading.members(part, {"functionResponse"}, where)["functionResponse"], _RESPONSE, where)
    said = reading.obj(reading.needed(answer, "response", where), f"{where}.response")
    output = said.get("output") if said.keys() == {"output"} else None
    name = reading.needed_text(answer, "name", where)
    return Message(
        role="tool",
        content=output if type(output) is str else dump(said).decode(),
        tool_call_id=numbering.answered(where, name=name, vendor_id=reading.text_or_none(answer, "id", where)),
    )


def _tools(value: Any, where: str) -> Iterator[Tool]:
    entry = reading.members(reading.camel_case(value, where), {"functionDeclarations"}, where)
    functions = reading.array(reading.needed(entry, "functionDeclarations", where), where)
    for index, declared in enumerate(functions):
        yield _tool(declared, f"{where}.functionDeclarations[{index}]")


def _tool(value: Any, where: str) -> Tool:
    function = reading.members(reading.camel_case(value, where), _FUNCTION, where)
    name = reading.needed_text(function, "name", where)
    described = reading.text_or_none(function, "description", where)
    return Tool(name=name, description=described, parameters=_parameters(function, where))


def _parameters(function: dict[str, Any], where: str) -> dict[str, Any] | None:
    if "parameters" in function and "parametersJsonSchema" in function:
        raise CannotCarry("duplicate-key", f"{where} says its parameters twice.", "Keep one of them.")
    if "parameters" in function:
        return gemini_schema.read(function["parameters"], f"{where}.parameters")
    schema = function.get("parametersJsonSchema")
    return None if schema is None else reading.obj(schema, f"{where}.parametersJsonSchema")
