"""The emulated services on the wire: the token endpoint, who may ask, and how answers and errors look."""

from __future__ import annotations

import json

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.vertex.call import NUMBER, PROJECT, Call, Routes
from cloudistill.emulators.vertex.errors import GoogleError, denied, unauthenticated
from cloudistill.emulators.vertex.identity import Identity


def build_app(routes: Routes, identity: Identity, clock: Clock) -> Starlette:
    """The application: `/token`, and everything of `routes` behind a bearer token."""

    async def token(request: Request) -> Response:
        status, body = identity.exchange(await request.body())
        return JSONResponse(body, status)

    async def serve(request: Request) -> Response:
        try:
            return await anyio.to_thread.run_sync(_answer, routes, identity, clock, request, await request.body())
        except GoogleError as error:
            return JSONResponse(error.body, error.http)

    methods = ["GET", "POST", "PATCH", "DELETE"]
    return Starlette(routes=[Route("/token", token, methods=["POST"]), Route("/{path:path}", serve, methods=methods)])


def _answer(routes: Routes, identity: Identity, clock: Clock, request: Request, body: bytes) -> Response:
    _check_bearer(request, identity)
    found = routes.find(request.method, request.url.path)
    if found is None:
        raise GoogleError("NOT_FOUND", "Method not found.")
    rule, pieces = found
    project, location = pieces["project"], pieces["location"]
    if project not in {PROJECT, NUMBER}:
        raise denied(rule.permission, f"projects/{project}/locations/{location}")
    call = Call(
        version=pieces["version"],
        location=location,
        id=pieces.get("id", ""),
        query=request.query_params,
        body=body,
        now=clock.now(),
    )
    answer = rule.handler(call)
    if isinstance(answer, list) and request.query_params.get("alt") == "sse":
        events = "".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\r\n\r\n" for chunk in answer)
        return Response(events, media_type="text/event-stream", headers=call.headers)
    return JSONResponse(answer, headers=call.headers)


def _check_bearer(request: Request, identity: Identity) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated(missing=True)
    if not identity.knows(token):
        raise unauthenticated(missing=False)
