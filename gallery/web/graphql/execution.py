"""From a GraphQL document to an answer, in three steps: prepare, execute, format."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha256
from inspect import isawaitable
from sys import getsizeof
from typing import Any, Final

import strawberry
from graphql import (
    SKIP,
    ArgumentNode,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    Visitor,
    VisitorAction,
    execute,
    subscribe,
    visit,
)
from strawberry.execution import optimized_is_awaitable

from gallery.settings_limits import LimitSettings
from gallery.web.errors import RequestCode
from gallery.web.graphql.context import Context
from gallery.web.graphql.errors import format_errors, with_code
from gallery.web.graphql.pricing import Price, price_of
from gallery.web.graphql.validation import (
    DEFAULT_LIMITS,
    RefusedDocumentError,
    cut_tokens,
    parsed,
    require_valid,
    too_complex,
)

_TOKEN_BYTES: Final = 600
"""About what graphql-core makes of a token, at most: a field of one letter."""


_INTROSPECTION: Final = frozenset({"__schema", "__type"})
"""The fields of the root type that tell the schema. Nothing else does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedOperation:
    """A valid document, and which of its operations to execute. `text_hash` tells it from all others.

    `size_bytes` is about what it takes in memory.
    """

    document: DocumentNode
    text_hash: bytes
    size_bytes: int
    name: str | None
    kind: OperationType
    root_fields: tuple[str, ...]
    """The names of the fields of the root type under which they are answered, whether or not they are skipped.

    `__typename`, which does nothing, is none.
    """
    price: Price
    asks_for_schema: bool = False


def prepare(
    schema: strawberry.Schema, query: str, operation_name: str | None, limits: LimitSettings = DEFAULT_LIMITS
) -> PreparedOperation:
    """A valid document, ready to be executed.

    Raises:
        RefusedDocumentError: with GRAPHQL_PARSE_FAILED, OPERATION_NAME_REQUIRED, OPERATION_NOT_FOUND,
            GRAPHQL_VALIDATION_FAILED, or DOCUMENT_TOO_COMPLEX.
    """
    document = parsed(query, limits)
    token_count = cut_tokens(document)
    operation = _select(document, operation_name)
    require_valid(schema, document, limits)
    fields = list(_root_fields(document, operation.selection_set))
    root_fields = tuple(dict.fromkeys(_response_names(fields)))
    if len(root_fields) > (most := limits.max_root_fields):
        message = f"The operation has {len(root_fields):,} fields at the outermost level; at most {most:,} are taken."
        raise too_complex(message, "rootFields", most)
    return PreparedOperation(
        document=document,
        text_hash=sha256(query.encode("utf-8", "surrogatepass")).digest(),
        size_bytes=getsizeof(query) + _TOKEN_BYTES * token_count,
        name=operation_name,
        kind=operation.operation,
        root_fields=root_fields,
        price=price_of(schema._schema, document, operation),  # noqa: SLF001  # has no public name
        asks_for_schema=any(field.name.value in _INTROSPECTION for field in fields),
    )


async def run(
    schema: strawberry.Schema, operation: PreparedOperation, variables: dict[str, Any], context: Context
) -> ExecutionResult:
    """Executes an operation. Errors of resolvers are in the result."""
    result = execute(
        schema._schema,  # noqa: SLF001  # has no public name
        operation.document,
        context_value=context,
        variable_values=variables,
        operation_name=operation.name,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # says bool where a TypeGuard is meant
    )
    return await result if isawaitable(result) else result


async def run_subscription(
    schema: strawberry.Schema, operation: PreparedOperation, variables: dict[str, Any], context: Context
) -> AsyncGenerator[ExecutionResult]:
    """The results of a subscription, one after the other. Whatever ends it is the last of them."""
    source = subscribe(
        schema._schema,  # noqa: SLF001  # has no public name
        operation.document,
        context_value=context,
        variable_values=variables,
        operation_name=operation.name,
    )
    results = await source if isawaitable(source) else source
    if isinstance(results, ExecutionResult):
        yield results
        return
    assert isinstance(results, AsyncGenerator)  # noqa: S101  # so graphql-core makes it
    async with aclosing(results):
        try:
            async for result in results:
                context.forget_reads()
                yield result
        except Exception as error:  # noqa: BLE001  # told like the error of any other resolver
            (name, *_) = operation.root_fields
            yield ExecutionResult(None, [GraphQLError(str(error), path=[name], original_error=error)])


def shaping_variables(operation: PreparedOperation) -> frozenset[str]:
    """The names of the variables that stand elsewhere than in the arguments of the root fields, such as `$first`."""
    document, selections = operation.document, _select(operation.document, operation.name).selection_set
    finder = _ShapingVariables(_root_fields(document, selections))
    visit(selections, finder)
    for node in document.definitions:
        if isinstance(node, FragmentDefinitionNode):
            visit(node, finder)
    return frozenset(finder.names)


class _ShapingVariables(Visitor):
    """Gathers the names of variables, but for those in the arguments of the root fields."""

    def __init__(self, root_fields: Iterable[FieldNode]) -> None:
        super().__init__()
        self.names: set[str] = set()
        self._passed_over = {id(argument) for field in root_fields for argument in field.arguments or ()}

    def enter_argument(self, node: ArgumentNode, *_: object) -> VisitorAction:
        return SKIP if id(node) in self._passed_over else None

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.names.add(node.name.value)


def root_field_names(operation: PreparedOperation) -> frozenset[str]:
    """The names of the fields of the root type, but for `__typename`."""
    fields = _root_fields(operation.document, _select(operation.document, operation.name).selection_set)
    return frozenset(field.name.value for field in fields) - {"__typename"}


def is_request_error(result: ExecutionResult) -> bool:
    """Whether nothing was executed, as when a variable has a wrong value (GraphQL specification, 7.1)."""
    return result.data is None and all(error.path is None for error in result.errors or ())


def format_result(
    result: ExecutionResult, request_id: str, most_errors: int = DEFAULT_LIMITS.max_errors
) -> dict[str, Any]:
    """The answer. It has no `data` if nothing was executed."""
    answer: dict[str, Any] = {}
    if result.errors:
        answer["errors"] = format_errors(result.errors, request_id, most_errors)
    if not is_request_error(result):
        answer["data"] = result.data
    return answer


def _select(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation to execute (GraphQL specification, GetOperation in 6.1)."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is None and len(operations) > 1:
        message = "The document has several operations. Say by `operationName` which one to execute."
        raise _refused(message, RequestCode.OPERATION_NAME_REQUIRED)
    for operation in operations:
        if name is None or (operation.name and operation.name.value == name):
            return operation
    message = "The document has no operation." if name is None else f'The document has no operation "{name}".'
    raise _refused(message, RequestCode.OPERATION_NOT_FOUND)


def _root_fields(
    document: DocumentNode, selections: SelectionSetNode, seen: set[str] | None = None
) -> Iterator[FieldNode]:
    """The fields of a selection, with those in its fragments.

    Each fragment is looked into once: those that stand for two more each would take for ever otherwise.
    """
    seen = set() if seen is None else seen
    for selection in selections.selections:
        match selection:
            case FieldNode():
                yield selection
            case InlineFragmentNode():
                yield from _root_fields(document, selection.selection_set, seen)
            case FragmentSpreadNode() if selection.name.value not in seen:
                seen.add(selection.name.value)
                yield from _root_fields(document, _fragment(document, selection.name.value).selection_set, seen)


def _response_names(fields: Iterable[FieldNode]) -> Iterator[str]:
    return ((field.alias or field.name).value for field in fields if field.name.value != "__typename")


def _fragment(document: DocumentNode, name: str) -> FragmentDefinitionNode:
    fragments = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
    return next(fragment for fragment in fragments if fragment.name.value == name)


def _refused(message: str, code: RequestCode) -> RefusedDocumentError:
    return RefusedDocumentError([with_code(GraphQLError(message), code)])
