"""Whose places a request takes while it waits, and how long."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from gallery.domain.access import ANONYMOUS, LOCAL_ADMINISTRATOR, Viewer
from gallery.domain.ids import UserId
from gallery.domain.waiting import PATIENCE
from gallery.settings_connections import OverloadSettings
from gallery.web.patience import Patiences, wait_anew, wait_as

ADA = replace(ANONYMOUS, id=UserId(UUID(int=7)))
PATIENCES = Patiences(OverloadSettings(queue_timeout_seconds=3))


async def test_a_request_waits_for_the_address_that_it_came_from_until_somebody_is_known() -> None:
    patience = PATIENCES.of({"client": ("192.0.2.1", 5)})
    PATIENCE.set(patience)
    assert (patience.asker, patience.seconds, patience.is_endless) == ("192.0.2.1", 3, False)
    wait_as(ADA)
    assert patience.asker == ADA.id


@pytest.mark.parametrize("viewer", [ANONYMOUS, LOCAL_ADMINISTRATOR], ids=["strangers", "everybody"])
async def test_those_who_are_several_are_told_apart_by_their_addresses(viewer: Viewer) -> None:
    patience = PATIENCES.of({"client": ("192.0.2.1", 5)})
    PATIENCE.set(patience)
    wait_as(viewer)
    assert patience.asker == "192.0.2.1"


async def test_all_wait_in_the_same_places() -> None:
    assert PATIENCES.of({"client": None}).places is PATIENCES.of({}).places


async def test_an_operation_of_a_connection_does_not_have_the_patience_of_the_last() -> None:
    first = PATIENCES.of({})
    PATIENCE.set(first)
    first.is_endless = True
    wait_anew()
    second = PATIENCE.get()
    assert second is not None
    assert (second.is_endless, second.places, second.seconds) == (False, first.places, first.seconds)


async def test_what_is_no_request_has_no_patience() -> None:
    wait_as(ADA)
    wait_anew()
    assert PATIENCE.get() is None
