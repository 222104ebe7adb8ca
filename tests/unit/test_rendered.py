"""Statements that are rendered once: their parameters, their constants, and how many are kept."""

from __future__ import annotations

import pytest
from sqlalchemy import Integer, Text, bindparam, literal, select

from gallery.platform.database.rendered import Renderings, render


def test_parameters_come_in_the_order_of_the_statement_and_literals_are_constants() -> None:
    statement = select(literal("fixed", Text), bindparam("second", type_=Integer), bindparam("first", type_=Integer))
    rendered = render(statement)

    assert rendered.sql.splitlines()[0].startswith("SELECT $1::VARCHAR AS anon_1, $2::INTEGER AS ")
    assert rendered.arguments({"first": 1, "second": 2, "unknown": 3}) == ["fixed", 2, 1]


def test_a_parameter_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="number"):
        render(select(bindparam("number", type_=Integer))).arguments({})


def test_what_was_used_last_is_kept() -> None:
    renderings = Renderings(most=2)
    one, two = (renderings.get(number, lambda: select(literal(1))) for number in (1, 2))

    assert renderings.get(1, lambda: select(literal(1))) is one
    renderings.get(3, lambda: select(literal(1)))

    assert renderings.get(1, lambda: select(literal(1))) is one
    assert renderings.get(2, lambda: select(literal(1))) is not two
