"""Amazon Bedrock over boto3: files in S3, customization and distillation jobs, on-demand deployments, Converse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cloudistill.backends.backend import Answer, Request, load_sdk
from cloudistill.backends.bedrock import answers, offers, orders, preflight, removal, reports, rules
from cloudistill.backends.bedrock.outputs import Outputs
from cloudistill.backends.bedrock.setup import Setup
from cloudistill.backends.common import RENDERING, Findings, Metrics, unusable
from cloudistill.backends.pages import every
from cloudistill.core.errors import NotFound, PermissionDenied, UsageError
from cloudistill.core.job import Deployment, Job, JobEvent, JobSpec, JobStatus, Offer, PromptReport
from cloudistill.core.refs import FileRef, JobRef, ModelRef


class BedrockBackend(Setup):
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

    def preflight(self, student: ModelRef | None = None) -> Findings:
        """Region, credentials, the student's region, the bucket, the role."""
        return preflight.findings(self, student)

    # -- training

    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        """Store a training file under its content's name; what is there already is not sent again."""
        self.check_bucket()
        bucket, key, s3 = self.bucket, f"cloudistill/{fingerprint}.jsonl", self.client("s3")
        if not self._is_stored(key, path.stat().st_size, fingerprint):
            sdk = load_sdk("boto3.s3.transfer", extra="bedrock")
            extra = {"Metadata": {"sha256": fingerprint}, "ChecksumAlgorithm": "CRC32"}
            with sdk.create_transfer_manager(s3, sdk.TransferConfig()) as manager:  # of a path no part lies in memory
                manager.upload(str(path), bucket, key, extra_args=extra).result()
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

    def accepts(self, spec: JobSpec) -> None:
        """Refuse what Bedrock's create request has no place for."""
        self._create_request(spec)

    def _create_request(self, spec: JobSpec) -> dict[str, Any]:
        self.require_region(spec.student)
        model = self.client("bedrock").meta.service_model
        shape = model.operation_model("CreateModelCustomizationJob").input_shape
        request = orders.create_request(spec, role_arn=self.role_arn, bucket=self.bucket, legal=shape.members)
        rules.require(request, shape)
        return request

    def submit(self, spec: JobSpec) -> Job:
        """Send the paid order, exactly one request; its answer holds no status yet."""
        answer = self.client("bedrock").create_model_customization_job(**self._create_request(spec))
        if not str(answer.get("jobArn")).startswith("arn:"):
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
        return orders.to_job(self._described(ref), "GetModelCustomizationJob")

    def _described(self, ref: JobRef) -> Mapping[str, Any]:
        found = self.client("bedrock").get_model_customization_job(jobIdentifier=ref.id)
        if ref.id not in (found.get("jobArn"), found.get("jobName")):
            asked = f"GetModelCustomizationJob {ref.id}"
            raise unusable("bedrock", asked, dict(found), request_id=answers.request_id(found))
        return found

    def cancel(self, ref: JobRef) -> None:
        """Ask Bedrock to stop the job."""
        self.client("bedrock").stop_model_customization_job(jobIdentifier=ref.id)

    def list(self) -> Iterator[Job]:
        """The account's customization jobs in this region, newest first, page by page."""
        asked = "ListModelCustomizationJobs"
        ask = self.client("bedrock").list_model_customization_jobs
        for found in _all(ask, "modelCustomizationJobSummaries", asked, sortBy="CreationTime", sortOrder="Descending"):
            yield orders.to_job(found, asked)

    # -- how a job goes

    def events(self, ref: JobRef) -> Iterator[JobEvent]:
        """The order, each stage's begin and last change, the end and why it failed, oldest first."""
        yield from reports.events(self._described(ref))

    def metrics(self, ref: JobRef) -> Metrics:
        """What the job's CSV files say, step by step; else its last losses as step 1, once Bedrock tells them."""
        found = self._described(ref)
        return reports.metrics(found, Outputs(self.client("s3"), found))

    def prompt_report(self, ref: JobRef) -> PromptReport | None:
        """Which prompts were taken, as far as the files beside the student say; None while they say nothing."""
        return reports.prompt_report(Outputs(self.client("s3"), self._described(ref)))

    # -- what is stored, trained, offered

    def delete_file(self, ref: FileRef) -> None:
        """Remove a file that was uploaded or left under `cloudistill/` in our bucket; any other is refused."""
        self.client("s3").delete_object(Bucket=self.bucket, Key=removal.key_of(ref, self.bucket))

    def delete_model(self, ref: ModelRef) -> None:
        """Remove a custom model and the deployments of it.

        The model is named by its own ref: once a deployment is gone, nobody could say any more which model it served.

        Raises:
            UsageError: it is a deployment, or a foundation model.
            ServiceTrouble: a deployment is still being deleted; ask again.
        """
        removal.require_ours(ref)
        removal.remove_model(self.client("bedrock"), ref.id, self._deployments)

    def _deployments(self, model: str, **query: Any) -> Iterator[Mapping[str, Any]]:
        ask = self.client("bedrock").list_custom_model_deployments
        return _all(ask, "modelDeploymentSummaries", "ListCustomModelDeployments", modelArnEquals=model, **query)

    def offer(self, model: ModelRef) -> Offer:
        """What ListFoundationModels says of a foundation model or a profile of it, in this region."""
        answer = self.client("bedrock").list_foundation_models()
        if "modelSummaries" not in answer:
            raise unusable("bedrock", "ListFoundationModels", answer, request_id=answers.request_id(answer))
        return offers.offer(answer["modelSummaries"], model, self.region)

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
        if not str(arn).startswith("arn:"):
            raise unusable("bedrock", "CreateCustomModelDeployment", answer, request_id=answers.request_id(answer))
        return Deployment(ref=ModelRef("bedrock", arn), status=JobStatus.PENDING, native_status="")

    def find_deployment(self, spec: JobSpec, model: ModelRef) -> Deployment | None:
        """The deployment of `model` named after the order's marker."""
        asked, name = "ListCustomModelDeployments", orders.name_of(spec)
        for found in self._deployments(model.id, nameContains=name):
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

    def page(token: str | None) -> tuple[list[Mapping[str, Any]], str | None]:
        found = ask(**query, **({"nextToken": token} if token else {}))
        if key not in found:
            raise unusable("bedrock", asked, found, request_id=answers.request_id(found))
        return found[key], found.get("nextToken")

    return every("bedrock", asked, page)
