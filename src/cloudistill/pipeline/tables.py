"""The run store's tables, and how the database is opened so that what was committed survives a crash."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from cloudistill.core.errors import MissingExtra, UsageError

METADATA = sa.MetaData()
META = sa.Table(
    "cloudistill_meta",
    METADATA,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
RUNS = sa.Table(
    "cloudistill_runs",
    METADATA,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("updated", sa.String(40), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("payer", sa.Text, nullable=False),
    sa.Column("order", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
)
STEPS = sa.Table(
    "cloudistill_steps",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run", sa.String(200), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("step", sa.String(20), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)
INTENTS = sa.Table(
    "cloudistill_intents",
    METADATA,
    sa.Column("run", sa.String(200), primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("marker", sa.String(64), nullable=False),
    sa.Column("payer", sa.Text, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("sent", sa.String(40), nullable=False),
    sa.Column("ref", sa.Text),
)


def shown(where: str) -> str:
    """The store's place without a password."""
    return re.sub(r"//[^@/]*@", "//…@", where)


def engine(where: str) -> Engine:
    """The database at a path or URL, made to keep what it was told.

    Raises:
        UsageError: the path cannot be written, or the URL is none.
        MissingExtra: the database's driver is not installed.
    """
    if "://" in where:
        return _engine_by_url(where)
    path = Path(where)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the run store {where} cannot be written: {error.strerror}") from error
    made = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30}, poolclass=NullPool)
    event.listen(made, "connect", _durable)
    event.listen(made, "begin", _begin)
    return made


def _engine_by_url(url: str) -> Engine:
    try:
        return sa.create_engine(url, isolation_level="SERIALIZABLE")
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the run store {shown(url)} needs a driver: pip install {error.name}") from error
    except ArgumentError as error:
        raise UsageError(f"the run store {shown(url)} is not a database URL: {error}") from error


def _begin(connection: Connection) -> None:
    """Take the write lock at once, so that two processes cannot both read first and write afterwards."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _durable(connection: Any, _record: Any) -> None:
    """A committed intent survives a crash of the machine; transactions start where we say, not at first write."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()
