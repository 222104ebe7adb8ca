"""Who may have which operations executed at all. What single fields need, the services demand.

Strangers get nothing parsed, validated or kept: the one operation that is theirs is known by its text.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from graphql import ExecutionResult, GraphQLError, OperationType

from gallery.domain.access import Right, Viewer, require
from gallery.domain.errors import ForbiddenError, UnavailableError
from gallery.web.authentication import UnauthenticatedError, require_admitted
from gallery.web.graphql.execution import PreparedOperation, root_field_names
from gallery.web.graphql.request import Parameters
from gallery.web.graphql.validation import RefusedDocumentError

_PROBE: Final = re.compile(r"\s*(query(\s+\w{1,100})?)?\s*\{\s*__typename\s*\}\s*")
"""What load balancers send to see whether GraphQL is answered."""

_WITHOUT_READING: Final = frozenset({"upload", "uploadProgress"})
"""What those who only add things need for it."""


def admit_stranger(viewer: Viewer, parameters: Parameters) -> None:
    """Passes whoever is known or may see something all the same, and others with `{ __typename }`.

    Raises:
        UnauthenticatedError: for anything else of theirs.
    """
    if not _PROBE.fullmatch(parameters.query):
        require_admitted(viewer)


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
    results: AsyncGenerator[ExecutionResult], check: Callable[[], Awaitable[Viewer]]
) -> AsyncGenerator[ExecutionResult]:
    """The results of a subscription, as long as whoever asked for them is known: tokens are revoked meanwhile.

    In place of the first result after that comes why there are no more.
    """
    async with aclosing(results):
        async for result in results:
            try:
                await check()
            except (UnauthenticatedError, UnavailableError) as error:
                yield ExecutionResult(None, [GraphQLError(error.message, original_error=error)])
                return
            yield result
