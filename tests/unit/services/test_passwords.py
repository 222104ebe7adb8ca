"""Changing one's own password: what it takes, and what it ends."""

from __future__ import annotations

import pytest

from gallery.domain.access import ANONYMOUS, VISITOR, Role, Scope, Viewer
from gallery.domain.accounts import RefusedCredentialError
from gallery.domain.errors import (
    ErrorCode,
    ForbiddenError,
    InvalidInputError,
    TooManyAttemptsError,
    UnavailableError,
)
from gallery.domain.events import EventKind
from gallery.services.passwords import PasswordService
from tests.entities import NOON, a_session, a_token, an_account
from tests.fakes.gallery import MemoryGallery

ADA = an_account("Ada")
OLD, NEW = "correct horse battery", "a better password"


@pytest.fixture
def gallery() -> MemoryGallery:
    gallery = MemoryGallery()
    gallery.tables.accounts[ADA.id] = ADA
    gallery.tables.passwords[ADA.id] = f"1:{OLD}"
    return gallery


async def refusal(gallery: MemoryGallery, old: str, new: str, viewer: Viewer = ADA.viewer()) -> InvalidInputError:  # noqa: B008  # never changed
    with gallery.refuses(InvalidInputError) as refused:
        await gallery.passwords.change(viewer, old, new)
    assert refused.value.code is ErrorCode.INVALID_PASSWORD
    return refused.value


async def test_a_new_password_ends_all_other_sessions_and_no_token(gallery: MemoryGallery) -> None:
    own, other = a_session(ADA)[0], a_session(ADA)[0]
    stranger = a_session(an_account("Bob"))[0]
    token, _ = a_token(ADA)
    gallery.tables.sessions.update({session.id: session for session in (own, other, stranger)})
    gallery.tables.tokens[token.id] = token

    await gallery.passwords.change(own.viewer(ADA), OLD, NEW)

    assert gallery.tables.passwords == {ADA.id: f"1:{NEW}"}
    assert set(gallery.tables.sessions) == {own.id, stranger.id}
    assert gallery.tables.tokens == {token.id: token}
    assert gallery.history == [(EventKind.ACCOUNT_PASSWORD_SET, ADA.id, ADA.id, NOON, {})]


@pytest.mark.parametrize("old", ["wrong", "", "x" * 1025], ids=["wrong", "empty", "impossible"])
async def test_who_does_not_know_the_old_one_changes_nothing(gallery: MemoryGallery, old: str) -> None:
    error = await refusal(gallery, old, NEW)

    assert (error.message, error.field) == ("The old password is wrong.", ("old",))


async def test_who_has_none_gets_none_this_way(gallery: MemoryGallery) -> None:
    gallery.tables.passwords.clear()

    assert (await refusal(gallery, "", NEW)).field == ("old",)


async def test_a_new_one_that_is_too_short_is_refused_before_the_old_one_is_looked_at(gallery: MemoryGallery) -> None:
    assert (await refusal(gallery, "wrong", "short")).field == ("new",)
    assert gallery.hasher.looked == []


async def test_wrong_ones_are_counted(gallery: MemoryGallery) -> None:
    for _ in range(5):
        await refusal(gallery, "wrong", NEW)

    with gallery.refuses(TooManyAttemptsError):
        await gallery.passwords.change(ADA.viewer(), OLD, NEW)


async def test_wrong_ones_of_other_people_are_not(gallery: MemoryGallery) -> None:
    for number in range(13):  # 65 attempts: more than one address has in a minute
        other = an_account(f"Other {number}").viewer()
        for _ in range(5):
            await refusal(gallery, "wrong", NEW, other)

    await gallery.passwords.change(ADA.viewer(), OLD, NEW)

    assert gallery.tables.passwords == {ADA.id: f"1:{NEW}"}


async def test_who_signs_in_under_a_name_that_is_made_up_counts_for_nobody_else(gallery: MemoryGallery) -> None:
    for number in range(20):
        with gallery.refuses(RefusedCredentialError):
            await gallery.signing_in.with_password(f"own {ADA.id.hex}", "wrong", address=f"192.0.2.{number}")

    await gallery.passwords.change(ADA.viewer(), OLD, NEW)


@pytest.mark.parametrize("stranger", [ANONYMOUS, VISITOR], ids=["nobody", "who may read"])
async def test_a_stranger_is_refused_before_anything_is_looked_at_or_counted(
    gallery: MemoryGallery, stranger: Viewer
) -> None:
    for _ in range(10):
        with gallery.refuses(ForbiddenError):
            await gallery.passwords.change(stranger, "wrong", NEW)

    assert gallery.database.units_opened == 0
    assert gallery.hasher.looked == []


@pytest.mark.parametrize(
    ("role", "scopes"), [(Role.VIEWER, ()), (Role.EDITOR, (Scope.READ,))], ids=["lower role", "read alone"]
)
async def test_a_token_that_may_do_less_than_the_account_changes_nothing(
    gallery: MemoryGallery, role: Role, scopes: tuple[Scope, ...]
) -> None:
    editor = an_account("Ada", id=ADA.id, role=Role.EDITOR)
    token, _ = a_token(editor, role=role, scopes=scopes)

    with gallery.refuses(ForbiddenError) as refused:
        await gallery.passwords.change(token.viewer(editor), OLD, NEW)

    assert refused.value.message == "You may not do this: your token may do less than your account."
    assert gallery.hasher.looked == []


async def test_a_token_that_may_do_all_that_the_account_may_is_enough(gallery: MemoryGallery) -> None:
    token, _ = a_token(ADA, role=Role.ADMINISTRATOR)

    await gallery.passwords.change(token.viewer(ADA), OLD, NEW)

    assert gallery.tables.passwords == {ADA.id: f"1:{NEW}"}


async def test_where_nobody_signs_in_with_a_password_none_is_changed(gallery: MemoryGallery) -> None:
    passwords = PasswordService(
        gallery.unit_of_work, gallery.hasher, gallery.attempts, gallery.clock, are_offered=False
    )

    with gallery.refuses(ForbiddenError):
        await passwords.change(ADA.viewer(), OLD, NEW)

    assert gallery.database.units_opened == 0
    assert gallery.hasher.looked == []


async def test_what_could_not_be_looked_at_is_not_counted(gallery: MemoryGallery) -> None:
    gallery.hasher.is_busy = True
    for _ in range(10):
        with gallery.refuses(UnavailableError):
            await gallery.passwords.change(ADA.viewer(), OLD, NEW)
    gallery.hasher.is_busy = False

    await gallery.passwords.change(ADA.viewer(), OLD, NEW)


async def test_of_two_changes_at_once_one_counts(gallery: MemoryGallery) -> None:
    hash_slowly = gallery.hasher.hash

    async def hash_while_another_changes(password: str) -> str:
        gallery.tables.passwords[ADA.id] = "1:what another has chosen"
        return await hash_slowly(password)

    gallery.hasher.hash = hash_while_another_changes  # type: ignore[method-assign]  # what happens meanwhile

    with pytest.raises(InvalidInputError):
        await gallery.passwords.change(ADA.viewer(), OLD, NEW)

    assert gallery.tables.passwords == {ADA.id: "1:what another has chosen"}
    assert gallery.events == []
