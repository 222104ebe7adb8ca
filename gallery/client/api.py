"""The gallery's API in Python, as far as an import needs it. Every call is repeated while there is hope."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from gallery.client import documents
from gallery.client.errors import GoneError, RefusedError, TransientError, UnexpectedAnswerError
from gallery.client.files import FileRange
from gallery.client.http import post_file, post_json, put_part
from gallery.client.parts import BegunUpload
from gallery.client.patience import Patience
from gallery.domain.errors import ErrorCode

MAX_ITEMS: Final = 100
"""Most images that one request may name."""

_ANSWER_SECONDS = 60.0
_COMPLETION_SECONDS = 900.0
"""A file of two gigabytes is read back and decoded before it is complete."""

_CSRF = {"X-GraphQL-CSRF": "1"}

_PASSING = frozenset(
    {
        ErrorCode.SERVICE_UNAVAILABLE,
        ErrorCode.OVERLOADED,
        ErrorCode.IDEMPOTENCY_KEY_IN_USE,
        ErrorCode.UPLOAD_INTERRUPTED,
        ErrorCode.UPLOAD_STALLED,
        ErrorCode.VERSION_CONFLICT,
    }
)
"""What has another answer in a while. A conflict is that an earlier try of ours has been taken over."""

_UNAUTHENTICATED = "UNAUTHENTICATED"
_WHO_ASKS = (
    "The gallery wants to know who asks: set GALLERY_CLIENT__TOKEN to an API token that it knows. There `gallery token "
    "create` makes one, and so does the mutation createToken, for the account that asks."
)

_ABOUT_ONE_REQUEST = frozenset({"INTERNAL_ERROR", ErrorCode.NOT_FOUND})
"""Top-level errors that say nothing about the next request; any other would come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """What became of a file. It is not `created` if the same bytes were there before."""

    id: str
    created: bool


class GalleryApi:
    """Calls one gallery. What it refuses is a RefusedError, or a GoneError for an upload that is not there.

    Every method raises GaveUpError if the gallery fails for longer than the patience lasts, and UnexpectedAnswerError
    if it does not speak as a gallery does.
    """

    def __init__(self, session: aiohttp.ClientSession, url: URL, patience: Patience, token: str | None = None) -> None:
        self._session = session
        self._url = url
        self._patience = patience
        self._shown = {} if token is None else {"Authorization": f"Bearer {token}"}  # to the gallery, never its storage

    async def images_by_checksums(self, checksums: Sequence[str]) -> dict[str, str]:
        """The ids of images by the checksums of those that are there; at most `MAX_ITEMS` at once."""
        images = await self._ask(documents.IMAGES_BY_CHECKSUMS, {"checksums": checksums})
        return {checksum: image["id"] for checksum, image in zip(checksums, images, strict=True) if image is not None}

    async def create_upload(self, given: Mapping[str, Any]) -> str:
        """The id of a new staged upload, or of the one that was begun with the same key.

        How far that one is must be asked for: the answer to a key is the same for ever.
        """
        upload_id: str = (await self._change(documents.CREATE_UPLOAD, given))["upload"]["id"]
        return upload_id

    async def upload(self, upload_id: str) -> BegunUpload:
        """A staged upload as it is now."""
        return BegunUpload.of(await self._ask(documents.UPLOAD, {"id": upload_id}))

    async def send_part(self, upload_id: str, number: int, part: FileRange) -> None:
        """Sends a part to the storage.

        Its URL is asked for just before, each time: so none expires on a slow line, and a storage that has come back
        elsewhere is found.
        """

        async def send() -> None:
            await put_part(self._session, await self._part_url(upload_id, number), part)

        await self._patience.persist(send)

    async def complete_upload(self, upload_id: str) -> StoredImage:
        """Makes an image of the parts that are there. May be repeated."""
        return _stored(await self._change(documents.COMPLETE_UPLOAD, {"id": upload_id}, _COMPLETION_SECONDS))

    async def upload_image(self, given: Mapping[str, Any], file: FileRange, filename: str) -> StoredImage:
        """Sends a file through the gallery."""
        operations = {"query": documents.UPLOAD_IMAGE, "variables": {"input": {**given, "file": None}}}

        async def send() -> Any:  # noqa: ANN401  # any JSON
            form = aiohttp.FormData()
            form.add_field("operations", json.dumps(operations))
            form.add_field("map", json.dumps({"0": ["variables.input.file"]}))
            form.add_field("0", file, filename=filename, content_type="application/octet-stream")
            return _payload(_data(await post_file(self._session, self._url, form, file, _CSRF | self._shown)))

        return _stored(await self._patience.persist(send))

    async def create_album(self, given: Mapping[str, Any]) -> str:
        """The id of a new album, or of the one that was made with the same key."""
        album_id: str = (await self._change(documents.CREATE_ALBUM, given))["album"]["id"]
        return album_id

    async def tag_images(self, image_ids: Sequence[str], tags: Sequence[str]) -> None:
        """Adds tags to at most `MAX_ITEMS` images."""
        await self._change(documents.TAG_IMAGES, {"imageIds": image_ids, "tags": tags})

    async def add_images_to_album(self, album_id: str, image_ids: Sequence[str]) -> None:
        """Adds at most `MAX_ITEMS` images to an album; those that are in it stay where they are."""
        await self._change(documents.ADD_IMAGES_TO_ALBUM, {"albumId": album_id, "imageIds": image_ids})

    async def _part_url(self, upload_id: str, number: int) -> URL:
        upload = await self._ask(documents.PART_URLS, {"id": upload_id, "numbers": [number]})
        if not upload["partUrls"]:
            message = "The upload was completed meanwhile."
            raise GoneError(message, code=ErrorCode.NOT_FOUND)
        return URL(upload["partUrls"][0]["url"], encoded=True)

    async def _ask(self, query: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any JSON
        """The value of the one field of a query."""

        async def ask() -> Any:  # noqa: ANN401  # any JSON
            return _data(await self._post(query, variables, _ANSWER_SECONDS))

        found = await self._patience.persist(ask)
        if found is None:
            message = "There is no such upload."
            raise GoneError(message, code=ErrorCode.NOT_FOUND)
        return found

    async def _change(self, mutation: str, given: Mapping[str, Any], answer_seconds: float = _ANSWER_SECONDS) -> Any:  # noqa: ANN401  # any JSON
        """The payload of a mutation without errors."""

        async def change() -> Any:  # noqa: ANN401  # any JSON
            return _payload(_data(await self._post(mutation, {"input": given}, answer_seconds)))

        return await self._patience.persist(change)

    async def _post(self, document: str, variables: Mapping[str, Any], answer_seconds: float) -> Any:  # noqa: ANN401  # any JSON
        body = {"query": document, "variables": variables}
        return await post_json(self._session, self._url, body, self._shown, answer_seconds=answer_seconds)


def _data(answer: Any) -> Any:  # noqa: ANN401  # any JSON
    """The value of the one root field."""
    if not isinstance(answer, dict):
        message = "The answer is none of GraphQL. Correct the address."
        raise UnexpectedAnswerError(message)
    if errors := answer.get("errors"):
        raise _top_level(errors[0])
    [value] = answer["data"].values()
    return value


def _payload(payload: Any) -> Any:  # noqa: ANN401  # any JSON
    """The payload itself if it has no errors."""
    if errors := payload["errors"]:
        raise _refusal(errors[0]["message"], errors[0]["code"], errors[0]["field"] or ())
    return payload


def _top_level(error: Mapping[str, Any]) -> Exception:
    extensions = error.get("extensions", {})
    code = extensions.get("code", "")
    if code == _UNAUTHENTICATED:
        return UnexpectedAnswerError(_WHO_ASKS)
    if code in _PASSING or code in _ABOUT_ONE_REQUEST:
        return _refusal(error["message"], code, extensions.get("field", ()))
    return UnexpectedAnswerError(error["message"])


def _refusal(message: str, code: str, field: Sequence[str]) -> Exception:
    if code in _PASSING:
        return TransientError(message)
    if code == ErrorCode.NOT_FOUND and "albumId" not in field:
        return GoneError(message, code=code, field=field)
    return RefusedError(message, code=code, field=field)


def _stored(payload: Mapping[str, Any]) -> StoredImage:
    return StoredImage(id=payload["image"]["id"], created=payload["outcome"] == "CREATED")
