"""Acme on loopback: a tune takes ten minutes of its clock, and the student repeats the answers it was shown."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.server import Server

KEY = "acme-emulated"
PAGE = 20
BASE = "acorn-1"
QUEUE, WORK = 1, 9  # minutes


@dataclass
class Tune:
    """One job."""

    id: str
    order: dict[str, Any]
    created: datetime
    lessons: dict[str, str]
    stopped: bool = False

    def state(self, now: datetime) -> str:
        """Acme's word for it."""
        minutes = (now - self.created).total_seconds() / 60
        if self.stopped:
            return "stopped"
        return "waiting" if minutes < QUEUE else "working" if minutes < QUEUE + WORK else "done"

    def shown(self, now: datetime) -> dict[str, Any]:
        """Acme's object."""
        known = {"id": self.id, "state": self.state(now), "created": self.created.isoformat()}
        model = {"model": f"tuned-{self.id}"} if known["state"] == "done" else {}
        return known | {"base": self.order["base"], "labels": self.order["labels"]} | model


@dataclass
class AcmeEmulator:
    """The account: files by their content, tunes by their key. `server` counts requests and plays faults."""

    clock: Clock = field(default_factory=Clock)
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    tunes: dict[str, Tune] = field(default_factory=dict[str, Tune])

    def __post_init__(self) -> None:
        routes = [
            Route("/v1/files/{name}", self.keep, methods=["PUT"]),
            Route("/v1/files/{name}", self.kept, methods=["HEAD"]),
            Route("/v1/tunes", self.begin, methods=["POST"]),
            Route("/v1/tunes", self.every),
            Route("/v1/tunes/{id}", self.one),
            Route("/v1/tunes/{id}/stop", self.stop, methods=["POST"]),
            Route("/v1/ask", self.ask, methods=["POST"]),
        ]
        self.server = Server(Starlette(routes=routes))

    @property
    def environment(self) -> dict[str, str]:
        """What points the backend here."""
        return {"ACME_BASE_URL": self.server.url, "ACME_API_KEY": KEY}

    async def keep(self, request: Request) -> Response:
        """Store a file."""
        self.files[request.path_params["name"]] = await request.body()
        return JSONResponse({})

    async def kept(self, request: Request) -> Response:
        """Whether a file is stored."""
        return Response(status_code=200 if request.path_params["name"] in self.files else 404)

    async def begin(self, request: Request) -> Response:
        """Take an order, once."""
        order, once = await request.json(), request.headers["once"]
        if order["base"] != BASE or order["file"] not in self.files:
            return problem(404, "not_here", f"there is no {order['base']} or no {order['file']}")
        rows = [json.loads(line)["turns"] for line in self.files[order["file"]].splitlines()]
        lessons = {row[-2]["says"]: row[-1]["says"] for row in rows}
        tune = Tune(f"t-{len(self.tunes):05}", order, self.clock.now(), lessons)
        return JSONResponse(self.tunes.setdefault(once, tune).shown(self.clock.now()))

    async def every(self, request: Request) -> Response:
        """A page of tunes, newest first."""
        newest = sorted(self.tunes.values(), key=lambda tune: tune.id, reverse=True)
        after = request.query_params.get("after", "")
        left = [tune for tune in newest if not after or tune.id < after]
        page, more = left[:PAGE], len(left) > PAGE
        shown = [tune.shown(self.clock.now()) for tune in page]
        return JSONResponse({"tunes": shown, "next": page[-1].id if more else None})

    async def one(self, request: Request) -> Response:
        """One tune."""
        found = self._tune(request)
        return JSONResponse(found.shown(self.clock.now())) if found else problem(404, "not_here", "no such tune")

    async def stop(self, request: Request) -> Response:
        """Stop a tune."""
        found = self._tune(request)
        if found is None or found.state(self.clock.now()) == "done":
            return problem(400, "too_late", "there is nothing to stop")
        found.stopped = True
        return JSONResponse(found.shown(self.clock.now()))

    def _tune(self, request: Request) -> Tune | None:
        return next((tune for tune in self.tunes.values() if tune.id == request.path_params["id"]), None)

    async def ask(self, request: Request) -> Response:
        """A student's answer, or the base's."""
        asked = await request.json()
        tuned = {f"tuned-{tune.id}": tune.lessons for tune in self.tunes.values()}
        if asked["model"] != BASE and asked["model"] not in tuned:
            return problem(404, "not_here", f"there is no {asked['model']}")
        says = tuned.get(asked["model"], {}).get(asked["turns"][-1]["says"], "I do not know.").split()
        short = list(itertools.islice(says, asked.get("limit")))
        stopped = "limit" if len(short) < len(says) else "end"
        return JSONResponse({"says": " ".join(short), "stopped": stopped, "read": 9, "written": len(short)})


def problem(status: int, code: str, words: str) -> Response:
    """Acme's error object."""
    return JSONResponse({"problem": code, "words": words}, status)
