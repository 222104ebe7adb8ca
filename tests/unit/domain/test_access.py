"""Who may do what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gallery.domain.access import GALLERY_ITSELF, LOCAL_ADMINISTRATOR, Right, Viewer, require
from gallery.domain.errors import ErrorCode, ForbiddenError
from tests.entities import ADA


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


def test_viewers_who_may_see_different_things_have_different_scopes() -> None:
    reader = replace(LOCAL_ADMINISTRATOR, rights=frozenset({Right.READ}))
    scopes = {viewer.scope for viewer in (LOCAL_ADMINISTRATOR, reader, GALLERY_ITSELF)}

    assert len(scopes) == 3
    assert replace(LOCAL_ADMINISTRATOR).scope == LOCAL_ADMINISTRATOR.scope
