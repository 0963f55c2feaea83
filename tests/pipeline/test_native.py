"""The vendor's own distillation: refused before anything is sent, ordered as the pair wants it, chosen by `auto`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cloudistill import JobSpec, Logs, Run, RunStatus, Store, check, distill, errors, submit
from cloudistill.core.job import Condition, JobStatus, PromptReport, Vpc
from cloudistill.core.refs import ModelRef
from cloudistill.formats.dataset import Dataset
from cloudistill.pipeline import checking, native, preparing, verbs
from cloudistill.pipeline.checking import Check
from cloudistill.pipeline.progress import Event
from cloudistill.pipeline.recipe import Recipe
from cloudistill.platforms.platform import Pair, Platform, load
from tests.conftest import TODAY, rows_of

from . import acme
from .mortal import Killed, Mortal

Lessons = Callable[..., Path]
MICRO = ModelRef.parse("bedrock:amazon.nova-micro-v1:0:128k")
PRO = "bedrock:amazon.nova-pro-v1:0"
PREMIER = "bedrock:amazon.nova-premier-v1:0"
LOGS = Logs(uri="s3://logs/here", where=(Condition(key="env", value="dev", equal=False),))


def vendor() -> acme.Vendor:
    return acme.Vendor(platform="bedrock")


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def go(data: Path | None, backend: acme.Trainer, **options: Any) -> Run:
    told: dict[str, Any] = {"method": "native", "teacher": PRO, "today": TODAY, "name": "r", "wait": False} | options
    return distill(data, student=MICRO, backends=[backend], **told)


def test_prompts_are_sent_unanswered_and_the_order_names_the_teacher(lessons: Lessons) -> None:
    bedrock = vendor()
    run = go(lessons(120, answered=False), bedrock, teacher_max_tokens=300)
    (spec,) = bedrock.specs
    assert (spec.method, str(spec.teacher), spec.teacher_max_tokens) == ("native", PRO, 300)
    assert spec.rendering == "text"
    rows = [json.loads(line) for line in bedrock.uploads[0].splitlines()]
    assert len(rows) == 120
    assert {row["messages"][-1]["role"] for row in rows} == {"user"}
    assert run.method == "native"
    assert "label" not in {step.step for step in run.history()}


def test_answers_in_the_file_are_told_to_be_examples(lessons: Lessons) -> None:
    told: list[str] = []

    def hear(event: Event) -> None:
        told.append(event.message)

    go(lessons(120), vendor(), notify=hear)
    assert any("120 of 120 prompts are answered: examples" in message for message in told)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"teacher": PREMIER}, r"no more since 2026-09-14.*nova-pro.*--method sft"),
        ({"teacher": "bedrock:amazon.nova-lite-v1:0"}, r"does not distil.*nova-pro.*--method sft"),
        ({"teacher": "openai:gpt-4.1-2025-04-14"}, r"does not distil openai.*--method sft"),
    ],
)
def test_a_pair_that_is_not_live_is_refused_with_its_day_the_live_ones_and_the_way_out(
    options: dict[str, Any], words: str, lessons: Lessons
) -> None:
    bedrock = vendor()
    with pytest.raises(errors.ModelUnavailable, match=words):
        go(lessons(120, answered=False), bedrock, **options)
    assert (bedrock.asked, bedrock.uploads, Store().runs()) == ([], [], [])


def test_without_a_teacher_native_is_wrong_usage(lessons: Lessons) -> None:
    with pytest.raises(errors.UsageError, match="--teacher"):
        go(lessons(120, answered=False), vendor(), teacher=None)


def test_a_platform_that_runs_no_teacher_is_refused(lessons: Lessons) -> None:
    with pytest.raises(errors.ModelUnavailable, match="--method sft"):
        go(lessons(120, answered=False), acme.Trainer(platform="bedrock"))


def test_too_few_prompts_are_refused_by_the_pairs_own_rule(lessons: Lessons) -> None:
    with pytest.raises(errors.InvalidDataset, match="at least 100"):
        go(lessons(60, answered=False), vendor())


def strict(**rules: Any) -> Pair:
    known = load("bedrock").pair("amazon.nova-pro-v1:0", MICRO.id)
    assert known is not None
    return known.model_copy(update=rules)


def use(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    """Let Bedrock's facts hold this pair alone."""
    facts = load("bedrock").model_copy(update={"pairs": (pair,)})

    def known(_name: str) -> Platform:
        return facts

    monkeypatch.setattr(native, "load", known)


@pytest.mark.parametrize(("rule", "names"), [("tools", "native-tools"), ("several_turns", "native-turns")])
def test_rows_that_the_pair_does_not_take_are_refused_line_by_line(
    rule: str, names: str, lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, strict(**{rule: False}))
    data = lessons(120, answered=False)
    rows = rows_of(data)
    rows[0]["messages"] += [{"role": "assistant", "content": "What?"}, {"role": "user", "content": "Well."}]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(errors.InvalidDataset) as caught:
        go(data, vendor())
    found = [finding for finding in caught.value.findings if finding.rule == names]
    users = [sum(message["role"] == "user" for message in row["messages"]) for row in rows]
    broken = ["tools" in row if rule == "tools" else said > 1 for row, said in zip(rows, users, strict=True)]
    assert {finding.line for finding in found} == {line for line, bad in enumerate(broken, 1) if bad}
    assert all("--method sft" in finding.remedy for finding in found)


def test_a_pair_by_invitation_is_a_warning(lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, strict(by_invitation=True))
    told: list[str] = []

    def hear(event: Event) -> None:
        told.append(event.message)

    assert go(lessons(120, answered=False), vendor(), notify=hear).job is not None
    assert any("native-by-invitation" in message for message in told)


def test_check_holds_prompts_against_the_pairs_rules(lessons: Lessons) -> None:
    data = lessons(60, answered=False)
    found = check(data, student=MICRO, teacher=PRO, method="native", today=TODAY)
    assert "too-few-rows" in {finding.rule for finding in found.errors}
    assert check(data, student=MICRO, teacher=PRO, today=TODAY).errors == ()
    ended = check(data, student=MICRO, teacher=PREMIER, method="native", today=TODAY)
    assert ended.errors[0].rule == "native-pair-ended"


# -- logs


def test_logs_are_ordered_as_they_lie_and_nothing_is_uploaded() -> None:
    bedrock = vendor()
    run = go(None, bedrock, logs=LOGS)
    (spec,) = bedrock.specs
    assert (spec.logs, spec.training, bedrock.uploads) == (LOGS, None, [])
    assert run.record.order["logs"]["where"][0]["key"] == "env"
    assert run.record.facts["data"] == "s3://logs/here"
    assert go(None, bedrock, logs=LOGS).job == run.job
    assert len(bedrock.specs) == 1


def test_a_run_from_logs_is_named_after_its_student() -> None:
    assert go(None, vendor(), logs=LOGS, name=None).name == "logs-bedrock-amazon-nova-micro-v1-0-128k"


def test_a_file_and_logs_or_neither_or_logs_for_fine_tuning_are_wrong_usage(lessons: Lessons) -> None:
    for data, options in ((lessons(120), {"logs": LOGS}), (None, {}), (None, {"logs": LOGS, "method": "sft"})):
        with pytest.raises(errors.UsageError):
            go(data, vendor(), **options)


def test_logs_are_refused_where_the_pair_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, strict(logs=False))
    with pytest.raises(errors.ModelUnavailable, match="from a file alone"):
        go(None, vendor(), logs=LOGS)


# -- auto


def test_auto_is_native_where_answers_are_missing_and_the_pair_is_live(lessons: Lessons) -> None:
    run = go(lessons(120, answered=False), vendor(), method="auto")
    assert run.method == "native"
    assert "120 of 120 rows wait" in run.to_json()["method_reason"]
    assert [step.detail["method"] for step in run.history() if step.step == "method"] == ["native"]


@pytest.mark.parametrize(
    ("options", "why"),
    [({}, "every row has its answer"), ({"teacher": PREMIER}, "2026-09-14"), ({"teacher": None}, "no teacher")],
)
def test_auto_is_sft_where_nothing_is_missing_or_no_pair_is_live(
    options: dict[str, Any], why: str, lessons: Lessons
) -> None:
    run = go(lessons(120), vendor(), method="auto", **options)
    assert run.method == "sft"
    assert why in run.to_json()["method_reason"]


def test_auto_is_sft_where_a_row_forbids_it(lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, strict(tools=False))
    data = Dataset(lessons(120, answered=False))
    recipe = Recipe.of(teacher=PRO, method="auto")
    method, why, _ = native.decide(recipe, MICRO, data, vendor(), TODAY)
    assert (method, "native-tools" in why) == ("sft", True)


def test_what_auto_read_to_come_to_native_is_not_checked_again(
    lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Dataset] = []

    def count(dataset: Dataset, *told: Any, **more: Any) -> Check:
        checked.append(dataset)
        return checking.check(dataset, *told, **more)

    monkeypatch.setattr(native, "check", count)
    run = go(lessons(120, answered=False), vendor(), method="auto")
    assert (run.method, run.record.facts["rows"], len(checked)) == ("native", {"in": 120, "refused": 0}, 1)


def test_auto_is_sft_under_a_budget_which_bounds_no_native_job(lessons: Lessons) -> None:
    data = Dataset(lessons(120, answered=False))
    method, why, _ = native.decide(Recipe.of(teacher=PRO, method="auto", budget=5.0), MICRO, data, vendor(), TODAY)
    assert (method, "budget" in why) == ("sft", True)


def test_what_auto_came_to_is_kept_however_dates_pass(lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> None:
    data, bedrock = lessons(120, answered=False), vendor()
    first = go(data, bedrock, method="auto")
    use(monkeypatch, strict(ended=date(2026, 12, 1)))
    again = go(data, bedrock, method="auto", today=date(2026, 12, 5))
    assert (again.method, again.job) == ("native", first.job)
    assert len(bedrock.specs) == 1


# -- orders, cost, report


def test_an_order_for_fine_tuning_says_nothing_of_what_only_native_has() -> None:
    known = Recipe.of(teacher=PRO, teacher_max_tokens=99).ordered()
    assert {"logs", "teacher_max_tokens"} & known.keys() == set()
    assert Recipe.of(teacher=PRO).ordered() == known
    assert Recipe.of(teacher=PRO, method="native", teacher_max_tokens=99).ordered()["teacher_max_tokens"] == 99


def test_a_budget_is_refused_while_synthesis_is_not_bounded(lessons: Lessons) -> None:
    bedrock = vendor()
    with pytest.raises(errors.BudgetExceeded, match=r"prompts of its own.*leave the budget out"):
        go(lessons(120, answered=False), bedrock, budget=100.0, price=1.0, hyperparameters={"epochs": 1})
    assert bedrock.uploads == []


def test_the_report_on_the_prompts_is_read_back_once_the_student_is_trained(lessons: Lessons) -> None:
    bedrock = vendor()
    run = go(lessons(120, answered=False), bedrock)
    bedrock.report = PromptReport(accepted=118, rejected=2, reasons={"too long": 2})
    bedrock.become(run.job, JobStatus.SUCCEEDED)
    run.refresh()
    assert run.to_json()["prompts"]["reasons"] == {"too long": 2}
    assert run.prompt_report() == bedrock.report


def test_a_report_that_cannot_be_read_yet_does_not_stop_the_run(lessons: Lessons) -> None:
    bedrock = vendor()
    run = go(lessons(120, answered=False), bedrock)
    bedrock.become(run.job, JobStatus.SUCCEEDED)
    bedrock.troubles = [errors.PermissionDenied("no", platform="bedrock")]
    assert run.refresh().to_json()["prompts"] is None
    assert run.model is not None


def test_no_prompts_are_judged_in_a_run_by_fine_tuning(lessons: Lessons) -> None:
    run = go(lessons(120), vendor(), method="sft", teacher=None)
    with pytest.raises(errors.UsageError, match="not distilled by the vendor"):
        run.prompt_report()


# -- money


@pytest.mark.parametrize(("source", "method", "durable"), [("file", "auto", True), ("logs", "native", False)])
def test_killed_at_any_transaction_and_run_again_it_orders_once(
    source: str, method: str, durable: bool, lessons: Lessons, tmp_path: Path
) -> None:
    data = lessons(120, answered=False) if source == "file" else None
    options: dict[str, Any] = {"method": method} | ({} if data else {"logs": LOGS})
    deaths = 0
    for instant in range(1, 40):
        bedrock, path = vendor(), tmp_path / f"{instant}.db"
        try:
            go(data, bedrock, store=Mortal(path, instant, durable=durable), **options)
        except Killed:
            deaths += 1
        else:
            break
        with Store(path) as store:
            run = go(data, bedrock, store=store, **options)
            assert (run.method, run.status) == ("native", RunStatus.WAITING)
        assert len({spec.marker for spec in bedrock.specs}) == len(bedrock.specs) == 1, instant
    assert deaths > 6


def test_auto_is_settled_anew_while_nothing_was_ordered(lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> None:
    data, bedrock = lessons(120, answered=False), vendor()

    def refuse(spec: JobSpec) -> None:
        raise errors.InvalidRequest("this pair is gone", platform="bedrock", outcome="refused")

    with monkeypatch.context() as patched:
        patched.setattr(bedrock, "submit", refuse)
        with pytest.raises(errors.InvalidRequest):
            go(data, bedrock, method="auto")
    assert Store().get("r").order["method"] == "native"
    use(monkeypatch, strict(ended=date(2026, 12, 1)))
    recipe = Recipe.of(teacher=PRO, method="auto")
    setting = preparing.Setting(store=Store(), today=date(2026, 12, 5), backends={"bedrock": bedrock})
    assert preparing.take_up(data, MICRO, "r", recipe, setting).recipe.method == "sft"


def test_auto_keeps_the_method_of_an_order_in_doubt_even_by_force(
    lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, bedrock = lessons(120, answered=False), vendor()
    first = go(data, bedrock, method="auto")
    first.store.update("r", job=None, status=RunStatus.UNCONFIRMED)
    use(monkeypatch, strict(ended=date(2026, 12, 1)))
    again = go(data, bedrock, method="auto", today=date(2026, 12, 5), force_new=True)
    assert (again.method, again.job, len(bedrock.specs)) == ("native", first.job, 1)


def test_another_attempt_of_a_native_run_has_its_own_marker(lessons: Lessons) -> None:
    data, bedrock = lessons(120, answered=False), vendor()
    first = go(data, bedrock)
    bedrock.become(first.job, JobStatus.FAILED)
    first.refresh()
    assert go(data, bedrock, again=True).record.attempt == 2
    assert go(data, bedrock, force_new=True).record.attempt == 3
    assert len({spec.marker for spec in bedrock.specs}) == 3


def test_held_out_rows_are_held_against_the_pairs_rules_too(lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, strict(several_turns=False))
    data, held_out = lessons(120, answered=False), lessons(20, seed=9, name="held-out.jsonl")
    plain = [{"messages": [{"role": "user", "content": f"Question {number}?"}]} for number in range(120)]
    data.write_text("".join(json.dumps(row) + "\n" for row in plain))
    turns = [{"role": role, "content": f"{role} {n}"} for n in range(2) for role in ("user", "assistant")]
    held_out.write_text(json.dumps({"messages": turns}) + "\n")
    with pytest.raises(errors.InvalidDataset, match=r"validation rows: .*native-turns"):
        go(data, vendor(), validation=held_out)


# -- orders placed complete


def complete(**parts: Any) -> JobSpec:
    told: dict[str, Any] = {"run": "own", "student": MICRO, "method": "native", "teacher": ModelRef.parse(PRO)} | parts
    return JobSpec(**told)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> acme.Vendor:
    """The vendor that is found where nobody hands one in."""
    bedrock = vendor()

    def connect(_platform: str) -> acme.Vendor:
        return bedrock

    monkeypatch.setattr(verbs, "connected", connect)
    return bedrock


def test_a_complete_order_with_a_network_or_logs_is_placed_and_found_again(connected: acme.Vendor) -> None:
    spec = complete(logs=LOGS, vpc=Vpc(subnet_ids=("a",), security_group_ids=("b",)))
    assert submit(spec).job == submit(spec).job
    assert connected.specs[0].logs == LOGS
    assert len(connected.specs) == 1


def test_a_complete_order_for_a_pair_that_has_ended_is_refused_and_not_recorded(connected: acme.Vendor) -> None:
    with pytest.raises(errors.ModelUnavailable, match="2026-09-14"):
        submit(complete(logs=LOGS, teacher=ModelRef.parse(PREMIER)))
    assert (connected.specs, Store().runs()) == ([], [])


def test_a_complete_order_that_was_placed_is_found_after_its_pair_has_ended(
    connected: acme.Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(complete(logs=LOGS)).job
    use(monkeypatch, strict(ended=date(2026, 1, 1)))
    assert submit(complete(logs=LOGS)).job == job
    with pytest.raises(errors.ModelUnavailable):
        submit(complete(logs=LOGS, run="another"))
