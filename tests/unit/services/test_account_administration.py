"""Accounts of people: made, given passwords, disabled, listed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gallery.domain.access import LOCAL_ADMINISTRATOR, Role
from gallery.domain.accounts import Account, AccountKind, RefusedCredentialError
from gallery.domain.errors import ConflictError, ErrorCode, InvalidInputError, NotFoundError
from gallery.domain.events import EventKind
from gallery.services.account_administration import NewAccount
from tests.entities import NOON, a_session, a_token, an_account
from tests.fakes.database import THE_ADMINISTRATOR
from tests.fakes.gallery import MemoryGallery

PASSWORD = "correct horse battery"
ADA = an_account("Ada", role=Role.EDITOR)
ROOT = LOCAL_ADMINISTRATOR


@pytest.fixture
def ada(gallery: MemoryGallery) -> Account:
    gallery.tables.accounts[ADA.id] = ADA
    return ADA


def signed_in(gallery: MemoryGallery) -> str:
    session, secret = a_session(ADA)
    gallery.tables.sessions[session.id] = session
    return secret


async def test_an_account_is_made_with_a_password(gallery: MemoryGallery) -> None:
    new = NewAccount(name=" Bob ", role=Role.CONTRIBUTOR, password=PASSWORD)

    made = await gallery.administration.create(ROOT, new)

    assert made == Account(id=made.id, name="Bob", kind=AccountKind.PERSON, role=Role.CONTRIBUTOR, created_at=NOON)
    assert gallery.tables.accounts[made.id] == made
    assert gallery.tables.passwords == {made.id: f"1:{PASSWORD}"}
    created = {"name": "Bob", "kind": "person", "role": "contributor"}
    assert gallery.history == [
        (EventKind.ACCOUNT_CREATED, made.id, ROOT.id, NOON, created),
        (EventKind.ACCOUNT_PASSWORD_SET, made.id, ROOT.id, NOON, {}),
    ]


async def test_an_account_is_made_without_a_password(gallery: MemoryGallery) -> None:
    made = await gallery.administration.create(ROOT, NewAccount(name="Bob", role=Role.VIEWER))

    assert made.id in gallery.tables.accounts
    assert gallery.tables.passwords == {}
    assert [event.kind for event in gallery.events] == [EventKind.ACCOUNT_CREATED]


@pytest.mark.usefixtures("ada")
async def test_a_name_that_is_taken_is_refused(gallery: MemoryGallery) -> None:
    with gallery.refuses(ConflictError) as refused:
        await gallery.administration.create(ROOT, NewAccount(name="ADA", role=Role.VIEWER, password=PASSWORD))

    assert (refused.value.code, refused.value.field) == (ErrorCode.VERSION_CONFLICT, ("name",))


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [(" ", PASSWORD, ErrorCode.INVALID_NAME), ("Bob", "short", ErrorCode.INVALID_PASSWORD)],
    ids=["name", "password"],
)
async def test_what_breaks_a_rule_is_refused(gallery: MemoryGallery, name: str, password: str, code: ErrorCode) -> None:
    with gallery.refuses(InvalidInputError) as refused:
        await gallery.administration.create(ROOT, NewAccount(name=name, role=Role.VIEWER, password=password))

    assert refused.value.code is code


async def test_a_password_takes_the_place_of_another_and_ends_all_sessions(
    gallery: MemoryGallery, ada: Account
) -> None:
    secret = signed_in(gallery)
    gallery.tables.passwords[ada.id] = "1:the one before"
    await gallery.authenticator.viewer_in_session(secret)

    assert await gallery.administration.set_password(ROOT, " ada ", PASSWORD) == ada

    assert gallery.tables.passwords == {ada.id: f"1:{PASSWORD}"}
    with pytest.raises(RefusedCredentialError):
        await gallery.authenticator.viewer_in_session(secret)
    assert gallery.history == [(EventKind.ACCOUNT_PASSWORD_SET, ada.id, ROOT.id, NOON, {})]


async def test_the_account_that_is_always_there_can_get_one(gallery: MemoryGallery) -> None:
    await gallery.administration.set_password(ROOT, "administrator", PASSWORD)

    assert gallery.tables.passwords == {THE_ADMINISTRATOR.id: f"1:{PASSWORD}"}
    assert await gallery.tokens.first() is None  # who knows it needs no token to begin with


async def test_programs_get_no_password(gallery: MemoryGallery) -> None:
    program = an_account("ci", kind=AccountKind.PROGRAM)
    gallery.tables.accounts[program.id] = program

    with gallery.refuses(ConflictError):
        await gallery.administration.set_password(ROOT, "ci", PASSWORD)


async def test_a_disabled_account_is_of_no_use_at_once_until_it_is_enabled(
    gallery: MemoryGallery, ada: Account
) -> None:
    secret = signed_in(gallery)
    token, token_secret = a_token(ada)
    gallery.tables.tokens[token.id] = token
    await gallery.authenticator.viewer_in_session(secret)
    await gallery.authenticator.viewer_of(token_secret)

    disabled = await gallery.administration.disable(ROOT, "Ada")
    assert await gallery.administration.disable(ROOT, "Ada") == disabled

    assert disabled == replace(ada, disabled_at=NOON)
    assert gallery.tables.sessions == {}
    with pytest.raises(RefusedCredentialError):
        await gallery.authenticator.viewer_in_session(secret)
    with pytest.raises(RefusedCredentialError):
        await gallery.authenticator.viewer_of(token_secret)

    assert await gallery.administration.enable(ROOT, "Ada") == ada
    assert await gallery.administration.enable(ROOT, "Ada") == ada
    assert (await gallery.authenticator.viewer_of(token_secret)).id == ada.id
    assert gallery.history == [
        (EventKind.ACCOUNT_DISABLED, ada.id, ROOT.id, NOON, {"disabled": True}),
        (EventKind.ACCOUNT_UPDATED, ada.id, ROOT.id, NOON, {"disabled": False}),
    ]


async def test_what_there_is_no_account_of_is_not_found(gallery: MemoryGallery) -> None:
    with gallery.refuses(NotFoundError):
        await gallery.administration.disable(ROOT, "Eve")
    with gallery.refuses(NotFoundError):
        await gallery.administration.enable(ROOT, "Eve")
    with gallery.refuses(NotFoundError):
        await gallery.administration.set_password(ROOT, "Eve", PASSWORD)


async def test_accounts_are_listed_by_name(gallery: MemoryGallery, ada: Account) -> None:
    gallery.tables.passwords[ada.id] = f"1:{PASSWORD}"

    listed = await gallery.administration.all(ROOT)

    assert [(one.account, one.has_password) for one in listed] == [(ada, True), (THE_ADMINISTRATOR, False)]
