"""What persisted queries need from outside."""

from __future__ import annotations

from typing import Protocol


class DocumentStore(Protocol):
    """GraphQL documents by the SHA-256 of their text. It may forget any of them at any time, and never raises."""

    async def find(self, sha256: str) -> str | None:
        """The document with this hash, in lower-case hexadecimal digits, or None if it is not known here."""
        ...

    async def keep(self, sha256: str, document: str) -> None:
        """Keeps a document that was found valid. The hash must be that of the document."""
        ...
