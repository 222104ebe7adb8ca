"""How many idempotency keys of one owner are remembered at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from gallery.domain.errors import ConflictError, ErrorCode
from gallery.domain.ids import UserId
from gallery.domain.ports import UnitOfWork

DEFAULT_MAX_KEYS = 1_000_000
_SHARE = 10
_NOT_COUNTED_AGAIN = timedelta(seconds=10)


class KeyQuota:
    """Refuses new keys to those who have too many.

    Counting takes the longer the more there are. So after each count this process takes a tenth of what was free
    without counting again, and the closer to the limit, the more often it counts; whoever has reached it is not counted
    again for some seconds. Of several processes each may take its tenth: ten of them together cannot go further beyond
    the limit than to twice as much.
    """

    def __init__(self, max_keys: int = DEFAULT_MAX_KEYS) -> None:
        self._max_keys = max_keys
        self._uncounted: dict[UserId, int] = {}
        """How many keys of an owner may be taken before they are counted again."""
        self._refused_until: dict[UserId, datetime] = {}

    async def take(self, work: UnitOfWork, owner: UserId, now: datetime) -> None:
        """Passes if the key that was stored in this transaction is not one too many.

        Raises:
            ConflictError: TOO_MANY_IDEMPOTENCY_KEYS.
        """
        left = self._uncounted.pop(owner, 0) or await self._counted(work, owner, now)
        self._uncounted[owner] = left - 1

    async def _counted(self, work: UnitOfWork, owner: UserId, now: datetime) -> int:
        if self._refused_until.get(owner, now) > now:
            raise self._refusal()
        free_with_this_one = self._max_keys - await work.claims.count(owner, now) + 1
        if free_with_this_one < 1:
            self._refused_until[owner] = now + _NOT_COUNTED_AGAIN
            raise self._refusal()
        self._refused_until.pop(owner, None)
        return max(1, free_with_this_one // _SHARE)

    def _refusal(self) -> ConflictError:
        message = (
            f"You have used {self._max_keys:,} idempotency keys that are still remembered, and no more are taken. "
            "Wait until the first of them are forgotten, or send the request without a key."
        )
        return ConflictError(ErrorCode.TOO_MANY_IDEMPOTENCY_KEYS, message, field=("idempotencyKey",))
