"""The emulated OpenAI on loopback, from its documents: files, models, tuning jobs that really train, and chat."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.openai.api import Asked, Handler, Refusal
from cloudistill.emulators.openai.chat import Chat
from cloudistill.emulators.openai.files import Files
from cloudistill.emulators.openai.job import Job
from cloudistill.emulators.openai.jobs import Jobs
from cloudistill.emulators.openai.models import OWNER, Models
from cloudistill.emulators.openai.uploads import Uploads
from cloudistill.emulators.server import Server
from cloudistill.emulators.teacher import Teacher

API_KEY = "sk-emulated-openai-not-a-secret"


class OpenAIEmulator:
    """OpenAI's API under /v1 on a loopback port. `environment` points the stock SDK at it; `server` plays faults."""

    def __init__(self, *, clock: Clock, teacher: Teacher) -> None:
        self.models = Models(clock)
        self.files = Files(clock)
        self.uploads = Uploads(clock, self.files)
        self._jobs = Jobs(clock, self.files, self.models)
        self._chat = Chat(clock, teacher, self.models)
        app = Starlette(routes=self._routes(), exception_handlers={HTTPException: _outside})
        self.server = Server(app, "openai")
        self.environment = {"OPENAI_BASE_URL": f"{self.server.url}/v1", "OPENAI_API_KEY": API_KEY}

    @property
    def jobs(self) -> list[Job]:
        """Every tuning job that was ever taken, oldest first: each was paid for."""
        return self._jobs.made

    def start(self) -> None:
        """Serve until `stop`."""
        self.server.start()

    def stop(self) -> None:
        """Close the port."""
        self.server.stop()

    def _routes(self) -> list[Route]:
        files, uploads, models, jobs, chat = self.files, self.uploads, self.models, self._jobs, self._chat
        served: list[tuple[str, str, Handler]] = [
            ("POST", "/files", files.create),
            ("GET", "/files", files.list),
            ("GET", "/files/{file}", files.retrieve),
            ("DELETE", "/files/{file}", files.delete),
            ("GET", "/files/{file}/content", files.content),
            ("POST", "/uploads", uploads.create),
            ("POST", "/uploads/{upload}/parts", uploads.add_part),
            ("POST", "/uploads/{upload}/complete", uploads.complete),
            ("POST", "/uploads/{upload}/cancel", uploads.cancel),
            ("GET", "/models", self._settled(models.list)),
            ("GET", "/models/{model:path}", self._settled(models.retrieve)),
            ("DELETE", "/models/{model:path}", self._settled(models.delete)),
            ("POST", "/fine_tuning/jobs", jobs.create),
            ("GET", "/fine_tuning/jobs", jobs.list),
            ("GET", "/fine_tuning/jobs/{job}", jobs.retrieve),
            ("POST", "/fine_tuning/jobs/{job}/cancel", jobs.cancel),
            ("POST", "/fine_tuning/jobs/{job}/pause", jobs.pause),
            ("POST", "/fine_tuning/jobs/{job}/resume", jobs.resume),
            ("GET", "/fine_tuning/jobs/{job}/events", jobs.events),
            ("GET", "/fine_tuning/jobs/{job}/checkpoints", jobs.checkpoints),
            ("POST", "/chat/completions", chat.complete),
        ]
        return [Route(f"/v1{path}", _endpoint(handler), methods=[method]) for method, path, handler in served]

    def _settled(self, handler: Handler) -> Handler:
        """`handler`, after every job has come to where the clock says it is."""

        def answer(asked: Asked) -> Response:
            self._jobs.settle()
            return handler(asked)

        return answer


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """`handler` for known callers, in a thread, because training takes seconds."""

    async def answer(request: Request) -> Response:
        try:
            _authenticate(request.headers.get("authorization"))
            response = await to_thread.run_sync(handler, await Asked.read(request))
        except Refusal as refusal:
            response = refusal.response()
        return _signed(response)

    return answer


def _authenticate(header: str | None) -> None:
    if not header or not header.startswith("Bearer "):
        raise Refusal(
            "You didn't provide an API key. Use it as a Bearer token in the Authorization header.", status=401
        )
    key = header.removeprefix("Bearer ")
    if key != API_KEY:
        hidden = f"{key[:3]}{'*' * 8}{key[-4:]}"
        message = f"Incorrect API key provided: {hidden}. The emulator's key is in its environment."
        raise Refusal(message, status=401, code="invalid_api_key")


def _signed(response: Response) -> Response:
    response.headers["x-request-id"] = f"req_{uuid.uuid4().hex}"
    response.headers["openai-organization"] = OWNER
    return response


async def _outside(request: Request, error: Exception) -> Response:
    """What the routes do not know, and bodies that are not what their headers say."""
    status, allowed = 400, "other"
    if isinstance(error, HTTPException):
        status, allowed = error.status_code, (error.headers or {}).get("Allow", allowed)
    match status:
        case 404:
            refusal = Refusal(f"Invalid URL ({request.method} {request.url.path})", status=404)
        case 405:
            refusal = Refusal(f"Only {allowed} requests are accepted.", status=405, code="method_not_supported")
        case _:
            refusal = Refusal("We could not read the body of your request.", status=status)
    return _signed(refusal.response())
