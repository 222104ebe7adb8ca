"""What servers are asked: the reads that a gallery answers most, and what every answer to them must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from benchmarks.load import WrongAnswerError, post_request
from benchmarks.seed import identifier

FIRST = 50
TAG = "mountain 8"
"""A tag of the oldest image, and of 3 images in 40."""

_IMAGE = """
      id filename originalFilename contentType fileSize width height title description url uploadedAt
      thumbnails {
        small { url width height }
        medium { url width height }
        large { url width height }
      }
      tags { id name }
      albums { id title imageCount }
"""
_PAGE = f"query Page($first: Int!) {{ images(first: $first) {{ nodes {{ {_IMAGE} }} pageInfo {{ hasNextPage }} }} }}"
_TAGGED = f"""query Tagged($first: Int!, $tags: [String!]) {{
  images(first: $first, filter: {{tags: $tags}}) {{ nodes {{ {_IMAGE} }} pageInfo {{ hasNextPage }} }}
}}"""
IMAGE_BY_ID = f"query One($id: ID!) {{ image(id: $id) {{ {_IMAGE} }} }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """An operation with its variables. `title` is for people."""

    title: str
    operation: str
    text: str
    variables: Mapping[str, Any]
    is_complete: Callable[[Any], bool]
    """Whether the `data` of an answer hold what they should."""

    def request(self) -> bytes:
        """The whole HTTP request."""
        content = {"query": self.text, "operationName": self.operation, "variables": self.variables}
        return post_request(orjson.dumps(content))


def queries(images: int) -> dict[str, Query]:
    """The queries by their names, for a gallery that was seeded with so many images."""
    page_size = min(FIRST, images)
    return {
        "page": Query(
            title=f"{FIRST} nested images",
            operation="Page",
            text=_PAGE,
            variables={"first": FIRST},
            is_complete=lambda data: len(data["images"]["nodes"]) == page_size,
        ),
        "tagged": Query(
            title=f"{FIRST} nested images of a tag",
            operation="Tagged",
            text=_TAGGED,
            variables={"first": FIRST, "tags": [TAG]},
            is_complete=lambda data: 1 <= len(data["images"]["nodes"]) <= page_size,
        ),
        "image": Query(
            title="one nested image",
            operation="One",
            text=IMAGE_BY_ID,
            variables={"id": f"img_{identifier(1, images - 1).hex}"},
            is_complete=lambda data: data["image"] is not None,
        ),
        "nothing": Query(
            title="nothing, which shows what a request costs besides its data",
            operation="Nothing",
            text="query Nothing { __typename }",
            variables={},
            is_complete=lambda data: data == {"__typename": "Query"},
        ),
    }


def compare(query: Query, bodies: Mapping[str, bytes]) -> None:
    """Passes if all answers are complete and say the same as the first.

    Raises:
        WrongAnswerError: if not; it says where they differ.
    """
    contents = {name: orjson.loads(body) for name, body in bodies.items()}
    first, *others = contents
    if "errors" in contents[first] or not query.is_complete(contents[first]["data"]):
        message = f"{first} does not answer {query.operation}: {bodies[first][:300]!r}"
        raise WrongAnswerError(message)
    for name in others:
        if contents[name] != contents[first]:
            message = f"{name} does not answer what {first} answers: {difference(contents[name], contents[first])}"
            raise WrongAnswerError(message)


def difference(one: object, other: object, path: str = "$") -> str:
    """The first place in which two answers differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(difference(one[key], other[key], f"{path}.{key}") for key in one if one[key] != other[key])
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        unequal = next(index for index, (left, right) in enumerate(zip(one, other, strict=True)) if left != right)
        return difference(one[unequal], other[unequal], f"{path}[{unequal}]")
    return f"{path} is {one!r}, not {other!r}"
