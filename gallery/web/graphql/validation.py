"""Whether a document may be executed, found out in a time that is bounded whatever it is.

graphql-core takes some 15 µs for each token of an ordinary document, but compares fields of the same name with each
other, and writes what is wrong out anew with each error: some kilobytes could so keep a server busy for seconds.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Final

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

from gallery.settings_limits import LimitSettings
from gallery.web.errors import RequestCode
from gallery.web.graphql.errors import with_code
from gallery.web.graphql.shape import first_excess

DEFAULT_LIMITS: Final = LimitSettings()
MOST_COMMENTS: Final = 2_000
MOST_ERRORS: Final = 5
"""After how many errors a document is not looked at any further."""
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

    most_lists: ClassVar[int]

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._lists = 0

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent, type_ = self.context.get_parent_type(), self.context.get_type()
        if parent is None or not parent.name.startswith("__") or not is_list_type(get_nullable_type(type_)):
            return
        self._lists += 1
        if self._lists == self.most_lists + 1:
            message = f"The document asks for more than {self.most_lists} lists of the schema."
            self.report_error(GraphQLError(message, node))


@cache
def _rules(most_introspected_lists: int) -> list[type[ASTValidationRule]]:
    bounded = type("BoundedIntrospection", (_BoundedIntrospection,), {"most_lists": most_introspected_lists})
    specified = [_BoundedComparison if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules]
    return [bounded, *specified]


def parsed(query: str, limits: LimitSettings = DEFAULT_LIMITS) -> DocumentNode:
    """The document.

    Raises:
        RefusedDocumentError: GRAPHQL_PARSE_FAILED, or DOCUMENT_TOO_COMPLEX if it is too long.
    """
    most = limits.max_document_characters
    if len(query) > most:
        message = f"The document has {len(query):,} characters; at most {most:,} are taken."
        raise too_complex(message, "characters", most)
    try:
        return parse(query, max_lexical_tokens=limits.max_tokens, max_comments=MOST_COMMENTS)
    except GraphQLError as error:
        if "Parsing aborted" in error.message:
            raise too_complex(error.message) from error
        raise RefusedDocumentError([with_code(error, RequestCode.GRAPHQL_PARSE_FAILED)]) from error


def require_valid(schema: strawberry.Schema, document: DocumentNode, limits: LimitSettings = DEFAULT_LIMITS) -> None:
    """Passes a document that suits the schema.

    Raises:
        RefusedDocumentError: GRAPHQL_VALIDATION_FAILED, or DOCUMENT_TOO_COMPLEX if it is over one of the limits, or if
            it takes too long to find out whether it is valid.
    """
    excess = first_excess(document, limits)
    if excess is not None:
        raise too_complex(excess.message, excess.limit, excess.maximum)
    rules = _rules(limits.max_introspected_lists)
    errors = validate(schema._schema, document, rules, MOST_ERRORS)  # noqa: SLF001  # has no public name
    if errors and errors[-1].message == _ABORTED:
        message = "The document has too many fields or fragments that are answered under the same names."
        raise too_complex(message)
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


def too_complex(message: str, limit: str | None = None, maximum: int | None = None) -> RefusedDocumentError:
    """The refusal of a document that is over a limit, which is told by name and value if there is one of a number."""
    told = None if limit is None else {"limit": limit, "maximum": maximum}
    return RefusedDocumentError([with_code(GraphQLError(message, extensions=told), RequestCode.DOCUMENT_TOO_COMPLEX)])
