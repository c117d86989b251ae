# SPDX-License-Identifier: Apache-2.0
"""Signs a payload with Ed25519 in a DSSE envelope, and opens such an envelope.

What is signed is not the payload but its pre-authentication encoding: type and payload, each with
its length, so that nobody can take the one for the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier.errors import CorruptFileError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MOST_KEY_BYTES = 1 << 16
MAKE_KEY = "openssl genpkey -algorithm ed25519 -out KEY.pem"
MAKE_PUBLIC_KEY = "openssl pkey -in KEY.pem -pubout -out PUB.pem"


@dataclass(frozen=True, eq=False)
class PublicKey:
    """A key that signatures are verified with.

    Attributes:
        key: The key.
        id: SHA-256 of its DER form, in hexadecimal.
    """

    key: Ed25519PublicKey
    id: str

    @classmethod
    def of(cls, key: Ed25519PublicKey) -> PublicKey:
        """Return it with its identity."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return cls(key, hashlib.sha256(der).hexdigest())

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """Read a public key in PEM.

        Raises:
            UsageError: The file holds none, or one of another kind than Ed25519.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            key = load_pem_public_key(_content(path))
        except (ValueError, UnsupportedAlgorithm) as error:
            msg = f"{path}: not a public key in PEM; make one with: {MAKE_PUBLIC_KEY}"
            raise UsageError(msg) from error
        if not isinstance(key, Ed25519PublicKey):
            raise _wrong_kind(path)
        return cls.of(key)


@dataclass(frozen=True, eq=False)
class SigningKey:
    """A key that signs.

    Attributes:
        key: The key.
        public: What its signatures are verified with.
    """

    key: Ed25519PrivateKey
    public: PublicKey

    @classmethod
    def read(cls, path: Path, passphrase: str | None) -> SigningKey:
        """Read a private key in PEM (PKCS #8).

        Args:
            path: Its file.
            passphrase: What it is encrypted with, if it is.

        Raises:
            UsageError: The file holds none, one of another kind than Ed25519, or one that the
                passphrase does not open.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        content = _content(path)
        is_encrypted = b"ENCRYPTED" in content
        secret = passphrase.encode() if passphrase and is_encrypted else None
        try:
            key = load_pem_private_key(content, secret)
        except TypeError as error:
            msg = f"{path}: the key is encrypted, and no passphrase is given"
            raise UsageError(msg) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            what = "the passphrase does not open it, or it is damaged"
            reason = what if is_encrypted else f"not a private key in PEM; make one with {MAKE_KEY}"
            msg = f"{path}: {reason}"
            raise UsageError(msg) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise _wrong_kind(path)
        return cls(key, PublicKey.of(key.public_key()))


def sealed(payload: bytes, key: SigningKey) -> bytes:
    """Return the envelope of a payload: one line of JSON."""
    signature = key.key.sign(_encoded(payload))
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": key.public.id, "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(envelope).encode() + b"\n"


def opened(envelope: bytes, key: PublicKey) -> bytes:
    """Return the payload of an envelope that a key has signed, once.

    Signatures of other keys may stand beside it and say nothing here.

    Raises:
        CorruptFileError: It is no envelope, or the key has not signed it.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        document = _fields(json.loads(envelope), {"payloadType", "payload", "signatures"})
        if document["payloadType"] != PAYLOAD_TYPE:
            msg = f"the payload is {document['payloadType']!r}, not {PAYLOAD_TYPE!r}"
            raise CorruptFileError(msg)
        signatures = [_fields(each, {"keyid", "sig"}) for each in document["signatures"]]
        own = [each["sig"] for each in signatures if each["keyid"] == key.id]
        if len(own) != 1:
            msg = f"{len(own)} signatures are by the key {key.id}; there has to be one"
            raise CorruptFileError(msg)
        payload = _bytes(document["payload"])
        key.key.verify(_bytes(own[0]), _encoded(payload))
    except InvalidSignature as error:
        msg = f"the signature is not one of the key {key.id} over this payload"
        raise CorruptFileError(msg) from error
    except (ValueError, TypeError, RecursionError) as error:
        msg = f"not an envelope: {error}"
        raise CorruptFileError(msg) from error
    return payload


def _encoded(payload: bytes) -> bytes:
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _fields(value: Any, names: set[str]) -> dict[str, Any]:
    """Return an object that has these fields and no other."""
    if not isinstance(value, dict) or value.keys() != names:
        msg = f"there is no object with the fields {', '.join(sorted(names))}, and no other"
        raise ValueError(msg)
    return value


def _bytes(text: Any) -> bytes:
    """Return what a text in base 64 stands for; there is one text for each."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        msg = f"not base 64: {error}"
        raise ValueError(msg) from error
    if base64.b64encode(content).decode() != text:
        msg = "base 64 with stray bits"
        raise ValueError(msg)
    return content


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_KEY_BYTES + 1)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    if len(content) > MOST_KEY_BYTES:
        msg = f"{path}: longer than any key"
        raise UsageError(msg)
    return content


def _wrong_kind(path: Path) -> UsageError:
    return UsageError(f"{path}: not a key for Ed25519; make one with: {MAKE_KEY}")
