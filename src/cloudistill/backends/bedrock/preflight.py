"""Everything that would fail later at Bedrock, asked before it costs anything."""

from __future__ import annotations

from dataclasses import replace

from cloudistill.backends.bedrock.setup import Setup
from cloudistill.backends.common import Findings, probe
from cloudistill.core.errors import AuthenticationFailed, NotFound, PermissionDenied
from cloudistill.core.finding import Finding
from cloudistill.core.refs import ModelRef
from cloudistill.platforms.platform import load


def findings(setup: Setup, student: ModelRef | None) -> Findings:
    """Region, credentials, the student's region, the bucket, the role; one line for each fault."""
    region = probe(setup, lambda: setup.region, {})
    if region:
        return region + _named(setup)
    place = probe(setup, lambda: student and setup.require_region(student), {})
    credentials = _credentials(setup)
    if credentials:
        return place + credentials + _named(setup)
    return place + _bucket(setup) + _role(setup)


def _named(setup: Setup) -> Findings:
    """What can be said of bucket and role without asking AWS."""
    return probe(setup, lambda: setup.bucket, {}) + probe(setup, lambda: setup.role_arn, {})


def _credentials(setup: Setup) -> Findings:
    renew = "Renew the AWS credentials (aws sts get-caller-identity must work), and check this machine's clock."
    return probe(
        setup,
        setup.account,
        {
            AuthenticationFailed: ("credentials-refused", renew),
            PermissionDenied: ("permission-denied", "Allow sts:GetCallerIdentity."),
        },
    )


def _bucket(setup: Setup) -> Findings:
    return probe(
        setup,
        setup.check_bucket,
        {
            NotFound: ("bucket-not-found", "Create the bucket, or set CLOUDISTILL_BEDROCK_BUCKET to one that exists."),
            PermissionDenied: ("bucket-denied", "Allow s3:ListBucket, s3:GetObject and s3:PutObject on it."),
        },
    )


def _role(setup: Setup) -> Findings:
    found = probe(
        setup,
        setup.check_role,
        {
            NotFound: ("role-not-found", "Create the role, or set CLOUDISTILL_BEDROCK_ROLE_ARN to one that exists."),
            PermissionDenied: ("role-not-checked", "Allow iam:GetRole to have it checked; the order may be refused."),
        },
    )
    checked = [replace(fault, level="warning") if fault.rule == "role-not-checked" else fault for fault in found]
    return checked if found else _name(setup.role_name)


def _name(role: str) -> Findings:
    """The managed policy lets its holders pass only roles of a certain name."""
    rule = load("bedrock").role_names
    if rule is None or rule.contains in role:
        return []
    return [
        Finding(
            rule="role-name",
            message=f"The role {role!r} has no {rule.contains} in its name.",
            remedy=f"{rule.policy} does not let you pass it: rename it, or allow iam:PassRole on it.",
            source=rule.source,
            level="warning",
        )
    ]
