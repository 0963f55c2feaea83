"""The judge finds nothing in a good conversation, and every mistake that is planted into it."""

from __future__ import annotations

import pytest
from tests.contracts.contract import Operation
from tests.contracts.conversation import good
from tests.contracts.history import History
from tests.contracts.judge import Judge
from tests.contracts.mutations import MUTATIONS, Mutation

from cloudistill.emulators.recording import Exchange

JUDGE = Judge()
Told = list[tuple[Operation | None, Exchange]]


@pytest.fixture(scope="module")
def told() -> Told:
    """The good conversation, each exchange with its operation."""
    return [(JUDGE.verdict(exchange).operation, exchange) for exchange in good()]


def over_time(told: Told) -> list[str]:
    """What the rules of state find."""
    history = History()
    return [problem for operation, exchange in told for problem in history.observe(exchange, operation)]


def test_a_good_conversation_has_no_violation(told: Told) -> None:
    assert [problem for exchange in good() for problem in JUDGE.verdict(exchange).violations(exchange)] == []
    assert over_time(told) == []


def test_the_names_of_the_planted_mistakes_are_their_own() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 50


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_planted_mistake_is_found(mutation: Mutation, told: Told) -> None:
    original = [exchange for operation, exchange in told if mutation.fits(operation, exchange)][mutation.which]
    changed = mutation.edit(original)
    assert changed != original
    verdict = JUDGE.verdict(changed)
    there = [pair for pair in told if pair[1].server == original.server]
    assert over_time(there) == []
    planted = [(verdict.operation, changed) if pair[1] is original else pair for pair in there]
    assert verdict.violations(changed) + over_time(planted)
