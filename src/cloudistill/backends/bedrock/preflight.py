"""Everything that would fail later at Bedrock, asked before it costs anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cloudistill.backends.common import Findings, probe
from cloudistill.core.errors import AuthenticationFailed, NotFound, PermissionDenied
from cloudistill.core.finding import Finding
from cloudistill.core.refs import ModelRef

if TYPE_CHECKING:
    from cloudistill.backends.bedrock import BedrockBackend


def findings(backend: BedrockBackend, student: ModelRef | None) -> Findings:
    """Region, credentials, the student's region, the bucket, the role; one line for each fault."""
    region = probe(backend, lambda: backend.region, {})
    if region:
        return region + _named(backend)
    place = probe(backend, lambda: student and backend.require_region(student), {})
    credentials = _credentials(backend)
    if credentials:
        return place + credentials + _named(backend)
    return place + _bucket(backend) + _role(backend)


def _named(backend: BedrockBackend) -> Findings:
    """What can be said of bucket and role without asking AWS."""
    return probe(backend, lambda: backend.bucket, {}) + probe(backend, lambda: backend.role_arn, {})


def _credentials(backend: BedrockBackend) -> Findings:
    renew = "Renew the AWS credentials (aws sts get-caller-identity must work), and check this machine's clock."
    return probe(
        backend,
        backend.account,
        {
            AuthenticationFailed: ("credentials-refused", renew),
            PermissionDenied: ("permission-denied", "Allow sts:GetCallerIdentity."),
        },
    )


def _bucket(backend: BedrockBackend) -> Findings:
    return probe(
        backend,
        backend.check_bucket,
        {
            NotFound: ("bucket-not-found", "Create the bucket, or set CLOUDISTILL_BEDROCK_BUCKET to one that exists."),
            PermissionDenied: ("bucket-denied", "Allow s3:ListBucket, s3:GetObject and s3:PutObject on it."),
        },
    )


def _role(backend: BedrockBackend) -> Findings:
    found = probe(
        backend,
        backend.check_role,
        {
            NotFound: ("role-not-found", "Create the role, or set CLOUDISTILL_BEDROCK_ROLE_ARN to one that exists."),
            PermissionDenied: ("role-not-checked", "Allow iam:GetRole to have it checked; the order may be refused."),
        },
    )
    checked = [replace(fault, level="warning") if fault.rule == "role-not-checked" else fault for fault in found]
    return checked if found else _name(backend.role_name)


def _name(role: str) -> Findings:
    """The managed policy lets its holders pass only roles of a certain name."""
    if "AmazonBedrock" in role:
        return []
    return [
        Finding(
            rule="role-name",
            message=f"The role {role!r} has no AmazonBedrock in its name.",
            remedy="AmazonBedrockFullAccess does not let you pass it: rename it, or allow iam:PassRole on it.",
            source="https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonBedrockFullAccess.html",
            level="warning",
        )
    ]
