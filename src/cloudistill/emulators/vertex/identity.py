"""Who may call: a service account made up at start, its key file, and the tokens its signatures are exchanged for."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105
_LIFETIME_S = 3600


class Identity:
    """One service account; its key file lies, mode 0600, in a folder of its own from `publish` to `forget`."""

    def __init__(self, project: str) -> None:
        self.email = f"emulated@{project}.iam.gserviceaccount.com"
        self._project = project
        self._token_uri = ""
        self._tokens: set[str] = set()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._folder = TemporaryDirectory(prefix="cloudistill-vertex-")
        self.file = Path(self._folder.name) / "service-account.json"

    def publish(self, *, token_uri: str) -> None:
        """Write the key file, which sends its holders to `token_uri`."""
        self._token_uri = token_uri
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps(self._account()), "utf-8")

    def forget(self) -> None:
        """Remove the key file; nobody is known any more."""
        self._folder.cleanup()
        self._tokens.clear()

    def exchange(self, form: bytes) -> tuple[int, dict[str, Any]]:
        """The token endpoint: HTTP status and body."""
        fields = parse_qs(form.decode("ascii", "replace"))
        grant, assertion = fields.get("grant_type", [""])[0], fields.get("assertion", [""])[0]
        if grant != GRANT:
            return 400, {"error": "unsupported_grant_type", "error_description": f"Invalid grant_type: {grant}"}
        problem = self._problem(assertion, audiences={_GOOGLE_TOKEN_URI, self._token_uri})
        if problem:
            return 400, {"error": "invalid_grant", "error_description": problem}
        token = f"ya29.emulated-{secrets.token_urlsafe(24)}"
        self._tokens.add(token)
        return 200, {"access_token": token, "expires_in": _LIFETIME_S, "token_type": "Bearer"}

    def knows(self, bearer: str) -> bool:
        """Whether a bearer token is one exchanged here, or a JWT that the account signed itself."""
        return bearer in self._tokens or not self._problem(bearer, audiences=None)

    def _problem(self, token: str, *, audiences: set[str] | None) -> str:
        """What is wrong with a signed JWT; empty when nothing is."""
        head, _, signature = token.rpartition(".")
        try:
            claims: dict[str, Any] = json.loads(_decode(head.partition(".")[2]))
            if not self._signed(head, _decode(signature)):
                return "Invalid JWT Signature."
        except (ValueError, binascii.Error):
            return "Bad Request"
        if claims.get("iss") != self.email:
            return "Invalid grant: account not found"
        if audiences is not None and claims.get("aud") not in audiences:
            return f"Invalid JWT: Failed audience check. The right audience is {_GOOGLE_TOKEN_URI}"
        if not 0 < claims.get("exp", 0) - claims.get("iat", 0) <= _LIFETIME_S or claims["exp"] < time.time():
            return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
        return ""

    def _signed(self, message: str, signature: bytes) -> bool:
        try:
            self._key.public_key().verify(signature, message.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    def _account(self) -> dict[str, str]:
        pem = self._key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
        return {
            "type": "service_account",
            "project_id": self._project,
            "private_key_id": secrets.token_hex(20),
            "private_key": pem.decode(),
            "client_email": self.email,
            "client_id": "100000000000000000001",
            "token_uri": self._token_uri,
        }


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
