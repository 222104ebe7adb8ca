"""How many parts are in flight, as the metrics tell it."""

from __future__ import annotations

import asyncio

from gallery.platform.storage.multipart import PartSlots


async def test_places_that_are_taken_are_counted() -> None:
    slots = PartSlots(2)
    assert slots.taken == 0

    await slots.acquire()
    await slots.acquire()
    waiting = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    assert slots.taken == 2

    slots.release()
    await waiting
    assert slots.taken == 2
    slots.release()
    slots.release()
    assert slots.taken == 0


async def test_who_gives_up_waiting_takes_no_place() -> None:
    slots = PartSlots(1)
    await slots.acquire()
    waiting = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])

    slots.release()

    assert slots.taken == 0
