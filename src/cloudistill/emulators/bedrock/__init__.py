"""Amazon Bedrock on loopback: tuning, deployments and Converse, with S3, STS and IAM by moto beside it."""

from __future__ import annotations

import json
import logging
import re
from typing import Any
from uuid import uuid4

from botocore.model import OperationModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from cloudistill.emulators.bedrock.control import Control
from cloudistill.emulators.bedrock.jobs import Deployment, Job
from cloudistill.emulators.bedrock.models import EAST
from cloudistill.emulators.bedrock.runtime import Runtime
from cloudistill.emulators.bedrock.shapes import Refused, Service, read, write
from cloudistill.emulators.bedrock.storage import ACCESS_KEY, BUCKETS, SECRET_KEY, Storage
from cloudistill.emulators.clock import Clock
from cloudistill.emulators.server import Receive, Scope, Send, Server
from cloudistill.emulators.teacher import Teacher

_LOG = logging.getLogger(__name__)
_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/"
)


class BedrockEmulator:
    """The emulated Bedrock, one account in every region. Regions keep their records apart, as AWS does."""

    def __init__(self, *, clock: Clock, teacher: Teacher) -> None:
        self.storage = Storage()
        self._control = Control(clock, self.storage, teacher)
        self._runtime = Runtime(self._control, teacher)
        self._services = (Service("bedrock"), Service("bedrock-runtime"))
        self._statuses = {code: status for service in self._services for code, status in service.statuses.items()}
        self.server = Server(self._app, "bedrock")

    @property
    def jobs(self) -> list[Job]:
        """Every tuning job that was ever taken, in all regions, oldest first: each was paid for."""
        return self._control.jobs

    @property
    def deployments(self) -> list[Deployment]:
        """Every deployment there is, in all regions."""
        return self._control.remaining()

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point stock AWS SDKs, and cloudistill, here. Known once started."""
        moto = {f"AWS_ENDPOINT_URL_{service}": self.storage.url for service in ("S3", "STS", "IAM")}
        return moto | {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": EAST,
            "AWS_DEFAULT_REGION": EAST,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_BEDROCK": self.server.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.server.url,
            "CLOUDISTILL_BEDROCK_BUCKET": BUCKETS[EAST],
            "CLOUDISTILL_BEDROCK_ROLE_ARN": self.storage.role_arn,
        }

    def start(self) -> None:
        """Serve until `stop`."""
        self.storage.start()
        self.server.start()

    def stop(self) -> None:
        """Close both ports."""
        self.server.stop()
        self.storage.stop()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = await run_in_threadpool(self._respond, request, body)
        response.headers["x-amzn-requestid"] = str(uuid4())
        await response(scope, receive, send)

    def _respond(self, request: Request, body: bytes) -> Response:
        raw_path = request.scope["raw_path"].partition(b"?")[0].decode("ascii", "replace")
        try:
            region = _region(request.headers.get("authorization"))
            operation, path = self._route(request.method, raw_path)
            said = read(operation, path, request.query_params, body)
            answer, headers = self._call(operation.name, region, said)
        except Refused as refused:
            return self._refusal(refused)
        except Exception:
            _LOG.exception("the emulated Bedrock broke at %s %s", request.method, raw_path)
            return self._refusal(Refused("InternalServerException", "The emulator broke; its log says where."))
        content = json.dumps(write(answer, operation.output_shape), ensure_ascii=False)
        return Response(content, operation.http["responseCode"], headers, "application/json")

    def _route(self, method: str, raw_path: str) -> tuple[OperationModel, dict[str, str]]:
        for service in self._services:
            if found := service.route(method, raw_path):
                return found
        raise Refused("UnknownOperationException", f"No operation is at {method} {raw_path}", 404)

    def _call(self, name: str, region: str, said: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        if name == "Converse":
            return self._runtime.converse(region, said)
        if handler := self._control.handlers.get(name):
            return handler(region, said), {}
        raise Refused("UnknownOperationException", f"{name} is real, but this emulator does not offer it", 501)

    def _refusal(self, refused: Refused) -> Response:
        status = self._statuses.get(refused.code, refused.status)
        headers = {"x-amzn-errortype": f"{refused.code}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
        return Response(json.dumps({"message": refused.message}), status, headers, "application/json")


def _region(authorization: str | None) -> str:
    """The region a request is signed for. The signature itself is not verified; whose key it is, is."""
    if not authorization:
        raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    credential = _CREDENTIAL.match(authorization)
    if credential is None:
        raise Refused("AccessDeniedException", "Authentication failed: please make sure your API Key is valid.")
    if credential["service"] != "bedrock":
        raise Refused("InvalidSignatureException", "Credential should be scoped to correct service: 'bedrock'.", 403)
    if credential["key"] != ACCESS_KEY and not credential["key"].startswith("ASIA"):
        raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.", 403)
    return credential["region"]
