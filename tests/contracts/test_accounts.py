"""What every repository and every reader of accounts and API tokens must do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gallery.domain.access import LOCAL_ADMINISTRATOR, Role, Scope
from gallery.domain.accounts import Account, AccountKind, ApiToken
from gallery.domain.errors import NotFoundError
from gallery.domain.ids import new_token_id, new_user_id
from tests.contracts.under_test import Database
from tests.entities import NOON, a_token, after, an_account

ISSUER = "https://id.example"
EVERYTHING = {
    "scopes": (Scope.READ, Scope.ADMIN),
    "expires_at": after(60),
    "revoked_at": after(2),
    "last_used_at": after(1),
}


async def keep(database: Database, *entities: Account | ApiToken) -> None:
    async with database.unit_of_work() as work:
        for entity in entities:
            if isinstance(entity, Account):
                assert await work.accounts.add_unless_there(entity)
            else:
                await work.tokens.add(entity)
        await work.commit()


# Accounts


async def test_the_local_administrator_has_an_account(database: Database) -> None:
    async with database.unit_of_work() as work:
        account = await work.accounts.get(LOCAL_ADMINISTRATOR.id)

    assert (account.name, account.kind, account.role) == ("administrator", AccountKind.PERSON, Role.ADMINISTRATOR)


async def test_accounts_are_found_by_id_name_and_subject(database: Database) -> None:
    ada = an_account("Ada Größe", issuer=ISSUER, subject="ada", disabled_at=after(1), role=Role.EDITOR)
    program = an_account("ci", kind=AccountKind.PROGRAM)
    await keep(database, ada, program)

    async with database.unit_of_work() as work:
        assert await work.accounts.get(ada.id) == ada
        assert await work.accounts.find_by_name("ADA GRÖSSE") == ada
        assert await work.accounts.find_by_name("ada gr") is None
        assert await work.accounts.find_by_subject(ISSUER, "ada") == ada
        assert await work.accounts.find_by_subject("https://other.example", "ada") is None
        assert await work.accounts.find_by_subject(ISSUER, "ADA") is None
        with pytest.raises(NotFoundError):
            await work.accounts.get(new_user_id())
    assert await database.accounts.get_many([ada.id, program.id, new_user_id()]) == {ada.id: ada, program.id: program}
    assert await database.accounts.get_many([]) == {}


@pytest.mark.parametrize(
    "second",
    [an_account("ADA"), an_account("Ada, too", issuer=ISSUER, subject="ada")],
    ids=["name", "subject"],
)
async def test_there_is_one_account_of_a_name_and_of_a_subject(database: Database, second: Account) -> None:
    first = an_account("Ada", issuer=ISSUER, subject="ada")
    await keep(database, first, an_account("another", issuer=ISSUER, subject="another"))

    async with database.unit_of_work() as work:
        assert not await work.accounts.add_unless_there(second)
        await work.commit()

    assert await database.accounts.get_many([first.id, second.id]) == {first.id: first}


async def test_of_many_who_add_the_same_account_one_does(database: Database) -> None:
    accounts = [an_account("Ada") for _ in range(10)]

    async def add(account: Account) -> bool:
        async with database.unit_of_work() as work:
            added = await work.accounts.add_unless_there(account)
            await work.commit()
        return added

    assert sorted(await asyncio.gather(*map(add, accounts))) == [False] * 9 + [True]
    assert len(await database.accounts.get_many([account.id for account in accounts])) == 1


async def test_a_changed_account_is_stored(database: Database) -> None:
    ada = an_account()
    await keep(database, ada)
    changed = replace(ada, role=Role.VIEWER, disabled_at=after(1))

    async with database.unit_of_work() as work:
        await work.accounts.save(changed)
        with pytest.raises(NotFoundError):
            await work.accounts.save(an_account("Bob"))
        await work.commit()

    assert await database.accounts.get_many([ada.id]) == {ada.id: changed}


async def test_an_account_is_locked_until_the_transaction_ends(database: Database) -> None:
    ada = an_account()
    await keep(database, ada)

    async with database.unit_of_work() as work:
        await work.accounts.get(ada.id)
        waiting = asyncio.create_task(_role_of(database, ada))
        await asyncio.sleep(0.05)  # one that does not wait would have read by now
        await work.accounts.save(replace(ada, role=Role.VIEWER))
        await work.commit()

    assert await waiting is Role.VIEWER


async def _role_of(database: Database, account: Account) -> Role:
    async with database.unit_of_work() as work:
        return (await work.accounts.get(account.id)).role


@pytest.mark.parametrize(
    ("account", "token", "expected"),
    [
        (an_account(), {}, True),
        (an_account(), {"revoked_at": NOON, "expires_at": NOON}, True),
        (an_account(), {"role": Role.EDITOR}, False),
        (an_account(role=Role.EDITOR), {"role": Role.ADMINISTRATOR}, False),
        (an_account(issuer=ISSUER, subject="ada"), {"role": Role.VIEWER}, True),
    ],
    ids=["token", "token of no use", "token of an editor", "account of an editor", "vouched for"],
)
async def test_an_administrator_is_one_who_could_ever_show_it(
    database: Database, account: Account, token: dict[str, object], expected: bool
) -> None:
    async with database.unit_of_work() as work:
        assert not await work.accounts.has_administrator()
    await keep(database, account, a_token(account, **token)[0])

    async with database.unit_of_work() as work:
        assert await work.accounts.has_administrator() is expected


async def test_an_administrator_is_one_who_has_a_password(database: Database) -> None:
    editor, administrator = an_account("Bob", role=Role.EDITOR), an_account()
    await keep(database, editor, administrator)
    async with database.unit_of_work() as work:
        await work.passwords.put(editor.id, "a hash", NOON)
        assert not await work.accounts.has_administrator()
        await work.passwords.put(administrator.id, "a hash", NOON)
        assert await work.accounts.has_administrator()


# Tokens


async def test_tokens_are_found_by_id_and_prefix_with_their_accounts(database: Database) -> None:
    ada, bob = an_account(), an_account("Bob")
    bare, full = a_token(ada)[0], a_token(bob, **EVERYTHING)[0]
    await keep(database, ada, bob, bare, full)

    async with database.unit_of_work() as work:
        assert [await work.tokens.get(token.id) for token in (bare, full)] == [bare, full]
        assert await work.tokens.find_by_prefix(full.prefix) == full
        assert await work.tokens.find_by_prefix("00000000") is None
        with pytest.raises(NotFoundError):
            await work.tokens.get(new_token_id())
    found = await database.accounts.tokens_by_prefix([bare.prefix, full.prefix, "00000000"])
    assert found == {bare.prefix: (bare, ada), full.prefix: (full, bob)}
    assert await database.accounts.tokens_by_prefix([]) == {}


async def test_a_changed_token_is_stored_but_for_its_last_use(database: Database) -> None:
    ada = an_account()
    token, _ = a_token(ada, last_used_at=after(1))
    await keep(database, ada, token)

    async with database.unit_of_work() as work:
        await work.tokens.touch(token.id, after(2))
        await work.tokens.save(token.revoked(after(3)))
        with pytest.raises(NotFoundError):
            await work.tokens.save(a_token(ada)[0])
        await work.commit()

    async with database.unit_of_work() as work:
        assert await work.tokens.get(token.id) == replace(token, revoked_at=after(3), last_used_at=after(2))


async def test_the_last_use_is_the_latest(database: Database) -> None:
    ada = an_account()
    token, other = a_token(ada)[0], a_token(ada)[0]
    await keep(database, ada, token, other)

    async with database.unit_of_work() as work:
        for moment in (after(2), after(3), after(1)):
            await work.tokens.touch(token.id, moment)
        await work.tokens.touch(new_token_id(), after(9))
        await work.commit()

    async with database.unit_of_work() as work:
        assert (await work.tokens.get(token.id)).last_used_at == after(3)
        assert (await work.tokens.get(other.id)).last_used_at is None


async def test_tokens_of_use_are_counted(database: Database) -> None:
    ada, bob = an_account(), an_account("Bob")
    tokens = [
        a_token(account, **fields)[0]
        for account, fields in (
            (ada, {}),
            (ada, {"expires_at": after(1)}),
            (ada, {"revoked_at": NOON}),
            (bob, {}),
        )
    ]
    await keep(database, ada, bob, *tokens)

    async with database.unit_of_work() as work:
        assert await work.tokens.count_usable(ada.id, after(0.99)) == 2
        assert await work.tokens.count_usable(ada.id, after(1)) == 1


async def test_lists_have_what_was_not_revoked_newest_first(database: Database) -> None:
    ada, bob = an_account(), an_account("Bob")
    old, new = a_token(ada)[0], a_token(ada, created_at=after(2), expires_at=NOON)[0]
    of_bob, revoked = a_token(bob, created_at=after(1))[0], a_token(ada, revoked_at=NOON)[0]
    await keep(database, ada, bob, old, new, of_bob, revoked)

    assert await database.accounts.tokens(ada.id) == (new, old)
    assert await database.accounts.tokens() == (new, of_bob, old)
