"""Files to upload, and both ways of doing it, with what the server says to each."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

from tests.e2e.api import UPLOAD_IMAGE, Api
from tests.photographs import jpeg

SMALLEST_BYTES = 10 * 1024
LARGEST_BYTES = 40 * 1024 * 1024

_CREATE_UPLOAD = """
mutation ($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { id partUrls { url firstByte size } } errors { code } }
}
"""
_COMPLETE_UPLOAD = """
mutation ($input: CompleteUploadInput!) {
  completeUpload(input: $input) { image { id } errors { code } }
}
"""


@dataclass(frozen=True, slots=True)
class File:
    """A photograph with noise behind its end, which no decoder minds; no two are alike."""

    content: bytes
    checksum: str

    @classmethod
    def make(cls, randomness: Random) -> File:
        """One of any size between the smallest and the largest, each order of magnitude as likely as the others."""
        size_bytes = int(SMALLEST_BYTES * (LARGEST_BYTES / SMALLEST_BYTES) ** randomness.random())
        photograph = jpeg(randomness.randint(200, 400), randomness.randint(200, 400))
        content = photograph + randomness.randbytes(max(size_bytes - len(photograph), 16))
        return cls(content, hashlib.sha256(content).hexdigest())


class RefusedError(Exception):
    """The server has answered, and does not take the file; the message has the codes."""


class NoAnswerError(Exception):
    """The server went away before it answered; nobody knows what became of the file."""


Patience = Callable[[Callable[[], Awaitable[httpx.Response]]], Awaitable[httpx.Response]]
"""Asks until there is an answer."""


async def upload_streamed(api: Api, file: File) -> str:
    """The id of the image; raises RefusedError and NoAnswerError."""
    variables = {"input": {"file": None}}
    files = {"0": (["variables.input.file"], "streamed.jpg", file.content)}
    try:
        response = await api.send_files(UPLOAD_IMAGE, variables, files)
    except httpx.TransportError as error:
        raise NoAnswerError from error
    return _image_id(_payload(response, "uploadImage"))


async def upload_staged(api: Api, file: File, patience: Patience) -> str:
    """The same past the server. Once it has begun it is not given up."""
    announced = {
        "filename": "staged.jpg",
        "fileSize": len(file.content),
        "contentType": "image/jpeg",
        "checksum": file.checksum,
    }
    try:
        response = await api.post(_CREATE_UPLOAD, {"input": announced})
    except httpx.TransportError as error:
        raise NoAnswerError from error
    upload = _payload(response, "createUpload")["upload"]
    async with httpx.AsyncClient(timeout=60) as storage:
        for part in upload["partUrls"]:
            content = file.content[part["firstByte"] : part["firstByte"] + part["size"]]
            (await storage.put(part["url"], content=content)).raise_for_status()
    completed = await patience(lambda: api.post(_COMPLETE_UPLOAD, {"input": {"id": upload["id"]}}))
    return _image_id(_payload(completed, "completeUpload"))


def _payload(response: httpx.Response, field: str) -> dict[str, Any]:
    answer = response.json()
    if "errors" in answer:
        raise RefusedError(", ".join(error["extensions"]["code"] for error in answer["errors"]))
    payload = answer["data"][field]
    assert isinstance(payload, dict)
    if payload["errors"]:
        raise RefusedError(", ".join(error["code"] for error in payload["errors"]))
    return payload


def _image_id(payload: dict[str, Any]) -> str:
    image_id = payload["image"]["id"]
    assert isinstance(image_id, str)
    return image_id
