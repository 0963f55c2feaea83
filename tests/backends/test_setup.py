"""What is missing or wrong before anything is sent: each fault has its own line, and no key is ever shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import openai
import pytest
from google.oauth2.credentials import Credentials

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.backends.openai import OpenAIBackend
from cloudistill.backends.vertex import VertexBackend
from cloudistill.core.errors import MissingExtra, MissingSetup
from cloudistill.core.finding import Finding
from cloudistill.core.refs import ModelRef
from cloudistill.emulators import World

from .vendors import STUDENTS, Canned, Vendor, build, close, trouble

LLAMA = ModelRef("bedrock", "meta.llama3-1-8b-instruct-v1:0:128k")
Break = Callable[[pytest.MonkeyPatch, Path], Any]


def rules(backend: Any, student: ModelRef | None) -> dict[str, str]:
    """The rules of the preflight's findings, with their levels."""
    try:
        found: list[Finding] = backend.preflight(student)
        return {finding.rule: finding.level for finding in found}
    finally:
        close(backend)


def test_nothing_is_found_where_nothing_is_wrong(vendor: Vendor):
    assert vendor.backend.preflight(vendor.student) == []
    assert vendor.backend.preflight() == []


def unset(*names: str) -> Break:
    def apply(patch: pytest.MonkeyPatch, _: Path) -> None:
        for name in names:
            patch.delenv(name, raising=False)

    return apply


def put(name: str, value: str) -> Break:
    return lambda patch, _: patch.setenv(name, value)


def no_google_credentials(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    patch.setenv("CLOUDSDK_CONFIG", str(folder))
    patch.setenv("NO_GCE_CHECK", "true")


def strangers_key(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """A key file of an account that the token endpoint does not know."""
    account = json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    file = folder / "stranger.json"
    file.write_text(json.dumps(account | {"client_email": "stranger@nowhere.iam.gserviceaccount.com"}))
    patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))


def no_project(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Neither the environment nor the key file names a project."""
    account = json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    del account["project_id"]
    file = folder / "account.json"
    file.write_text(json.dumps(account))
    patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    patch.delenv("GOOGLE_CLOUD_PROJECT")
    patch.setenv("CLOUDSDK_CONFIG", str(folder))


NO_AWS_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
ROLE = "arn:aws:iam::123456789012:role/"
FAULTS: list[tuple[str, str, Break]] = [
    ("openai", "missing-credentials", unset("OPENAI_API_KEY")),
    ("openai", "malformed-credentials", put("OPENAI_API_KEY", "sk-key\n")),
    ("openai", "credentials-refused", put("OPENAI_API_KEY", "sk-nobodys")),
    ("openai", "unreachable", put("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")),
    ("bedrock", "missing-region", unset("AWS_DEFAULT_REGION", "AWS_REGION")),
    ("bedrock", "student-not-in-region", put("AWS_DEFAULT_REGION", "us-west-2")),
    ("bedrock", "missing-credentials", unset(*NO_AWS_KEYS)),
    ("bedrock", "missing-credentials", put("AWS_PROFILE", "no-such-profile")),
    ("bedrock", "malformed-credentials", put("AWS_SECRET_ACCESS_KEY", "secret\n")),
    ("bedrock", "missing-bucket", unset("CLOUDISTILL_BEDROCK_BUCKET")),
    ("bedrock", "bucket-not-found", put("CLOUDISTILL_BEDROCK_BUCKET", "no-such-bucket")),
    ("bedrock", "bucket-in-another-region", put("CLOUDISTILL_BEDROCK_BUCKET", "cloudistill-emulated-us-west-2")),
    ("bedrock", "missing-role", unset("CLOUDISTILL_BEDROCK_ROLE_ARN")),
    ("bedrock", "malformed-role", put("CLOUDISTILL_BEDROCK_ROLE_ARN", "AmazonBedrockCloudistill")),
    ("bedrock", "role-not-found", put("CLOUDISTILL_BEDROCK_ROLE_ARN", f"{ROLE}AmazonBedrockNobody")),
    ("vertex", "missing-project", no_project),
    ("vertex", "missing-location", unset("GOOGLE_CLOUD_LOCATION")),
    ("vertex", "student-not-in-region", put("GOOGLE_CLOUD_LOCATION", "asia-east1")),
    ("vertex", "missing-credentials", no_google_credentials),
    ("vertex", "credentials-refused", strangers_key),
    ("vertex", "missing-bucket", unset("CLOUDISTILL_VERTEX_BUCKET")),
    ("vertex", "bucket-not-found", put("CLOUDISTILL_VERTEX_BUCKET", "no-such-bucket")),
    ("vertex", "unreachable", put("GOOGLE_VERTEX_BASE_URL", "http://127.0.0.1:9")),
]


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("name", "rule", "breaks"), FAULTS, ids=[f"{name}-{rule}" for name, rule, _ in FAULTS])
def test_every_planted_fault_has_its_own_line(
    name: str, rule: str, breaks: Break, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    breaks(monkeypatch, tmp_path)
    found = rules(build(name), STUDENTS[name])
    assert found.pop(rule) == "error"
    # a bucket in the first region is rightly in another one than a region that is itself wrong
    assert found.keys() <= ({"bucket-in-another-region"} if rule == "student-not-in-region" else set())


@pytest.mark.usefixtures("world")
def test_several_faults_have_several_lines(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "CLOUDISTILL_BEDROCK_BUCKET", "CLOUDISTILL_BEDROCK_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    assert set(rules(build("bedrock"), LLAMA)) == {"missing-region", "missing-bucket", "missing-role"}


@pytest.mark.usefixtures("world")
def test_a_base_model_that_openai_does_not_serve_is_named():
    assert rules(build("openai"), ModelRef("openai", "gpt-nobody")) == {"model-not-served": "error"}


@pytest.mark.parametrize(
    ("date", "rule"), [("2026-12-24", "model-ends-earlier"), ("2027-09-01", "model-end-differs"), ("2027-01-14", None)]
)
def test_an_end_date_that_differs_from_ours_is_a_warning(canned: Canned, date: str, rule: str | None):
    canned.answer = {"id": "gpt-4.1-mini-2025-04-14", "shutdown_date": date}
    backend = OpenAIBackend(base_url=f"{canned.url}/v1", api_key="sk-test")
    assert rules(backend, STUDENTS["openai"]) == ({rule: "warning"} if rule else {})


def test_a_role_that_may_not_be_looked_at_is_a_warning(world: World, canned: Canned, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", world.environment["AWS_ENDPOINT_URL_S3"])
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", world.environment["AWS_ENDPOINT_URL_STS"])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, world.environment[name])
    canned.status = 403
    canned.answer = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
    canned.headers = {"content-type": "text/xml"}
    assert rules(build("bedrock"), STUDENTS["bedrock"]) == {"role-not-checked": "warning"}


@pytest.mark.usefixtures("world")
def test_a_role_whose_name_the_managed_policy_does_not_pass_is_a_warning():
    session: Any = boto3.Session(region_name="us-east-1")
    iam = session.client("iam")
    arn = iam.create_role(RoleName="Trainer", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    iam.close()
    assert rules(BedrockBackend(role_arn=arn), None) == {"role-name": "warning"}


def test_a_denied_api_is_named(canned: Canned, world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", world.environment["STORAGE_EMULATOR_HOST"])
    canned.status = 403
    canned.answer = {"error": {"code": 403, "message": "API disabled", "status": "PERMISSION_DENIED"}}
    assert rules(VertexBackend(base_url=canned.url), STUDENTS["vertex"]) == {"permission-denied": "error"}


@pytest.mark.parametrize("key", ["sk-secret key", "sk-secret\n", "sk-sécret", "sk-secret\x00"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key: str):
    with pytest.raises(MissingSetup) as caught:
        OpenAIBackend(api_key=key).payer()
    assert "OPENAI_API_KEY" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_key_is_in_a_repr_or_an_error(canned: Canned):
    backend = OpenAIBackend(base_url=f"{canned.url}/v1", api_key="sk-very-secret")
    canned.status, canned.answer = 401, {"error": {"message": "Incorrect API key provided: sk-very-secret"}}
    assert "very-secret" not in repr(backend)
    assert "very-secret" not in str(trouble(backend, backend.served))
    close(backend)


def test_a_missing_sdk_is_named_with_the_line_that_installs_it():
    with pytest.raises(MissingExtra, match=r"pip install 'cloudistill\[openai\]'"):
        load_sdk("no_such_sdk", extra="openai")


@pytest.mark.usefixtures("world")
def test_a_bedrock_api_key_is_enough_to_ask_and_is_checked_before_it_is_sent(monkeypatch: pytest.MonkeyPatch):
    for name in NO_AWS_KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "secret\n")
    with pytest.raises(MissingSetup, match="AWS_BEARER_TOKEN_BEDROCK"):
        BedrockBackend().client("bedrock-runtime")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "good")
    backend = BedrockBackend()
    assert backend.client("bedrock-runtime") is backend.client("bedrock-runtime")
    with pytest.raises(MissingSetup, match="no AWS credentials"):
        backend.client("s3")
    close(backend)


@pytest.mark.parametrize("name", ["openai", "bedrock", "vertex"])
def test_making_a_backend_asks_nobody(name: str, monkeypatch: pytest.MonkeyPatch):
    for variable in [*os.environ]:
        if variable.startswith(("AWS_", "OPENAI_", "GOOGLE_", "CLOUDISTILL_")):
            monkeypatch.delenv(variable)
    assert build(name).platform == name


def test_the_payer_is_named_without_a_secret(vendor: Vendor):
    port = vendor.server.port
    expected = {
        "openai": f"openai 127.0.0.1:{port}",
        "bedrock": f"aws 123456789012 us-east-1 127.0.0.1:{port}",
        "vertex": f"gcp {vendor.world.environment['GOOGLE_CLOUD_PROJECT']} us-central1 127.0.0.1:{port}",
    }
    assert vendor.backend.payer() == expected[vendor.name]


@pytest.mark.usefixtures("world")
def test_ready_clients_are_used_as_they_are():
    client = openai.OpenAI(max_retries=5)
    backend = OpenAIBackend(client=client)
    assert backend.client.max_retries == 0
    assert backend.preflight() == []
    client.close()
    session = boto3.Session(region_name="us-west-2")
    assert BedrockBackend(session=session).region == "us-west-2"


def test_an_upload_to_cloud_storage_is_not_led_to_another_host(
    canned: Canned, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", canned.url)
    backend = VertexBackend(project="p", location="us-central1", bucket="b", credentials=Credentials("a-token"))  # pyright: ignore[reportUnknownArgumentType]
    file = tmp_path / "rows.jsonl"
    file.write_text("{}\n", "utf-8")
    canned.status, canned.headers = 307, {"location": f"{canned.url}/elsewhere"}
    error = trouble(backend, lambda: backend.upload(file, fingerprint="0" * 64))
    assert (error.status, error.retryable, error.outcome) == (307, False, "maybe")
    assert "/elsewhere" in str(error)
    assert not [path for path, _ in canned.bodies if path.endswith("/elsewhere")]
    close(backend)


def test_the_sdks_own_retries_are_off_and_redirects_are_not_followed(canned: Canned):
    backend = OpenAIBackend(base_url=f"{canned.url}/v1", api_key="sk-test")
    canned.status, canned.headers = 307, {"location": f"{canned.url}/elsewhere"}
    error = trouble(backend, backend.served)
    assert (error.status, error.retryable, error.outcome) == (307, False, "maybe")
    assert len(canned.bodies) == 1
    close(backend)
