"""API tokens: who may make which, and what is left when they are refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gallery.domain.access import GALLERY_ITSELF, LOCAL_ADMINISTRATOR, Right, Role, Scope, Viewer
from gallery.domain.accounts import Account, AccountKind, ApiToken, digest_of, prefix_of
from gallery.domain.errors import ConflictError, ErrorCode, InvalidInputError, NotFoundError
from gallery.domain.events import EventKind
from gallery.domain.ids import TokenId
from gallery.services.tokens import MAX_USABLE_TOKENS, IssuedToken, NewToken
from tests.entities import ADA, NOON, a_token, after, an_account
from tests.fakes.database import THE_ADMINISTRATOR
from tests.fakes.gallery import MemoryGallery

EDITOR = an_account("Ada", id=ADA.id, role=Role.EDITOR)


def knows(gallery: MemoryGallery, account: Account, **token: object) -> Viewer:
    """Puts an account with a token there; who shows it."""
    shown, _ = a_token(account, **token)
    gallery.tables.accounts[account.id] = account
    gallery.tables.tokens[shown.id] = shown
    return shown.viewer(account)


def described(token: ApiToken) -> dict[str, object]:
    """What the event of its making says."""
    return {
        "name": token.name,
        "prefix": token.prefix,
        "account_id": token.account_id.hex,
        "role": token.role.value,
        "scopes": [scope.value for scope in token.scopes],
        "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
    }


# Making one's own


async def test_a_token_gets_what_its_maker_has_unless_told_otherwise(gallery: MemoryGallery) -> None:
    viewer = knows(gallery, EDITOR, scopes=(Scope.READ, Scope.UPLOAD), expires_at=after(60))

    issued = await gallery.tokens.create(viewer, NewToken(name=" phone "))

    token = issued.token
    assert token == ApiToken(
        id=token.id,
        account_id=EDITOR.id,
        name="phone",
        prefix=prefix_of(issued.secret) or "",
        digest=digest_of(issued.secret),
        role=Role.EDITOR,
        scopes=(Scope.READ, Scope.UPLOAD),
        created_at=NOON,
        expires_at=after(60),
    )
    assert gallery.tables.tokens[token.id] == token
    assert gallery.history == [(EventKind.TOKEN_CREATED, token.id, EDITOR.id, NOON, described(token))]
    assert issued.secret[13:] not in repr(gallery.tables)


async def test_a_token_may_have_less_than_its_maker(gallery: MemoryGallery) -> None:
    viewer = knows(gallery, EDITOR, scopes=(Scope.READ, Scope.UPLOAD), expires_at=after(60))
    new = NewToken(name="phone", role=Role.VIEWER, scopes=[Scope.READ, Scope.READ], expires_at=after(59))

    token = (await gallery.tokens.create(viewer, new)).token

    assert (token.role, token.scopes, token.expires_at) == (Role.VIEWER, (Scope.READ,), after(59))


@pytest.mark.parametrize(
    ("new", "field", "message"),
    [
        (NewToken(name="x", role=Role.ADMINISTRATOR), "role", "You are editor; a token cannot be more than"),
        (NewToken(name="x", scopes=[Scope.EDIT]), "scopes", "A token made by yours is held to the same scopes: read."),
        (NewToken(name="x", scopes=[Scope.READ, Scope.ADMIN]), "scopes", "A token made by yours is held to"),
        (NewToken(name="x", expires_at=after(61)), "expiresAt", "expires with it, at 2026-05-01 13:00:00 UTC."),
        (NewToken(name="x", expires_at=NOON), "expiresAt", "The token would have expired already."),
    ],
    ids=["role", "other scope", "one scope more", "longer", "expired"],
)
async def test_a_token_can_do_no_more_than_its_maker_and_not_for_longer(
    gallery: MemoryGallery, new: NewToken, field: str, message: str
) -> None:
    viewer = knows(gallery, EDITOR, scopes=(Scope.READ,), expires_at=after(60))

    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.tokens.create(viewer, new)

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_INPUT, (field,))
    assert message in refusal.value.message


async def test_the_role_of_the_account_counts_as_it_is_now(gallery: MemoryGallery) -> None:
    viewer = knows(gallery, replace(EDITOR, role=Role.VIEWER), role=Role.EDITOR)

    with gallery.refuses(InvalidInputError):
        await gallery.tokens.create(viewer, NewToken(name="x", role=Role.EDITOR))

    assert (await gallery.tokens.create(viewer, NewToken(name="x"))).token.role is Role.VIEWER


async def test_who_was_not_known_by_a_token_is_held_to_their_role_alone(gallery: MemoryGallery) -> None:
    issued = await gallery.tokens.create(LOCAL_ADMINISTRATOR, NewToken(name="x"))

    assert (issued.token.role, issued.token.scopes, issued.token.expires_at) == (Role.ADMINISTRATOR, (), None)


async def test_an_account_has_so_many_tokens_of_use(gallery: MemoryGallery) -> None:
    viewer = knows(gallery, EDITOR)
    for number in range(MAX_USABLE_TOKENS - 2):
        gallery.tables.tokens.update([_keyed(a_token(EDITOR, name=str(number)))])
    gallery.tables.tokens.update([_keyed(a_token(EDITOR, revoked_at=NOON)), _keyed(a_token(EDITOR, expires_at=NOON))])
    last = (await gallery.tokens.create(viewer, NewToken(name="last"))).token

    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.tokens.create(viewer, NewToken(name="one more"))

    assert refusal.value.code is ErrorCode.TOO_MANY_ITEMS
    await gallery.tokens.revoke(viewer, last.id)
    await gallery.tokens.create(viewer, NewToken(name="one more"))


def _keyed(made: tuple[ApiToken, str]) -> tuple[TokenId, ApiToken]:
    return made[0].id, made[0]


# Making them for programs


async def test_a_program_gets_an_account_with_the_role_of_its_first_token(gallery: MemoryGallery) -> None:
    new = NewToken(name="ci", role=Role.CONTRIBUTOR, scopes=[Scope.UPLOAD], expires_at=after(1))

    issued = await gallery.tokens.create_for_program(LOCAL_ADMINISTRATOR, new)

    [account] = [one for one in gallery.tables.accounts.values() if one != THE_ADMINISTRATOR]
    assert account == Account(
        id=account.id, name="ci", kind=AccountKind.PROGRAM, role=Role.CONTRIBUTOR, created_at=NOON
    )
    assert issued.token.account_id == account.id
    assert issued.token.scopes == (Scope.UPLOAD,)
    assert gallery.history == [
        (
            EventKind.ACCOUNT_CREATED,
            account.id,
            LOCAL_ADMINISTRATOR.id,
            NOON,
            {"name": "ci", "kind": "program", "role": "contributor"},
        ),
        (EventKind.TOKEN_CREATED, issued.token.id, LOCAL_ADMINISTRATOR.id, NOON, described(issued.token)),
    ]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
async def test_an_account_of_that_name_is_used_if_its_role_is_high_enough(gallery: MemoryGallery, role: Role) -> None:
    gallery.tables.accounts[EDITOR.id] = EDITOR

    token = (await gallery.tokens.create_for_program(LOCAL_ADMINISTRATOR, NewToken(name="ADA", role=role))).token

    assert (token.account_id, token.role) == (EDITOR.id, role)
    assert gallery.tables.accounts[EDITOR.id] == EDITOR


@pytest.mark.parametrize(
    ("account", "reason"),
    [(EDITOR, "editor only"), (an_account("Ada", disabled_at=NOON), "disabled")],
    ids=["role", "disabled"],
)
async def test_an_account_of_that_name_that_may_less_is_not_raised(
    gallery: MemoryGallery, account: Account, reason: str
) -> None:
    gallery.tables.accounts[account.id] = account

    with gallery.refuses(ConflictError) as refusal:
        await gallery.tokens.create_for_program(LOCAL_ADMINISTRATOR, NewToken(name="ada", role=Role.ADMINISTRATOR))

    assert refusal.value.field == ("name",)
    assert refusal.value.message == f"There is an account “Ada” already, which is {reason}. Choose another name."


async def test_a_program_without_a_role_only_looks(gallery: MemoryGallery) -> None:
    issued = await gallery.tokens.create_for_program(LOCAL_ADMINISTRATOR, NewToken(name="ci"))

    assert issued.token.role is Role.VIEWER


# Revoking and listing


async def test_a_revoked_token_is_recorded_once(gallery: MemoryGallery) -> None:
    viewer = knows(gallery, EDITOR)
    token, _ = a_token(EDITOR)
    gallery.tables.tokens[token.id] = token

    first = await gallery.tokens.revoke(viewer, token.id)
    gallery.clock.advance(minutes=1)
    again = await gallery.tokens.revoke(viewer, token.id)

    assert first == again == gallery.tables.tokens[token.id] == token.revoked(NOON)
    payload = {"prefix": token.prefix, "account_id": EDITOR.id.hex}
    assert gallery.history == [(EventKind.TOKEN_REVOKED, token.id, EDITOR.id, NOON, payload)]


async def test_tokens_of_others_are_not_there_but_for_administrators(gallery: MemoryGallery) -> None:
    viewer = knows(gallery, EDITOR)
    [administrator] = [knows(gallery, an_account("Bob"))]
    other = next(token for token in gallery.tables.tokens.values() if token.account_id == administrator.id)
    own = next(token for token in gallery.tables.tokens.values() if token.account_id == viewer.id)

    with gallery.refuses(NotFoundError) as refusal:
        await gallery.tokens.revoke(viewer, other.id)

    assert refusal.value.message == "There is no such token. It may have been deleted."
    await gallery.tokens.revoke(administrator, own.id)
    assert gallery.tables.tokens[own.id].revoked_at == NOON


async def test_a_token_is_revoked_by_its_prefix(gallery: MemoryGallery) -> None:
    knows(gallery, EDITOR)
    [token] = gallery.tables.tokens.values()

    assert await gallery.tokens.revoke_by_prefix(LOCAL_ADMINISTRATOR, token.prefix) == token.revoked(NOON)
    with gallery.refuses(NotFoundError):
        await gallery.tokens.revoke_by_prefix(LOCAL_ADMINISTRATOR, "00000000")


async def test_lists_have_what_was_not_revoked_newest_first(gallery: MemoryGallery) -> None:
    viewer = knows(gallery, EDITOR, name="shown")
    bob = an_account("Bob")
    gallery.tables.accounts[bob.id] = bob
    newer, _ = a_token(bob, name="newer", created_at=after(1))
    expired, _ = a_token(EDITOR, name="expired", created_at=after(-1), expires_at=NOON)
    revoked, _ = a_token(EDITOR, name="revoked", revoked_at=NOON)
    gallery.tables.tokens.update({token.id: token for token in (newer, expired, revoked)})

    assert [token.name for token in await gallery.tokens.own(viewer)] == ["shown", "expired"]
    everybodys = await gallery.tokens.all(LOCAL_ADMINISTRATOR)
    assert [(token.name, account) for token, account in everybodys] == [
        ("newer", bob),
        ("shown", EDITOR),
        ("expired", EDITOR),
    ]


# The first one


async def test_the_first_administrator_gets_one_token_however_many_ask(gallery: MemoryGallery) -> None:
    asked = await asyncio.gather(*(gallery.tokens.first() for _ in range(10)))

    [issued] = [one for one in asked if one is not None]
    assert isinstance(issued, IssuedToken)
    assert (issued.token.account_id, issued.token.role) == (LOCAL_ADMINISTRATOR.id, Role.ADMINISTRATOR)
    assert gallery.history == [
        (EventKind.TOKEN_CREATED, issued.token.id, GALLERY_ITSELF.id, NOON, described(issued.token))
    ]


@pytest.mark.parametrize(
    ("account", "token", "is_offered"),
    [
        (an_account("Bob"), {"revoked_at": NOON}, False),
        (an_account("Bob"), {"role": Role.EDITOR}, True),
        (an_account("Bob", role=Role.EDITOR), {"role": Role.ADMINISTRATOR}, True),
        (an_account("Bob", issuer="https://id.example", subject="bob"), {"role": Role.VIEWER}, False),
    ],
    ids=["revoked", "token of an editor", "account of an editor", "vouched for"],
)
async def test_the_first_token_is_offered_as_long_as_no_administrator_was_known(
    gallery: MemoryGallery, account: Account, token: dict[str, object], is_offered: bool
) -> None:
    knows(gallery, account, **token)

    assert (await gallery.tokens.first() is not None) is is_offered


# Who one is


async def test_whoever_asks_is_told_what_they_may(gallery: MemoryGallery) -> None:
    viewer = knows(gallery, EDITOR, role=Role.CONTRIBUTOR, scopes=(Scope.READ,))

    own = await gallery.accounts.own(viewer)

    assert (own.account, own.role, own.scopes) == (EDITOR, Role.CONTRIBUTOR, (Scope.READ,))
    assert own.tokens == tuple(gallery.tables.tokens.values())


async def test_whoever_shows_no_token_has_the_role_of_their_account(gallery: MemoryGallery) -> None:
    own = await gallery.accounts.own(LOCAL_ADMINISTRATOR)

    assert (own.account, own.role, own.scopes, own.tokens) == (THE_ADMINISTRATOR, Role.ADMINISTRATOR, (), ())


async def test_who_has_no_account_is_told_so(gallery: MemoryGallery) -> None:
    with pytest.raises(NotFoundError):
        await gallery.accounts.own(Viewer(id=ADA.id, rights=frozenset({Right.READ})))
