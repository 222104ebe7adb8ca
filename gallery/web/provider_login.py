"""Signing in on the pages of an identity provider: where a browser is sent, and how it comes back.

What belongs to a visit is in a cookie of the browser that was sent. So whoever comes back is who went, and nothing has
to be remembered here.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gallery.domain.accounts import RefusedCredentialError
from gallery.domain.errors import UnavailableError
from gallery.domain.session_ports import IdentityProvider, ProviderVisit
from gallery.services.signing_in import BegunSession
from gallery.web.errors import RequestCode, RequestError
from gallery.web.local_paths import local_path
from gallery.web.paths import PROVIDER_CALLBACK_PATH, PROVIDER_LOGIN_PATH
from gallery.web.sessions import SessionEndpoints

_SUFFIX: Final = "_visit"
_SECONDS: Final = 600
"""How long somebody may take to sign in there."""

_LONGEST_PATH: Final = 1000
_LONGEST_CODE: Final = 4096
_ANOTHER: Final = "You have come back from somewhere else, or too late: sign in again."
_REFUSED: Final = "The identity provider did not sign you in."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What the browser has kept of a visit."""

    state: str
    nonce: str
    verifier: str
    next_path: str

    @classmethod
    def of(cls, text: str | None) -> _Kept | None:
        """The visit of a cookie; None if it is none."""
        parts = (text or "").split(".")
        if len(parts) != 4 or not all(parts):  # noqa: PLR2004  # as below
            return None
        try:
            next_path = base64.urlsafe_b64decode(parts[3]).decode()
        except (binascii.Error, ValueError):
            return None
        return cls(state=parts[0], nonce=parts[1], verifier=parts[2], next_path=next_path)

    def text(self) -> str:
        """The value of the cookie."""
        path = base64.urlsafe_b64encode(self.next_path.encode()).decode()
        return f"{self.state}.{self.nonce}.{self.verifier}.{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEndpoints:
    """What answers below `/auth/oidc` (ASGI)."""

    sessions: SessionEndpoints
    provider: IdentityProvider
    issuer: str
    base_url: Callable[[HTTPConnection], str]

    def routes(self) -> list[Route]:
        """Where a visit begins and ends."""
        return [
            Route(PROVIDER_LOGIN_PATH, self._login, methods=["GET"]),
            Route(PROVIDER_CALLBACK_PATH, self._callback, methods=["GET"]),
        ]

    async def _login(self, request: Request) -> Response:
        next_path = local_path(request.query_params.get("next"), request)
        if len(next_path) > _LONGEST_PATH:
            next_path = local_path(None, request)
        try:
            self.sessions.require_secure(request)
            visit = await self.provider.visit(self._back(request))
        except (RequestError, UnavailableError) as error:
            return self.sessions.page(request, {"next": next_path}, error=error)
        response = RedirectResponse(visit.url, HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})
        value = _kept(visit, next_path).text()
        self.sessions.cookies.give_named(response, request, _SUFFIX, value, _SECONDS)
        return response

    async def _callback(self, request: Request) -> Response:
        kept = _Kept.of(self.sessions.cookies.named(request, _SUFFIX))
        try:
            begun = await self._begun(request, kept)
        except (RequestError, UnavailableError) as error:
            response = self.sessions.page(request, {"next": kept.next_path if kept else ""}, error=error)
        else:
            there = local_path(kept.next_path if kept else None, request)
            response = self.sessions.begun(request, begun, RedirectResponse(there, HTTPStatus.SEE_OTHER))
        self.sessions.cookies.give_named(response, request, _SUFFIX, "", 0)
        return response

    async def _begun(self, request: Request, kept: _Kept | None) -> BegunSession:
        """A session for who has come back.

        Raises:
            RequestError: if it is not who went, or the provider does not vouch for them.
            UnavailableError: if the provider or the database does not answer.
        """
        self.sessions.require_secure(request)
        query = request.query_params
        state, code = query.get("state", ""), query.get("code", "")
        if kept is None or not secrets.compare_digest(state.encode(), kept.state.encode()):
            raise RequestError(RequestCode.BAD_REQUEST, _ANOTHER)
        if query.get("iss", self.issuer) != self.issuer:  # RFC 9207: the answer of another provider
            raise RequestError(RequestCode.BAD_REQUEST, _ANOTHER)
        if not 0 < len(code) <= _LONGEST_CODE:
            raise self.sessions.authentication.refused(_REFUSED)
        try:
            vouched = await self.provider.vouched(code, self._back(request), nonce=kept.nonce, verifier=kept.verifier)
            shown = self.sessions.cookies.shown_by(request)
            return await self.sessions.signing_in.vouched(vouched, shown=shown)
        except RefusedCredentialError as refused:
            raise self.sessions.authentication.refused(refused.reason) from refused

    def _back(self, request: Request) -> str:
        """Where the provider sends the browser back to."""
        return f"{self.base_url(request)}{PROVIDER_CALLBACK_PATH}"


def _kept(visit: ProviderVisit, next_path: str) -> _Kept:
    return _Kept(state=visit.state, nonce=visit.nonce, verifier=visit.verifier, next_path=next_path)
