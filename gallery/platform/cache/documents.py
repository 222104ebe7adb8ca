"""GraphQL documents by their hashes in Valkey, so that a client tells them to one process and all know them."""

from __future__ import annotations

import hashlib
import logging
from typing import Final

from gallery.platform.cache.cache import Cache
from gallery.platform.cache.valkey import PREFIX, CacheUnavailableError
from gallery.platform.documents import LocalDocumentStore

log = logging.getLogger(__name__)

LIFETIME_SECONDS: Final = 7 * 24 * 3600
"""How long a document is kept that nobody asks for."""


class ValkeyDocumentStore:
    """The port `DocumentStore`: those of this process first, then those in Valkey.

    What Valkey has is believed only if it has its hash: others may write there, too.
    """

    def __init__(self, cache: Cache, *, local: LocalDocumentStore | None = None) -> None:
        self._valkey = cache.valkey
        self._local = local or LocalDocumentStore()

    async def find(self, sha256: str) -> str | None:
        """As the port says."""
        document = await self._local.find(sha256)
        if document is None:
            document = await self._find_in_valkey(sha256)
            if document is not None:
                await self._local.keep(sha256, document)
        return document

    async def keep(self, sha256: str, document: str) -> None:
        """As the port says."""
        await self._local.keep(sha256, document)
        try:
            await self._valkey.call(
                lambda: self._valkey.commands.run("SET", _key(sha256), document, "EX", LIFETIME_SECONDS)
            )
        except CacheUnavailableError as error:
            log.debug("a persisted query is known to this process alone: %r", error)

    async def _find_in_valkey(self, sha256: str) -> str | None:
        try:
            content = await self._valkey.call(
                lambda: self._valkey.commands.run("GETEX", _key(sha256), "EX", LIFETIME_SECONDS)
            )
        except CacheUnavailableError as error:
            log.debug("persisted queries of other processes are not known: %r", error)
            return None
        if not isinstance(content, bytes) or hashlib.sha256(content).hexdigest() != sha256:
            return None
        return content.decode()


def _key(sha256: str) -> str:
    return f"{PREFIX}document:{sha256}"
