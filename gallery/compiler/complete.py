"""Completes the values that generated code does not complete at a glance (GraphQL specification, 6.4.3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterable, Callable, Mapping
from contextlib import suppress
from functools import partial
from types import GeneratorType, SimpleNamespace
from typing import Any, Final, cast

from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLLeafType,
    GraphQLObjectType,
    Undefined,
    default_type_resolver,
)
from graphql.execution.executor import Executor, invalid_return_type_error
from graphql.pyutils import is_iterable
from graphql.pyutils.is_awaitable import is_async_iterable, is_awaitable

from gallery.compiler.declarations import EXTENSION, InstanceOf
from gallery.compiler.plan import Kind, Level
from gallery.compiler.run import At, Pending, Run, abandon, frozen

Complete = Callable[[Run, Any, At], Any]

_MOST_TYPES: Final = 1_000

plain: set[type] = set()
"""Types of which no value is null, an exception or awaitable; found on the way."""


def bind(level: Level, bodies: Mapping[int, Complete], lists: Mapping[int, Complete]) -> None:
    """Gives a level its `enter` and `resume`, made of what was generated for objects and lists, by their numbers."""
    complete = _completion(level, bodies, lists)
    level.resume = _resume(level, complete)
    level.enter = _enter(level, complete, level.resume)


def _enter(level: Level, complete: Complete, resume: Complete) -> Complete:
    def enter(run: Run, value: Any, at: At) -> Any:
        if type(value) not in plain:
            if value is None or value is Undefined:
                return _null(level)
            if isinstance(value, Exception):
                raise value
            if is_awaitable(value):
                return run.park(level, value, at, resume)
            _remember(type(value))
        return complete(run, value, at)

    return enter


def _resume(level: Level, complete: Complete) -> Complete:
    """The same for what was awaited: it is not awaited again."""

    def resume(run: Run, value: Any, at: At) -> Any:
        if type(value) not in plain:
            if value is None or value is Undefined:
                return _null(level)
            if isinstance(value, Exception):
                raise value
            if not is_awaitable(value):
                _remember(type(value))
        return complete(run, value, at)

    return resume


def _completion(level: Level, bodies: Mapping[int, Complete], lists: Mapping[int, Complete]) -> Complete:
    match level.kind:
        case Kind.LEAF:
            return partial(_leaf, level)
        case Kind.LIST:
            return partial(_list, level, lists[level.number])
        case Kind.OBJECT:
            (plan,) = level.objects.values()
            return partial(_object, level, plan.type, bodies[plan.number])
        case Kind.ABSTRACT:
            functions = {name: bodies[plan.number] for name, plan in level.objects.items()}
            return partial(_abstract, level, functions)


def _null(level: Level) -> None:
    if level.non_null:
        field = level.field
        message = f"Cannot return null for non-nullable field {field.parent_type}.{field.name}."
        raise TypeError(message)


def _remember(type_: type) -> None:
    """Remembers a plain type, unless its values may differ in what they are."""
    if type_ is GeneratorType or hasattr(type_, "__getattr__"):
        return
    if len(plain) >= _MOST_TYPES:
        plain.clear()
    plain.add(type_)


def _leaf(level: Level, run: Run, value: Any, at: At) -> Any:
    result = Executor.complete_leaf_value(cast("GraphQLLeafType", level.type), value)
    if type(result) not in plain and is_awaitable(result):
        return run.park(level, result, at, _as_it_is)
    return result


def _as_it_is(_run: Run, value: Any, _at: At) -> Any:
    return value


def _list(level: Level, body: Complete, run: Run, value: Any, at: At) -> Any:
    if is_async_iterable(value):
        return run.park(level, _drained(level, run, value, frozen(at)), at, _merged)
    if not is_iterable(value):
        message = f"Expected Iterable, but did not find one for field '{level.field.parent_type}.{level.field.name}'."
        raise GraphQLError(message)
    return body(run, value, at)


async def _drained(level: Level, run: Run, values: AsyncIterable[Any], at: At) -> tuple[list[Any], Pending]:
    """The completed items of an asynchronous iterable, and what they leave for later."""
    items: list[Any] = []
    pending: Pending = defaultdict(list)
    iterator = aiter(values)
    item_level = cast("Level", level.item)
    try:
        while True:
            try:
                item = await anext(iterator)
            except StopAsyncIteration:
                break
            run.pending = pending
            items.append(_completed_item(item_level, run, item, (*at, len(items))))
    except BaseException:
        abandon(pending)
        with suppress(Exception):
            await iterator.aclose()  # type: ignore[attr-defined]  # those that have none are left
        raise
    if run.errors.covers(level.path(at)):
        abandon(pending)
        pending.clear()
    return items, pending


def _completed_item(level: Level, run: Run, item: Any, at: At) -> Any:
    try:
        return level.enter(run, item, at)
    except Exception as error:  # noqa: BLE001  # is an error of the item, whatever it is
        located = run.locate_at(error, level, at)
        if level.non_null:
            raise located from None
        run.errors.add(located, level.path(at))
        return None


def _merged(run: Run, drained: tuple[list[Any], Pending], _at: At) -> list[Any]:
    items, pending = drained
    for key, entries in pending.items():
        run.pending[key] += entries
    return items


def _object(level: Level, type_: GraphQLObjectType, body: Complete, run: Run, value: Any, at: At) -> Any:
    if type_.is_type_of is not None and not _is_declared(type_, value):
        is_type = type_.is_type_of(value, run.info(level.field, at))
        checked = partial(_checked, level, type_, body, value)
        if is_awaitable(is_type):
            return run.park(level, is_type, at, checked)
        return checked(run, is_type, at)
    return body(run, value, at)


def _is_declared(type_: GraphQLObjectType, value: Any) -> bool:
    """Whether objects of the class of the value are declared to be of the type."""
    declared = type_.extensions.get(EXTENSION)
    return isinstance(declared, InstanceOf) and type(value) is declared.python_type


def _checked(  # noqa: PLR0913, PLR0917
    level: Level,
    type_: GraphQLObjectType,
    body: Complete,
    value: Any,
    run: Run,
    is_type: Any,
    at: At,
) -> Any:
    if not is_type:
        raise invalid_return_type_error(type_, value, level.field.details)
    return body(run, value, at)


def _abstract(level: Level, bodies: Mapping[str, Complete], run: Run, value: Any, at: At) -> Any:
    abstract = cast("GraphQLAbstractType", level.type)
    resolve = abstract.resolve_type or default_type_resolver
    name = resolve(value, run.info(level.field, at), abstract)
    resolved = partial(_resolved, level, bodies, value)
    if is_awaitable(name):
        return run.park(level, name, at, resolved)
    return resolved(run, name, at)


def _resolved(level: Level, bodies: Mapping[str, Complete], value: Any, run: Run, name: Any, at: At) -> Any:
    schema = cast("Executor[Any]", SimpleNamespace(schema=run.operation.schema))
    field = level.field
    abstract = cast("GraphQLAbstractType", level.type)
    type_ = Executor.ensure_valid_runtime_type(schema, name, abstract, field.details, run.info(field, at), value)
    return _object(level, type_, bodies[type_.name], run, value, at)
