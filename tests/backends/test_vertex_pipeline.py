"""Vertex's own distillation through the whole pipeline: from prompts to a student, and what is said once it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cloudistill import distill
from cloudistill.backends.vertex import VertexBackend
from cloudistill.core.errors import Refused
from cloudistill.emulators import World
from cloudistill.pipeline.store import Store

from .vertex_project import GEMINI, HOUR, OCTOBER, OPEN, PROMPTS, Desk, messages, project

Project = tuple[World, VertexBackend]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project(tmp_path_factory.mktemp("vertex")) as made:
        yield made


@pytest.fixture
def desk(running: Project, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(*running, request.node.name, tmp_path, monkeypatch)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"messages": messages(asked)}) + "\n" for asked, _ in PROMPTS), "utf-8")
    return path


def ordered(desk: Desk, prompts: Path, tmp_path: Path, pair: Any, today: date = OCTOBER) -> Any:
    student, teacher = pair
    return distill(
        prompts,
        student=str(student),
        teacher=str(teacher),
        method="native",
        name=desk.marker,
        wait=False,
        today=today,
        store=Store(f"sqlite:///{tmp_path / 'state.db'}"),
        backends=[desk.backend],
    )


@pytest.mark.parametrize("pair", [GEMINI, OPEN], ids=["gemini", "open"])
def test_prompts_become_a_student(desk: Desk, prompts: Path, tmp_path: Path, pair: Any) -> None:
    run = ordered(desk, prompts, tmp_path, pair)
    desk.world.clock.advance(HOUR)
    run.refresh()
    assert run.status == "ready", run
    assert run.model
    assert ("/endpoints/" in run.model.id) == (pair is GEMINI)


@pytest.mark.parametrize("pair", [GEMINI, OPEN], ids=["gemini", "open"])
def test_today_every_pair_is_refused_by_its_date_and_nothing_is_sent(
    desk: Desk, prompts: Path, tmp_path: Path, pair: Any
) -> None:
    before = desk.count("POST .*tuningJobs")
    with pytest.raises(Refused, match="no more since 2026-10-2") as refused:
        ordered(desk, prompts, tmp_path, pair, date(2026, 11, 24))
    assert "no pair of Google Vertex AI is live" in str(refused.value)
    assert desk.count("POST .*tuningJobs") == before
