"""Statements as SQL, rendered once: what SQLAlchemy writes of a statement depends on its form, not on its values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.expression import ClauseElement

_DIALECT: Final = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no type for it
_MOST: Final = 512
"""How many statements are kept. Clients send few forms of queries; what strangers can make us remember is bounded."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """SQL for the driver, and the names of its parameters in their order. `constants` are values that never change.

    `is_planned_anew` says that values decide how it is best answered: what is rare and what is common differ.
    """

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    is_planned_anew: bool = False

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the parameters.

        Raises:
            KeyError: if one is missing.
        """
        constants = self.constants
        return [values[name] if name in values else constants[name] for name in self.names]


def render(statement: ClauseElement, *, is_planned_anew: bool = False) -> Rendered:
    """The statement as SQL. Literals in it become constants, `bindparam`s its parameters."""
    compiled = statement.compile(dialect=_DIALECT)
    names = tuple(compiled.positiontup or ())  # type: ignore[attr-defined]  # SQL has it, DDL has not
    constants = {name: value for name, value in compiled.params.items() if not compiled.binds[name].required}  # type: ignore[attr-defined]  # as above
    return Rendered(sql=str(compiled), names=names, constants=constants, is_planned_anew=is_planned_anew)


class Renderings:
    """The lists that were asked for last, by what tells their forms apart. They are planned anew for their values."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Rendered] = OrderedDict()

    def get(self, form: Hashable, statement: Callable[[], ClauseElement]) -> Rendered:
        """The statement of this form, made if it has not come lately."""
        found = self._kept.get(form)
        if found is None:
            found = self._kept[form] = render(statement(), is_planned_anew=True)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(form)
        return found
