"""A staged upload as the client sees it: which parts are there, and which are to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some bytes of the file. Numbers begin at 1."""

    number: int
    first_byte: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunUpload:
    """An upload that was begun, by this run or by one before. `arrived` has the size of each part by its number."""

    id: str
    over: bool
    file_size_bytes: int
    part_size_bytes: int
    arrived: Mapping[int, int]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """The upload in an answer of the gallery."""
        return cls(
            id=answer["id"],
            over=answer["state"] != "OPEN",
            file_size_bytes=answer["fileSize"],
            part_size_bytes=answer["partSize"],
            arrived={part["number"]: part["size"] for part in answer["parts"]},
        )

    def missing(self) -> tuple[Part, ...]:
        """The parts that have not arrived, or not with the size that they must have, in order."""
        if self.over:
            return ()
        part_count = -(-self.file_size_bytes // self.part_size_bytes)
        parts = map(self._part, range(1, part_count + 1))
        return tuple(part for part in parts if self.arrived.get(part.number) != part.size_bytes)

    def _part(self, number: int) -> Part:
        first_byte = (number - 1) * self.part_size_bytes
        size_bytes = min(self.part_size_bytes, self.file_size_bytes - first_byte)
        return Part(number=number, first_byte=first_byte, size_bytes=size_bytes)
