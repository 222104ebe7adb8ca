"""What strangers are told of an account that they do not have."""

from __future__ import annotations

from gallery.domain.access import VISITOR
from gallery.domain.errors import ForbiddenError
from tests.fakes.gallery import MemoryGallery


async def test_a_stranger_who_may_read_has_no_account(gallery: MemoryGallery) -> None:
    with gallery.refuses(ForbiddenError) as refused:
        await gallery.accounts.own(VISITOR)

    assert refused.value.message == "You have no account here: nobody has signed in."
    assert gallery.account_reader.reads == 0
