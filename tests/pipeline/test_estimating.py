"""What the training will cost, and the refusal of what may cost more than was allowed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cloudistill.core.errors import BudgetExceeded
from cloudistill.core.refs import ModelRef
from cloudistill.pipeline.checking import Check, Tokens
from cloudistill.pipeline.estimating import Estimate, estimate, require_budget

TODAY = date(2026, 12, 4)
MINI = ModelRef.parse("openai:gpt-4.1-mini-2025-04-14")
NOVA = ModelRef.parse("bedrock:amazon.nova-micro-v1:0:128k")
LLAMA = ModelRef.parse("bedrock:meta.llama3-1-8b-instruct-v1:0:128k")
FLASH = ModelRef.parse("vertex:gemini-3.5-flash")
LITE = ModelRef.parse("vertex:gemini-3.1-flash-lite")


def estimated(student: ModelRef, *, rows: int = 1_000, **options: Any) -> Estimate:
    check = Check(
        student=student,
        rows_in=rows,
        rows_ok=rows,
        unanswered=0,
        findings=(),
        refused_lines=(),
        tokens=Tokens(total=1_000_000, least=800_000, most=1_200_000, longest=100, how="counted by hand"),
        bytes=4_000_000,
    )
    return estimate(check, student, today=TODAY, **options)


def test_the_cost_is_tokens_times_epochs_times_price() -> None:
    cost = estimated(MINI, epochs=2)
    assert (cost.low, cost.high) == (pytest.approx(8.0), pytest.approx(12.0))
    assert (cost.tokens, cost.epochs_low, cost.epochs_high) == (1_000_000, 2, 2)
    assert cost.unknown == ()


@pytest.mark.parametrize(("rows", "epochs"), [(10, 10), (1_000, 3), (20_000, 1)])
def test_epochs_that_were_not_named_are_those_openai_would_choose(rows: int, epochs: int) -> None:
    cost = estimated(MINI, rows=rows)
    assert (cost.epochs_low, cost.epochs_high) == (epochs, epochs)
    assert cost.high == pytest.approx(6.0 * epochs)


def test_bedrocks_default_epochs_are_taken() -> None:
    assert estimated(NOVA, price=1.0).high == pytest.approx(2.4)
    assert estimated(LLAMA, price=1.0).high == pytest.approx(6.0)


def test_a_price_that_is_given_goes_before_the_vendors() -> None:
    assert estimated(MINI, epochs=1, price=1.0).high == pytest.approx(1.2)
    assert estimated(MINI, epochs=1, price=0.0).high == 0


def test_an_unknown_price_is_named_and_never_guessed() -> None:
    cost = estimated(NOVA)
    assert (cost.low, cost.high) == (None, None)
    assert cost.unknown == ("the price per million training tokens",)
    assert "not known" in str(cost)


def test_epochs_that_the_vendor_chooses_leave_the_upper_end_open() -> None:
    cost = estimated(LITE)
    assert cost.low == pytest.approx(2.4)
    assert cost.high is None
    assert cost.unknown == ("the number of epochs, which the vendor chooses",)
    assert len(estimated(FLASH).unknown) == 2
    assert estimated(LITE, epochs=3).high == pytest.approx(10.8)


def test_what_the_student_costs_afterwards_is_named() -> None:
    assert any("1.95 USD a month" in part for part in estimated(NOVA).parts)
    assert any("by the hour" in part for part in estimated(LLAMA).parts)
    assert not any("on top" in part for part in estimated(MINI).parts)


def test_the_age_and_the_doubt_of_a_price_are_named() -> None:
    assert any("checked 2026-11-24, 10 days ago" in part for part in estimated(MINI).parts)
    assert any("dated" in part for part in estimated(MINI).parts)
    assert any("as given" in part for part in estimated(MINI, price=2).parts)


def test_an_unknown_model_has_no_price() -> None:
    assert estimated(ModelRef.parse("openai:gpt-9")).high is None


def test_an_estimate_reads_as_a_sentence_and_as_json() -> None:
    cost = estimated(MINI, epochs=2)
    assert str(cost).startswith(f"training {MINI}: 8.00 to 12.00 USD")
    assert cost.to_json()["student"] == str(MINI)
    assert cost.to_json()["high"] == pytest.approx(12.0)


def test_a_budget_holds_up_to_the_upper_end_of_the_estimate() -> None:
    cost = estimated(MINI, epochs=2)
    require_budget(cost, 12.0)
    with pytest.raises(BudgetExceeded, match=r"12\.00 USD, above the budget of 11\.99"):
        require_budget(cost, 11.99)


def test_without_a_budget_anything_passes() -> None:
    require_budget(estimated(NOVA), None)
    require_budget(estimated(MINI, epochs=50), None)


def test_a_budget_without_a_price_is_refused_with_the_way_out() -> None:
    with pytest.raises(BudgetExceeded, match="--price"):
        require_budget(estimated(NOVA), 1_000.0)
    require_budget(estimated(NOVA, price=5.0), 1_000.0)
    with pytest.raises(BudgetExceeded, match="--set epochs=N"):
        require_budget(estimated(LITE), 1_000.0)


def test_the_vendors_own_teacher_is_asked_about_every_row_and_as_much_more_as_the_vendor_likes() -> None:
    cost = estimated(LITE, teacher=FLASH, teacher_max_tokens=1_000, epochs=1, native=True)
    assert cost.low == pytest.approx(0.8 * 3.0)
    assert cost.high is None
    assert any("prompts of its own" in missing for missing in cost.unknown)
    with pytest.raises(BudgetExceeded, match=r"--price.*anything else is missing, leave the budget out"):
        require_budget(cost, 1_000.0)


def test_no_price_bounds_what_the_vendor_itself_asks_its_teacher() -> None:
    cost = estimated(LITE, teacher=FLASH, teacher_max_tokens=1_000, epochs=1, native=True, price=2.0)
    assert cost.high is None
    with pytest.raises(BudgetExceeded, match="prompts of its own"):
        require_budget(cost, 1_000.0)


def test_logs_that_nobody_has_counted_have_no_upper_end() -> None:
    cost = estimated(LITE, rows=0, teacher=FLASH, teacher_max_tokens=1_000, epochs=1, native=True, price=2.0)
    assert cost.high is None
    assert "the number of logged requests" in cost.unknown
