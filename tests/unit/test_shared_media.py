"""Files under a share link: which there are, for whom, and under which headers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gallery.domain.share_links import ShareLink, new_share_token
from gallery.web.graphql.ids import image_global_id
from gallery.web.shared_ids import SharedIds
from tests.entities import NOON
from tests.sharing import HIDDEN_NAME, Sharing, sharing


@pytest.fixture
async def shared() -> AsyncIterator[Sharing]:
    async with sharing() as found:
        yield found


def path(shared: Sharing, link: ShareLink, token: str, file: str = "small.webp", proof: str | None = None) -> str:
    query = "" if proof is None else f"?proof={proof}"
    return f"/shared/{token}/{SharedIds(link).of_image(shared.image.id)}/{file}{query}"


@pytest.mark.parametrize("size", ["small", "medium", "large"])
async def test_thumbnails_are_always_there(shared: Sharing, size: str) -> None:
    link, token = shared.link()

    answer = await shared.client.get(path(shared, link, token, f"{size}.webp"))

    assert (answer.status_code, answer.text) == (200, f"{size} of {shared.image.id}")
    name = f"{SharedIds(link).of_image(shared.image.id)}-{size}.webp"
    assert dict(answer.headers) | {"etag": "", "x-request-id": ""} == {
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "content-disposition": f'inline; filename="{name}"',
        "content-length": str(len(answer.content)),
        "content-security-policy": "default-src 'none'; sandbox",
        "content-type": "image/webp",
        "cross-origin-resource-policy": "cross-origin",
        "etag": "",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "x-request-id": "",
    }


@pytest.mark.parametrize(
    ("allows_download", "shows_metadata", "status"),
    [(False, False, 404), (True, False, 404), (False, True, 404), (True, True, 200)],
    ids=["neither", "download", "metadata", "both"],
)
async def test_the_original_is_there_only_for_downloads_with_metadata(
    shared: Sharing, allows_download: bool, shows_metadata: bool, status: int
) -> None:
    link, token = shared.link(allows_download=allows_download, shows_metadata=shows_metadata)

    answer = await shared.client.get(path(shared, link, token, "original.jpg"))

    assert answer.status_code == status
    assert ("GPS" in answer.text) is (status == 200)
    assert HIDDEN_NAME.removesuffix(".jpg") not in str(answer.headers)


async def test_a_part_of_a_file_is_sent_if_asked_for(shared: Sharing) -> None:
    link, token = shared.link()

    answer = await shared.client.get(path(shared, link, token), headers={"Range": "bytes=0-4"})

    assert (answer.status_code, answer.text) == (206, "small")
    assert answer.headers["content-range"].startswith("bytes 0-4/")


async def test_a_file_that_a_browser_has_is_not_sent_again_while_the_link_is_of_use(shared: Sharing) -> None:
    link, token = shared.link()
    etag = (await shared.client.get(path(shared, link, token))).headers["etag"]

    again = await shared.client.get(path(shared, link, token), headers={"If-None-Match": etag})
    shared.gallery.tables.share_links[link.id] = link.revoked(NOON)
    revoked = await shared.client.get(path(shared, link, token), headers={"If-None-Match": etag})

    assert (again.status_code, revoked.status_code) == (304, 404)


async def test_head_tells_of_a_file(shared: Sharing) -> None:
    link, token = shared.link()

    answer = await shared.client.head(path(shared, link, token))

    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_proof_is_needed_for_files_of_a_link_with_a_password(shared: Sharing) -> None:
    link, token = shared.link(password_hash="1:correct horse")
    content = await shared.shown(token, password="correct horse")
    small = content["images"]["nodes"][0]["thumbnails"]["small"]["url"]

    assert (await shared.client.get(small)).status_code == 200
    other, _ = shared.link(password_hash="1:correct horse")
    for proof in (None, "", "x", other.proof(NOON)):
        assert (await shared.client.get(path(shared, link, token, proof=proof))).status_code == 404
    shared.gallery.clock.advance(minutes=121)
    assert (await shared.client.get(small)).status_code == 404


@pytest.mark.parametrize("why", ["token", "other token", "id of the gallery", "no id", "outside", "file", "revoked"])
async def test_whatever_is_wrong_looks_the_same(shared: Sharing, why: str) -> None:
    link, token = shared.link()
    ids = SharedIds(link)
    inside = ids.of_image(shared.image.id)
    wrong = {
        "token": f"/shared/summer/{inside}/small.webp",
        "other token": f"/shared/{new_share_token()}/{inside}/small.webp",
        "id of the gallery": f"/shared/{token}/{image_global_id(shared.image.id)}/small.webp",
        "no id": f"/shared/{token}/pic_0/small.webp",
        "outside": f"/shared/{token}/{ids.of_image(shared.outside.id)}/small.webp",
        "file": f"/shared/{token}/{inside}/tiny.webp",
        "revoked": f"/shared/{token}/{inside}/small.webp",
    }[why]
    if why == "revoked":
        shared.gallery.tables.share_links[link.id] = link.revoked(NOON)

    answer = await shared.client.get(wrong)

    assert answer.status_code == 404
    (error,) = answer.json()["errors"]
    assert error["message"] == "There is no such file. The link may have expired, or been taken back."
    assert answer.headers["cache-control"] == "no-store"


async def test_a_file_whose_object_is_lost_is_not_there(shared: Sharing) -> None:
    link, token = shared.link()
    shared.gallery.storage.objects.clear()

    assert (await shared.client.get(path(shared, link, token))).status_code == 404


async def test_without_the_database_a_file_is_there_later(shared: Sharing) -> None:
    link, token = shared.link()
    shared.gallery.database.unavailable = True

    answer = await shared.client.get(path(shared, link, token))

    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "SERVICE_UNAVAILABLE")


async def test_a_link_opens_nothing_of_the_media_address(shared: Sharing) -> None:
    link, token = shared.link()
    hidden = SharedIds(link).hidden(shared.image.id)

    for id_ in (shared.image.id, hidden):
        for query in ("", f"?token={token}", f"?proof={link.proof(NOON)}"):
            assert (await shared.client.get(f"/media/img_{id_.hex}/small.webp{query}")).status_code == 401


async def test_files_are_only_read(shared: Sharing) -> None:
    link, token = shared.link()

    assert (await shared.client.post(path(shared, link, token))).status_code == 405
