"""Every assumption has a way to be settled, every cost a source, and answers are kept as they were found."""

from __future__ import annotations

import importlib.util
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from scripts.verify_live import listing, probes
from scripts.verify_live.desk import PROBES

assert probes
EVERYTHING = listing.read()


def answer(verdict: listing.Word = "holds", evidence: str = "yes") -> listing.Answer:
    return listing.Answer(
        id="openai-uploads",
        platform="openai",
        verdict=verdict,
        evidence=evidence,
        when=date(2026, 12, 1),
        payer="sha256:0",
    )


def test_every_assumption_has_a_probe_or_says_why_a_person_is_needed() -> None:
    without = {one.id for one in EVERYTHING.assumptions if one.id not in PROBES}
    assert without == {one.id for one in EVERYTHING.assumptions if one.person}
    assert set(PROBES) <= {one.id for one in EVERYTHING.assumptions}


def test_every_assumption_is_whole_and_named_after_its_platform() -> None:
    for one in EVERYTHING.assumptions:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", one.id)
        assert one.platform == "all" or one.id.startswith(f"{one.platform}-")
        assert all((one.assume, one.if_wrong, one.how))


def test_every_cost_says_where_its_price_comes_from() -> None:
    for row in (*EVERYTHING.steps, *EVERYTHING.assumptions):
        low, high = row.cost
        assert 0 <= low <= high
        assert bool(high) <= bool(row.price), row.id


def test_every_step_is_read_by_some_probe() -> None:
    assert {name for one in EVERYTHING.assumptions for name in one.needs} == {step.id for step in EVERYTHING.steps}


def test_what_destroys_comes_last_on_its_platform() -> None:
    for platform in listing.PLATFORMS:
        probed = [one.id for one in EVERYTHING.assumptions if one.platform == platform and not one.person]
        assert probed[-1].startswith(f"{platform}-delet")


def test_a_model_without_a_training_price_needs_a_stated_cost() -> None:
    step = listing.Step(id="x", platform="bedrock", does="y", model="amazon.nova-micro-v1:0:128k", tokens=1)
    with pytest.raises(ValueError, match="state `usd`"):
        _ = step.cost


def test_an_answer_is_read_back_as_it_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "answers.toml"
    told = answer(evidence='a "quoted"\nword\x00 of C:\\path, ünïcode')
    listing.record(told, path)
    assert listing.answers(path)["openai-uploads"].evidence == 'a "quoted" word of C:\\path, ünïcode'
    assert listing.answers(path)["openai-uploads"].when == date(2026, 12, 1)


def test_an_answer_that_settles_nothing_does_not_replace_one_that_does(tmp_path: Path) -> None:
    path = tmp_path / "answers.toml"
    for verdict in ("does not hold", "could not tell"):
        listing.record(answer(verdict), path)
    assert listing.answers(path)["openai-uploads"].verdict == "does not hold"
    listing.record(answer("holds"), path)
    assert listing.answers(path)["openai-uploads"].verdict == "holds"


def tables() -> Any:
    spec = importlib.util.spec_from_file_location("tables", listing.HERE.parents[1] / "docs" / "tables.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_what_is_open_and_then_what_was_settled(tmp_path: Path) -> None:
    shutil.copy(listing.HERE / "assumptions.toml", tmp_path)
    written = tables()
    written.VERIFIED = tmp_path
    empty = written.unverified()
    assert all(f"`{one.id}`" in empty for one in EVERYTHING.assumptions)
    listing.record(answer(evidence="said <account> `yes` | no"), tmp_path / "answers.toml")
    before, _, settled = written.unverified().partition("## Settled")
    assert "`openai-uploads`" not in before
    assert r"| holds | 2026-12-01 | `said <account> 'yes' \| no` |" in settled


def test_an_answer_that_settles_nothing_leaves_its_assumption_open(tmp_path: Path) -> None:
    shutil.copy(listing.HERE / "assumptions.toml", tmp_path)
    listing.record(answer("could not tell"), tmp_path / "answers.toml")
    written = tables()
    written.VERIFIED = tmp_path
    before, _, settled = written.unverified().partition("## Settled")
    assert "`openai-uploads`" in before
    assert "openai-uploads" not in settled
