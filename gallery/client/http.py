"""HTTP as the client speaks it: what came back, or an error that says whether waiting helps."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from gallery.client.errors import GoneError, TransientError, UnexpectedAnswerError
from gallery.client.files import FileRange
from gallery.domain.errors import ErrorCode

_CONNECT_SECONDS = 10
_SILENCE_SECONDS = 120.0
"""How long the other side may leave a file unread, or think after the last byte of it."""

_S3_CODE = re.compile(rb"<Code>(\w+)</Code>")

_TRANSIENT = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@asynccontextmanager
async def http_session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session without limits of its own: how long a call may take depends on what is sent."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield session


async def post_json(
    session: aiohttp.ClientSession,
    url: URL,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    answer_seconds: float,
) -> Any:  # noqa: ANN401  # any JSON
    """The answer to a request in JSON, whatever its status.

    Raises:
        TransientError: if there is no answer, or one that says to come again.
        UnexpectedAnswerError: if the answer is not JSON.
    """
    async with (
        _translated(url),
        asyncio.timeout(answer_seconds),
        session.post(url, json=body, headers=headers) as response,
    ):
        return await _json(response)


async def post_file(
    session: aiohttp.ClientSession, url: URL, form: aiohttp.FormData, file: FileRange, headers: Mapping[str, str]
) -> Any:  # noqa: ANN401  # any JSON
    """The answer to a form with a file. Raises as `post_json`, and what reading the file raises."""
    async with _translated(url, file), _sending(file), session.post(url, data=form, headers=headers) as response:
        return await _json(response)


async def put_part(session: aiohttp.ClientSession, url: URL, part: FileRange) -> None:
    """Sends a part to a presigned URL.

    Raises:
        GoneError: if the storage does not know the upload any more.
        TransientError: if there is no answer, or one that a new URL or another attempt may change.
        UnexpectedAnswerError: if the storage refuses the part for good.
        UploadInterruptedError: if the file cannot be read.
    """
    length = {"Content-Length": str(part.size_bytes)}
    async with _translated(url, part), _sending(part), session.put(url, data=part, headers=length) as response:
        if response.status == HTTPStatus.OK:
            return
        reason = f"The storage at {url.origin()} answers with {response.status} {_reason(await response.read())}."
        if response.status == HTTPStatus.NOT_FOUND:
            raise GoneError(reason, code=ErrorCode.NOT_FOUND)
        # 403 is what an expired URL gets.
        if response.status in _TRANSIENT or response.status == HTTPStatus.FORBIDDEN:
            raise TransientError(reason)
        raise UnexpectedAnswerError(reason)


async def _json(response: aiohttp.ClientResponse) -> Any:  # noqa: ANN401  # any JSON
    if response.status in _TRANSIENT:
        message = f"{response.url.origin()} answers with {response.status} {response.reason}."
        raise TransientError(message)
    try:
        return await response.json(content_type=None)
    except ValueError as error:
        message = (
            f"{response.url} is no gallery: it answers with {response.status} {response.reason}, and not in JSON. "
            "Correct the address."
        )
        raise UnexpectedAnswerError(message) from error


@asynccontextmanager
async def _sending(file: FileRange) -> AsyncIterator[None]:
    """Fails with TimeoutError when nothing moves. Of a file that was not sent whole, nothing counts as sent."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_SILENCE_SECONDS) as silence:
            file.on_chunk = lambda: silence.reschedule(loop.time() + _SILENCE_SECONDS)
            yield
    except BaseException:
        file.take_back()
        raise


@asynccontextmanager
async def _translated(url: URL, file: FileRange | None = None) -> AsyncIterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        if file is not None and file.failure is not None:
            raise file.failure from error
        message = f"{url.origin()} does not answer as it should: {_why(error)}."
        if isinstance(error, aiohttp.ClientSSLError):
            raise UnexpectedAnswerError(message) from error
        raise TransientError(message) from error


def _why(error: Exception) -> str:
    """In the words of the system if it has any: those of the library are about its inner parts."""
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _reason(answer: bytes) -> str:
    """The code in an error of S3."""
    code = _S3_CODE.search(answer)
    return code[1].decode() if code else ""
