"""What every repository and every reader of passwords and sessions must do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gallery.domain.accounts import Account
from gallery.domain.ids import new_session_id, new_user_id
from gallery.domain.sessions import Session, SignInWay
from tests.contracts.under_test import Database
from tests.entities import NOON, a_session, after, an_account

ADA, BOB = an_account("Ada Größe"), an_account("bob")


async def keep(database: Database, *entities: Account | Session) -> None:
    async with database.unit_of_work() as work:
        for entity in entities:
            if isinstance(entity, Account):
                assert await work.accounts.add_unless_there(entity)
            else:
                await work.sessions.add(entity)
        await work.commit()


async def kept(database: Database) -> set[object]:
    return {session.id for session in await database.sessions.sessions()}


# Passwords


async def test_a_hash_takes_the_place_of_another(database: Database) -> None:
    await keep(database, ADA, BOB)

    async with database.unit_of_work() as work:
        assert await work.passwords.find(ADA.id) is None
        await work.passwords.put(ADA.id, "first", NOON)
        await work.passwords.put(BOB.id, "another", NOON)
        await work.passwords.put(ADA.id, "second", after(1))
        assert await work.passwords.find(ADA.id) == "second"
        await work.commit()

    async with database.unit_of_work() as work:
        assert await work.passwords.find(ADA.id) == "second"
        assert await work.passwords.find(new_user_id()) is None
    assert await database.sessions.having_password([ADA.id, new_user_id()]) == {ADA.id}
    assert await database.sessions.having_password([]) == set()


async def test_accounts_are_found_by_name_with_their_hashes(database: Database) -> None:
    await keep(database, ADA, BOB)
    async with database.unit_of_work() as work:
        await work.passwords.put(ADA.id, "a hash", NOON)
        await work.commit()

    assert await database.sessions.by_name("ADA GRÖSSE") == (ADA, "a hash")
    assert await database.sessions.by_name("Bob") == (BOB, None)
    assert await database.sessions.by_name("ada") is None


async def test_accounts_are_listed_by_name(database: Database) -> None:
    await keep(database, BOB, ADA)

    assert [account.name for account in await database.sessions.accounts()] == ["Ada Größe", "administrator", "bob"]


# Sessions


async def test_sessions_are_found_by_id_and_secret_with_their_accounts(database: Database) -> None:
    of_ada, of_bob = a_session(ADA)[0], a_session(BOB, way=SignInWay.PROVIDER, last_used_at=after(3))[0]
    await keep(database, ADA, BOB, of_ada, of_bob)

    async with database.unit_of_work() as work:
        assert await work.sessions.find(of_ada.id) == of_ada
        assert await work.sessions.find(new_session_id()) is None
        assert await work.sessions.find_by_digest(of_bob.digest) == of_bob
        assert await work.sessions.find_by_digest(b"none") is None
    found = await database.sessions.by_digest([of_ada.digest, of_bob.digest, b"none"])
    assert found == {of_ada.digest: (of_ada, ADA), of_bob.digest: (of_bob, BOB)}
    assert await database.sessions.by_digest([]) == {}


async def test_sessions_are_listed_the_newest_first(database: Database) -> None:
    first, second = (a_session(ADA, created_at=after(minutes))[0] for minutes in (1, 2))
    of_bob, _ = a_session(BOB, created_at=after(3))
    await keep(database, ADA, BOB, first, second, of_bob)

    assert await database.sessions.sessions(ADA.id) == (second, first)
    assert await database.sessions.sessions() == (of_bob, second, first)
    assert await database.sessions.sessions(new_user_id()) == ()


async def test_those_that_are_named_end(database: Database) -> None:
    sessions = [a_session(ADA)[0] for _ in range(3)]
    await keep(database, ADA, *sessions)

    async with database.unit_of_work() as work:
        await work.sessions.delete([sessions[0].id, sessions[1].id, new_session_id()])
        await work.sessions.delete([])
        await work.commit()

    assert await kept(database) == {sessions[2].id}


async def test_all_of_an_account_end_or_all_but_one(database: Database) -> None:
    of_ada, of_bob = [a_session(ADA)[0] for _ in range(3)], [a_session(BOB)[0] for _ in range(2)]
    await keep(database, ADA, BOB, *of_ada, *of_bob)

    async with database.unit_of_work() as work:
        assert await work.sessions.delete_of(ADA.id, but=of_ada[1].id) == 2
        assert await work.sessions.delete_of(BOB.id) == 2
        await work.commit()

    assert await kept(database) == {of_ada[1].id}


async def test_the_newest_of_an_account_stay(database: Database) -> None:
    of_ada = [a_session(ADA, created_at=after(minutes))[0] for minutes in (2, 1, 3)]
    of_bob, _ = a_session(BOB, created_at=after(-9))
    await keep(database, ADA, BOB, *of_ada, of_bob)

    async with database.unit_of_work() as work:
        await work.sessions.keep_newest(ADA.id, 2)
        await work.commit()

    assert await kept(database) == {of_ada[0].id, of_ada[2].id, of_bob.id}


async def test_outdated_ones_go(database: Database) -> None:
    sessions = [
        a_session(ADA, expires_at=after(expires), last_used_at=after(used))[0]
        for expires, used in ((10, -1), (9, 1), (11, -2), (11, 1))
    ]
    await keep(database, ADA, *sessions)

    async with database.unit_of_work() as work:
        await work.sessions.delete_outdated(expired_at=after(9), unused_since=after(-2))
        await work.commit()

    assert await kept(database) == {sessions[0].id, sessions[3].id}


async def test_the_last_use_is_the_latest(database: Database) -> None:
    session, other = a_session(ADA)[0], a_session(ADA)[0]
    await keep(database, ADA, session, other)

    async with database.unit_of_work() as work:
        for moment in (after(2), after(3), after(1)):
            await work.sessions.touch(session.id, moment)
        await work.sessions.touch(new_session_id(), after(9))
        await work.commit()

    async with database.unit_of_work() as work:
        assert await work.sessions.find(session.id) == replace(session, last_used_at=after(3))
        assert await work.sessions.find(other.id) == other


async def test_a_session_is_locked_until_the_transaction_ends(database: Database) -> None:
    session, _ = a_session(ADA)
    await keep(database, ADA, session)

    async with database.unit_of_work() as work:
        assert await work.sessions.find_by_digest(session.digest) == session
        waiting = asyncio.create_task(_found(database, session))
        await asyncio.sleep(0.05)  # one that does not wait would have read by now
        await work.sessions.delete([session.id])
        await work.commit()

    assert await waiting is None


async def _found(database: Database, session: Session) -> Session | None:
    async with database.unit_of_work() as work:
        return await work.sessions.find(session.id)
