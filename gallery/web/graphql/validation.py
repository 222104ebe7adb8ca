"""Whether a document may be executed, found out in a time that is bounded whatever it is.

graphql-core takes some 15 µs for each token of an ordinary document, but compares fields of the same name with each
other, and writes what is wrong out anew with each error: some kilobytes could so keep a server busy for seconds.
"""

from __future__ import annotations

from typing import Any, Final

import strawberry
from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    GraphQLError,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    ValidationRule,
    get_nullable_type,
    is_list_type,
    parse,
    specified_rules,
    validate,
)

from gallery.web.errors import RequestCode
from gallery.web.graphql.errors import with_code

MOST_TOKENS: Final = 5_000
"""How many names, values and signs a document may have: that is more than a thousand fields."""
MOST_CHARACTERS: Final = 256 * 1024
MOST_COMMENTS: Final = 2_000
MOST_ERRORS: Final = 5
"""After how many errors a document is not looked at any further."""
MOST_INTROSPECTED_LISTS: Final = 12
"""The query of graphql-js, which tools send, has ten."""
_COMPARISONS: Final = 25_000
"""What graphql-core may spend on comparing fields that are answered under the same name: about 50 ms."""

_ABORTED: Final = "Validation aborted."
"""How graphql-core says that it has spent all."""


class RefusedDocumentError(Exception):
    """A document of which nothing was executed, with the reasons."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("the document was refused")
        self.errors = errors


class _BoundedComparison(OverlappingFieldsCanBeMergedRule):
    """The rule that compares fields, with less to spend."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = _COMPARISONS


class _BoundedIntrospection(ValidationRule):
    """How many lists of the schema a document may ask for: each is one of all types, or of all fields of each.

    An alias for every list, within others that have one, would have the whole schema told a thousand times.
    """

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._lists = 0

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent, type_ = self.context.get_parent_type(), self.context.get_type()
        if parent is None or not parent.name.startswith("__") or not is_list_type(get_nullable_type(type_)):
            return
        self._lists += 1
        if self._lists == MOST_INTROSPECTED_LISTS + 1:
            message = f"The document asks for more than {MOST_INTROSPECTED_LISTS} lists of the schema."
            self.report_error(GraphQLError(message, node))


_RULES: Final[list[type[ASTValidationRule]]] = [
    _BoundedIntrospection,
    *(_BoundedComparison if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules),
]


def parsed(query: str) -> DocumentNode:
    """The document.

    Raises:
        RefusedDocumentError: GRAPHQL_PARSE_FAILED, or DOCUMENT_TOO_COMPLEX if it is too long.
    """
    if len(query) > MOST_CHARACTERS:
        message = f"The document has {len(query):,} characters; at most {MOST_CHARACTERS:,} are taken."
        raise _too_complex(message)
    try:
        return parse(query, max_lexical_tokens=MOST_TOKENS, max_comments=MOST_COMMENTS)
    except GraphQLError as error:
        if "Parsing aborted" in error.message:
            raise _too_complex(error.message) from error
        raise RefusedDocumentError([with_code(error, RequestCode.GRAPHQL_PARSE_FAILED)]) from error


def require_valid(schema: strawberry.Schema, document: DocumentNode) -> None:
    """Passes a document that suits the schema.

    Raises:
        RefusedDocumentError: GRAPHQL_VALIDATION_FAILED, or DOCUMENT_TOO_COMPLEX if that takes too long to find out.
    """
    errors = validate(schema._schema, document, _RULES, MOST_ERRORS)  # noqa: SLF001  # has no public name
    if errors and errors[-1].message == _ABORTED:
        message = "The document has too many fields or fragments that are answered under the same names."
        raise _too_complex(message)
    if errors:
        raise RefusedDocumentError([with_code(error, RequestCode.GRAPHQL_VALIDATION_FAILED) for error in errors])


def cut_tokens(document: DocumentNode) -> int:
    """Takes apart the chain of tokens of a document, and gives their number: what it takes in memory goes with that.

    Nothing needs the chain after parsing. Each token has the one before and the one behind: memory that only a search
    for cycles would give back, and a server that lives long makes that rarely.
    """
    token: Any = document.loc.start_token if document.loc else None
    count = 0
    while token is not None:
        following = token.next
        token.prev = token.next = None
        count, token = count + 1, following
    return count


def _too_complex(message: str) -> RefusedDocumentError:
    return RefusedDocumentError([with_code(GraphQLError(message), RequestCode.DOCUMENT_TOO_COMPLEX)])
