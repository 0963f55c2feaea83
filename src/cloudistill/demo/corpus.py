"""The demo's lessons: a support desk with three tools, drawn from a seeded grammar, held out by skeleton.

A skeleton is a sentence before its slots are filled: opening, core, ending. The cores and the values of the free slots
are dealt once between the two parts, so that no held-out core or value was trained on. A held-out core may differ from
a trained one in a few words only, as people's wordings do; greetings, closing words and the phrases that stand for an
enum's value are the same in both parts. So a figure on this corpus says nothing about wordings that are wholly new.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from cloudistill.core.jsonl import dump

Part = Literal["train", "held-out"]
Row = dict[str, Any]

SYSTEM = "You are the support desk of an outdoor shop. Use a tool when one fits the request; otherwise answer in words."
_SPLIT_SEED = 20261124
_TYPO_SHARE = 0.15
_ORDER = {"type": "string", "description": "The order number as on the receipt: a letter and five digits."}


def _tool(name: str, description: str, optional: Sequence[str] = (), **properties: Row) -> Row:
    parameters = {
        "type": "object",
        "properties": {"order_id": _ORDER, **properties},
        "required": ["order_id", *(p for p in properties if p not in optional)],
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _enum(description: str, *values: str) -> Row:
    return {"type": "string", "description": description, "enum": list(values)}


def _text(description: str) -> Row:
    return {"type": "string", "description": description}


TOOLS: list[Row] = [
    _tool(
        "get_order_status",
        "Find out where an order is, or fetch one of its documents.",
        optional=["detail"],
        detail=_enum("The document asked for, if one is.", "tracking", "invoice", "contents"),
    ),
    _tool(
        "create_return",
        "Open a return for an order and send the label.",
        optional=["refund_to"],
        reason=_enum("Why it goes back.", "damaged", "wrong_item", "wrong_size", "late", "unwanted"),
        refund_to=_enum("How the customer wants to be paid back, if it was said.", "card", "voucher"),
    ),
    _tool(
        "change_delivery_address",
        "Send an order to another address.",
        optional=["leave_with"],
        street=_text("House number and street."),
        city=_text("Town or city."),
        postcode=_text("Postcode."),
        leave_with=_enum("Where to leave the parcel, if it was said.", "neighbour", "porch", "reception"),
    ),
]
_ARGUMENT = {"order": "order_id", "refund": "refund_to", "leave": "leave_with"}
_PROPERTIES: dict[str, set[str]] = {
    tool["function"]["name"]: set(tool["function"]["parameters"]["properties"]) for tool in TOOLS
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A row and the skeletons of the user's turns it was drawn from."""

    skeletons: tuple[str, ...]
    row: Row


@dataclass(frozen=True, slots=True)
class _Said:
    """One user turn: the skeleton, the words, and what fills the slots as (shown, value)."""

    skeleton: str
    text: str
    slots: dict[str, tuple[str, str]]


def generate(rows: int, seed: int, part: Part) -> Iterator[Row]:
    """`rows` answered lessons as OpenAI chat lines: the same for the same arguments, on every machine."""
    return (drawn.row for drawn in draw(rows, seed, part))


def write(path: Path, rows: int, seed: int, part: Part, *, answered: bool = True) -> None:
    """Write the lessons of `generate` to `path`, one a line; without their answers if a teacher is to give them."""
    with path.open("wb") as file:
        for row in generate(rows, seed, part):
            file.write(dump(row if answered else unanswered(row)) + b"\n")


def unanswered(row: Row) -> Row:
    """The lesson without its last assistant message, as a teacher is asked it."""
    return row | {"messages": row["messages"][:-1]}


def draw(rows: int, seed: int, part: Part) -> Iterator[Drawn]:
    """`rows` lessons with the skeletons they came from."""
    desk = _Desk(random.Random(f"{part}/{seed}"), part)  # noqa: S311 (text, not secrets)
    return (desk.lesson() for _ in range(rows))


@cache
def phrases() -> dict[str, Any]:
    """The grammar's words as `phrases.toml` lists them, each wording of a core written out."""
    words = tomllib.loads(files("cloudistill.demo").joinpath("phrases.toml").read_text("utf-8"))
    for group in ("cores", "vague"):
        words[group] = {
            name: [core for text in texts for core in wordings(text)] for name, texts in words[group].items()
        }
    return words


def wordings(text: str) -> Iterator[str]:
    """`a [b|c] d` spelled out: `a b d`, `a c d`."""
    fixed, *rest = re.split(r"\[(.*?)\]", text, maxsplit=1)
    if not rest:
        yield fixed
        return
    for choice, tail in itertools.product(rest[0].split("|"), wordings(rest[1])):
        yield fixed + choice + tail


def deal(things: Sequence[str], part: Part, *, one_in: int) -> list[str]:
    """The share of `things` that belongs to `part`; one in `one_in` is held out, whatever the caller's seed."""
    shuffled = list(things)
    random.Random(_SPLIT_SEED).shuffle(shuffled)  # noqa: S311
    held_out = len(shuffled) // one_in
    return shuffled[:held_out] if part == "held-out" else shuffled[held_out:]


class _Desk:
    """Draws lessons of one part with one source of chance."""

    def __init__(self, chance: random.Random, part: Part) -> None:
        self._chance = chance
        self._part: Part = part
        words = phrases()
        self._cores = {group: deal(cores, part, one_in=4) for group, cores in words["cores"].items()}
        self._vague = {
            group: deal(cores, part, one_in=4) for group, cores in words["vague"].items() if group != "given"
        }
        self._values = {slot: deal(values, part, one_in=2) for slot, values in words["values"].items()}
        self._texts: dict[str, str] = words["texts"]
        self._tools = list(_PROPERTIES)
        self._kinds: dict[Callable[[], Drawn], int] = {
            self._one_call: 56, self._after_small_talk: 5, self._second_request: 7, self._number_asked: 8,
            self._result_told: 8, self._two_calls: 6, self._no_tool: 10,
        }  # fmt: skip

    def lesson(self) -> Drawn:
        [kind] = self._chance.choices(list(self._kinds), list(self._kinds.values()))
        return kind()

    def _one_call(self) -> Drawn:
        tool, said = self._request()
        return _lesson([said], _user(said), _calls((tool, said.slots)))

    def _after_small_talk(self) -> Drawn:
        tool, said = self._request()
        greeting = self._chance.choice(["Hello", "Hi there!", "Anybody there?", "Good afternoon."])
        opening = [{"role": "user", "content": greeting}, _assistant(self._texts["greeting"])]
        return _lesson([said], *opening, _user(said), _calls((tool, said.slots)))

    def _second_request(self) -> Drawn:
        first = self._result_told()
        tool, said = self._request()
        call = _calls((tool, said.slots), number=2)
        return Drawn(
            (*first.skeletons, said.skeleton), first.row | {"messages": [*first.row["messages"], _user(said), call]}
        )

    def _number_asked(self) -> Drawn:
        tool = self._chance.choice(self._tools)
        wish = self._dressed(self._chance.choice(self._vague[tool]))
        given = self._say(self._chance.choice(phrases()["vague"]["given"]))
        slots = wish.slots | given.slots
        return _lesson([wish], _user(wish), _assistant(self._texts["ask"]), _user(given), _calls((tool, slots)))

    def _result_told(self) -> Drawn:
        tool, said = self._request()
        facts = {slot: shown for slot, (shown, _) in said.slots.items()}
        facts |= {
            "state": self._chance.choice(["packed", "on its way", "with the courier"]),
            "day": str(self._chance.randint(1, 24)),
        }
        told = self._texts[tool].format_map(facts)
        shown = {"ok": True} | {k: facts[k] for k in ("state", "day") if "{" + k + "}" in self._texts[tool]}
        result = {"role": "tool", "tool_call_id": "call_1", "content": json.dumps(shown)}
        return _lesson([said], _user(said), _calls((tool, said.slots)), result, _assistant(told))

    def _two_calls(self) -> Drawn:
        (tool, said), (other, more) = self._request(bare=True), self._request(bare=True)
        joint = self._chance.choice([" Also, ", " And one more thing: ", " Besides, ", " Next, "])
        both = _Said(said.skeleton, said.text + joint + more.text, {})
        return _lesson([said, more], _user(both), _calls((tool, said.slots), (other, more.slots)))

    def _no_tool(self) -> Drawn:
        said = self._dressed(self._chance.choice(self._cores["none"]))
        return _lesson([said], _user(said), _assistant(self._texts["none"]))

    def _request(self, *, bare: bool = False) -> tuple[str, _Said]:
        tool = self._chance.choice(self._tools)
        core = self._chance.choice(self._cores[tool])
        return tool, self._say(core) if bare else self._dressed(core)

    def _dressed(self, core: str) -> _Said:
        return self._say(self._chance.choice(phrases()["openings"]) + core + self._chance.choice(phrases()["endings"]))

    def _say(self, skeleton: str) -> _Said:
        slots = {slot: self._fill(slot) for slot in _SLOT.findall(skeleton)}
        template = self._mistyped(skeleton) if self._chance.random() < _TYPO_SHARE else skeleton
        text = template.format_map({slot: shown for slot, (shown, _) in slots.items()})
        return _Said(skeleton, text, slots)

    def _fill(self, slot: str) -> tuple[str, str]:
        """What the user writes in a slot, and the argument's value."""
        if slot in self._values:
            shown = self._chance.choice(self._values[slot])
            shown = f"{self._number(2, 90)} {shown}" if slot == "street" else shown
        elif slot == "order":
            shown = f"{self._chance.choice('ABCDEFGH')}{self._number(10_000, 90_000)}"
        elif slot == "postcode":
            shown = f"{self._letters()}{self._number(2, 20)} {self._chance.randint(1, 9)}{self._letters()}"
        else:
            value = self._chance.choice(list(phrases()[slot]))
            return self._chance.choice(phrases()[slot][value]), value
        return shown, shown

    def _number(self, low: int, high: int) -> int:
        """A number that only this part uses: even ones are trained on, odd ones held out."""
        return self._chance.randrange(low, high) // 2 * 2 + (self._part == "held-out")

    def _letters(self) -> str:
        return "".join(self._chance.choices("ABCDEFGHKLMNPRSTW", k=2))

    def _mistyped(self, skeleton: str) -> str:
        """One slip of the fingers in a longer word outside the slots."""
        words = [word.span() for word in _WORD.finditer(skeleton)]
        if not words:
            return skeleton
        start, end = self._chance.choice(words)
        at = self._chance.randrange(start + 1, end - 1)
        one, two = skeleton[at : at + 2]
        return skeleton[:at] + self._chance.choice([two, one + one + two, two + one]) + skeleton[at + 2 :]


_SLOT = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"(?<![{\w])[A-Za-z]{4,}(?![}\w])")


def _lesson(said: Sequence[_Said], *messages: Row) -> Drawn:
    row = {"messages": [{"role": "system", "content": SYSTEM}, *messages], "tools": TOOLS, "parallel_tool_calls": True}
    return Drawn(tuple(turn.skeleton for turn in said), row)


def _user(said: _Said) -> Row:
    return {"role": "user", "content": said.text[0].upper() + said.text[1:]}


def _assistant(text: str) -> Row:
    return {"role": "assistant", "content": text}


def _calls(*calls: tuple[str, dict[str, tuple[str, str]]], number: int = 1) -> Row:
    return {"role": "assistant", "tool_calls": [_call(n, *call) for n, call in enumerate(calls, number)]}


def _call(number: int, tool: str, slots: dict[str, tuple[str, str]]) -> Row:
    named = {_ARGUMENT.get(slot, slot): value for slot, (_, value) in slots.items()}
    arguments = json.dumps({name: value for name, value in named.items() if name in _PROPERTIES[tool]})
    return {"id": f"call_{number}", "type": "function", "function": {"name": tool, "arguments": arguments}}
