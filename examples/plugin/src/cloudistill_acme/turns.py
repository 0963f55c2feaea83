"""How Acme spells a lesson: `{"turns": [{"who": "user", "says": "…"}, …]}`, text and nothing else."""

from __future__ import annotations

from typing import Any, cast

from cloudistill import Example, Message
from cloudistill.formats.format import CannotCarry

WHO = {"system": "rules", "user": "user", "assistant": "model"}
MEMBERS = {"who", "says"}
ROLES: dict[str, Any] = {who: role for role, who in WHO.items()}


class AcmeTurns:
    """Rows for Acme; tools and calls are refused, ids and metadata are not written."""

    name = "acme-turns"
    rendering = None

    def recognises(self, record: dict[str, Any]) -> bool:
        """Whether a row has turns."""
        return "turns" in record

    def normalise(self, example: Example) -> Example:
        """The example without its id and metadata. Raises CannotCarry as `encode` does."""
        return self.decode(self.encode(example))

    def encode(self, example: Example) -> dict[str, Any]:
        """The row. Raises CannotCarry for tools, names, weights and turns without text."""
        if example.tools:
            raise CannotCarry("tools", "the lesson offers tools.", "Acme learns text alone: take them out.")
        return {"turns": [_spelt(message) for message in example.messages]}

    def decode(self, record: dict[str, Any]) -> Example:
        """The example of a row. Raises CannotCarry for anything that is not a list of turns."""
        turns = record.get("turns")
        if record.keys() != {"turns"} or not isinstance(turns, list):
            raise CannotCarry("not-turns", f"the row has {sorted(record)}.", "Write a list `turns` and nothing else.")
        return Example(messages=tuple(_read(turn) for turn in cast("list[Any]", turns)))


def _spelt(message: Message) -> dict[str, str]:
    learnt = message.weight != 0 and message.name is None and not message.tool_calls
    if message.role not in WHO or message.content is None or not learnt:
        raise CannotCarry("not-text", f"a {message.role} turn holds more than text.", "Leave the row out.")
    return {"who": WHO[message.role], "says": message.content}


def _read(turn: Any) -> Message:
    match turn:
        case {"who": str() as who, "says": str() as says} if who in ROLES and turn.keys() == MEMBERS:
            return Message(role=ROLES[who], content=says)
        case _:
            raise CannotCarry("not-a-turn", f"{turn!r} is no turn.", 'Write {"who": …, "says": …}.')
