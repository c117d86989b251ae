# SPDX-License-Identifier: Apache-2.0
"""A small OpenID Connect provider on loopback."""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

if TYPE_CHECKING:
    from collections.abc import Iterator

DISCOVERY = "/.well-known/openid-configuration"


@dataclass
class Provider:
    """A provider.

    Attributes:
        issuer: Its address.
        answers: What it answers under which path.
        asked: How often it was asked for its keys.
        key: What it signs with.
    """

    issuer: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: int = 0
    key: Any = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def publish(self) -> None:
        """Publish the key as ``one``, and an address for it."""
        own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        self.answers = {
            DISCOVERY: {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"},
            "/keys": {"keys": [{**own, "kid": "one", "use": "sig", "alg": "RS256"}]},
        }

    def token(self, *, kid: str | None = "one", key: Any = None, **claims: Any) -> str:
        """Return a token; claims that are None are left out."""
        present = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": "mucg4",
            "sub": "somebody",
            "exp": present + 600,
            "iat": present,
            "tenant": "one",
            "scope": "openid read write",
            **claims,
        }
        said = {name: value for name, value in said.items() if value is not None}
        headers = {} if kid is None else {"kid": kid}
        return jwt.encode(said, key or self.key, algorithm="RS256", headers=headers)

    def other_key(self) -> Any:
        """Return a key that it does not know."""
        return rsa.generate_private_key(65537, 2048)

    def forged(self, header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
        """Return a token put together by hand."""
        parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
        return ".".join(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts)

    def elliptic(self) -> Any:
        """Return a key of another kind."""
        return ec.generate_private_key(ec.SECP256R1())


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Yield a provider that answers."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked += self.path == "/keys"
            answer = provider.answers.get(self.path)
            self.send_response(503 if answer is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *arguments: Any) -> None:
            del arguments

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    provider.publish()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
