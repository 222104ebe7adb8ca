"""Which media type an answer has (RFC 9110, 12.5.1; GraphQL over HTTP, "Media Types")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from gallery.web.errors import RequestCode, RequestError

HTML = "text/html"

_KNOWN: Final = 256
_LONGEST_KNOWN: Final = 256
"""How many fields are remembered, and of how many characters: browsers send about 130."""

_EXACT = 2  # how specific `type/subtype` is; `type/*` is 1 and `*/*` is 0


@unique
class MediaType(StrEnum):
    """The media types of GraphQL answers."""

    JSON = "application/json"
    GRAPHQL = "application/graphql-response+json"
    EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client says that it takes, looked at once."""

    media_type: MediaType | None
    """That of the answer; None if it takes nothing that there is."""
    prefers_html: bool
    takes_events: bool

    def require(self) -> MediaType:
        """The media type of the answer.

        Raises:
            RequestError: NOT_ACCEPTABLE if the client takes none of them.
        """
        if self.media_type is None:
            message = f"Answers are {MediaType.GRAPHQL}, {MediaType.JSON} or {MediaType.EVENTS}. Accept one of them."
            raise RequestError(RequestCode.NOT_ACCEPTABLE, message, HTTPStatus.NOT_ACCEPTABLE)
        return self.media_type


def wish(accept: str) -> Wish:
    """What the `Accept` field of a client says. Fields of common length are remembered: clients send few."""
    return _known_wish(accept) if len(accept) <= _LONGEST_KNOWN else _wish(accept)


def _wish(accept: str) -> Wish:
    return Wish(_media_type(accept), prefers_html(accept), takes_events(accept))


_known_wish = lru_cache(_KNOWN)(_wish)


def negotiate(accept: str) -> MediaType:
    """The media type that a client likes best, from its `Accept` field, or an empty string if it has none.

    Who does not name `application/graphql-response+json` gets `application/json`. Events are for those who name them
    and like nothing else as well.

    Raises:
        RequestError: NOT_ACCEPTABLE if the client takes none of them.
    """
    return wish(accept).require()


def _media_type(accept: str) -> MediaType | None:
    if not accept.strip():
        return MediaType.JSON
    json, graphql = _preference(accept, MediaType.JSON), _preference(accept, MediaType.GRAPHQL)
    if takes_events(accept) and _preference(accept, MediaType.EVENTS) > max(json, graphql):
        return MediaType.EVENTS
    if json[0] <= 0 and graphql[0] <= 0:
        return None
    if graphql > json or (graphql == json and graphql[1] == _EXACT):
        return MediaType.GRAPHQL
    return MediaType.JSON


def takes_events(accept: str) -> bool:
    """Whether a client names event streams among what it takes."""
    weight, specificity = _preference(accept, MediaType.EVENTS)
    return weight > 0 and specificity == _EXACT


def prefers_html(accept: str) -> bool:
    """Whether a client asks for a page by name and likes it better than data, as browsers do."""
    html = _preference(accept, HTML)
    data = max(_preference(accept, media_type) for media_type in (MediaType.JSON, MediaType.GRAPHQL))
    return html[0] > 0 and html[1] == _EXACT and html > data


def _preference(accept: str, media_type: str) -> tuple[float, int]:
    """The weight of a media type, and how specifically it was named."""
    any_subtype = f"{media_type.partition('/')[0]}/*"
    specificities = {media_type: _EXACT, any_subtype: 1, "*/*": 0}
    matches = [(specificities[range_], weight) for range_, weight in _ranges(accept) if range_ in specificities]
    specificity, weight = max(matches, default=(-1, 0.0))
    return weight, specificity


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for item in accept.lower().split(","):
        media_range, *parameters = (part.strip() for part in item.split(";"))
        weights = [parameter.removeprefix("q=") for parameter in parameters if parameter.startswith("q=")]
        yield media_range, _weight(weights[0]) if weights else 1.0


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
