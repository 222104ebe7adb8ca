"""GraphQL documents by their hashes, as one process knows them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MAX_CHARACTERS: Final = 4 * 1024 * 1024
"""How long all documents may be together: a thousand large ones, or ten thousand of the usual length."""


class LocalDocumentStore:
    """The port `DocumentStore`, in memory. The least recently used documents are forgotten."""

    def __init__(self, *, max_characters: int = MAX_CHARACTERS) -> None:
        self._max_characters = max_characters
        self._characters = 0
        self._documents: OrderedDict[str, str] = OrderedDict()  # the least recently used first

    async def find(self, sha256: str) -> str | None:
        """As the port says."""
        document = self._documents.get(sha256)
        if document is not None:
            self._documents.move_to_end(sha256)
        return document

    async def keep(self, sha256: str, document: str) -> None:
        """As the port says."""
        if sha256 not in self._documents:
            self._characters += len(document)
        self._documents[sha256] = document
        self._documents.move_to_end(sha256)
        while self._characters > self._max_characters:
            _, forgotten = self._documents.popitem(last=False)
            self._characters -= len(forgotten)
