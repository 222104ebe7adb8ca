"""The keys with which an identity provider signs, fetched when they are needed and remembered for an hour."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

import aiohttp
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gallery.domain.errors import UnavailableError
from gallery.platform.identity.discovery import TIMEOUT, discovered, json_at
from gallery.settings_auth import OidcSettings

log = logging.getLogger(__name__)

_FETCHED_EVERY_SECONDS: Final = 3600.0
_FETCHED_AT_MOST_EVERY_SECONDS: Final = 30.0
"""Whatever ids of keys strangers make up: a provider that changes its keys announces them before it uses them."""

_SERVICE: Final = "identity provider"


class SigningKeys:
    """The public keys of an issuer. Keys of secrets that are shared are no such keys and left out."""

    def __init__(self, settings: OidcSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def having(self, key_id: str | None) -> KeySet:
        """The keys, among them the one of this id if the issuer has it.

        Raises:
            UnavailableError: if the issuer does not tell its keys, and has told none before.
        """
        if self._is_worth_fetching(key_id) and not (self._has(key_id) and self._fetching.locked()):
            async with self._fetching:
                if self._is_worth_fetching(key_id):  # nobody else has fetched them meanwhile
                    await self._fetch()
        if self._keys is None:
            raise UnavailableError(_SERVICE)
        return self._keys

    def _is_worth_fetching(self, key_id: str | None) -> bool:
        now = self._clock()
        if now < self._tried_at + _FETCHED_AT_MOST_EVERY_SECONDS:
            return False
        return not self._has(key_id) or now >= self._fetched_at + _FETCHED_EVERY_SECONDS

    def _has(self, key_id: str | None) -> bool:
        return self._keys is not None and any(key_id in {None, key.kid} for key in self._keys)

    async def _fetch(self) -> None:
        try:
            async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
                url = self._settings.jwks_url
                if url is None:
                    url = (await discovered(session, self._settings.issuer or ""))["jwks_uri"]
                told = await json_at(session, str(url))
            public = [key for key in told["keys"] if key.get("kty") != "oct"]
            self._keys = KeySet.import_key_set({"keys": public})
            self._fetched_at = self._clock()
        except (aiohttp.ClientError, OSError, JoseError, LookupError, TypeError, ValueError, AttributeError) as error:
            log.warning("the keys of the identity provider could not be fetched: %r", error)
        finally:
            self._tried_at = self._clock()
