"""The page of a share link: what it shows, the form for a password, and what a browser may do with it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gallery.domain.share_links import new_share_token
from tests.entities import NOON, an_image
from tests.sharing import HIDDEN_NAME, Sharing, sharing


@pytest.fixture
async def shared() -> AsyncIterator[Sharing]:
    async with sharing() as found:
        yield found


async def test_people_see_the_album_and_its_images(shared: Sharing) -> None:
    _, token = shared.link()

    page = await shared.client.get(f"/shared/{token}")
    small, large = re.findall(rf'"(/shared/{token}/pic_\w+/(?:small|large)\.webp)"', page.text)[1::-1]

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<h1>Summer</h1>" in page.text
    assert "Beach" in page.text
    assert "Download" not in page.text
    assert HIDDEN_NAME.removesuffix(".jpg") not in page.text
    assert shared.image.id.hex not in page.text
    for url in (small, large):
        assert (await shared.client.get(url)).status_code == 200


async def test_a_browser_may_do_little_with_the_page(shared: Sharing) -> None:
    _, token = shared.link()

    headers = (await shared.client.get(f"/shared/{token}")).headers

    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; img-src 'self'; style-src 'sha256-")
    assert policy.endswith("form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert headers["x-robots-tag"] == "noindex, nofollow"


async def test_what_people_wrote_is_text(shared: Sharing) -> None:
    shared.gallery.holds(
        replace(shared.album, title="<script>x</script>", description="{title} & <b>"),
        replace(shared.other, title='"><img src=x onerror=y>'),
    )
    _, token = shared.link()

    page = (await shared.client.get(f"/shared/{token}")).text

    assert "<h1>&lt;script&gt;x&lt;/script&gt;</h1>" in page
    assert "{title} &amp; &lt;b&gt;" in page
    assert "onerror=y>" not in page


@pytest.mark.parametrize(
    ("shows_metadata", "file"), [(False, "large.webp"), (True, "original.jpg")], ids=["stripped", "as it was"]
)
async def test_there_is_a_file_to_download_if_the_link_allows_that(
    shared: Sharing, shows_metadata: bool, file: str
) -> None:
    _, token = shared.link(album_id=None, image_id=shared.image.id, allows_download=True, shows_metadata=shows_metadata)

    page = (await shared.client.get(f"/shared/{token}")).text

    assert re.search(rf'<a href="/shared/{token}/pic_\w+/{file}" download>Download</a>', page)


async def test_a_large_album_goes_on_on_further_pages(shared: Sharing) -> None:
    for number in range(60):
        shared.gallery.holds(image := an_image(title=f"Picture {number}"))
        shared.gallery.put_in_album(shared.album, image)
    link, token = shared.link()

    first = (await shared.client.get(f"/shared/{token}")).text
    (more,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = (await shared.client.get(more)).text
    await shared.gallery.shared.settle()

    assert (first.count("<figure>"), second.count("<figure>")) == (60, 2)
    assert "Picture 59" in second
    assert "More" not in second
    assert shared.gallery.tables.share_links[link.id].open_count == 1


async def test_a_place_that_is_none_is_told(shared: Sharing) -> None:
    _, token = shared.link()

    page = await shared.client.get(f"/shared/{token}?after=x")

    assert page.status_code == 400
    assert "is not a cursor" in page.text


# Passwords


async def test_a_password_is_asked_for_and_leads_to_the_page(shared: Sharing) -> None:
    link, token = shared.link(password_hash="1:correct horse")
    address = f"/shared/{token}"

    form = await shared.client.get(address)
    wrong = await shared.client.post(address, data={"password": "battery staple"})
    right = await shared.client.post(address, data={"password": "correct horse"})
    page = await shared.client.get(right.headers["location"])
    (small,) = re.findall(r'<img src="([^"]+)"', page.text)
    picture = await shared.client.get(small)

    assert (form.status_code, wrong.status_code, right.status_code) == (200, 403, 303)
    for answer in (form, wrong):
        assert '<input type="password" name="password"' in answer.text
        assert "Summer" not in answer.text
    assert right.headers["location"] == f"{address}?proof={link.proof(NOON)}"
    assert (page.status_code, picture.status_code) == (200, 200)
    assert "Summer" in page.text
    assert "correct" not in page.text


async def test_a_proof_that_is_too_old_leads_to_the_form(shared: Sharing) -> None:
    link, token = shared.link(password_hash="1:correct horse")
    shared.gallery.clock.advance(minutes=180)

    page = await shared.client.get(f"/shared/{token}?proof={link.proof(NOON)}")

    assert page.status_code == 200
    assert '<input type="password"' in page.text
    assert "Summer" not in page.text


async def test_after_too_many_wrong_passwords_people_wait(shared: Sharing) -> None:
    _, token = shared.link(password_hash="1:correct horse")
    for number in range(10):
        await shared.client.post(f"/shared/{token}", data={"password": f"wrong {number}"})

    page = await shared.client.post(f"/shared/{token}", data={"password": "correct horse"})

    assert (page.status_code, page.headers["retry-after"]) == (429, "900")
    assert "Summer" not in page.text


@pytest.mark.parametrize(
    "body",
    [b"", b"password=", b"other=1", b"\xff\xfe=\xff", b"&" * 20],
    ids=["nothing", "empty", "other", "no text", "many"],
)
async def test_a_form_without_a_password_opens_nothing(shared: Sharing, body: bytes) -> None:
    _, token = shared.link(password_hash="1:correct horse")

    page = await shared.client.post(f"/shared/{token}", content=body)

    assert page.status_code == 403
    assert len(shared.gallery.hasher.looked) == 0


async def test_a_form_is_short(shared: Sharing) -> None:
    _, token = shared.link(password_hash="1:correct horse")

    page = await shared.client.post(f"/shared/{token}", content=b"password=" + b"x" * 20_000)

    assert page.status_code == 413


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_of_no_use_shows_nothing(shared: Sharing, method: str) -> None:
    _, revoked = shared.link(revoked_at=NOON, password_hash="1:correct horse")

    pages = [
        await shared.client.request(method, f"/shared/{token}") for token in (revoked, new_share_token(), "summer")
    ]

    assert {page.status_code for page in pages} == {404}
    assert len({page.text for page in pages}) == 1
    assert "Summer" not in pages[0].text


async def test_without_the_database_the_page_is_there_later(shared: Sharing) -> None:
    _, token = shared.link()
    shared.gallery.database.unavailable = True

    assert (await shared.client.get(f"/shared/{token}")).status_code == 503
