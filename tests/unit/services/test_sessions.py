"""Sessions: who is in one, how long, and who ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from gallery.domain.access import Role, Viewer
from gallery.domain.accounts import Account, RefusedCredentialError
from gallery.domain.errors import NotFoundError, UnavailableError
from gallery.domain.events import EventKind
from gallery.domain.ids import new_session_id
from gallery.domain.sessions import SignInWay, new_session_secret
from gallery.services.authentication import Authenticator
from gallery.services.remembered import REMEMBERED_SECONDS
from gallery.services.sessions import SessionService
from tests.entities import NOON, a_session, after, an_account
from tests.fakes.gallery import SESSION_TERMS, MemoryGallery

ADA, BOB = an_account("Ada", role=Role.EDITOR), an_account("Bob", role=Role.VIEWER)
ENDED = "Your session has ended. Sign in again."


def in_session(gallery: MemoryGallery, account: Account = ADA, **fields: object) -> str:
    """The secret of a session that the gallery knows."""
    session, secret = a_session(account, **fields)
    gallery.tables.accounts[account.id] = account
    gallery.tables.sessions[session.id] = session
    return secret


async def refusal(gallery: MemoryGallery, secret: str) -> str:
    with pytest.raises(RefusedCredentialError) as refused:
        await gallery.authenticator.viewer_in_session(secret)
    return refused.value.reason


# Who is in one


async def test_who_shows_a_session_is_known_and_looked_up_once_in_five_seconds(gallery: MemoryGallery) -> None:
    secret = in_session(gallery)
    for _ in range(3):
        assert (await gallery.authenticator.viewer_in_session(secret)).id == ADA.id
    assert gallery.session_reader.reads == 1

    gallery.clock.advance(minutes=REMEMBERED_SECONDS / 60)
    await gallery.authenticator.viewer_in_session(secret)

    assert gallery.session_reader.reads == 2


async def test_what_is_no_secret_is_refused_without_asking_anybody(gallery: MemoryGallery) -> None:
    assert await refusal(gallery, "made up") == ENDED
    assert gallery.session_reader.reads == 0


async def test_a_secret_that_nobody_has_is_refused(gallery: MemoryGallery) -> None:
    in_session(gallery)

    assert await refusal(gallery, new_session_secret()) == ENDED


@pytest.mark.parametrize(
    ("account", "fields"),
    [
        (ADA, {"expires_at": NOON}),
        (ADA, {"last_used_at": NOON - timedelta(hours=24)}),
        (replace(ADA, disabled_at=NOON), {}),
    ],
    ids=["expired", "not used", "disabled"],
)
async def test_a_session_that_has_ended_is_refused(
    gallery: MemoryGallery, account: Account, fields: dict[str, object]
) -> None:
    assert await refusal(gallery, in_session(gallery, account, **fields)) == ENDED


async def test_without_a_directory_of_sessions_there_are_none(gallery: MemoryGallery) -> None:
    alone = Authenticator(gallery.directory, gallery.unit_of_work, gallery.clock)

    with pytest.raises(RefusedCredentialError):
        await alone.viewer_in_session(in_session(gallery))


async def test_where_nobody_signs_in_with_a_password_sessions_that_one_has_begun_do_not_count(
    gallery: MemoryGallery,
) -> None:
    terms = replace(SESSION_TERMS, passwords=False)
    authenticator = Authenticator(
        gallery.directory, gallery.unit_of_work, gallery.clock, sessions=gallery.session_directory, terms=terms
    )
    sessions = SessionService(
        gallery.unit_of_work, gallery.session_reader, gallery.account_reader, terms, gallery.clock
    )
    by_password, by_provider = in_session(gallery), in_session(gallery, way=SignInWay.PROVIDER)

    with pytest.raises(RefusedCredentialError) as refused:
        await authenticator.viewer_in_session(by_password)
    known = await authenticator.viewer_in_session(by_provider)
    await authenticator.settle()

    assert (refused.value.reason, known.id) == (ENDED, ADA.id)
    assert [session.id for session in await sessions.own(known)] == [known.session_id]


async def test_without_the_database_nobody_can_tell(gallery: MemoryGallery) -> None:
    secret = in_session(gallery)
    gallery.database.unavailable = True

    with pytest.raises(UnavailableError):
        await gallery.authenticator.viewer_in_session(secret)


async def test_that_a_session_is_used_is_noted_once_a_minute_and_keeps_it_going(gallery: MemoryGallery) -> None:
    secret = in_session(gallery, last_used_at=after(-23 * 60))
    for _ in range(3):
        await gallery.authenticator.viewer_in_session(secret)
    await gallery.authenticator.settle()

    [session] = gallery.tables.sessions.values()
    assert session.last_used_at == NOON
    assert gallery.database.units_opened == 1
    gallery.clock.advance(minutes=23 * 60)
    assert (await gallery.authenticator.viewer_in_session(secret)).id == ADA.id


# Who ends one


def of(account: Account) -> Viewer:
    return account.viewer()


async def ids(gallery: MemoryGallery, viewer: Viewer) -> Sequence[object]:
    return [session.id for session in await gallery.sessions.own(viewer)]


async def test_everybody_sees_their_own_that_go_on_the_newest_first(gallery: MemoryGallery) -> None:
    for minutes in (-3, -1, -2):
        in_session(gallery, created_at=after(minutes))
    in_session(gallery, expires_at=NOON)
    in_session(gallery, BOB)

    found = await gallery.sessions.own(of(ADA))

    assert [session.created_at for session in found] == [after(-1), after(-2), after(-3)]


async def test_administrators_see_all_with_their_accounts(gallery: MemoryGallery) -> None:
    in_session(gallery, created_at=after(-1))
    in_session(gallery, BOB)
    in_session(gallery, expires_at=NOON)

    found = await gallery.sessions.all(of(an_account()))

    assert [account for _, account in found] == [BOB, ADA]


async def test_a_session_whose_account_is_gone_is_not_listed(gallery: MemoryGallery) -> None:
    in_session(gallery)
    del gallery.tables.accounts[ADA.id]

    assert await gallery.sessions.all(of(an_account())) == []


@pytest.mark.parametrize("viewer", [ADA.viewer(), an_account("Root").viewer()], ids=["owner", "administrator"])
async def test_owner_and_administrators_end_a_session_at_once(gallery: MemoryGallery, viewer: Viewer) -> None:
    secret, other = in_session(gallery), in_session(gallery)
    shown = await gallery.authenticator.viewer_in_session(secret)
    assert shown.session_id is not None

    ended = await gallery.sessions.end(viewer, shown.session_id)

    assert ended.id == shown.session_id
    assert await refusal(gallery, secret) == ENDED
    assert (await gallery.authenticator.viewer_in_session(other)).id == ADA.id
    payload = {"session_id": ended.id.hex, "reason": "revoked"}
    assert gallery.history == [(EventKind.ACCOUNT_SESSIONS_ENDED, ADA.id, viewer.id, NOON, payload)]


async def test_nobody_ends_a_session_of_somebody_else_or_learns_that_there_is_one(gallery: MemoryGallery) -> None:
    in_session(gallery)
    [session] = gallery.tables.sessions.values()

    with gallery.refuses(NotFoundError) as of_ada:
        await gallery.sessions.end(of(BOB), session.id)
    with gallery.refuses(NotFoundError) as of_nobody:
        await gallery.sessions.end(of(BOB), new_session_id())

    assert of_ada.value.message == of_nobody.value.message
