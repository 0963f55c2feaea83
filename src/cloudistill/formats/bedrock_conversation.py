"""The `bedrock-conversation` format: Amazon Bedrock's training lines, with tools as text or as toolConfig blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

from msgspec.structs import replace

from cloudistill.core.example import Example, Message, Tool
from cloudistill.formats import reading, turns
from cloudistill.formats import tools_as_text as in_text
from cloudistill.formats.bedrock_reading import SOURCE, Block, Reader, text_of, tools_of, wrong_rendering
from cloudistill.formats.format import CannotCarry
from cloudistill.formats.normalisations import BEDROCK

SCHEMA_VERSION = "bedrock-conversation-2024"
Rendering = Literal["text", "tool-config"]
RENDERINGS: tuple[Rendering, ...] = ("text", "tool-config")

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LINE = frozenset({"schemaVersion", "system", "messages", "toolConfig"})
_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


class BedrockConversation:
    """Bedrock's lines and Converse messages. `rendering` says how tools are spelled: `text` or `tool-config`."""

    name = BEDROCK

    def __init__(self, rendering: Rendering = "text") -> None:
        self.rendering: str | None = rendering

    def normalise(self, example: Example) -> Example:
        """The example with ids by position, plain tools and no default flags.

        Raises:
            CannotCarry: what `turns.alternating` refuses, strict tools, metadata, and what the rendering cannot
                hold: one call at a time (`tool-config`), or text that would be taken for a call (`text`).
        """
        normal = replace(
            turns.bare(example),
            messages=tuple(turns.alternating(example.messages)),
            tools=tuple([_with_parameters(turns.plain_tool(tool)) for tool in example.tools]),
            parallel_tool_calls=None
            if not example.tools or example.parallel_tool_calls
            else example.parallel_tool_calls,
        )
        if self.rendering == "text":
            _check_text(normal)
        else:
            _check_blocks(normal)
        return normal

    def encode(self, example: Example) -> dict[str, Any]:
        """The training line. Raises CannotCarry as `normalise` does."""
        normal = self.normalise(example)
        system = [str(message.content) for message in normal.messages if message.role == "system"]
        line: dict[str, Any] = {"schemaVersion": SCHEMA_VERSION}
        if normal.tools and self.rendering == "text":
            offered = in_text.tools_text(normal.tools, one_call=normal.parallel_tool_calls is False)
            system = [*system[:-1], f"{system[-1]}\n\n{offered}" if system else offered]
        if system:
            line["system"] = [{"text": text} for text in system]
        line["messages"] = _spelt_turns(normal.messages, in_text=self.rendering == "text")
        if normal.tools and self.rendering == "tool-config":
            line["toolConfig"] = {"tools": [{"toolSpec": _spelt_spec(tool)} for tool in normal.tools]}
        return line

    def decode(self, record: dict[str, Any]) -> Example:
        """The example of one line. Raises CannotCarry for anything unknown or malformed."""
        line = reading.members(record, _LINE, "the row")
        system = [
            text_of(block, f"system[{i}]") for i, block in enumerate(reading.array(line.get("system", []), "system"))
        ]
        if self.rendering == "text":
            if "toolConfig" in line:
                raise wrong_rendering("the row", "toolConfig")
            tools, parallel = _take_tools(system)
        else:
            tools, parallel = tools_of(line.get("toolConfig", {"tools": []})), None
        reader = Reader(in_text=self.rendering == "text", offered=bool(tools))
        said = reader.messages(reading.array(reading.needed(line, "messages", "the row"), "messages"))
        leading = (Message(role="system", content=text) for text in system)
        return Example(messages=(*leading, *said), tools=tools, parallel_tool_calls=parallel)

    def decode_answer(self, content: Sequence[Block], *, offered: bool = True) -> Message:
        """The content blocks of a Converse answer; blocks of reasoning are left out.

        In the text rendering a JSON array of calls is calls, if tools were `offered`; anything else is text.
        """
        text = "\n".join(block["text"] for block in content if "text" in block)
        uses = [block["toolUse"] for block in content if "toolUse" in block]
        made: Sequence[turns.Made] = [(use["name"], use.get("input") or {}, use.get("toolUseId")) for use in uses]
        said = text if text or not made else None
        if self.rendering == "text" and offered and not made and (found := in_text.calls_of(text)):
            said, made = found[0], [(name, arguments, None) for name, arguments in found[1]]
        return Message(role="assistant", content=said, tool_calls=turns.Numbering().calls(made, "the answer"))


def shows_rendering(record: dict[str, Any]) -> Rendering | None:
    """The rendering a row gives away by its blocks or its system text; None for a row without tools."""
    if "toolConfig" in record or any(
        not block.keys().isdisjoint({"toolUse", "toolResult"}) for block in _blocks(record)
    ):
        return "tool-config"
    return "text" if any(in_text.HEADER in str(block.get("text")) for block in _items(record.get("system"))) else None


def _blocks(record: dict[str, Any]) -> Iterator[Block]:
    for turn in _items(record.get("messages")):
        yield from _items(turn.get("content"))


def _items(value: Any) -> list[Block]:
    return (
        [cast("Block", item) for item in cast("list[Any]", value) if type(item) is dict] if type(value) is list else []
    )


def _with_parameters(tool: Tool) -> Tool:
    return replace(tool, parameters=_NO_PARAMETERS) if tool.parameters is None else tool


def _check_text(normal: Example) -> None:
    for index, message in enumerate(normal.messages):
        text = message.content or ""
        if message.role == "system" and in_text.HEADER in text:
            raise _mistaken(index, "the list of tools")
        if not normal.tools:
            if message.tool_calls:
                raise CannotCarry(
                    "calls-without-tools",
                    f"messages[{index}] calls a tool, and the example offers none.",
                    "Add the tools it was given: as text, calls are told apart from prose by them.",
                )
        elif message.role == "user" and in_text.result_of(text):
            raise _mistaken(index, "a tool result")
        elif message.role == "assistant" and not message.tool_calls and in_text.calls_of(text):
            raise _mistaken(index, "tool calls")


def _mistaken(index: int, what: str) -> CannotCarry:
    return CannotCarry(
        "looks-like-tools",
        f"messages[{index}]: as text this would be taken for {what}.",
        "Make it `tool_calls` or a tool message if it is one, change the words, or use the rendering tool-config.",
    )


def _check_blocks(normal: Example) -> None:
    turns.check_names(normal, _NAME, says="1 to 64 letters, digits, '_' or '-'", source=SOURCE)
    if normal.parallel_tool_calls is False:
        raise CannotCarry(
            "parallel-tool-calls",
            "toolConfig cannot say that at most one tool is called (`parallel_tool_calls` false).",
            "Delete the flag, or use the rendering text, which says it in words.",
        )


def _spelt_turns(messages: Sequence[Message], *, in_text: bool) -> list[dict[str, Any]]:
    names = turns.called(messages)
    spelt: list[dict[str, Any]] = []
    for assistants, spoken in turns.by_speaker(messages):
        blocks: list[Block] = []
        for message in spoken:
            blocks += _text_blocks(message, names) if in_text else _tool_blocks(message)
        spelt.append({"role": "assistant" if assistants else "user", "content": blocks})
    return spelt


def _text_blocks(message: Message, names: dict[str, str]) -> list[Block]:
    text = message.content
    if message.role == "tool":
        text = in_text.result_text(names[str(message.tool_call_id)], str(text))
    elif message.tool_calls:
        text = in_text.calls_text(text, message.tool_calls)
    return [{"text": text}]


def _tool_blocks(message: Message) -> list[Block]:
    if message.role == "tool":
        return [{"toolResult": {"toolUseId": message.tool_call_id, "content": [{"text": message.content}]}}]
    text = [] if message.content is None else [{"text": message.content}]
    uses = [{"toolUse": {"toolUseId": c.id, "name": c.name, "input": c.arguments}} for c in message.tool_calls]
    return [*text, *uses]


def _spelt_spec(tool: Tool) -> dict[str, Any]:
    described = {} if tool.description is None else {"description": tool.description}
    return {"name": tool.name, **described, "inputSchema": {"json": tool.parameters}}


def _take_tools(system: list[str]) -> tuple[tuple[Tool, ...], bool | None]:
    """The tools at the end of the last system text, which is left without them."""
    found = in_text.tools_of(system[-1]) if system else None
    if found is None:
        return (), None
    before, tools, parallel = found
    system[-1:] = [before.removesuffix("\n\n")] if before else []
    return tools, parallel
