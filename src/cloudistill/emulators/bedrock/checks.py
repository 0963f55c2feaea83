"""The tuner's checks of training data, as AWS documents them; what they find is a job's failureMessage."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from cloudistill.emulators.bedrock.text import as_object

FEWEST, MOST = 8, 20_000
VERSION = "bedrock-conversation-2024"
KEYS = {"schemaVersion", "system", "messages", "toolConfig"}
RESERVED = ("System:", "User:", "Bot:", "Assistant:", "Thought:", "[EOS]", "<image>", "<video>", "<unk>")
_RESERVED = re.compile("|".join(re.escape(word) for word in RESERVED), re.IGNORECASE)


class BadData(Exception):
    """Training data the tuner refuses, in the words of the job's failureMessage."""


def checked(data: bytes | None, file: str, *, nova: bool, fewest: int = FEWEST) -> list[dict[str, Any]]:
    """The rows of a training file. Raises `BadData` for the first thing that is wrong."""
    lines = lines_of(data, file)
    if not fewest <= len(lines) <= MOST:
        raise BadData(f"Number of samples {len(lines)} out of bounds between {fewest} and {MOST} in file {file}")
    rows = [_parsed(line, file) for line in lines]
    for number, row in enumerate(rows, 1):
        for found in wrong(row, nova=nova):
            raise BadData(f"Invalid record at line {number} of Amazon S3 file {file}: {found}")
    return rows


def lines_of(data: bytes | None, file: str) -> list[bytes]:
    """The lines of a file that are not blank. Raises `BadData` where there is no file."""
    if data is None:
        raise BadData(f"Could not validate GetObject permissions to access Amazon S3 file: {file}")
    return [line for line in data.split(b"\n") if line.strip()]


def _parsed(line: bytes, file: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise BadData(f"Unable to parse Amazon S3 file: {file}. Data files must conform to JSONL format")
    return cast("dict[str, Any]", row)


def wrong(row: Mapping[str, Any], *, nova: bool) -> Iterator[str]:
    """What is wrong with a row; the later checks rely on the earlier ones having found nothing."""
    if row.get("schemaVersion") != VERSION:
        yield f"schemaVersion must be {VERSION}"
    if unknown := sorted(set(row) - KEYS):
        yield f"extraneous key [{unknown[0]}] is not permitted"
    if not nova and "toolConfig" in row:
        yield "toolConfig is not supported for this base model"
    if "toolConfig" in row and _tool_names(row) is None:
        yield "toolConfig must hold tools, each a toolSpec with a name and an inputSchema"
    yield from _system(row.get("system", []))
    yield from _messages(row.get("messages"), _tool_names(row))


def _system(system: Any) -> Iterator[str]:
    if not isinstance(system, list):
        yield "system must be a list of text blocks"
        return
    for block in cast("list[Any]", system):
        if not _is_text(block):
            yield "system must be a list of text blocks"
        else:
            yield from _reserved(block["text"])


def _messages(messages: Any, tools: set[str] | None) -> Iterator[str]:
    if not isinstance(messages, list) or not messages:
        yield "messages must be a list with at least one message"
        return
    said = cast("list[Any]", messages)
    roles = [as_object(message).get("role") for message in said]
    if roles != [("user", "assistant")[i % 2] for i in range(len(roles))]:
        yield "messages must alternate between the roles user and assistant, and start with user"
    if roles[-1] != "assistant":
        yield "the last message must have the role assistant"
    asked: set[str] = set()
    for message in said:
        content = message.get("content")
        if not isinstance(content, list) or not content:
            yield "content must be a list with at least one block"
            return
        blocks = cast("list[Any]", content)
        for block in blocks:
            yield from _block(block, message["role"], tools)
        if message["role"] == "user" and asked != _ids(blocks, "toolResult"):
            yield "toolResult blocks must match the toolUse blocks of the turn before"
        asked = _ids(blocks, "toolUse")


def _block(block: Any, role: str, tools: set[str] | None) -> Iterator[str]:
    kind = next(iter(as_object(block)), "") if len(as_object(block)) == 1 else ""
    if kind == "text":
        yield from _reserved(block["text"]) if _is_text(block) else ["text must be a string that is not blank"]
    elif (kind, role) not in {("toolUse", "assistant"), ("toolResult", "user")} or tools is None:
        yield f"content of role {role} must be text blocks"
    elif not isinstance(block[kind], dict) or not isinstance(block[kind].get("toolUseId"), str):
        yield f"{kind} needs a toolUseId"
    elif kind == "toolResult" and not isinstance(block[kind].get("content"), list):
        yield "toolResult needs a list as content"
    elif kind == "toolUse" and (block[kind].get("name") not in tools or not isinstance(block[kind].get("input"), dict)):
        yield "toolUse needs the name of a tool in toolConfig, and an object as input"


def _reserved(text: str) -> Iterator[str]:
    if found := _RESERVED.search(text):
        yield f"the reserved word {found.group()} is not permitted"


def _is_text(block: Any) -> bool:
    text = as_object(block).get("text")
    return isinstance(text, str) and bool(text.strip()) and len(as_object(block)) == 1


def _ids(blocks: Sequence[Any], kind: str) -> set[str]:
    used = [as_object(as_object(block).get(kind)) for block in blocks]
    return {str(one["toolUseId"]) for one in used if "toolUseId" in one}


def _tool_names(row: Mapping[str, Any]) -> set[str] | None:
    """The names a toolConfig offers; None where there is no usable toolConfig, and so no tool may be used."""
    try:
        specs = [tool["toolSpec"] for tool in row["toolConfig"]["tools"]]
        sound = all(isinstance(spec["name"], str) and isinstance(spec["inputSchema"]["json"], dict) for spec in specs)
    except (KeyError, TypeError):
        return None
    return {spec["name"] for spec in specs} if specs and sound else None
