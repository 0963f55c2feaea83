"""Every broken rule of a file of lessons, with its line; nothing is sent, and nothing is lost count of."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cloudistill.core.errors import UsageError
from cloudistill.core.refs import ModelRef
from cloudistill.formats.dataset import Dataset
from cloudistill.pipeline.checking import MAX_FINDINGS, Check, check
from cloudistill.platforms.platform import Platform, load

TODAY = date(2026, 11, 24)
MINI = ModelRef.parse("openai:gpt-4.1-mini-2025-04-14")
NOVA = ModelRef.parse("bedrock:amazon.nova-micro-v1:0:128k")
FLASH = ModelRef.parse("vertex:gemini-3.5-flash")
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "bfcl-train.openai.jsonl"
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "find_order", "parameters": {"type": "object", "properties": {"number": {"type": "string"}}}},
}


def row(question: str, answer: str | None = "Certainly.", **members: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    return {"messages": [*messages, *([{"role": "assistant", "content": answer}] if answer else [])], **members}


def rows(count: int) -> list[dict[str, Any]]:
    return [row(f"Where is order {number}?") for number in range(count)]


def written(folder: Path, lines: list[dict[str, Any] | str]) -> Path:
    path = folder / "lessons.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


def checked(folder: Path, lines: list[Any], student: ModelRef = MINI, **options: Any) -> Check:
    settings: dict[str, Any] = {"today": TODAY, **options}
    return check(written(folder, lines), student, **settings)


def broken(result: Check, level: str = "error") -> list[tuple[int, str]]:
    return [(finding.line, finding.rule) for finding in result.findings if finding.level == level]


def changed(student: ModelRef, limits: dict[str, Any] | None = None, **facts: Any) -> Platform:
    """The student's platform with other figures, so that limits are reached with small files."""
    platform = load(student.platform)
    models = tuple(m.model_copy(update=facts) if m.id == student.id else m for m in platform.models)
    return platform.model_copy(update={"models": models, "limits": platform.limits.model_copy(update=limits or {})})


@pytest.mark.parametrize("student", [MINI, NOVA, FLASH], ids=str)
def test_good_lessons_pass_for_every_platform(tmp_path: Path, student: ModelRef) -> None:
    result = checked(tmp_path, rows(120), student)
    assert result.errors == ()
    assert (result.rows_in, result.rows_ok, result.refused_lines, result.unanswered) == (120, 120, (), 0)
    assert result.tokens.least <= result.tokens.total <= result.tokens.most
    assert 0 < result.tokens.longest < result.tokens.total
    assert result.bytes > 0


def test_a_path_and_a_dataset_are_checked_alike(tmp_path: Path) -> None:
    path = written(tmp_path, [*rows(12)])
    assert check(path, MINI, today=TODAY) == check(Dataset(path), MINI, today=TODAY)


def test_every_broken_row_is_named_with_its_line_and_rows_in_are_rows_ok_and_refused(tmp_path: Path) -> None:
    lines = [*rows(12), "{not json", row("no answer", None), row("empty", " "), row("fine"), {"prompt": "other"}]
    result = checked(tmp_path, lines)
    assert {line for line, _ in broken(result)} == {13, 14, 15, 17}
    assert result.refused_lines == (13, 14, 15, 17)
    assert (result.rows_in, result.rows_ok) == (17, 13)
    for finding in result.errors:
        assert finding.file.endswith("lessons.jsonl")
        assert finding.message
        assert finding.remedy


def test_a_row_with_several_faults_names_them_all_and_is_refused_once(tmp_path: Path) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "other", "arguments": '{"a": "<|end|>"}'}}
    bad = {"messages": [{"role": "user", "content": " "}, {"role": "assistant", "tool_calls": [call]}], "tools": [TOOL]}
    result = checked(tmp_path, [*rows(12), bad])
    assert {(13, "unknown-tool"), (13, "empty-message"), (13, "special-token")} <= set(broken(result))
    assert result.refused_lines == (13,)


def test_what_the_students_format_cannot_carry_is_a_finding_of_that_line(tmp_path: Path) -> None:
    twice = [{"role": "assistant", "content": "One."}, {"role": "assistant", "content": "Two."}]
    odd = {"messages": [{"role": "user", "content": "hello"}, *twice]}
    assert broken(checked(tmp_path, [*rows(12), odd], NOVA)) == [(13, "adjacent-assistant")]
    assert broken(checked(tmp_path, [*rows(12), odd], MINI)) == []


def test_rows_without_an_answer_pass_when_a_teacher_will_answer(tmp_path: Path) -> None:
    lines = [*rows(12), row("and this?", None)]
    for student in (MINI, NOVA, FLASH):
        assert checked(tmp_path, lines, student).refused_lines == (13,)
        waiting = checked(tmp_path, lines, student, allow_unanswered=True)
        assert (waiting.refused_lines, waiting.unanswered) == ((), 1)


def test_an_ended_teacher_refuses_the_file_only_if_rows_wait_for_it(tmp_path: Path) -> None:
    teacher = ModelRef.parse("vertex:gemini-2.5-pro")
    options: dict[str, Any] = {"teacher": teacher, "allow_unanswered": True}
    assert broken(checked(tmp_path, [*rows(12)], **options)) == []
    assert broken(checked(tmp_path, [*rows(12), row("?", None)], **options)) == [(0, "teacher-ended")]


@pytest.mark.parametrize("student", [MINI, NOVA, FLASH], ids=str)
def test_in_2028_a_good_file_is_refused_with_a_date_and_no_failure(tmp_path: Path, student: ModelRef) -> None:
    result = checked(tmp_path, rows(120), student, today=date(2028, 1, 1))
    (refusal,) = result.errors
    assert refusal.line == 0
    assert " 202" in refusal.message
    assert result.rows_ok == 120


def test_an_unknown_student_is_refused_and_the_rows_are_still_checked(tmp_path: Path) -> None:
    result = checked(tmp_path, [*rows(3), "[]"], ModelRef.parse("openai:gpt-4.1-mni"))
    assert broken(result) == [(0, "unknown-model"), (4, "not-an-object")]


def test_an_unknown_platform_or_rendering_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="azure"):
        checked(tmp_path, [*rows(3)], ModelRef.parse("azure:x"))
    with pytest.raises(UsageError, match="rendering"):
        checked(tmp_path, [*rows(3)], NOVA, rendering="braille")


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.jsonl"):
        check(tmp_path / "nowhere.jsonl", MINI, today=TODAY)


@pytest.mark.parametrize(
    ("student", "count", "rule"),
    [(MINI, 9, "too-few-rows"), (MINI, 10, None), (NOVA, 7, "too-few-rows"), (NOVA, 8, None), (FLASH, 1, None)],
)
def test_fewer_rows_than_the_vendor_needs_are_refused(
    tmp_path: Path, student: ModelRef, count: int, rule: str | None
) -> None:
    assert broken(checked(tmp_path, rows(count), student)) == ([(0, rule)] if rule else [])


def test_refused_rows_do_not_count_towards_the_vendors_minimum(tmp_path: Path) -> None:
    assert (0, "too-few-rows") in broken(checked(tmp_path, [*rows(9), "nonsense"]))


def test_fewer_rows_than_advised_are_a_warning(tmp_path: Path) -> None:
    assert (0, "few-rows") in broken(checked(tmp_path, rows(49)), "warning")
    assert (0, "few-rows") not in broken(checked(tmp_path, rows(50)), "warning")


def test_more_rows_than_the_vendor_takes_are_refused(tmp_path: Path) -> None:
    facts = changed(NOVA, max_rows=20)
    assert broken(checked(tmp_path, rows(20), NOVA, platform=facts)) == []
    assert broken(checked(tmp_path, rows(21), NOVA, platform=facts)) == [(0, "too-many-rows")]


def test_a_file_with_no_usable_row_says_so(tmp_path: Path) -> None:
    assert (0, "no-rows") in broken(checked(tmp_path, ["nonsense"]))


def test_a_counted_row_above_the_limit_is_refused_with_what_would_become_of_it(tmp_path: Path) -> None:
    result = checked(tmp_path, [*rows(12), row("word " * 70_000)])
    (refusal,) = result.errors
    assert (refusal.line, refusal.rule) == (13, "row-too-long")
    assert "65,536" in refusal.message
    assert "cut at the end" in refusal.message
    assert "o200k_base" in refusal.message


def test_a_counted_row_just_below_the_limit_passes(tmp_path: Path) -> None:
    assert broken(checked(tmp_path, [*rows(12), row("word " * 65_000)])) == []


@pytest.mark.parametrize(
    ("length", "level", "rule"),
    [
        (2_900, "error", None),
        (2_900, "warning", None),
        (3_600, "warning", "row-may-be-too-long"),
        (5_900, "warning", "row-may-be-too-long"),
        (6_100, "error", "row-too-long"),
    ],
)
def test_an_estimated_row_is_refused_only_when_it_is_surely_above_the_limit(
    tmp_path: Path, length: int, level: str, rule: str | None
) -> None:
    facts = changed(FLASH, max_tokens_per_example=1_000)
    result = checked(tmp_path, [*rows(12), row("x" * length)], FLASH, platform=facts)
    found = [(line, name) for line, name in broken(result, level) if "long" in name]
    assert found == ([(13, rule)] if rule else [])
    if rule:
        assert "estimate" in next(f.message for f in result.findings if f.rule == rule)


@pytest.mark.parametrize("text", ["Then\nUser: why?", "BOT: hello", "the [eos] mark", "<image> here"])
def test_reserved_text_refuses_a_row_for_nova_alone(tmp_path: Path, text: str) -> None:
    lines = [*rows(12), row(text)]
    assert broken(checked(tmp_path, lines, NOVA)) == [(13, "nova-reserved")]
    assert broken(checked(tmp_path, lines, MINI)) == []
    assert broken(checked(tmp_path, lines, FLASH)) == []


def test_reserved_text_is_found_in_the_answer_and_in_the_tools_too(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "ask", "description": "Use it as Assistant: would."}}
    result = checked(tmp_path, [*rows(12), row("hi", "Thought: hm"), row("ho", tools=[tool])], NOVA)
    assert broken(result) == [(13, "nova-reserved"), (14, "nova-reserved")]


def test_special_token_text_refuses_a_row_for_openai_alone(tmp_path: Path) -> None:
    lines = [*rows(12), row("complete <|fim_suffix|> this")]
    assert broken(checked(tmp_path, lines, MINI)) == [(13, "special-token")]
    assert broken(checked(tmp_path, lines, NOVA)) == []


def test_more_tools_than_openai_takes_refuse_a_row(tmp_path: Path) -> None:
    def offering(count: int) -> dict[str, Any]:
        tools = [{"type": "function", "function": {"name": f"tool_{number}"}} for number in range(count)]
        return row("hello", tools=tools)

    assert broken(checked(tmp_path, [*rows(12), offering(128), offering(129)])) == [(14, "too-many-tools")]


def test_tools_are_refused_on_a_base_that_rejects_them_unless_they_are_rendered_as_text(tmp_path: Path) -> None:
    lines = [*rows(12), row("hello", tools=[TOOL])]
    facts = changed(NOVA, tools=False)
    assert broken(checked(tmp_path, lines, NOVA, platform=facts, rendering="tool-config")) == [(13, "tools-not-taken")]
    assert broken(checked(tmp_path, lines, NOVA, platform=facts, rendering="text")) == []
    assert broken(checked(tmp_path, lines, NOVA, platform=facts)) == []


def test_tools_on_a_base_of_which_it_is_not_known_are_one_warning(tmp_path: Path) -> None:
    lines = [*rows(12), row("hello", tools=[TOOL]), row("again", tools=[TOOL])]
    assert broken(checked(tmp_path, lines, FLASH), "warning").count((0, "tools-uncertain")) == 1
    assert (0, "tools-uncertain") not in broken(checked(tmp_path, rows(12), FLASH), "warning")
    assert (0, "tools-uncertain") not in broken(checked(tmp_path, lines, MINI), "warning")


def test_a_repeated_lesson_is_a_warning_that_names_the_first(tmp_path: Path) -> None:
    result = checked(tmp_path, [*rows(12), row("Where is order 3?"), row("Where is order 3?", "Elsewhere.")])
    (twice,) = [finding for finding in result.findings if finding.rule == "duplicate-row"]
    assert (twice.line, twice.level) == (13, "warning")
    assert "line 4" in twice.message
    assert result.rows_ok == 14


def test_a_training_file_above_the_vendors_limit_is_refused(tmp_path: Path) -> None:
    size = checked(tmp_path, rows(12)).bytes
    for limit, expected in ((size, []), (size - 1, [(0, "file-too-large")])):
        facts = changed(MINI, {"file_bytes": limit})
        assert broken(checked(tmp_path, rows(12), platform=facts)) == expected


def test_findings_of_the_whole_file_come_first_and_the_rest_by_line(tmp_path: Path) -> None:
    result = checked(tmp_path, ["nonsense", *rows(3), "nonsense"])
    lines = [finding.line for finding in result.findings]
    assert lines == sorted(lines)


def test_an_hourly_student_is_refused_with_the_data_unless_it_is_accepted(tmp_path: Path) -> None:
    llama = ModelRef.parse("bedrock:meta.llama3-1-8b-instruct-v1:0:128k")
    assert broken(checked(tmp_path, rows(12), llama)) == [(0, "hourly-serving")]
    assert broken(checked(tmp_path, rows(12), llama, allow_hourly=True)) == []


def test_the_check_as_json_says_what_the_object_says(tmp_path: Path) -> None:
    result = checked(tmp_path, [*rows(12), "nonsense"])
    document = json.loads(json.dumps(result.to_json()))
    assert document["rows_in"] == document["rows_ok"] + document["rows_refused"] == 13
    assert document["student"] == str(MINI)
    assert {"file", "line", "rule", "message", "remedy"} <= document["findings"][-1].keys()
    assert document["tokens"]["total"] == result.tokens.total
    assert f"{result.tokens.total:,}" in str(result.tokens)


@pytest.mark.skipif(not REAL.exists(), reason=f"the real lessons are not beside the checkout: {REAL}")
@pytest.mark.parametrize(
    ("student", "refused"),
    [(MINI, Counter[str]()), (NOVA, Counter[str]()), (FLASH, Counter({"schema-enum": 12, "parameter-name": 1}))],
    ids=str,
)
def test_real_lessons_are_checked_in_full(student: ModelRef, refused: Counter[str]) -> None:
    result = check(REAL, student, today=TODAY)
    assert result.rows_in == 1411
    assert Counter(finding.rule for finding in result.errors) == refused
    assert len(result.refused_lines) == refused.total()


def test_findings_beyond_what_anybody_reads_are_counted_not_kept(tmp_path: Path) -> None:
    result = checked(tmp_path, ["{}"] * (MAX_FINDINGS + 5))
    assert result.rows_in == len(result.refused_lines) == MAX_FINDINGS + 5
    assert (0, "more-findings") in broken(result, "warning")
    assert len(result.findings) < MAX_FINDINGS + 20
