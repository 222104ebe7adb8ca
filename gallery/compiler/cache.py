"""Compiled operations that are kept, so that the next request with one need not compile it.

What strangers send must neither fill the memory nor push out what clients use. An operation is compiled when it comes
for the second time, is on probation then, and is protected when it has been used again: a stream of operations that
come once or twice changes nothing for those that are protected (a segmented LRU, Karedla, Love and Wherry, 1994).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from graphql import DocumentNode, GraphQLSchema

from gallery.compiler.conditions import Condition, condition_values, conditions_of, select_operation
from gallery.compiler.operation import CompiledOperation, NotCompiled, compile_operation

K = TypeVar("K")
V = TypeVar("V")

MOST_VARIANTS: Final = 16
"""How many choices of `@skip` and `@include` of one operation are compiled."""
_SIGHTINGS: Final = 4_096
"""How many operations are remembered that came once."""
_OPERATIONS: Final = 1_024
"""Of how many operations it is remembered what they depend on."""

Compiled = CompiledOperation | NotCompiled
OperationKey = tuple[bytes, str | None]
VariantKey = tuple[OperationKey, tuple[bool, ...]]

_FIRST: Final = NotCompiled("comes for the first time")
_NO_BOOLEAN: Final = NotCompiled("a condition has no Boolean value")
_TOO_MANY: Final = NotCompiled(f"more than {MOST_VARIANTS} choices of @skip and @include")


class _Recent(Generic[K, V]):
    """The most recently used of many, as long as they weigh no more than that together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.weight = 0

    def get(self, key: K) -> V | None:
        found = self._items.get(key)
        if found is None:
            return None
        self._items.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, weight: int) -> list[tuple[K, V, int]]:
        """Keeps an item, and gives those that had to go for it."""
        self.pop(key)
        self._items[key] = value, weight
        self.weight += weight
        gone = []
        while self.weight > self._most:
            old, (former, lighter) = self._items.popitem(last=False)
            self.weight -= lighter
            gone.append((old, former, lighter))
        return gone

    def pop(self, key: K) -> tuple[V, int] | None:
        found = self._items.pop(key, None)
        if found is not None:
            self.weight -= found[1]
        return found


class _Segmented(Generic[K, V]):
    """The most recently used of those that were used again, and a few of those that were not yet."""

    def __init__(self, most: int) -> None:
        probation = max(1, most // 4)
        self._probation: _Recent[K, V] = _Recent(probation)
        self._protected: _Recent[K, V] = _Recent(max(1, most - probation))

    @property
    def weight(self) -> int:
        return self._probation.weight + self._protected.weight

    def get(self, key: K) -> V | None:
        protected = self._protected.get(key)
        if protected is not None:
            return protected
        found = self._probation.pop(key)
        if found is None:
            return None
        for pushed_out in self._protected.put(key, *found):
            self._probation.put(*pushed_out)
        return found[0]

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Keeps an item on probation."""
        self._probation.put(key, value, weight)


@dataclass(slots=True)
class _Operation:
    """What an operation depends on, and for which choices it was compiled."""

    conditions: tuple[Condition, ...]
    variants: set[tuple[bool, ...]] = field(default_factory=set)


class OperationCache:
    """Compiled operations of one schema, with at most so many fields together; a field takes about 4 KiB."""

    def __init__(self, schema: GraphQLSchema, most_fields: int = 20_000) -> None:
        self._schema = schema
        self._sightings: _Recent[OperationKey, None] = _Recent(_SIGHTINGS)
        self._operations: _Segmented[OperationKey, _Operation] = _Segmented(_OPERATIONS)
        self._variants: _Segmented[VariantKey, Compiled] = _Segmented(most_fields)

    @property
    def field_count(self) -> int:
        """How many fields the operations have that are kept; one that is not compiled counts for one."""
        return self._variants.weight

    def get(
        self, document_hash: bytes, document: DocumentNode, operation_name: str | None, variables: Mapping[str, Any]
    ) -> Compiled:
        """The operation compiled for these variables, or why it is not.

        The hash stands for the text of the document: a good one, as whoever finds two texts with the same hash is
        answered as if the first had been sent.
        """
        key = document_hash, operation_name
        operation = self._operations.get(key) or self._admitted(key, document)
        if operation is None:
            return _FIRST
        values = condition_values(operation.conditions, variables)
        if values is None:
            return _NO_BOOLEAN
        return self._variants.get((key, values)) or self._compiled((key, values), operation, document, variables)

    def _admitted(self, key: OperationKey, document: DocumentNode) -> _Operation | None:
        """The operation if it has come before."""
        if self._sightings.pop(key) is None:
            self._sightings.put(key, None, 1)
            return None
        definition = select_operation(document, key[1])
        operation = _Operation(conditions_of(document, definition) if definition else ())
        self._operations.put(key, operation)
        return operation

    def _compiled(
        self, key: VariantKey, operation: _Operation, document: DocumentNode, variables: Mapping[str, Any]
    ) -> Compiled:
        (_, name), values = key
        if values not in operation.variants and len(operation.variants) >= MOST_VARIANTS:
            return _TOO_MANY
        operation.variants.add(values)
        compiled = compile_operation(self._schema, document, name, variables)
        self._variants.put(key, compiled, compiled.field_count if isinstance(compiled, CompiledOperation) else 1)
        return compiled
