"""Signing in on the pages of an identity provider: the authorization code flow of OpenID Connect, with PKCE.

As RFC 9700 advises: a state and a nonce for each visit, a code that is of no use without the verifier, and tokens that
come from the provider itself.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
import orjson

from gallery.domain.accounts import RefusedCredentialError, Vouched
from gallery.domain.errors import UnavailableError
from gallery.domain.session_ports import ProviderVisit
from gallery.platform.identity.discovery import TIMEOUT, content_of, discovered
from gallery.platform.identity.verifier import JwtVerifier
from gallery.settings_auth import OidcSettings

log = logging.getLogger(__name__)

_KEPT_SECONDS: Final = 3600.0
_AT_ONCE: Final = 10
_SECRET_BYTES: Final = 32
_SERVICE: Final = "identity provider"
_NOT_BELIEVED: Final = "The identity provider did not confirm who you are: sign in again."
_POST: Final = "client_secret_post"
_FAILURES: Final = (aiohttp.ClientError, OSError, LookupError, TypeError, ValueError, AttributeError)


class CodeFlow:
    """The port `IdentityProvider`, as the client of the settings. `verifier` believes tokens for that client."""

    def __init__(
        self, settings: OidcSettings, verifier: JwtVerifier, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._client_id = settings.client_id or ""
        self._verifier = verifier
        self._clock = clock
        self._document: dict[str, Any] = {}
        self._kept_until = float("-inf")
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def visit(self, redirect_uri: str) -> ProviderVisit:
        """As the port says."""
        endpoint = await self._endpoint("authorization_endpoint")
        state, nonce, verifier = (secrets.token_urlsafe(_SECRET_BYTES) for _ in range(3))
        digest = hashlib.sha256(verifier.encode()).digest()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._client_id,
                "redirect_uri": redirect_uri,
                "scope": " ".join(self._settings.scopes),
                "state": state,
                "nonce": nonce,
                "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
                "code_challenge_method": "S256",
            }
        )
        url = f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"
        return ProviderVisit(url=url, state=state, nonce=nonce, verifier=verifier)

    async def vouched(self, code: str, redirect_uri: str, *, nonce: str, verifier: str) -> Vouched:
        """As the port says."""
        endpoint = await self._endpoint("token_endpoint")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        async with self._turns:
            status, told = await self._exchanged(endpoint, form)
        id_token = told.get("id_token") if isinstance(told, dict) else None
        if status != HTTPStatus.OK or not isinstance(id_token, str):
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise UnavailableError(_SERVICE)
            raise RefusedCredentialError(_NOT_BELIEVED)
        return await self._verifier.verify(id_token, nonce=nonce)

    async def _exchanged(self, endpoint: str, form: dict[str, str]) -> tuple[int, Any]:
        """What the provider answers to a code: the status, and the JSON.

        Raises:
            UnavailableError: if it does not answer, or with something else.
        """
        headers = {"Accept": "application/json"}
        secret = self._settings.client_secret
        methods = self._document.get("token_endpoint_auth_methods_supported") or []
        form = {**form, "client_id": self._client_id}
        if secret is not None and _POST in methods and "client_secret_basic" not in methods:
            form["client_secret"] = secret.get_secret_value()
        elif secret is not None:  # both parts are encoded as in a form (RFC 6749, section 2.3.1)
            pair = f"{quote_plus(self._client_id)}:{quote_plus(secret.get_secret_value())}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT) as session,
                session.post(endpoint, data=form, headers=headers, allow_redirects=False) as response,
            ):
                return response.status, orjson.loads(await content_of(response))
        except _FAILURES as error:
            log.warning("the identity provider did not take a code: %r", error)
            raise UnavailableError(_SERVICE) from error

    async def _endpoint(self, name: str) -> str:
        """An address of the provider.

        Raises:
            UnavailableError: if it does not tell.
        """
        issuer = self._settings.issuer or ""
        try:
            if self._clock() >= self._kept_until:
                async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
                    self._document = await discovered(session, issuer)
                self._kept_until = self._clock() + _KEPT_SECONDS
            endpoint = str(self._document[name])
            if urlsplit(endpoint).scheme not in {"https", urlsplit(issuer).scheme}:
                message = f"{name} is {endpoint}, without TLS"
                raise ValueError(message)
        except _FAILURES as error:
            log.warning("the identity provider does not tell where its pages are: %r", error)
            raise UnavailableError(_SERVICE) from error
        return endpoint
