"""The main job through the real SDKs: one word changes the vendor, reruns resume, refusals cost nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cloudistill import Run, RunStatus, Store, chat, distill, errors, get, jobs
from cloudistill.emulators import World
from cloudistill.formats.dataset import Dataset
from cloudistill.pipeline import ordering
from tests.conftest import STUDENTS, TODAY, rows_of

from .mortal import Killed, Mortal

Lessons = Callable[..., Path]
PLATFORMS = sorted(STUDENTS)
CREATES = {
    "openai": "POST /v1/fine_tuning/jobs$",
    "bedrock": "POST /model-customization-jobs$",
    "vertex": "POST .*/tuningJobs$",
}
DEPLOYMENTS = "POST /model-customization/custom-model-deployments$"


def paid(vendors: World, platform: str) -> int:
    """How many tuning orders the vendor has taken."""
    return len(getattr(vendors, platform).jobs)


def go(data: Path, platform: str, **options: Any) -> Run:
    return distill(data, student=STUDENTS[platform], today=TODAY, pace=0.1, **options)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_changing_the_platform_changes_one_word(platform: str, vendors: World, lessons: Lessons) -> None:
    data = lessons(60)
    run = go(data, platform)
    assert run.status is RunStatus.READY
    assert run.model is not None
    lesson = next(row.example for row in Dataset(data).rows() if row.example and row.example.messages[-1].tool_calls)
    assert lesson is not None
    answer = chat(run.model, messages=lesson.prompt, tools=lesson.tools)
    assert {call.name for call in answer.tool_calls} == {call.name for call in lesson.messages[-1].tool_calls}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_same_command_again_finds_the_student_and_pays_nothing(
    platform: str, vendors: World, lessons: Lessons
) -> None:
    data, before = lessons(30, seed=2), paid(vendors, platform)
    first = go(data, platform, name="twice")
    second = go(data, platform, name="twice")
    assert second.model == first.model
    assert paid(vendors, platform) == before + 1


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_colleague_with_an_empty_store_adopts_the_job(
    platform: str, vendors: World, lessons: Lessons, tmp_path: Path
) -> None:
    data, before = lessons(30, seed=3), paid(vendors, platform)
    mine = go(data, platform, name="shared", store=Store(tmp_path / "mine.db"), wait=False)
    theirs = go(data, platform, name="shared", store=Store(tmp_path / "theirs.db"), wait=False)
    assert theirs.job == mine.job
    assert paid(vendors, platform) == before + 1


@pytest.mark.parametrize("kind", ["drop-after", "html"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_order_whose_answer_is_lost_or_a_web_page_is_adopted_by_looking(
    platform: str, kind: str, vendors: World, lessons: Lessons
) -> None:
    data, before = lessons(30, seed=4), paid(vendors, platform)
    getattr(vendors, platform).server.fail(CREATES[platform], kind=kind)
    run = go(data, platform, name=kind, wait=False)
    assert run.job is not None
    assert "None" not in str(run.job)
    assert paid(vendors, platform) == before + 1


@pytest.mark.parametrize("durable", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_killed_at_any_transaction_and_run_again_it_never_orders_twice(
    platform: str, durable: bool, vendors: World, lessons: Lessons, tmp_path: Path
) -> None:
    data, deaths = lessons(12, seed=6), 0
    for instant in range(1, 40):
        name, path, before = f"kill-{durable}-{instant}", tmp_path / f"{instant}.db", paid(vendors, platform)
        try:
            go(data, platform, name=name, store=Mortal(path, instant, durable=durable), wait=False)
        except Killed:
            deaths += 1
        else:
            break
        with Store(path) as store:
            try:
                run = go(data, platform, name=name, store=store, wait=False)
            except errors.OutcomeUnknown:  # killed between intent and order: looking finds nothing, as it should
                assert paid(vendors, platform) == before
                run = go(data, platform, name=name, store=store, wait=False, resubmit_after=0)
            assert run.job is not None
        assert paid(vendors, platform) == before + 1, f"killed at transaction {instant}"
    assert deaths > 10


def test_killed_while_deploying_it_never_deploys_twice(vendors: World, lessons: Lessons, tmp_path: Path) -> None:
    data = lessons(12, seed=7)
    run = go(data, "bedrock", name="deploy-kill", store=Store(tmp_path / "first.db"), wait=False)
    run.wait(pace=0.1)
    deployed = len(vendors.bedrock.deployments)
    for instant in range(1, 12):
        path = tmp_path / f"deploy-{instant}.db"
        with Store(path) as store:
            go(data, "bedrock", name="deploy-kill", store=store, wait=False)
        try:
            mortal = Mortal(path, instant, durable=True)
            get("deploy-kill", store=mortal).wait(pace=0.1)
        except Killed:
            pass
        with Store(path) as store:
            again = go(data, "bedrock", name="deploy-kill", store=store)
        assert again.model == run.model
    assert len(vendors.bedrock.deployments) == deployed


def test_three_students_are_distilled_in_one_call(vendors: World, lessons: Lessons) -> None:
    runs = distill(lessons(30, seed=8), student=list(STUDENTS.values()), name="all", today=TODAY, pace=0.1)
    assert [run.student.platform for run in runs] == list(STUDENTS)
    assert all(run.status is RunStatus.READY for run in runs)
    assert len({run.name for run in runs}) == 3
    assert {run.name for run in jobs()} >= {run.name for run in runs}


def test_the_same_name_with_other_content_is_refused_and_says_what_differs(vendors: World, lessons: Lessons) -> None:
    go(lessons(30, seed=9), "openai", name="one", wait=False)
    before = paid(vendors, "openai")
    with pytest.raises(errors.RunConflict, match="fingerprint was"):
        go(lessons(30, seed=10), "openai", name="one", wait=False)
    assert paid(vendors, "openai") == before
    forced = go(lessons(30, seed=10), "openai", name="one", wait=False, force_new=True)
    assert forced.record.attempt == 2
    assert paid(vendors, "openai") == before + 1


def test_another_payer_is_refused(vendors: World, lessons: Lessons, monkeypatch: pytest.MonkeyPatch) -> None:
    data = lessons(30, seed=11)
    go(data, "vertex", name="mine", wait=False)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "somebody-else")
    with pytest.raises(errors.RunConflict, match="is paid by"):
        go(data, "vertex", name="mine", wait=False)


def test_a_failed_job_needs_again_and_then_another_attempt_is_paid(standing: World, lessons: Lessons) -> None:
    data = lessons(30, seed=12)
    run = go(data, "openai", name="unlucky", wait=False)
    run.cancel()
    with pytest.raises(errors.JobFailed, match="--again"):
        run.wait(pace=0.1)
    with pytest.raises(errors.JobFailed):
        go(data, "openai", name="unlucky")
    assert paid(standing, "openai") == 1
    second = go(data, "openai", name="unlucky", again=True, wait=False)
    standing.clock.advance(3600)
    assert second.wait(pace=0.1).status is RunStatus.READY
    assert paid(standing, "openai") == 2


def test_refused_rows_refuse_the_run_unless_their_loss_is_allowed(vendors: World, lessons: Lessons) -> None:
    data = lessons(30, seed=13)
    spoilt = data.read_text("utf-8").splitlines()
    spoilt[4] = '{"messages": []}'
    data.write_text("\n".join(spoilt) + "\n", "utf-8")
    before = len(vendors.openai.server.requests)
    with pytest.raises(errors.InvalidDataset) as caught:
        go(data, "openai", name="spoilt")
    assert [finding.line for finding in caught.value.findings if finding.level == "error"] == [5]
    assert len(vendors.openai.server.requests) == before
    run = go(data, "openai", name="spoilt", drop_refused=1)
    assert run.to_json()["rows"] == {"in": 30, "refused": 1}


def test_the_budget_is_checked_before_anything_is_sent(vendors: World, lessons: Lessons) -> None:
    before = paid(vendors, "openai")
    with pytest.raises(errors.BudgetExceeded):
        go(lessons(30, seed=14), "openai", budget=0.0001)
    assert paid(vendors, "openai") == before


def test_a_budget_without_a_known_price_is_refused_until_a_price_is_given(vendors: World, lessons: Lessons) -> None:
    data = lessons(30, seed=15)
    with pytest.raises(errors.BudgetExceeded, match="--price"):
        go(data, "bedrock", budget=100.0, wait=False)
    assert go(data, "bedrock", budget=100.0, price=1.0, wait=False).job is not None


@pytest.mark.parametrize("platform", PLATFORMS)
def test_in_2028_every_student_is_refused_with_its_date(platform: str, vendors: World, lessons: Lessons) -> None:
    before = paid(vendors, platform)
    with pytest.raises(errors.Refused, match=r"202[678]-"):
        distill(lessons(30, seed=16), student=STUDENTS[platform], today=date(2028, 1, 1))
    assert paid(vendors, platform) == before


def test_missing_answers_are_asked_of_the_teacher_once(vendors: World, lessons: Lessons) -> None:
    data = lessons(20, seed=17, answered=False)
    asked = vendors.openai.server.count("POST /v1/chat/completions")
    run = go(data, "openai", name="labelled", teacher="openai:gpt-4.1-2025-04-14", drop_refused=20)
    questions = vendors.openai.server.count("POST /v1/chat/completions") - asked
    assert 0 < questions <= 20
    other = go(data, "vertex", name="labelled-too", teacher="openai:gpt-4.1-2025-04-14", drop_refused=20)
    assert vendors.openai.server.count("POST /v1/chat/completions") - asked == questions
    assert (run.status, other.status) == (RunStatus.READY, RunStatus.READY)


def test_rows_without_an_answer_and_without_a_teacher_are_refused(vendors: World, lessons: Lessons) -> None:
    with pytest.raises(errors.InvalidDataset):
        go(lessons(20, seed=18, answered=False), "openai")


def test_a_trouble_while_polling_is_no_failure(vendors: World, lessons: Lessons) -> None:
    run = go(lessons(30, seed=19), "openai", name="rough", wait=False)
    vendors.openai.server.fail("GET /v1/fine_tuning/jobs/", status=502, times=2)
    vendors.openai.server.fail("GET /v1/fine_tuning/jobs/", kind="drop-before")
    vendors.openai.server.fail("GET /v1/fine_tuning/jobs/", kind="html")
    assert go(lessons(30, seed=19), "openai", name="rough").status is RunStatus.READY
    assert run.job == get("rough").job


def test_waiting_has_an_end_of_its_own_and_the_job_goes_on(vendors: World, lessons: Lessons) -> None:
    data = lessons(30, seed=20)
    with pytest.raises(errors.StillRunning, match="cloudistill watch slow"):
        go(data, "bedrock", name="slow", timeout=0.05)
    assert go(data, "bedrock", name="slow").status is RunStatus.READY


def test_no_prompt_answer_or_secret_enters_the_store(vendors: World, lessons: Lessons, tmp_path: Path) -> None:
    data = lessons(30, seed=21)
    for platform in PLATFORMS:
        go(data, platform, name=f"quiet-{platform}", store=Store(tmp_path / "quiet.db"), wait=False)
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("quiet.db*"))
    texts = {message["content"] for row in rows_of(data) for message in row["messages"] if message.get("content")}
    secrets = [vendors.environment[name] for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY")]
    assert not [text for text in [*texts, *secrets] if text.encode() in stored]


def test_every_step_is_recorded_before_and_after(vendors: World, lessons: Lessons) -> None:
    run = go(lessons(30, seed=22), "openai", name="story")
    steps = [(step.step, step.state) for step in run.store.steps("story")]
    for step in ("upload", "submit"):
        assert steps.index((step, "begun")) < steps.index((step, "done"))
    assert run.record.payer.startswith("openai")


def test_the_same_content_is_uploaded_once(vendors: World, lessons: Lessons) -> None:
    data = lessons(30, seed=23)
    go(data, "openai", name="first", wait=False)
    before = vendors.openai.server.count("POST /v1/files")
    go(data, "openai", name="second", wait=False)
    assert vendors.openai.server.count("POST /v1/files") == before


def test_json_of_a_run_holds_what_scripts_rely_on(vendors: World, lessons: Lessons) -> None:
    document = json.loads(json.dumps(go(lessons(30, seed=24), "openai", name="doc").to_json()))
    assert document["run"] == "doc"
    assert document["job"].startswith("openai:ftjob-")
    assert (document["status"], document["native_status"]) == ("ready", "succeeded")
    assert document["model"].startswith("openai:ft:")
    assert document["cost_estimate_usd"]["low"] <= document["cost_estimate_usd"]["high"]


def test_no_student_is_ordered_while_another_is_refused(
    vendors: World, lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLOUDISTILL_BEDROCK_BUCKET")
    before = paid(vendors, "openai")
    with pytest.raises(errors.MissingSetup):
        distill(lessons(30, seed=51), student=[STUDENTS["openai"], STUDENTS["bedrock"]], name="both", today=TODAY)
    assert paid(vendors, "openai") == before


def test_one_vendors_refusal_does_not_stop_the_other_students(vendors: World, lessons: Lessons) -> None:
    body = b'{"error": {"message": "not eligible", "type": "invalid_request_error", "code": "forbidden"}}'
    vendors.openai.server.fail(CREATES["openai"], status=403, body=body)
    refused, ready = distill(
        lessons(30, seed=52), student=[STUDENTS["openai"], STUDENTS["vertex"]], name="some", today=TODAY, wait=False
    )
    assert isinstance(refused.error, errors.PermissionDenied)
    assert refused.status is RunStatus.REFUSED
    assert ready.job is not None


def test_students_share_one_budget(vendors: World, lessons: Lessons) -> None:
    data, before = lessons(30, seed=53), paid(vendors, "openai")
    cost = go(data, "openai", wait=False).record.facts["cost_estimate_usd"]["high"]
    other = "openai:gpt-4o-mini-2024-07-18"
    with pytest.raises(errors.BudgetExceeded, match="together"):
        distill(data, student=[STUDENTS["openai"], other], name="two", today=TODAY, budget=cost * 1.2, wait=False)
    assert paid(vendors, "openai") == before + 1


def test_a_refused_restart_forgets_nothing(vendors: World, lessons: Lessons) -> None:
    data = lessons(30, seed=54)
    run = go(data, "openai", name="kept", wait=False)
    with pytest.raises(errors.BudgetExceeded):
        go(data, "openai", name="kept", wait=False, force_new=True, budget=0.00001)
    assert get("kept").job == run.job


def test_one_more_student_under_a_known_name_pays_only_for_the_new_one(vendors: World, lessons: Lessons) -> None:
    data = lessons(30, seed=55)
    first = go(data, "openai", name="grow", wait=False)
    before = paid(vendors, "openai"), paid(vendors, "vertex")
    runs = distill(data, student=[STUDENTS["openai"], STUDENTS["vertex"]], name="grow", today=TODAY, wait=False)
    assert runs[0].job == first.job
    assert (paid(vendors, "openai"), paid(vendors, "vertex")) == (before[0], before[1] + 1)


def test_a_paid_order_is_adopted_even_when_todays_checks_would_refuse(
    vendors: World, lessons: Lessons, tmp_path: Path
) -> None:
    data, before = lessons(30, seed=56), paid(vendors, "openai")
    for instant in range(1, 40):
        try:
            store = Mortal(tmp_path / "late.db", instant, durable=False)
            go(data, "openai", name="late", store=store, wait=False)
        except Killed:
            if paid(vendors, "openai") > before:
                break
    with Store(tmp_path / "late.db") as store:
        run = distill(data, student=STUDENTS["openai"], name="late", store=store, wait=False, today=date(2028, 1, 1))
    assert run.job is not None
    assert paid(vendors, "openai") == before + 1


def test_a_paid_teacher_counts_against_the_budget(vendors: World, lessons: Lessons) -> None:
    data = lessons(30, seed=57, answered=False)
    asked = vendors.openai.server.count("POST /v1/chat/completions")
    with pytest.raises(errors.BudgetExceeded):
        go(data, "openai", name="dear", teacher="openai:gpt-4.1-2025-04-14", budget=0.3, drop_refused=30)
    assert vendors.openai.server.count("POST /v1/chat/completions") == asked


def test_an_order_the_vendor_has_no_place_for_is_refused_before_the_teacher_is_paid(
    vendors: World, lessons: Lessons
) -> None:
    data = lessons(20, seed=58, answered=False)
    asked = vendors.openai.server.count("POST /v1/chat/completions")
    for platform, wrong in (("vertex", {"suffix": "x"}), ("bedrock", {"seed": 1}), ("openai", {"kms_key": "k"})):
        with pytest.raises(errors.UsageError):
            go(data, platform, name="odd", teacher="openai:gpt-4.1-2025-04-14", drop_refused=20, **wrong)
    assert vendors.openai.server.count("POST /v1/chat/completions") == asked


def _shows_nothing(*_: object) -> None:
    """A list that lags behind."""


def test_an_order_in_doubt_is_looked_for_even_when_a_new_one_is_forced(vendors: World, lessons: Lessons) -> None:
    data, before = lessons(30, seed=71), paid(vendors, "openai")
    vendors.openai.server.fail(CREATES["openai"], kind="drop-after")
    with pytest.MonkeyPatch.context() as lagging:
        lagging.setattr(ordering, "_look", _shows_nothing)
        with pytest.raises(errors.OutcomeUnknown):
            go(data, "openai", name="doubt", wait=False)
    found = go(data, "openai", name="doubt", wait=False, force_new=True)
    assert found.record.attempt == 1
    assert paid(vendors, "openai") == before + 1


def test_no_student_begins_anew_while_another_is_refused(vendors: World, lessons: Lessons) -> None:
    data, students = lessons(30, seed=72), [STUDENTS["openai"], STUDENTS["vertex"]]
    first = distill(data, student=students, name="pair", today=TODAY, wait=False)
    answers = iter([True, False])
    with pytest.raises(errors.BudgetExceeded, match="not confirmed"):
        distill(
            data, student=students, name="pair", today=TODAY, wait=False, force_new=True,
            confirm=lambda _run, _cost: next(answers),
        )  # fmt: skip
    again = distill(data, student=students, name="pair", today=TODAY, wait=False)
    assert [run.job for run in again] == [run.job for run in first]


def test_a_confirmed_order_is_never_recorded_as_refused(vendors: World, lessons: Lessons, tmp_path: Path) -> None:
    data, name, path = lessons(30, seed=73), "", tmp_path
    for instant in range(1, 40):  # until the process dies after the order is confirmed and before the job is recorded
        name, path = f"sure-{instant}", tmp_path / f"{instant}.db"
        with contextlib.suppress(Killed):
            go(data, "openai", name=name, wait=False, store=Mortal(path, instant, durable=True))
        with Store(path) as store:
            intent = store.intent(name, "tuning", 1)
            if intent is not None and intent.state == "confirmed":
                break
    before = paid(vendors, "openai")
    vendors.openai.server.fail("GET /v1/fine_tuning/jobs", times=3, status=403, body=b'{"error": {"message": "no"}}')
    with pytest.raises(errors.CloudistillError), Store(path) as store:
        go(data, "openai", name=name, wait=False, store=store)
    vendors.openai.server.faults.clear()
    with Store(path) as store:
        assert go(data, "openai", name=name, store=store).status is RunStatus.READY
    assert paid(vendors, "openai") == before
