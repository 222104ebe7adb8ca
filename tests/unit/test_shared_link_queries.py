"""What a stranger sees by a share link over GraphQL, and everything else that they do not."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from gallery.domain.errors import UnavailableError
from gallery.domain.share_links import new_share_token
from gallery.web.graphql.schema import schema
from tests.entities import NOON, after, an_album, an_image
from tests.sharing import EVERYTHING, HIDDEN_NAME, OWNER, Sharing, sharing

TITLE = "query ($token: String!) { sharedLink(token: $token) { title } }"
PAGE = """
query ($token: String!, $after: String) {
  sharedLink(token: $token) {
    images(first: 1, after: $after) { edges { cursor node { id } } pageInfo { hasNextPage endCursor } }
  }
}
"""


@pytest.fixture
async def shared() -> AsyncIterator[Sharing]:
    async with sharing() as found:
        yield found


# What is seen


async def test_a_stranger_sees_an_album_and_little_of_its_images(shared: Sharing) -> None:
    _, token = shared.link(expires_at=after(60))

    content = await shared.shown(token)

    assert (content["title"], content["description"]) == ("Summer", "By the sea")
    assert (content["expiresAt"], content["downloadAllowed"]) == ("2026-05-01T13:00:00+00:00", False)
    first, second = content["images"]["nodes"]
    assert content["images"]["totalCount"] == 2
    assert {name: first[name] for name in first if name not in {"id", "thumbnails"}} == {
        "title": None,
        "description": "A harbour",
        "width": 400,
        "height": 300,
        "url": None,
        "contentType": None,
        "fileSize": None,
        "uploadedAt": None,
    }
    base = f"http://127.0.0.1:8000/shared/{token}/{first['id']}"
    assert first["thumbnails"]["small"] == {"url": f"{base}/small.webp", "width": 320, "height": 240}
    assert first["thumbnails"]["large"] == {"url": f"{base}/large.webp"}
    assert (second["title"], second["thumbnails"]) == ("Beach", {"small": None, "medium": None, "large": None})


async def test_a_stranger_sees_a_single_image(shared: Sharing) -> None:
    _, token = shared.link(album_id=None, image_id=shared.image.id)

    content = await shared.shown(token)

    assert (content["title"], content["description"], content["images"]["totalCount"]) == (None, "A harbour", 1)
    assert [node["description"] for node in content["images"]["nodes"]] == ["A harbour"]


async def test_with_metadata_the_harmless_parts_of_it_are_shown(shared: Sharing) -> None:
    _, token = shared.link(shows_metadata=True)

    first = (await shared.shown(token))["images"]["nodes"][0]

    assert (first["contentType"], first["fileSize"]) == ("image/jpeg", 23)
    assert (first["uploadedAt"], first["url"]) == ("2026-05-01T12:00:00+00:00", None)


@pytest.mark.parametrize(
    ("shows_metadata", "file"), [(False, "large.webp"), (True, "original.jpg")], ids=["stripped", "as it was"]
)
async def test_the_file_to_download_is_the_original_only_with_metadata(
    shared: Sharing, shows_metadata: bool, file: str
) -> None:
    _, token = shared.link(allows_download=True, shows_metadata=shows_metadata)

    first, second = (await shared.shown(token))["images"]["nodes"]

    assert first["url"] == f"http://127.0.0.1:8000/shared/{token}/{first['id']}/{file}"
    assert (second["url"] is not None) is shows_metadata


async def test_no_answer_tells_ids_names_or_owners_of_the_gallery(shared: Sharing) -> None:
    _, token = shared.link(allows_download=True, shows_metadata=True)

    answers = [await shared.ask(EVERYTHING, token=token), await shared.ask(PAGE, token=token)]

    told = " ".join(answer.text for answer in answers)
    for secret in (
        shared.image.id.hex, str(shared.image.id), shared.album.id.hex, OWNER.id.hex, OWNER.name, HIDDEN_NAME,
        HIDDEN_NAME.removesuffix(".jpg"), shared.image.checksum, shared.image.storage_path, "/media/",
    ):  # fmt: skip
        assert secret not in told


def test_the_types_of_strangers_have_no_other_fields() -> None:
    types: Any = schema._schema.type_map
    names = {name: set(types[name].fields) for name in types if name.startswith(("Public", "Shared"))}

    assert names == {
        "SharedContent": {"title", "description", "expiresAt", "downloadAllowed", "images"},
        "PublicImage": {
            "id", "title", "description", "width", "height", "thumbnails", "url",
            "contentType", "fileSize", "uploadedAt",
        },
        "PublicImageConnection": {"edges", "nodes", "pageInfo", "totalCount"},
        "PublicImageEdge": {"node", "cursor"},
        "PublicThumbnail": {"url", "width", "height"},
        "PublicThumbnails": {"small", "medium", "large"},
    }  # fmt: skip
    leads_to = {getattr(field.type, "of_type", field.type) for name in names for field in types[name].fields.values()}
    assert {"Image", "Album", "Tag", "Node", "Thumbnails"}.isdisjoint(map(str, leads_to))


async def test_pages_follow_each_other_and_cursors_hold_no_ids(shared: Sharing) -> None:
    _, token = shared.link()

    first = (await shared.ask(PAGE, token=token)).json()["data"]["sharedLink"]["images"]
    cursor = first["pageInfo"]["endCursor"]
    second = (await shared.ask(PAGE, token=token, after=cursor)).json()["data"]["sharedLink"]["images"]

    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert first["edges"][0]["node"] != second["edges"][0]["node"]
    packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    assert shared.image.id.hex not in packed
    assert first["edges"][0]["node"]["id"].removeprefix("pic_") in packed
    _, other = shared.link()
    refused = (await shared.ask(PAGE, token=other, after=cursor)).json()
    assert refused["errors"][0]["extensions"]["code"] == "INVALID_CURSOR"


async def test_ids_are_of_one_link_and_find_nothing_elsewhere(shared: Sharing) -> None:
    (_, token), (_, other) = shared.link(), shared.link()

    ids = [(await shared.shown(one))["images"]["nodes"][0]["id"] for one in (token, other)]
    node = await shared.ask("query ($id: ID!) { node(id: $id) { id } }", shared.headers, id=ids[0])
    under_other = await shared.client.get(f"/shared/{other}/{ids[0]}/small.webp")

    assert ids[0] != ids[1]
    assert node.json()["errors"][0]["extensions"]["code"] == "INVALID_ID"
    assert under_other.status_code == 404


async def test_renditions_of_a_page_are_read_at_once(shared: Sharing) -> None:
    for _ in range(20):
        shared.gallery.holds(image := an_image())
        shared.gallery.put_in_album(shared.album, image)
    _, token = shared.link(allows_download=True)

    for time in range(1, 6):  # as compiled code, too
        assert (await shared.shown(token))["images"]["totalCount"] == 22
        assert shared.gallery.shared_images.rendition_reads == time


# Links of no use


@pytest.mark.parametrize("why", ["made up", "revoked", "expired", "deleted", "no token"])
async def test_a_link_of_no_use_looks_like_none(shared: Sharing, why: str) -> None:
    fields: dict[str, dict[str, object]] = {"revoked": {"revoked_at": NOON}, "expired": {"expires_at": NOON}}
    _, token = shared.link(password_hash="1:correct horse", **fields.get(why, {}))
    if why == "deleted":
        del shared.gallery.tables.albums[shared.album.id]
    if why in {"made up", "no token"}:
        token = new_share_token() if why == "made up" else "summer"

    answers = [(await shared.ask(TITLE, token=one)).json() for one in (token, new_share_token())]
    for answer in answers:
        del answer["errors"][0]["extensions"]["requestId"]

    assert answers[0] == answers[1]
    assert answers[0]["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_revoking_counts_for_the_next_question_and_every_file(shared: Sharing) -> None:
    link, token = shared.link()
    small = (await shared.shown(token))["images"]["nodes"][0]["thumbnails"]["small"]["url"]
    assert (await shared.client.get(small)).status_code == 200

    await shared.ask(
        f'mutation {{ revokeShareLink(input: {{id: "lnk_{link.id.hex}"}}) {{ errors {{ code }} }} }}', shared.headers
    )

    assert await shared.code(token) == "NOT_FOUND"
    assert (await shared.client.get(small)).status_code == 404


async def test_a_link_expires_for_questions_and_files(shared: Sharing) -> None:
    _, token = shared.link(expires_at=after(5))
    small = (await shared.shown(token))["images"]["nodes"][0]["thumbnails"]["small"]["url"]

    shared.gallery.clock.advance(minutes=5)

    assert await shared.code(token) == "NOT_FOUND"
    assert (await shared.client.get(small)).status_code == 404


async def test_openings_are_counted(shared: Sharing) -> None:
    link, token = shared.link()
    for _ in range(3):
        await shared.shown(token)
    await shared.gallery.shared.settle()

    answer = await shared.ask("{ shareLinks { id openCount lastOpenedAt } }", shared.headers)

    listed = {"id": f"lnk_{link.id.hex}", "openCount": 3, "lastOpenedAt": "2026-05-01T12:00:00+00:00"}
    assert answer.json() == {"data": {"shareLinks": [listed]}}


# Passwords


async def test_a_link_with_a_password_opens_by_it_alone(shared: Sharing) -> None:
    _, token = shared.link(password_hash="1:correct horse")

    assert await shared.code(token) == await shared.code(token, password="battery staple") == "PASSWORD_REQUIRED"
    assert (await shared.shown(token, password="correct horse"))["title"] == "Summer"


async def test_too_many_wrong_passwords_close_the_link_for_a_while(shared: Sharing) -> None:
    _, token = shared.link(password_hash="1:correct horse")
    for number in range(10):
        assert await shared.code(token, password=f"wrong {number}") == "PASSWORD_REQUIRED"

    answer = await shared.ask(EVERYTHING, token=token, password="correct horse")

    extensions = answer.json()["errors"][0]["extensions"]
    assert (extensions["code"], extensions["retryAfterSeconds"]) == ("RATE_LIMITED", 900)
    shared.gallery.clock.advance(minutes=15)
    assert (await shared.shown(token, password="correct horse"))["title"] == "Summer"


# What strangers may ask


@pytest.mark.parametrize(
    "document",
    [
        "{ SHARED }",
        "query Open { __typename SHARED }",
        "{ mine: SHARED }",
        "query { SHARED } fragment F on PublicImage { id }",
        "# a comment\n{ SHARED }",
    ],
    ids=["bare", "named", "alias", "fragment", "comment"],
)
async def test_a_stranger_may_open_a_link(shared: Sharing, document: str) -> None:
    _, token = shared.link()
    opening = f'sharedLink(token: "{token}") {{ title images {{ nodes {{ ...F }} }} }}'
    if "fragment" not in document:
        opening = opening.replace("...F", "id")

    answer = await shared.ask(document.replace("SHARED", opening))

    assert (answer.status_code, "errors" in answer.json()) == (200, False)


OPENING = 'sharedLink(token: "shr_") { title }'


@pytest.mark.parametrize(
    "document",
    [
        f"{{ {OPENING} stats {{ imageCount }} }}",
        f"{{ {OPENING} __schema {{ queryType {{ name }} }} }}",
        f'{{ {OPENING} __type(name: "Query") {{ name }} }}',
        f"{{ {OPENING} other: {OPENING} }}",
        f"{{ ...F }} fragment F on Query {{ {OPENING} }}",
        f"{{ ... on Query {{ {OPENING} }} }}",
        f"{{ {OPENING} ...F }} fragment F on Query {{ stats {{ imageCount }} }}",
        f"mutation {{ {OPENING} }}",
        f"subscription {{ {OPENING} }}",
        f"query A {{ {OPENING} }} query B {{ stats {{ imageCount }} }}",
        f"{{ {OPENING} }} type T {{ a: Int }}",
        "{ sharedLink: stats { imageCount } }",
        "{ stats { sharedLink: imageCount } }",
        '{ image(id: "sharedLink") { id } }',
        "{ sharedLink(",
        f"{{ {OPENING} " + " " * 4096 + "}",
        f"{{ {OPENING}" + " __typename" * 300 + " }" + " a" * 300,
        f"{{ {OPENING} }}" + "\n#" * 30,
    ],
    ids=[
        "another field",
        "schema",
        "type",
        "twice",
        "fragment",
        "inline fragment",
        "fragment beside it",
        "mutation",
        "subscription",
        "two operations",
        "type definition",
        "alias",
        "field of its name",
        "text of its name",
        "broken",
        "long",
        "many tokens",
        "many comments",
    ],
)
async def test_a_stranger_may_ask_for_nothing_beside_it(shared: Sharing, document: str) -> None:
    answer = await shared.ask(document)

    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert shared.gallery.link_reader.lookups == shared.gallery.database.units_opened == 0


GUESSES = {
    "field": '{ sharedLink(token: "x") { owner } }',
    "near field": '{ sharedLink(token: "x") { titel } }',
    "nested field": '{ sharedLink(token: "x") { images { nodes { originalFilenam } } } }',
    "argument": '{ sharedLink(tokn: "x") { title } }',
    "type of a variable": 'query ($x: CreateTokenInpu) { sharedLink(token: "x") { title } }',
    "type of a fragment": '{ sharedLink(token: "x") { title } } fragment F on Imag { id }',
}
TRANSPORTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "post": lambda document: {"method": "POST", "json": {"query": document}},
    "get": lambda document: {"method": "GET", "params": {"query": document}},
    "multipart": lambda document: {
        "method": "POST",
        "files": {"operations": (None, json.dumps({"query": document})), "map": (None, "{}")},
    },
    "events": lambda document: {
        "method": "POST",
        "json": {"query": document},
        "headers": {"Accept": "text/event-stream"},
    },
    "legacy media type": lambda document: {
        "method": "POST",
        "json": {"query": document},
        "headers": {"Accept": "application/json"},
    },
}


async def sent(shared: Sharing, request: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> str:
    """What is answered to a request of whoever the headers show."""
    all_headers = {"X-GraphQL-CSRF": "1", **request.get("headers", {}), **(headers or {})}
    return (await shared.client.request(url="/graphql", **{**request, "headers": all_headers})).text


@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
@pytest.mark.parametrize("document", GUESSES.values(), ids=GUESSES)
async def test_a_stranger_is_not_told_what_the_schema_has(
    shared: Sharing, document: str, transport: Callable[[str], dict[str, Any]]
) -> None:
    stranger = await sent(shared, transport(document))
    owner = await sent(shared, transport(document), shared.headers)

    (error,) = json.loads(stranger.removeprefix("event: next\ndata: ").partition("\n")[0])["errors"]
    assert error["message"] == "The document does not suit the schema."
    assert set(error) == {"message", "extensions"}
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert "GRAPHQL_VALIDATION_FAILED" in owner
    assert error["message"] not in owner


@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_no_two_guesses_of_a_stranger_are_answered_differently(
    shared: Sharing, transport: Callable[[str], dict[str, Any]]
) -> None:
    answers = {
        re.sub(r'"requestId":"[^"]*"', "", await sent(shared, transport(document))) for document in GUESSES.values()
    }

    assert len(answers) == 1


@pytest.mark.parametrize("variables", [{}, {"token": None}, {"token": {"a": 1}}], ids=["none", "null", "object"])
async def test_a_stranger_is_not_told_the_types_of_variables(shared: Sharing, variables: dict[str, Any]) -> None:
    answer = await shared.ask(TITLE, **variables)

    (error,) = answer.json()["errors"]
    assert (error["message"], error["extensions"]["code"]) == (
        "The variables do not suit the operation.",
        "BAD_USER_INPUT",
    )


@pytest.mark.parametrize(("suggestions", "is_told"), [("on", True), ("signed-in", False), ("off", False)])
async def test_strangers_are_told_if_the_settings_say_so(suggestions: str, is_told: bool) -> None:
    async with sharing(suggestions=suggestions) as shared:
        answer = await shared.ask(GUESSES["near field"])

    assert ("title" in answer.text) is is_told


async def test_a_stranger_leaves_no_document_behind(shared: Sharing) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    body = {"query": "{ " + OPENING + " }", "extensions": extensions}

    answer = await shared.client.post("/graphql", json=body)

    assert answer.status_code == 401


async def test_a_wrong_credential_is_refused_even_for_a_link(shared: Sharing) -> None:
    _, token = shared.link()

    answer = await shared.ask(TITLE, {"Authorization": "Bearer gal_wrong"}, token=token)

    assert answer.status_code == 401


async def test_without_the_database_a_link_opens_later(shared: Sharing) -> None:
    _, token = shared.link()
    shared.gallery.database.unavailable = True

    assert await shared.code(token) == "SERVICE_UNAVAILABLE" == UnavailableError("database").code


# Those who share


CREATE = """
mutation ($input: CreateShareLinkInput!) {
  createShareLink(input: $input) {
    token url errors { code field }
    shareLink { id albumId imageId label allowDownload showMetadata hasPassword expiresAt revokedAt openCount }
  }
}
"""
UPDATE = """
mutation ($input: UpdateShareLinkInput!) {
  updateShareLink(input: $input) {
    errors { code field } shareLink { label allowDownload showMetadata hasPassword expiresAt }
  }
}
"""


def global_id(prefix: str, thing: Any) -> str:  # noqa: ANN401  # whatever has an id
    return f"{prefix}_{thing.id.hex}"


async def test_who_shares_gets_a_token_once_and_it_opens_what_was_shared(shared: Sharing) -> None:
    input_ = {"albumId": global_id("alb", shared.album), "password": "correct horse", "label": "for Eve"}

    answer = (await shared.ask(CREATE, shared.headers, input=input_)).json()["data"]["createShareLink"]

    assert answer["shareLink"] | {"id": None} == {
        "id": None,
        "albumId": input_["albumId"],
        "imageId": None,
        "label": "for Eve",
        "allowDownload": False,
        "showMetadata": False,
        "hasPassword": True,
        "expiresAt": None,
        "revokedAt": None,
        "openCount": 0,
    }
    assert answer["url"] == f"http://127.0.0.1:8000/shared/{answer['token']}"
    assert (await shared.shown(answer["token"], password="correct horse"))["title"] == "Summer"
    of_album = await shared.ask(
        "query ($id: ID!) { shareLinks(albumId: $id) { id } }", shared.headers, id=input_["albumId"]
    )
    assert of_album.json() == {"data": {"shareLinks": [{"id": answer["shareLink"]["id"]}]}}


async def test_what_is_not_to_be_shared_is_told_in_errors(shared: Sharing) -> None:
    inputs: list[tuple[dict[str, object], dict[str, object]]] = [
        ({}, {"code": "INVALID_INPUT", "field": ["albumId"]}),
        ({"albumId": global_id("alb", an_album())}, {"code": "NOT_FOUND", "field": ["albumId"]}),
        ({"imageId": global_id("img", an_image())}, {"code": "NOT_FOUND", "field": ["imageId"]}),
        ({"imageId": global_id("alb", shared.album)}, {"code": "INVALID_ID", "field": ["imageId"]}),
    ]
    for input_, error in inputs:
        answer = (await shared.ask(CREATE, shared.headers, input=input_)).json()["data"]["createShareLink"]
        assert answer == {"token": None, "url": None, "shareLink": None, "errors": [error]}
    assert shared.gallery.tables.share_links == {}


async def test_a_link_is_changed_in_what_is_named(shared: Sharing) -> None:
    link, token = shared.link(label="for Eve", password_hash="1:correct horse", expires_at=after(60))
    id_ = global_id("lnk", link)

    one = await shared.ask(UPDATE, shared.headers, input={"id": id_, "allowDownload": True, "showMetadata": None})
    nothing = {"password": None, "expiresAt": None, "label": None}
    two = await shared.ask(UPDATE, shared.headers, input={"id": id_, **nothing})

    rest = {"showMetadata": False, "allowDownload": True}
    assert one.json()["data"]["updateShareLink"]["shareLink"] == rest | {
        "label": "for Eve",
        "hasPassword": True,
        "expiresAt": "2026-05-01T13:00:00+00:00",
    }
    assert two.json()["data"]["updateShareLink"]["shareLink"] == rest | {
        "label": None,
        "hasPassword": False,
        "expiresAt": None,
    }
    assert (await shared.shown(token))["downloadAllowed"] is True


@pytest.mark.parametrize("mutation", ["createShareLink", "updateShareLink", "revokeShareLink"])
async def test_strangers_share_nothing(shared: Sharing, mutation: str) -> None:
    answer = await shared.ask(f'mutation {{ {mutation}(input: {{id: "sharedLink"}}) {{ errors {{ code }} }} }}')

    assert answer.status_code == 401


# Secrets


async def test_no_log_has_a_token_of_a_link(shared: Sharing, caplog: pytest.LogCaptureFixture) -> None:
    _, token = shared.link(password_hash="1:correct horse")
    with caplog.at_level(logging.DEBUG):
        shown = await shared.shown(token, password="correct horse")
        for path in (
            shown["images"]["nodes"][0]["thumbnails"]["small"]["url"],
            f"/shared/{token}",
            f"/shared/{token}/x/y",
        ):
            await shared.client.get(path)

    paths = [record.path for record in caplog.records if hasattr(record, "path")]
    assert [path for path in paths if path.startswith("/shared/")] != []
    lines = " ".join(str(vars(record)) for record in caplog.records if record.name.startswith("gallery"))
    assert token[4:] not in lines
    assert "correct horse" not in lines
