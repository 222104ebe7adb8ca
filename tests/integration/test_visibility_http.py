"""What one account is told of another's: over HTTP, by two processes, answer by answer."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gallery.domain.access import LOCAL_ADMINISTRATOR, Role, Visibility
from gallery.domain.ids import AlbumId, ImageId, TagId, new_uuid7
from gallery.services.tokens import NewToken
from gallery.settings_auth import AuthMode
from gallery.web.graphql.ids import album_global_id, image_global_id, tag_global_id
from tests.e2e.places import fresh_place
from tests.integration.live_gallery import LiveGallery, live_gallery
from tests.photographs import jpeg
from tests.services import Services

ERRORS = "errors { code message field }"
RESULTS = f"results {{ id image {{ id title }} {ERRORS} }}"
EVERYTHING = """
{
  images { totalCount nodes { id } pageInfo { startCursor hasNextPage } }
  albums { totalCount nodes { id shares { accountName } } } tags { totalCount nodes { name imageCount } }
  stats { imageCount tagCount albumCount totalSize contentTypes { imageCount } }
}
"""


def mutation(name: str, given: str, shown: str, declared: str = "$id: ID!") -> str:
    """A mutation with its input, and what to show of the answer beside errors."""
    return f"mutation ({declared}) {{ {name}(input: {{{given}}}) {{ {shown} {ERRORS} }} }}"


ANSWER_SECONDS = 30
IN_OWN_ALBUM = "$id: ID!, $album: ID!"
OF_IMAGES = {
    "image": "query ($id: ID!) { image(id: $id) { id title url } }",
    "node": "query ($id: ID!) { node(id: $id) { id } }",
    "nodes": "query ($id: ID!) { nodes(ids: [$id]) { id } }",
    "updateImage": mutation("updateImage", 'id: $id, title: "x"', "image { id }"),
    "an old version": mutation("updateImage", "id: $id, expectedVersion: 9", "image { id }"),
    "show it": mutation("updateImage", "id: $id, visibility: PUBLIC", "image { id }"),
    "deleteImage": mutation("deleteImage", "id: $id", "image { id }"),
    "setVisibility": mutation("setVisibility", "imageIds: [$id], visibility: PUBLIC", RESULTS),
    "tagImages": mutation("tagImages", 'imageIds: [$id], tags: ["sea"]', RESULTS),
    "untagImages": mutation("untagImages", 'imageIds: [$id], tags: ["sea"]', RESULTS),
    "createAlbum": mutation("createAlbum", 'title: "x", imageIds: [$id]', "album { id }"),
    "addImagesToAlbum": mutation(
        "addImagesToAlbum", "albumId: $album, imageIds: [$id]", f"album {{ imageCount }} {RESULTS}", IN_OWN_ALBUM
    ),
    "removeImagesFromAlbum": mutation(
        "removeImagesFromAlbum", "albumId: $album, imageIds: [$id]", f"album {{ imageCount }} {RESULTS}", IN_OWN_ALBUM
    ),
    "cover": mutation("updateAlbum", "id: $album, coverId: $id", "album { id }", IN_OWN_ALBUM),
    "imageProcessed": "subscription ($id: ID!) { imageProcessed(id: $id) { id } }",
}
OF_ALBUMS = {
    "album": "query ($id: ID!) { album(id: $id) { id title imageCount } }",
    "node": "query ($id: ID!) { node(id: $id) { id } }",
    "nodes": "query ($id: ID!) { nodes(ids: [$id]) { id } }",
    "filter": "query ($id: ID!) { images(filter: {albumId: $id}) { totalCount nodes { id } } }",
    "updateAlbum": mutation("updateAlbum", 'id: $id, title: "x"', "album { id }"),
    "show it": mutation("updateAlbum", "id: $id, visibility: PUBLIC", "album { id }"),
    "deleteAlbum": mutation("deleteAlbum", "id: $id", "album { id }"),
    "addImagesToAlbum": mutation("addImagesToAlbum", "albumId: $id, imageIds: []", f"album {{ id }} {RESULTS}"),
    "removeImagesFromAlbum": mutation(
        "removeImagesFromAlbum", "albumId: $id, imageIds: []", f"album {{ id }} {RESULTS}"
    ),
    "shareAlbum": mutation("shareAlbum", 'albumId: $id, accountName: "ben"', "album { id }"),
    "unshareAlbum": mutation("unshareAlbum", 'albumId: $id, accountName: "ben"', "album { id }"),
    "createUpload": mutation(
        "createUpload",
        'filename: "a.jpg", fileSize: 9, contentType: "image/jpeg", albumId: $id',
        "upload { state }",
    ),
}
OF_TAGS = {
    "tag": "query ($id: ID!) { tag(id: $id) { id name imageCount } }",
    "node": "query ($id: ID!) { node(id: $id) { id } }",
}
UPLOAD = f"""mutation ($input: UploadImageInput!) {{
  uploadImage(input: $input) {{ image {{ id checksum url tags {{ id }} }} {ERRORS} }}
}}"""
CREATE_ALBUM = f"mutation ($input: CreateAlbumInput!) {{ createAlbum(input: $input) {{ album {{ id }} {ERRORS} }} }}"
SHARE = mutation(
    "shareAlbum",
    'albumId: $album, accountName: "Ben", level: $level',
    "album { shares { accountName level } }",
    "$album: ID!, $level: ShareLevel!",
)
UNSHARE = mutation(
    "unshareAlbum", 'albumId: $album, accountName: "Ben"', "album { shares { accountName } }", "$album: ID!"
)
SHOW = mutation("updateImage", "id: $id, visibility: $to", "image { version }", "$id: ID!, $to: Visibility!")
KNOWN = """query ($sum: String!) {
  imageByChecksum(checksum: $sum) { id } imagesByChecksums(checksums: [$sum]) { id }
}"""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with a token, who asks one of two processes."""

    http: httpx.AsyncClient

    async def send(self, document: str, **variables: Any) -> httpx.Response:  # noqa: ANN401  # any JSON
        accept = "text/event-stream" if document.startswith("subscription") else "application/json"
        body = {"query": document, "variables": variables}
        async with asyncio.timeout(ANSWER_SECONDS):  # a subscription to what is shown would go on
            return await self.http.post("/graphql", json=body, headers={"Accept": accept})

    async def ask(self, document: str, **variables: Any) -> Any:  # noqa: ANN401  # as above
        answer = (await self.send(document, **variables)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def upload(self, file: bytes, **said: object) -> Any:  # noqa: ANN401  # as above
        operations = {"query": UPLOAD, "variables": {"input": {"file": None, **said}}}
        answer = await self.http.post(
            "/graphql",
            data={"operations": json.dumps(operations), "map": json.dumps({"0": ["variables.input.file"]})},
            files={"0": ("harbour.jpg", file)},
        )
        return answer.json()["data"]["uploadImage"]


@dataclass(frozen=True, kw_only=True)
class Galleries:
    """Two processes of one gallery."""

    first: LiveGallery
    second: LiveGallery

    async def token(self, name: str, role: Role) -> str:
        tokens = self.first.container.use_cases.tokens
        return (await tokens.create_for_program(LOCAL_ADMINISTRATOR, NewToken(name=name, role=role))).secret


@pytest.fixture(scope="module")
async def galleries(services: Services, migrated_template: str) -> AsyncIterator[Galleries]:
    async with (
        fresh_place(services, migrated_template, cache_database=3) as place,
        live_gallery(place, mode=AuthMode.TOKEN) as first,
        live_gallery(place, mode=AuthMode.TOKEN) as second,
    ):
        yield Galleries(first=first, second=second)
        for gallery in (first, second):
            await gallery.container.use_cases.authenticator.settle()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Ada has a private album with a private image and its tag; Ben has an empty album, and asks both processes."""

    ada: Person
    ben: Person
    ben_elsewhere: Person
    editor: Person
    ben_is: str
    image: Mapping[str, Any]
    album_id: str
    tag_id: str
    album_of_ben: str


@pytest.fixture(scope="module")
async def stage(galleries: Galleries) -> AsyncIterator[Stage]:
    clients: list[httpx.AsyncClient] = []

    def person(gallery: LiveGallery, secret: str) -> Person:
        headers = {"Authorization": f"Bearer {secret}", "X-GraphQL-CSRF": "1"}
        clients.append(httpx.AsyncClient(base_url=gallery.url, headers=headers, timeout=60))
        return Person(http=clients[-1])

    ada = person(galleries.first, await galleries.token("ada", Role.CONTRIBUTOR))
    secret = await galleries.token("ben", Role.CONTRIBUTOR)
    ben, ben_elsewhere = person(galleries.first, secret), person(galleries.second, secret)
    editor = person(galleries.first, await galleries.token("edith", Role.EDITOR))
    album = await ada.ask(CREATE_ALBUM, input={"title": "Summer"})
    album_id = album["createAlbum"]["album"]["id"]
    image = (await ada.upload(jpeg(64, 48), albumId=album_id, tags=["secret"]))["image"]
    own = await ben.ask(CREATE_ALBUM, input={"title": "Ben's"})
    yield Stage(
        ada=ada,
        ben=ben,
        ben_elsewhere=ben_elsewhere,
        editor=editor,
        ben_is="ben",
        image=image,
        album_id=album_id,
        tag_id=image["tags"][0]["id"],
        album_of_ben=own["createAlbum"]["album"]["id"],
    )
    for client in clients:
        await client.aclose()


def told(response: httpx.Response, id_: str) -> tuple[int, str]:
    """An answer without what differs between any two: the id that was asked for, and that of the request."""
    text = response.text.replace(id_, "ID")
    return response.status_code, re.sub(r'"requestId": ?"[^"]*"', "REQUEST", text)


async def same(person: Person, document: str, hidden: str, missing: str, **variables: object) -> str:
    """What is told of the hidden thing, after it was seen that it is what is told of one that never was."""
    of_hidden = told(await person.send(document, id=hidden, **variables), hidden)
    of_missing = told(await person.send(document, id=missing, **variables), missing)
    assert of_hidden == of_missing
    return of_hidden[1]


@pytest.mark.parametrize("document", OF_IMAGES.values(), ids=OF_IMAGES)
async def test_a_private_image_of_another_is_as_one_that_never_was(stage: Stage, document: str) -> None:
    missing = image_global_id(ImageId(new_uuid7()))
    variables = {"album": stage.album_of_ben} if "$album" in document else {}

    answer = await same(stage.ben, document, stage.image["id"], missing, **variables)

    assert ("NOT_FOUND" in answer) or ("must be an image of the album" in answer)
    if not variables:
        await same(stage.editor, document, stage.image["id"], missing)
    assert (await stage.ada.ask(OF_IMAGES["image"], id=stage.image["id"]))["image"]["title"] == "harbour"


@pytest.mark.parametrize("document", OF_ALBUMS.values(), ids=OF_ALBUMS)
async def test_a_private_album_of_another_is_as_one_that_never_was(stage: Stage, document: str) -> None:
    missing = album_global_id(AlbumId(new_uuid7()))

    answer = await same(stage.ben, document, stage.album_id, missing)
    await same(stage.editor, document, stage.album_id, missing)

    assert ("NOT_FOUND" in answer) or ('"totalCount":0' in answer)
    album = (await stage.ada.ask(OF_ALBUMS["album"], id=stage.album_id))["album"]
    assert (album["title"], album["imageCount"]) == ("Summer", 1)


@pytest.mark.parametrize("document", OF_TAGS.values(), ids=OF_TAGS)
async def test_a_tag_of_nothing_but_private_images_is_as_one_that_never_was(stage: Stage, document: str) -> None:
    assert "NOT_FOUND" in await same(stage.ben, document, stage.tag_id, tag_global_id(TagId(new_uuid7())))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_file_of_a_private_image_is_as_one_that_never_was(stage: Stage, method: str) -> None:
    path = stage.image["url"].partition("/media/")[2]
    own, missing = stage.image["id"], image_global_id(ImageId(new_uuid7()))

    hidden = await stage.ben.http.request(method, f"/media/{path}")
    never = await stage.ben.http.request(method, f"/media/{path}".replace(own, missing))
    shown = await stage.ada.http.request(method, f"/media/{path}")

    assert told(hidden, own) == told(never, missing)
    assert (hidden.status_code, shown.status_code) == (404, 200)
    names = [sorted(set(answer.headers) - {"x-request-id"}) for answer in (hidden, never)]
    assert names[0] == names[1]


async def test_the_bytes_of_anothers_image_are_not_known(stage: Stage) -> None:
    assert await stage.ben.ask(KNOWN, sum=stage.image["checksum"]) == {
        "imageByChecksum": None,
        "imagesByChecksums": [None],
    }
    uploaded = await stage.ben.upload(jpeg(64, 48))
    assert uploaded["image"]["id"] != stage.image["id"]
    await stage.ben.ask(OF_IMAGES["deleteImage"], id=uploaded["image"]["id"])


async def test_a_file_for_an_album_that_is_not_shown_is_refused_as_for_one_that_never_was(stage: Stage) -> None:
    missing = album_global_id(AlbumId(new_uuid7()))

    hidden = await stage.ben.upload(jpeg(64, 50), albumId=stage.album_id)
    never = await stage.ben.upload(jpeg(64, 50), albumId=missing)

    assert hidden == never
    assert hidden["errors"][0]["code"] == "NOT_FOUND"


async def test_lists_counts_and_statistics_of_others_tell_nothing(stage: Stage) -> None:
    seen = await stage.ben.ask(EVERYTHING)

    assert seen["images"] == {"totalCount": 0, "nodes": [], "pageInfo": {"startCursor": None, "hasNextPage": False}}
    assert seen["albums"] == {"totalCount": 1, "nodes": [{"id": stage.album_of_ben, "shares": []}]}
    assert "secret" not in json.dumps(seen["tags"])
    assert (seen["stats"]["imageCount"], seen["stats"]["totalSize"], seen["stats"]["contentTypes"]) == (0, 0, [])
    assert (await stage.ada.ask(EVERYTHING))["images"]["totalCount"] == 1


SEEN = """
query ($album: ID!, $image: ID!) {
  album(id: $album) { title imageCount images { nodes { id title } } cover { id } shares { accountName } }
  image(id: $image) { title visibility albums { title } tags { name } }
}
"""


async def test_a_shared_album_is_seen_at_once_and_no_more_once_that_is_taken_back_by_any_process(stage: Stage) -> None:
    ids = {"album": stage.album_id, "image": stage.image["id"]}
    others = (stage.ben, stage.ben_elsewhere)
    for ben in others:
        assert len((await ben.send(SEEN, **ids)).json()["errors"]) == 2

    shared = await stage.ada.ask(SHARE, album=stage.album_id, level="VIEW")
    assert shared["shareAlbum"]["album"]["shares"] == [{"accountName": "ben", "level": "VIEW"}]
    for ben in others * 3:  # again, from what was kept
        seen = await ben.ask(SEEN, **ids)
        assert seen["album"]["images"]["nodes"] == [{"id": stage.image["id"], "title": "harbour"}]
        assert (seen["album"]["imageCount"], seen["album"]["shares"]) == (1, None)
        assert seen["image"] == {
            "title": "harbour",
            "visibility": "PRIVATE",
            "albums": [{"title": "Summer"}],
            "tags": [{"name": "secret"}],
        }
        listed = await ben.ask(EVERYTHING)
        assert (listed["images"]["totalCount"], listed["stats"]["imageCount"]) == (1, 1)
        assert (await ben.http.get(stage.image["url"].partition("//")[2].partition("/")[2])).status_code == 200
    refused = (await stage.ben.send(OF_IMAGES["updateImage"], id=stage.image["id"])).json()
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"

    taken = await stage.ada.ask(UNSHARE, album=stage.album_id)
    assert taken["unshareAlbum"]["album"]["shares"] == []
    for ben in others:
        answer = (await ben.send(SEEN, **ids)).json()
        assert answer["data"] == {"album": None, "image": None}
        assert (await ben.ask(EVERYTHING))["images"]["totalCount"] == 0
        assert (await ben.http.get(stage.image["url"].partition("//")[2].partition("/")[2])).status_code == 404


@pytest.mark.parametrize(("visibility", "listed"), [(Visibility.UNLISTED, 0), (Visibility.PUBLIC, 1)])
async def test_an_image_that_is_shown_is_seen_at_once_and_no_more_once_it_is_hidden(
    stage: Stage, visibility: Visibility, listed: int
) -> None:
    document = "query ($id: ID!) { image(id: $id) { title } }"
    others = (stage.ben, stage.ben_elsewhere)

    for _ in range(2):
        await stage.ada.ask(SHOW, id=stage.image["id"], to=visibility)
        for ben in others * 2:
            assert (await ben.ask(document, id=stage.image["id"]))["image"] == {"title": "harbour"}
            seen = await ben.ask(EVERYTHING)
            assert (seen["images"]["totalCount"], seen["stats"]["imageCount"]) == (listed, listed)
            assert [tag["name"] for tag in seen["tags"]["nodes"]].count("secret") == listed
        await stage.ada.ask(SHOW, id=stage.image["id"], to=Visibility.PRIVATE)
        for ben in others * 2:
            answer = (await ben.send(document, id=stage.image["id"])).json()
            assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"
            assert (await ben.ask(EVERYTHING))["images"]["totalCount"] == 0


async def test_a_guest_puts_a_private_image_into_an_album_and_its_host_sees_it(stage: Stage) -> None:
    await stage.ada.ask(SHARE, album=stage.album_id, level="CONTRIBUTE")
    uploaded = (await stage.ben.upload(jpeg(80, 48), albumId=stage.album_id))["image"]
    listing = "query ($album: ID!) { album(id: $album) { images { nodes { id } } } }"

    for person in (stage.ada, stage.ben):
        album = (await person.ask(listing, album=stage.album_id))["album"]
        assert [node["id"] for node in album["images"]["nodes"]] == [stage.image["id"], uploaded["id"]]
    await stage.ada.ask(UNSHARE, album=stage.album_id)
    await stage.ben.ask(OF_IMAGES["deleteImage"], id=uploaded["id"])


@pytest.mark.parametrize("document", [SHARE, UNSHARE], ids=["shareAlbum", "unshareAlbum"])
async def test_sharing_that_is_sent_again_is_done_once_and_answered_the_same(stage: Stage, document: str) -> None:
    variables = {"album": stage.album_id} | ({"level": "VIEW"} if document is SHARE else {})
    key = {"Idempotency-Key": f"again-{len(document)}"}
    body = {"query": document, "variables": variables}

    first = await stage.ada.http.post("/graphql", json=body, headers=key)
    await stage.ada.ask(UNSHARE, album=stage.album_id)
    again = await stage.ada.http.post("/graphql", json=body, headers=key)

    assert "errors" not in first.json()
    assert again.content == first.content
    assert "NOT_FOUND" in (await stage.ben.send(OF_ALBUMS["album"], id=stage.album_id)).text


async def test_an_editor_shows_nobody_what_the_owner_has_not_put_there_until_the_owner_does(stage: Stage) -> None:
    add = OF_IMAGES["addImagesToAlbum"]
    with_editor = SHARE.replace('"Ben"', '"Edith"')
    given = await stage.ada.ask(CREATE_ALBUM, input={"title": "For Ben"})
    for_ben = given["createAlbum"]["album"]["id"]
    for document, album in ((with_editor, stage.album_id), (with_editor, for_ben), (SHARE, for_ben)):
        shared = await stage.ada.ask(document, album=album, level="VIEW")
        assert shared["shareAlbum"]["errors"] == []
    seen = {"album": for_ben, "image": stage.image["id"]}
    others = (stage.ben, stage.ben_elsewhere)

    put = await stage.editor.ask(add, id=stage.image["id"], album=for_ben)
    assert put["addImagesToAlbum"]["errors"] == []
    for ben in others * 2:
        answer = (await ben.send(SEEN, **seen)).json()
        assert answer["data"]["image"] is None
        assert (answer["data"]["album"]["imageCount"], answer["data"]["album"]["images"]["nodes"]) == (0, [])

    await stage.ada.ask(add, id=stage.image["id"], album=for_ben)
    for ben in others:
        answer = await ben.ask(SEEN, **seen)
        assert (answer["image"]["title"], answer["album"]["imageCount"]) == ("harbour", 1)
    await stage.ada.ask(mutation("deleteAlbum", "id: $id", "album { id }"), id=for_ben)


async def test_what_a_guest_has_put_into_an_album_is_shown_to_nobody_once_the_share_is_taken_back(stage: Stage) -> None:
    await stage.ada.ask(SHARE, album=stage.album_id, level="CONTRIBUTE")
    uploaded = (await stage.ben.upload(jpeg(96, 48), albumId=stage.album_id))["image"]
    seen = {"album": stage.album_id, "image": uploaded["id"]}
    assert (await stage.ada.ask(SEEN, **seen))["album"]["imageCount"] == 2

    await stage.ada.ask(UNSHARE, album=stage.album_id)

    answer = (await stage.ada.send(SEEN, **seen)).json()
    assert answer["data"]["image"] is None
    assert [node["id"] for node in answer["data"]["album"]["images"]["nodes"]] == [stage.image["id"]]
    await stage.ben.ask(OF_IMAGES["deleteImage"], id=uploaded["id"])
