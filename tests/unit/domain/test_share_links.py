"""Share links: their tokens, how long they are of use, and what proves that their password was given."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.share_links import (
    check_expiry,
    clean_label,
    clean_password,
    given_title,
    is_share_token,
    new_share_token,
)
from tests.entities import NOON, a_share_link, after, an_image


def test_tokens_have_a_prefix_and_256_random_bits() -> None:
    one, other = new_share_token(), new_share_token()

    assert one != other
    assert is_share_token(one)
    assert (one[:4], len(one)) == ("shr_", 4 + 43)


BODY = "A" * 43


@pytest.mark.parametrize(
    "text",
    ["", "shr_", f"shr_{BODY[1:]}", f"shr_{BODY}A", f"gal_{BODY}", f"shr_{BODY[1:]}é", f"shr_{BODY}\n"],
    ids=["nothing", "prefix", "short", "long", "another prefix", "another letter", "line break"],
)
def test_other_texts_are_no_tokens(text: str) -> None:
    assert not is_share_token(text)


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "is_usable"),
    [
        (None, None, True),
        (after(1), None, True),
        (NOON, None, False),
        (after(-1), None, False),
        (None, after(-1), False),
        (after(1), after(-1), False),
    ],
    ids=["for ever", "not yet", "at this moment", "past", "revoked", "revoked before"],
)
def test_a_link_is_of_use_until_it_expires_or_is_revoked(
    expires_at: datetime | None, revoked_at: datetime | None, is_usable: bool
) -> None:
    link, _ = a_share_link(expires_at=expires_at, revoked_at=revoked_at)

    assert link.is_usable(NOON) is is_usable


def test_a_link_is_revoked_once() -> None:
    link, _ = a_share_link()

    assert link.revoked(after(1)).revoked(after(2)).revoked_at == after(1)


# Proofs


def test_a_proof_is_good_for_one_to_two_hours() -> None:
    link, _ = a_share_link(password_hash="x")

    early, late = link.proof(NOON), link.proof(after(59))

    assert early == late != link.proof(after(60))
    assert link.is_proof(early, NOON)
    assert link.is_proof(late, after(119))
    assert not link.is_proof(late, after(120))


def test_a_proof_is_of_one_link_and_one_password() -> None:
    link, _ = a_share_link(password_hash="x")
    other, _ = a_share_link(password_hash="x")
    proof = link.proof(NOON)

    assert not other.is_proof(proof, NOON)
    assert not link.with_password("y").is_proof(proof, NOON)
    assert link.with_password("y").password_hash == "y"
    assert replace(link, label="x", allows_download=True).is_proof(proof, NOON)


@pytest.mark.parametrize("change", ["later", "other mac", "no mac", "no number", "nothing", "other digits"])
def test_a_proof_that_was_tampered_with_is_none(change: str) -> None:
    link, _ = a_share_link(password_hash="x")
    proof = link.proof(NOON)
    until, _, mac = proof.partition("-")
    changed = {
        "later": f"{int(until) + 3600}-{mac}",
        "other mac": f"{until}-{'A' * len(mac)}",
        "no mac": until,
        "no number": f"-{mac}",
        "nothing": "",
        "other digits": f"٣{until[1:]}-{mac}",
    }[change]

    assert not link.is_proof(changed, NOON)


def test_keys_for_two_purposes_are_two() -> None:
    link, _ = a_share_link()

    assert len({link.key("ids"), link.key("password"), link.secret}) == 3


# Who may share


# What is told


def test_the_name_of_a_file_is_no_title() -> None:
    assert given_title(an_image(title="IMG_2041", original_filename="IMG_2041.JPG")) is None
    assert given_title(an_image(title="Harbour", original_filename="IMG_2041.JPG")) == "Harbour"


# Values


@pytest.mark.parametrize(("label", "cleaned"), [(None, None), ("", None), ("  ", None), (" for Eve ", "for Eve")])
def test_a_label_is_a_name_or_nothing(label: str | None, cleaned: str | None) -> None:
    assert clean_label(label) == cleaned


def test_a_label_with_control_characters_is_refused() -> None:
    with pytest.raises(InvalidInputError) as refusal:
        clean_label("for\nEve")

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_NAME, ("label",))


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1025], ids=["none", "short", "long"])
def test_passwords_have_8_to_1024_characters(password: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        clean_password(password)

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_INPUT, ("password",))


def test_a_password_is_the_same_on_every_keyboard() -> None:
    assert clean_password("Gro\u0308\u00dfe ist") == "Gr\u00f6\u00dfe ist"
    assert clean_password("x" * 8) == "x" * 8
    assert clean_password("x" * 1024) == "x" * 1024


def test_a_link_expires_in_the_future() -> None:
    check_expiry(None, NOON)
    check_expiry(after(1), NOON)
    with pytest.raises(InvalidInputError) as refusal:
        check_expiry(NOON, NOON)

    assert refusal.value.field == ("expiresAt",)
