"""The state of one execution of a compiled operation, and what its code calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import GraphQLError, GraphQLResolveInfo, located_error
from graphql.execution.values import VariableValues
from graphql.pyutils.gather_with_cancel import gather_with_cancel
from graphql.pyutils.is_awaitable import is_awaitable
from graphql.type.definition import GraphQLResolveInfoHelpers

from gallery.compiler.arguments import argument_values
from gallery.compiler.background import settle_in_background
from gallery.compiler.errors import Errors, Position
from gallery.compiler.info import ResolveInfo
from gallery.compiler.plan import FieldPlan, Level, next_index

if TYPE_CHECKING:
    from gallery.compiler.operation import CompiledOperation

At = tuple[Any, ...]
"""The indices of a place in the lists around it; a list that is being filled stands for its next index."""

Resume = Callable[["Run", Any, At], Any]

_SHAREABLE = (str, int, float, bool, type(None), Enum)


class Parked(NamedTuple):
    """A value of a level that is still to come. `resume` completes it once it is there."""

    awaitable: Awaitable[Any]
    at: tuple[int, ...]
    resume: Resume


Queued = tuple[Any, dict[str, Any], tuple[int, ...]]
"""A parent that waits for its value of a batch, the part of the answer where that belongs, and where that is."""

Pending = defaultdict[Level | FieldPlan, list[Any]]
"""What is still to come: parked values by level, and queued parents by field."""


class Run:
    """One execution. `pending` takes what the code that runs now leaves for later."""

    __slots__ = (
        "_arguments",
        "_async_helpers",
        "_lines",
        "context",
        "data",
        "errors",
        "operation",
        "pending",
        "root",
        "variables",
    )

    def __init__(self, operation: CompiledOperation, root: object, context: object, variables: VariableValues) -> None:
        self.operation = operation
        self.root = root
        self.context = context
        self.variables = variables
        self.data: dict[str, Any] | None = {}
        self.errors = Errors()
        self.pending: Pending = defaultdict(list)
        self._lines = operation.lines
        self._arguments: dict[int, dict[str, Any]] = {}
        self._async_helpers: GraphQLResolveInfoHelpers | None = None

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        """What resolvers may use for asynchronous work of their own."""
        if self._async_helpers is None:
            self._async_helpers = GraphQLResolveInfoHelpers(gather=_gather, track=_track)
        return self._async_helpers

    def info(self, field: FieldPlan, at: At) -> GraphQLResolveInfo[Any]:
        """The info for an ordinary resolver."""
        return ResolveInfo(self, field, at).as_graphql()

    def resolve_info(self, field: FieldPlan, at: tuple[int, ...]) -> ResolveInfo:
        """The info for a declared one, which may look at it later."""
        return ResolveInfo(self, field, at)

    def arguments(self, field: FieldPlan) -> dict[str, Any]:
        """The arguments of a field by name. Those that nobody can change are coerced once."""
        found = self._arguments.get(field.number)
        if found is None:
            found = argument_values(field, self.variables)
            if all(isinstance(value, _SHAREABLE) for value in found.values()):
                self._arguments[field.number] = found
        return found

    def added(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The data with fields of the root."""
        assert self.data is not None  # noqa: S101  # otherwise nothing more is executed
        self.data.update(fields)
        return self.data

    def park(self, level: Level, awaitable: Awaitable[Any], at: At, resume: Resume) -> None:
        """Leaves a value for later. Its place holds null until then."""
        self.pending[level].append(Parked(awaitable, frozen(at), resume))

    def locate(self, error: Exception, at: At) -> GraphQLError:
        """The error with the place where the code that calls this caught it, unless it has one."""
        return self.locate_at(error, self._line(error), at)

    def locate_in_list(self, error: Exception, at: At, rest: Iterator[Any]) -> GraphQLError:
        """The same for a list that ends early; nothing that the rest of it would have given is left dangling."""
        awaitables: list[Awaitable[Any]] = []
        with suppress(Exception):
            awaitables.extend(item for item in rest if is_awaitable(item))
        settle_in_background(awaitables)
        return self.locate(error, at)

    def fail(self, error: Exception, at: At) -> None:
        """Keeps an error that makes the place null where the code that calls this caught it."""
        level = self._line(error)
        self.errors.add(self.locate_at(error, level, at), level.path(at))

    def locate_at(self, error: Exception, level: Level, at: At) -> GraphQLError:
        """The error with a place, unless it has one."""
        if isinstance(error, GraphQLError) and error.path is not None:
            return error
        return located_error(error, level.field.nodes, list(level.path(at)))

    def fail_at(self, error: Exception, level: Level, at: At) -> None:
        """Keeps an error of a value that came later, and makes null what may be."""
        located = self.locate_at(error, level, at)
        nullable = level.nullable
        if nullable is None:
            self.errors.add(located, ())
            self.data = None
            return
        position = nullable.path(at)
        self.errors.add(located, position)
        self.put(position, None)

    def put(self, position: Position, value: object) -> None:
        """Puts a value where it belongs, unless that is null by now."""
        container: Any = self.data
        for key in position[:-1]:
            if container is None:
                return
            container = container[key]
        if container is not None:
            container[position[-1]] = value

    def _line(self, error: Exception) -> Level:
        # The first entry of a traceback is the frame that caught the error.
        return self._lines[error.__traceback__.tb_lineno]  # type: ignore[union-attr]


def place_of(entry: Parked | Queued) -> tuple[int, ...]:
    """The indices of something that is pending."""
    return entry.at if isinstance(entry, Parked) else entry[2]


def abandon(pending: Pending) -> None:
    """Nobody waits any more for what is pending."""
    settle_in_background(
        [entry.awaitable for entries in pending.values() for entry in entries if isinstance(entry, Parked)]
    )


def frozen(at: At) -> tuple[int, ...]:
    """The indices as they are now."""
    return tuple([next_index(element) for element in at])


def _gather(values: Sequence[Awaitable[Any]]) -> Awaitable[list[Any]]:
    return gather_with_cancel(*values)


def _track(values: Sequence[Any]) -> None:
    settle_in_background([value for value in values if is_awaitable(value)])
