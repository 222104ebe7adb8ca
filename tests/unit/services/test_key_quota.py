"""How many idempotency keys one owner may have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gallery.domain.errors import ConflictError, ErrorCode
from gallery.domain.idempotency import Claim
from gallery.domain.tags import Tag
from gallery.services.idempotency import IdempotencyService, KeyedRequest
from gallery.services.key_quota import KeyQuota
from tests.entities import ADA, BOB, a_claim
from tests.fakes.gallery import QUICK, MemoryGallery


def holds(gallery: MemoryGallery, *claims: Claim) -> None:
    gallery.tables.claims |= {(claim.owner, claim.key): claim for claim in claims}


def has_room_for(gallery: MemoryGallery, max_keys: int) -> None:
    gallery.idempotency = IdempotencyService(
        gallery.unit_of_work,
        heartbeat=gallery.heartbeat,
        timing=QUICK,
        quota=KeyQuota(max_keys),
        clock=gallery.clock,
    )


async def tag(gallery: MemoryGallery, key: str) -> Tag | None:
    """Makes a tag of the name of the key; None if that was done before."""

    async def work(claim: Claim) -> Tag | None:
        return await gallery.tags.create(ADA, claim.key, claim)

    async def repeat(_claim: Claim) -> Tag | None:
        return None

    request = KeyedRequest(key=key, operation="createTag", fingerprint=key)
    return await gallery.idempotency.once(ADA, request, work, repeat)


async def test_one_key_too_many_is_refused_and_nothing_is_done(gallery: MemoryGallery) -> None:
    has_room_for(gallery, 2)
    await tag(gallery, "one")
    await tag(gallery, "two")

    with gallery.refuses(ConflictError) as refusal:
        await tag(gallery, "three")

    assert (refusal.value.code, refusal.value.field) == (
        ErrorCode.TOO_MANY_IDEMPOTENCY_KEYS,
        ("idempotencyKey",),
    )
    assert refusal.value.message.startswith("You have used 2 idempotency keys that are still remembered")


async def test_a_repeat_is_never_one_too_many(gallery: MemoryGallery) -> None:
    has_room_for(gallery, 1)
    await tag(gallery, "one")

    assert await tag(gallery, "one") is None


async def test_keys_of_others_and_expired_ones_do_not_count(gallery: MemoryGallery) -> None:
    has_room_for(gallery, 1)
    holds(gallery, a_claim("theirs", owner=BOB.id), replace(a_claim("old"), expires_at=gallery.clock()))

    assert await tag(gallery, "one") is not None


async def test_keys_are_taken_again_once_others_have_expired(gallery: MemoryGallery) -> None:
    has_room_for(gallery, 1)
    await tag(gallery, "one")
    with pytest.raises(ConflictError):
        await tag(gallery, "two")

    gallery.clock.advance(minutes=24 * 60)

    assert await tag(gallery, "two") is not None


async def test_after_a_count_a_tenth_of_the_keys_that_were_free_is_taken_without_another(
    gallery: MemoryGallery,
) -> None:
    has_room_for(gallery, 100)
    await tag(gallery, "first")
    holds(gallery, *(a_claim(f"of another process {number}") for number in range(100)))

    for number in range(2, 11):
        assert await tag(gallery, str(number)) is not None
    with gallery.refuses(ConflictError):
        await tag(gallery, "11")


async def test_who_has_reached_the_limit_is_counted_again_after_some_seconds(gallery: MemoryGallery) -> None:
    has_room_for(gallery, 1)
    await tag(gallery, "one")
    with gallery.refuses(ConflictError):
        await tag(gallery, "two")
    gallery.tables.claims.clear()

    gallery.clock.advance(minutes=9 / 60)
    with gallery.refuses(ConflictError):
        await tag(gallery, "two")
    gallery.clock.advance(minutes=1 / 60)
    assert await tag(gallery, "two") is not None
