"""Errors of an execution, kept as the specification's null propagation demands."""

from __future__ import annotations

from graphql import GraphQLError

Position = tuple[str | int, ...]


class Errors:
    """The errors in the order in which they came, and the positions of the answer that they made null.

    An error below a position that is null already is not kept, as in graphql-core's `CollectedErrors`.
    """

    __slots__ = ("found", "positions")

    def __init__(self) -> None:
        self.found: list[GraphQLError] = []
        self.positions: set[Position] = set()

    def covers(self, position: Position) -> bool:
        """Whether a position or one above it was made null by an error."""
        positions = self.positions
        return bool(positions) and any(position[:length] in positions for length in range(len(position), -1, -1))

    def add(self, error: GraphQLError, position: Position) -> None:
        """Keeps an error that makes a position null."""
        if not self.covers(position):
            self.positions.add(position)
            self.found.append(error)
