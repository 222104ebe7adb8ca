"""Operations compiled to Python: what the compiler may know of a Strawberry schema, and who executes what.

Strawberry wraps each resolver for arguments, permissions and extensions. A field without permissions and extensions is
declared to the compiler as what it is: an attribute, or a call of the resolver itself. Everything else keeps its
wrappers, and what is not compiled goes to graphql-core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

import strawberry
from graphql import ExecutionResult, GraphQLField, GraphQLObjectType, GraphQLSchema, OperationType
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import StrawberryObjectDefinition, StrawberryOptional, StrawberryType
from strawberry.types.field import StrawberryField

from gallery.compiler import (
    EXTENSION,
    Attribute,
    Batch,
    CompiledOperation,
    Direct,
    InstanceOf,
    OperationCache,
    ResolveInfo,
)
from gallery.domain.records import Fields
from gallery.web.graphql.batches import BATCHES
from gallery.web.graphql.context import Context
from gallery.web.graphql.execution import PreparedOperation, run
from gallery.web.graphql.scalars import COMPILED_SCALARS
from gallery.web.graphql.shown import declaration, fields_read

_AS_THEY_ARE: Final = (str, int, float, bool, strawberry.ID)
"""Types of arguments that Strawberry hands on as graphql-core has made them."""

_DEFINITION: Final = "strawberry-definition"
_SHOWN_AS: Final = {"images": "Image", "renditions": "Thumbnail", "tags": "Tag", "albums": "Album"}
"""The types of the schema by the kinds of records that they show."""


class CompiledOperations:
    """Executes operations of a schema, compiled if they come again and again.

    Compiling in a thread lets other requests go on; the operation is executed uncompiled until that is over.
    """

    def __init__(self, schema: strawberry.Schema, *, in_thread: bool = False) -> None:
        self._schema = schema
        declare(schema)
        self._reads = _reads(schema)
        self._fields: WeakKeyDictionary[CompiledOperation, Fields] = WeakKeyDictionary()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compiler") if in_thread else None
        self._cache = OperationCache(_graphql_schema(schema), executor=thread)

    async def run(self, operation: PreparedOperation, variables: dict[str, Any], context: Context) -> ExecutionResult:
        """Executes an operation. Errors of resolvers are in the result."""
        if operation.kind is not OperationType.SUBSCRIPTION:
            compiled = self._cache.get(
                operation.text_hash, operation.document, operation.name, variables, size_bytes=operation.size_bytes
            )
            if isinstance(compiled, CompiledOperation):
                context.fields = self._fields_of(compiled)
                return await compiled.execute(None, context, variables)
        return await run(self._schema, operation, variables, context)

    def _fields_of(self, operation: CompiledOperation) -> Fields:
        """The fields of records that an operation looks at, wherever: what is read once serves all places."""
        found = self._fields.get(operation)
        if found is None:
            selected, reads = operation.selected_by_type, self._reads
            kinds = {
                kind: frozenset(name for field in selected.get(type_, ()) for name in reads.get(f"{type_}.{field}", ()))
                for kind, type_ in _SHOWN_AS.items()
            }
            found = self._fields[operation] = Fields(**kinds)
        return found


def declare(schema: strawberry.Schema) -> None:
    """Declares to the compiler what the fields and types of a schema are."""
    if schema.schema_converter.exception_handlers:
        return
    graphql_schema = _graphql_schema(schema)
    for type_ in graphql_schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and type_ is not graphql_schema.subscription_type:
            _declare_type(type_)
            for name, field in type_.fields.items():
                _declare_field(schema, f"{type_.name}.{name}", field)
        elif type_.name in COMPILED_SCALARS:
            type_.extensions[EXTENSION] = COMPILED_SCALARS[type_.name]


def _reads(schema: strawberry.Schema) -> Mapping[str, tuple[str, ...]]:
    """The fields of records that have to be read for each field of the types that show them."""
    types = [cast("GraphQLObjectType", _graphql_schema(schema).type_map[name]) for name in _SHOWN_AS.values()]
    return {
        f"{type_.name}.{name}": fields_read(field.extensions[_DEFINITION])
        for type_ in types
        for name, field in type_.fields.items()
    }


def _declare_type(type_: GraphQLObjectType) -> None:
    definition = type_.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryObjectDefinition) or definition.concrete_of:
        return
    if type_.is_type_of is not None:
        type_.extensions[EXTENSION] = InstanceOf(definition.origin)


def _declare_field(schema: strawberry.Schema, coordinate: str, field: GraphQLField) -> None:
    definition = field.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryField) or definition.extensions:
        return
    if coordinate in BATCHES:
        field.extensions[EXTENSION] = Batch(BATCHES[coordinate])
    elif (known := declaration(definition)) is not None:
        field.extensions[EXTENSION] = known
    elif definition.base_resolver is not None:
        field.extensions[EXTENSION] = Direct(_resolver(schema, definition))
    elif definition.default_resolver is getattr:
        field.extensions[EXTENSION] = Attribute(definition.python_name)


def _resolver(schema: strawberry.Schema, field: StrawberryField) -> Callable[[Any, ResolveInfo, dict[str, Any]], Any]:
    """A resolver as Strawberry calls it, without what this field has no use for."""
    resolver = field.base_resolver
    assert resolver is not None  # noqa: S101  # looked at by who calls this
    function, info_class = cast("Callable[..., Any]", resolver.wrapped_func), schema.config.info_class
    takes_self = resolver.self_parameter is not None
    parents = [parameter.name for parameter in (resolver.parent_parameter, resolver.root_parameter) if parameter]
    info_name = resolver.info_parameter.name if resolver.info_parameter else None
    converted = _converter(schema, field)

    def resolve(source: Any, info: ResolveInfo, arguments: dict[str, Any]) -> Any:  # noqa: ANN401  # as resolvers do
        told = info_class(_raw_info=cast("Any", info), _field=field)
        keywords = converted(arguments, told)
        for name in parents:
            keywords[name] = source
        if info_name is not None:
            keywords[info_name] = told
        return function(source, **keywords) if takes_self else function(**keywords)

    return resolve


def _converter(
    schema: strawberry.Schema, field: StrawberryField
) -> Callable[[Mapping[str, Any], strawberry.Info[Any, Any]], dict[str, Any]]:
    """Makes Python arguments of GraphQL ones; at once if all that are given need nothing to be done."""
    name_of, registry = schema.config.name_converter.from_argument, schema.schema_converter.scalar_registry
    plain = {name_of(one) for one in field.arguments if _inner(one.type) in _AS_THEY_ARE}
    nullable = {name_of(one) for one in field.arguments if type(one.type) is StrawberryOptional}
    python_names = {name_of(one): one.python_name for one in field.arguments}

    def convert(arguments: Mapping[str, Any], info: strawberry.Info[Any, Any]) -> dict[str, Any]:
        if all(name in plain or (value is None and name in nullable) for name, value in arguments.items()):
            return {python_names[name]: value for name, value in arguments.items()}
        return convert_arguments(
            dict(arguments), field.arguments, scalar_registry=registry, config=schema.config, info=info
        )

    return convert


def _inner(type_: StrawberryType | type) -> StrawberryType | type:
    return type_.of_type if type(type_) is StrawberryOptional else type_


def _graphql_schema(schema: strawberry.Schema) -> GraphQLSchema:
    return schema._schema  # noqa: SLF001  # has no public name
