"""GraphQL documents by their hashes, in memory."""

from __future__ import annotations


class MemoryDocumentStore:
    """`documents` holds all that was kept."""

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}

    async def find(self, sha256: str) -> str | None:
        return self.documents.get(sha256)

    async def keep(self, sha256: str, document: str) -> None:
        self.documents[sha256] = document
