"""Amazon Bedrock over boto3: files in S3, customization jobs, on-demand deployments, Converse."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from cloudistill.backends.backend import Answer, Request, load_sdk
from cloudistill.backends.bedrock import answers, errors, orders, preflight
from cloudistill.backends.common import RENDERING, Findings, checked_secret, missing, unusable
from cloudistill.core.errors import NotFound, PermissionDenied, PlatformError, UsageError
from cloudistill.core.job import Deployment, Job, JobSpec, JobStatus
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    import boto3

_ROLE = re.compile(r"arn:aws(?:-[^:]+)?:iam::[0-9]{12}:role/.+")
_BEARER = "AWS_BEARER_TOKEN_BEDROCK"


class BedrockBackend:
    """S3, the Bedrock control plane and its runtime, in one region.

    Args:
        session: a ready `boto3.Session`; else the SDK's own chain makes one.
        region: else the session's (`AWS_DEFAULT_REGION`, the profile).
        bucket: for training files and job output; else `CLOUDISTILL_BEDROCK_BUCKET`. In the job's region.
        role_arn: the role the job runs as; else `CLOUDISTILL_BEDROCK_ROLE_ARN`.
        timeout: seconds to wait for a connection, and for each part of an answer.
    """

    platform = "bedrock"
    idempotent = True

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

    # -- setup

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
        region = self._region or self.session.region_name
        if not region:
            raise missing("missing-region", "There is no AWS region.", "Set AWS_DEFAULT_REGION, or pass region=….")
        return region

    @property
    def bucket(self) -> str:
        """Where training files and job output lie."""
        bucket = self._bucket or os.environ.get("CLOUDISTILL_BEDROCK_BUCKET")
        if not bucket:
            raise missing(
                "missing-bucket",
                "There is no S3 bucket for training files.",
                "Set CLOUDISTILL_BEDROCK_BUCKET to a bucket in the job's region, or pass bucket=….",
            )
        return bucket.removeprefix("s3://").rstrip("/")

    @property
    def role_arn(self) -> str:
        """The role that Bedrock assumes to read the bucket."""
        arn = self._role_arn or os.environ.get("CLOUDISTILL_BEDROCK_ROLE_ARN")
        way_out = "Set CLOUDISTILL_BEDROCK_ROLE_ARN to arn:aws:iam::ACCOUNT:role/NAME, or pass role_arn=…."
        if not arn:
            raise missing("missing-role", "There is no IAM role for Bedrock to run the job as.", way_out)
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
                self._clients[service] = create(service, region_name=region, config=config)
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
        host = urlsplit(str(self.client("bedrock").meta.endpoint_url)).netloc
        elsewhere = [] if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else [host]
        return " ".join(["aws", self.account(), self.region, *elsewhere])

    def preflight(self, student: ModelRef | None = None) -> Findings:
        """Region, credentials, the student's region, the bucket, the role."""
        return preflight.findings(self, student)

    def require_region(self, student: ModelRef) -> None:
        """Raise unless the student can be tuned where jobs run."""
        model = load("bedrock").model(student.id)
        if model and model.regions and self.region not in model.regions:
            raise missing(
                "wrong-region",
                f"{student.id} is not tuned in {self.region}, only in {', '.join(model.regions)}.",
                f"Set AWS_DEFAULT_REGION={model.regions[0]}, and CLOUDISTILL_BEDROCK_BUCKET to a bucket there.",
            )

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

    # -- training

    def upload(self, path: Path, *, fingerprint: str, name: str) -> FileRef:  # noqa: ARG002
        """Store a training file under its content's name; what is there already is not sent again."""
        self.check_bucket()
        bucket, key, s3 = self.bucket, f"cloudistill/{fingerprint}.jsonl", self.client("s3")
        if not self._is_stored(key, path.stat().st_size, fingerprint):
            with path.open("rb") as stream:
                extra = {"Metadata": {"sha256": fingerprint}, "ChecksumAlgorithm": "CRC32"}
                s3.upload_fileobj(stream, bucket, key, ExtraArgs=extra)
        return FileRef("bedrock", f"s3://{bucket}/{key}")

    def _is_stored(self, key: str, size: int, fingerprint: str) -> bool:
        s3 = self.client("s3")
        try:
            head = s3.head_object(Bucket=self.bucket, Key=key)
        except s3.exceptions.ClientError as error:
            named = self.classify(error)
            if isinstance(named, (NotFound, PermissionDenied)):  # without s3:ListBucket an absent key is denied
                return False
            raise
        return head.get("ContentLength") == size and head.get("Metadata", {}).get("sha256") == fingerprint

    def submit(self, spec: JobSpec) -> Job:
        """Send the paid order, exactly one request; its answer holds no status yet."""
        self.require_region(spec.student)
        bedrock = self.client("bedrock")
        legal = bedrock.meta.service_model.operation_model("CreateModelCustomizationJob").input_shape.members
        request = orders.create_request(spec, role_arn=self.role_arn, bucket=self.bucket, legal=legal)
        answer = bedrock.create_model_customization_job(**request)
        if not answer.get("jobArn"):
            raise unusable("bedrock", "CreateModelCustomizationJob", answer, request_id=answers.request_id(answer))
        return Job(
            ref=JobRef("bedrock", answer["jobArn"]),
            status=JobStatus.PENDING,
            native_status="",
            base=spec.student.id,
            marker=spec.marker,
            run=spec.run,
        )

    def find(self, spec: JobSpec) -> Job | None:
        """The job named after the order's marker."""
        try:
            return self.poll(JobRef("bedrock", orders.name_of(spec)))
        except self.client("bedrock").exceptions.ResourceNotFoundException:
            return None

    def poll(self, ref: JobRef) -> Job:
        """One GET."""
        found = self.client("bedrock").get_model_customization_job(jobIdentifier=ref.id)
        job = orders.to_job(found, "GetModelCustomizationJob")
        if ref.id not in (job.ref.id, found.get("jobName")):
            raise unusable("bedrock", f"GetModelCustomizationJob {ref.id}", job.ref)
        return job

    def cancel(self, ref: JobRef) -> None:
        """Ask Bedrock to stop the job."""
        self.client("bedrock").stop_model_customization_job(jobIdentifier=ref.id)

    def list(self) -> Iterator[Job]:
        """The account's customization jobs in this region, newest first, page by page."""
        asked = "ListModelCustomizationJobs"
        ask = self.client("bedrock").list_model_customization_jobs
        for found in _all(ask, "modelCustomizationJobSummaries", asked, sortBy="CreationTime", sortOrder="Descending"):
            yield orders.to_job(found, asked)

    # -- deployment

    def deploy(self, spec: JobSpec, model: ModelRef) -> Deployment:
        """Send the order for an on-demand deployment, exactly one request; its answer holds no status yet."""
        answer = self.client("bedrock").create_custom_model_deployment(
            modelDeploymentName=orders.name_of(spec),
            modelArn=model.id,
            clientRequestToken=f"{spec.marker}-deploy",
            tags=orders.as_tags(spec),
        )
        arn = answer.get("customModelDeploymentArn")
        if not arn:
            raise unusable("bedrock", "CreateCustomModelDeployment", answer, request_id=answers.request_id(answer))
        return Deployment(ref=ModelRef("bedrock", arn), status=JobStatus.PENDING, native_status="")

    def find_deployment(self, spec: JobSpec, model: ModelRef) -> Deployment | None:
        """The deployment of `model` named after the order's marker."""
        asked, name = "ListCustomModelDeployments", orders.name_of(spec)
        ask = self.client("bedrock").list_custom_model_deployments
        for found in _all(ask, "modelDeploymentSummaries", asked, nameContains=name, modelArnEquals=model.id):
            if found.get("customModelDeploymentName") == name:
                return orders.to_deployment(found, asked)
        return None

    def poll_deployment(self, ref: ModelRef) -> Deployment:
        """One GET."""
        found = self.client("bedrock").get_custom_model_deployment(customModelDeploymentIdentifier=ref.id)
        return orders.to_deployment(found, "GetCustomModelDeployment")

    # -- answering

    def rendering_of(self, model: ModelRef) -> str | None:
        """How the student was trained to see tools, by the tag on its deployment; None for a base model.

        Raises:
            UsageError: a deployment that carries no tag of ours.
        """
        if ":custom-model-deployment/" not in model.id:
            return None
        found = self.client("bedrock").list_tags_for_resource(resourceARN=model.id).get("tags", [])
        rendering = next((tag["value"] for tag in found if tag["key"] == RENDERING), None)
        if rendering is None:
            raise UsageError(
                f"{model} does not say how it was trained to see tools: pass --rendering text or tool-config"
            )
        return rendering

    def generate(self, model: ModelRef, request: Request) -> Answer:
        """Ask `model` by Converse. A student trained on tools as text is shown them as text."""
        return answers.answer(self.client("bedrock-runtime"), model, request)


def _all(ask: Any, key: str, asked: str, **query: Any) -> Iterator[Mapping[str, Any]]:
    """Every summary of every page; a page without its list is no absence, but a body the SDK could not read."""
    while True:
        page = ask(**query)
        if key not in page:
            raise unusable("bedrock", asked, page, request_id=answers.request_id(page))
        yield from page[key]
        if not page.get("nextToken"):
            return
        query["nextToken"] = page["nextToken"]
