"""The bytes of what is shared: `/shared/<token>/<id under the link>/<file>`, for whoever has the link.

Thumbnails are always there. The file as it was uploaded, with all that a camera wrote into it, is there if the link
allows downloads and shows metadata.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gallery.domain.errors import NotFoundError, UnavailableError
from gallery.domain.images import Image, Rendition
from gallery.domain.ports import ObjectStorage
from gallery.services.shared_content import SharedContents
from gallery.web.media import FileAnswers, FileEndpoint, MediaFile
from gallery.web.responses import error_response
from gallery.web.shared_ids import SharedIds
from gallery.web.shared_urls import PROOF, gives_originals, original_name, rendition_name

log = logging.getLogger(__name__)

_CACHING: Final = {"Cache-Control": "private, no-cache", "Referrer-Policy": "no-referrer"}
"""A browser asks each time whether it may show again what it has: the link may have been revoked."""


class SharedMedia(FileEndpoint):
    """The files below `/shared`. Whatever is wrong with a link or an address looks the same."""

    def __init__(self, shared: SharedContents, storage: ObjectStorage) -> None:
        self._shared = shared
        self._files = FileAnswers(storage, _CACHING)

    async def _respond(self, request: Request, streams: AsyncExitStack) -> Response:
        try:
            media = await self._find(request.query_params.get(PROOF, ""), **request.path_params)
            return await self._files.answer(request, media, streams)
        except UnavailableError as error:
            log.warning("a shared file could not be read: %s", error)
            return error_response(request.scope, error)
        except NotFoundError:
            return error_response(request.scope, _nothing_here())

    async def _find(self, proof: str, token: str, image: str, file: str) -> MediaFile:
        """The file under `/shared/{token}/{image}/{file}`.

        Raises:
            NotFoundError: if there is none.
        """
        opened = await self._shared.enter(token, proof)
        image_id = SharedIds(opened.link).image_id(image)
        if image_id is None:
            raise _nothing_here()
        found = await self._shared.image_of(opened, image_id)
        if file == original_name(found) and gives_originals(opened.link):
            return replace(MediaFile.original(found), filename=f"{image}.{found.content_type.extension}")
        renditions = await self._shared.renditions(opened, [image_id])
        for rendition in renditions.get(image_id, ()):
            if file == rendition_name(rendition):
                return _thumbnail(found, rendition, image)
        raise _nothing_here()


def _thumbnail(image: Image, rendition: Rendition, shared_id: str) -> MediaFile:
    """A rendition under a name that tells nothing of the file that was uploaded."""
    return replace(MediaFile.rendition(image, rendition), filename=f"{shared_id}-{rendition_name(rendition)}")


def _nothing_here() -> NotFoundError:
    message = "There is no such file. The link may have expired, or been taken back."
    return NotFoundError(message)
