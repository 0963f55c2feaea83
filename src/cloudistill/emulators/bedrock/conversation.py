"""What Converse refuses in a conversation beyond the service model: turns, tool ids, tool names, in AWS's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudistill.emulators.bedrock.models import FoundationModel
from cloudistill.emulators.bedrock.shapes import invalid
from cloudistill.emulators.bedrock.text import as_object

BLOCKS = {"text", "toolUse", "toolResult", "cachePoint"}
UNBUILT = ("guardrailConfig", "promptVariables", "outputConfig")
Said = Mapping[str, Any]


def check(said: Said, base: FoundationModel) -> None:
    """Refuse what `base` does not take. Raises `Refused`."""
    for member in UNBUILT:
        if member in said:
            raise invalid(f"{member} is real, but this emulator does not offer it")
    messages: Sequence[Said] = said.get("messages", ())
    _check_turns(messages, base)
    _check_blocks(messages, configured="toolConfig" in said)
    _check_results(messages)
    _check_tools(said.get("toolConfig", {}), base)


def _check_turns(messages: Sequence[Said], base: FoundationModel) -> None:
    roles = [message["role"] for message in messages]
    if not roles or roles[0] != "user":
        raise invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message."
        )
    if roles != [("user", "assistant")[i % 2] for i in range(len(roles))]:
        raise invalid(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates "
            "between user and assistant roles and try again."
        )
    if roles[-1] == "assistant" and base.provider != "Amazon":
        raise invalid(
            "A conversation must end with a user message. Try again with a conversation that ends with a user message."
        )


def _check_blocks(messages: Sequence[Said], *, configured: bool) -> None:
    for number, message in enumerate(messages):
        if not message["content"]:
            raise invalid(f"The content field in the Message object at messages.{number} is empty. Add content.")
        for place, block in enumerate(message["content"]):
            at = f"messages.{number}.content.{place}"
            if unknown := sorted(set(block) - BLOCKS):
                raise invalid(f"This model doesn't support the {unknown[0]} field at {at}. Remove it and try again.")
            if "text" in block and not block["text"].strip():
                raise invalid(
                    f"The text field in the ContentBlock object at {at} is blank. Add text to the text field, and try "
                    "again."
                )
            if not configured and ("toolUse" in block or "toolResult" in block):
                raise invalid("The toolConfig field must be defined when using toolUse and toolResult content blocks.")


def _check_results(messages: Sequence[Said]) -> None:
    asked: list[str] = []
    for number, message in enumerate(messages):
        given = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        if len(given) > len(asked):
            raise invalid(
                f"The number of toolResult blocks at messages.{number}.content exceeds the number of toolUse blocks "
                "of previous turn."
            )
        if missing := [one for one in asked if one not in given]:
            raise invalid(
                f"Expected toolResult blocks at messages.{number}.content for the following Ids: {', '.join(missing)}"
            )
        asked = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]


def _check_tools(config: Said, base: FoundationModel) -> None:
    specs = [tool["toolSpec"] for tool in config.get("tools", ()) if "toolSpec" in tool]
    names = [spec["name"] for spec in specs]
    for number, spec in enumerate(specs):
        at = f"toolConfig.tools.{number}.toolSpec"
        schema = as_object(spec["inputSchema"]["json"])
        if spec["name"] in names[:number]:
            raise invalid(f"The value at {at}.name is used by an earlier tool. Tool names must be unique.")
        if schema.get("type") != "object":
            raise invalid(f"The value at {at}.inputSchema.json.type must be one of the following: object.")
    choice = config.get("toolChoice", {})
    if base.provider == "Meta" and (kind := next(iter(choice.keys() - {"auto"}), None)):
        raise invalid(
            f"This model doesn't support the toolConfig.toolChoice.{kind} field. Remove toolConfig.toolChoice.{kind} "
            "and try again."
        )
    if "tool" in choice and choice["tool"]["name"] not in names:
        raise invalid(f"The tool {choice['tool']['name']} at toolConfig.toolChoice.tool is not in toolConfig.tools.")
