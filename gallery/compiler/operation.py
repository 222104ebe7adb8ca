"""A compiled operation: the plan made code, and how it is executed."""

from __future__ import annotations

import linecache
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from itertools import count
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    validate_schema,
)
from graphql.execution.values import VariableValues

from gallery.compiler.complete import bind, plain
from gallery.compiler.conditions import condition_values, conditions_of, obstacle_to_compiling, select_operation
from gallery.compiler.emit import Source, emit, namespace
from gallery.compiler.plan import Level, ObjectPlan
from gallery.compiler.planning import NotCompilableError, Planner
from gallery.compiler.run import At, Pending, Run, abandon
from gallery.compiler.settle import Settling
from gallery.compiler.variables import Variables

_numbers = count(1)

Root = Callable[[Run, Any, At], dict[str, Any]]
"""A generated function for an object at the root. It adds to the data of the run."""


@dataclass(frozen=True, slots=True)
class NotCompiled:
    """An operation that graphql-core has to execute, and why."""

    reason: str


class CompiledOperation:
    """An operation of a document for one choice of what `@skip` and `@include` leave.

    `source` is the Python code, for people who look for a mistake; tracebacks show its lines.
    `selected` has the fields that are selected below each field with selections, as `Type.field`, by the response names
    on the way to it with dots between: what a reader must read. `selected_by_type` has the fields that are selected of
    each object type, wherever.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        definition: OperationDefinitionNode,
        planner: Planner,
        root: ObjectPlan,
    ) -> None:
        self.schema = schema
        self.definition = definition
        self._variables = Variables(schema, definition.variable_definitions or ())
        self.fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        is_serial = definition.operation is OperationType.MUTATION
        roots = _one_by_one(root, len(planner.objects)) if is_serial else [root]
        source = emit(roots)
        self.source = source.text
        self.field_count = max(1, len(planner.fields))
        self.lines: dict[int, Level] = source.levels
        self.selected: Mapping[str, frozenset[str]] = {
            ".".join(element[0] for element in field.template if element): field.selected
            for field in planner.fields
            if field.selected
        }
        self.selected_by_type: Mapping[str, frozenset[str]] = _selected_by_type(planner.objects)
        self._filename = f"<compiled operation {next(_numbers)}>"
        self.batches: dict[int, Callable[..., list[tuple[Exception, tuple[int, ...]]]]] = {}
        self._roots = self._load(source, planner, roots)

    def _load(self, source: Source, planner: Planner, roots: list[ObjectPlan]) -> list[Root]:
        names: dict[str, Any] = {"plain": plain, "Mapping": Mapping, **source.constants}
        exec(compile(self.source, self._filename, "exec"), names)  # noqa: S102  # has constants of the client at most
        linecache.cache[self._filename] = (
            len(self.source),
            None,
            self.source.splitlines(keepends=True),
            self._filename,
        )
        bodies = {number: names[name] for number, name in source.bodies.items()}
        lists = {number: names[name] for number, name in source.lists.items()}
        for level in planner.levels:
            bind(level, bodies, lists)
            names[f"enter{level.number}"], names[f"resume{level.number}"] = level.enter, level.resume
        names.update(namespace(source, names))
        self.batches = {number: names[name] for number, name in source.batches.items()}
        return [bodies[root.number] for root in roots]

    def __del__(self) -> None:
        linecache.cache.pop(getattr(self, "_filename", ""), None)

    async def execute(
        self, root: object = None, context: object = None, variables: Mapping[str, Any] | None = None
    ) -> ExecutionResult:
        """Executes the operation. What resolvers raise is in the result."""
        result = self.start(root, context, variables)
        return await result if isawaitable(result) else result

    def start(
        self, root: object = None, context: object = None, variables: Mapping[str, Any] | None = None
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        """Executes the operation, and gives the result at once if nothing has to be waited for."""
        values = self._variables.coerced(variables or {})
        if isinstance(values, list):
            return ExecutionResult(None, values)
        run, roots = Run(self, root, context, values), iter(self._roots)
        pending = _advance(run, roots)
        if pending:
            return _finish(run, roots, pending)
        return ExecutionResult(run.data, run.errors.found or None)


def compile_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None = None,
    variables: Mapping[str, Any] | None = None,
) -> CompiledOperation | NotCompiled:
    """Compiles an operation of a valid document. Of the variables only those in `@skip` and `@include` matter."""
    definition = select_operation(document, operation_name)
    if definition is None:
        return NotCompiled("no such operation")
    if validate_schema(schema):
        return NotCompiled("invalid schema")
    obstacle = obstacle_to_compiling(schema, document)
    if obstacle is not None:
        return NotCompiled(obstacle)
    conditions = conditions_of(document, definition)
    values = condition_values(conditions, variables or {})
    if values is None:
        return NotCompiled("a condition has no Boolean value")
    known = {condition.name: value for condition, value in zip(conditions, values, strict=True)}
    try:
        planner = Planner(schema, document, definition, VariableValues({}, known))
        return CompiledOperation(schema, document, definition, planner, planner.plan())
    except (NotCompilableError, RecursionError) as error:
        return NotCompiled(str(error))


def _selected_by_type(objects: Iterable[ObjectPlan]) -> dict[str, frozenset[str]]:
    selected = defaultdict[str, set[str]](set)
    for plan in objects:
        selected[plan.type.name].update(field.name for field in plan.fields)
    return {name: frozenset(fields) for name, fields in selected.items()}


def _one_by_one(root: ObjectPlan, number: int) -> list[ObjectPlan]:
    """One root for each field, as those of a mutation are executed one after the other; numbered from a number on."""
    return [
        ObjectPlan(number=number + index, type=root.type, keys={key: plan})
        for index, (key, plan) in enumerate(root.keys.items())
    ]


def _advance(run: Run, roots: Iterator[Root]) -> Pending | None:
    """Executes root by root until something has to be waited for, or the data have become null."""
    for body in roots:
        if run.data is None:
            return None
        run.pending = defaultdict(list)
        try:
            body(run, run.root, ())
        except GraphQLError as error:
            run.errors.add(error, ())
            run.data = None
            abandon(run.pending)
            return None
        if run.pending:
            return run.pending
    return None


async def _finish(run: Run, roots: Iterator[Root], pending: Pending | None) -> ExecutionResult:
    settling = Settling(run)
    while pending:
        await settling.settle(pending)
        pending = _advance(run, roots)
    return ExecutionResult(run.data, run.errors.found or None)
