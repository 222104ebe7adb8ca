"""Documents that are made to keep a server busy: some kilobytes each, as bad as the limits of the gallery let them be.

What is over a limit is as bad, but costs nothing more than to find that out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ARGUMENTS: Final = "args { name description defaultValue type { name kind } }"


def _repeated(text: str, times: int) -> str:
    """The text so many times, with its number in place of each #."""
    return " ".join(text.replace("#", str(number)) for number in range(times))


def _bomb(fields: str, type_: str, levels: int) -> str:
    """Fragments that each spread the next one twice."""
    fragments = " ".join(
        f"fragment F{level} on {type_} {{ {fields.replace('#', f'...F{level + 1} ...F{level + 1}')} }}"
        for level in range(levels)
    )
    return f"{fragments} fragment F{levels} on {type_} {{ __typename }}"


def _mesh(fragments: int) -> str:
    """Fragments that each spread all that come after."""
    return " ".join(
        f"fragment F{number} on Query {{ {_spreads(number + 1, fragments)} a{number}: stats {{ imageCount }} }}"
        for number in range(fragments)
    )


def _spreads(first: int, end: int) -> str:
    return " ".join(f"...F{number}" for number in range(first, end))


def _chain(fragments: int) -> str:
    """Fragments that each spread the next one."""
    return " ".join(f"fragment F{number} on Query {{ ...F{number + 1} }}" for number in range(fragments)) + (
        f" fragment F{fragments} on Query {{ __typename }}"
    )


ACCEPTED: Final[Mapping[str, str]] = {
    "fragments that double": "{ ...F0 } " + _bomb("#", "Query", 30),
    "fields that double": "{ images { nodes { ...F0 } } } " + _bomb("tags { images { nodes { # } } }", "Image", 5),
    "aliases": f"{{ {_repeated('a#: __typename', 500)} }}",
    "directives": f"{{ {_repeated('a#: __typename @include(if: true) @skip(if: false)', 50)} }}",
    "chain of fragments": f"{{ ...F0 }} {_chain(150)}",
    "types of types": "{ __schema { types { fields { type "
    + "{ name ofType " * 14
    + "{ name }"
    + " }" * 14
    + " } } } }",
    "lists of items": f"{{ {_repeated('a#: nodes(ids: [' + '1 ' * 30 + ']) { id }', 100)} }}",
    "long string": '{ node(id: "' + "a" * 200_000 + '") { id } }',
    "long comment": "{ __typename } #" + "a" * 200_000,
    "commas": "{ __typename " + "," * 200_000 + " }",
    "schema": f"{{ __schema {{ types {{ {_repeated('a#: fields { ...F }', 5)} }} }} }} "
    f"fragment F on __Field {{ {_repeated('a#: ' + _ARGUMENTS, 6)} }}",
}
"""What is executed, and costs more than most."""

REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "same field": ("DOCUMENT_TOO_COMPLEX", "{ " + "stats { imageCount } " * 1_200 + "}"),
    "many aliases": ("DOCUMENT_TOO_COMPLEX", f"{{ {_repeated('a#: __typename', 1600)} }}"),
    "many root fields": ("DOCUMENT_TOO_COMPLEX", f"{{ {_repeated('a#: stats { imageCount }', 400)} }}"),
    "many items": ("DOCUMENT_TOO_COMPLEX", "{ nodes(ids: [" + "1 " * 4_900 + "]) { id } }"),
    "deeper than it looks": (
        "DOCUMENT_TOO_COMPLEX",
        "{ images { nodes { ...F0 } } } " + _bomb("tags { images { nodes { # } } }", "Image", 20),
    ),
    "same names": ("DOCUMENT_TOO_COMPLEX", f"{{ {_repeated('x: image(id: #) { id }', 450)} }}"),
    "mesh of fragments": ("DOCUMENT_TOO_COMPLEX", "{ ...F0 } " + _mesh(60)),
    "many fragments": (
        "DOCUMENT_TOO_COMPLEX",
        f"{{ {_spreads(0, 400)} }} {_repeated('fragment F# on Query { x: __typename }', 400)}",
    ),
    "deep": ("DOCUMENT_TOO_COMPLEX", "{ images " + "{ nodes { tags { images " * 200 + "{ id }" + " } } }" * 200 + " }"),
    "deep value": ("DOCUMENT_TOO_COMPLEX", "{ node(id: " + "[" * 2_000 + "]" * 2_000 + ") { id } }"),
    "wide": ("DOCUMENT_TOO_COMPLEX", f"{{ {_repeated('a#: __typename', 20_000)} }}"),
    "long": ("DOCUMENT_TOO_COMPLEX", "{ __typename #" + "a" * 900_000 + "\n}"),
    "comments": ("DOCUMENT_TOO_COMPLEX", "{ __typename " + "#\n" * 100_000 + "}"),
    "chain of fragments": (
        "GRAPHQL_VALIDATION_FAILED",
        f"{{ ...F0 }} {_repeated('fragment F# on Query { ...G }', 600)}",
    ),
    "flood of directives": ("DOCUMENT_TOO_COMPLEX", "{ __typename " + "@skip(if: false) " * 600 + "}"),
    "flood of unknown ones": ("DOCUMENT_TOO_COMPLEX", "{ __typename " + "@a " * 2_400 + "}"),
    "unknown directives": ("GRAPHQL_VALIDATION_FAILED", "{ __typename " + "@a " * 100 + "}"),
    "unknown fields": ("GRAPHQL_VALIDATION_FAILED", f"{{ {_repeated('f#', 4_900)} }}"),
    "unknown arguments": (
        "GRAPHQL_VALIDATION_FAILED",
        f"{{ images({_repeated('f#: 1', 1_600)}) {{ __typename }} }}",
    ),
    "unknown input": (
        "GRAPHQL_VALIDATION_FAILED",
        f"{{ images(filter: {{ {_repeated('f#: 1', 1_600)} }}) {{ __typename }} }}",
    ),
    "unused variables": ("GRAPHQL_VALIDATION_FAILED", f"query ({_repeated('$v#: Int', 1_200)}) {{ __typename }}"),
    "unused fragments": (
        "GRAPHQL_VALIDATION_FAILED",
        f"{{ __typename }} {_repeated('fragment F# on Query { __typename }', 700)}",
    ),
    "long number": ("GRAPHQL_VALIDATION_FAILED", "{ images(first: " + "9" * 200_000 + ") { nodes { id } } }"),
    "wrong values": ("GRAPHQL_VALIDATION_FAILED", "{ images(first: [" + "{} " * 1_000 + "]) { nodes { id } } }"),
    "long numbers": (
        "GRAPHQL_VALIDATION_FAILED",
        f"{{ {_repeated('a#: images(first: ' + '9' * 4_000 + ') { totalCount }', 60)} }}",
    ),
    "circles in the schema": (
        "GRAPHQL_VALIDATION_FAILED",
        '{ __type(name: "Image") { ' + "fields { type { ofType { " * 5 + "name" + " } } }" * 5 + " } }",
    ),
    "schema again and again": (
        "GRAPHQL_VALIDATION_FAILED",
        f"{{ __schema {{ {_repeated('a#: types { fields { name } }', 500)} }} }}",
    ),
    "many operations": ("OPERATION_NAME_REQUIRED", _repeated("query Q# { __typename }", 900)),
}
"""What is refused, with the code."""
