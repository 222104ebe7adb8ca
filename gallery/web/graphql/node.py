"""The interface of everything that has a global id."""

from __future__ import annotations

from typing import Final

import strawberry

ID_DESCRIPTION: Final = "The global id. Opaque: do not take it apart."


@strawberry.interface(description="Something with a global id, by which `node` finds it again.")
class Node:
    """As the Relay specification has it."""

    id: strawberry.ID = strawberry.field(description=ID_DESCRIPTION)
