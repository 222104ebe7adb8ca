"""What nobody should send: each refused with its code and a sentence, nothing left behind, nothing inside shown."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.e2e.api import UPLOAD_IMAGE, UPLOAD_IMAGES, Api, data_of
from tests.e2e.gallery_server import serving
from tests.e2e.places import Place, fresh_place
from tests.photographs import jpeg, png_claiming, tiff, truncated
from tests.services import Services

MAX_FILE_SIZE = 300_000
MAX_PIXELS = 1_000_000
NOTHING = "0190" + "0" * 8 + "7" + "0" * 3 + "8" + "0" * 15
"""The id of nothing, well-formed."""
HEIC = struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic" + bytes(2000)
INSIDE = re.compile(
    r"Traceback|File \"|line \d+, in|\.py\b|/work|/home|/tmp|site-packages|gallery\.[a-z]|asyncpg|sqlalchemy|botocore|"
    r"strawberry|psycopg|SELECT |INSERT |UPDATE |relation \"|0x[0-9a-f]{6}|Error\(",
    re.IGNORECASE,
)
"""What a client has no business to see: code, paths, statements, names of modules."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """A server with small limits and one image, and what it held before anything was refused."""

    api: Api
    place: Place
    image_id: str
    before: tuple[object, ...]

    async def state(self) -> tuple[object, ...]:
        return await state(self.api, self.place)


async def state(api: Api, place: Place) -> tuple[object, ...]:
    """Everything that a refused request might leave behind."""
    tables = ("images", "renditions", "tags", "image_tags", "albums", "album_images", "events")
    rows = await place.count(*tables)
    return await api.stats(), rows, await place.objects.keys(), await place.objects.open_uploads()


@pytest.fixture(scope="module")
async def module_gallery(
    services: Services, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Refusals]:
    limits = {
        "GALLERY_UPLOADS__MAX_FILE_SIZE": str(MAX_FILE_SIZE),
        "GALLERY_UPLOADS__MAX_PIXELS": str(MAX_PIXELS),
        "GALLERY_UPLOADS__MAX_FILES": "5",
        "GALLERY_UPLOADS__MAX_FIELD_SIZE": "10000",
        "GALLERY_CACHE__ENABLED": "false",
    }
    log = tmp_path_factory.mktemp("bad-input") / "log"
    async with (
        fresh_place(services, migrated_template) as place,
        serving(log, settings={**place.settings, **limits}) as (_, api),
    ):
        image = (await api.upload("harbour.jpg", jpeg(), tags=["Sea"]))["image"]
        await api.until_processed(image["id"])
        yield Refusals(api, place, image["id"], await state(api, place))


@pytest.fixture
async def gallery(module_gallery: Refusals) -> AsyncIterator[Refusals]:
    """Afterwards the gallery holds exactly what it held before."""
    yield module_gallery
    assert await module_gallery.state() == module_gallery.before


def top_level(response: httpx.Response) -> list[tuple[str, list[str] | None]]:
    """Codes and fields of top-level errors, each of which has a sentence and the id of the request."""
    assert INSIDE.search(response.text) is None, response.text
    errors = response.json()["errors"]
    for error in errors:
        assert_sentence(error["message"])
        assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    return [(error["extensions"]["code"], error["extensions"].get("field")) for error in errors]


def user_errors(response: httpx.Response, *path: str | int) -> list[tuple[str, list[str] | None]]:
    """Codes and fields of the errors in a payload, each of which has a sentence."""
    assert INSIDE.search(response.text) is None, response.text
    payload: Any = data_of(response)
    for step in path:
        payload = payload[step]
    for error in payload["errors"]:
        assert_sentence(error["message"])
    return [(error["code"], error["field"]) for error in payload["errors"]]


def assert_sentence(message: str) -> None:
    assert re.fullmatch(r"[A-Z`\"'].{15,}", message, re.DOTALL), message


def mutation(field: str, kind: str) -> str:
    return f"mutation ($input: {kind}!) {{ {field}(input: $input) {{ errors {{ code message field }} }} }}"


# Ids


@pytest.mark.parametrize(
    ("field", "bad_id", "code"),
    [
        ("image", f"img_{NOTHING}", "NOT_FOUND"),
        ("tag", f"tag_{NOTHING}", "NOT_FOUND"),
        ("album", f"alb_{NOTHING}", "NOT_FOUND"),
        ("node", f"img_{NOTHING}", "NOT_FOUND"),
        ("image", f"tag_{NOTHING}", "INVALID_ID"),
        ("album", f"img_{NOTHING}", "INVALID_ID"),
        ("node", f"xyz_{NOTHING}", "INVALID_ID"),
        ("image", "", "INVALID_ID"),
        ("image", "42", "INVALID_ID"),
        ("image", "img_' OR 1=1 --", "INVALID_ID"),
        ("image", f"img_{NOTHING}\x00", "INVALID_ID"),
        ("tag", "x" * 5000, "INVALID_ID"),
    ],
)
async def test_id_of_nothing(gallery: Refusals, field: str, bad_id: str, code: str) -> None:
    response = await gallery.api.post(f"query ($id: ID!) {{ {field}(id: $id) {{ id }} }}", {"id": bad_id})

    assert response.status_code == 200
    assert response.json()["data"] == {field: None}
    assert top_level(response) == [(code, ["id"])]


async def test_nodes_that_exist_are_answered_beside_those_that_do_not(gallery: Refusals) -> None:
    ids = [f"alb_{NOTHING}", gallery.image_id, "nonsense"]

    response = await gallery.api.post("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids})

    assert response.json()["data"] == {"nodes": [None, {"id": gallery.image_id}, None]}
    assert top_level(response) == [("NOT_FOUND", ["id"]), ("INVALID_ID", ["id"])]


@pytest.mark.parametrize(
    ("field", "kind", "given", "expected"),
    [
        ("deleteImage", "DeleteImageInput", {"id": f"img_{NOTHING}"}, ("NOT_FOUND", ["id"])),
        ("deleteImage", "DeleteImageInput", {"id": f"alb_{NOTHING}"}, ("INVALID_ID", ["id"])),
        ("deleteTag", "DeleteTagInput", {"id": f"tag_{NOTHING}"}, ("NOT_FOUND", ["id"])),
        ("deleteAlbum", "DeleteAlbumInput", {"id": f"alb_{NOTHING}"}, ("NOT_FOUND", ["id"])),
        ("updateImage", "UpdateImageInput", {"id": f"img_{NOTHING}", "title": "New"}, ("NOT_FOUND", ["id"])),
        ("updateAlbum", "UpdateAlbumInput", {"id": "", "title": "New"}, ("INVALID_ID", ["id"])),
        (
            "addImagesToAlbum",
            "AddImagesToAlbumInput",
            {"albumId": f"alb_{NOTHING}", "imageIds": [f"img_{NOTHING}"]},
            ("NOT_FOUND", ["albumId"]),
        ),
        (
            "addImagesToAlbum",
            "AddImagesToAlbumInput",
            {"albumId": f"alb_{NOTHING}", "imageIds": [f"img_{NOTHING}", "x"]},
            ("INVALID_ID", ["imageIds", "1"]),
        ),
    ],
)
async def test_change_of_nothing(
    gallery: Refusals, field: str, kind: str, given: Mapping[str, object], expected: tuple[str, list[str] | None]
) -> None:
    response = await gallery.api.post(mutation(field, kind), {"input": given})

    assert user_errors(response, field) == [expected]


@pytest.mark.parametrize(
    ("field", "kind", "given", "place"),
    [
        ("tagImages", "TagImagesInput", {"imageIds": [f"img_{NOTHING}"] * 101, "tags": ["x"]}, "imageIds"),
        ("tagImages", "TagImagesInput", {"imageIds": [f"img_{NOTHING}"], "tags": ["x"] * 101}, "tags"),
        ("untagImages", "UntagImagesInput", {"imageIds": [f"img_{NOTHING}"] * 101, "tags": ["x"]}, "imageIds"),
        ("createAlbum", "CreateAlbumInput", {"title": "Full", "imageIds": [f"img_{NOTHING}"] * 101}, "imageIds"),
    ],
)
async def test_more_than_a_hundred(
    gallery: Refusals, field: str, kind: str, given: Mapping[str, object], place: str
) -> None:
    response = await gallery.api.post(mutation(field, kind), {"input": given})

    assert user_errors(response, field) == [("TOO_MANY_ITEMS", [place])]


async def test_more_than_a_hundred_nodes(gallery: Refusals) -> None:
    response = await gallery.api.post(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [gallery.image_id] * 101}
    )

    assert top_level(response) == [("TOO_MANY_ITEMS", ["ids"])]


async def test_image_that_does_not_exist_is_named_in_its_own_result(gallery: Refusals) -> None:
    document = """
    mutation ($input: UntagImagesInput!) {
      untagImages(input: $input) { results { id errors { code message field } } errors { code } }
    }
    """
    missing = f"img_{NOTHING}"

    response = await gallery.api.post(document, {"input": {"imageIds": [missing], "tags": ["unheard of"]}})

    assert data_of(response)["untagImages"]["errors"] == []
    assert data_of(response)["untagImages"]["results"][0]["id"] == missing
    assert user_errors(response, "untagImages", "results", 0) == [("NOT_FOUND", ["imageIds", "0"])]


# Pages


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("first: 0", ("INVALID_PAGE_SIZE", ["first"])),
        ("first: 101", ("INVALID_PAGE_SIZE", ["first"])),
        ("first: -1", ("INVALID_PAGE_SIZE", ["first"])),
        ("last: 0", ("INVALID_PAGE_SIZE", ["last"])),
        ("last: 101", ("INVALID_PAGE_SIZE", ["last"])),
        ("first: 1, last: 1", ("INVALID_PAGE_SIZE", ["last"])),
        ('after: "nonsense"', ("INVALID_CURSOR", ["after"])),
        ('after: ""', ("INVALID_CURSOR", ["after"])),
        ('before: "W10"', ("INVALID_CURSOR", ["before"])),
    ],
)
@pytest.mark.parametrize("field", ["images", "tags", "albums"])
async def test_page_that_cannot_be(
    gallery: Refusals, field: str, arguments: str, expected: tuple[str, list[str] | None]
) -> None:
    response = await gallery.api.post(f"{{ {field}({arguments}) {{ nodes {{ id }} }} }}")

    assert response.status_code == 200
    assert top_level(response) == [expected]


@pytest.mark.parametrize(
    "other",
    [
        "sort: { field: TITLE }",
        "sort: { field: UPLOADED_AT, direction: ASC }",
        'filter: { tags: ["Sea"] }',
        "filter: { contentTypes: [JPEG] }",
    ],
)
async def test_cursor_of_a_list_with_another_order_or_filter(gallery: Refusals, other: str) -> None:
    cursor = (await gallery.api.ask("{ images { pageInfo { endCursor } } }"))["images"]["pageInfo"]["endCursor"]

    again = await gallery.api.ask("query ($c: String) { images(after: $c) { nodes { id } } }", c=cursor)
    response = await gallery.api.post(
        f"query ($c: String) {{ images(after: $c, {other}) {{ nodes {{ id }} }} }}", {"c": cursor}
    )

    assert again == {"images": {"nodes": []}}
    assert top_level(response) == [("INVALID_CURSOR", ["after"])]


# Names


@pytest.mark.parametrize(
    "name", ["", " \t ", "bell\x07", "line\nbreak", "\u202eturned", "x" * 256, "\ud800"], ids=ascii
)
@pytest.mark.parametrize(
    ("field", "kind", "key", "rest"),
    [
        ("createTag", "CreateTagInput", "name", {}),
        ("createAlbum", "CreateAlbumInput", "title", {}),
        ("updateImage", "UpdateImageInput", "title", {"id": "IMAGE"}),
    ],
)
async def test_name_that_cannot_be(
    gallery: Refusals, field: str, kind: str, key: str, rest: Mapping[str, str], name: str
) -> None:
    given = dict.fromkeys(rest, gallery.image_id) | {key: name}
    body = json.dumps({"query": mutation(field, kind), "variables": {"input": given}})

    response = await gallery.api.http.post(
        "/graphql", content=body.encode("ascii"), headers={"Content-Type": "application/json"}
    )

    if name == "\ud800":  # half a character: no JSON that the gallery takes
        assert (response.status_code, top_level(response)) == (400, [("INVALID_JSON", None)])
    else:
        assert user_errors(response, field) == [("INVALID_NAME", [key])]


async def test_description_that_cannot_be(gallery: Refusals) -> None:
    for text in ("x" * 10_001, "bell\x07"):
        given = {"id": gallery.image_id, "description": text}
        response = await gallery.api.post(mutation("updateImage", "UpdateImageInput"), {"input": given})
        if len(text) > 10_000:  # larger than the request may be here
            assert (response.status_code, top_level(response)) == (413, [("REQUEST_TOO_LARGE", None)])
        else:
            assert user_errors(response, "updateImage") == [("INVALID_DESCRIPTION", ["description"])]


async def test_tag_that_exists_in_another_case(gallery: Refusals) -> None:
    response = await gallery.api.post(mutation("createTag", "CreateTagInput"), {"input": {"name": " sEA "}})

    assert user_errors(response, "createTag") == [("TAG_EXISTS", ["name"])]


async def test_bad_tag_among_good_ones_tags_nothing(gallery: Refusals) -> None:
    given = {"imageIds": [gallery.image_id], "tags": ["Harbour", ""]}

    response = await gallery.api.post(mutation("tagImages", "TagImagesInput"), {"input": given})

    assert user_errors(response, "tagImages") == [("INVALID_NAME", ["tags", "1"])]


# Files


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "FILE_EMPTY"),
        (b"no picture at all", "NOT_AN_IMAGE"),
        (b"%PDF-1.7\n" + bytes(1000), "NOT_AN_IMAGE"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "NOT_AN_IMAGE"),
        (b"\x7fELF" + bytes(1000), "NOT_AN_IMAGE"),
        (b"\xff\xd8\xff\xe0" + b"not really" * 100, "NOT_AN_IMAGE"),
        (HEIC, "UNSUPPORTED_TYPE"),
        (tiff(), "UNSUPPORTED_TYPE"),
        (truncated(jpeg()), "IMAGE_TRUNCATED"),
        (png_claiming(50_000, 50_000), "TOO_MANY_PIXELS"),
        (jpeg() + bytes(MAX_FILE_SIZE), "FILE_TOO_LARGE"),
        (jpeg() + bytes(40 * MAX_FILE_SIZE), "FILE_TOO_LARGE"),
    ],
    ids=[
        "empty",
        "text",
        "PDF",
        "SVG",
        "program",
        "header alone",
        "HEIC",
        "TIFF",
        "truncated",
        "bomb",
        "large",
        "huge",
    ],
)
async def test_file_that_is_no_image_to_keep(gallery: Refusals, content: bytes, code: str) -> None:
    response = await gallery.api.send_files(
        UPLOAD_IMAGE, {"input": {"file": None}}, {"0": (["variables.input.file"], "holiday.jpg", content)}
    )

    assert user_errors(response, "uploadImage") == [(code, ["file"])]
    assert data_of(response)["uploadImage"]["image"] is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"albumId": f"alb_{NOTHING}"}, ("NOT_FOUND", ["albumId"])),
        ({"albumId": "nonsense"}, ("INVALID_ID", ["albumId"])),
        ({"tags": ["Sea", ""]}, ("INVALID_NAME", ["tags", "1"])),
        ({"tags": ["x"] * 101}, ("TOO_MANY_ITEMS", ["tags"])),
        ({"title": ""}, ("INVALID_NAME", ["title"])),
        ({"description": "bell\x07"}, ("INVALID_DESCRIPTION", ["description"])),
    ],
)
async def test_good_file_with_bad_company(
    gallery: Refusals, given: Mapping[str, object], expected: tuple[str, list[str] | None]
) -> None:
    response = await gallery.api.send_files(
        UPLOAD_IMAGE,
        {"input": {"file": None, **given}},
        {"0": (["variables.input.file"], "holiday.jpg", jpeg(200, 100))},
    )

    assert user_errors(response, "uploadImage") == [expected]


async def test_file_that_is_not_in_the_request(gallery: Refusals) -> None:
    fields = {
        "operations": json.dumps({"query": UPLOAD_IMAGE, "variables": {"input": {"file": None}}}),
        "map": json.dumps({"0": ["variables.input.file"]}),
    }

    response = await gallery.api.http.post("/graphql", files={name: (None, text) for name, text in fields.items()})

    assert user_errors(response, "uploadImage") == [("FILE_MISSING", ["file"])]


async def test_more_files_than_a_request_may_have(gallery: Refusals) -> None:
    files = {str(index): ([f"variables.input.files.{index}"], "a.jpg", jpeg(100, 100 + index)) for index in range(6)}

    response = await gallery.api.send_files(UPLOAD_IMAGES, {"input": {"files": [None] * 6}}, files)

    assert (response.status_code, top_level(response)) == (413, [("TOO_MANY_FILES", None)])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"map": "{}"}, "INVALID_OPERATIONS"),
        ({"operations": "{", "map": "{}"}, "INVALID_OPERATIONS"),
        ({"operations": "[]", "map": "{}"}, "INVALID_OPERATIONS"),
        ({"operations": "{}"}, "INVALID_MAP"),
        ({"operations": "{}", "map": "x"}, "INVALID_MAP"),
        ({"operations": '{"query": "{ stats { imageCount } }"}', "map": '{"0": ["query"]}'}, "INVALID_MAP"),
        ({"operations": '{"query": "{ a }"}', "map": '{"0": ["variables.input.file"]}'}, "INVALID_MAP"),
    ],
)
async def test_multipart_request_that_breaks_the_specification(
    gallery: Refusals, fields: Mapping[str, str], code: str
) -> None:
    response = await gallery.api.http.post("/graphql", files={name: (None, text) for name, text in fields.items()})

    assert (response.status_code, top_level(response)) == (400, [(code, None)])


# Requests


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"{", "application/json", 400, "INVALID_JSON"),
        (b"", "application/json", 400, "INVALID_JSON"),
        (b"\xff\xfe", "application/json", 400, "INVALID_JSON"),
        (b"[]", "application/json", 400, "BAD_REQUEST"),
        (b"{}", "application/json", 400, "BAD_REQUEST"),
        (b'{"query": 1}', "application/json", 400, "BAD_REQUEST"),
        (b'{"query": "{ stats { imageCount } }", "variables": 1}', "application/json", 400, "BAD_REQUEST"),
        (b"{ stats { imageCount } }", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"query=1", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"{}", "multipart/form-data", 400, "INVALID_MULTIPART"),
        (b'{"query": "' + b"x" * 20_000 + b'"}', "application/json", 413, "REQUEST_TOO_LARGE"),
    ],
)
async def test_request_that_is_none(gallery: Refusals, content: bytes, media_type: str, status: int, code: str) -> None:
    response = await gallery.api.http.post("/graphql", content=content, headers={"Content-Type": media_type})

    assert (response.status_code, top_level(response)) == (status, [(code, None)])
    assert "data" not in response.json()


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ noSuchField }", "GRAPHQL_VALIDATION_FAILED"),
        ('{ images(first: "three") { totalCount } }', "GRAPHQL_VALIDATION_FAILED"),
        ("query A { stats { imageCount } } query B { stats { tagCount } }", "OPERATION_NAME_REQUIRED"),
        ("query { stats { imageCount } } query { stats { tagCount } }", "OPERATION_NAME_REQUIRED"),
        ("fragment F on Query { stats { imageCount } }", "OPERATION_NOT_FOUND"),
    ],
)
async def test_document_of_which_nothing_is_executed(gallery: Refusals, document: str, code: str) -> None:
    as_json = await gallery.api.post(document)
    as_graphql = await gallery.api.http.post(
        "/graphql", json={"query": document}, headers={"Accept": "application/graphql-response+json"}
    )

    assert (as_json.status_code, as_graphql.status_code) == (200, 400)
    for response in (as_json, as_graphql):
        assert top_level(response) == [(code, None)]
        assert "data" not in response.json()


async def test_variable_of_a_wrong_type(gallery: Refusals) -> None:
    response = await gallery.api.post("query ($id: ID!) { image(id: $id) { id } }", {"id": [1]})

    assert top_level(response) == [("BAD_USER_INPUT", None)]


async def test_mutation_by_get(gallery: Refusals) -> None:
    query = 'mutation { createTag(input: { name: "by get" }) { tag { id } } }'

    response = await gallery.api.http.get("/graphql", params={"query": query})

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert top_level(response) == [("METHOD_NOT_ALLOWED", None)]


async def test_requests_that_another_site_could_have_made(gallery: Refusals) -> None:
    operations = json.dumps({"query": 'mutation { createTag(input: { name: "forged" }) { tag { id } } }'})

    async with httpx.AsyncClient(base_url=gallery.api.http.base_url) as stranger:
        read = await stranger.get("/graphql", params={"query": "{ stats { imageCount } }"})
        sent = await stranger.post("/graphql", files={"operations": (None, operations), "map": (None, "{}")})

    for response in (read, sent):
        assert (response.status_code, top_level(response)) == (400, [("CSRF_HEADER_MISSING", None)])
        assert "Apollo-Require-Preflight" in response.json()["errors"][0]["message"]


async def test_host_that_is_not_the_gallerys(gallery: Refusals) -> None:
    response = await gallery.api.http.get("/graphql", headers={"Host": "evil.example"})

    assert (response.status_code, top_level(response)) == (421, [("HOST_NOT_ALLOWED", None)])


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/media/",
        "/media/../../etc/passwd",
        "/media/%2e%2e/%2e%2e/etc/passwd",
        f"/media/img_{NOTHING}/original.jpg",
        "/media/nonsense/original.jpg",
    ],
)
async def test_address_of_nothing(gallery: Refusals, path: str) -> None:
    response = await gallery.api.http.get(path)

    assert (response.status_code, top_level(response)) == (404, [("NOT_FOUND", None)])
