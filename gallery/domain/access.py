"""Who asks, what they may do, and what they are shown. Every rule about rights lives here.

Services enforce them, and readers where they choose what to read: `platform/database/visible.py` says in SQL what
`may_list`, `may_see` and `may_pass_on` say here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, Protocol
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


@unique
class Visibility(StrEnum):
    """Who is shown an image or an album beside its owner, those with whom it is shared, and administrators."""

    PRIVATE = "PRIVATE"
    UNLISTED = "UNLISTED"
    PUBLIC = "PUBLIC"


@unique
class Sight(StrEnum):
    """Up to which visibility somebody is shown in lists what belongs to others. Each sees what those before see."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    EVERYTHING = "everything"

    @property
    def visibilities(self) -> frozenset[Visibility]:
        """Those of things that are shown in lists, whoever owns them."""
        return frozenset(_VISIBILITIES[-1 - _SIGHTS.index(self) :])


_VISIBILITIES: Final = tuple(Visibility)
_SIGHTS: Final = tuple(Sight)


class Owned(Protocol):
    """An image or an album: something that somebody has added and shows to others, or does not."""

    @property
    def owner(self) -> UserId: ...  # noqa: D102  # as said above
    @property
    def visibility(self) -> Visibility: ...  # noqa: D102


def rights_of(role: Role, scopes: Collection[Scope]) -> frozenset[Right]:
    """What somebody of a role may do with a token of these scopes; of none, whatever the role allows."""
    return role.rights & {_OF_SCOPES[scope] for scope in scopes} if scopes else role.rights


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks: recorded as the owner of what they add and the actor of what they change.

    `token_id` is the token that they showed, if they did, `session_id` the session in which they signed in. `is_held`
    says that the token may do less than their account.
    """

    id: UserId
    rights: frozenset[Right]
    token_id: TokenId | None = None
    session_id: SessionId | None = None
    is_held: bool = False

    @property
    def scope(self) -> str:
        """What tells apart viewers who may be shown different things: what is kept for one is never for another."""
        return f"{self.id.hex}:{','.join(sorted(self.rights))}"

    @property
    def sight(self) -> Sight:
        """What the viewer is shown of others."""
        if Right.ADMINISTER in self.rights:
            return Sight.EVERYTHING
        return Sight.UNLISTED if Right.EDIT in self.rights else Sight.PUBLIC


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


NOT_YOURS: Final = "You may not do this: it belongs to somebody else."


def require(viewer: Viewer, right: Right) -> None:
    """Passes if the viewer has the right.

    Raises:
        ForbiddenError: if not.
    """
    if right not in viewer.rights:
        message = f"You may not do this: the right to {right.value} is missing."
        raise ForbiddenError(message)


def require_account(viewer: Viewer) -> None:
    """Passes who reads and has an account.

    Raises:
        ForbiddenError: if not.
    """
    require(viewer, Right.READ)
    if viewer.id == ANONYMOUS.id:
        message = "You have no account here: nobody has signed in."
        raise ForbiddenError(message)


def require_whole_account(viewer: Viewer) -> None:
    """Passes who may change their account: how others get in, or no longer do.

    A token that may do less than the account may not, so that whoever finds one cannot lock out the owner.

    Raises:
        ForbiddenError: if not.
    """
    require_account(viewer)
    if viewer.is_held:
        message = "You may not do this: your token may do less than your account."
        raise ForbiddenError(message)


def require_any(viewer: Viewer, *rights: Right) -> None:
    """Passes if the viewer has one of the rights.

    Raises:
        ForbiddenError: if not; it names the first.
    """
    if viewer.rights.isdisjoint(rights):
        require(viewer, rights[0])


def may_list(viewer: Viewer, thing: Owned, *, is_shared: bool = False) -> bool:
    """Whether lists, counts and searches of the viewer have the thing.

    `is_shared` says that an album shows it to the viewer, or that it is an album that is shared with the viewer.
    """
    return is_shared or thing.owner == viewer.id or thing.visibility in viewer.sight.visibilities


def may_see(viewer: Viewer, thing: Owned, *, is_shared: bool = False) -> bool:
    """Whether the viewer finds the thing by its id. To everybody else there is no such thing."""
    return may_list(viewer, thing, is_shared=is_shared) or thing.visibility is Visibility.UNLISTED


def may_change(viewer: Viewer, thing: Owned, *, is_shared: bool = False) -> bool:
    """Whether the viewer may change and delete the thing: who owns it, and editors who see it."""
    if thing.owner == viewer.id and Right.CONTRIBUTE in viewer.rights:
        return True
    return Right.EDIT in viewer.rights and may_see(viewer, thing, is_shared=is_shared)


def has(viewer: Viewer, thing: Owned) -> bool:
    """Whether the viewer has the thing, as administrators have everything, and is told to whom else it is shown."""
    return thing.owner == viewer.id or Right.ADMINISTER in viewer.rights


def may_show(viewer: Viewer, thing: Owned) -> bool:
    """Whether the viewer says to whom the thing is shown: its visibility, and with whom it is shared."""
    return has(viewer, thing) and Right.CONTRIBUTE in viewer.rights


def offering(viewer: Viewer, album: Owned) -> frozenset[UserId]:
    """Whose images are shown to those who are shown the album, however private they are, if the viewer puts them there.

    Nobody shows what belongs to others. Administrators do so for the owner of the album, and with nobody else's images.
    """
    return frozenset({viewer.id, album.owner} if has(viewer, album) else {viewer.id})


def may_pass_on(image: Owned, *, is_offered: bool) -> bool:
    """Whether an album shows the image to those who have a link to the album.

    `is_offered` says that the image's owner has put it there, or an administrator for the owner of both. Nobody else
    passes on what others do not show to everybody: not even whoever has the album.
    """
    return is_offered or image.visibility is Visibility.PUBLIC


def require_show(viewer: Viewer, thing: Owned) -> None:
    """Passes if the viewer may say to whom the thing is shown.

    Raises:
        ForbiddenError: if not.
    """
    if not may_show(viewer, thing):
        message = "Who owns this says to whom it is shown, and administrators."
        raise ForbiddenError(message)


def require_change(viewer: Viewer, thing: Owned, *, is_shared: bool = False) -> None:
    """Passes if the viewer, who sees the thing, may change it.

    Raises:
        ForbiddenError: if not.
    """
    if not may_change(viewer, thing, is_shared=is_shared):
        raise ForbiddenError(NOT_YOURS)
