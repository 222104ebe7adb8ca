"""The connection to Valkey, and what happens while there is none.

Three calls in a row that fail, or a drop, suspend the cache: no read asks Valkey until it answers in time again, and
until every drop that failed has been made good. Drops try it even then, until they succeed or nobody can answer from
memory any more. A process starts by dropping everything: one before it may have ended between a commit and its drop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gallery.platform.cache.drop_listener import DropListener
from gallery.platform.cache.drops import HOLDER_SECONDS, PREFIX, Drop, Drops
from gallery.platform.cache.keys import EVERYTHING
from gallery.platform.cache.metrics import CacheMetrics
from gallery.platform.cache.patience import Patience
from gallery.platform.cache.pipelining import Commands
from gallery.settings import CacheSettings

log = logging.getLogger(__name__)

__all__ = ["PREFIX", "CacheUnavailableError", "Valkey", "create_client"]

T = TypeVar("T")

_FAILURES_BEFORE_SUSPENSION = 3
_RETRY_SECONDS = 1.0
_MISSED_RETRY_SECONDS = 0.1
"""As long as drops are missed, others may answer with what they would have removed: then there is no time."""
_CONNECT_SECONDS = 1.0
"""How long an attempt to come back may take to connect and to drop; no request waits for it."""
_DROP_SECONDS: Final = 1.5 * HOLDER_SECONDS
"""How long a writer waits for Valkey. By then those who do not reach it either answer from memory no more."""
_DROP_ATTEMPT_SECONDS = 0.5
"""After how long another connection is tried: one that was cut silently says nothing."""
_DROP_RETRY_SECONDS = 0.05
_INSISTING_SECONDS = 0.1
_SOCKET_SECONDS = 5.0
"""What ends a call that nothing else ends: this is counted by the clock, so that a late loop uses it up."""
_MAX_CONNECTIONS = 32
_MAX_MISSED_KEYS = 10_000
"""How many drops are remembered one by one while Valkey is gone, before everything is dropped instead."""

_SCHEMES: Final = {"valkey": "redis", "valkeys": "rediss"}
"""Names of our protocols that redis-py does not know."""


class CacheUnavailableError(Exception):
    """Valkey did not answer, not in time, or not sensibly: ask the database instead."""


class Valkey:
    """Valkey as long as it is well."""

    def __init__(self, client: Redis, timeout_seconds: float, metrics: CacheMetrics) -> None:
        self.client = client
        self.commands = Commands(client)
        self._drops = Drops(client, self.commands)
        self.listener = DropListener(client, self._drops, on_lost=self._forget, on_back=self._wake)
        self.on_lost: Callable[[], None] = _nothing
        """Called when drops of other processes may be missed."""
        self._metrics = metrics
        self._timeout_seconds = timeout_seconds
        self._suspended = True
        self._is_gone = False
        """Whether a writer has waited in vain: those after it wait no longer than readers do."""
        self._failures = 0
        self._missed: dict[str, object] = {EVERYTHING: object()}
        """Keys that are still to be removed, each with what tells this miss from a later one."""
        self._recovery: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()

    @property
    def available(self) -> bool:
        """Whether calls reach Valkey at present."""
        return not self._suspended

    async def call(self, operation: Callable[[], Awaitable[T]]) -> T:
        """What an operation on the client gives, which may be several commands but has one time limit.

        Raises:
            CacheUnavailableError: if it fails in whatever way, or the cache is suspended.
        """
        if self._suspended:
            raise CacheUnavailableError
        patience = Patience(self._timeout_seconds)
        try:
            async with patience:
                answer = await operation()
        except Exception as error:  # a client parsing garbage raises anything; no request may fail of it
            if not isinstance(error, RedisError | OSError):
                log.exception("Valkey gave an answer that makes no sense, or the cache is wrong")
            self._metrics.errors += 1
            self._failures += not patience.was_late
            if self._failures >= _FAILURES_BEFORE_SUSPENSION:
                self._suspend(error)
            raise CacheUnavailableError from error
        self._failures = 0
        return answer

    async def drop(self, keys: Collection[str]) -> None:
        """Removes keys, and waits until no process answers from its memory without having heard of it.

        If they cannot be removed, the cache is not used before they are; what was missed before is removed with them.
        """
        try:
            async with Patience(self._timeout_seconds if self._is_gone else _DROP_SECONDS) as patience:
                drop = await self._insist(keys, patience)
        except TimeoutError as error:
            self._metrics.errors += self.available
            self._is_gone = True
            self._miss(keys, error)
        except asyncio.CancelledError:
            self._miss(keys, None)
            raise
        else:
            await self.listener.told(drop)

    async def ping(self) -> None:
        """Passes if Valkey answers in time.

        Raises:
            CacheUnavailableError: if not.
        """
        try:
            async with Patience(self._timeout_seconds):
                await self._ping()
        except Exception as error:
            raise CacheUnavailableError from error

    async def start(self) -> None:
        """Begins to use the cache, now or as soon as Valkey answers."""
        self.listener.start()
        if not await self._restore():
            log.warning("Valkey does not answer; the gallery reads from the database until it does")
            self._recover()

    async def stop(self) -> None:
        """Ends the attempts to come back, and the connections."""
        while self._recovery is not None and not self._recovery.done():
            self._recovery.cancel()  # again: the client of Valkey may swallow one
            await asyncio.wait([self._recovery], timeout=_INSISTING_SECONDS)
        if self._missed:
            await self._restore()
        self._suspended = True
        await self.listener.close()
        self.commands.close()
        await self.client.aclose()

    async def _insist(self, keys: Collection[str], patience: Patience) -> Drop:
        """Tries to remove keys until it succeeds.

        Raises:
            TimeoutError: if it does not in time.
        """
        while not patience.is_over:
            try:
                async with Patience(_DROP_ATTEMPT_SECONDS):
                    return await self._drop(keys)
            except Exception as error:  # noqa: BLE001  # as in `call`
                log.debug("Valkey does not drop: %r", error)
            await asyncio.sleep(_DROP_RETRY_SECONDS)
        raise TimeoutError

    async def _drop(self, keys: Collection[str]) -> Drop:
        """Removes keys, and all that were missed."""
        missed = dict(self._missed)
        drop = await self._drops.drop([*{*keys, *missed}], self.listener.name)
        self.listener.dropped(drop)
        for key, miss in missed.items():
            if self._missed.get(key) is miss:  # else it was missed again meanwhile
                del self._missed[key]
        if missed:
            self._wake()
        return drop

    def _forget(self) -> None:
        self.on_lost()

    async def _ping(self) -> None:
        if not await self.commands.run("PING"):
            message = "Valkey answers a PING with something else"
            raise ValueError(message)

    def _miss(self, keys: Collection[str], reason: BaseException | None) -> None:
        """Suspends the cache until these keys are removed."""
        self._missed |= dict.fromkeys(keys, object())
        if len(self._missed) > _MAX_MISSED_KEYS:
            self._missed = {EVERYTHING: object()}
        self._suspend(reason)

    def _suspend(self, reason: BaseException | None) -> None:
        if not self._suspended:
            log.warning("the cache is suspended, the gallery reads from the database: %r", reason)
        self._suspended = True
        self._recover()
        if self._missed:
            self._wake()

    def _wake(self) -> None:
        """Lets the recovery, if there is one, try at once."""
        self._woken.set()

    def _recover(self) -> None:
        if self._recovery is None or self._recovery.done():
            self._recovery = asyncio.create_task(self._try_until_restored())

    async def _try_until_restored(self) -> None:
        self._woken.clear()
        while True:
            # A slow Valkey must not be tried again at once, unless something in it is wrong.
            with suppress(TimeoutError):
                async with asyncio.timeout(_MISSED_RETRY_SECONDS if self._missed else _RETRY_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
            if await self._restore():
                break
        log.info("the cache is used again")

    async def _restore(self) -> bool:
        """Makes missed drops good, makes sure that Valkey is fast enough, and ends the suspension."""
        try:
            async with Patience(_CONNECT_SECONDS):
                await (self._drop([]) if self._missed else self._ping())
            await self.ping()
        except Exception as error:  # noqa: BLE001  # as in `call`
            log.debug("Valkey does not answer: %r", error)
        else:
            self._suspended = bool(self._missed)  # another drop may have been missed meanwhile
            self._is_gone = False
            self._failures = 0
        return not self._suspended


def _nothing() -> None:
    """Nothing lies in memory."""


def create_client(settings: CacheSettings) -> Redis:
    """A pool of connections to the address of the settings; none is opened before it is needed.

    Raises:
        ValueError: if the settings hold no address, or one of another kind than redis://, valkey:// or unix://.
    """
    if settings.url is None:
        message = "The address of the cache is not set."
        raise ValueError(message)
    scheme, separator, rest = settings.url.get_secret_value().partition("://")
    pool = BlockingConnectionPool.from_url(
        _SCHEMES.get(scheme, scheme) + separator + rest,
        max_connections=_MAX_CONNECTIONS,
        timeout=_SOCKET_SECONDS,
        socket_timeout=_SOCKET_SECONDS,
        socket_connect_timeout=_CONNECT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # needs no greeting when a connection opens
        driver_info=None,  # as above
        decode_responses=False,
    )
    return Redis.from_pool(pool)
