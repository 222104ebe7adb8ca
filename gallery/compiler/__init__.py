"""Compiles GraphQL operations to Python functions. Knows graphql-core, and nothing of the gallery."""

from gallery.compiler.cache import OperationCache
from gallery.compiler.declarations import (
    EXTENSION,
    Attribute,
    Batch,
    Computed,
    Declaration,
    Direct,
    InstanceOf,
    Item,
    Key,
    Serialized,
)
from gallery.compiler.info import ResolveInfo
from gallery.compiler.operation import CompiledOperation, NotCompiled, compile_operation
from gallery.compiler.segmented import Segmented

__all__ = [
    "EXTENSION",
    "Attribute",
    "Batch",
    "CompiledOperation",
    "Computed",
    "Declaration",
    "Direct",
    "InstanceOf",
    "Item",
    "Key",
    "NotCompiled",
    "OperationCache",
    "ResolveInfo",
    "Segmented",
    "Serialized",
    "compile_operation",
]
