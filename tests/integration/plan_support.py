"""What PostgreSQL would do for the statements of a GraphQL query, and queries that ask for all that the schema has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    build_schema,
    get_named_type,
    is_leaf_type,
)
from pydantic import HttpUrl, SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.container import Container
from gallery.domain.access import LOCAL_ADMINISTRATOR, Viewer
from gallery.platform.database.engine import driver_connection
from gallery.settings import AddressingStyle, CacheSettings, DatabaseSettings, Settings, StorageSettings
from gallery.web.graphql.context import Context
from gallery.web.graphql.documents import Documents
from gallery.web.graphql.execution import format_result, run
from gallery.web.graphql.schema import schema
from tests.statements import Statement, recorded_with_parameters

SCHEMA = build_schema(schema.as_str())
CONNECTION_ARGUMENTS = frozenset({"first", "after", "last", "before"})


def of_the_database_alone(url: str) -> Settings:
    """The settings of a gallery without a cache, of which nobody asks anything of the storage."""
    return Settings(
        database=DatabaseSettings(url=SecretStr(url)),
        cache=CacheSettings(enabled=False),
        storage=StorageSettings(
            endpoint_url=HttpUrl("http://127.0.0.1:9"),
            bucket="unused",
            addressing_style=AddressingStyle.PATH,
            access_key_id=SecretStr("unused"),
            secret_access_key=SecretStr("unused"),
        ),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """How PostgreSQL answers one statement: the tables that it reads from end to end, and the indexes that it uses.

    `images_read` are those that it looked at, whether it kept them or not; None if it was not told to answer.
    """

    statement: str
    scanned: frozenset[str]
    indexes: frozenset[str]
    images_read: int | None = None


def composite(name: str) -> GraphQLObjectType | GraphQLInterfaceType:
    """A type of the schema that has fields."""
    found = SCHEMA.type_map[name]
    assert isinstance(found, GraphQLObjectType | GraphQLInterfaceType)
    return found


def everything(type_name: str, depth: int = 3) -> str:
    """A selection of all fields of a type and of what they lead to; of lists the first three items."""
    if type_name == "Node":
        return " ".join(f"... on {one.name} {{ {everything(one.name, depth)} }}" for one in _kinds_of_node())
    parts = []
    for name, field in composite(type_name).fields.items():
        if is_leaf_type(get_named_type(field.type)):
            parts.append(name)
        elif depth and name != "edges":
            arguments = "(first: 3)" if "first" in field.args else ""
            parts.append(f"{name}{arguments} {{ {everything(_name(field.type), depth - 1)} }}")
    return " ".join(parts)


async def ask(
    container: Container,
    document: str,
    variables: dict[str, Any],
    viewer: Viewer = LOCAL_ADMINISTRATOR,
    *,
    answers: bool = False,
) -> tuple[dict[str, Any], list[Plan]]:
    """The data of a query without errors, and the plans of the statements that it took."""
    operation = Documents(schema).prepare(document, None)
    context = Context(viewer=viewer, use_cases=container.use_cases, base_url="http://gallery.example", request_id="1")
    with recorded_with_parameters(container.engine) as statements:
        answer = format_result(await run(schema, operation, variables, context), "1")
    assert "errors" not in answer, answer
    return answer["data"], [await plan_of(container.engine, statement, answers=answers) for statement in statements]


async def plan_of(engine: AsyncEngine, statement: Statement, *, answers: bool = False) -> Plan:
    """The plan of a statement with these parameters; if it `answers`, with the images counted that it reads."""
    sql, parameters = statement
    options = "ANALYZE, TIMING OFF, FORMAT JSON" if answers else "FORMAT JSON"
    async with engine.connect() as connection:
        explained = await connection.exec_driver_sql(f"EXPLAIN ({options}) {sql}", tuple(parameters))
        return _plan(sql, explained.scalar_one())


async def plan_for_all_values(engine: AsyncEngine, statement: Statement) -> Plan:
    """The plan that PostgreSQL settles for if a statement comes often and is not planned anew."""
    sql, values = statement
    async with engine.connect() as connection:
        driver = await driver_connection(connection)
        await driver.execute(f"PREPARE for_all AS {sql}; SET plan_cache_mode = force_generic_plan")
        nulls = ", ".join(["NULL"] * len(values))
        explained = await driver.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE for_all({nulls})")
        await driver.execute("DEALLOCATE for_all; RESET plan_cache_mode")
    return _plan(sql, explained)


def _plan(sql: str, explained: list[dict[str, Any]]) -> Plan:
    (root,) = explained
    nodes = list(_nodes(root["Plan"]))
    return Plan(
        statement=sql,
        scanned=frozenset(node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"),
        indexes=frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        images_read=sum(map(_images_read, nodes)) if "Actual Rows" in root["Plan"] else None,
    )


def _images_read(node: dict[str, Any]) -> int:
    if node.get("Relation Name") != "images":
        return 0
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    read: float = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return round(read)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _name(of: GraphQLOutputType) -> str:
    return get_named_type(of).name


def _kinds_of_node() -> tuple[GraphQLObjectType, ...]:
    interface = composite("Node")
    assert isinstance(interface, GraphQLInterfaceType)
    return tuple(SCHEMA.get_implementations(interface).objects)
