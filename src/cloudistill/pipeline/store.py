"""The run store: what was intended before each paid call and what came of it, in SQLite or by any SQLAlchemy URL.

Ids, fingerprints and settings only: no prompt, no answer, no secret.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from cloudistill.core.errors import RunConflict, UsageError
from cloudistill.core.job import RunStatus
from cloudistill.pipeline.tables import INTENTS, META, METADATA, RUNS, STEPS, engine, shown

SCHEMA_VERSION = 1
DEFAULT_STATE = Path(".cloudistill") / "state.db"
IntentState = Literal["sending", "confirmed", "refused", "unconfirmed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run as it is stored. `order` is what this attempt was asked for; `facts` is what is known since."""

    name: str
    status: RunStatus
    attempt: int = 1
    payer: str
    order: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A paid order: recorded before it is sent, settled afterwards. `sent` is when it was last about to be sent."""

    run: str
    kind: str
    attempt: int
    marker: str
    payer: str
    spec: dict[str, Any]
    state: IntentState
    sent: datetime
    ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a run's history."""

    step: str
    state: str
    at: datetime
    attempt: int
    detail: dict[str, Any]


class Store:
    """All runs. Every method is one durable transaction."""

    def __init__(self, where: str | Path | None = None) -> None:
        self.where = str(where or os.environ.get("CLOUDISTILL_STATE") or DEFAULT_STATE)
        self._engine = engine(self.where)
        self._prepare()

    @property
    def folder(self) -> Path:
        """Where files that belong to runs lie: beside the SQLite file, or in `.cloudistill` here."""
        return DEFAULT_STATE.parent if "://" in self.where else Path(self.where).parent

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self) -> None:
        with self._writing() as db:
            METADATA.create_all(db)
            found = db.scalar(sa.select(META.c.value).where(META.c.key == "schema"))
            if found is None:
                db.execute(META.insert().values(key="schema", value=str(SCHEMA_VERSION)))
            elif found != str(SCHEMA_VERSION):
                raise UsageError(
                    f"{shown(self.where)} has schema version {found}, this cloudistill writes {SCHEMA_VERSION}: "
                    "use the cloudistill that wrote it, or another file by CLOUDISTILL_STATE"
                )

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        try:
            with self._engine.begin() as db:
                yield db
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise UsageError(f"the run store {shown(self.where)} cannot be used: {error.orig}") from error

    # -- runs

    def add(self, name: str, *, status: RunStatus, payer: str, order: dict[str, Any], facts: dict[str, Any]) -> Record:
        """Record a new run.

        Raises:
            RunConflict: another process has recorded one of that name in the meantime.
        """
        now = _now()
        row = {"name": name, "created": now, "updated": now, "status": status, "attempt": 1, "payer": payer}
        try:
            with self._writing() as db:
                db.execute(RUNS.insert().values(**row, order=json.dumps(order), facts=json.dumps(facts)))
        except IntegrityError as error:
            raise RunConflict(
                f"another process has just begun run {name!r}: let it finish, then run this again"
            ) from error
        return self.get(name)

    def find(self, name: str) -> Record | None:
        """The run of that name, or None."""
        with self._writing() as db:
            row = db.execute(sa.select(RUNS).where(RUNS.c.name == name)).mappings().first()
        return _record(row) if row else None

    def get(self, name: str) -> Record:
        """The run of that name.

        Raises:
            UsageError: there is none; the newest are listed.
        """
        found = self.find(name)
        if found is None:
            known = ", ".join(record.name for record in self.runs()[:5]) or "none"
            raise UsageError(f"no run is called {name!r} in {shown(self.where)}; the newest are: {known}")
        return found

    def runs(self) -> list[Record]:
        """Every run, newest first."""
        with self._writing() as db:
            rows = db.execute(sa.select(RUNS).order_by(RUNS.c.created.desc(), RUNS.c.name)).mappings().all()
        return [_record(row) for row in rows]

    def update(self, name: str, *, status: RunStatus | None = None, **facts: Any) -> Record:
        """Change a run's status, and merge `facts` into what is known of it."""
        with self._writing() as db:
            row = db.execute(sa.select(RUNS).where(RUNS.c.name == name).with_for_update()).mappings().one()
            changed = {
                "updated": _now(),
                "status": status or row["status"],
                "facts": json.dumps(json.loads(row["facts"]) | facts),
            }
            db.execute(RUNS.update().where(RUNS.c.name == name).values(**changed))
        return self.get(name)

    def restart(self, name: str, *, attempt: int, order: dict[str, Any], facts: dict[str, Any]) -> Record:
        """Begin another attempt: `facts` hold what the last one hands on; the rest of it stays in steps and intents."""
        row = {"attempt": attempt, "order": json.dumps(order), "facts": json.dumps(facts), "updated": _now()}
        with self._writing() as db:
            db.execute(RUNS.update().where(RUNS.c.name == name).values(**row, status=RunStatus.PLANNED))
        return self.get(name)

    # -- steps

    def note(self, run: str, step: str, state: str, **detail: Any) -> None:
        """Add a line to the run's history: before a step (`begun`) and after it (`done` or `failed`)."""
        with self._writing() as db:
            attempt = db.scalar(sa.select(RUNS.c.attempt).where(RUNS.c.name == run)) or 1
            row = {"run": run, "attempt": attempt, "step": step, "state": state, "at": _now()}
            db.execute(STEPS.insert().values(**row, detail=json.dumps(detail, default=str)))

    def steps(self, run: str) -> list[Step]:
        """The run's history, oldest first."""
        with self._writing() as db:
            rows = db.execute(sa.select(STEPS).where(STEPS.c.run == run).order_by(STEPS.c.id)).mappings().all()
        return [
            Step(
                step=row["step"],
                state=row["state"],
                at=datetime.fromisoformat(row["at"]),
                attempt=row["attempt"],
                detail=json.loads(row["detail"]),
            )
            for row in rows
        ]

    # -- intents

    def intent(self, run: str, kind: str, attempt: int) -> Intent | None:
        """The order of that kind and attempt, or None if none was ever intended."""
        with self._writing() as db:
            row = db.execute(sa.select(INTENTS).where(_which(run, kind, attempt))).mappings().first()
        return _intent(row) if row else None

    def intend(
        self,
        run: str,
        kind: str,
        attempt: int,
        *,
        marker: str,
        payer: str,
        spec: dict[str, Any],
        unless_changed_since: Intent | None,
    ) -> Intent:
        """Record an order durably before it is sent; a marker once recorded is never changed.

        Raises:
            RunConflict: another process has recorded or sent this order since `unless_changed_since` was read.
        """
        intent = Intent(
            run=run,
            kind=kind,
            attempt=attempt,
            marker=unless_changed_since.marker if unless_changed_since else marker,
            payer=payer,
            spec=spec,
            state="sending",
            sent=datetime.now(UTC),
        )
        row = {name: getattr(intent, name) for name in ("run", "kind", "attempt", "marker", "payer", "state")}
        row |= {"spec": json.dumps(spec), "sent": intent.sent.isoformat(), "ref": None}
        with self._writing() as db:
            known = db.execute(sa.select(INTENTS).where(_which(run, kind, attempt))).mappings().first()
            if (_intent(known) if known else None) != unless_changed_since:
                raise RunConflict(
                    f"another process is placing the {kind} order of run {run!r} at this moment: let it finish, "
                    "then run this again"
                )
            db.execute(INTENTS.delete().where(_which(run, kind, attempt)))
            db.execute(INTENTS.insert().values(**row))
        return intent

    def settle(self, intent: Intent, state: IntentState, ref: str | None = None) -> None:
        """Record what became of an order."""
        where = _which(intent.run, intent.kind, intent.attempt)
        with self._writing() as db:
            db.execute(INTENTS.update().where(where).values(state=state, ref=ref))

    def maker(self, model: str) -> Record | None:
        """The run that made `model`, or None if no run here did; the model behind a promoted checkpoint counts too."""
        made = ((record, record.facts) for record in self.runs())
        return next((record for record, facts in made if model in (facts.get("model"), facts.get("final_model"))), None)


def _which(run: str, kind: str, attempt: int) -> sa.ColumnElement[bool]:
    return sa.and_(INTENTS.c.run == run, INTENTS.c.kind == kind, INTENTS.c.attempt == attempt)


def _record(row: Any) -> Record:
    with _legible(f"run {row['name']!r}"):
        return Record(
            name=row["name"],
            status=RunStatus(row["status"]),
            attempt=row["attempt"],
            payer=row["payer"],
            order=_members(row["order"]),
            facts=_members(row["facts"]),
            created=datetime.fromisoformat(row["created"]),
            updated=datetime.fromisoformat(row["updated"]),
        )


def _intent(row: Any) -> Intent:
    values: dict[str, Any] = dict(row)
    with _legible(f"the {row['kind']} order of run {row['run']!r}"):
        values |= {"spec": _members(row["spec"]), "sent": datetime.fromisoformat(row["sent"])}
    return Intent(**values)


def _members(text: str) -> dict[str, Any]:
    value: Any = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError(f"{text[:40]!r} is not an object")
    return cast("dict[str, Any]", value)


@contextmanager
def _legible(what: str) -> Generator[None]:
    """Name what cannot be read: a damaged record is refused, never repaired by guessing."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise UsageError(f"the run store's record of {what} is damaged: {error}. Restore it from a backup") from error


def _now() -> str:
    return datetime.now(UTC).isoformat()
