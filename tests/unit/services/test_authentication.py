"""From what somebody shows to who they are: what is asked of the database, and what is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gallery.domain.access import LOCAL_ADMINISTRATOR, Role, Viewer
from gallery.domain.accounts import Account, ApiToken, RefusedCredentialError, new_secret, prefix_of
from gallery.domain.errors import UnavailableError
from gallery.services.authentication import Authenticator
from gallery.services.remembered import MOST_REMEMBERED, REMEMBERED_SECONDS
from gallery.services.token_directory import MOST_AT_ONCE, TokenDirectory
from tests.entities import NOON, a_token, after, an_account
from tests.fakes.accounts import MemoryAccountReader
from tests.fakes.gallery import MemoryGallery

ADA = an_account("Ada", role=Role.EDITOR)
UNKNOWN = "This is no token of the gallery, or one that was revoked."


@pytest.fixture
def secret(gallery: MemoryGallery) -> str:
    return shown(gallery)


def shown(gallery: MemoryGallery, account: Account = ADA, **fields: object) -> str:
    """The secret of a token that the gallery knows."""
    token, secret = a_token(account, **fields)
    gallery.tables.accounts[account.id] = account
    gallery.tables.tokens[token.id] = token
    return secret


def the_token(gallery: MemoryGallery) -> ApiToken:
    [token] = gallery.tables.tokens.values()
    return token


async def refusal(gallery: MemoryGallery, credential: str) -> str:
    with pytest.raises(RefusedCredentialError) as refused:
        await gallery.authenticator.viewer_of(credential)
    assert str(refused.value) == refused.value.reason
    return refused.value.reason


# Who it is


async def test_who_shows_a_token_is_its_account_with_what_both_may_do(gallery: MemoryGallery, secret: str) -> None:
    viewer = await gallery.authenticator.viewer_of(secret)

    assert viewer == Viewer(id=ADA.id, rights=Role.EDITOR.rights, token_id=the_token(gallery).id)


@pytest.mark.parametrize("credential", ["", "secret", "gal_", "ey.ey.x", "\x00"])
async def test_what_is_no_token_is_refused_without_asking_anybody(gallery: MemoryGallery, credential: str) -> None:
    assert await refusal(gallery, credential) == UNKNOWN
    assert gallery.account_reader.reads == 0


async def test_a_token_that_nobody_made_is_refused(gallery: MemoryGallery, secret: str) -> None:
    assert await refusal(gallery, new_secret()) == UNKNOWN
    assert (await gallery.authenticator.viewer_of(secret)).id == ADA.id


async def test_another_secret_with_the_prefix_of_a_token_is_refused(gallery: MemoryGallery) -> None:
    forged = new_secret()
    shown(gallery, prefix=prefix_of(forged))

    assert await refusal(gallery, forged) == UNKNOWN
    await gallery.authenticator.settle()
    assert the_token(gallery).last_used_at is None


@pytest.mark.parametrize(
    ("account", "token", "reason"),
    [
        (ADA, {"revoked_at": NOON}, UNKNOWN),
        (ADA, {"expires_at": NOON}, "The token has expired. Make a new one."),
        (replace(ADA, disabled_at=NOON), {}, "The account of the token is disabled."),
    ],
    ids=["revoked", "expired", "disabled"],
)
async def test_a_token_of_no_use_is_refused(
    gallery: MemoryGallery, account: Account, token: dict[str, object], reason: str
) -> None:
    assert await refusal(gallery, shown(gallery, account, **token)) == reason


async def test_a_token_expires_while_it_is_remembered(gallery: MemoryGallery) -> None:
    secret = shown(gallery, expires_at=after(1 / 60))
    await gallery.authenticator.viewer_of(secret)

    gallery.clock.advance(minutes=1 / 60)

    assert await refusal(gallery, secret) == "The token has expired. Make a new one."
    assert len(gallery.account_reader.lookups) == 1


# What the database is asked


async def test_a_token_is_looked_up_once_in_five_seconds(gallery: MemoryGallery, secret: str) -> None:
    for _ in range(3):
        await gallery.authenticator.viewer_of(secret)
    assert gallery.account_reader.lookups == [{prefix_of(secret)}]

    gallery.clock.advance(minutes=REMEMBERED_SECONDS / 60)
    await gallery.authenticator.viewer_of(secret)

    assert len(gallery.account_reader.lookups) == 2


async def test_a_token_that_is_revoked_elsewhere_is_refused_after_five_seconds(
    gallery: MemoryGallery, secret: str
) -> None:
    await gallery.authenticator.viewer_of(secret)
    token = the_token(gallery)
    gallery.tables.tokens[token.id] = token.revoked(NOON)
    assert (await gallery.authenticator.viewer_of(secret)).id == ADA.id

    gallery.clock.advance(minutes=REMEMBERED_SECONDS / 60)

    assert await refusal(gallery, secret) == UNKNOWN


async def test_a_token_that_is_revoked_here_is_refused_at_once(gallery: MemoryGallery, secret: str) -> None:
    viewer = await gallery.authenticator.viewer_of(secret)
    await gallery.tokens.revoke(viewer, the_token(gallery).id)

    assert await refusal(gallery, secret) == UNKNOWN


async def test_what_is_read_while_a_token_is_revoked_is_not_remembered(gallery: MemoryGallery) -> None:
    shown(gallery)
    reader = PatientReader(gallery)
    directory = TokenDirectory(reader, pause_seconds=0, clock=gallery.clock.monotonic)
    finding = asyncio.create_task(directory.find(the_token(gallery).prefix))
    await gallery.everybody_waits()

    directory.forget()
    reader.go_on.set()

    found = await finding
    assert found is not None
    assert found.token == the_token(gallery)
    await directory.find(the_token(gallery).prefix)
    assert len(reader.lookups) == 2


class PatientReader(MemoryAccountReader):
    """Has read at once, and answers when it is told to."""

    def __init__(self, gallery: MemoryGallery) -> None:
        super().__init__(gallery.database)
        self.go_on = asyncio.Event()

    async def tokens_by_prefix(self, prefixes: object) -> dict[str, tuple[ApiToken, Account]]:
        assert isinstance(prefixes, dict)
        found = await super().tokens_by_prefix(prefixes)
        await self.go_on.wait()
        return found


async def test_made_up_tokens_are_looked_for_together_and_nobody_waits_behind_them_all(
    gallery: MemoryGallery, secret: str
) -> None:
    reader = PatientReader(gallery)
    directory = TokenDirectory(reader, pause_seconds=0, clock=gallery.clock.monotonic)
    authenticator = Authenticator(directory, gallery.unit_of_work, gallery.clock)
    guessing = [asyncio.create_task(directory.find(f"{number:08}")) for number in range(MOST_AT_ONCE + 100)]
    asking = asyncio.create_task(authenticator.viewer_of(secret))
    await gallery.everybody_waits()
    reader.go_on.set()

    assert (await asking).id == ADA.id
    assert await asyncio.gather(*guessing) == [None] * len(guessing)
    assert [len(lookup) for lookup in reader.lookups] == [MOST_AT_ONCE, 101]


async def test_the_same_made_up_token_is_looked_for_once_in_five_seconds(gallery: MemoryGallery) -> None:
    made_up = new_secret()

    assert [await refusal(gallery, made_up) for _ in range(3)] == [UNKNOWN] * 3

    assert len(gallery.account_reader.lookups) == 1


async def test_made_up_tokens_drive_no_other_out(gallery: MemoryGallery, secret: str) -> None:
    await gallery.authenticator.viewer_of(secret)
    await asyncio.gather(*(gallery.directory.find(f"{number:08}") for number in range(MOST_REMEMBERED + 1)))
    gallery.account_reader.lookups.clear()

    await gallery.authenticator.viewer_of(secret)
    assert gallery.account_reader.lookups == []
    await gallery.directory.find("00000000")  # the first of them is forgotten, for there is no room for more
    assert gallery.account_reader.lookups == [{"00000000"}]


async def test_several_who_show_the_same_token_wait_for_one_answer(gallery: MemoryGallery, secret: str) -> None:
    viewers = await asyncio.gather(*(gallery.authenticator.viewer_of(secret) for _ in range(10)))

    assert len(set(viewers)) == 1
    assert len(gallery.account_reader.lookups) == 1


async def test_who_is_cut_off_takes_the_answer_from_nobody(gallery: MemoryGallery, secret: str) -> None:
    leaving, staying = (asyncio.create_task(gallery.authenticator.viewer_of(secret)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()

    assert (await staying).id == ADA.id
    assert leaving.cancelled()


async def test_without_the_database_only_those_who_are_remembered_are_known(
    gallery: MemoryGallery, secret: str
) -> None:
    await gallery.authenticator.viewer_of(secret)
    await gallery.authenticator.settle()
    gallery.database.unavailable = True

    assert (await gallery.authenticator.viewer_of(secret)).id == ADA.id
    with pytest.raises(UnavailableError):
        await gallery.authenticator.viewer_of(new_secret())


# Use


async def test_the_use_of_a_token_is_noted_once_a_minute(gallery: MemoryGallery, secret: str) -> None:
    for _ in range(3):
        await gallery.authenticator.viewer_of(secret)
        await gallery.authenticator.settle()
    assert the_token(gallery).last_used_at == NOON
    assert gallery.database.units_opened == 1

    gallery.clock.advance(minutes=0.99)
    await gallery.authenticator.viewer_of(secret)
    await gallery.authenticator.settle()
    assert the_token(gallery).last_used_at == NOON

    gallery.clock.advance(minutes=0.11)
    await gallery.authenticator.viewer_of(secret)
    await gallery.authenticator.settle()
    assert the_token(gallery).last_used_at == after(1.1)
    assert gallery.events == []


async def test_a_use_that_cannot_be_noted_is_let_go(
    gallery: MemoryGallery, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    await gallery.directory.find(the_token(gallery).prefix)
    gallery.database.unavailable = True

    assert (await gallery.authenticator.viewer_of(secret)).id == ADA.id
    await gallery.authenticator.settle()

    assert [record.getMessage() for record in caplog.records] == [
        f"the use of a token or a session could not be noted: {UnavailableError('database')}"
    ]
    assert the_token(gallery).last_used_at is None


async def test_other_news_makes_nobody_forget(gallery: MemoryGallery, secret: str) -> None:
    await gallery.authenticator.viewer_of(secret)
    await gallery.tags.create(LOCAL_ADMINISTRATOR, "Sea")

    await gallery.authenticator.viewer_of(secret)

    assert len(gallery.account_reader.lookups) == 1
    assert [event.kind for events in gallery.heard for event in events] == ["tag.created"]
