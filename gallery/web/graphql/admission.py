"""Who may have which operations executed at all. What single fields need, the services demand.

Strangers get nothing parsed, validated or kept but what opens a share link: a short document with one operation, whose
one field that is. It is parsed only if it names that field, and what is wrong with it is not told, as that tells of
the schema.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    parse,
)

from gallery.domain.access import ANONYMOUS, Right, Viewer, require
from gallery.domain.errors import ForbiddenError, UnavailableError
from gallery.web.authentication import UnauthenticatedError, require_admitted
from gallery.web.graphql.execution import PreparedOperation, root_field_names
from gallery.web.graphql.request import PERSISTED_QUERY, Parameters
from gallery.web.graphql.validation import RefusedDocumentError

_PROBE: Final = re.compile(r"\s*(query(\s+\w{1,100})?)?\s*\{\s*__typename\s*\}\s*")
"""What load balancers send to see whether GraphQL is answered."""

_SHARED_LINK: Final = "sharedLink"
_STRANGERS_MAX_CHARACTERS: Final = 4_096
_STRANGERS_MAX_TOKENS: Final = 300
"""Parsing takes some 15 µs for each: 5 ms for who is not known."""
_STRANGERS_MAX_COMMENTS: Final = 20

_WITHOUT_READING: Final = frozenset({"upload", "uploadProgress", _SHARED_LINK})
"""What those who only add things need for it, and what is for everybody."""


def admit_stranger(viewer: Viewer, parameters: Parameters) -> None:
    """Passes whoever is known or may see something all the same, and others with what is everybody's.

    That is `{ __typename }`, which tells nothing, and what opens a share link; neither is told to be kept.

    Raises:
        UnauthenticatedError: for anything else of theirs.
    """
    if not _is_probe(parameters) and not _opens_a_link(parameters):
        require_admitted(viewer)


def may_tell(viewer: Viewer) -> bool:
    """Whether documents that the viewer sends are kept under their hashes. Those of strangers could fill the store."""
    return viewer.id != ANONYMOUS.id


def admit(viewer: Viewer, operation: PreparedOperation) -> None:
    """Passes mutations, which services decide about, and those who may read.

    Raises:
        RefusedDocumentError: FORBIDDEN for others.
    """
    if operation.kind is OperationType.MUTATION or Right.READ in viewer.rights:
        return
    if root_field_names(operation) <= _WITHOUT_READING:
        return
    try:
        require(viewer, Right.READ)
    except ForbiddenError as error:
        raise RefusedDocumentError([GraphQLError(error.message, original_error=error)]) from error


async def while_known(
    results: AsyncGenerator[ExecutionResult], viewer: Viewer, check: Callable[[], Awaitable[Viewer]]
) -> AsyncGenerator[ExecutionResult]:
    """The results of a subscription, as long as `check` tells that the viewer who asked for them is the same still.

    Tokens are revoked meanwhile, and roles changed: what is read for a subscription is read for the viewer of its
    beginning. In place of the first result after that comes why there are no more.
    """
    async with aclosing(results):
        async for result in results:
            try:
                _require_same(viewer, await check())
            except (UnauthenticatedError, ForbiddenError, UnavailableError) as error:
                yield ExecutionResult(None, [GraphQLError(error.message, original_error=error)])
                return
            yield result


def _require_same(viewer: Viewer, now: Viewer) -> None:
    """Passes if the viewer may do now what they might when they asked, no more and no less.

    Raises:
        ForbiddenError: if not.
    """
    if now.scope != viewer.scope:
        message = "What you may do has changed meanwhile. Subscribe again."
        raise ForbiddenError(message)


def _opens_a_link(parameters: Parameters) -> bool:
    """Whether a request holds one operation that asks for a shared link once and for nothing beside it."""
    query = parameters.query
    if len(query) > _STRANGERS_MAX_CHARACTERS or _SHARED_LINK not in query or PERSISTED_QUERY in parameters.extensions:
        return False
    try:
        document = parse(query, max_lexical_tokens=_STRANGERS_MAX_TOKENS, max_comments=_STRANGERS_MAX_COMMENTS)
    except GraphQLError:
        return False
    return _has_one_shared_link(document)


def _is_probe(parameters: Parameters) -> bool:
    return PERSISTED_QUERY not in parameters.extensions and _PROBE.fullmatch(parameters.query) is not None


def _has_one_shared_link(document: DocumentNode) -> bool:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    fragments = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
    if len(operations) != 1 or len(operations) + len(fragments) < len(document.definitions):
        return False
    selections = operations[0].selection_set.selections
    names = [field.name.value for field in selections if isinstance(field, FieldNode)]
    return (
        operations[0].operation is OperationType.QUERY
        and len(names) == len(selections)
        and names.count(_SHARED_LINK) == 1
        and set(names) <= {_SHARED_LINK, "__typename"}
    )
