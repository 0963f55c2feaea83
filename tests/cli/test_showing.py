"""What can be seen of a run and its job: in the terminal, as JSON, as one page; and what can be done to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cloudistill.emulators import World
from tests.conftest import STUDENTS

from .shell import Shell

Lessons = Callable[..., Path]
TODAY = ["--today", "2026-11-24"]
BRAILLE = range(0x2801, 0x2900)


@pytest.fixture
def run(shell: Shell, vendors: World, lessons: Lessons) -> str:
    """A finished run on OpenAI, of three epochs."""
    flags = ["--student", STUDENTS["openai"], "--name", "desk", "--every", "0.1", *TODAY]
    assert shell("distill", lessons(30, seed=81), *flags, "--set", "epochs=3") == 0, shell.err
    return "desk"


def test_show_draws_the_loss_and_names_the_checkpoints(run: str, shell: Shell) -> None:
    assert shell("show", run) == 0
    assert "in 30, refused 0" in shell.out
    assert "training loss:" in shell.out
    assert any(ord(char) in BRAILLE for char in shell.out)
    assert "Checkpoints" in shell.out
    assert shell.out.count("\n") < 120


def test_show_events_are_the_vendors_words_oldest_first(run: str, shell: Shell) -> None:
    assert shell("show", run, "--json") == 0
    assert shell.document["events"] is None
    assert shell("show", run, "--events", "--json") == 0
    events = shell.document["events"]
    assert len(events) > 2
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert shell("show", run, "--events") == 0
    assert events[0]["message"] in shell.out


def test_show_asks_nobody_when_only_the_record_is_wanted(run: str, shell: Shell, vendors: World) -> None:
    before = len(vendors.openai.server.requests)
    assert shell("show", run, "--recorded", "--json") == 0
    assert shell.document["metrics"] is None
    assert len(vendors.openai.server.requests) == before
    assert shell("show", run, "--recorded", "--events") == 2


def test_show_works_where_the_vendor_cannot_be_asked(run: str, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert shell("show", run) == 0
    assert "could not be asked" in shell.err
    assert run in shell.out


def test_the_page_needs_nothing_but_itself(run: str, shell: Shell, tmp_path: Path) -> None:
    page = tmp_path / "desk.html"
    assert shell("show", run, "--html", page) == 0
    text = page.read_text("utf-8")
    assert "default-src 'none'" in text
    assert "<svg " in text
    assert "Loss per step" in text
    assert "What the vendor told" in text
    for outside in ("http://", "https://", "<script", "<link", "<img"):
        assert outside not in text.replace("http://www.w3.org", "").replace("http://127.0.0.1", "")


def test_a_page_shows_hostile_text_and_does_not_obey_it(run: str, shell: Shell, tmp_path: Path) -> None:
    from cloudistill import get

    handle = get(run)
    handle.store.update(run, warning="<script>alert(1)</script>\u202e")
    page = tmp_path / "desk.html"
    assert shell("show", run, "--html", page) == 0
    text = page.read_text("utf-8")
    assert "<script>" not in text
    assert "\u202e" not in text


def test_a_checkpoint_is_promoted_and_asked_and_the_final_model_again(run: str, shell: Shell) -> None:
    assert shell("show", run, "--json") == 0
    whole, first = shell.document["model"], shell.document["checkpoints"][0]
    assert shell("promote", run, first["name"], "--json") == 0, shell.err
    assert shell.document["model"] == first["model"]
    assert shell("chat", first["model"], "Where is my order?") == 0, shell.err
    assert shell("promote", run, "final", "--json") == 0
    assert shell.document["model"] == whole
    assert shell("promote", run, "no-such") == 2
    assert first["name"] in shell.err


def test_a_job_is_held_and_goes_on(shell: Shell, standing: World, lessons: Lessons) -> None:
    flags = ["--student", STUDENTS["openai"], "--name", "held", "--no-wait", *TODAY]
    assert shell("distill", lessons(30, seed=82), *flags) == 0
    until(shell, standing, "running")
    assert shell("pause", "held", "--json") == 0, shell.err
    assert (shell.document["native_status"], shell.document["status"]) == ("pausing", "waiting")
    until(shell, standing, "paused")
    assert shell("resume", "held", "--json") == 0, shell.err
    until(shell, standing, "succeeded")


def until(shell: Shell, world: World, word: str) -> None:
    """Let the vendor's time pass until it calls the job of `held` that."""
    for _ in range(400):
        world.clock.advance(30)
        shell("show", "held", "--refresh", "--recorded", "--json")
        if shell.document["native_status"] == word:
            return
    raise AssertionError(f"never {word}, last {shell.document['native_status']}")


def test_what_a_platform_cannot_do_exits_2_and_names_it(shell: Shell, vendors: World, lessons: Lessons) -> None:
    flags = ["--student", STUDENTS["bedrock"], "--name", "rock", "--no-wait", *TODAY]
    assert shell("distill", lessons(30, seed=83), *flags) == 0
    assert shell("pause", "rock") == 2
    assert "'bedrock'" in shell.err


@pytest.mark.parametrize("platform", ["openai", "bedrock"])
def test_what_a_run_left_is_deleted_and_the_record_stays(
    platform: str, shell: Shell, vendors: World, lessons: Lessons
) -> None:
    flags = ["--student", STUDENTS[platform], "--name", "old", "--every", "0.1", *TODAY]
    assert shell("distill", lessons(30, seed=84), *flags) == 0, shell.err
    assert shell("delete", "old") == 2
    assert "--files" in shell.err
    assert shell("delete", "old", "--model") == 2
    assert "--yes" in shell.err
    assert shell("delete", "old", "--model", "--files", "--yes", "--json") == 0, shell.err
    assert len(shell.document["deleted"]) == 2
    assert shell("show", "old", "--recorded", "--json") == 0
    assert (shell.document["model"], shell.document["status"]) == (None, "ready")
    assert "was deleted" in shell.document["warning"]
    assert shell("delete", "old", "--model", "--yes") == 0, shell.err
    assert "nothing was left to delete" in shell.err
