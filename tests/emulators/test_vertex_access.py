"""Who may call the emulated Vertex AI."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

from google.auth import crypt as google_crypt
from google.auth import jwt as google_jwt
from tests.emulators.vertex_desk import JSON, PLACE, TODAY, Google

from cloudistill.emulators import emulate

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def test_only_tokens_given_out_here_open_the_door(kept: Google) -> None:
    url = f"{kept.vertex.server.url}{PLACE}/tuningJobs"
    none = kept.http.get(url).json()["error"]
    assert (none["code"], none["status"]) == (401, "UNAUTHENTICATED")
    assert "missing required authentication" in none["message"]
    forged = kept.http.get(url, headers={"authorization": "Bearer ya29.forged"}).json()["error"]
    assert "invalid authentication credentials" in forged["message"]
    assert kept.send("GET", f"{PLACE}/tuningJobs")[0] == 200
    status, answer = kept.send("GET", "/v1/projects/somebody-else/locations/us-central1/tuningJobs")
    assert (status, answer["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert "Permission 'aiplatform.tuningJobs.list' denied on resource" in answer["error"]["message"]


def test_tokens_are_given_for_the_accounts_own_signature_alone(kept: Google) -> None:
    url = f"{kept.vertex.server.url}/token"
    assert kept.http.post(url, data={"grant_type": "password"}).json()["error"] == "unsupported_grant_type"
    account = json.loads(kept.vertex.identity.file.read_text())
    with emulate("vertex", today=TODAY) as other:
        stranger = json.loads(other.vertex.identity.file.read_text())
    for key, change, words in (
        (account, {}, ""),
        (stranger, {}, "Invalid JWT Signature."),
        (account, {"iss": "me@example.com"}, "account not found"),
        (account, {"aud": "https://example.com"}, "audience"),
        (account, {"exp": 5}, "short-lived"),
    ):
        answer = kept.http.post(url, data={"grant_type": GRANT, "assertion": assertion(key, url, **change)}).json()
        assert words in answer.get("error_description", "")
        assert ("access_token" in answer) is not bool(words)
    assert kept.http.post(url, data={"grant_type": GRANT, "assertion": "a.b.c"}).status_code == 400


def test_the_key_file_is_private_and_gone_afterwards() -> None:
    with emulate("vertex", today=TODAY) as world:
        path = Path(world.environment["GOOGLE_APPLICATION_CREDENTIALS"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert world.environment["STORAGE_EMULATOR_HOST"].startswith("http://127.0.0.1:")
    assert not path.parent.exists()


def assertion(key: JSON, token_uri: str, **change: Any) -> str:
    now = int(time.time())
    claims = {"iss": key["client_email"], "aud": token_uri, "iat": now, "exp": now + 600, **change}
    crypt: Any = google_crypt
    jwt: Any = google_jwt
    return jwt.encode(crypt.RSASigner.from_service_account_info(key), claims).decode()
