"""How often somebody may be wrong about a password: counted for all processes, in windows of time.

What is counted is who tries, whose password they try, and both together. Only the last two of these can be reached from
many addresses at once; whoever has signed in from an address lately is let past the one that others can use up, so that
nobody keeps them out of their account for longer than a minute.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from gallery.domain.errors import TooManyAttemptsError
from gallery.domain.ports import Clock
from gallery.domain.session_ports import Counters
from gallery.services.clock import utc_now

_KNOWN_SECONDS: Final = 30 * 24 * 3600
"""How long an address is one from which somebody has signed in."""

_IPV6_NETWORK_BITS: Final = 64
"""Who has one address has all of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """At most so many in a window of so many seconds."""

    what: str
    number: int
    seconds: int


_OF_ADDRESS: Final = (_Limit(what="address", number=60, seconds=60),)
_OF_BOTH: Final = (_Limit(what="both", number=5, seconds=60), _Limit(what="both", number=30, seconds=3600))
_OF_NAME: Final = _Limit(what="name", number=20, seconds=60)


class Attempt:
    """An attempt that was let through. It counts as a wrong one unless it is found right."""

    def __init__(self, *, is_first_in_minute: bool) -> None:
        self.is_first_in_minute = is_first_in_minute
        """Whether it is the first one of a minute for this name."""
        self.was_right = False
        self.counts = True

    def right(self) -> None:
        """Says that it was right: it does not count, and its address is known from now on."""
        self.was_right, self.counts = True, False

    def void(self) -> None:
        """Says that it was not looked at: it does not count."""
        self.counts = False


class Attempts:
    """Counts them. Keys hold hashes of names and addresses, not these themselves."""

    def __init__(self, counters: Counters, clock: Clock = utc_now) -> None:
        self._counters = counters
        self._clock = clock

    @asynccontextmanager
    async def attempt(self, name: str, address: str) -> AsyncIterator[Attempt]:
        """One attempt at the password of this name from this address, or from whatever stands for one.

        It is counted before it is looked at, so that a hundred at once are a hundred.

        Raises:
            TooManyAttemptsError: if there were too many. Who is refused uses up nothing beyond that limit.
        """
        now = int(self._clock().timestamp())
        network = _network(address)
        subjects = {"address": network, "both": f"{name}\n{network}", "name": name}
        known = _key("known", 0, subjects["both"])
        is_known = await self._counters.get(known) > 0
        counted: list[tuple[str, _Limit]] = []
        number = 0
        for limit in (*_OF_ADDRESS, *_OF_BOTH, _OF_NAME):
            key = _key(limit.what, limit.seconds, f"{now // limit.seconds}\n{subjects[limit.what]}")
            number = await self._counters.add(key, 1, limit.seconds)
            counted.append((key, limit))
            if number > limit.number and not (limit is _OF_NAME and is_known):
                raise TooManyAttemptsError(limit.seconds - now % limit.seconds)
        attempt = Attempt(is_first_in_minute=number == 1)
        try:
            yield attempt
        finally:
            if attempt.was_right:
                await self._counters.add(known, 1, _KNOWN_SECONDS)
            if not attempt.counts:
                for key, limit in counted:
                    await self._counters.add(key, -1, limit.seconds)


def _network(address: str) -> str:
    """The address, or the network of an address that has many others beside it."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, ipaddress.IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, _IPV6_NETWORK_BITS), strict=False))


def _key(what: str, seconds: int, subject: str) -> str:
    digest = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{what}:{seconds}:{digest}"
