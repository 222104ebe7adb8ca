"""Who asks, and what they may do. Every rule about rights lives here and is enforced in the services."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from uuid import UUID

from gallery.domain.errors import ForbiddenError
from gallery.domain.ids import UserId


@unique
class Right(StrEnum):
    """Something that a viewer may do."""

    READ = "read"
    CONTRIBUTE = "contribute"
    EDIT = "edit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks: recorded as the owner of what they add and the actor of what they change."""

    id: UserId
    rights: frozenset[Right]

    @property
    def scope(self) -> str:
        """What tells apart viewers who may be shown different things: what is kept for one is never for another."""
        return f"{self.id.hex}:{','.join(sorted(self.rights))}"


LOCAL_ADMINISTRATOR = Viewer(
    id=UserId(UUID("00000000-0000-7000-8000-000000000001")),
    rights=frozenset(Right),
)
"""The viewer of every request to a gallery without authentication."""

GALLERY_ITSELF = Viewer(
    id=UserId(UUID("00000000-0000-7000-8000-000000000000")),
    rights=frozenset(Right),
)
"""The actor of what the gallery does by itself, such as making renditions."""


def require(viewer: Viewer, right: Right) -> None:
    """Passes if the viewer has the right.

    Raises:
        ForbiddenError: if not.
    """
    if right not in viewer.rights:
        message = f"You may not do this: the right to {right.value} is missing."
        raise ForbiddenError(message)
