"""What is needed from outside to share albums, as Protocols."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from gallery.domain.ids import AlbumId, ImageId, UserId
from gallery.domain.shares import AlbumShare, ShareLevel


class ShareRepository(Protocol):
    """With whom albums are shared, in a unit of work."""

    async def offered(self, account_id: UserId, image_ids: Collection[ImageId]) -> set[ImageId]:
        """Those of the images that their owners show to the account: in its albums, or in albums shared with it."""
        ...

    async def level(self, album_id: AlbumId, account_id: UserId) -> ShareLevel | None:
        """What the account may do with the album; None if it is not shared with it."""
        ...

    async def of_album(self, album_id: AlbumId) -> tuple[AlbumShare, ...]:
        """With whom the album is shared, by the names of the accounts."""
        ...

    async def save(self, share: AlbumShare) -> None:
        """Shares the album, in place of how it was shared with the account before.

        Raises:
            NotFoundError: if there is no such album or account.
        """
        ...

    async def delete(self, album_id: AlbumId, account_id: UserId) -> bool:
        """Shares the album with the account no more; answers with whether it did."""
        ...
