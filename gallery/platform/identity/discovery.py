"""What an identity provider tells of itself (OpenID Connect Discovery, section 4)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import aiohttp
import orjson

TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
_MAX_BYTES: Final = 1024 * 1024
_DISCOVERY: Final = "/.well-known/openid-configuration"


async def discovered(session: aiohttp.ClientSession, issuer: str) -> dict[str, Any]:
    """The issuer's document.

    Raises:
        aiohttp.ClientError, OSError, ValueError, LookupError, TypeError: if it does not tell, or is of somebody else.
    """
    told: dict[str, Any] = await json_at(session, issuer.rstrip("/") + _DISCOVERY)
    if told["issuer"] != issuer:
        message = f"the document is of another issuer, {told['issuer']}"
        raise ValueError(message)
    return told


async def json_at(session: aiohttp.ClientSession, url: str) -> Any:  # noqa: ANN401  # any JSON
    """What is at an address, if it is JSON of at most a mebibyte, and there at once.

    Raises:
        aiohttp.ClientError, OSError, ValueError: if not.
    """
    async with session.get(url, allow_redirects=False, raise_for_status=True) as response:
        content = await content_of(response)
    if response.status != HTTPStatus.OK:
        message = f"{url} answers with {response.status}"
        raise ValueError(message)
    return orjson.loads(content)


async def content_of(response: aiohttp.ClientResponse) -> bytearray:
    """The body of an answer.

    Raises:
        ValueError: if it has more than a mebibyte.
    """
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_BYTES:
            message = f"{response.url} answers with more than {_MAX_BYTES:,} bytes"
            raise ValueError(message)
    return body
