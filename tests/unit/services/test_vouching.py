"""People for whom another service vouches: their accounts, and how often that service is asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gallery.domain.access import GALLERY_ITSELF, Role, Viewer
from gallery.domain.accounts import Account, AccountKind, RefusedCredentialError, Vouched
from gallery.domain.errors import UnavailableError
from gallery.domain.events import EventKind
from gallery.services.authentication import Authenticator
from gallery.services.remembered import REMEMBERED_SECONDS
from gallery.services.vouching import Vouching
from tests.entities import NOON, a_token, after, an_account
from tests.fakes.database import THE_ADMINISTRATOR
from tests.fakes.gallery import MemoryGallery

ISSUER = "https://id.example"
ADA = Vouched(issuer=ISSUER, subject="ada-1", name="Ada", role=Role.EDITOR, expires_at=after(60))
SHOWN = "header.claims.signature"


class FakeVerifier:
    """Believes what it is told to, and counts how often it is asked."""

    def __init__(self, *believed: Vouched) -> None:
        self.believed = {SHOWN + str(number or ""): vouched for number, vouched in enumerate(believed)}
        self.asked = 0

    async def verify(self, credential: str) -> Vouched:
        self.asked += 1
        await asyncio.sleep(0)
        if credential not in self.believed:
            message = "not believed"
            raise RefusedCredentialError(message)
        return self.believed[credential]


def authenticator(gallery: MemoryGallery, verifier: FakeVerifier) -> Authenticator:
    vouching = Vouching(verifier, gallery.unit_of_work, gallery.clock, monotonic=gallery.clock.monotonic)
    return Authenticator(gallery.directory, gallery.unit_of_work, gallery.clock, vouching=vouching)


def accounts(gallery: MemoryGallery) -> list[Account]:
    return [account for account in gallery.tables.accounts.values() if account != THE_ADMINISTRATOR]


async def test_whoever_comes_first_gets_an_account_with_the_role_that_is_said(gallery: MemoryGallery) -> None:
    viewer = await authenticator(gallery, FakeVerifier(ADA)).viewer_of(SHOWN)

    [account] = accounts(gallery)
    assert account == Account(
        id=account.id,
        name="Ada",
        kind=AccountKind.PERSON,
        role=Role.EDITOR,
        created_at=NOON,
        issuer=ISSUER,
        subject="ada-1",
    )
    assert viewer == Viewer(id=account.id, rights=Role.EDITOR.rights)
    payload = {"name": "Ada", "kind": "person", "role": "editor"}
    assert gallery.history == [(EventKind.ACCOUNT_CREATED, account.id, GALLERY_ITSELF.id, NOON, payload)]


async def test_whoever_comes_again_has_the_same_account(gallery: MemoryGallery) -> None:
    verifier = FakeVerifier(ADA, replace(ADA, name="Ada Lovelace"))
    first = await authenticator(gallery, verifier).viewer_of(SHOWN)

    assert await authenticator(gallery, verifier).viewer_of(f"{SHOWN}1") == first
    assert [account.name for account in accounts(gallery)] == ["Ada"]
    assert len(gallery.events) == 1


async def test_a_role_is_what_is_said_last(gallery: MemoryGallery) -> None:
    verifier = FakeVerifier(ADA, replace(ADA, role=Role.VIEWER))
    await authenticator(gallery, verifier).viewer_of(SHOWN)

    viewer = await authenticator(gallery, verifier).viewer_of(f"{SHOWN}1")

    assert viewer.rights == Role.VIEWER.rights
    assert [account.role for account in accounts(gallery)] == [Role.VIEWER]
    assert [event.kind for event in gallery.events] == [EventKind.ACCOUNT_CREATED, EventKind.ACCOUNT_UPDATED]


async def test_a_name_that_somebody_has_is_made_another(gallery: MemoryGallery) -> None:
    bob = an_account("ADA")
    gallery.tables.accounts[bob.id] = bob

    viewer = await authenticator(gallery, FakeVerifier(ADA)).viewer_of(SHOWN)

    assert gallery.tables.accounts[viewer.id].name == f"Ada {viewer.id.hex}"
    assert gallery.tables.accounts[bob.id] == bob


async def test_whoever_comes_twice_at_once_gets_one_account(gallery: MemoryGallery) -> None:
    first = an_account("Ada", issuer=ISSUER, subject="ada-1", role=Role.EDITOR)
    async with gallery.unit_of_work() as work:
        await work.accounts.add_unless_there(first)
        coming = asyncio.create_task(authenticator(gallery, FakeVerifier(ADA)).viewer_of(SHOWN))
        await gallery.everybody_waits()
        await work.commit()

    assert await coming == first.viewer()
    assert accounts(gallery) == [first]
    assert gallery.events == []


async def test_a_disabled_account_stays_disabled(gallery: MemoryGallery) -> None:
    ada = an_account("Ada", issuer=ISSUER, subject="ada-1", role=Role.EDITOR, disabled_at=NOON)
    gallery.tables.accounts[ada.id] = ada

    with gallery.refuses(RefusedCredentialError):
        await authenticator(gallery, FakeVerifier(ADA)).viewer_of(SHOWN)


async def test_the_other_service_is_asked_once_in_five_seconds(gallery: MemoryGallery) -> None:
    verifier = FakeVerifier(ADA)
    known = authenticator(gallery, verifier)
    for _ in range(3):
        await known.viewer_of(SHOWN)
    assert (verifier.asked, gallery.database.units_opened) == (1, 1)

    gallery.clock.advance(minutes=REMEMBERED_SECONDS / 60)
    await known.viewer_of(SHOWN)

    assert verifier.asked == 2


async def test_what_expires_is_asked_for_again(gallery: MemoryGallery) -> None:
    verifier = FakeVerifier(replace(ADA, expires_at=after(1 / 60)))
    known = authenticator(gallery, verifier)
    await known.viewer_of(SHOWN)
    gallery.clock.advance(minutes=1 / 60)
    verifier.believed.clear()

    with pytest.raises(RefusedCredentialError):
        await known.viewer_of(SHOWN)


async def test_who_is_not_believed_gets_nothing(gallery: MemoryGallery) -> None:
    with gallery.refuses(RefusedCredentialError):
        await authenticator(gallery, FakeVerifier()).viewer_of(SHOWN)

    gallery.database.unavailable = True
    with pytest.raises(UnavailableError):
        await authenticator(gallery, FakeVerifier(ADA)).viewer_of(SHOWN)


async def test_tokens_of_the_gallery_work_beside(gallery: MemoryGallery) -> None:
    bob = an_account("Bob")
    token, secret = a_token(bob)
    gallery.tables.accounts[bob.id], gallery.tables.tokens[token.id] = bob, token
    verifier = FakeVerifier(ADA)
    known = authenticator(gallery, verifier)

    assert (await known.viewer_of(secret)).id == bob.id
    with pytest.raises(RefusedCredentialError):
        await known.viewer_of("no token at all")
    await known.settle()
    assert verifier.asked == 0
