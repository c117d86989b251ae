# SPDX-License-Identifier: Apache-2.0
"""Tokens of an OpenID Connect provider, accepted besides keys where one is configured.

The provider's keys are found by its discovery document and looked up by their id. A token is good
for the audience that is configured, names its tenant in a claim, and its scopes in ``scope``.
Needs the extra ``oidc``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from api.access.caller import Caller
from api.access.keys import TENANT
from api.database.connection import UnavailableError
from api.errors import UnauthenticatedError
from api.schemas import Scope
from verifier.errors import UsageError

if TYPE_CHECKING:
    from api.settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
LEEWAY_SECONDS = 30
TIMEOUT_SECONDS = 10.0


class TokenReader:
    """Reads tokens of one provider.

    Args:
        settings: Which provider, and what its tokens are to say.

    Raises:
        UsageError: The extra is not installed, or the provider does not answer as one.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            import jwt
        except ImportError as error:
            msg = "an OpenID Connect provider needs the extra 'oidc': pip install 'mucg4[oidc]'"
            raise UsageError(msg) from error
        self._jwt = jwt
        self._settings = settings
        self._keys = jwt.PyJWKClient(_keys_url(settings.oidc_issuer), timeout=TIMEOUT_SECONDS)

    def identify(self, token: str, address: str) -> Caller:
        """Return who a token speaks of.

        Raises:
            UnauthenticatedError: It is not valid, or says too little.
            UnavailableError: The provider's keys cannot be fetched now.
        """
        try:
            claims = self._jwt.decode(
                token,
                self._keys.get_signing_key_from_jwt(token),
                algorithms=ALGORITHMS,
                audience=self._settings.oidc_audience,
                issuer=self._settings.oidc_issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except self._jwt.PyJWKClientConnectionError as error:
            msg = f"the provider of tokens does not answer: {error}"
            raise UnavailableError(msg) from error
        except self._jwt.PyJWTError as error:
            detail = f"the token is not valid: {error}"
            raise UnauthenticatedError(detail) from error
        return self._caller(claims, address)

    def _caller(self, claims: dict[str, Any], address: str) -> Caller:
        name = self._settings.oidc_tenant_claim
        tenant = claims.get(name)
        if not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
            detail = f"the token's claim {name!r} is {tenant!r}, which is not the name of a tenant"
            raise UnauthenticatedError(detail)
        if not claims["sub"].isprintable():
            detail = "the token's claim 'sub' is not a name that can be written down"
            raise UnauthenticatedError(detail)
        known = {str(scope) for scope in Scope}
        scopes = frozenset(Scope(s) for s in str(claims.get("scope", "")).split() if s in known)
        return Caller(tenant, f"oidc:{claims['sub']}"[:200], scopes, address)


def _keys_url(issuer: str) -> str:
    place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        response = httpx.get(place, timeout=TIMEOUT_SECONDS).raise_for_status()
        document = response.json()
        if document["issuer"] != issuer:
            msg = f"{place} is of the issuer {document['issuer']!r}, not {issuer!r}"
            raise UsageError(msg)
        return str(document["jwks_uri"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        msg = f"the provider's document {place} cannot be read: {error}"
        raise UsageError(msg) from error
