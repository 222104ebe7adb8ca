"""Attributes that are made when somebody looks at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class made_once(Generic[T]):  # noqa: N801  # is written as a decorator
    """As `functools.cached_property`, without the lock that takes longer than most of what is made here.

    For objects of one event loop. Python 3.12 has dropped the lock.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> T:
        made = instance.__dict__[self._name] = self._make(instance)
        return made
