"""Requests with a key are done once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gallery.domain.errors import ConflictError, ErrorCode, InvalidInputError, UnavailableError, UploadInterruptedError
from gallery.domain.idempotency import Claim
from gallery.domain.ids import ImageId, TagId
from gallery.domain.tags import Tag
from gallery.services.albums import NewAlbum
from gallery.services.hashing import checksum_of as checksum_of_chunks
from gallery.services.idempotency import IdempotencyService, IdempotencyTiming, KeyedRequest, fingerprint_of
from gallery.services.recording import UploadOutcome, UploadResult
from gallery.services.uploads import NewImage
from tests.entities import ADA, BOB, a_claim, a_tag, checksum_of
from tests.fakes.database import CommitFault
from tests.fakes.gallery import QUICK, MemoryGallery
from tests.fakes.incoming import MemoryIncomingFile

SEA = KeyedRequest(key="key-1", operation="createTag", fingerprint=fingerprint_of({"name": "Sea"}))
FILE = KeyedRequest(key="key-1", operation="uploadImage", fingerprint=fingerprint_of({}))
CONTENT = b"a photograph of a harbour"
DATABASE_GONE = UnavailableError("database")
IMPATIENT = replace(QUICK, wait_seconds=0)


class Requests:
    """Requests that may be sent again and again; `worked` counts how often one was done."""

    def __init__(self, gallery: MemoryGallery) -> None:
        self.gallery = gallery
        self.worked = 0
        self.read = asyncio.Event()
        """Set when a repeat has read its file."""
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def tag(self, request: KeyedRequest = SEA, name: str = "Sea") -> Tag:
        async def work(claim: Claim) -> Tag:
            self.worked += 1
            await self.go_on.wait()
            return await self.gallery.tags.create(ADA, name, claim)

        async def repeat(claim: Claim) -> Tag:
            assert claim.result_id is not None
            return self.gallery.tables.tags[TagId(claim.result_id)]

        return await self.gallery.idempotency.once(ADA, request, work, repeat)

    async def upload(self, content: bytes = CONTENT, request: KeyedRequest = FILE) -> UploadResult:
        file = MemoryIncomingFile([content[:4], content[4:]])

        async def work(claim: Claim) -> UploadResult:
            self.worked += 1
            await self.go_on.wait()
            return await self.gallery.uploads.upload(ADA, NewImage(file=file), claim)

        async def repeat(claim: Claim) -> UploadResult:
            assert claim.result_id is not None
            assert claim.outcome is not None
            image = self.gallery.tables.images[ImageId(claim.result_id)]
            return UploadResult(image=image, outcome=UploadOutcome(claim.outcome))

        async def checksum() -> str:
            found = await checksum_of_chunks(file.chunks())
            self.read.set()
            return found

        return await self.gallery.idempotency.once_with_file(ADA, request, checksum, work, repeat)


@pytest.fixture
def requests(gallery: MemoryGallery) -> Requests:
    return Requests(gallery)


def holds(gallery: MemoryGallery, claim: Claim) -> Claim:
    gallery.tables.claims[claim.owner, claim.key] = claim
    return claim


def held_by_another(gallery: MemoryGallery, request: KeyedRequest = SEA, **fields: object) -> Claim:
    """The claim of a request that another process works on."""
    claim = a_claim(key=request.key, operation=request.operation, fingerprint=request.fingerprint)
    return holds(gallery, replace(claim, **fields))  # type: ignore[arg-type]  # any of them


def has_timing(gallery: MemoryGallery, timing: IdempotencyTiming) -> None:
    gallery.idempotency = IdempotencyService(
        gallery.unit_of_work, heartbeat=gallery.heartbeat, timing=timing, clock=gallery.clock
    )


async def test_the_first_request_does_the_work_and_completes_its_claim(
    gallery: MemoryGallery, requests: Requests
) -> None:
    tag = await requests.tag()

    assert gallery.tables.tags == {tag.id: tag}
    [claim] = gallery.tables.claims.values()
    assert claim == Claim(
        owner=ADA.id,
        key="key-1",
        operation="createTag",
        fingerprint=SEA.fingerprint,
        holder=claim.holder,
        touched_at=gallery.clock(),
        expires_at=gallery.clock() + timedelta(days=1),
        result_id=tag.id,
    )


async def test_an_album_completes_a_claim_as_well(gallery: MemoryGallery) -> None:
    claim = holds(gallery, a_claim())

    album = await gallery.albums.create(ADA, NewAlbum(title="Summer"), claim)

    assert gallery.tables.claims == {(ADA.id, claim.key): claim.completed(album.id)}


async def test_a_repeat_does_nothing_and_gets_the_same(gallery: MemoryGallery, requests: Requests) -> None:
    first = await requests.tag()
    before = gallery.state()

    assert await requests.tag() == first

    assert gallery.state() == before
    assert requests.worked == 1


async def test_fifty_at_once_do_the_work_once(gallery: MemoryGallery, requests: Requests) -> None:
    tags = await asyncio.gather(*(requests.tag() for _ in range(50)))

    assert len({tag.id for tag in tags}) == 1
    assert list(gallery.tables.tags) == [tags[0].id]
    assert requests.worked == 1


async def test_a_repeat_waits_for_the_work_with_no_transaction_open(gallery: MemoryGallery, requests: Requests) -> None:
    requests.go_on.clear()
    first = asyncio.create_task(requests.tag())
    await gallery.everybody_waits()
    second = asyncio.create_task(requests.tag())
    await gallery.everybody_waits()
    assert not second.done()
    requests.go_on.set()

    assert await first == await second
    assert requests.worked == 1


async def test_a_repeat_does_not_wait_for_ever(gallery: MemoryGallery, requests: Requests) -> None:
    held_by_another(gallery)
    has_timing(gallery, IMPATIENT)

    with gallery.refuses(ConflictError) as refusal:
        await requests.tag()

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.IDEMPOTENCY_KEY_IN_USE, ("idempotencyKey",))
    assert requests.worked == 0


@pytest.mark.parametrize(
    "other", [replace(SEA, fingerprint=fingerprint_of({"name": "Sand"})), replace(SEA, operation="createAlbum")]
)
async def test_a_key_is_for_one_request_alone(gallery: MemoryGallery, requests: Requests, other: KeyedRequest) -> None:
    await requests.tag()

    with gallery.refuses(ConflictError) as refusal:
        await requests.tag(other)

    assert refusal.value.code is ErrorCode.IDEMPOTENCY_KEY_REUSED
    assert requests.worked == 1


async def test_everybody_has_keys_of_their_own(gallery: MemoryGallery, requests: Requests) -> None:
    bobs = held_by_another(gallery, owner=BOB.id)

    tag = await requests.tag()

    assert gallery.tables.tags == {tag.id: tag}
    assert gallery.tables.claims[BOB.id, bobs.key] == bobs


async def test_the_items_of_a_request_have_keys_of_their_own(gallery: MemoryGallery, requests: Requests) -> None:
    await requests.tag(SEA.item(0), "Sea")
    await requests.tag(SEA.item(1), "Sand")

    assert set(gallery.tables.claims) == {(ADA.id, "key-1:0"), (ADA.id, "key-1:1")}


async def test_the_longest_key_is_good_for_several_items(gallery: MemoryGallery, requests: Requests) -> None:
    longest = "k" * 255

    await requests.tag(replace(SEA, key=longest).item(12), "Sea")

    assert set(gallery.tables.claims) == {(ADA.id, f"{longest}:12")}


async def test_a_malformed_key_is_refused_before_anything_is_done(gallery: MemoryGallery, requests: Requests) -> None:
    with gallery.refuses(InvalidInputError) as refusal:
        await requests.tag(replace(SEA, key="with spaces"))

    assert refusal.value.code is ErrorCode.INVALID_IDEMPOTENCY_KEY
    assert gallery.database.units_opened == 0


async def test_work_that_is_refused_gives_the_key_free_for_any_request(
    gallery: MemoryGallery, requests: Requests
) -> None:
    gallery.holds(a_tag("Sea"))

    with gallery.refuses(ConflictError) as refusal:
        await requests.tag()
    assert refusal.value.code is ErrorCode.TAG_EXISTS
    other = await requests.tag(replace(SEA, fingerprint=fingerprint_of({"name": "Sand"})), "Sand")

    assert other.name == "Sand"


async def test_work_that_is_cancelled_gives_the_key_free(gallery: MemoryGallery, requests: Requests) -> None:
    requests.go_on.clear()
    first = asyncio.create_task(requests.tag())
    await gallery.everybody_waits()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await gallery.idempotency.settle()

    assert gallery.tables == MemoryGallery().tables


async def test_work_whose_commit_was_not_answered_keeps_its_result(gallery: MemoryGallery, requests: Requests) -> None:
    gallery.database.commit_faults.extend([None, CommitFault(error=DATABASE_GONE, kept=True)])

    with pytest.raises(UnavailableError):
        await requests.tag()
    tag = await requests.tag()

    assert gallery.tables.tags == {tag.id: tag}
    assert requests.worked == 1


async def test_a_key_that_cannot_be_given_free_is_free_when_its_lease_ends(
    gallery: MemoryGallery, requests: Requests, caplog: pytest.LogCaptureFixture
) -> None:
    gallery.database.commit_faults.extend([None, CommitFault(error=DATABASE_GONE), CommitFault(error=DATABASE_GONE)])
    with pytest.raises(UnavailableError):
        await requests.tag()
    assert caplog.messages == ["an idempotency key stays in use until its lease ends, although its request failed"]
    has_timing(gallery, IMPATIENT)
    with pytest.raises(ConflictError):
        await requests.tag()
    gallery.clock.advance(minutes=1)

    tag = await requests.tag()

    assert gallery.tables.tags == {tag.id: tag}
    assert requests.worked == 2


async def test_work_that_was_cut_off_is_taken_over_by_one(gallery: MemoryGallery, requests: Requests) -> None:
    held_by_another(gallery)
    gallery.clock.advance(minutes=1)

    tags = await asyncio.gather(*(requests.tag() for _ in range(10)))

    assert len({tag.id for tag in tags}) == 1
    assert requests.worked == 1


async def test_a_key_is_forgotten_in_the_end(gallery: MemoryGallery, requests: Requests) -> None:
    await requests.tag()
    gallery.clock.advance(minutes=24 * 60)

    other = await requests.tag(replace(SEA, fingerprint=fingerprint_of({"name": "Sand"})), "Sand")

    assert other.name == "Sand"


async def test_a_repeated_file_is_compared_and_stored_nowhere(gallery: MemoryGallery, requests: Requests) -> None:
    first = await requests.upload()
    before = gallery.state()

    assert await requests.upload() == first

    assert gallery.state() == before
    assert gallery.storage.puts == requests.worked == 1


async def test_another_file_with_the_same_key_is_refused(gallery: MemoryGallery, requests: Requests) -> None:
    await requests.upload()

    with gallery.refuses(ConflictError) as refusal:
        await requests.upload(b"a photograph of a lighthouse")

    assert refusal.value.code is ErrorCode.IDEMPOTENCY_KEY_REUSED
    assert gallery.storage.puts == requests.worked == 1


async def test_a_file_that_comes_again_while_it_is_stored_gets_the_same_image(
    gallery: MemoryGallery, requests: Requests
) -> None:
    requests.go_on.clear()
    first = asyncio.create_task(requests.upload())
    await gallery.everybody_waits()
    second = asyncio.create_task(requests.upload())
    await requests.read.wait()
    await gallery.everybody_waits()
    assert not second.done()
    requests.go_on.set()

    assert await first == await second
    assert gallery.storage.puts == requests.worked == 1


async def test_a_file_that_was_read_to_compare_it_must_be_sent_again_if_the_first_request_fails(
    gallery: MemoryGallery, requests: Requests
) -> None:
    claim = held_by_another(gallery, FILE)
    repeat = asyncio.create_task(requests.upload())
    await requests.read.wait()
    async with gallery.unit_of_work() as work:
        await work.claims.release(claim)
        await work.commit()

    with gallery.refuses(UploadInterruptedError) as refusal:
        await repeat

    assert refusal.value.message == ("The request that sent this file first did not end well. Send the file again.")
    assert requests.worked == 0


async def test_so_it_is_if_the_first_request_was_cut_off(gallery: MemoryGallery, requests: Requests) -> None:
    held_by_another(gallery, FILE)
    repeat = asyncio.create_task(requests.upload())
    await requests.read.wait()
    gallery.clock.advance(minutes=1)

    with gallery.refuses(UploadInterruptedError):
        await repeat

    assert requests.worked == 0


async def test_a_repeat_with_a_file_does_not_wait_for_ever(gallery: MemoryGallery, requests: Requests) -> None:
    held_by_another(gallery, FILE)
    has_timing(gallery, IMPATIENT)

    with gallery.refuses(ConflictError) as refusal:
        await requests.upload()

    assert refusal.value.code is ErrorCode.IDEMPOTENCY_KEY_IN_USE


async def test_a_patient_repeat_with_a_file_does_the_work_itself_if_the_key_becomes_free(
    gallery: MemoryGallery, requests: Requests
) -> None:
    has_timing(gallery, replace(QUICK, patience_seconds=60))
    claim = held_by_another(gallery, FILE)
    repeat = asyncio.create_task(requests.upload())
    await gallery.everybody_waits()
    async with gallery.unit_of_work() as work:
        await work.claims.release(claim)
        await work.commit()

    result = await repeat

    assert gallery.tables.images == {result.image.id: result.image}
    assert requests.worked == 1


def test_a_fingerprint_does_not_depend_on_the_order_of_fields() -> None:
    assert fingerprint_of({"a": 1, "b": ["x", None]}) == fingerprint_of({"b": ["x", None], "a": 1})
    assert fingerprint_of({"a": 1}) != fingerprint_of({"a": "1"})
    assert fingerprint_of({"name": "\ud800"}) != fingerprint_of({"name": "\ud801"})  # what no encoding can store


async def test_the_checksum_of_chunks_is_that_of_all_of_them() -> None:
    file = MemoryIncomingFile([CONTENT[:4], CONTENT[4:]])

    assert await checksum_of_chunks(file.chunks()) == checksum_of(CONTENT)
