"""A paid order is paid once: against an in-memory vendor whose answers get lost, late or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudistill.core.errors import (
    InvalidRequest,
    NameConflict,
    OutcomeUnknown,
    RateLimited,
    RunConflict,
    ServiceTrouble,
)
from cloudistill.pipeline.ordering import Doubt, Order, place
from cloudistill.pipeline.retry import Patience
from cloudistill.pipeline.store import Store
from tests.pipeline import acme

LOST = ServiceTrouble("connection reset", platform="acme", outcome="maybe")


@dataclass
class Acme(acme.Backend):
    """A vendor with one shelf of orders; `trouble` is raised around the next creates, before or after taking them."""

    idempotent: bool = False
    taken: list[str] = field(default_factory=list[str])
    before: list[Exception] = field(default_factory=list[Exception])
    after: list[Exception] = field(default_factory=list[Exception])
    hidden_for: int = 0
    looks: int = 0

    def create(self, marker: str) -> str:
        if self.before:
            raise self.before.pop(0)
        if not (self.idempotent and marker in self.taken):
            self.taken.append(marker)
        if self.after:
            raise self.after.pop(0)
        return f"job-{marker}"

    def find(self, marker: str) -> str | None:
        self.looks += 1
        if self.looks <= self.hidden_for:
            return None
        return f"job-{marker}" if marker in self.taken else None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state.db") as store:
        yield store


def patient(resubmit_after: float = 600.0) -> Doubt:
    return Doubt(look_for=10.0, resubmit_after=resubmit_after, patience=Patience(sleep=lambda _seconds: None))


def order(acme: Acme, marker: str = "m", create: Callable[[], str] | None = None) -> Order[str]:
    return Order(
        run="r",
        kind="tuning",
        attempt=1,
        marker=marker,
        payer="acme 1",
        spec={},
        idempotent=acme.idempotent,
        find=lambda: acme.find(marker),
        create=create or (lambda: acme.create(marker)),
        poll=lambda ref: ref,
        ref=lambda job: job,
    )


def test_an_order_is_recorded_before_it_is_sent(store: Store) -> None:
    acme = Acme()

    def create() -> str:
        intent = store.intent("r", "tuning", 1)
        assert intent is not None
        assert intent.state == "sending"
        return acme.create("m")

    assert place(order(acme, create=create), store, acme, patient()) == "job-m"


def test_an_order_that_a_colleague_placed_is_adopted_not_paid_again(store: Store) -> None:
    acme = Acme(taken=["m"])
    assert place(order(acme), store, acme, patient()) == "job-m"
    assert acme.taken == ["m"]
    intent = store.intent("r", "tuning", 1)
    assert intent is not None
    assert (intent.state, intent.ref) == ("confirmed", "job-m")


def test_a_lost_answer_is_settled_by_looking(store: Store) -> None:
    acme = Acme(after=[LOST])
    assert place(order(acme), store, acme, patient()) == "job-m"
    assert acme.taken == ["m"]


def test_a_list_that_lags_is_looked_at_again(store: Store) -> None:
    acme = Acme(after=[LOST], hidden_for=4)
    assert place(order(acme), store, acme, patient()) == "job-m"
    assert acme.taken == ["m"]


def test_a_lost_request_leaves_the_outcome_unknown_where_the_vendor_keeps_no_key(store: Store) -> None:
    acme = Acme(before=[LOST])
    with pytest.raises(OutcomeUnknown, match="--resubmit-after"):
        place(order(acme), store, acme, patient())
    with pytest.raises(OutcomeUnknown):
        place(order(acme), store, acme, patient())
    assert acme.taken == []


def test_an_unknown_outcome_is_sent_again_once_looking_has_gone_on_long_enough(store: Store) -> None:
    acme = Acme(before=[LOST])
    with pytest.raises(OutcomeUnknown):
        place(order(acme), store, acme, patient())
    assert place(order(acme), store, acme, patient(resubmit_after=0)) == "job-m"
    assert acme.taken == ["m"]


def test_a_lost_request_is_repeated_at_once_where_the_vendor_drops_the_second(store: Store) -> None:
    acme = Acme(idempotent=True, before=[LOST])
    assert place(order(acme), store, acme, patient()) == "job-m"
    assert acme.taken == ["m"]


def test_an_order_recorded_by_a_killed_process_is_looked_for_and_not_sent(store: Store) -> None:
    acme = Acme()
    store.intend("r", "tuning", 1, marker="m", payer="acme 1", spec={}, unless_changed_since=None)
    with pytest.raises(OutcomeUnknown):
        place(order(acme), store, acme, patient())
    acme.taken.append("m")
    assert place(order(acme), store, acme, patient()) == "job-m"
    assert acme.taken == ["m"]


def test_a_refused_order_may_be_placed_again(store: Store) -> None:
    acme = Acme(before=[InvalidRequest("no", platform="acme", outcome="refused")])
    with pytest.raises(InvalidRequest):
        place(order(acme), store, acme, patient())
    assert place(order(acme), store, acme, patient()) == "job-m"


def test_too_many_requests_is_waited_out_and_paid_once(store: Store) -> None:
    busy = RateLimited("slow down", platform="acme", outcome="refused", retry_after=3)
    acme = Acme(before=[busy, busy])
    slept: list[float] = []
    doubt = Doubt(patience=Patience(sleep=slept.append))
    assert place(order(acme), store, acme, doubt) == "job-m"
    assert acme.taken == ["m"]
    assert min(slept) >= 3


def test_a_name_in_use_by_our_own_order_is_adopted(store: Store) -> None:
    acme = Acme(taken=["m"], hidden_for=1, before=[NameConflict("in use", platform="acme", outcome="refused")])
    assert place(order(acme), store, acme, patient()) == "job-m"
    assert acme.taken == ["m"]


def test_a_name_in_use_by_another_is_an_error_and_never_renamed(store: Store) -> None:
    acme = Acme(before=[NameConflict("in use", platform="acme", outcome="refused")])
    with pytest.raises(NameConflict):
        place(order(acme), store, acme, patient())
    assert acme.taken == []


def test_a_confirmed_order_is_polled_even_if_the_list_has_forgotten_it(store: Store) -> None:
    acme = Acme()
    place(order(acme), store, acme, patient())
    acme.taken.clear()
    assert place(order(acme), store, acme, patient(resubmit_after=0)) == "job-m"
    assert acme.taken == []


def test_two_processes_cannot_place_the_same_order(store: Store) -> None:
    acme = Acme()

    def create() -> str:
        with pytest.raises(RunConflict, match="another process"):
            store.intend("r", "tuning", 1, marker="m", payer="acme 1", spec={}, unless_changed_since=None)
        return acme.create("m")

    place(order(acme, create=create), store, acme, patient())
    assert acme.taken == ["m"]


def test_a_marker_once_recorded_is_never_derived_anew(store: Store) -> None:
    first = store.intend("r", "tuning", 1, marker="old", payer="p", spec={}, unless_changed_since=None)
    second = store.intend("r", "tuning", 1, marker="new", payer="p", spec={}, unless_changed_since=first)
    assert second.marker == "old"


def test_what_is_no_error_of_the_vendor_is_classified_by_the_backend(store: Store) -> None:
    acme = Acme(before=[ValueError("odd bytes")])
    with pytest.raises(OutcomeUnknown):
        place(order(acme), store, acme, patient())
