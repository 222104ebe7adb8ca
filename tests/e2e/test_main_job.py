"""What people use the gallery for, from upload to deletion, with real photographs if there are any."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pyvips

from tests.e2e.api import IMAGE, Api
from tests.e2e.gallery_server import serving
from tests.e2e.places import Place, fresh_place
from tests.e2e.waiting import eventually
from tests.photographs import avif, gif, jpeg, png, real_photographs, webp
from tests.services import Services

TAG = "Été 2026"
BY_TITLE = """
query ($first: Int, $after: String, $last: Int, $before: String, $sort: ImageSort) {
  images(first: $first, after: $after, last: $last, before: $before, sort: $sort) {
    totalCount
    nodes { id title fileSize uploadedAt }
    edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Gallery:
    """A gallery that holds the photographs: their bytes and the images that they became, both in order of upload."""

    api: Api
    place: Place
    photographs: dict[str, bytes]
    images: list[dict[str, Any]]


def photographs() -> dict[str, bytes]:
    """Names and contents of a dozen files; made-up ones where no real ones are at hand."""
    if real := real_photographs():
        return {path.name: path.read_bytes() for path in real}
    made_up = {f"quarters {width}.jpg": jpeg(width, 900) for width in range(1200, 1208)}
    return made_up | {"one.png": png(800, 600), "two.webp": webp(), "three.gif": gif(), "four.avif": avif()}


@pytest.fixture(scope="module")
async def gallery(
    services: Services, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gallery]:
    log = tmp_path_factory.mktemp("main-job") / "log"
    sent = photographs()
    async with (
        fresh_place(services, migrated_template, cache_database=2) as place,
        serving(log, settings=place.settings) as (_, api),
    ):
        results = await api.upload_all(list(sent.items()), tags=["everything"])
        assert [result["errors"] for result in results] == [[]] * len(sent)
        assert {result["outcome"] for result in results} == {"CREATED"}
        images = [await api.until_processed(result["image"]["id"]) for result in results]
        yield Gallery(api, place, sent, images)


def ids(images: list[dict[str, Any]]) -> list[str]:
    return [image["id"] for image in images]


def pixels(content: bytes) -> tuple[int, int]:
    image = pyvips.Image.new_from_buffer(content, "")
    return image.width, image.height


async def listed(gallery: Gallery, **arguments: object) -> dict[str, Any]:
    connection = (await gallery.api.ask(BY_TITLE, **arguments))["images"]
    assert isinstance(connection, dict)
    return connection


# Uploads


async def test_every_photograph_is_stored_as_it_was_sent(gallery: Gallery) -> None:
    for image, (name, content) in zip(gallery.images, gallery.photographs.items(), strict=True):
        upright = pyvips.Image.new_from_buffer(content, "").autorot()
        assert image["originalFilename"] == name
        assert image["title"] == name.rpartition(".")[0]
        assert image["fileSize"] == len(content)
        assert image["checksum"] == hashlib.sha256(content).hexdigest()
        assert (image["width"], image["height"]) == (upright.width, upright.height)
        served = await gallery.api.http.get(image["url"])
        assert (served.status_code, served.headers["content-type"]) == (200, image["contentType"])
        assert served.content == content


async def test_the_same_bytes_again_are_the_same_image(gallery: Gallery) -> None:
    name, content = next(iter(gallery.photographs.items()))

    again = await gallery.api.upload(f"copy of {name}", content)

    assert (again["outcome"], again["errors"]) == ("EXISTING", [])
    assert again["image"]["id"] == gallery.images[0]["id"]
    assert await gallery.place.count("images") == [len(gallery.images)]


async def test_one_object_for_each_original_and_each_thumbnail(gallery: Gallery) -> None:
    keys = await gallery.place.objects.keys()

    assert len(keys) == 4 * len(gallery.images)
    for size in ("small", "medium", "large"):
        assert sum(key.startswith(f"thumbnails/{size}/") for key in keys) == len(gallery.images)
    assert await gallery.place.objects.open_uploads() == []


# Thumbnails


async def test_thumbnails_have_the_pixels_that_they_claim_and_no_metadata(gallery: Gallery) -> None:
    for image in gallery.images:
        assert (image["processing"], image["processingError"]) == ("READY", None)
        for edge_px, size in ((320, "small"), (960, "medium"), (2048, "large")):
            claimed = image["thumbnails"][size]
            served = await gallery.api.http.get(claimed["url"])
            assert (served.status_code, served.headers["content-type"]) == (200, "image/webp")
            assert len(served.content) == claimed["fileSize"]
            assert pixels(served.content) == (claimed["width"], claimed["height"])
            longest = max(claimed["width"], claimed["height"])
            assert longest == min(edge_px, max(image["width"], image["height"]))
            fields = pyvips.Image.new_from_buffer(served.content, "").get_fields()
            assert [field for field in fields if field.startswith(("exif-", "xmp-", "iptc-"))] == []


# Lists


async def test_list_shows_everything_newest_first(gallery: Gallery) -> None:
    document = f"{{ images(first: 100) {{ totalCount nodes {{ {IMAGE} }} }} }}"
    connection = (await gallery.api.ask(document))["images"]

    newest_first = sorted(gallery.images, key=lambda image: (image["uploadedAt"], image["id"]), reverse=True)
    assert connection["totalCount"] == len(gallery.images)
    assert ids(connection["nodes"]) == ids(newest_first)
    assert [node["thumbnails"] for node in connection["nodes"]] == [image["thumbnails"] for image in newest_first]
    assert [node["tags"] for node in connection["nodes"]] == [[{"name": "everything"}]] * len(gallery.images)


@pytest.mark.parametrize(
    ("field", "key"), [("TITLE", "title"), ("FILE_SIZE", "fileSize"), ("UPLOADED_AT", "uploadedAt")]
)
async def test_lists_are_in_the_order_that_was_asked_for(gallery: Gallery, field: str, key: str) -> None:
    def value(node: dict[str, Any]) -> tuple[Any, str]:
        return (node[key].casefold() if field == "TITLE" else node[key], node["id"])

    ascending = (await listed(gallery, first=100, sort={"field": field, "direction": "ASC"}))["nodes"]
    descending = (await listed(gallery, first=100, sort={"field": field, "direction": "DESC"}))["nodes"]

    assert ascending == sorted(ascending, key=value)
    assert descending == ascending[::-1]
    assert len(ascending) == len(gallery.images)


async def test_paging_through_forwards_shows_each_image_once(gallery: Gallery) -> None:
    sort = {"field": "TITLE", "direction": "ASC"}
    whole = ids((await listed(gallery, first=100, sort=sort))["nodes"])
    seen: list[str] = []
    after: str | None = None
    while True:
        page = await listed(gallery, first=5, after=after, sort=sort)
        seen += ids(page["nodes"])
        assert page["totalCount"] == len(whole)
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        assert page["pageInfo"]["hasNextPage"] is (len(seen) < len(whole))
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == whole


async def test_paging_through_backwards_shows_each_image_once(gallery: Gallery) -> None:
    sort = {"field": "FILE_SIZE", "direction": "DESC"}
    whole = ids((await listed(gallery, first=100, sort=sort))["nodes"])
    seen: list[str] = []
    before: str | None = None
    while True:
        page = await listed(gallery, last=5, before=before, sort=sort)
        seen = ids(page["nodes"]) + seen
        if not page["pageInfo"]["hasPreviousPage"]:
            break
        before = page["pageInfo"]["startCursor"]
    assert seen == whole


async def test_node_and_nodes_find_whatever_has_the_id(gallery: Gallery) -> None:
    image = gallery.images[0]
    tags = (await gallery.api.ask('{ tags(first: 1, text: "everything") { nodes { id } } }'))["tags"]["nodes"]
    document = """
    query ($image: ID!, $ids: [ID!]!) {
      node(id: $image) { __typename id ... on Image { title } }
      nodes(ids: $ids) { __typename id }
    }
    """

    found = await gallery.api.ask(document, image=image["id"], ids=[tags[0]["id"], image["id"]])

    assert found == {
        "node": {"__typename": "Image", "id": image["id"], "title": image["title"]},
        "nodes": [{"__typename": "Tag", "id": tags[0]["id"]}, {"__typename": "Image", "id": image["id"]}],
    }


async def test_stats_add_up(gallery: Gallery) -> None:
    stats = await gallery.api.stats()

    assert stats["imageCount"] == len(gallery.images)
    assert stats["totalSize"] == sum(map(len, gallery.photographs.values()))
    shares = stats["contentTypes"]
    assert sum(share["imageCount"] for share in shares) == stats["imageCount"]
    assert sum(share["totalSize"] for share in shares) == stats["totalSize"]


# Media


async def test_media_is_not_sent_again_to_whoever_has_it(gallery: Gallery) -> None:
    image = gallery.images[0]
    etag = f'"{image["checksum"]}"'

    whole = await gallery.api.http.get(image["url"])
    unchanged = await gallery.api.http.get(image["url"], headers={"If-None-Match": etag})
    other = await gallery.api.http.get(image["url"], headers={"If-None-Match": '"other"'})

    assert whole.headers["etag"] == etag
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    assert (other.status_code, other.content) == (200, whole.content)


async def test_media_is_sent_in_parts_to_whoever_asks_for_them(gallery: Gallery) -> None:
    image, content = gallery.images[0], next(iter(gallery.photographs.values()))
    size = len(content)

    middle = await gallery.api.http.get(image["url"], headers={"Range": "bytes=100-299"})
    tail = await gallery.api.http.get(image["url"], headers={"Range": "bytes=-50"})
    beyond = await gallery.api.http.get(image["url"], headers={"Range": f"bytes={size}-"})
    head = await gallery.api.http.head(image["url"])

    assert (middle.status_code, middle.content) == (206, content[100:300])
    assert middle.headers["content-range"] == f"bytes 100-299/{size}"
    assert (tail.status_code, tail.content) == (206, content[-50:])
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert beyond.json()["errors"][0]["extensions"]["code"] == "RANGE_NOT_SATISFIABLE"
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(size))


# Tags and albums


async def test_tag_finds_its_images_whatever_its_case(gallery: Gallery) -> None:
    tagged = gallery.images[:3]

    payload = await gallery.api.change(
        "tagImages", "TagImagesInput", "results { id errors { code } }", imageIds=ids(tagged), tags=[TAG]
    )
    found = await gallery.api.ask(
        """
        query ($tags: [String!]) {
          images(filter: { tags: $tags }) { totalCount nodes { id tags { name } } }
          tags(text: "2026") { nodes { name imageCount images(first: 2) { totalCount nodes { id } } } }
        }
        """,
        tags=[TAG.upper()],
    )

    assert payload == {"results": [{"id": id_, "errors": []} for id_ in ids(tagged)], "errors": []}
    newest_first = sorted(tagged, key=lambda image: (image["uploadedAt"], image["id"]), reverse=True)
    assert found["images"] == {
        "totalCount": 3,
        "nodes": [{"id": id_, "tags": [{"name": "everything"}, {"name": TAG}]} for id_ in ids(newest_first)],
    }
    assert found["tags"]["nodes"] == [
        {
            "name": TAG,
            "imageCount": 3,
            "images": {"totalCount": 3, "nodes": [{"id": id_} for id_ in ids(newest_first)[:2]]},
        }
    ]


async def test_changed_details_are_seen_at_once_and_count_as_a_version(gallery: Gallery) -> None:
    image = gallery.images[1]
    api = gallery.api

    payload = await api.change(
        "updateImage",
        "UpdateImageInput",
        "image { title version }",
        id=image["id"],
        title=" Renamed ",
        description="Said of it",
        expectedVersion=(await api.image(image["id"]))["version"],
    )
    seen = await api.image(image["id"])
    stale = await api.change(
        "updateImage", "UpdateImageInput", "image { id }", id=image["id"], title="No", expectedVersion=1
    )

    assert payload == {"image": {"title": "Renamed", "version": seen["version"]}, "errors": []}
    assert (seen["title"], seen["description"]) == ("Renamed", "Said of it")
    assert [error["code"] for error in stale["errors"]] == ["VERSION_CONFLICT"]
    assert (await api.image(image["id"]))["title"] == "Renamed"


async def test_deleted_image_is_gone_from_lists_albums_media_and_storage(gallery: Gallery) -> None:
    api = gallery.api
    photograph = jpeg(640, 480) + b"of no other test"
    image = (await api.upload("doomed.jpg", photograph, tags=["doomed"]))["image"]
    image = await api.until_processed(image["id"])
    album = (
        await api.change(
            "createAlbum",
            "CreateAlbumInput",
            "album { id imageCount cover { id } }",
            title="Evenings",
            imageIds=[image["id"], gallery.images[0]["id"]],
        )
    )["album"]
    assert (album["imageCount"], album["cover"]) == (2, {"id": image["id"]})
    keys = {key for key in await gallery.place.objects.keys() if image["filename"].rpartition(".")[0] in key}
    assert len(keys) == 4
    before = await api.stats()

    deleted = await api.change("deleteImage", "DeleteImageInput", "image { id }", id=image["id"])

    assert deleted == {"image": {"id": image["id"]}, "errors": []}
    after = await api.stats()
    assert after["imageCount"] == before["imageCount"] - 1
    assert after["totalSize"] == before["totalSize"] - len(photograph)
    seen = await api.ask(
        """
        query ($album: ID!) {
          images(filter: { tags: ["doomed"] }) { totalCount nodes { id } }
          tags(text: "doomed") { nodes { name imageCount } }
          album(id: $album) { imageCount cover { id } images { totalCount nodes { id } } }
        }
        """,
        album=album["id"],
    )
    kept = {"id": gallery.images[0]["id"]}
    assert seen == {
        "images": {"totalCount": 0, "nodes": []},
        "tags": {"nodes": [{"name": "doomed", "imageCount": 0}]},
        "album": {"imageCount": 1, "cover": kept, "images": {"totalCount": 1, "nodes": [kept]}},
    }
    for url in (image["url"], *(thumbnail["url"] for thumbnail in image["thumbnails"].values())):
        assert (await api.http.get(url)).status_code == 404
    await eventually(lambda: _none_is_stored(gallery, keys))
    await api.change("deleteAlbum", "DeleteAlbumInput", "album { id }", id=album["id"])
    await api.change("deleteTag", "DeleteTagInput", "tag { id }", id=(await _tag_id(api, "doomed")))
    assert await _tag_id(api, "doomed") is None


async def _none_is_stored(gallery: Gallery, keys: set[str]) -> bool:
    return not keys & set(await gallery.place.objects.keys())


async def _tag_id(api: Api, name: str) -> str | None:
    nodes = (await api.ask("query ($text: String) { tags(text: $text) { nodes { id } } }", text=name))["tags"]["nodes"]
    return nodes[0]["id"] if nodes else None
