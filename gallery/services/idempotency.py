"""Requests that may be sent again: what carries the same key is done once, and answered the same every time.

A claim is stored before the work begins, and completed by the transaction of the work itself: a crash leaves both or
neither. While the work goes on, others with the key wait for it. Work that fails gives the key free again, since
nothing was changed: a request put right may carry it. Work that was cut off, with its process, is taken over by the
next request once it has given no sign of life for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

from gallery.domain.access import Right, Viewer, require
from gallery.domain.errors import ConflictError, ErrorCode, GalleryError, UploadInterruptedError
from gallery.domain.events import JsonValue
from gallery.domain.idempotency import Claim, Snapshot, clean_key, key_reused
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.services.clock import utc_now
from gallery.services.finishing import Finishing
from gallery.services.heartbeat import Heartbeat
from gallery.services.key_quota import KeyQuota

log = logging.getLogger(__name__)

T = TypeVar("T")

Work = Callable[[Claim], Awaitable[T]]
"""Changes something, and completes the claim in the transaction of the change."""

Repeat = Callable[[Claim], Awaitable[T]]
"""Finds again what a completed claim says was made."""

FileChecksum = Callable[[], Awaitable[str]]
"""Reads the file of a request to its end, stores nothing, and gives its SHA-256 in lower-case hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedRequest:
    """What a client asks for with a key: the name of the mutation, and the fingerprint of its input without files.

    `index` is the place among several things that are asked for with a single key.
    """

    key: str
    operation: str
    fingerprint: str
    index: int | None = None

    def item(self, index: int) -> KeyedRequest:
        """One of several things that a request asks for with a single key; each is done or refused for itself."""
        return replace(self, index=index)

    @property
    def claim_key(self) -> str:
        """The key under which it is claimed, which may be longer than one that a client may send.

        Raises:
            InvalidInputError: INVALID_IDEMPOTENCY_KEY.
        """
        key = clean_key(self.key)
        return key if self.index is None else f"{key}:{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyTiming:
    """How long what is remembered or waited for.

    A file that nobody reads holds up those behind it in its request. So a repeat with a file waits only for
    `patience_seconds` before it reads the file, and for the rest of `wait_seconds` afterwards.
    """

    key_ttl: timedelta = timedelta(days=1)
    lease: timedelta = timedelta(seconds=30)
    wait_seconds: float = 60
    patience_seconds: float = 2
    first_pause_seconds: float = 0.05
    longest_pause_seconds: float = 1


class IdempotencyService:
    """Sees to it that what is asked for with a key is done once."""

    def __init__(
        self,
        unit_of_work: UnitOfWorkFactory,
        *,
        heartbeat: Heartbeat,
        timing: IdempotencyTiming,
        quota: KeyQuota | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._heartbeat = heartbeat
        self._timing = timing
        self._quota = quota or KeyQuota()
        self._clock = clock
        self._finishing = Finishing()

    async def once(self, viewer: Viewer, request: KeyedRequest, work: Work[T], repeat: Repeat[T]) -> T:
        """Does the work, or answers with what an earlier request of the same key has done.

        Raises:
            InvalidInputError: INVALID_IDEMPOTENCY_KEY.
            ConflictError: IDEMPOTENCY_KEY_REUSED if the key belongs to another request; IDEMPOTENCY_KEY_IN_USE if an
                earlier one is still worked on and takes too long to wait for; TOO_MANY_IDEMPOTENCY_KEYS.
            GalleryError: whatever the work or the repeat raises.
        """
        require(viewer, Right.CONTRIBUTE)
        claim = self._new_claim(viewer, request)
        stored = await self._taken(claim, self._timing.wait_seconds)
        if stored.holder == claim.holder:
            return await self._do(claim, work)
        if stored.result_id is None:
            raise _in_use()
        return await repeat(stored)

    async def once_with_file(
        self, viewer: Viewer, request: KeyedRequest, checksum: FileChecksum, work: Work[T], repeat: Repeat[T]
    ) -> T:
        """As `once`, for work that reads a file: a repeat reads its own to compare it, even if there is a result.

        Raises:
            ConflictError: as `once`; IDEMPOTENCY_KEY_REUSED also if the file is another.
            UploadInterruptedError: if the earlier request failed after this one had begun to read its file.
            GalleryError: whatever the work, the repeat or reading the file raises.
        """
        require(viewer, Right.CONTRIBUTE)
        claim = self._new_claim(viewer, request)
        stored = await self._taken(claim, self._timing.patience_seconds)
        if stored.holder == claim.holder:
            return await self._do(claim, work)
        sent = await checksum()
        stored = stored if stored.result_id is not None else await self._completed(stored)
        if stored.file_checksum != sent:
            raise key_reused()
        return await repeat(stored)

    async def complete(self, viewer: Viewer, claim: Claim) -> None:
        """Stores the result of a claim whose work was done already, by a transaction that knew another key.

        Raises:
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        async with self._unit_of_work() as work:
            await work.claims.complete(claim)
            await work.commit()

    async def settle(self) -> None:
        """Waits for keys that are being given free."""
        await self._finishing.settle()

    def _new_claim(self, viewer: Viewer, request: KeyedRequest) -> Claim:
        now = self._clock()
        return Claim(
            owner=viewer.id,
            key=request.claim_key,
            operation=request.operation,
            fingerprint=request.fingerprint,
            holder=uuid4(),
            touched_at=now,
            expires_at=now + self._timing.key_ttl,
        )

    async def _taken(self, claim: Claim, wait_seconds: float) -> Claim:
        """The claim itself once nobody else has the key; else that of the other, completed unless it takes longer."""
        pause = _Pause(self._timing, wait_seconds)
        while True:
            stored = await self._take(claim)
            stored.check_same(claim.operation, claim.fingerprint)
            if stored.holder == claim.holder or stored.result_id is not None or not await pause.goes_on():
                return stored

    async def _take(self, claim: Claim) -> Claim:
        now = self._clock()
        async with self._unit_of_work() as work:
            stored = await work.claims.take(
                replace(claim, touched_at=now), abandoned_before=now - self._timing.lease, now=now
            )
            if stored.holder == claim.holder:
                await self._quota.take(work, claim.owner, now)
            await work.commit()
        return stored

    async def _completed(self, claim: Claim) -> Claim:
        """The claim of somebody else once it has its result; it is never taken over."""
        pause = _Pause(self._timing, self._timing.wait_seconds)
        while True:
            async with self._unit_of_work() as work:
                stored = await work.claims.find(claim.owner, claim.key)
            if stored is None or self._is_abandoned(stored):
                message = "The request that sent this file first did not end well. Send the file again."
                raise UploadInterruptedError(message)
            stored.check_same(claim.operation, claim.fingerprint)
            if stored.result_id is not None:
                return stored
            if not await pause.goes_on():
                raise _in_use()

    def _is_abandoned(self, claim: Claim) -> bool:
        return claim.result_id is None and claim.touched_at < self._clock() - self._timing.lease

    async def _do(self, claim: Claim, work: Work[T]) -> T:
        with self._heartbeat.working(claim.holder):
            try:
                return await work(claim)
            except BaseException:
                await self._finishing.run(self._release(claim))
                raise

    async def _release(self, claim: Claim) -> None:
        """Gives the key free, unless the work was done and only the answer of its commit was lost."""
        try:
            async with self._unit_of_work() as work:
                await work.claims.release(claim)
                await work.commit()
        except GalleryError:
            log.warning("an idempotency key stays in use until its lease ends, although its request failed")


class _Pause:
    """Waits longer each time, up to a bound."""

    def __init__(self, timing: IdempotencyTiming, wait_seconds: float) -> None:
        self._ends = time.monotonic() + wait_seconds
        self._seconds = timing.first_pause_seconds
        self._longest_seconds = timing.longest_pause_seconds

    async def goes_on(self) -> bool:
        """Waits, or says at once that there is no time left."""
        if time.monotonic() >= self._ends:
            return False
        await asyncio.sleep(self._seconds)
        self._seconds = min(2 * self._seconds, self._longest_seconds)
        return True


async def complete_change(work: UnitOfWork, claim: Claim | None, snapshot: Snapshot) -> None:
    """Completes the claim of a change, if it has one, within the transaction of the change.

    Raises:
        ConflictError: VERSION_CONFLICT if another request has taken over the claim.
    """
    if claim is not None:
        await work.claims.complete(claim.changed(snapshot))


def fingerprint_of(value: JsonValue) -> str:
    """The SHA-256 of an input, the same whatever the order of its fields."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _in_use() -> ConflictError:
    message = "An earlier request with this idempotency key is still being worked on. Send it again in a while."
    return ConflictError(ErrorCode.IDEMPOTENCY_KEY_IN_USE, message, field=("idempotencyKey",))
