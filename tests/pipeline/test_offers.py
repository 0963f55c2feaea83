"""What the service says of a student is believed over the facts, said with both, and asked once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from cloudistill import Run, distill, errors
from cloudistill.core.finding import Finding
from cloudistill.core.job import Offer
from cloudistill.core.refs import ModelRef
from cloudistill.pipeline.checking import Check, Tokens
from cloudistill.pipeline.offers import heard
from cloudistill.pipeline.progress import Event
from cloudistill.platforms.model import Model
from cloudistill.platforms.platform import Platform, load
from tests.conftest import STUDENTS, TODAY

from . import acme

Lessons = Callable[..., Path]
MINI = ModelRef.parse(STUDENTS["openai"])
ENDED = date(2026, 10, 1)


def facts(**changes: object) -> Platform:
    """OpenAI's facts with the student's changed."""
    known = load("openai")
    model = known.model(MINI.id)
    assert model is not None
    others = [other for other in known.models if other.id != MINI.id]
    return known.model_copy(update={"models": (model.model_copy(update=changes), *others)})


def findings(known: Platform, offer: Offer, today: date = TODAY) -> dict[str, Finding]:
    """The findings about the model, by rule, once the service has answered `offer`."""
    vendor = acme.Vendor(platform="openai", offered=offer)
    told = heard(unjudged(), known, vendor, today=today).findings
    assert vendor.asked == [f"offer {MINI.id}"]
    return {finding.rule: finding for finding in told}


def unjudged() -> Check:
    nothing = Tokens(total=0, least=0, most=0, longest=0, how="by hand")
    return Check(
        student=MINI, rows_in=1, rows_ok=1, unanswered=0, findings=(), refused_lines=(), tokens=nothing, bytes=0
    )


def test_a_model_that_the_facts_call_ended_and_the_service_serves_is_believed_from_the_service() -> None:
    known = facts(ends=ENDED)
    told = findings(known, Offer(served=True, trains=True, says="ACTIVE"))
    assert "model-ended" not in told
    assert not any(finding.is_error for finding in told.values())
    assert str(ENDED) in told["still-served"].message
    assert "ACTIVE" in told["still-served"].message


def test_a_model_that_the_facts_call_live_and_the_service_does_not_serve_is_refused_naming_both() -> None:
    refusal = findings(facts(ends=None), Offer(served=False, trains=False, says="not found"))["not-served"]
    assert refusal.is_error
    assert "not found" in refusal.message
    assert "no end of it is announced" in refusal.message
    assert "Students that can be tuned" in refusal.remedy


def test_a_service_that_takes_no_jobs_is_believed() -> None:
    told = findings(facts(), Offer(served=True, trains=False, says="LEGACY"))
    assert told["takes-no-jobs"].is_error


def test_a_service_that_still_takes_jobs_is_believed() -> None:
    told = findings(facts(training_ends=ENDED, ends=None), Offer(served=True, trains=True))
    assert "still-trains" in told
    assert not any(finding.is_error for finding in told.values())
    untold = findings(facts(training_ends=ENDED, ends=None), Offer(served=True))
    assert untold["no-new-jobs"].is_error


def test_an_end_that_only_the_service_knows_is_warned_about() -> None:
    end = TODAY + timedelta(days=30)
    told = findings(facts(ends=None), Offer(served=True, ends=end))
    assert str(end) in told["another-end"].message
    assert str(end) in told["model-ends-soon"].message


def test_an_end_that_the_service_says_is_past_refuses() -> None:
    told = findings(facts(ends=None), Offer(served=True, ends=TODAY - timedelta(days=1)))
    assert told["not-served"].is_error


def test_facts_and_service_that_agree_say_nothing_more() -> None:
    known = facts()
    model = known.model(MINI.id)
    assert isinstance(model, Model)
    told = findings(known, Offer(served=True, ends=model.ends))
    assert told.keys() <= {"model-ends-soon", "closed-to-newcomers", "uncertain-facts"}


def test_facts_too_old_to_be_believed_stay_so_whatever_the_service_says() -> None:
    known = facts(ends=None, training_ends=None)
    told = findings(known, Offer(served=True, trains=True), today=date(2028, 1, 1))
    assert told["facts-too-old"].is_error


def test_what_cannot_be_asked_leaves_the_facts_to_decide_and_is_said_once() -> None:
    vendor = acme.Vendor(platform="openai", troubles=[errors.AuthenticationFailed("no key", platform="openai")])
    told = heard(unjudged(), facts(), vendor, today=TODAY).findings
    assert [finding.rule for finding in told] == ["service-not-asked"]
    assert "no key" in told[0].message
    assert vendor.asked == [f"offer {MINI.id}"]


def test_a_platform_that_has_no_way_to_be_asked_is_not() -> None:
    checked = unjudged()
    assert heard(checked, facts(), acme.Trainer(platform="openai"), today=TODAY) is checked


# -- in the main job


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def go(data: Path, vendor: acme.Vendor, told: list[str] | None = None) -> Run:
    def hear(event: Event) -> None:
        if told is not None:
            told.append(event.message)

    return distill(data, student=MINI, name="r", today=TODAY, wait=False, backends=[vendor], notify=hear)


def test_the_service_is_asked_once_before_anything_is_sent(lessons: Lessons) -> None:
    vendor = acme.Vendor(platform="openai", offered=Offer(served=False, says="not found"))
    with pytest.raises(errors.ModelUnavailable, match="does not serve"):
        go(lessons(20), vendor)
    assert (vendor.asked, vendor.uploads, vendor.specs) == ([f"offer {MINI.id}"], [], [])


def test_a_run_goes_on_by_the_facts_where_the_service_is_silent_and_says_so_once(lessons: Lessons) -> None:
    told: list[str] = []
    vendor = acme.Vendor(platform="openai", troubles=[errors.ServiceTrouble("down", platform="openai")])
    assert go(lessons(20), vendor, told).job is not None
    assert sum("could not be asked" in message for message in told) == 1


def test_rows_that_are_refused_anyway_ask_nobody(lessons: Lessons) -> None:
    vendor = acme.Vendor(platform="openai")
    data = lessons(20)
    data.write_text("{broken\n" + data.read_text())
    with pytest.raises(errors.InvalidDataset):
        go(data, vendor)
    assert vendor.asked == []


def test_a_service_that_serves_what_the_facts_call_ended_and_trains_it_no_more_is_believed_in_both() -> None:
    told = findings(facts(ends=ENDED, training_ends=None), Offer(served=True, trains=False, says="LEGACY"))
    assert told["takes-no-jobs"].is_error
