"""From a plan to Python source: one function for each object and each list that is asked for.

A function for an object reads its fields into variables, checks at a glance whether each is complete, and gives a dict
literal. Only then, if it is not, something of `complete.py` is called. Nothing is written down on the way: when an
error is caught, the line that failed says which field it was, and the lists around it how far they were.

No string of a client becomes source but as a constant, written by `repr`. Functions end with `_` and a number, no name
of anything else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any, Final

from graphql import default_field_resolver

from gallery.compiler.declarations import (
    EXTENSION,
    Attribute,
    Batch,
    Computed,
    Direct,
    InstanceOf,
    Item,
    Key,
)
from gallery.compiler.leaves import complete_leaf
from gallery.compiler.plan import FieldPlan, Kind, Level, ObjectPlan

_LONGEST_NAME: Final = 40


@dataclass(kw_only=True)
class Source:
    """The code of an operation: lines, which level each of them is about, and what its names mean."""

    lines: list[str] = field(default_factory=list)
    levels: dict[int, Level] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    bodies: dict[int, str] = field(default_factory=dict)
    lists: dict[int, str] = field(default_factory=dict)
    batches: dict[int, str] = field(default_factory=dict)
    known: dict[str, dict[type, str]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The source."""
        return "\n".join(self.lines) + "\n"

    def write(self, indent: int, text: str, level: Level | None = None) -> None:
        """Adds a line that is about a level."""
        self.lines.append("    " * indent + text)
        if level is not None:
            self.levels[len(self.lines)] = level

    def constant(self, name: str, value: object) -> str:
        """A name for a value."""
        self.constants[name] = value
        return name


def emit(roots: list[ObjectPlan]) -> Source:
    """The source for the root, or for several that fill the same data one after the other, and for all below."""
    source = Source()
    for root in roots:
        _object_tree(source, root, "root", "")
    return source


def _object_tree(source: Source, plan: ObjectPlan, name: str, place: str) -> None:
    """Functions for the fields first, as the code of an object names them."""
    for selected in plan.fields:
        level: Level | None = selected.level
        while level is not None:
            for below in level.objects.values():
                _object_tree(source, below, _mangled(selected.key), f"{place}.{selected.key}")
            level = level.item
    for selected in plan.fields:
        _lists(source, selected.level, f"{place}.{selected.key}")
        if isinstance(selected.declaration, Batch):
            _batch(source, selected, f"{place}.{selected.key}")
    _object(source, plan, f"{name}_{plan.number}", place)


def _lists(source: Source, level: Level, place: str) -> None:
    if level.item is not None:
        _lists(source, level.item, place + "[]")
        _list(source, level, place)


def _batch(source: Source, selected: FieldPlan, place: str) -> None:
    """A function that puts the values of a batch where they belong, and gives those that fail."""
    name = f"{_mangled(selected.key)}_batch_{selected.number}"
    source.batches[selected.number] = name
    source.write(0, f"def {name}(run, queued, values):")
    source.write(1, f"# {place.lstrip('.')}: {selected.definition.type}")
    source.write(1, "failed = []")
    source.write(1, "for (source, data, at), value in zip(queued, values):")
    source.write(2, "try:")
    for line in _complete(source, selected.level, "value", "at", "resume"):
        source.write(3, line)
    source.write(3, f"data[{selected.key!r}] = value")
    source.write(2, "except Exception as error:")
    source.write(3, "failed.append((error, at))")
    source.write(1, "return failed")


def _object(source: Source, plan: ObjectPlan, name: str, place: str) -> None:
    source.bodies[plan.number] = name
    source.write(0, f"def {name}(run, source, at):")
    source.write(1, f"# {place.lstrip('.') or 'the root'}: {plan.type.name}")
    if any(map(_is_default, plan.fields)):
        source.write(1, "is_mapping = isinstance(source, Mapping)")
    source.write(1, "try:")
    values = []
    for key, selected in plan.keys.items():
        if selected is None:
            values.append(f"{key!r}: {plan.type.name!r}")
        elif isinstance(selected.declaration, Batch):
            values.append(f"{key!r}: None")
        else:
            _field(source, selected)
            values.append(f"{key!r}: v{selected.number}")
    literal = "{" + ", ".join(values) + "}"
    _result(source, plan, literal if place else f"run.added({literal})")
    source.write(1, "except Exception as error:")
    source.write(2, "raise run.locate(error, at) from None")


def _result(source: Source, plan: ObjectPlan, literal: str) -> None:
    batches = [selected for selected in plan.fields if isinstance(selected.declaration, Batch)]
    if not batches:
        source.write(2, f"return {literal}")
        return
    source.write(2, f"data = {literal}")
    for selected in batches:
        queue = source.constant(f"field{selected.number}", selected)
        source.write(2, f"run.pending[{queue}].append((source, data, at))")
    source.write(2, "return data")


def _field(source: Source, selected: FieldPlan) -> None:
    level, variable = selected.level, f"v{selected.number}"
    if level.non_null:
        _read_and_complete(source, 2, selected, variable)
        return
    source.write(2, "try:")
    _read_and_complete(source, 3, selected, variable)
    source.write(2, "except Exception as error:")
    source.write(3, f"{variable} = run.fail(error, at)")


def _read_and_complete(source: Source, indent: int, selected: FieldPlan, variable: str) -> None:
    for line in _read(source, selected, variable):
        source.write(indent, line, selected.level)
    for line in _complete(source, selected.level, variable, "at"):
        source.write(indent, line, selected.level)


def _read(source: Source, selected: FieldPlan, variable: str) -> list[str]:
    """Statements that put the value of the field into a variable."""
    number, declaration = selected.number, selected.declaration
    plan = source.constant(f"field{number}", selected)
    arguments = f"run.arguments({plan})"
    match declaration:
        case Attribute(name, None):
            read = f"{variable} = {_attribute('source', name)}"
        case Attribute(name, str(of)):
            read = f"{variable} = {_attribute(_attribute('source', of), name)}"
        case Key(name):
            read = f"{variable} = source[{name!r}]"
        case Item(index):
            read = f"{variable} = source[{index!r}]"
        case Computed(function):
            compute = source.constant(f"compute{number}", function)
            read = f"{variable} = {compute}(source, run.context)"
        case Direct(function):
            resolve = source.constant(f"resolve{number}", function)
            arguments = f"dict({arguments})" if selected.has_arguments else "{}"
            return [f"{variable} = {resolve}(source, run.resolve_info({plan}, at), {arguments})"]
        case _:
            return _call(source, selected, variable)
    return [arguments, read] if selected.has_arguments else [read]


def _attribute(owner: str, name: str) -> str:
    """An expression for an attribute, whatever its name."""
    is_plain = name.isidentifier() and name.isascii() and not iskeyword(name)
    return f"{owner}.{name}" if is_plain else f"getattr({owner}, {name!r})"


def _call(source: Source, selected: FieldPlan, variable: str) -> list[str]:
    """Statements that resolve a field of which nothing is declared."""
    plan, resolver = f"field{selected.number}", selected.definition.resolve
    arguments = f", **run.arguments({plan})" if selected.has_arguments else ""
    if not _is_default(selected):
        resolve = source.constant(f"resolve{selected.number}", resolver)
        return [f"{variable} = {resolve}(source, run.info({plan}, at){arguments})"]
    lines = []
    if arguments:
        lines.append(f"arguments = run.arguments({plan})")
        arguments = ", **arguments"
    name = selected.name
    lines += [
        f"{variable} = source.get({name!r}) if is_mapping else getattr(source, {name!r}, None)",
        f"if callable({variable}): {variable} = {variable}(run.info({plan}, at){arguments})",
    ]
    return lines


def _is_default(selected: FieldPlan) -> bool:
    return selected.declaration is None and selected.definition.resolve in {None, default_field_resolver}


def _complete(source: Source, level: Level, variable: str, at: str, otherwise: str = "enter") -> list[str]:
    """Statements that complete the value of a variable; `otherwise` is what is called if not at a glance."""
    completed = _completed(source, level, variable, at, otherwise)
    if level.kind is not Kind.LEAF:
        maybe = "" if level.non_null else f"if {variable} is not None: "
        return [f"{maybe}{variable} = {completed}"]
    return [complete_leaf(level, variable, completed, source.constant)]


def _completed(source: Source, level: Level, variable: str, at: str, otherwise: str) -> str:
    """An expression for the completed value of a variable that is not null."""
    function = f"{otherwise}{level.number}"
    enter = f"{function}(run, {variable}, {at})"
    match level.kind:
        case Kind.LIST:
            return f"{source.lists[level.number]}(run, {variable}, {at}) if type({variable}) is list else {enter}"
        case Kind.OBJECT:
            (plan,) = level.objects.values()
            test = _is_known(source, plan, variable)
            return f"{source.bodies[plan.number]}(run, {variable}, {at}) if {test} else {enter}" if test else enter
        case Kind.ABSTRACT:
            known = _known(source, level)
            return f"{known}.get(type({variable}), {function})(run, {variable}, {at})" if known else enter
        case Kind.LEAF:
            return enter


def _is_known(source: Source, plan: ObjectPlan, variable: str) -> str | None:
    """The condition under which a value is surely of an object type; None if it must be asked."""
    instance = plan.type.extensions.get(EXTENSION)
    if isinstance(instance, InstanceOf):
        name = source.constant(f"class{plan.number}", instance.python_type)
        return f"type({variable}) is {name}"
    return None if plan.type.is_type_of else f"type({variable}) in plain"


def _known(source: Source, level: Level) -> str | None:
    """The name of the functions for the classes of which the type is known."""
    functions: dict[type, str] = {}
    for plan in level.objects.values():
        instance = plan.type.extensions.get(EXTENSION)
        if isinstance(instance, InstanceOf):
            functions[instance.python_type] = source.bodies[plan.number]
    if functions:
        source.known[f"known{level.number}"] = functions
        return f"known{level.number}"
    return None


def _list(source: Source, level: Level, place: str) -> None:
    item = level.item
    assert item is not None  # noqa: S101  # a list has items
    name = f"{_mangled(level.field.key)}_list_{level.number}"
    is_told = any(plan.is_deferring for plan in _innermost(level).objects.values())
    source.lists[level.number] = name
    source.write(0, f"def {name}(run, value, at):")
    source.write(1, f"# {place.lstrip('.')}: {level.type}")
    source.write(1, "items = []")
    source.write(1, "here = (*at, items)")
    source.write(1, "iterator = iter(value)")
    source.write(1, "try:")
    source.write(2, "for item in iterator:", level)
    if is_told:
        source.write(3, "place = (*at, len(items))")
    _item(source, item, "place" if is_told else "here")
    source.write(2, "return items")
    source.write(1, "except Exception as error:")
    source.write(2, "raise run.locate_in_list(error, here, iterator) from None")


def _item(source: Source, item: Level, at: str) -> None:
    indent = 3
    if not item.non_null:
        source.write(3, "try:")
        indent = 4
    for line in _complete(source, item, "item", at):
        source.write(indent, line, item)
    if not item.non_null:
        source.write(3, "except Exception as error:")
        source.write(4, "item = run.fail(error, here)")
    source.write(3, "items.append(item)")


def _innermost(level: Level) -> Level:
    while level.item is not None:
        level = level.item
    return level


def _mangled(name: str) -> str:
    """A part of the name of a function: a GraphQL name, cut short."""
    if not (name.isascii() and name.isidentifier()):
        message = f"{name!r} is no GraphQL name"
        raise ValueError(message)
    return name[:_LONGEST_NAME]


def namespace(source: Source, functions: Mapping[str, Any]) -> dict[str, dict[type, Any]]:
    """The functions for known classes by the names under which the code has them."""
    return {
        name: {class_: functions[function] for class_, function in by_class.items()}
        for name, by_class in source.known.items()
    }
