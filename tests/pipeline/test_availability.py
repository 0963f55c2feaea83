"""What stands against a model on a given day, without looking at data."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cloudistill.core.errors import ModelUnavailable, UsageError
from cloudistill.core.finding import Finding
from cloudistill.core.refs import ModelRef
from cloudistill.pipeline.availability import check_model, check_teacher, resolve_student
from cloudistill.platforms.platform import load, names

TODAY = date(2026, 11, 24)
LATER = date(2028, 1, 1)
MINI = ModelRef.parse("openai:gpt-4.1-mini-2025-04-14")
NOVA = ModelRef.parse("bedrock:amazon.nova-micro-v1:0:128k")
LLAMA = ModelRef.parse("bedrock:meta.llama3-1-8b-instruct-v1:0:128k")
FLASH = ModelRef.parse("vertex:gemini-3.5-flash")

STUDENTS = [ModelRef(name, model.id) for name in names() for model in load(name).models if "student" in model.roles]


def errors(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level == "error"]


def rules(findings: list[Finding]) -> list[str]:
    return [finding.rule for finding in findings]


def test_students_of_all_three_platforms_can_be_tuned_today() -> None:
    for student in (MINI, NOVA, FLASH):
        assert errors(check_model(student, TODAY)) == []


@pytest.mark.parametrize("student", STUDENTS, ids=str)
def test_in_2028_every_student_is_refused_with_a_date(student: ModelRef) -> None:
    found = errors(check_model(student, LATER))
    assert len(found) == 1
    assert found[0].rule in {"model-ended", "facts-too-old"}
    assert " 202" in found[0].message
    assert found[0].source


def test_an_ended_student_is_refused_with_its_date_and_the_alternatives() -> None:
    (found,) = check_model(ModelRef.parse("openai:gpt-4.1-nano-2025-04-14"), TODAY)
    assert found.rule == "model-ended"
    assert "2026-10-23" in found.message
    assert "gpt-5.6-luna" in found.remedy
    assert str(MINI) in found.remedy
    assert str(FLASH) in found.remedy or str(NOVA) in found.remedy


def test_alternatives_are_alive_on_that_day_and_do_not_bill_by_the_hour() -> None:
    (found,) = check_model(MINI, date(2027, 1, 14))
    assert str(NOVA) in found.remedy
    assert "openai:" not in found.remedy
    assert str(LLAMA) not in found.remedy
    (found,) = check_model(MINI, LATER)
    assert "upgrade cloudistill" in found.remedy


@pytest.mark.parametrize(
    ("today", "rule"),
    [
        (date(2027, 1, 5), None),
        (date(2027, 1, 6), "no-new-jobs"),
        (date(2027, 1, 13), "no-new-jobs"),
        (date(2027, 1, 14), "model-ended"),
    ],
)
def test_openai_closes_first_for_training_and_then_for_good(today: date, rule: str | None) -> None:
    assert rules(errors(check_model(MINI, today))) == ([rule] if rule else [])


def test_a_student_that_ends_within_ninety_days_is_warned_about_with_the_days_left() -> None:
    soon = [finding for finding in check_model(MINI, TODAY) if finding.rule == "model-ends-soon"]
    assert len(soon) == 1
    assert "51 days" in soon[0].message
    assert "2027-01-14" in soon[0].message
    assert "model-ends-soon" not in rules(check_model(FLASH, TODAY))


@pytest.mark.parametrize(("days", "warned"), [(91, False), (90, True), (1, True)])
def test_the_warning_begins_ninety_days_before_the_end(days: int, warned: bool) -> None:
    end = date(2027, 5, 19)
    found = check_model(FLASH, end - timedelta(days=days))
    assert ("model-ends-soon" in rules(found)) is warned
    if warned:
        assert "or later" in next(f.message for f in found if f.rule == "model-ends-soon")


def test_a_promise_that_has_run_out_is_called_that_and_no_end() -> None:
    (found,) = check_model(FLASH, date(2027, 5, 19))
    assert found.rule == "model-ended"
    assert "promised until 2027-05-19" in found.message
    assert "ended on" not in found.message


def test_facts_without_an_end_date_are_believed_for_a_year() -> None:
    checked = date(2026, 11, 24)
    assert errors(check_model(NOVA, checked + timedelta(days=365))) == []
    (found,) = check_model(NOVA, checked + timedelta(days=366))
    assert found.rule == "facts-too-old"
    assert "2026-11-24, 366 days before 2027-11-25" in found.message


def test_openai_names_who_may_still_tune() -> None:
    closing = next(finding for finding in check_model(MINI, TODAY) if finding.rule == "closed-to-newcomers")
    assert closing.level == "warning"
    assert "2026-05-07" in closing.message
    assert "2026-07-02" in closing.message
    assert "closed-to-newcomers" not in rules(check_model(NOVA, TODAY))


def test_an_unknown_model_is_refused_with_those_of_a_like_name() -> None:
    (found,) = check_model(ModelRef.parse("openai:gpt-4.1-mini"[:-1]), TODAY)
    assert found.rule == "unknown-model"
    assert str(MINI) in found.remedy


def test_an_unknown_model_like_no_other_is_refused_with_all_students() -> None:
    (found,) = check_model(ModelRef.parse("vertex:zzz"), TODAY)
    assert "Students here: vertex:gemini-3.5-flash" in found.remedy


def test_a_model_that_only_answers_is_refused_with_the_tunable_one() -> None:
    (found,) = check_model(ModelRef.parse("openai:gpt-4.1-mini"), TODAY)
    assert found.rule == "not-tunable"
    assert str(MINI) in found.remedy
    (found,) = check_model(ModelRef.parse("bedrock:amazon.nova-micro-v1:0"), TODAY)
    assert str(NOVA) in found.remedy


def test_a_student_of_the_vendors_own_distillation_alone_is_called_just_that() -> None:
    (found,) = check_model(ModelRef.parse("vertex:qwen/qwen3@qwen3-4b"), TODAY)
    assert found.rule == "not-tunable"
    assert "own distillation (--method native)" in found.message
    assert "answers but" not in found.message


def test_an_unknown_platform_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="azure"):
        check_model(ModelRef.parse("azure:gpt-4.1"), TODAY)


def test_a_student_that_bills_by_the_hour_is_refused_unless_that_is_accepted() -> None:
    assert rules(errors(check_model(LLAMA, TODAY))) == ["hourly-serving"]
    assert errors(check_model(LLAMA, TODAY, allow_hourly=True)) == []


def test_facts_that_are_uncertain_are_told() -> None:
    found = next(
        f for f in check_model(ModelRef.parse("vertex:gemini-3.5-flash-lite"), TODAY) if f.rule == "uncertain-facts"
    )
    assert "not on the tuning page" in found.message
    assert found.level == "warning"


def test_an_ended_teacher_refuses_only_when_it_is_to_answer() -> None:
    teacher = ModelRef.parse("vertex:gemini-2.5-pro")
    (found,) = check_teacher(teacher, TODAY, needed=True)
    assert (found.rule, found.level) == ("teacher-ended", "error")
    assert "2026-10-20" in found.message
    assert [f.level for f in check_teacher(teacher, TODAY, needed=False)] == ["warning"]


def test_a_teacher_that_ends_soon_is_told_and_a_lasting_one_is_not() -> None:
    (found,) = check_teacher(ModelRef.parse("openai:gpt-4.1"), TODAY, needed=True)
    assert (found.rule, found.level) == ("teacher-ends-soon", "warning")
    assert check_teacher(ModelRef.parse("openai:gpt-6-luna"), TODAY, needed=True) == []


@pytest.mark.parametrize("teacher", ["bedrock:anthropic.some-model", "nebius:any"])
def test_a_teacher_of_whom_nothing_is_known_is_a_warning(teacher: str) -> None:
    (found,) = check_teacher(ModelRef.parse(teacher), TODAY, needed=True)
    assert (found.rule, found.level) == ("unknown-teacher", "warning")


def test_a_student_is_resolved_ended_or_not() -> None:
    assert resolve_student(MINI).title == "GPT-4.1 mini"
    assert resolve_student(ModelRef.parse("openai:gpt-4")).ends == date(2026, 10, 23)


def test_a_student_that_cannot_be_resolved_names_its_like() -> None:
    with pytest.raises(ModelUnavailable, match="gpt-4o-mini-2024-07-18") as caught:
        resolve_student(ModelRef.parse("openai:gpt-4o-mini-2024"))
    assert caught.value.findings[0].rule == "unknown-model"
