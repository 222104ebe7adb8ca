"""Who may do what."""

from __future__ import annotations

import pytest

from gallery.domain.access import (
    ANONYMOUS,
    GALLERY_ITSELF,
    LOCAL_ADMINISTRATOR,
    Right,
    Role,
    Scope,
    Viewer,
    require,
    rights_of,
)
from gallery.domain.errors import ErrorCode, ForbiddenError
from tests.entities import ADA, BOB


@pytest.mark.parametrize("right", Right)
def test_a_viewer_with_the_right_alone_passes(right: Right) -> None:
    require(Viewer(id=ADA.id, rights=frozenset({right})), right)


@pytest.mark.parametrize("right", Right)
def test_a_viewer_with_every_other_right_is_refused_and_told_which_is_missing(right: Right) -> None:
    viewer = Viewer(id=ADA.id, rights=frozenset(Right) - {right})

    with pytest.raises(ForbiddenError) as refusal:
        require(viewer, right)

    assert refusal.value.code is ErrorCode.FORBIDDEN
    assert refusal.value.message == f"You may not do this: the right to {right.value} is missing."


@pytest.mark.parametrize("viewer", [LOCAL_ADMINISTRATOR, GALLERY_ITSELF])
def test_the_administrator_and_the_gallery_may_do_everything(viewer: Viewer) -> None:
    assert viewer.rights == set(Right)


def test_what_the_gallery_does_by_itself_is_told_apart_from_the_administrator() -> None:
    assert GALLERY_ITSELF.id != LOCAL_ADMINISTRATOR.id


ALL = set(Right)
READS, ADDS, CHANGES = {Right.READ}, {Right.CONTRIBUTE}, {Right.EDIT}


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.VIEWER, READS),
        (Role.CONTRIBUTOR, READS | ADDS),
        (Role.EDITOR, READS | ADDS | CHANGES),
        (Role.ADMINISTRATOR, ALL),
    ],
)
@pytest.mark.parametrize(
    ("scopes", "held_to"),
    [
        ((), ALL),
        ((Scope.READ,), READS),
        ((Scope.UPLOAD,), ADDS),
        ((Scope.EDIT,), CHANGES),
        ((Scope.ADMIN,), {Right.ADMINISTER}),
        ((Scope.READ, Scope.UPLOAD), READS | ADDS),
        (tuple(Scope), ALL),
    ],
    ids=["none", "read", "upload", "edit", "admin", "read and upload", "all"],
)
def test_rights_are_those_of_the_role_to_which_the_scopes_hold(
    role: Role, rights: set[Right], scopes: tuple[Scope, ...], held_to: set[Right]
) -> None:
    assert rights_of(role, scopes) == rights & held_to


@pytest.mark.parametrize("higher", Role)
@pytest.mark.parametrize("lower", Role)
def test_roles_are_in_an_order(lower: Role, higher: Role) -> None:
    order = list(Role)

    assert higher.includes(lower) == (order.index(lower) <= order.index(higher))
    assert lower.at_most(higher) is higher.at_most(lower) is min(lower, higher, key=order.index)


def test_whoever_is_not_known_may_do_nothing() -> None:
    assert ANONYMOUS.rights == set()
    assert len({ANONYMOUS.id, GALLERY_ITSELF.id, LOCAL_ADMINISTRATOR.id}) == 3


def test_viewers_who_may_do_different_things_are_told_apart() -> None:
    reader = Viewer(id=ADA.id, rights=frozenset({Right.READ}))

    assert reader.scope == f"{ADA.id.hex}:read"
    assert len({viewer.scope for viewer in (ADA, reader, BOB, ANONYMOUS)}) == 4
