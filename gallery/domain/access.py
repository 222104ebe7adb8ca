"""Who asks, and what they may do. Every rule about rights lives here and is enforced in the services."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final
from uuid import UUID

from gallery.domain.errors import ForbiddenError
from gallery.domain.ids import SessionId, TokenId, UserId


@unique
class Right(StrEnum):
    """Something that a viewer may do."""

    READ = "read"
    CONTRIBUTE = "contribute"
    EDIT = "edit"
    ADMINISTER = "administer"


@unique
class Role(StrEnum):
    """What an account is for. Each role has the rights of those before it as well."""

    VIEWER = "viewer"
    CONTRIBUTOR = "contributor"
    EDITOR = "editor"
    ADMINISTRATOR = "administrator"

    @property
    def rights(self) -> frozenset[Right]:
        """What those with the role may do."""
        return frozenset(_RIGHTS[: _ROLES.index(self) + 1])

    def includes(self, other: Role) -> bool:
        """Whether those with this role may do whatever those with the other may."""
        return other.rights <= self.rights

    def at_most(self, other: Role) -> Role:
        """The lower of the two."""
        return self if other.includes(self) else other


@unique
class Scope(StrEnum):
    """A part of the rights of a role, to which a token can be held."""

    READ = "read"
    UPLOAD = "upload"
    EDIT = "edit"
    ADMIN = "admin"


_RIGHTS: Final = tuple(Right)
_ROLES: Final = tuple(Role)
_OF_SCOPES: Final[Mapping[Scope, Right]] = {
    Scope.READ: Right.READ,
    Scope.UPLOAD: Right.CONTRIBUTE,
    Scope.EDIT: Right.EDIT,
    Scope.ADMIN: Right.ADMINISTER,
}


def rights_of(role: Role, scopes: Collection[Scope]) -> frozenset[Right]:
    """What somebody of a role may do with a token of these scopes; of none, whatever the role allows."""
    return role.rights & {_OF_SCOPES[scope] for scope in scopes} if scopes else role.rights


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks: recorded as the owner of what they add and the actor of what they change.

    `token_id` is the token that they showed, if they did, `session_id` the session in which they signed in.
    """

    id: UserId
    rights: frozenset[Right]
    token_id: TokenId | None = None
    session_id: SessionId | None = None

    @property
    def scope(self) -> str:
        """What tells apart viewers who may be shown different things: what is kept for one is never for another."""
        return f"{self.id.hex}:{','.join(sorted(self.rights))}"


LOCAL_ADMINISTRATOR = Viewer(
    id=UserId(UUID("00000000-0000-7000-8000-000000000001")),
    rights=frozenset(Right),
)
"""The viewer of every request to a gallery without authentication, and of commands on its machine."""

GALLERY_ITSELF = Viewer(
    id=UserId(UUID("00000000-0000-7000-8000-000000000000")),
    rights=frozenset(Right),
)
"""The actor of what the gallery does by itself, such as making renditions."""

ANONYMOUS = Viewer(
    id=UserId(UUID("00000000-0000-7000-8000-000000000002")),
    rights=frozenset(),
)
"""Whoever does not say who they are, where that matters."""

VISITOR = Viewer(id=ANONYMOUS.id, rights=frozenset({Right.READ}))
"""The same in a gallery that shows strangers something."""


def require(viewer: Viewer, right: Right) -> None:
    """Passes if the viewer has the right.

    Raises:
        ForbiddenError: if not.
    """
    if right not in viewer.rights:
        message = f"You may not do this: the right to {right.value} is missing."
        raise ForbiddenError(message)
