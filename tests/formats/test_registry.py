"""Formats are found by name and by looking at a row."""

from __future__ import annotations

from typing import Any

import pytest

from cloudistill.core.errors import UsageError
from cloudistill.formats import registry

SYSTEM_TOOLS = [{"text": "## Tools you can call (JSON)\n[]\n"}]
BLOCK = [{"text": "hi"}]


def test_a_name_gives_its_format_and_bedrock_spells_tools_as_text_by_default() -> None:
    assert [registry.get(name).name for name in registry.NAMES] == list(registry.NAMES)
    assert registry.get("bedrock-conversation").rendering == "text"
    assert registry.get("bedrock-conversation", "tool-config").rendering == "tool-config"


@pytest.mark.parametrize(
    ("name", "rendering", "says"),
    [
        ("csv", None, "openai-chat"),
        ("bedrock-conversation", "xml", "text and tool-config"),
        ("openai-chat", "text", "no renderings"),
    ],
)
def test_an_unknown_name_or_rendering_is_a_usage_error_that_lists_the_known(
    name: str, rendering: str | None, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        registry.get(name, rendering)


ROWS: list[tuple[dict[str, Any], str, str | None]] = [
    ({"messages": [{"role": "user", "content": "hi"}]}, "openai-chat", None),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, "openai-chat", None),
    ({"messages": []}, "openai-chat", None),
    ({"messages": "hi"}, "openai-chat", None),
    ({"messages": [{"role": "user", "content": BLOCK}]}, "bedrock-conversation", "text"),
    ({"schemaVersion": "x", "messages": []}, "bedrock-conversation", "text"),
    ({"system": SYSTEM_TOOLS, "messages": []}, "bedrock-conversation", "text"),
    ({"toolConfig": {"tools": []}, "messages": []}, "bedrock-conversation", "tool-config"),
    ({"messages": [{"role": "assistant", "content": [{"toolUse": {}}]}]}, "bedrock-conversation", "tool-config"),
    ({"contents": []}, "gemini-contents", None),
]


@pytest.mark.parametrize(("row", "name", "rendering"), ROWS)
def test_a_row_shows_its_format(row: dict[str, Any], name: str, rendering: str | None) -> None:
    found = registry.detect(row)
    assert (found.name, found.rendering) == (name, rendering)
