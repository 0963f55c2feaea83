"""The formats by name, and the format a row is spelled in."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

from cloudistill.core.errors import UsageError
from cloudistill.formats.bedrock_conversation import RENDERINGS, BedrockConversation, shows_rendering
from cloudistill.formats.format import CannotCarry, Format
from cloudistill.formats.gemini_contents import GeminiContents
from cloudistill.formats.normalisations import BEDROCK, GEMINI, OPENAI
from cloudistill.formats.openai_chat import OpenAIChat

NAMES = (OPENAI, BEDROCK, GEMINI)
GROUP = "cloudistill.formats"
"""Entry points of this group name a format and its class, a `PluggedIn` that is made without arguments."""

_OTHER_FILES = (
    (("prompt", "completion"), "a row for completion models", "Write each as messages: the user's prompt, the answer."),
    (
        ("preferred_output",),
        "a preference (DPO) row",
        "Write the input's messages with the preferred output at the end.",
    ),
    (("custom_id", "body"), "a batch request", "Take the `body` out of it, and add the answer."),
    (("custom_id", "response"), "a batch result", "Join it with its request by `custom_id`."),
    (("recordId", "modelInput"), "a Bedrock batch record", "Take the `modelInput` out of it, and add the answer."),
    (("request", "response"), "a log record", "Take the messages out of the request, and add the answer."),
    (("conversations",), "a ShareGPT row", "Write `conversations` as `messages` with role and content."),
)


class PluggedIn(Format, Protocol):
    """A plug-in's format says itself which rows are its own; it is asked about those that none of ours claims."""

    def recognises(self, record: dict[str, Any]) -> bool:
        """Whether a row is spelled in this format, well or badly."""
        ...


@cache
def _plugged_in() -> dict[str, PluggedIn]:
    return {point.name: point.load()() for point in entry_points(group=GROUP)}


def get(name: str, rendering: str | None = None) -> Format:
    """The format of that name; `rendering` chooses how Bedrock spells tools (`text` unless given).

    Raises:
        UsageError: there is no such format, or it has no such rendering.
    """
    if name == BEDROCK:
        for known in RENDERINGS:
            if known == (rendering or "text"):
                return BedrockConversation(known)
        raise UsageError(f"{name} has no rendering {rendering!r}: it has {' and '.join(RENDERINGS)}")
    if name not in NAMES and name not in _plugged_in():
        raise UsageError(f"there is no format {name!r}: there are {', '.join((*NAMES, *_plugged_in()))}")
    if rendering is not None:
        raise UsageError(f"{name} has no renderings: leave {rendering!r} out")
    if name not in NAMES:
        return _plugged_in()[name]
    return OpenAIChat() if name == OPENAI else GeminiContents()


def detect(record: dict[str, Any]) -> Format:
    """The format, and on Bedrock the rendering, that a row is spelled in.

    Raises:
        CannotCarry: `unknown-format`, with what was looked for; `other-purpose` for rows of another kind of file.
    """
    if "contents" in record:
        return GeminiContents()
    if "messages" in record:
        return BedrockConversation(shows_rendering(record) or "text") if _is_bedrock(record) else OpenAIChat()
    for theirs in _plugged_in().values():
        if theirs.recognises(record):
            return theirs
    for keys, kind, remedy in _OTHER_FILES:
        if all(key in record for key in keys):
            raise CannotCarry("other-purpose", f"this is {kind}, not a training conversation.", remedy)
    raise CannotCarry(
        "unknown-format",
        f"the row has neither `messages` (OpenAI, Bedrock) nor `contents` (Gemini); it has {_keys(record)}.",
        f"Write it as {', '.join((*NAMES, *_plugged_in()))}.",
    )


def _keys(record: dict[str, Any]) -> str:
    return ", ".join(repr(key[:40]) for key in list(record)[:8]) or "no members"


def _is_bedrock(record: dict[str, Any]) -> bool:
    if not record.keys().isdisjoint({"schemaVersion", "system", "toolConfig"}):
        return True
    return any("type" not in block for block in _blocks(record["messages"]))


def _blocks(messages: Any) -> list[dict[str, Any]]:
    """The content blocks of the first message that has any; OpenAI's have a `type`, Bedrock's do not."""
    for message in cast("list[Any]", messages) if type(messages) is list else []:
        content = cast("dict[str, Any]", message).get("content") if type(message) is dict else None
        if type(content) is list and content:
            return [cast("dict[str, Any]", block) for block in cast("list[Any]", content) if type(block) is dict]
    return []
