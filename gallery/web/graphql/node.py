"""The interface of everything that has a global id."""

from __future__ import annotations

import strawberry


@strawberry.interface(description="Something with a global id, by which `node` finds it again.")
class Node:
    """As the Relay specification has it."""

    id: strawberry.ID = strawberry.field(description="The global id. Opaque: do not take it apart.")
