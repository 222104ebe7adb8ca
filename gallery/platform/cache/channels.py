"""Hearing what other processes publish in Valkey."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_INSISTING_SECONDS = 0.1
_SILENCE_SECONDS = 15.0
"""After how long without a word Valkey is asked whether it is still there."""


def channel_of(client: Redis, name: str) -> str:
    """The name of a channel, with the number of the database: unlike keys, all databases of a Valkey share channels."""
    return f"{name}@{client.connection_pool.connection_kwargs.get('db', 0)}"


class ChannelListener:
    """Hears all channels of some patterns on one connection, and comes back if it is lost.

    `hear` is called with the channel and the message; `on_lost` as soon as something may be missed, `on_subscribed`
    after each return.
    """

    def __init__(
        self,
        client: Redis,
        *patterns: str,
        hear: Callable[[bytes, bytes], None],
        on_subscribed: Callable[[], Awaitable[None]],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._patterns = patterns
        self._hear = hear
        self._on_subscribed = on_subscribed
        self._on_lost = on_lost
        self._listening: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self.is_subscribed = asyncio.Event()

    def start(self) -> None:
        """Begins to listen, unless it does."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())

    def stop(self) -> None:
        """Listens no more."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
            self._ending.add(listening)
            listening.add_done_callback(self._ending.discard)
        self.is_subscribed.clear()

    async def close(self) -> None:
        """Listens no more, and waits for the end of whatever has listened."""
        self.stop()
        while self._ending:
            for task in self._ending:
                task.cancel()  # again: the client of Valkey swallows one that meets a message
            await asyncio.wait(self._ending, timeout=_INSISTING_SECONDS)

    async def _listen(self) -> None:
        while self._is_wanted():
            try:
                async with aclosing(self._client.pubsub()) as pubsub:
                    await pubsub.psubscribe(*self._patterns)
                    await self._receive(pubsub)
            except Exception as error:  # noqa: BLE001  # a client parsing garbage raises anything
                log.debug("what other processes tell is not heard: %r", error)
            if self._is_wanted():  # else another one may have begun
                self.is_subscribed.clear()
                self._on_lost()
                await asyncio.sleep(_RETRY_SECONDS)

    def _is_wanted(self) -> bool:
        """Whether the running task is the one that listens, and was not stopped meanwhile."""
        return self._listening is asyncio.current_task()

    async def _receive(self, pubsub: PubSub) -> None:
        """Hears until nothing comes any more, not even an answer to the question whether there is anybody."""
        is_asked = False
        while self._is_wanted():
            message = await pubsub.get_message(timeout=_SILENCE_SECONDS)
            if message is None:
                if is_asked:
                    return
                await pubsub.ping()
                is_asked = True
                continue
            is_asked = False
            if message["type"] == "psubscribe" and message["data"] == len(self._patterns):
                self.is_subscribed.set()
                await self._on_subscribed()
            elif message["type"] == "pmessage":
                self._hear(message["channel"], message["data"])
