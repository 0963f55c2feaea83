"""Gemini contents as lessons: what a model sees in a request or a training line, and the rules both are held to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from cloudistill.emulators.lesson import Call, Lesson, Question, Reply, Shape

Content = dict[str, Any]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_RENAMED = {"defs": "$defs", "ref": "$ref"}


def lessons(line: dict[str, Any]) -> Iterator[Lesson]:
    """Every model turn of one training line, each with what came before it."""
    tools = shapes(line.get("tools", ()))
    contents: list[Content] = line["contents"]
    for index, content in enumerate(contents):
        if content.get("role") == "model":
            yield Lesson(question(contents[:index], tools), reply(content))


def question(contents: Sequence[Content], tools: tuple[Shape, ...]) -> Question:
    """What contents ask; function responses count as a tool's turns, not the user's."""
    return Question.of((turn for content in contents for turn in _turns(content)), tools)


def reply(content: Content) -> Reply:
    """A model turn."""
    calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
    return Reply(_text(content), tuple(Call(call["name"], call.get("args", {})) for call in calls))


def shapes(tools: Sequence[dict[str, Any]]) -> tuple[Shape, ...]:
    """The functions on offer, their schemas as JSON Schema."""
    return tuple(
        Shape(function["name"], function.get("description", ""), _parameters(function))
        for tool in tools
        for function in tool.get("functionDeclarations", ())
    )


def faults_of_tools(tools: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What is wrong with the function declarations, in words."""
    for tool in tools:
        for function in tool.get("functionDeclarations", ()):
            name = function.get("name", "")
            if not _NAME.fullmatch(name):
                yield (
                    f"Invalid function name {name!r}. Must start with a letter or an underscore. Must be alphameric "
                    "(a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of "
                    "128."
                )
            for path in _untyped(function.get("parameters"), "parameters"):
                yield f"`{name}` functionDeclaration `{path}` schema didn't specify the schema type field."


def faults_of_turns(contents: Sequence[Content]) -> Iterator[str]:
    """What is wrong with the turns, in words."""
    owed = 0
    for content in contents:
        parts = content.get("parts", [])
        answers = sum("functionResponse" in part for part in parts)
        if content.get("role", "user") not in {"user", "model"}:
            yield f"Please use a valid role: user, model. Got {content['role']!r}."
        if not parts or not all(parts):
            yield "Every content must include at least one parts field, and every part one of the data fields."
        if answers != owed:
            yield (
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        owed = sum("functionCall" in part for part in parts)


def _turns(content: Content) -> Iterator[tuple[str, str]]:
    """Who said what: a turn of the user's with function responses in it is a tool's turn for each."""
    if content.get("role") == "model":
        yield "model", _text(content)
        return
    responses = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
    for response in responses:
        yield "tool", _result(response.get("response", {}))
    if not responses or any("text" in part for part in content["parts"]):
        yield "user", _text(content)


def _text(content: Content) -> str:
    """A turn's text, the model's thoughts left out."""
    return "\n".join(part["text"] for part in content["parts"] if "text" in part and not part.get("thought"))


def _result(response: dict[str, Any]) -> str:
    output = response.get("output") if response.keys() == {"output"} else response
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


def _parameters(function: dict[str, Any]) -> dict[str, Any]:
    if "parametersJsonSchema" in function:
        return function["parametersJsonSchema"]
    return _json_schema(function["parameters"]) if "parameters" in function else {"type": "object", "properties": {}}


def _json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): _member(name, value) for name, value in schema.items()}


def _member(name: str, value: Any) -> Any:
    match name:
        case "type":
            return value.lower()
        case "items":
            return _json_schema(value)
        case "anyOf":
            return [_json_schema(option) for option in value]
        case "properties" | "defs":
            return {key: _json_schema(inner) for key, inner in value.items()}
        case _:
            return value


def _untyped(schema: dict[str, Any] | None, path: str) -> Iterator[str]:
    """The paths of the schemas that say neither a type nor where one is to be found."""
    if schema is None:
        return
    if schema.keys().isdisjoint({"type", "anyOf", "ref"}):
        yield path
    for name, inner in schema.get("properties", {}).items():
        yield from _untyped(inner, f"{path}.{name}")
    yield from _untyped(schema.get("items"), f"{path}.items")
