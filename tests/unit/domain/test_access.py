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
    Sight,
    Viewer,
    Visibility,
    has,
    may_change,
    may_list,
    may_pass_on,
    may_see,
    may_show,
    offering,
    require,
    require_any,
    require_change,
    require_show,
    rights_of,
)
from gallery.domain.errors import ErrorCode, ForbiddenError
from tests.entities import ADA, BOB, a_viewer, an_album, an_image


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


PRIVATE, UNLISTED, PUBLIC = Visibility
SEEN_OF_OTHERS = {
    Role.VIEWER: ({PUBLIC}, {UNLISTED, PUBLIC}),
    Role.CONTRIBUTOR: ({PUBLIC}, {UNLISTED, PUBLIC}),
    Role.EDITOR: ({UNLISTED, PUBLIC}, {UNLISTED, PUBLIC}),
    Role.ADMINISTRATOR: (set(Visibility), set(Visibility)),
}
"""Of which visibilities lists have what belongs to others, and of which it is found by its id."""


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("role", Role)
def test_what_belongs_to_others_is_shown_by_its_visibility(role: Role, visibility: Visibility) -> None:
    viewer, thing = a_viewer(role), an_image(visibility=visibility)
    listed, seen = SEEN_OF_OTHERS[role]

    assert may_list(viewer, thing) is (visibility in listed)
    assert may_see(viewer, thing) is (visibility in seen)
    assert viewer.sight.visibilities == listed


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("is_shared", [False, True])
def test_ones_own_and_what_is_shared_with_one_is_always_shown(
    role: Role, visibility: Visibility, *, is_shared: bool
) -> None:
    viewer = a_viewer(role)
    thing = an_album(visibility=visibility, owner=ADA.id if is_shared else viewer.id)

    assert may_list(viewer, thing, is_shared=is_shared)
    assert may_see(viewer, thing, is_shared=is_shared)


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("is_own", [False, True])
def test_owners_editors_who_see_it_and_administrators_change_a_thing(
    role: Role, visibility: Visibility, *, is_shared: bool, is_own: bool
) -> None:
    viewer = a_viewer(role)
    thing = an_image(visibility=visibility, **({"owner": viewer.id} if is_own else {}))
    expected = {
        Role.VIEWER: False,
        Role.CONTRIBUTOR: is_own,
        Role.EDITOR: is_own or is_shared or visibility is not PRIVATE,
        Role.ADMINISTRATOR: True,
    }[role]

    assert may_change(viewer, thing, is_shared=is_shared) is expected
    if expected:
        require_change(viewer, thing, is_shared=is_shared)
    else:
        with pytest.raises(ForbiddenError):
            require_change(viewer, thing, is_shared=is_shared)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("is_own", [False, True])
def test_owners_and_administrators_say_to_whom_a_thing_is_shown(role: Role, *, is_own: bool) -> None:
    viewer = a_viewer(role)
    thing = an_album(visibility=PUBLIC, owner=viewer.id if is_own else ADA.id)
    expected = role is Role.ADMINISTRATOR or (is_own and role is not Role.VIEWER)

    assert has(viewer, thing) is (is_own or role is Role.ADMINISTRATOR)
    assert may_show(viewer, thing) is expected
    if expected:
        require_show(viewer, thing)
    else:
        with pytest.raises(ForbiddenError, match="says to whom it is shown"):
            require_show(viewer, thing)


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("is_offered", [False, True])
def test_an_album_passes_on_what_owners_put_there_and_what_everybody_sees(
    visibility: Visibility, *, is_offered: bool
) -> None:
    assert may_pass_on(an_image(visibility=visibility), is_offered=is_offered) is (is_offered or visibility is PUBLIC)


def test_scopes_hold_the_sight_of_a_role_as_well() -> None:
    reading = Viewer(id=ADA.id, rights=rights_of(Role.ADMINISTRATOR, [Scope.READ]))

    assert reading.sight is Sight.PUBLIC
    assert not may_see(reading, an_image(owner=BOB.id))


def test_one_of_several_rights_is_enough_and_the_first_is_named_if_all_are_missing() -> None:
    editor = Viewer(id=ADA.id, rights=frozenset({Right.EDIT}))

    require_any(editor, Right.CONTRIBUTE, Right.EDIT)
    with pytest.raises(ForbiddenError, match="the right to contribute is missing"):
        require_any(editor, Right.CONTRIBUTE, Right.READ)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("is_own", [True, False], ids=["own", "another's"])
def test_who_fills_an_album_offers_their_own_images_and_for_its_owner_if_they_administer(
    role: Role, *, is_own: bool
) -> None:
    viewer = Viewer(id=ADA.id, rights=role.rights)
    album = an_album(owner=ADA.id if is_own else BOB.id)
    expected = {ADA.id, BOB.id} if role is Role.ADMINISTRATOR and not is_own else {ADA.id}

    assert offering(viewer, album) == expected
