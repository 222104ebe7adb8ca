"""What is left in PostgreSQL and S3 of uploads over a real socket: all of those that were taken, nothing of others."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from hashlib import sha256

import pytest
from pydantic import SecretStr
from types_aiobotocore_s3.client import S3Client

from gallery.container import Container, open_container
from gallery.settings import CacheSettings, DatabaseSettings, Settings, UploadSettings
from gallery.web.app import WebParts, create_web_app
from tests import photographs
from tests.graphql_server import Reply, listening
from tests.integration.stored_uploads import (
    HEAD_BYTES,
    JPEG,
    MEBIBYTE,
    MULTIPART_BYTES,
    StoredUploads,
    long_jpeg,
)
from tests.multipart_bodies import END, UPLOAD, UPLOAD_SEVERAL, file_map, operations, part, several
from tests.services import S3Access

MAX_FILE_SIZE = 12 * MEBIBYTE
LIMITS = UploadSettings(
    max_file_size=MAX_FILE_SIZE,
    max_files=4,
    max_request_size=32 * MEBIBYTE,
    max_pixels=1_000_000,
    claim_timeout_seconds=0.5,
    progress_timeout_seconds=3,
)
ONE = operations() + file_map()


@pytest.fixture
async def settings(database_url: str, bucket: str, s3: S3Access) -> Settings:
    return Settings(
        database=DatabaseSettings(url=SecretStr(database_url)),
        storage=s3.settings(bucket),
        cache=CacheSettings(enabled=False),
        uploads=LIMITS,
    )


def parts_of(container: Container) -> WebParts:
    return WebParts(
        use_cases=container.use_cases,
        storage=container.storage,
        checks=container.checks,
        settings=container.settings,
    )


@pytest.fixture
async def gallery(
    settings: Settings, database_url: str, s3_client: S3Client, bucket: str
) -> AsyncIterator[StoredUploads]:
    async with open_container(settings) as container, listening() as listener:
        app = create_web_app(parts_of(container))
        listener.app = app
        async with app.router.lifespan_context(app):
            yield StoredUploads(listener.port, database_url, s3_client, bucket)
        await container.use_cases.uploads.settle()


# Files, all larger than what is looked at before they are stored


def long_png() -> bytes:
    png = photographs.png()
    return png[:-12] + photographs.png_chunk(b"teXt", b"x" * 2 * HEAD_BYTES) + png[-12:]


def long_gif() -> bytes:
    comment = b"\x21\xfe" + (b"\xff" + b"x" * 255) * (2 * HEAD_BYTES // 256) + b"\x00"
    return photographs.gif()[:-1] + comment + b"\x3b"


def long_webp() -> bytes:
    webp = photographs.webp() + struct.pack("<4sI", b"junk", 2 * HEAD_BYTES) + bytes(2 * HEAD_BYTES)
    return webp[:4] + struct.pack("<I", len(webp) - 8) + webp[8:]


def long_avif() -> bytes:
    return photographs.avif() + struct.pack(">I4s", 2 * HEAD_BYTES, b"free") + bytes(2 * HEAD_BYTES - 8)


LONG_FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": long_jpeg,
    "jpeg of several parts": lambda: long_jpeg(MULTIPART_BYTES),
    "png": long_png,
    "gif": long_gif,
    "webp": long_webp,
    "avif": long_avif,
}


def errors_of(reply: Reply) -> list[str]:
    """The codes that `uploadImage` gives for its file."""
    return [error["code"] for error in reply.json["data"]["uploadImage"]["errors"]]


def both_errors_of(reply: Reply) -> list[list[str]]:
    """The codes that `uploadImages` gives for each file."""
    results = reply.json["data"]["uploadImages"]["results"]
    return [[error["code"] for error in result["errors"]] for result in results]


# What is taken


@pytest.mark.parametrize("kind", LONG_FILES)
async def test_whole_image_is_stored_as_it_came(gallery: StoredUploads, kind: str) -> None:
    content = LONG_FILES[kind]()
    reply = await gallery.post(ONE + part("0", content, filename="a") + END)

    assert (reply.status, errors_of(reply)) == (200, [])
    assert await gallery.hold(content)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_files_of_a_list_may_come_in_any_order(gallery: StoredUploads, order: tuple[int, ...]) -> None:
    contents = [long_jpeg(), long_png(), long_gif()]
    reply = await gallery.post(several(3) + b"".join(part(str(name), contents[name]) for name in order) + END)

    results = reply.json["data"]["uploadImages"]["results"]
    assert [result["image"]["checksum"] for result in results] == [sha256(content).hexdigest() for content in contents]
    assert await gallery.hold(*contents)


async def test_files_of_several_fields_are_stored(gallery: StoredUploads) -> None:
    query = """
    mutation ($a: Upload!, $b: Upload!, $rest: UploadImagesInput!) {
      first: uploadImage(input: { file: $a }) { image { checksum } }
      second: uploadImage(input: { file: $b }) { image { checksum } }
      others: uploadImages(input: $rest) { results { image { checksum tags { name } } } }
    }
    """
    contents = [long_jpeg(), long_png(), long_gif(), long_webp()]
    paths = ["variables.a", "variables.b", "variables.rest.files.0", "variables.rest.files.1"]
    body = operations(query, {"a": None, "b": None, "rest": {"files": [None, None], "tags": ["Sea"]}})
    body += file_map({str(name): [path] for name, path in enumerate(paths)})
    reply = await gallery.post(body + b"".join(part(str(name), file) for name, file in enumerate(contents)) + END)

    one, two, three, four = [sha256(content).hexdigest() for content in contents]
    tags = [{"name": "Sea"}]
    assert reply.json["data"] == {
        "first": {"image": {"checksum": one}},
        "second": {"image": {"checksum": two}},
        "others": {
            "results": [{"image": {"checksum": three, "tags": tags}}, {"image": {"checksum": four, "tags": tags}}]
        },
    }
    assert await gallery.hold(*contents)


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('form-data; name="0"', "unnamed"),
        ('form-data; name="0"; filename=""', "unnamed"),
        ('form-data; name="0"; filename="höhe 高 🏔.jpg"', "höhe 高 🏔.jpg"),
        ('form-data; name="0"; filename="x.jpg"; filename*=UTF-8\'\'h%C3%B6he%20%E9%AB%98.jpg', "höhe 高.jpg"),
        ("form-data; name=\"0\"; filename*=UTF-8''%FF%FE.jpg", "\ufffd\ufffd.jpg"),
        ('form-data; name="0"; filename="../../etc/passwd"', "passwd"),
        ("form-data; name=\"0\"; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd%00.jpg", "passwd.jpg"),
        ("form-data; name=\"0\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b.jpg", "aSet-Cookie: b.jpg"),
        ("form-data; name=\"0\"; filename*=UTF-8''gpj.%E2%80%AEexe.jpg", "gpj.exe.jpg"),
        ('form-data; name="0"; filename="' + "n" * 300 + '.jpg"', "n" * 251 + ".jpg"),
        ('form-data; name="0"; filename="..."', "unnamed"),
        ('form-data; name="0"; filename="<script>alert(1)</script>"', "script>"),
    ],
)
async def test_name_of_a_file_is_kept_as_far_as_it_is_one(
    gallery: StoredUploads, disposition: str, filename: str
) -> None:
    reply = await gallery.post(ONE + part("0", JPEG, disposition=disposition) + END)

    assert reply.json["data"]["uploadImage"]["image"]["originalFilename"] == filename
    assert await gallery.hold(JPEG)


# Files of which nothing is kept


@pytest.mark.parametrize("kind", LONG_FILES)
async def test_image_that_ends_early_leaves_nothing(gallery: StoredUploads, kind: str) -> None:
    reply = await gallery.post(ONE + part("0", LONG_FILES[kind]()[:-1], filename="a") + END)

    assert (reply.status, errors_of(reply)) == (200, ["IMAGE_TRUNCATED"])
    assert await gallery.hold()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", "FILE_EMPTY", id="empty"),
        pytest.param(JPEG[:-1], "IMAGE_TRUNCATED", id="small and truncated"),
        pytest.param(b"Dear gallery, " * 10_000, "NOT_AN_IMAGE", id="text"),
        pytest.param(photographs.tiff() + bytes(100_000), "UNSUPPORTED_TYPE", id="tiff"),
        pytest.param(photographs.png_claiming(1001, 1000), "TOO_MANY_PIXELS", id="too many pixels"),
        pytest.param(long_jpeg(MAX_FILE_SIZE + 1), "FILE_TOO_LARGE", id="one byte too large"),
        pytest.param(long_jpeg(MAX_FILE_SIZE + 3 * MEBIBYTE), "FILE_TOO_LARGE", id="much too large"),
    ],
)
@pytest.mark.parametrize("company", [(), (long_jpeg(),)], ids=["alone", "in company"])
async def test_file_that_is_refused_leaves_nothing(
    gallery: StoredUploads, content: bytes, code: str, company: tuple[bytes, ...]
) -> None:
    files = [content, *company]
    reply = await gallery.post(
        several(len(files)) + b"".join(part(str(name), file) for name, file in enumerate(files)) + END
    )

    assert (reply.status, both_errors_of(reply)) == (200, [[code], *([] for _ in company)])
    assert await gallery.hold(*company)


async def test_file_of_the_largest_size_is_stored(gallery: StoredUploads) -> None:
    content = long_jpeg(MAX_FILE_SIZE)
    reply = await gallery.post(ONE + part("0", content) + END)

    assert errors_of(reply) == []
    assert await gallery.hold(content)


# Requests of which nothing is kept


FILE = part("0", long_jpeg(), filename="a.jpg")
UNKNOWN_FIELD = operations("mutation ($file: Upload!) { nothing(file: $file) }")


@pytest.mark.parametrize(
    ("body", "headers", "status", "codes"),
    [
        pytest.param(file_map() + FILE + END, {}, 400, ["INVALID_OPERATIONS"], id="no operations"),
        pytest.param(operations() + FILE + END, {}, 400, ["INVALID_MAP"], id="no map"),
        pytest.param(FILE + ONE + END, {}, 400, ["INVALID_OPERATIONS"], id="file first"),
        pytest.param(operations() + FILE + file_map() + END, {}, 400, ["INVALID_MAP"], id="map too late"),
        pytest.param(UNKNOWN_FIELD + file_map() + FILE + END, {}, 200, ["GRAPHQL_VALIDATION_FAILED"], id="no field"),
        pytest.param(several(5) + FILE + END, {}, 413, ["TOO_MANY_FILES"], id="too many files"),
        pytest.param(ONE + FILE + END, {"X-GraphQL-CSRF": ""}, 400, ["CSRF_HEADER_MISSING"], id="no header"),
        pytest.param(
            ONE + FILE + END, {"Content-Length": str(33 * MEBIBYTE)}, 413, ["REQUEST_TOO_LARGE"], id="too large"
        ),
    ],
)
async def test_request_that_is_refused_leaves_nothing(
    gallery: StoredUploads, body: bytes, headers: dict[str, str], status: int, codes: list[str]
) -> None:
    async with gallery.connection(**{"Content-Length": str(len(body)), **headers}) as connection:
        await connection.send(body)
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (status, codes)
    assert await gallery.hold()


async def test_file_that_the_body_lacks_does_not_stop_the_others(gallery: StoredUploads) -> None:
    reply = await gallery.post(several(3) + part("2", long_png()) + part("0", long_jpeg()) + END)

    assert both_errors_of(reply) == [[], ["FILE_MISSING"], []]
    assert await gallery.hold(long_jpeg(), long_png())


async def test_extra_parts_and_second_parts_of_a_name_are_not_stored(gallery: StoredUploads) -> None:
    body = ONE + part("7", long_gif()) + part("0", long_jpeg()) + part("0", long_png()) + part("8", long_webp())
    reply = await gallery.post(body + END)

    assert errors_of(reply) == []
    assert await gallery.hold(long_jpeg())


async def test_thousands_of_tiny_parts_are_refused_after_the_first_few(gallery: StoredUploads) -> None:
    async with asyncio.timeout(60):
        reply = await gallery.post(ONE + FILE + part("9", b"x") * 20_000 + END)

    assert (reply.status, reply.codes) == (413, ["TOO_MANY_FILES"])
    assert errors_of(reply) == []
    assert await gallery.hold(long_jpeg())


async def test_large_files_that_are_needed_in_another_order_leave_nothing(gallery: StoredUploads) -> None:
    query = """
    mutation ($a: Upload!, $b: Upload!) {
      first: uploadImage(input: { file: $a }) { errors { code } }
      second: uploadImage(input: { file: $b }) { errors { code } }
    }
    """
    body = operations(query, {"a": None, "b": None}) + file_map({"0": ["variables.a"], "1": ["variables.b"]})
    large = part("1", long_jpeg(MULTIPART_BYTES))
    reply = await gallery.post(body + large + part("0", long_png()) + END)

    refused = {"errors": [{"code": "UPLOAD_ORDER"}]}
    assert reply.json["data"] == {"first": refused, "second": refused}
    assert await gallery.hold()


# Clients that do not get to the end


BEGUN = ONE + part("0", long_jpeg(MULTIPART_BYTES))[: -MEBIBYTE // 2]
ANNOUNCED = str(len(BEGUN) + MEBIBYTE)


async def test_body_that_is_cut_short_leaves_nothing(gallery: StoredUploads) -> None:
    reply = await gallery.post(BEGUN)

    assert (reply.status, reply.codes) == (400, ["INVALID_MULTIPART"])
    assert errors_of(reply) == ["UPLOAD_INTERRUPTED"]
    assert await gallery.hold()


async def test_client_that_stops_sending_leaves_nothing(gallery: StoredUploads) -> None:
    async with gallery.connection(Content_Length=ANNOUNCED) as connection:
        await connection.send(BEGUN)
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (408, ["REQUEST_STALLED"])
    assert errors_of(reply) == ["UPLOAD_STALLED"]
    assert await gallery.hold()


@pytest.mark.parametrize("leave", ["abort", "end_sending"])
async def test_client_that_goes_away_leaves_nothing(gallery: StoredUploads, leave: str) -> None:
    async with gallery.connection(Content_Length=ANNOUNCED) as connection:
        await connection.send(BEGUN)
        await gallery.have_begun()
        getattr(connection, leave)()
        assert await gallery.come_to_hold_nothing()


async def test_chunked_body_that_grows_too_large_leaves_nothing(gallery: StoredUploads) -> None:
    body = operations(UPLOAD_SEVERAL, {"files": [None, None, None]})
    body += file_map({str(name): [f"variables.files.{name}"] for name in range(3)})
    body += b"".join(part(str(name), long_jpeg(MAX_FILE_SIZE - name)) for name in range(3)) + END
    async with gallery.connection(Transfer_Encoding="chunked") as connection:
        for start in range(0, len(body), MEBIBYTE):
            await connection.send_chunk(body[start : start + MEBIBYTE])
        await connection.send_chunk(b"")
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (413, ["REQUEST_TOO_LARGE"])
    assert both_errors_of(reply) == [[], [], ["UPLOAD_INTERRUPTED"]]
    assert await gallery.hold(long_jpeg(MAX_FILE_SIZE), long_jpeg(MAX_FILE_SIZE - 1))


async def test_mutation_without_a_file_in_its_variable_leaves_nothing(gallery: StoredUploads) -> None:
    reply = await gallery.post(operations(UPLOAD, {"file": None}) + file_map({}) + FILE + END)

    assert (reply.status, reply.codes) == (200, ["BAD_USER_INPUT"])
    assert await gallery.hold()
