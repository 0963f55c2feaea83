"""Reads the blocks of a Bedrock row, strictly: turns as messages, a toolConfig as tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudistill.core.example import Message, Tool
from cloudistill.core.jsonl import dump
from cloudistill.formats import reading, turns
from cloudistill.formats import tools_as_text as in_text
from cloudistill.formats.format import CannotCarry

SOURCE = "https://docs.aws.amazon.com/bedrock/latest/userguide/distillation-prepare-datasets.html"

_TURN = frozenset({"role", "content"})
_BLOCK = frozenset({"text", "toolUse", "toolResult"})
_MEDIA = frozenset({"image", "document", "video", "audio"})
_USE = frozenset({"toolUseId", "name", "input"})
_RESULT = frozenset({"toolUseId", "content", "status"})
_SPEC = frozenset({"name", "description", "inputSchema"})

Block = dict[str, Any]


def tools_of(value: Any) -> tuple[Tool, ...]:
    """The tools of a toolConfig."""
    config = reading.members(value, {"tools"}, "toolConfig")
    entries = reading.array(reading.needed(config, "tools", "toolConfig"), "toolConfig.tools")
    return tuple(_spec(entry, f"toolConfig.tools[{i}]") for i, entry in enumerate(entries))


def _spec(value: Any, where: str) -> Tool:
    where = f"{where}.toolSpec"
    spec = reading.members(reading.members(value, {"toolSpec"}, where).get("toolSpec"), _SPEC, where)
    schema = reading.members(reading.needed(spec, "inputSchema", where), {"json"}, f"{where}.inputSchema")
    return Tool(
        name=reading.needed_text(spec, "name", where),
        description=reading.text_or_none(spec, "description", where),
        parameters=reading.obj(reading.needed(schema, "json", f"{where}.inputSchema"), f"{where}.inputSchema.json"),
    )


class Reader:
    """Reads the turns of one row: blocks as messages, with calls and results named by position.

    `in_text`: calls and results are looked for in plain text, if tools were `offered`.
    """

    def __init__(self, *, in_text: bool, offered: bool) -> None:
        self._in_text, self._scan = in_text, in_text and offered
        self._numbering = turns.Numbering()

    def messages(self, records: list[Any]) -> Iterator[Message]:
        """The messages, in order. Raises CannotCarry for anything unknown or malformed."""
        before = "assistant"
        for index, record in enumerate(records):
            where = f"messages[{index}]"
            turn = reading.members(record, _TURN, where)
            role = reading.needed_text(turn, "role", where)
            _check_role(role, before, where)
            before = role
            blocks = [
                _block(block, f"{where}.content[{i}]")
                for i, block in enumerate(reading.array(reading.needed(turn, "content", where), f"{where}.content"))
            ]
            if role == "assistant":
                yield self._assistant(blocks, where)
            else:
                yield from (self._user(block, f"{where}.content[{i}]") for i, block in enumerate(blocks))

    def _assistant(self, blocks: list[Block], where: str) -> Message:
        uses = [block for block in blocks if "toolUse" in block]
        texts = [text_of(block, where) for block in blocks if "toolUse" not in block]
        if uses and (self._in_text or blocks[-len(uses) :] != uses):
            raise wrong_rendering(where, "toolUse") if self._in_text else _late_text(where)
        content = "\n".join(texts) if texts else None
        made = [_use(block, where) for block in uses]
        if self._scan and content is not None and (found := in_text.calls_of(content)):
            content, made = found[0], [(name, arguments, None) for name, arguments in found[1]]
        return Message(role="assistant", content=content, tool_calls=self._numbering.calls(made, where))

    def _user(self, block: Block, where: str) -> Message:
        if "toolResult" in block:
            if self._in_text:
                raise wrong_rendering(where, "toolResult")
            result = reading.members(reading.members(block, {"toolResult"}, where)["toolResult"], _RESULT, where)
            vendor_id = reading.needed_text(result, "toolUseId", where)
            return self._result(_result_content(result, where), where, vendor_id=vendor_id)
        text = text_of(block, where)
        if self._scan and (found := in_text.result_of(text)):
            return self._result(found[1], where, name=found[0])
        return Message(role="user", content=text)

    def _result(self, content: str, where: str, **key: str) -> Message:
        return Message(role="tool", content=content, tool_call_id=self._numbering.answered(where, **key))


def _check_role(role: str, before: str, where: str) -> None:
    if role not in ("user", "assistant"):
        raise CannotCarry(
            "unknown-role",
            f"{where}: the role {role!r} is unknown.",
            "It must be user or assistant; system texts stand in `system`, tool results in a user turn.",
            source=SOURCE,
        )
    if role == before:
        raise CannotCarry(
            "turns-alternate",
            f"{where}: the {role}'s turn does not follow the other's.",
            "Begin with the user and let turns alternate.",
            source=SOURCE,
        )


def _block(value: Any, where: str) -> Block:
    for media in _MEDIA & value.keys() if type(value) is dict else ():
        raise reading.not_text(where, media)
    return reading.members(value, _BLOCK, where)


def text_of(block: Any, where: str) -> str:
    """The text of a block that holds nothing else."""
    only = reading.members(block, {"text"}, where)
    return reading.needed_text(only, "text", where)


def _use(block: Block, where: str) -> tuple[str, dict[str, Any], str | None]:
    block = reading.members(block, {"toolUse"}, where)
    where = f"{where}.toolUse"
    use = reading.members(block["toolUse"], _USE, where)
    arguments = reading.obj(reading.needed(use, "input", where), f"{where}.input")
    return reading.needed_text(use, "name", where), arguments, reading.needed_text(use, "toolUseId", where)


def _result_content(result: dict[str, Any], where: str) -> str:
    if result.get("status", "success") != "success":
        raise CannotCarry(
            "result-status", f"{where}: the tool result has status {result['status']!r}.", "Say the error in its text."
        )
    blocks = reading.array(reading.needed(result, "content", where), f"{where}.content")
    parts = [reading.members(block, {"text", "json"}, f"{where}.content") for block in blocks]
    return "\n".join(
        dump(part["json"]).decode() if "json" in part else text_of(part, f"{where}.content") for part in parts
    )


def wrong_rendering(where: str, member: str) -> CannotCarry:
    """The refusal of a block in a row that is read as text."""
    return CannotCarry("rendering", f"{where} has {member!r}.", "Read the row with the rendering tool-config.")


def _late_text(where: str) -> CannotCarry:
    return CannotCarry("text-after-calls", f"{where}: text stands behind a call.", "Put the text before the calls.")
