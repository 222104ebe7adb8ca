"""Signing in and out with a browser: by the page, or as a program that keeps cookies."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gallery.domain.access import Right
from gallery.domain.accounts import Account, RefusedCredentialError
from gallery.domain.errors import ForbiddenError, GalleryError, NotFoundError, TooManyAttemptsError, UnavailableError
from gallery.domain.sessions import Session
from gallery.services.accounts import AccountService
from gallery.services.signing_in import BegunSession, SigningIn
from gallery.settings import UploadSettings
from gallery.web.authentication import Authentication, UnauthenticatedError, require_known
from gallery.web.body import ClientDisconnectedError, RequestBody
from gallery.web.cookies import SessionCookies
from gallery.web.errors import RequestCode, RequestError
from gallery.web.graphql.ids import account_global_id
from gallery.web.local_paths import local_path, prefix_of
from gallery.web.paths import LOGIN_PATH, LOGOUT_PATH, PROVIDER_LOGIN_PATH, SESSION_PATH
from gallery.web.peers import address_of
from gallery.web.responses import error_response
from gallery.web.sign_in_page import sign_in_page

log = logging.getLogger(__name__)

_MAX_BODY_BYTES: Final = 16 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_NO_STORE: Final = {"Cache-Control": "no-store"}

_FOREIGN: Final = (
    "This was not sent by a page of the gallery. Programs send a header such as `X-GraphQL-CSRF: 1` with it."
)
_INSECURE: Final = (
    "Nobody signs in here without TLS: passwords and cookies could be read on their way. Use the address that begins "
    "with https, which the operator tells the gallery by GALLERY_SERVER__PUBLIC_URL."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEndpoints:
    """What answers below `/auth` (ASGI). `offers_provider` says that people can sign in elsewhere too."""

    signing_in: SigningIn
    accounts: AccountService
    authentication: Authentication
    cookies: SessionCookies
    limits: UploadSettings
    offers_passwords: bool
    offers_provider: bool

    def routes(self) -> list[Route]:
        """The page, and what it sends its form to; the end of a session; who has signed in."""
        return [
            Route(LOGIN_PATH, self._page, methods=["GET"]),
            *([Route(LOGIN_PATH, self._login, methods=["POST"])] if self.offers_passwords else []),
            Route(LOGOUT_PATH, self._logout, methods=["POST"]),
            Route(SESSION_PATH, self._session, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        return self.page(request, {"next": request.query_params.get("next", "")})

    async def _login(self, request: Request) -> Response:
        is_form = _content_type(request) == _FORM
        given: Mapping[str, str] = {}
        try:
            self.require_own(request)
            given = await self._given(request)
            begun = await self._begin(request, given)
        except ClientDisconnectedError:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except (RequestError, GalleryError) as error:
            return self.page(request, given, error=error) if is_form else _refusal(request, error)
        if is_form:
            return self.begun(
                request, begun, RedirectResponse(local_path(given.get("next"), request), HTTPStatus.SEE_OTHER)
            )
        content = {"account": _account(begun.account), "session": _described(begun.session)}
        return self.begun(request, begun, JSONResponse(content, headers=_NO_STORE))

    def begun(self, request: Request, begun: BegunSession, response: Response) -> Response:
        """The response with the cookie of a new session."""
        seconds = int((begun.session.expires_at - begun.session.created_at).total_seconds())
        self.cookies.give(response, request, begun.secret, seconds)
        response.headers["Cache-Control"] = "no-store"
        return response

    def require_own(self, request: Request) -> None:
        """Passes what no page of another origin can have made a browser send, where nobody can listen.

        Raises:
            RequestError: ORIGIN_NOT_ALLOWED, or INSECURE_CONNECTION.
        """
        if not self.cookies.is_own_request(request):
            raise RequestError(RequestCode.ORIGIN_NOT_ALLOWED, _FOREIGN, HTTPStatus.FORBIDDEN)
        self.require_secure(request)

    def require_secure(self, request: Request) -> None:
        """Passes where passwords and cookies cannot be read on their way.

        Raises:
            RequestError: INSECURE_CONNECTION.
        """
        if not self.cookies.may_sign_in(request):
            raise RequestError(RequestCode.INSECURE_CONNECTION, _INSECURE, HTTPStatus.FORBIDDEN)

    async def _begin(self, request: Request, given: Mapping[str, str]) -> BegunSession:
        address = address_of(request.scope)
        shown = self.cookies.shown_by(request)
        try:
            return await self.signing_in.with_password(given["name"], given["password"], address=address, shown=shown)
        except RefusedCredentialError as refused:
            raise self.authentication.refused(refused.reason) from refused

    async def _given(self, request: Request) -> Mapping[str, str]:
        """Name and password, and where to go then.

        Raises:
            RequestError: if they are not there, or the body is of another type.
        """
        kind, body = _content_type(request), RequestBody(request.scope, request.receive, self.limits)
        if kind not in {_FORM, _JSON}:
            message = f"Name and password are sent as {_JSON} or {_FORM}."
            raise RequestError(RequestCode.UNSUPPORTED_MEDIA_TYPE, message, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        content = await body.read_all(_MAX_BODY_BYTES)
        try:
            given = _of_form(content) if kind == _FORM else orjson.loads(content)
        except ValueError as error:
            message = "The request cannot be read."
            raise RequestError(RequestCode.BAD_REQUEST, message) from error
        if not isinstance(given, dict) or not all(isinstance(given.get(key), str) for key in ("name", "password")):
            message = 'The request is not a JSON object such as {"name": "…", "password": "…"}.'
            raise RequestError(RequestCode.BAD_REQUEST, message)
        return {key: value for key, value in given.items() if isinstance(value, str)}

    def page(
        self, request: Request, given: Mapping[str, str], *, error: RequestError | GalleryError | None = None
    ) -> Response:
        """The page, filled in with what was given, and with what was wrong with it."""
        refusal = None if error is None else _refusal(request, error)
        prefix = prefix_of(request)
        page = sign_in_page(
            action=f"{prefix}{LOGIN_PATH}" if self.offers_passwords else None,
            provider=f"{prefix}{PROVIDER_LOGIN_PATH}" if self.offers_provider else None,
            next_path=local_path(given.get("next"), request),
            name=given.get("name", ""),
            problem=None if error is None else error.message,
            status=HTTPStatus.OK if refusal is None else HTTPStatus(refusal.status_code),
        )
        if refusal is not None and "retry-after" in refusal.headers:
            page.headers["Retry-After"] = refusal.headers["retry-after"]
        return page

    async def _logout(self, request: Request) -> Response:
        try:
            self.require_own(request)
            if (secret := self.cookies.shown_by(request)) is not None:
                await self.signing_in.sign_out(secret)
        except (RequestError, GalleryError) as error:
            return _refusal(request, error)
        response = Response(status_code=HTTPStatus.NO_CONTENT, headers=_NO_STORE)
        if _content_type(request) == _FORM:
            address = local_path(request.query_params.get("next"), request)
            response = RedirectResponse(address, HTTPStatus.SEE_OTHER, headers=_NO_STORE)
        self.cookies.take(response, request)
        return response

    async def _session(self, request: Request) -> Response:
        """Whoever is known, by a session or a token."""
        try:
            viewer = await self.authentication.viewer_in(request.scope)
            require_known(viewer)
            own = await self.accounts.own(viewer)
        except (UnauthenticatedError, ForbiddenError, NotFoundError, UnavailableError) as error:
            return _refusal(request, error)
        rights = [right.value for right in Right if right in viewer.rights]
        content = {"account": _account(own.account), "rights": rights, "isSession": viewer.session_id is not None}
        return JSONResponse(content, headers=_NO_STORE)


def _refusal(request: Request, error: RequestError | GalleryError) -> JSONResponse:
    own = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, TooManyAttemptsError) else {}
    return error_response(request.scope, error, own)


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _of_form(content: bytes) -> dict[str, str]:
    """The fields of a form, the last of each name.

    Raises:
        ValueError: if it is none.
    """
    fields = parse_qs(content.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    return {name: values[-1] for name, values in fields.items()}


def _account(account: Account) -> dict[str, Any]:
    return {"id": account_global_id(account.id), "name": account.name, "role": account.role.name}


def _described(session: Session) -> dict[str, Any]:
    return {"createdAt": _told(session.created_at), "expiresAt": _told(session.expires_at)}


def _told(moment: datetime) -> str:
    return moment.isoformat()
