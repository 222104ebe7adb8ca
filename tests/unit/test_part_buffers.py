"""Parts share memory one after the other, and never two at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gallery.platform.storage.parts import Part, PartBody, PartBuffers, filled_parts


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def sent(part: Part, attempts: int = 1) -> bytes:
    """What the storage got the last time that the part was sent."""
    got = b""
    for _ in range(attempts):
        got = b"".join([bytes(piece) async for piece in PartBody(part, lambda: None)])
    part.sent()
    return got


def filled(buffers: PartBuffers, data: bytes) -> Part:
    part = buffers.empty_part()
    assert part.fill(memoryview(data)).nbytes == 0
    return part


async def test_a_stream_is_cut_at_the_size_of_the_buffers_wherever_its_chunks_end() -> None:
    buffers = PartBuffers(4)
    with buffers.in_use():
        stream = filled_parts(chunks(b"12", b"345678", b"", b"9"), buffers)
        assert [await sent(part) async for part in stream] == [b"1234", b"5678", b"9"]


async def test_a_stream_that_ends_with_a_full_part_has_no_empty_one_after_it() -> None:
    assert [part.size_bytes async for part in filled_parts(chunks(b"1234", b"5678"), PartBuffers(4))] == [4, 4]


async def test_an_empty_stream_is_one_empty_part() -> None:
    assert [part.size_bytes async for part in filled_parts(chunks(), PartBuffers(4))] == [0]


async def test_memory_of_a_part_that_was_sent_is_used_again_and_shows_nothing_of_it() -> None:
    buffers = PartBuffers(8)
    with buffers.in_use():
        first = filled(buffers, b"12345678")
        memory = first.view
        await sent(first)
        second = filled(buffers, b"abc")
        assert bytes(memory[:3]) == b"abc"
        assert await sent(second) == b"abc"


async def test_parts_that_are_not_sent_yet_keep_their_bytes() -> None:
    buffers = PartBuffers(4)
    with buffers.in_use():
        waiting = [filled(buffers, bytes([number]) * 4) for number in range(5)]
        await sent(waiting.pop(0))
        waiting.append(filled(buffers, b"more"))
        assert [bytes(part.view) for part in waiting] == [b"\1" * 4, b"\2" * 4, b"\3" * 4, b"\4" * 4, b"more"]


async def test_memory_that_an_earlier_attempt_may_still_be_reading_is_not_used_again() -> None:
    buffers = PartBuffers(4)
    with buffers.in_use():
        repeated = filled(buffers, b"1234")
        first_attempt = repeated.view
        assert await sent(repeated, attempts=2) == b"1234"
        filled(buffers, b"abcd")
        assert bytes(first_attempt) == b"1234"


@pytest.mark.parametrize("spare", [1, 2])
async def test_no_more_memory_waits_than_the_uploads_under_way_may_have_spare(spare: int) -> None:
    buffers = PartBuffers(4, spare=spare)
    with buffers.in_use(), buffers.in_use():
        with buffers.in_use():
            parts = [filled(buffers, bytes([number]) * 4) for number in range(7)]
            memory = [part.view for part in parts]
            for part in parts:
                await sent(part)
        again = [filled(buffers, b"more") for _ in range(7)]
        assert [bytes(view) for view in memory].count(b"more") == 2 * spare
        assert len(again) == 7


async def test_memory_of_an_upload_that_ended_is_not_kept() -> None:
    buffers = PartBuffers(4)
    with buffers.in_use():
        first = filled(buffers, b"1234")
        memory = first.view
        await sent(first)
    with buffers.in_use():
        filled(buffers, b"abcd")
    assert bytes(memory) == b"1234"
