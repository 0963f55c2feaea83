"""One lesson: messages, tools and the answer, in our own words rather than any vendor's."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call of a tool: `arguments` is the parsed JSON object, never a string."""

    id: str
    name: str
    arguments: dict[str, Any]


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn. A `tool` message answers the call named by `tool_call_id`.

    `weight` 0 keeps an assistant turn in the context but out of the training loss; None means 1.
    `name` tells participants of one role apart.
    """

    role: Role
    content: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    weight: Literal[0, 1] | None = None


class Tool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A function the model may call; `parameters` is a JSON Schema object, None when it takes none."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Example(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One lesson. It is answered when its last message is the assistant's.

    `parallel_tool_calls` False tells the model to call at most one tool a turn; None leaves it open.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    parallel_tool_calls: bool | None = None
    id: str | None = None
    metadata: dict[str, Any] = {}

    @property
    def answer(self) -> Message | None:
        """The assistant's last turn, or None while the teacher has not spoken."""
        last = self.messages[-1] if self.messages else None
        return last if last is not None and last.role == "assistant" else None

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Everything the model is shown before it answers."""
        return self.messages if self.answer is None else self.messages[:-1]

    def answered_by(self, answer: Message) -> Example:
        """This lesson with `answer` as its last turn."""
        return msgspec.structs.replace(self, messages=(*self.prompt, answer))
