"""Compiled operations that are kept, so that the next request with one need not compile it.

An operation is compiled when it comes for the second time, is on probation then, and is protected when it has been used
again (`segmented.py`). Compiling may be done in a thread: until it is over, the operation is not compiled.
"""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, Final

from graphql import DocumentNode, GraphQLSchema

from gallery.compiler.conditions import Condition, condition_values, conditions_of, select_operation
from gallery.compiler.operation import CompiledOperation, NotCompiled, compile_operation
from gallery.compiler.segmented import Recent, Segmented

MOST_VARIANTS: Final = 16
"""How many choices of `@skip` and `@include` of one operation are compiled."""
_SIGHTINGS: Final = 4_096
"""How many operations are remembered that came once."""
_OPERATIONS: Final = 1_024
"""Of how many operations it is remembered what they depend on; one of a large document counts for several."""
_MOST_UNDER_WAY: Final = 8
"""How many operations may wait for the thread that compiles. What comes meanwhile is compiled when it comes again."""
_LONGEST_NAME: Final = 64
_FIELD_BYTES: Final = 4_096
"""About what the code of a field takes."""

Compiled = CompiledOperation | NotCompiled
OperationKey = tuple[bytes, str | bytes | None]
VariantKey = tuple[OperationKey, tuple[bool, ...]]

_FIRST: Final = NotCompiled("comes for the first time")
_NO_BOOLEAN: Final = NotCompiled("a condition has no Boolean value")
_UNDER_WAY: Final = NotCompiled("is being compiled, or waits for it")
_TOO_MANY: Final = NotCompiled(f"more than {MOST_VARIANTS} choices of @skip and @include")


@dataclass(slots=True)
class _Operation:
    """What an operation depends on, and for which choices it was compiled."""

    name: str | None
    conditions: tuple[Condition, ...]
    more_weight: int
    """What its document takes, in fields."""
    variants: set[tuple[bool, ...]] = field(default_factory=set)


class OperationCache:
    """Compiled operations of one schema, with at most so many fields together; a field takes about 4 KiB.

    With an executor they are compiled there, one after the other; then `get` must be called in an event loop.
    """

    def __init__(self, schema: GraphQLSchema, most_fields: int = 20_000, executor: Executor | None = None) -> None:
        self._schema = schema
        self._executor = executor
        self._under_way: dict[VariantKey, Future[Compiled]] = {}
        self._sightings: Recent[OperationKey, None] = Recent(_SIGHTINGS)
        self._operations: Segmented[OperationKey, _Operation] = Segmented(_OPERATIONS)
        self._variants: Segmented[VariantKey, Compiled] = Segmented(most_fields)

    @property
    def field_count(self) -> int:
        """How many fields the operations have that are kept; one that is not compiled counts for one.

        What their documents take counts as fields of the same size.
        """
        return self._variants.weight

    def get(
        self,
        document_hash: bytes,
        document: DocumentNode,
        operation_name: str | None,
        variables: Mapping[str, Any],
        *,
        size_bytes: int = 0,
    ) -> Compiled:
        """The operation compiled for these variables, or why it is not.

        The hash stands for the text of the document: a good one, as whoever finds two texts with the same hash is
        answered as if the first had been sent. `size_bytes` is about what the document takes.
        """
        key = document_hash, _brief(operation_name)
        operation = self._operations.get(key) or self._admitted(key, document, operation_name, size_bytes)
        if operation is None:
            return _FIRST
        values = condition_values(operation.conditions, variables)
        if values is None:
            return _NO_BOOLEAN
        found = self._variants.get((key, values))
        if found is not None:
            return found
        return self._compiled((key, values), operation, document, variables)

    def _admitted(
        self, key: OperationKey, document: DocumentNode, name: str | None, size_bytes: int
    ) -> _Operation | None:
        """The operation if it has come before."""
        if self._sightings.pop(key) is None:
            self._sightings.put(key, None, 1)
            return None
        definition = select_operation(document, name)
        conditions = conditions_of(document, definition) if definition else ()
        operation = _Operation(name, conditions, size_bytes // _FIELD_BYTES)
        self._operations.put(key, operation, 1 + operation.more_weight)
        return operation

    def _compiled(
        self, key: VariantKey, operation: _Operation, document: DocumentNode, variables: Mapping[str, Any]
    ) -> Compiled:
        _, values = key
        if values not in operation.variants and len(operation.variants) >= MOST_VARIANTS:
            return _TOO_MANY
        if self._executor is None:
            operation.variants.add(values)
            return self._kept(key, operation, compile_operation(self._schema, document, operation.name, variables))
        if key not in self._under_way and len(self._under_way) < _MOST_UNDER_WAY:
            operation.variants.add(values)
            work = partial(compile_operation, self._schema, document, operation.name, dict(variables))
            compiling = get_running_loop().run_in_executor(self._executor, work)
            self._under_way[key] = compiling
            compiling.add_done_callback(lambda compiled: self._arrived(key, operation, compiled))
        return _UNDER_WAY

    def _arrived(self, key: VariantKey, operation: _Operation, compiled: Future[Compiled]) -> None:
        del self._under_way[key]
        if not compiled.cancelled():
            self._kept(key, operation, compiled.result())

    def _kept(self, key: VariantKey, operation: _Operation, compiled: Compiled) -> Compiled:
        field_count = compiled.field_count if isinstance(compiled, CompiledOperation) else 1
        self._variants.put(key, compiled, field_count + operation.more_weight)
        return compiled


def _brief(name: str | None) -> str | bytes | None:
    """Stands for the name of an operation: that of a stranger's may be as long as a document."""
    if name is None or len(name) <= _LONGEST_NAME:
        return name
    return sha256(name.encode()).digest()
