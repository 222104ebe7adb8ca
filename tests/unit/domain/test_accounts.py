"""Accounts and the secrets of API tokens."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from gallery.domain.access import Right, Role, Scope, Viewer
from gallery.domain.accounts import (
    AccountKind,
    account_key,
    clean_account_name,
    digest_of,
    new_secret,
    prefix_of,
)
from gallery.domain.errors import ErrorCode, InvalidInputError
from tests.entities import NOON, a_token, after, an_account

SECRET = "gal_0a1b2c3d_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_2of09k"


def test_a_secret_is_a_prefix_256_random_bits_and_a_checksum() -> None:
    secrets = {new_secret() for _ in range(100)}

    assert len(secrets) == len({prefix_of(secret) for secret in secrets}) == 100
    for secret in secrets:
        match = re.fullmatch(r"gal_([0-9a-z]{8})_[0-9A-Za-z_-]{43}[0-9A-Za-z]{6}", secret)
        assert match is not None
        assert prefix_of(secret) == match[1]


def test_the_checksum_of_a_secret_never_changes() -> None:
    assert prefix_of(SECRET) == "0a1b2c3d"


@pytest.mark.parametrize(
    "changed",
    [
        "",
        "gal_",
        SECRET[:-1],
        SECRET + "k",
        SECRET + "\n",
        " " + SECRET,
        SECRET[:-1] + "l",
        SECRET.replace("ABC", "ABD"),
        SECRET.replace("0a1b", "0a1c"),
        SECRET.replace("gal", "GAL"),
        SECRET.replace("3d_A", "3d_ä"),
    ],
    ids=["empty", "begun", "short", "long", "line", "blank", "checksum", "middle", "prefix", "case", "umlaut"],
)
def test_what_was_cut_off_or_mistyped_is_no_secret(changed: str) -> None:
    assert prefix_of(changed) is None


def test_a_token_knows_its_secret_and_holds_nothing_of_it_but_the_prefix() -> None:
    token, secret = a_token(an_account())

    assert token.is_secret(secret)
    assert not token.is_secret(new_secret())
    assert not token.is_secret("\ud800")
    assert token.digest == digest_of(secret)
    assert secret[13:] not in repr(token)


def test_a_token_is_of_use_until_it_expires_or_is_revoked() -> None:
    eternal, _ = a_token(an_account())
    mortal, _ = a_token(an_account(), expires_at=after(1))

    assert eternal.is_usable(NOON + timedelta(days=10_000))
    assert mortal.is_usable(after(0.99))
    assert not mortal.is_usable(after(1))
    assert not eternal.revoked(NOON).is_usable(NOON)


def test_a_token_stays_revoked_since_it_was_first() -> None:
    token, _ = a_token(an_account())

    assert token.revoked(NOON).revoked(after(5)).revoked_at == NOON


@pytest.mark.parametrize(
    ("account_role", "token_role", "scopes", "rights"),
    [
        (Role.ADMINISTRATOR, Role.ADMINISTRATOR, (), set(Right)),
        (Role.ADMINISTRATOR, Role.VIEWER, (), {Right.READ}),
        (Role.VIEWER, Role.ADMINISTRATOR, (), {Right.READ}),
        (Role.EDITOR, Role.CONTRIBUTOR, (Scope.UPLOAD,), {Right.CONTRIBUTE}),
        (Role.EDITOR, Role.EDITOR, (Scope.READ, Scope.EDIT), {Right.READ, Right.EDIT}),
        (Role.VIEWER, Role.EDITOR, (Scope.UPLOAD, Scope.ADMIN), set()),
    ],
    ids=["all", "low token", "low account", "only upload", "read and edit", "nothing"],
)
def test_who_shows_a_token_may_do_what_account_token_and_scopes_all_allow(
    account_role: Role, token_role: Role, scopes: tuple[Scope, ...], rights: set[Right]
) -> None:
    account = an_account(role=account_role)
    token, _ = a_token(account, role=token_role, scopes=scopes)

    viewer = token.viewer(account)

    is_held = rights < account_role.rights
    assert viewer == Viewer(id=account.id, rights=frozenset(rights), token_id=token.id, is_held=is_held)


def test_names_are_trimmed_and_have_at_most_a_hundred_characters() -> None:
    assert clean_account_name("  Zoë ") == "Zoë"
    assert clean_account_name("a" * 100) == "a" * 100
    for name in ("", " ", "a\nb"):
        with pytest.raises(InvalidInputError):
            clean_account_name(name)
    with pytest.raises(InvalidInputError) as refusal:
        clean_account_name("a" * 101, field=("input", "name"))
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_NAME, ("input", "name"))
    assert refusal.value.message == "The name has 101 characters; at most 100 are allowed."


def test_names_are_the_same_whatever_their_case() -> None:
    assert account_key("Straße") == account_key("STRASSE") != account_key("Strase")


def test_kinds_are_kept_in_lower_case() -> None:
    assert [kind.value for kind in AccountKind] == ["person", "program"]
