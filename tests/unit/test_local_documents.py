"""How many documents a process remembers."""

from __future__ import annotations

from gallery.platform.documents import LocalDocumentStore


async def test_the_least_recently_used_documents_are_forgotten() -> None:
    store = LocalDocumentStore(max_characters=6)
    await store.keep("a", "xx")
    await store.keep("b", "yy")
    await store.find("a")
    await store.keep("c", "zzz")

    assert [await store.find(sha256) for sha256 in "abc"] == ["xx", None, "zzz"]


async def test_a_document_that_comes_again_takes_no_more_room() -> None:
    store = LocalDocumentStore(max_characters=4)
    await store.keep("a", "xx")
    for _ in range(3):
        await store.keep("b", "yy")

    assert await store.find("a") == "xx"
