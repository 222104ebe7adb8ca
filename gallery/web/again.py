"""How a server that has a whole request at hand may be told what to answer if the very same bytes come again.

The server puts an `Offer` into the scope of such a request. Whoever knows the answer takes the offer, and whoever adds
something to answers on their way out puts an offer of its own in its place, or takes it away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, TypeVar

from starlette.types import Scope

OFFER: Final = "gallery.offer"
MISSED: Final = "gallery.missed"
"""Whether the answer to the request was looked for already, and was not there any more."""


class Ready(NamedTuple):
    """An answer. The fields of its head are the same object as long as they say the same."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Sendable(NamedTuple):
    """An answer as it is sent: `fields` are the lines of its head."""

    status: int
    fields: bytes
    body: bytes


A_co = TypeVar("A_co", covariant=True)


class Repeats(Protocol[A_co]):
    """Gives the answer of this moment; None if the request has to go the long way."""

    @property
    def is_far(self) -> bool:
        """Whether the answer has to be waited for, by `later`; else it is there `now`, or not at all."""
        ...

    def now(self) -> A_co | None:
        """The answer, if it is at hand."""
        ...

    async def later(self) -> A_co | None:
        """The answer, if it is where it has to be asked for. Does not fail."""
        ...


Offer = Callable[[Repeats[Ready]], None]
ServerOffer = Callable[[Repeats[Sendable]], None]


def take_offer(scope: Scope) -> Offer | None:
    """The offer in the scope of a request, if there is one; whoever is asked next finds none."""
    offer: Offer | None = scope.pop(OFFER, None)
    return offer


def take_offer_of_server(scope: Scope) -> ServerOffer | None:
    """The same where answers leave for the server."""
    offer: ServerOffer | None = scope.pop(OFFER, None)
    return offer
