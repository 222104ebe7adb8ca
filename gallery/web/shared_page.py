"""The page of a share link, for people: `/shared/<token>`. It is made here, and has no scripts.

A link with a password shows a form. The right password leads to the same address with a proof of it (`shared_urls.py`),
so that neither a cookie nor the password itself has to be kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from gallery.domain.albums import Album
from gallery.domain.errors import (
    GalleryError,
    InvalidInputError,
    NotFoundError,
    PasswordRequiredError,
    RateLimitedError,
    UnavailableError,
)
from gallery.domain.images import Image, Rendition
from gallery.domain.pages import PageRequest
from gallery.domain.share_links import given_title
from gallery.services.shared_content import OpenedLink, SharedContents
from gallery.settings import UploadSettings
from gallery.web.body import ClientDisconnectedError, RequestBody
from gallery.web.errors import RequestError
from gallery.web.graphql.shared import SharedListing
from gallery.web.responses import error_response
from gallery.web.shared_html import PAGE_HEADERS, html_page
from gallery.web.shared_ids import SharedIds
from gallery.web.shared_urls import PROOF, gives_originals, original_name, page_url, rendition_name, shared_url

log = logging.getLogger(__name__)

_AFTER: Final = "after"
_PASSWORD: Final = "password"  # noqa: S105  # the name of a field
_IMAGES: Final = 60
_MAX_FORM_BYTES: Final = 16 * 1024
_FORM: Final = (
    '<form method="post"><label>Password <input type="password" name="password" autocomplete="off" required '
    "autofocus></label> <button>Open</button></form>"
)


class SharedPage:
    """Answers GET, HEAD and POST (ASGI)."""

    def __init__(self, shared: SharedContents, limits: UploadSettings) -> None:
        self._shared = shared
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        request, body = Request(scope), RequestBody(scope, receive, self._limits)
        try:
            response = await self._respond(request, body)
            await body.drain(self._limits.drain_limit_bytes)
        except ClientDisconnectedError:
            return
        if body.is_held_back or body.has_stalled:
            response.headers["Connection"] = "close"
        await response(scope, receive, send)

    async def _respond(self, request: Request, body: RequestBody) -> Response:
        try:
            return await self._answer(request, body)
        except PasswordRequiredError:
            was_given = request.method == "POST"
            sentence = "This is not the password." if was_given else "A password is needed to see this."
            return _form(sentence, HTTPStatus.FORBIDDEN if was_given else HTTPStatus.OK)
        except RateLimitedError as error:
            return _form(error.message, HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(error.retry_after_seconds)})
        except (NotFoundError, InvalidInputError) as error:
            return _said(error)
        except (UnavailableError, RequestError) as error:
            return error_response(request.scope, error)

    async def _answer(self, request: Request, body: RequestBody) -> Response:
        token, prefix = request.path_params["token"], request.scope.get("root_path", "").rstrip("/")
        if request.method == "POST":
            opened = await self._shared.open(token, await self._password(body))
            return RedirectResponse(_address(prefix, opened), HTTPStatus.SEE_OTHER, PAGE_HEADERS)
        opened = await self._opened(token, request.query_params)
        return await self._page(opened, prefix, request.query_params.get(_AFTER))

    async def _password(self, body: RequestBody) -> str:
        body.check_announced_size()
        fields = parse_qs((await body.read_all(_MAX_FORM_BYTES)).decode("utf-8", "replace"))
        return fields.get(_PASSWORD, [""])[0]

    async def _opened(self, token: str, parameters: Mapping[str, str]) -> OpenedLink:
        """The link, by the proof if there is a good one. Pages after the first are not counted."""
        proof = parameters.get(PROOF, "")
        if proof or _AFTER in parameters:
            try:
                return await self._shared.enter(token, proof)
            except NotFoundError:
                log.debug("a proof is none, or too old")
        return await self._shared.open(token)

    async def _page(self, opened: OpenedLink, prefix: str, after: str | None) -> Response:
        listing = SharedListing.under(opened, ids := SharedIds(opened.link))
        position = None if after is None else listing.position(after, field=_AFTER)
        page = await self._shared.page(opened, PageRequest(limit=_IMAGES, after=position))
        renditions = await self._shared.renditions(opened, [image.id for image in page.items])
        shown = _Shown(opened, ids, prefix)
        figures = (shown.figure(image, renditions.get(image.id, ())) for image in page.items)
        following = ""
        if page.has_next:
            address = _address(prefix, opened, listing.cursor(page.positions[-1]))
            following = f'<p><a rel="next" href="{escape(address)}">More</a></p>'
        content = opened.content
        title = content.title if isinstance(content, Album) else given_title(content)
        return _rendered(title, content.description, f"<main>{''.join(figures)}</main>{following}")


@dataclass(frozen=True, slots=True)
class _Shown:
    """A link whose images are shown."""

    opened: OpenedLink
    ids: SharedIds
    prefix: str

    def figure(self, image: Image, renditions: Iterable[Rendition]) -> str:
        """An image with its title, and a way to the file if there is one."""
        urls = {str(rendition.size): self._url(image, rendition_name(rendition)) for rendition in renditions}
        title = escape(given_title(image) or "")
        picture = "…"
        if "small" in urls:
            picture = f'<img src="{urls["small"]}" alt="{title}" loading="lazy">'
        if "large" in urls:
            picture = f'<a href="{urls["large"]}">{picture}</a>'
        link, download = self.opened.link, urls.get("large")
        if gives_originals(link):
            download = self._url(image, original_name(image))
        saved = f' <a href="{download}" download>Download</a>' if link.allows_download and download else ""
        return f"<figure>{picture}<figcaption>{title}{saved}</figcaption></figure>"

    def _url(self, image: Image, file: str) -> str:
        return escape(shared_url(self.prefix, self.opened, self.ids.of_image(image.id), file))


def _address(prefix: str, opened: OpenedLink, after: str | None = None) -> str:
    """Where the page of a link is, or a further one, for who has given its password."""
    parameters = {PROOF: opened.proof, _AFTER: after}
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return page_url(prefix, opened.token) + (f"?{query}" if query else "")


def _form(sentence: str, status: HTTPStatus, headers: Mapping[str, str] | None = None) -> Response:
    return _rendered(None, sentence, _FORM, status, headers)


def _said(error: GalleryError) -> Response:
    is_missing = isinstance(error, NotFoundError)
    return _rendered(None, error.message, "", HTTPStatus.NOT_FOUND if is_missing else HTTPStatus.BAD_REQUEST)


def _rendered(
    title: str | None,
    text: str | None,
    content: str,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    page = html_page(title or "Shared with you", text or "", content)
    return HTMLResponse(page, status, {**PAGE_HEADERS, **(headers or {})})
