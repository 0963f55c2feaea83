"""The run store keeps what was intended and what came of it, and refuses what it cannot read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloudistill.core.errors import UsageError
from cloudistill.core.job import RunStatus
from cloudistill.pipeline.store import Store


def add(store: Store, name: str = "r") -> None:
    store.add(name, status=RunStatus.PLANNED, payer="p", order={"student": "openai:m"}, facts={"a": 1})


def test_a_run_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        add(store)
    with Store(tmp_path / "s.db") as store:
        record = store.get("r")
    assert (record.status, record.payer, record.order, record.facts) == (
        RunStatus.PLANNED,
        "p",
        {"student": "openai:m"},
        {"a": 1},
    )


def test_facts_are_merged_and_the_order_never_changes(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        add(store)
        record = store.update("r", status=RunStatus.WAITING, b=2)
    assert record.facts == {"a": 1, "b": 2}
    assert record.order == {"student": "openai:m"}


def test_steps_are_kept_in_order(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        add(store)
        store.note("r", "upload", "begun", role="training")
        store.note("r", "upload", "done", role="training")
        assert [(step.step, step.state) for step in store.steps("r")] == [("upload", "begun"), ("upload", "done")]


def test_an_unknown_run_is_an_error_that_names_the_newest(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        add(store, "known")
        with pytest.raises(UsageError, match="known"):
            store.get("unheard-of")


def test_only_the_owner_can_read_the_state(tmp_path: Path) -> None:
    with Store(tmp_path / "deep" / "s.db"):
        pass
    assert stat.S_IMODE((tmp_path / "deep" / "s.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "deep").stat().st_mode) == 0o700


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"this is somebody's letter, not a database, and long enough to have no header of one" * 20)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="cannot be used"):
        Store(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db"):
        pass
    engine = sa.create_engine(f"sqlite:///{tmp_path / 's.db'}")
    with engine.begin() as db:
        db.execute(sa.text("UPDATE cloudistill_meta SET value = '99'"))
    engine.dispose()
    with pytest.raises(UsageError, match="schema version 99"):
        Store(tmp_path / "s.db")


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.db").mkdir()
    with pytest.raises(UsageError):
        Store(tmp_path / "s.db")


def test_a_password_in_the_url_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        Store("nosuchdialect://user:opensesame@127.0.0.1:1/none")
    assert "opensesame" not in str(caught.value)


def test_a_database_url_does_as_well_as_a_path(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 's.db'}") as store:
        add(store)
    with Store(tmp_path / "s.db") as store:
        assert store.get("r").payer == "p"
