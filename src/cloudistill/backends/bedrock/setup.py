"""An AWS account as jobs need it: session, clients, region, bucket and role, each named when it is missing."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.bedrock import errors
from cloudistill.backends.common import (
    checked_secret,
    host_of,
    missing,
    require_secure,
    require_tuned_in,
    setting,
    unusable,
)
from cloudistill.core.errors import PlatformError
from cloudistill.core.refs import ModelRef

if TYPE_CHECKING:
    import boto3

_ROLE = re.compile(r"arn:aws(?:-[^:]+)?:iam::[0-9]{12}:role/.+")
_BEARER = "AWS_BEARER_TOKEN_BEDROCK"


class Setup:
    """What was given, what the environment and AWS's own chain say, and what AWS says of it."""

    def __init__(
        self,
        *,
        session: boto3.Session | None = None,
        region: str | None = None,
        bucket: str | None = None,
        role_arn: str | None = None,
        timeout: float = 120.0,
    ) -> None:
        self._session = session
        self._region = region
        self._bucket = bucket
        self._role_arn = role_arn
        self._timeout = timeout
        self._lock = threading.RLock()
        self._clients: dict[str, Any] = {}

    @property
    def session(self) -> boto3.Session:
        """The session all clients come from."""
        with self._lock:
            if self._session is None:
                sdk, wrong = load_sdk("boto3", extra="bedrock"), load_sdk("botocore.exceptions", extra="bedrock")
                try:
                    self._session = cast("boto3.Session", sdk.Session(region_name=self._region))
                except wrong.ProfileNotFound as error:
                    raise missing("missing-credentials", f"{error}.", "Set AWS_PROFILE to one that exists.") from error
            return self._session

    @property
    def region(self) -> str:
        """Where jobs run and models are called."""
        return setting(
            self._region or self.session.region_name,
            "AWS_DEFAULT_REGION",
            rule="missing-region",
            message="There is no AWS region.",
            remedy="Set AWS_DEFAULT_REGION, or pass region=….",
        )

    @property
    def bucket(self) -> str:
        """Where training files and job output lie."""
        bucket = setting(
            self._bucket,
            "CLOUDISTILL_BEDROCK_BUCKET",
            rule="missing-bucket",
            message="There is no S3 bucket for training files.",
            remedy="Set CLOUDISTILL_BEDROCK_BUCKET to a bucket in the job's region, or pass bucket=….",
        )
        return bucket.removeprefix("s3://").rstrip("/")

    @property
    def role_arn(self) -> str:
        """The role that Bedrock assumes to read the bucket."""
        way_out = "Set CLOUDISTILL_BEDROCK_ROLE_ARN to arn:aws:iam::ACCOUNT:role/NAME, or pass role_arn=…."
        arn = setting(
            self._role_arn,
            "CLOUDISTILL_BEDROCK_ROLE_ARN",
            rule="missing-role",
            message="There is no IAM role for Bedrock to run the job as.",
            remedy=way_out,
        )
        if not _ROLE.fullmatch(arn):
            raise missing("malformed-role", f"{arn!r} is not the ARN of an IAM role.", way_out)
        return arn

    @property
    def role_name(self) -> str:
        """The role's name, without account and path."""
        return self.role_arn.rpartition("/")[2]

    def client(self, service: str) -> Any:
        """The SDK's client of a service, without retries. Raises MissingSetup without region or credentials."""
        with self._lock:
            if service not in self._clients:
                region = self.region
                self._require_credentials(service)
                config = load_sdk("botocore.config", extra="bedrock").Config(
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    connect_timeout=self._timeout,
                    read_timeout=self._timeout,
                )
                create = cast("Any", self.session).client
                made = create(service, region_name=region, config=config)
                require_secure(made.meta.endpoint_url, f"the endpoint of {service}")
                self._clients[service] = made
            return self._clients[service]

    def _require_credentials(self, service: str) -> None:
        token = os.environ.get(_BEARER)
        if token and service.startswith("bedrock"):
            checked_secret(token, _BEARER)
            return
        found = self.session.get_credentials()
        if found is None:
            raise missing(
                "missing-credentials",
                "There are no AWS credentials.",
                "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws login`.",
            )
        frozen = found.get_frozen_credentials()
        for secret, name in ((frozen.access_key, "AWS_ACCESS_KEY_ID"), (frozen.secret_key, "AWS_SECRET_ACCESS_KEY")):
            checked_secret(secret or "", name)

    def classify(self, error: Exception) -> PlatformError:
        """Name an SDK's exception in our tree."""
        return errors.classify(error)

    def account(self) -> str:
        """The AWS account whose credentials these are, by STS."""
        answer = self.client("sts").get_caller_identity()
        if not answer.get("Account"):
            raise unusable("bedrock", "GetCallerIdentity", answer)
        return answer["Account"]

    def payer(self) -> str:
        """`aws <account> <region> [<endpoint that is not AWS's>]`."""
        host = host_of(str(self.client("bedrock").meta.endpoint_url))
        elsewhere = [] if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else [host]
        return " ".join(["aws", self.account(), self.region, *elsewhere])

    def require_region(self, student: ModelRef) -> None:
        """Raise unless the student can be tuned where jobs run."""
        remedy = "Set AWS_DEFAULT_REGION={place}, and CLOUDISTILL_BEDROCK_BUCKET to a bucket there."
        require_tuned_in(self.region, student, kind="region", remedy=remedy)

    def check_bucket(self) -> None:
        """Raise unless the bucket can be reached and lies in the job's region."""
        bucket, s3 = self.bucket, self.client("s3")
        try:
            meta = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]
        except s3.exceptions.ClientError as error:
            self._require_same_region(error.response.get("ResponseMetadata", {}))
            raise
        self._require_same_region(meta)

    def _require_same_region(self, meta: Mapping[str, Any]) -> None:
        """Refuse a bucket outside the job's region: Bedrock would not read from it."""
        theirs = meta.get("HTTPHeaders", {}).get("x-amz-bucket-region")
        if theirs and theirs != self.region:
            raise missing(
                "bucket-in-another-region",
                f"The bucket {self.bucket!r} lies in {theirs}, jobs would run in {self.region}.",
                f"Set CLOUDISTILL_BEDROCK_BUCKET to a bucket in {self.region}.",
            )

    def check_role(self) -> None:
        """Raise unless the role exists."""
        self.client("iam").get_role(RoleName=self.role_name)
