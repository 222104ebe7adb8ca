"""What every repository of idempotency keys must do, and every store of the answers that were sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from gallery.domain.errors import ConflictError, ErrorCode
from gallery.domain.idempotency import MAX_ANSWERS_OF_KEY, Claim, Snapshot
from gallery.domain.ids import new_image_id
from tests.contracts.under_test import Database
from tests.entities import ADA, BOB, a_claim, a_tag, after, an_album, an_image, checksum_of

REQUEST, OTHER_REQUEST = checksum_of(b"document"), checksum_of(b"another document")


async def take(database: Database, claim: Claim, *, abandoned: float = -1, now: float = 0) -> Claim:
    async with database.unit_of_work() as work:
        stored = await work.claims.take(claim, abandoned_before=after(abandoned), now=after(now))
        await work.commit()
    return stored


async def complete(database: Database, claim: Claim) -> None:
    async with database.unit_of_work() as work:
        await work.claims.complete(claim)
        await work.commit()


async def release(database: Database, claim: Claim) -> None:
    async with database.unit_of_work() as work:
        await work.claims.release(claim)
        await work.commit()


async def find(database: Database, claim: Claim) -> Claim | None:
    async with database.unit_of_work() as work:
        return await work.claims.find(claim.owner, claim.key)


async def test_the_first_claim_of_a_key_is_stored(database: Database) -> None:
    claim = a_claim()

    assert await find(database, claim) is None
    assert await take(database, claim) == claim
    assert await find(database, claim) == claim


async def test_a_second_claim_of_a_key_gets_the_first(database: Database) -> None:
    first = a_claim()
    await take(database, first)

    assert await take(database, a_claim(fingerprint=checksum_of(b"other input"))) == first
    assert await find(database, first) == first


async def test_the_claims_of_an_owner_are_counted_until_they_expire(database: Database) -> None:
    for claim in (
        a_claim("one"),
        a_claim("other").completed(new_image_id()),
        a_claim("expired", expires_at=after(60)),
        a_claim("one", owner=BOB.id),
    ):
        await take(database, claim)

    async with database.unit_of_work() as work:
        assert await work.claims.count(ADA.id, after(59)) == 3
        assert await work.claims.count(ADA.id, after(60)) == 2
        assert await work.claims.count(BOB.id, after(60)) == 1


async def test_keys_are_told_apart_by_their_letters_and_their_owners(database: Database) -> None:
    claims = [a_claim("key"), a_claim("KEY"), a_claim("key", owner=BOB.id)]

    assert [await take(database, claim) for claim in claims] == claims
    assert [await find(database, claim) for claim in claims] == claims


async def test_a_completed_claim_has_its_result_and_gives_way_to_none_before_it_expires(database: Database) -> None:
    claim = a_claim(touched_at=after(-60))
    await take(database, claim)
    completed = claim.completed(new_image_id(), outcome="CREATED", file_checksum=checksum_of(b"file"))

    await complete(database, completed)

    assert await find(database, claim) == completed
    assert await take(database, a_claim()) == completed


async def test_the_claim_of_a_change_keeps_what_it_answered_with(database: Database) -> None:
    image, tag, album = an_image(title="Größe \U0001f30a"), a_tag("Sea"), an_album(description=None)
    claims = [a_claim("everything"), a_claim("nothing")]
    await database.store(*claims)
    everything = Snapshot(image=image.deleted(after(1)), tag=tag, album=album, image_ids=(image.id, new_image_id()))
    changed = [claim.changed(was) for claim, was in zip(claims, (everything, Snapshot()), strict=True)]

    for claim in changed:
        await complete(database, claim)

    assert [await find(database, claim) for claim in claims] == changed
    assert [claim.result_id for claim in changed] == [claim.holder for claim in claims]


async def test_who_takes_the_expired_key_of_a_change_inherits_nothing(database: Database) -> None:
    old, new = a_claim(expires_at=after(0)), a_claim()
    await take(database, old, now=-1)
    await complete(database, old.changed(Snapshot(tag=a_tag())))

    await take(database, new, now=0)

    assert await find(database, new) == new


async def test_an_expired_claim_gives_way(database: Database) -> None:
    done = a_claim(expires_at=after(0)).completed(new_image_id())
    await take(database, done, now=-1)
    new = a_claim()

    assert await take(database, new, now=0) == new
    assert await find(database, done) == new


async def test_an_abandoned_claim_gives_way_and_one_that_was_touched_does_not(database: Database) -> None:
    abandoned, living = a_claim("abandoned", touched_at=after(-2)), a_claim("living", touched_at=after(-1))
    await take(database, abandoned, abandoned=-10)
    await take(database, living, abandoned=-10)
    takeover = a_claim("abandoned")

    assert await take(database, takeover, abandoned=-1) == takeover
    assert await take(database, a_claim("living"), abandoned=-1) == living


async def test_a_claim_that_was_taken_over_can_neither_be_completed_nor_released(database: Database) -> None:
    abandoned, takeover = a_claim(touched_at=after(-2)), a_claim()
    await take(database, abandoned, abandoned=-10)
    await take(database, takeover)

    with pytest.raises(ConflictError) as refusal:
        await complete(database, abandoned.completed(new_image_id()))
    await release(database, abandoned)

    assert refusal.value.code is ErrorCode.VERSION_CONFLICT
    assert await find(database, takeover) == takeover


async def test_a_claim_that_is_not_there_cannot_be_completed(database: Database) -> None:
    claim = a_claim()

    with pytest.raises(ConflictError):
        await complete(database, claim.completed(new_image_id()))

    assert await find(database, claim) is None


async def test_a_released_key_is_free(database: Database) -> None:
    failed, retried, other = a_claim(), a_claim(), a_claim("another key")
    await take(database, failed)
    await take(database, other)

    await release(database, failed)

    assert await find(database, failed) is None
    assert await find(database, other) == other
    assert await take(database, retried) == retried


async def test_touched_claims_go_on_and_others_stay_as_they_are(database: Database) -> None:
    one, other, untouched = a_claim("one"), a_claim("other"), a_claim("untouched")
    await database.store(one, other, untouched)

    async with database.unit_of_work() as work:
        await work.claims.touch([one.holder, other.holder, uuid4()], after(1))
        await work.claims.touch([], after(2))
        await work.commit()

    assert await find(database, one) == replace(one, touched_at=after(1))
    assert await find(database, other) == replace(other, touched_at=after(1))
    assert await find(database, untouched) == untouched


async def test_touching_does_not_wait_for_claims_that_others_are_changing(database: Database) -> None:
    changing, free = a_claim("changing"), a_claim("free")
    await database.store(changing, free)
    completed = changing.completed(new_image_id())

    async with database.unit_of_work() as holder:
        await holder.claims.complete(completed)
        async with database.unit_of_work() as work:
            await work.claims.touch([changing.holder, free.holder], after(1))
            await work.commit()
        await holder.commit()

    assert await find(database, changing) == completed
    assert await find(database, free) == replace(free, touched_at=after(1))


async def test_expired_claims_are_removed_with_their_answers(database: Database) -> None:
    expired, done, living = (
        a_claim("expired", expires_at=after(0)),
        a_claim("done", expires_at=after(-1)).completed(new_image_id()),
        a_claim("living", expires_at=after(1)),
    )
    await database.store(expired, done, living)
    for claim in (done, living):
        await database.answers.keep(claim.owner, claim.key, REQUEST, b"first")

    async with database.unit_of_work() as work:
        assert await work.claims.delete_expired(after(0), limit=10) == 2
        assert await work.claims.delete_expired(after(0), limit=10) == 0
        await work.commit()

    assert [await find(database, claim) for claim in (expired, done, living)] == [None, None, living]
    assert await database.answers.keep(ADA.id, "done", REQUEST, b"second") == b"second"
    assert await database.answers.keep(ADA.id, "living", REQUEST, b"second") == b"first"


async def test_expired_claims_are_removed_so_many_at_a_time(database: Database) -> None:
    await database.store(*(a_claim(f"expired {number}", expires_at=after(-1)) for number in range(5)))

    async with database.unit_of_work() as work:
        counts = [await work.claims.delete_expired(after(0), limit=2) for _ in range(4)]
        await work.commit()

    assert counts == [2, 2, 1, 0]


async def test_of_many_who_take_a_key_at_the_same_time_one_holds_it(database: Database) -> None:
    claims = [a_claim() for _ in range(50)]

    stored = await asyncio.gather(*(take(database, claim) for claim in claims))

    [holder] = set(stored)
    assert holder in claims
    assert await find(database, holder) == holder


async def test_of_many_who_take_over_an_abandoned_key_one_holds_it(database: Database) -> None:
    abandoned = a_claim(touched_at=after(-2))
    await take(database, abandoned, abandoned=-10)
    claims = [a_claim() for _ in range(50)]

    stored = await asyncio.gather(*(take(database, claim) for claim in claims))

    [holder] = set(stored)
    assert holder in claims
    assert await find(database, holder) == holder


async def test_who_takes_a_key_while_its_holder_completes_sees_the_result(database: Database) -> None:
    claim = a_claim(touched_at=after(-2))
    await take(database, claim, abandoned=-10)
    completed = claim.completed(new_image_id())

    async with database.unit_of_work() as work:
        await work.claims.complete(completed)
        waiting = asyncio.create_task(take(database, a_claim()))
        await asyncio.sleep(0.05)  # a claim that does not wait would have taken over by now
        await work.commit()

    assert await waiting == completed


async def test_a_key_that_is_released_by_an_uncommitted_unit_is_still_held(database: Database) -> None:
    claim = a_claim()
    await take(database, claim)

    async with database.unit_of_work() as work:
        await work.claims.release(claim)

    assert await take(database, a_claim()) == claim


async def test_the_first_answer_to_a_request_is_kept(database: Database) -> None:
    await take(database, a_claim())

    assert await database.answers.keep(ADA.id, "key-1", REQUEST, b"\x00first") == b"\x00first"
    assert await database.answers.keep(ADA.id, "key-1", REQUEST, b"second") == b"\x00first"
    assert await database.answers.keep(ADA.id, "key-1", OTHER_REQUEST, b"other") == b"other"


async def test_an_answer_without_a_claim_is_given_back_and_not_kept(database: Database) -> None:
    await take(database, a_claim(owner=BOB.id))

    assert await database.answers.keep(ADA.id, "key-1", REQUEST, b"first") == b"first"
    assert await database.answers.keep(ADA.id, "key-1", REQUEST, b"second") == b"second"


async def test_answers_go_with_a_claim_that_is_released_or_gives_way(database: Database) -> None:
    released, expired = a_claim("released"), a_claim("expired", expires_at=after(0))
    await database.store(released, expired)
    for key in ("released", "expired"):
        await database.answers.keep(ADA.id, key, REQUEST, b"first")

    await release(database, released)
    await take(database, a_claim("released"))
    await take(database, a_claim("expired"), now=0)

    for key in ("released", "expired"):
        assert await database.answers.keep(ADA.id, key, REQUEST, b"second") == b"second"


async def test_an_answer_stays_when_its_claim_is_completed_or_asked_for_again(database: Database) -> None:
    claim = a_claim()
    await take(database, claim)
    await database.answers.keep(ADA.id, claim.key, REQUEST, b"first")

    await complete(database, claim.completed(new_image_id()))
    await take(database, a_claim())

    assert await database.answers.keep(ADA.id, claim.key, REQUEST, b"second") == b"first"


async def test_of_many_answers_at_the_same_time_everybody_gets_the_same(database: Database) -> None:
    await take(database, a_claim())
    answers = [f"answer {number}".encode() for number in range(50)]

    kept = await asyncio.gather(*(database.answers.keep(ADA.id, "key-1", REQUEST, answer) for answer in answers))

    [answer] = set(kept)
    assert answer in answers


async def test_a_key_has_so_many_answers_and_no_more(database: Database) -> None:
    await take(database, a_claim())
    requests = [checksum_of(f"document {number}".encode()) for number in range(MAX_ANSWERS_OF_KEY + 1)]
    for request in requests:
        assert await database.answers.keep(ADA.id, "key-1", request, b"first") == b"first"

    again = [await database.answers.keep(ADA.id, "key-1", request, b"second") for request in requests]
    assert again == [b"first"] * MAX_ANSWERS_OF_KEY + [b"second"]
