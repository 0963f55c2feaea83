import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cloudistill.demo.corpus import TOOLS, Part, Row, deal, draw, generate, phrases, unanswered, wordings, write

PARTS: tuple[Part, ...] = ("train", "held-out")
SCHEMAS: dict[str, Any] = {tool["function"]["name"]: tool["function"]["parameters"] for tool in TOOLS}
RESERVED = ("system:", "user:", "bot:", "assistant:", "thought:", "[eos]", "<image>", "<video>", "<unk>")


@pytest.fixture(scope="module", params=PARTS)
def rows(request: pytest.FixtureRequest) -> list[Row]:
    return list(generate(600, 7, request.param))


def calls(row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    for message in row["messages"]:
        for call in message.get("tool_calls", ()):
            yield call["function"]["name"], json.loads(call["function"]["arguments"])


def said(row: Row, role: str = "user") -> list[str]:
    return [m["content"] for m in row["messages"] if m["role"] == role and m.get("content")]


def skeletons(part: Part, seed: int) -> set[str]:
    return {skeleton for drawn in draw(1500, seed, part) for skeleton in drawn.skeletons}


def test_no_skeleton_of_the_held_out_part_is_trained_on_whatever_the_seeds() -> None:
    assert not skeletons("train", 1) & skeletons("held-out", 2)
    assert not skeletons("train", 3) & skeletons("held-out", 3)


def test_the_wordings_of_a_core_are_every_choice_of_its_alternatives_in_order() -> None:
    assert list(wordings("a [b|c] d [e|f].")) == ["a b d e.", "a b d f.", "a c d e.", "a c d f."]
    assert list(wordings("{order}?")) == ["{order}?"]


def test_every_wording_is_written_once() -> None:
    for group in (*phrases()["cores"].values(), *phrases()["vague"].values()):
        assert len(set(group)) == len(group)


def test_the_parts_share_no_core_and_leave_none_out() -> None:
    for group in (*phrases()["cores"].values(), *(v for k, v in phrases()["vague"].items() if k != "given")):
        train, held_out = (set(deal(group, part, one_in=4)) for part in PARTS)
        assert train
        assert held_out
        assert not train & held_out
        assert train | held_out == set(group)


def test_no_order_street_city_or_postcode_of_the_held_out_part_is_trained_on() -> None:
    def values(part: Part) -> dict[str, set[str]]:
        seen: dict[str, set[str]] = {"order_id": set(), "street": set(), "city": set(), "postcode": set()}
        for row in generate(600, 7, part):
            for _, arguments in calls(row):
                for name in seen & arguments.keys():
                    seen[name].add(arguments[name])
        return seen

    train, held_out = values("train"), values("held-out")
    assert all(train.values())
    assert all(held_out.values())
    assert not any(train[name] & held_out[name] for name in train)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("tool", SCHEMAS)
def test_each_tool_is_asked_for_in_many_skeletons_and_none_dominates(part: Part, tool: str) -> None:
    asked: Counter[str] = Counter()
    for drawn in draw(1200, 5, part):
        if len(drawn.skeletons) == 1 and {name for name, _ in calls(drawn.row)} == {tool}:
            asked.update(drawn.skeletons)
    assert len(asked) >= 60
    assert asked.most_common(1)[0][1] < 0.05 * asked.total()


def test_the_same_seed_gives_the_same_rows_in_another_process_with_another_hash_seed() -> None:
    code = (
        "import sys; from cloudistill.core.jsonl import dump; from cloudistill.demo.corpus import generate\n"
        "sys.stdout.buffer.write(b'\\n'.join(dump(row) for row in generate(40, 3, 'train')))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert [json.loads(line) for line in outputs.pop().splitlines()] == list(generate(40, 3, "train"))


def test_another_seed_gives_other_rows() -> None:
    assert list(generate(40, 3, "train")) != list(generate(40, 4, "train"))


def test_every_called_tool_is_offered_and_its_arguments_fit_its_schema(rows: list[Row]) -> None:
    for row in rows:
        assert row["tools"] == TOOLS
        for name, arguments in calls(row):
            Draft202012Validator(SCHEMAS[name] | {"additionalProperties": False}).validate(arguments)  # pyright: ignore[reportUnknownMemberType]


def test_every_free_argument_was_said_by_the_user_word_for_word(rows: list[Row]) -> None:
    for row in rows:
        text = "\n".join(said(row))
        for name, arguments in calls(row):
            for argument, value in arguments.items():
                assert "enum" in SCHEMAS[name]["properties"][argument] or value in text


def test_every_value_of_every_enum_and_its_absence_where_optional_occurs(rows: list[Row]) -> None:
    for name, schema in SCHEMAS.items():
        for argument, rule in schema["properties"].items():
            given = {arguments.get(argument) for row in rows for called, arguments in calls(row) if called == name}
            assert given >= set(rule.get("enum", ()))
            assert (None in given) == (argument not in schema["required"])


def test_the_user_never_states_the_name_of_a_tool(rows: list[Row]) -> None:
    names = {form for name in SCHEMAS for form in (name, name.replace("_", " "))}
    for row in rows:
        assert not any(name in text.lower() for text in said(row) for name in names)


def test_no_row_holds_a_word_that_a_vendor_reserves(rows: list[Row]) -> None:
    for row in rows:
        assert not any(word in json.dumps(row).lower() for word in RESERVED)


def test_the_rows_hold_every_kind_of_lesson(rows: list[Row]) -> None:
    last = [row["messages"][-1] for row in rows]
    assert 0.6 < sum("tool_calls" in m for m in last) / len(rows) < 0.95
    assert any(len(m.get("tool_calls", ())) == 2 for m in last)
    assert any(len(said(row)) == 2 for row in rows)
    assert any(row["messages"][-2]["role"] == "tool" for row in rows)
    assert any(not list(calls(row)) and len(row["messages"]) == 3 for row in rows)


def test_every_tool_result_answers_a_call_made_before_it_and_every_row_ends_answered(rows: list[Row]) -> None:
    for row in rows:
        made: set[str] = set()
        for message in row["messages"]:
            made |= {call["id"] for call in message.get("tool_calls", ())}
            assert message["role"] != "tool" or message["tool_call_id"] in made
        assert row["messages"][-1]["role"] == "assistant"


def test_about_one_sentence_in_seven_is_mistyped() -> None:
    single = [drawn for drawn in draw(600, 1, "train") if len(drawn.row["messages"]) == 3 and len(drawn.skeletons) == 1]
    mistyped = [drawn for drawn in single if not re.fullmatch(pattern(drawn.skeletons[0]), said(drawn.row)[0])]
    assert 0.08 < len(mistyped) / len(single) < 0.22


def pattern(skeleton: str) -> str:
    words = re.split(r"\{\w+\}", skeleton[0].upper() + skeleton[1:])
    return "[^?!]+".join(re.escape(word) for word in words)


def test_no_slot_is_left_unfilled(rows: list[Row]) -> None:
    assert not any(
        "{" in text or "}" in text for row in rows for role in ("user", "assistant") for text in said(row, role)
    )


def test_no_question_is_asked_twice(rows: list[Row]) -> None:
    asked = Counter(json.dumps(unanswered(row)) for row in rows if list(calls(row)) and len(row["messages"]) == 3)
    assert asked.most_common(1)[0][1] == 1


def test_a_written_file_holds_the_rows_one_a_line(tmp_path: Path) -> None:
    write(tmp_path / "lessons.jsonl", 20, 3, "held-out")
    lines = (tmp_path / "lessons.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == list(generate(20, 3, "held-out"))


def test_an_unanswered_file_holds_the_same_questions_without_their_last_answers(tmp_path: Path) -> None:
    write(tmp_path / "questions.jsonl", 20, 3, "train", answered=False)
    asked = [json.loads(line) for line in (tmp_path / "questions.jsonl").read_bytes().splitlines()]
    assert asked == [unanswered(row) for row in generate(20, 3, "train")]
    assert all(row["messages"][-1]["role"] in {"user", "tool"} for row in asked)
