"""JSON Web Tokens of an identity provider (RFC 7519, and the advice of RFC 8725)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError

from gallery.domain.access import Role
from gallery.domain.accounts import RefusedCredentialError, Vouched
from gallery.domain.ports import Clock
from gallery.platform.identity.keys import SigningKeys
from gallery.settings_auth import OidcSettings

_LEEWAY_SECONDS: Final = 30
"""By how much the clocks of two machines may differ."""

_MAX_TIMESTAMP: Final = 253_402_300_799
"""The last second that a date can hold."""

_NOT_BELIEVED: Final = "The token of the identity provider is not to be believed: sign in again."
_EXPIRED: Final = "The token of the identity provider has expired: sign in again."
_NO_ROLE: Final = "The identity provider gives you no role in this gallery."
_EVERYBODY: Final = "*"


class JwtVerifier:
    """As the port says. The algorithm is one of the settings', whatever a token says of itself."""

    def __init__(self, settings: OidcSettings, keys: SigningKeys, clock: Clock) -> None:
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._roles: Mapping[Role, frozenset[str]] = {
            Role.ADMINISTRATOR: frozenset(settings.administrators),
            Role.EDITOR: frozenset(settings.editors),
            Role.CONTRIBUTOR: frozenset(settings.contributors),
            Role.VIEWER: frozenset(settings.viewers),
        }

    async def verify(self, credential: str, *, nonce: str | None = None) -> Vouched:
        """As the port says. With a `nonce` it is an ID token, made for the visit of this nonce."""
        try:
            claims = await self._claims(credential, nonce)
        except ExpiredTokenError as error:
            raise RefusedCredentialError(_EXPIRED) from error
        except (JoseError, ValueError, TypeError) as error:
            raise RefusedCredentialError(_NOT_BELIEVED) from error
        role = self._role(claims)
        if role is None:
            raise RefusedCredentialError(_NO_ROLE)
        name = claims.get(self._settings.name_claim)
        return Vouched(
            issuer=claims["iss"],
            subject=claims["sub"],
            name=name if isinstance(name, str) and name.strip() and name.isprintable() else claims["sub"],
            role=role,
            expires_at=datetime.fromtimestamp(min(claims["exp"], _MAX_TIMESTAMP), UTC),
        )

    async def _claims(self, credential: str, nonce: str | None) -> dict[str, Any]:
        """What is signed, once signature, issuer, audience and times are found right.

        Raises:
            JoseError, ValueError, TypeError: if they are not.
            UnavailableError: if there are no keys.
        """
        encoded = credential.encode()
        header = jws.extract_compact(encoded).headers()
        if header.get("alg") not in self._settings.algorithms:
            message = "another algorithm"
            raise ValueError(message)
        keys = await self._keys.having(header.get("kid"))
        claims = jwt.decode(encoded, keys, algorithms=self._settings.algorithms).claims
        jwt.JWTClaimsRegistry(
            now=int(self._clock().timestamp()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._settings.issuer or ""},
            aud={"essential": True, "value": self._settings.audience or ""},
            sub={"essential": True},
            exp={"essential": True},
        ).validate(claims)
        if nonce is not None:
            self._check_visit(claims, nonce)
        return claims

    def _check_visit(self, claims: Mapping[str, Any], nonce: str) -> None:
        """Passes if the token was made for this visit (OpenID Connect Core, section 3.1.3.7).

        Raises:
            ValueError: if not.
        """
        told = claims.get("nonce")
        if not isinstance(told, str) or not hmac.compare_digest(told.encode(), nonce.encode()):
            message = "another nonce"
            raise ValueError(message)
        if claims.get("azp", self._settings.audience) != self._settings.audience:
            message = "another authorized party"
            raise ValueError(message)

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        """The highest role that the claims give."""
        said = claims.get(self._settings.role_claim)
        words = {word for word in (said if isinstance(said, list) else [said]) if isinstance(word, str)} - {_EVERYBODY}
        for role, wanted in self._roles.items():
            if words & wanted or _EVERYBODY in wanted:
                return role
        return None
