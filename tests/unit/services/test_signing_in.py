"""Signing in and out: who gets a session, who does not, and what strangers can tell from the difference."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from gallery.domain.access import GALLERY_ITSELF, Role, Viewer
from gallery.domain.accounts import RefusedCredentialError, Vouched, digest_of
from gallery.domain.errors import TooManyAttemptsError, UnavailableError
from gallery.domain.events import EventKind
from gallery.domain.sessions import SignInWay
from gallery.services.signing_in import MOST_SESSIONS, BegunSession
from tests.entities import NOON, a_session, after, an_account
from tests.fakes.gallery import MemoryGallery

ADA = an_account("Ada", role=Role.EDITOR)
PASSWORD = "correct horse battery"
HOME = "192.0.2.1"
WRONG = "The name or the password is wrong."


@pytest.fixture
def gallery() -> MemoryGallery:
    gallery = MemoryGallery()
    gallery.tables.accounts[ADA.id] = ADA
    gallery.tables.passwords[ADA.id] = f"1:{PASSWORD}"
    return gallery


async def sign_in(
    gallery: MemoryGallery, name: str = "Ada", password: str = PASSWORD, *, shown: str | None = None
) -> BegunSession:
    return await gallery.signing_in.with_password(name, password, address=HOME, shown=shown)


async def refusal(gallery: MemoryGallery, name: str = "Ada", password: str = PASSWORD) -> str:
    with pytest.raises(RefusedCredentialError) as refused:
        await sign_in(gallery, name, password)
    await gallery.signing_in.settle()
    return refused.value.reason


# Passwords


async def test_who_knows_the_password_gets_a_session(gallery: MemoryGallery) -> None:
    begun = await sign_in(gallery)

    session = gallery.tables.sessions[begun.session.id]
    assert session == begun.session
    assert begun.account == ADA
    assert session.digest == digest_of(begun.secret)
    assert (session.account_id, session.way) == (ADA.id, SignInWay.PASSWORD)
    assert (session.created_at, session.last_used_at, session.expires_at) == (NOON, NOON, NOON + timedelta(days=7))
    assert gallery.history == [
        (EventKind.ACCOUNT_SIGNED_IN, ADA.id, ADA.id, NOON, {"session_id": session.id.hex, "way": "password"})
    ]
    viewer = await gallery.authenticator.viewer_in_session(begun.secret)
    assert viewer == Viewer(id=ADA.id, rights=Role.EDITOR.rights, session_id=session.id)


@pytest.mark.parametrize("name", ["ada", " ADA\t"])
async def test_names_are_compared_as_everywhere(gallery: MemoryGallery, name: str) -> None:
    assert (await sign_in(gallery, name)).account == ADA


async def test_passwords_are_compared_in_their_normal_form(gallery: MemoryGallery) -> None:
    gallery.tables.passwords[ADA.id] = "1:caf\u00e9 au lait noir"

    assert (await sign_in(gallery, password="cafe\u0301 au lait noir")).account == ADA


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("Ada", "another password"),
        ("Ada", ""),
        ("Ada", PASSWORD.upper()),
        ("Ada", "x" * 1025),
        ("Ada", "\ud800"),
        ("Eve", PASSWORD),
        ("", PASSWORD),
        ("administrator", PASSWORD),
        ("administrator", ""),
    ],
    ids=["wrong", "empty", "case", "long", "no text", "no such name", "no name", "no password", "none at all"],
)
async def test_of_all_that_is_wrong_the_same_is_told_after_the_same_work(
    gallery: MemoryGallery, name: str, password: str
) -> None:
    assert await refusal(gallery, name, password) == WRONG
    assert len(gallery.hasher.looked) == 1
    assert gallery.session_reader.reads == 1
    assert not gallery.tables.sessions


async def test_a_disabled_account_is_told_apart_by_nothing(gallery: MemoryGallery) -> None:
    gallery.tables.accounts[ADA.id] = replace(ADA, disabled_at=NOON)

    assert await refusal(gallery) == WRONG
    assert not gallery.tables.sessions


async def test_failures_are_recorded_once_a_minute_and_for_accounts_that_there_are(gallery: MemoryGallery) -> None:
    for _ in range(3):
        await refusal(gallery, password="wrong")
    await refusal(gallery, "Eve", "wrong")
    gallery.clock.advance(minutes=1)
    await refusal(gallery, password="wrong")

    assert gallery.history == [
        (EventKind.ACCOUNT_SIGN_IN_FAILED, ADA.id, GALLERY_ITSELF.id, moment, {}) for moment in (NOON, after(1))
    ]


async def test_a_failure_that_cannot_be_recorded_is_logged(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(RefusedCredentialError):
        await sign_in(gallery, password="wrong")
    gallery.database.unavailable = True
    with caplog.at_level(logging.WARNING):
        await gallery.signing_in.settle()

    assert [record.getMessage() for record in caplog.records] == [
        f"that somebody could not sign in was not recorded: {UnavailableError('database')}"
    ]


async def test_after_too_many_wrong_ones_nothing_is_looked_at(gallery: MemoryGallery) -> None:
    for _ in range(5):
        await refusal(gallery, password="wrong")
    looked = len(gallery.hasher.looked)

    with pytest.raises(TooManyAttemptsError):
        await sign_in(gallery)

    assert len(gallery.hasher.looked) == looked
    gallery.clock.advance(minutes=1)
    assert (await sign_in(gallery)).account == ADA


async def test_what_could_not_be_looked_at_is_no_wrong_attempt(gallery: MemoryGallery) -> None:
    gallery.hasher.is_busy = True
    for _ in range(10):
        with pytest.raises(UnavailableError):
            await sign_in(gallery)
    gallery.hasher.is_busy = False

    assert (await sign_in(gallery)).account == ADA


async def test_a_hash_of_other_parameters_is_made_anew(gallery: MemoryGallery) -> None:
    gallery.hasher.parameters = "2"

    await sign_in(gallery)

    assert gallery.tables.passwords[ADA.id] == f"2:{PASSWORD}"


async def test_a_wrong_password_renews_no_hash(gallery: MemoryGallery) -> None:
    gallery.hasher.parameters = "2"

    await refusal(gallery, password="wrong")

    assert gallery.tables.passwords[ADA.id] == f"1:{PASSWORD}"


class ChangingHasher:
    """Something else happens while a password is looked at."""

    def __init__(self, gallery: MemoryGallery) -> None:
        self.gallery = gallery
        self.disables = False

    async def hash(self, password: str) -> str:
        return await self.gallery.hasher.hash(password)

    async def is_of(self, password_hash: str | None, password: str) -> bool:
        is_it = await self.gallery.hasher.is_of(password_hash, password)
        if self.disables:
            self.gallery.tables.accounts[ADA.id] = replace(ADA, disabled_at=NOON)
        else:
            self.gallery.tables.passwords[ADA.id] = "1:a new password"
        return is_it

    def is_outdated(self, password_hash: str) -> bool:
        return self.gallery.hasher.is_outdated(password_hash)


@pytest.mark.parametrize(
    ("disables", "reason"), [(False, WRONG), (True, "Your account is disabled.")], ids=["changed", "disabled"]
)
async def test_what_changes_meanwhile_counts(gallery: MemoryGallery, disables: bool, reason: str) -> None:
    hasher = ChangingHasher(gallery)
    hasher.disables = disables
    gallery.signing_in._hasher = hasher

    assert await refusal(gallery) == reason
    assert not gallery.tables.sessions


# Sessions


async def test_a_new_session_takes_the_place_of_the_one_that_is_shown(gallery: MemoryGallery) -> None:
    first = await sign_in(gallery)
    await gallery.authenticator.viewer_in_session(first.secret)

    second = await sign_in(gallery, shown=first.secret)

    assert second.secret != first.secret
    assert set(gallery.tables.sessions) == {second.session.id}
    with pytest.raises(RefusedCredentialError):
        await gallery.authenticator.viewer_in_session(first.secret)


async def test_what_is_shown_and_is_no_session_does_not_matter(gallery: MemoryGallery) -> None:
    assert (await sign_in(gallery, shown="nothing")).account == ADA
    assert [event.kind for event in gallery.events] == [EventKind.ACCOUNT_SIGNED_IN]


async def test_outdated_sessions_go_when_somebody_signs_in(gallery: MemoryGallery) -> None:
    bob = an_account("Bob")
    gallery.tables.accounts[bob.id] = bob
    kept, expired, unused = (
        a_session(bob, **fields)[0]
        for fields in ({}, {"expires_at": NOON}, {"last_used_at": NOON - timedelta(hours=24)})
    )
    gallery.tables.sessions.update({session.id: session for session in (kept, expired, unused)})

    begun = await sign_in(gallery)

    assert set(gallery.tables.sessions) == {kept.id, begun.session.id}


async def test_an_account_has_a_hundred_sessions_at_most(gallery: MemoryGallery) -> None:
    oldest = a_session(ADA, created_at=after(-5))[0]
    others = [a_session(ADA, created_at=after(-1))[0] for _ in range(MOST_SESSIONS - 1)]
    gallery.tables.sessions.update({session.id: session for session in (oldest, *others)})

    await sign_in(gallery)

    assert len(gallery.tables.sessions) == MOST_SESSIONS
    assert oldest.id not in gallery.tables.sessions


async def test_signing_out_ends_the_session_at_once(gallery: MemoryGallery) -> None:
    begun = await sign_in(gallery)
    other = await sign_in(gallery)
    await gallery.authenticator.viewer_in_session(begun.secret)

    await gallery.signing_in.sign_out(begun.secret)
    await gallery.signing_in.sign_out(begun.secret)

    assert set(gallery.tables.sessions) == {other.session.id}
    with pytest.raises(RefusedCredentialError):
        await gallery.authenticator.viewer_in_session(begun.secret)
    payload = {"session_id": begun.session.id.hex, "reason": "signed out"}
    assert gallery.history[2:] == [(EventKind.ACCOUNT_SESSIONS_ENDED, ADA.id, ADA.id, NOON, payload)]


# Other services


VOUCHED = Vouched(issuer="https://id.example", subject="bob", name="Bob", role=Role.VIEWER, expires_at=after(1))


async def test_for_whom_another_service_vouches_gets_a_session_and_an_account(gallery: MemoryGallery) -> None:
    first, second = await gallery.signing_in.vouched(VOUCHED), await gallery.signing_in.vouched(VOUCHED)

    assert first.account == second.account
    assert (first.account.name, first.account.subject) == ("Bob", "bob")
    assert first.session.way is SignInWay.PROVIDER
    assert first.session.expires_at == NOON + timedelta(days=7)
    assert (await gallery.authenticator.viewer_in_session(second.secret)).rights == Role.VIEWER.rights


async def test_a_disabled_account_gets_none_whoever_vouches_for_it(gallery: MemoryGallery) -> None:
    account = (await gallery.signing_in.vouched(VOUCHED)).account
    gallery.tables.accounts[account.id] = replace(account, disabled_at=NOON)
    gallery.tables.sessions.clear()

    with pytest.raises(RefusedCredentialError, match="disabled"):
        await gallery.signing_in.vouched(VOUCHED)

    assert not gallery.tables.sessions
