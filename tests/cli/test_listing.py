"""`jobs`: what is recorded here, and what the accounts have, side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cloudistill import Store, distill
from cloudistill.demo import corpus
from cloudistill.emulators import World
from tests.conftest import STUDENTS, TODAY

from .shell import Shell

Lessons = Callable[..., Path]
DAY = ["--today", str(TODAY)]
DENIED = b'{"error": {"message": "not for you"}}'


@pytest.fixture(scope="module")
def ordered(fast_world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A job on every platform, each ordered in this module's world; their refs by platform."""
    folder = tmp_path_factory.mktemp("listed")
    corpus.write(folder / "rows.jsonl", 30, 91, "train")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in fast_world.environment.items():
            patch.setenv(name, value)
        runs = distill(
            folder / "rows.jsonl",
            student=list(STUDENTS.values()),
            name="theirs",
            today=TODAY,
            store=Store(folder / "theirs.db"),
            wait=False,
        )
    return {run.student.platform: str(run.job) for run in runs}


def test_every_accounts_jobs_stand_in_one_list_newest_first(
    shell: Shell, vendors: World, ordered: dict[str, str]
) -> None:
    assert shell("jobs", "--at", "all", "--json") == 0, shell.err
    assert {job["job"] for job in shell.document} >= set(ordered.values())
    created = [job["created"] for job in shell.document]
    assert created == sorted(created, reverse=True)
    assert {job["run"] for job in shell.document} == {None}
    assert shell("jobs", "--at", "all") == 0
    assert ordered["openai"] in shell.out


def test_a_job_of_a_run_here_is_named_after_it(shell: Shell, vendors: World, lessons: Lessons) -> None:
    flags = ["--student", STUDENTS["openai"], "--name", "mine", "--no-wait", *DAY]
    assert shell("distill", lessons(20, seed=92), *flags) == 0
    assert shell("jobs", "--at", "openai", "--json") == 0
    assert "mine" in {job["run"] for job in shell.document}


def test_one_vendors_trouble_exits_4_and_hides_no_others_jobs(
    shell: Shell, vendors: World, ordered: dict[str, str]
) -> None:
    vendors.openai.server.fail("GET /v1/fine_tuning/jobs", status=403, body=DENIED)
    assert shell("jobs", "--at", "openai", "--at", "bedrock", "--json") == 4
    assert ordered["bedrock"] in {job["job"] for job in shell.document}
    assert "openai could not be listed" in shell.err


def test_pages_follow_each_other(shell: Shell, vendors: World, ordered: dict[str, str]) -> None:
    assert shell("jobs", "--at", "all", "--json") == 0
    everything = [job["job"] for job in shell.document]
    paged: list[str] = []
    for _ in everything:
        after = ["--after", paged[-1]] if paged else []
        assert shell("jobs", "--at", "all", "--limit", "1", *after, "--json") == 0, shell.err
        assert f"--after {shell.document[0]['job']}" in shell.err
        paged += [job["job"] for job in shell.document]
    assert paged == everything


def test_filters_and_wrong_words(shell: Shell, vendors: World, ordered: dict[str, str]) -> None:
    assert shell("jobs", "--at", "all", "--since", "2100-01-01", "--json") == 0
    assert shell.document == []
    assert shell("jobs", "--at", "all", "--status", "cancelled") == 0
    assert "no such job" in shell.out
    assert shell("jobs", "--at", "all", "--status", "done") == 2
    assert shell("jobs", "--at", "azure") == 2
    assert shell("jobs", "--status", "ready") == 0


def test_services_are_asked_about_their_students(shell: Shell, vendors: World, lessons: Lessons) -> None:
    assert shell("platforms", "openai", "--ask", "--json") == 0
    said = shell.document[0]["asked"]
    assert said["gpt-4.1-mini-2025-04-14"].startswith("served")
    assert shell("platforms", "vertex", "--ask") == 0
    assert "has no way to be asked" in shell.out
    for platform in ("openai", "bedrock"):
        before = len(getattr(vendors, platform).server.requests)
        assert shell("check", lessons(20), "--student", STUDENTS[platform], "--ask", *DAY) == 0, shell.err
        assert len(getattr(vendors, platform).server.requests) == before + 1
