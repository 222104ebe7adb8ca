"""Sessions: how long they go on, and whose they are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gallery.domain.access import Role, Viewer
from gallery.domain.sessions import is_session_secret, new_session_secret
from tests.entities import NOON, a_session, after, an_account

IDLE = timedelta(minutes=30)


@pytest.mark.parametrize(
    ("minutes", "usable"),
    [(0, True), (29.9, True), (30, False), (90, False)],
    ids=["at once", "just before", "unused for too long", "long ago"],
)
def test_a_session_ends_when_it_is_not_used(minutes: float, usable: bool) -> None:
    session, _ = a_session(an_account(), expires_at=after(60), last_used_at=NOON)

    assert session.is_usable(after(minutes), IDLE) is usable


@pytest.mark.parametrize(("minutes", "usable"), [(59.9, True), (60, False)], ids=["just before", "over"])
def test_a_session_ends_however_much_it_is_used(minutes: float, usable: bool) -> None:
    session, _ = a_session(an_account(), expires_at=after(60), last_used_at=after(59))

    assert session.is_usable(after(minutes), IDLE) is usable


def test_who_has_signed_in_may_do_what_the_account_may() -> None:
    account = an_account(role=Role.CONTRIBUTOR)
    session, _ = a_session(account)

    assert session.viewer(account) == Viewer(id=account.id, rights=Role.CONTRIBUTOR.rights, session_id=session.id)


def test_secrets_of_sessions_are_new_each_time_and_have_a_shape() -> None:
    secrets = {new_session_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert all(map(is_session_secret, secrets))


@pytest.mark.parametrize("text", ["", "a" * 42, "a" * 44, "a" * 42 + "!", "a" * 42 + "\n", "\u00e4" * 43])
def test_what_is_no_secret_of_a_session_is_known(text: str) -> None:
    assert not is_session_secret(text)
