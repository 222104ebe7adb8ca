"""The client against a gallery that fails as it is told: what is sent again, what is not, and what is given up."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from gallery.client.api import GalleryApi
from gallery.client.errors import GaveUpError, UnexpectedAnswerError
from gallery.client.http import http_session
from gallery.client.importing import FileResult, Import, Outcome
from gallery.client.patience import Patience
from gallery.client.sending import SaidOfAll
from gallery.platform.local_files import LocalFile, files_below
from tests.fakes.remote_gallery import PART_SIZE_BYTES, RemoteGallery
from tests.photographs import jpeg

LARGE_BYTES = 3 * PART_SIZE_BYTES + 1000


class Heard:
    """What the client told."""

    def __init__(self) -> None:
        self.moved_bytes = 0
        self.results: list[FileResult] = []

    def moved(self, size_bytes: int) -> None:
        self.moved_bytes += size_bytes

    def done(self, result: FileResult) -> None:
        self.results.append(result)

    @property
    def outcomes(self) -> list[Outcome]:
        return [result.outcome for result in self.results]


@pytest.fixture
async def remote() -> AsyncIterator[RemoteGallery]:
    gallery = RemoteGallery()
    async with gallery.serving():
        yield gallery


async def run(
    remote: RemoteGallery, folder: Path, said: SaidOfAll | None = None, *, path: str = "/graphql", patience: float = 60
) -> Heard:
    """Imports the folder."""
    return await send(remote, *files_below(folder), said=said, path=path, patience=patience)


async def send(
    remote: RemoteGallery,
    *files: LocalFile,
    said: SaidOfAll | None = None,
    path: str = "/graphql",
    patience: float = 60,
    token: str | None = None,
) -> Heard:
    """Imports the files; afterwards all their bytes are accounted for."""
    heard = Heard()
    async with http_session() as session:
        api = GalleryApi(session, URL(remote.url + path), Patience(patience), token)
        await Import(api, said or SaidOfAll(), heard, parallel=2).run(files)
    assert heard.moved_bytes == sum(file.size_bytes for file in files)
    return heard


def large(folder: Path) -> bytes:
    """A photograph of four parts, and its content."""
    content = jpeg() + os.urandom(LARGE_BYTES)
    content = content[:LARGE_BYTES]
    (folder / "large.jpg").write_bytes(content)
    return content


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# Who sends


async def test_a_token_is_shown_to_the_gallery_and_never_to_its_storage(remote: RemoteGallery, tmp_path: Path) -> None:
    large(tmp_path)
    (tmp_path / "small.jpg").write_bytes(b"small")

    await send(remote, *files_below(tmp_path), token="gal_secret")

    assert remote.shown.pop("PUT") == {None}
    assert {"ImagesByChecksums", "UploadImage", "CreateUpload", "CompleteUpload"} <= remote.shown.keys()
    assert set().union(*remote.shown.values()) == {"Bearer gal_secret"}


# What is there


async def test_what_is_there_is_not_sent(remote: RemoteGallery, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"there")
    image_id = remote.holds(b"there")

    heard = await run(remote, tmp_path)

    assert [(result.outcome, result.image_id) for result in heard.results] == [(Outcome.EXISTING, image_id)]
    assert remote.heard == ["ImagesByChecksums"]
    assert remote.received_bytes == 0


async def test_what_is_there_gets_the_tags_and_the_album_all_at_once(remote: RemoteGallery, tmp_path: Path) -> None:
    ids = []
    for name in ("a", "b"):
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
        ids.append(remote.holds(name.encode()))

    await run(remote, tmp_path, SaidOfAll(tags=("sea",), album_id="alb_1"))

    assert remote.heard == ["ImagesByChecksums", "TagImages", "AddImagesToAlbum"]
    assert remote.inputs[1:] == [
        {"imageIds": ids, "tags": ["sea"]},
        {"albumId": "alb_1", "imageIds": ids},
    ]


async def test_the_same_bytes_twice_are_sent_once(remote: RemoteGallery, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"the same")

    heard = await run(remote, tmp_path)

    assert heard.outcomes == [Outcome.IMPORTED, Outcome.EXISTING]
    assert remote.heard_of("UploadImage") == 1


# Small files


async def test_a_small_file_takes_one_request(remote: RemoteGallery, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"small")

    heard = await run(remote, tmp_path, SaidOfAll(tags=("sea",), album_id="alb_1"))

    assert heard.outcomes == [Outcome.IMPORTED]
    assert remote.heard == ["ImagesByChecksums", "UploadImage"]
    key = remote.inputs[1].pop("idempotencyKey")
    assert key.startswith("import-")
    assert remote.inputs[1] == {"file": None, "tags": ["sea"], "albumId": "alb_1"}
    assert remote.images == {digest(b"small"): "img_0"}


@pytest.mark.parametrize("failure", [503, 502, 504, 500, None, "SERVICE_UNAVAILABLE", "IDEMPOTENCY_KEY_IN_USE"])
async def test_a_small_file_is_sent_again_with_its_key(
    failure: int | str | None, remote: RemoteGallery, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"small")
    remote.instead["UploadImage"].append(failure)

    heard = await run(remote, tmp_path)

    assert heard.outcomes == [Outcome.IMPORTED]
    assert remote.heard == ["ImagesByChecksums", "UploadImage", "UploadImage"]
    assert remote.received_bytes == 2 * len(b"small")


async def test_a_gallery_that_wants_to_know_who_asks_is_to_be_shown_a_token(
    remote: RemoteGallery, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"small")
    error = {"message": "Say who you are.", "extensions": {"code": "UNAUTHENTICATED"}}
    remote.instead["ImagesByChecksums"].append({"errors": [error]})

    with pytest.raises(UnexpectedAnswerError, match="set GALLERY_CLIENT__TOKEN"):
        await run(remote, tmp_path)


async def test_a_refused_file_says_why_and_stops_no_other(remote: RemoteGallery, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"no picture")
    (tmp_path / "b.jpg").write_bytes(b"a picture")
    remote.instead["UploadImage"].append("NOT_AN_IMAGE")

    heard = await run(remote, tmp_path)

    assert sorted(heard.outcomes) == [Outcome.IMPORTED, Outcome.REFUSED]
    assert [result.reason for result in heard.results if result.reason] == ["It is NOT_AN_IMAGE."]
    assert remote.heard_of("UploadImage") == 2


async def test_a_file_that_cannot_be_read_is_refused(remote: RemoteGallery, tmp_path: Path) -> None:
    heard = await send(remote, LocalFile(tmp_path / "gone.jpg", 10))

    assert heard.outcomes == [Outcome.REFUSED]
    assert heard.results[0].reason == "The file cannot be read: No such file or directory."
    assert remote.heard == []


@pytest.mark.parametrize("size_bytes", [1000, LARGE_BYTES])
async def test_a_file_that_becomes_shorter_meanwhile_is_refused(
    size_bytes: int, remote: RemoteGallery, tmp_path: Path
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg()[:500])

    heard = await send(remote, LocalFile(path, size_bytes))

    assert heard.outcomes == [Outcome.REFUSED]
    assert heard.results[0].reason == "The file cannot be read: it has become shorter."
    assert remote.images == {}


# Large files


async def test_a_large_file_goes_to_the_storage_in_parts(remote: RemoteGallery, tmp_path: Path) -> None:
    content = large(tmp_path)

    heard = await run(remote, tmp_path, SaidOfAll(tags=("sea",)))

    assert heard.outcomes == [Outcome.IMPORTED]
    assert remote.received_bytes == len(content)
    assert (remote.heard_of("PUT"), remote.urls_made) == (4, 4)
    assert remote.uploads["upl_0"].content() == content
    announced = dict(remote.uploads["upl_0"].given)
    assert announced.pop("idempotencyKey").startswith("import-")
    assert announced == {
        "filename": "large.jpg",
        "fileSize": len(content),
        "contentType": "image/jpeg",
        "checksum": digest(content),
        "tags": ["sea"],
        "albumId": None,
    }


async def test_another_run_sends_only_what_is_missing(remote: RemoteGallery, tmp_path: Path) -> None:
    content = large(tmp_path)
    remote.instead["PUT"].extend([400, 400, 400])
    with pytest.raises(UnexpectedAnswerError):
        await run(remote, tmp_path)
    [upload] = remote.uploads.values()
    upload.parts = {1: content[:PART_SIZE_BYTES], 2: b"cut off"}
    remote.instead["PUT"].clear()
    remote.received_bytes = 0

    heard = await run(remote, tmp_path)

    assert heard.outcomes == [Outcome.IMPORTED]
    assert list(remote.uploads) == ["upl_0"]
    assert remote.received_bytes == len(content) - PART_SIZE_BYTES
    assert upload.content() == content


@pytest.mark.parametrize("failure", [403, 503, 500, None])
async def test_a_part_is_sent_again_to_a_new_address(
    failure: int | None, remote: RemoteGallery, tmp_path: Path
) -> None:
    content = large(tmp_path)
    remote.instead["PUT"].append(failure)

    heard = await run(remote, tmp_path)

    assert heard.outcomes == [Outcome.IMPORTED]
    assert (remote.heard_of("PUT"), remote.urls_made) == (5, 5)
    assert remote.uploads["upl_0"].content() == content


async def test_an_upload_that_is_gone_is_begun_anew_under_another_key(remote: RemoteGallery, tmp_path: Path) -> None:
    content = large(tmp_path)
    remote.instead["CreateUpload"].append("NOT_FOUND")

    heard = await run(remote, tmp_path)

    assert heard.outcomes == [Outcome.IMPORTED]
    first, second = (given["idempotencyKey"] for given in remote.inputs if "idempotencyKey" in given)
    assert first.startswith("import-")
    assert not second.startswith("import-")
    assert remote.received_bytes == len(content)


async def test_an_upload_that_another_run_has_completed_is_not_sent_again(
    remote: RemoteGallery, tmp_path: Path
) -> None:
    content = large(tmp_path)
    remote.instead["CompleteUpload"].append(400)
    with pytest.raises(UnexpectedAnswerError):
        await run(remote, tmp_path)
    [upload] = remote.uploads.values()
    upload.completed = True

    heard = await run(remote, tmp_path)

    assert heard.outcomes == [Outcome.IMPORTED]
    assert remote.received_bytes == len(content)


async def test_an_upload_that_another_run_completes_meanwhile_is_that_one(
    remote: RemoteGallery, tmp_path: Path
) -> None:
    remote.completed_by_another = large(tmp_path)

    heard = await run(remote, tmp_path)

    assert heard.outcomes == [Outcome.IMPORTED]
    assert (remote.heard_of("CompleteUpload"), remote.received_bytes) == (1, 0)


async def test_parts_that_got_lost_are_sent_again(remote: RemoteGallery, tmp_path: Path) -> None:
    content = large(tmp_path)
    remote.instead["CompleteUpload"].append("UPLOAD_INCOMPLETE")

    heard = await run(remote, tmp_path)

    assert heard.outcomes == [Outcome.IMPORTED]
    assert remote.heard_of("Upload") == 2
    assert remote.received_bytes == len(content)


async def test_parts_that_get_lost_again_and_again_are_given_up(remote: RemoteGallery, tmp_path: Path) -> None:
    large(tmp_path)
    remote.instead["CompleteUpload"].extend(["UPLOAD_INCOMPLETE"] * 3)

    heard = await run(remote, tmp_path)

    assert heard.outcomes == [Outcome.REFUSED]
    assert remote.heard_of("CompleteUpload") == 3
    assert heard.results[0].reason == "It was sent 3 times, and parts of it are still missing in the storage."


async def test_a_large_file_that_is_no_image_is_not_sent(remote: RemoteGallery, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_bytes(bytes(9 * 1024 * 1024))

    heard = await run(remote, tmp_path)

    assert heard.outcomes == [Outcome.REFUSED]
    assert heard.results[0].reason == "The file is not an image. Send a JPEG, PNG, WebP, GIF or AVIF file."
    assert remote.heard == ["ImagesByChecksums"]


# The other side


async def test_a_gallery_that_does_not_come_back_is_given_up(remote: RemoteGallery, tmp_path: Path) -> None:
    large(tmp_path)
    remote.instead["ImagesByChecksums"].extend([503] * 100)

    with pytest.raises(GaveUpError) as gave_up:
        await run(remote, tmp_path, patience=0.3)

    assert str(gave_up.value) == (
        f"{remote.url} answers with 503 Service Unavailable. Gave up after 0.3 seconds; what has arrived stays: "
        "start again later."
    )
    assert 2 <= remote.heard_of("ImagesByChecksums") < 10
    assert remote.received_bytes == 0


async def test_nobody_at_the_address_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"small")
    gallery = RemoteGallery()
    async with gallery.serving():
        pass
    heard: list[Heard] = []

    async def importing() -> None:
        heard.append(await run(gallery, tmp_path))

    waiting = asyncio.create_task(importing())
    await asyncio.sleep(0.3)
    async with gallery.serving(port=int(gallery.url.rpartition(":")[2])):
        await waiting

    assert heard[0].outcomes == [Outcome.IMPORTED]


async def test_another_server_is_told_from_a_gallery_at_once(remote: RemoteGallery, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"small")

    with pytest.raises(UnexpectedAnswerError, match="is no gallery: it answers with 404 Not Found, and not in JSON"):
        await run(remote, tmp_path, path="/nothing")
