"""`gallery import --to` as people run it: a real process and a real server, and what happens when either is ended."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from gallery.platform.local_files import files_below
from tests.e2e.api import Api
from tests.e2e.gallery_server import GalleryServer, run_gallery, serving
from tests.e2e.places import Place
from tests.e2e.slow_uploads import LongFile
from tests.e2e.waiting import eventually
from tests.fault_proxy import FaultProxy
from tests.photographs import jpeg, png, real_photographs, webp

MEBIBYTE = 1024 * 1024
PART_BYTES = 8 * MEBIBYTE
LARGE_BYTES = 60 * MEBIBYTE
SLOWLY_SECONDS = 0.02
"""For every 64 KiB: a file of 60 MiB takes some seconds."""
NO_WORKER = {"GALLERY_WORKER__EMBEDDED": "false"}


@dataclass(frozen=True, slots=True)
class Lines:
    """A gallery behind a proxy for requests, and one for parts on their way to its storage."""

    place: Place
    server: GalleryServer
    api: Api
    to_gallery: FaultProxy
    to_storage: FaultProxy
    settings: Mapping[str, str]

    @property
    def sent_bytes(self) -> int:
        """What the client has sent on both."""
        return self.to_gallery.to_server_bytes + self.to_storage.to_server_bytes

    def forget(self) -> None:
        """Counts from nothing again, at full speed."""
        self.to_gallery.to_server_bytes = self.to_storage.to_server_bytes = 0
        self.to_storage.latency_seconds = 0

    async def import_to(self, photographs: Path, *options: str) -> tuple[int, str, str]:
        """Runs an import to its end: exit code, last line, and the lines about files."""
        address = self.to_gallery.url_of(self.server.url)
        ended = await run_gallery("import", photographs, "--to", address, *options, settings=self.settings)
        about_files = [line.strip() for line in ended.complaints.splitlines() if line.startswith("refused")]
        return ended.exit_code, ended.output.strip(), "\n".join(about_files)

    async def begin_import(self, photographs: Path, log: Path, *options: str) -> GalleryServer:
        """Starts an import."""
        address = self.to_gallery.url_of(self.server.url)
        return await GalleryServer.launch(log, photographs, "--to", address, *options, command="import")

    async def arrived_parts(self) -> int:
        """How many parts of open uploads are in the storage."""
        objects = self.place.objects
        found = 0
        async for page in objects.client.get_paginator("list_multipart_uploads").paginate(Bucket=objects.bucket):
            for upload in page.get("Uploads", []):
                listed = await objects.client.list_parts(
                    Bucket=objects.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
                found += len(listed.get("Parts", []))
        return found


@pytest.fixture
async def lines(place: Place, folder: Path) -> AsyncIterator[Lines]:
    async with AsyncExitStack() as stack:
        to_storage = await stack.enter_async_context(FaultProxy.to(place.objects.access.endpoint_url))
        settings = {
            **place.settings,
            **NO_WORKER,
            "GALLERY_STORAGE__PUBLIC_ENDPOINT_URL": to_storage.url_of(place.objects.access.endpoint_url),
        }
        port = free_port()
        server, api = await stack.enter_async_context(serving(folder / "log", "--port", str(port), settings=settings))
        to_gallery = await stack.enter_async_context(FaultProxy.to(server.url))
        yield Lines(place, server, api, to_gallery, to_storage, settings)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder with another in it: a dozen photographs, made-up ones where no real ones are at hand."""
    root = tmp_path / "photographs"
    (root / "inner").mkdir(parents=True)
    real = {path.name: path.read_bytes() for path in real_photographs()}
    made_up = {f"quarters {width}.jpg": jpeg(width, 900) for width in range(1200, 1210)}
    contents = real or {**made_up, "one.png": png(800, 600), "two.webp": webp()}
    for index, (name, content) in enumerate(contents.items()):
        (root / ("inner" if index % 2 else "") / name).write_bytes(content)
    return root


@pytest.fixture
def large(tmp_path: Path) -> tuple[Path, LongFile]:
    """A folder with one file of 60 MiB."""
    root, file = tmp_path / "large", LongFile(jpeg(), LARGE_BYTES)
    root.mkdir()
    with (root / "large.jpg").open("wb") as opened:
        opened.writelines(file.blocks())
    return root, file


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def stored(lines: Lines) -> list[tuple[int, str]]:
    """Size and checksum of every image."""
    found = await lines.api.ask("{ images(first: 100) { nodes { fileSize checksum } } }")
    return [(image["fileSize"], image["checksum"]) for image in found["images"]["nodes"]]


async def test_a_folder_is_imported_and_another_run_sends_nothing(lines: Lines, photographs: Path) -> None:
    sizes = [file.size_bytes for file in files_below(photographs)]
    count = len(sizes)
    (photographs / "notes.txt").write_text("no picture at all")

    first = await lines.import_to(photographs, "--tag", "sea", "--album", "Summer")
    sent_first = lines.sent_bytes
    keys = await lines.place.objects.keys()
    lines.forget()
    second = await lines.import_to(photographs, "--tag", "sea", "--album", "Summer")

    refused = "refused  notes.txt: The file is not an image. Send a JPEG, PNG, WebP, GIF or AVIF file."
    assert first == (1, f"{count} imported, 0 existing, 1 refused", refused)
    assert second == (1, f"0 imported, {count} existing, 1 refused", refused)
    assert sent_first > sum(sizes)
    assert lines.sent_bytes < 20_000
    assert await lines.place.objects.keys() == keys
    assert len(keys) == count
    seen = await lines.api.ask("{ tags { nodes { name imageCount } } albums { nodes { title imageCount } } }")
    assert seen == {
        "tags": {"nodes": [{"name": "sea", "imageCount": count}]},
        "albums": {"nodes": [{"title": "Summer", "imageCount": count}]},
    }


async def test_without_an_address_the_folder_goes_to_the_services_that_the_settings_name(
    lines: Lines, photographs: Path
) -> None:
    count = len(list(files_below(photographs)))
    (photographs / "notes.txt").write_text("no picture at all")

    ended = await run_gallery("import", photographs, settings=lines.settings)

    assert (ended.exit_code, ended.output) == (1, f"{count} imported, 0 existing, 1 refused\n")
    assert "refused  notes.txt: The file is not an image. Send a JPEG" in ended.complaints
    assert lines.sent_bytes == 0
    assert len(await stored(lines)) == count


async def test_a_large_file_goes_past_the_gallery(lines: Lines, large: tuple[Path, LongFile]) -> None:
    root, file = large

    assert await lines.import_to(root) == (0, "1 imported, 0 existing, 0 refused", "")

    assert await stored(lines) == [(LARGE_BYTES, file.checksum)]
    assert lines.to_storage.to_server_bytes > LARGE_BYTES
    assert lines.to_gallery.to_server_bytes < 20_000
    assert await lines.place.objects.open_uploads() == []


async def test_killed_in_the_middle_another_run_sends_only_the_rest(
    lines: Lines, large: tuple[Path, LongFile], folder: Path
) -> None:
    root, file = large
    lines.to_storage.latency_seconds = SLOWLY_SECONDS
    killed = await lines.begin_import(root, folder / "import.log")
    await eventually(lambda: _at_least(lines, 3))
    await killed.kill()
    lines.to_storage.reset_all()
    there = await lines.arrived_parts()
    assert await lines.place.count("images") == [0]
    lines.forget()

    assert await lines.import_to(root) == (0, "1 imported, 0 existing, 0 refused", "")

    rest_bytes = LARGE_BYTES - there * PART_BYTES
    assert rest_bytes < lines.to_storage.to_server_bytes < rest_bytes + 20_000
    assert await stored(lines) == [(LARGE_BYTES, file.checksum)]
    assert await lines.place.objects.open_uploads() == []
    assert len(await lines.place.objects.keys()) == 1


@pytest.mark.parametrize("way", ["stopped", "killed"])
async def test_a_gallery_that_is_started_again_in_the_middle_is_waited_for(
    way: str, lines: Lines, large: tuple[Path, LongFile], folder: Path
) -> None:
    root, file = large
    lines.to_storage.latency_seconds = SLOWLY_SECONDS
    importing = await lines.begin_import(root, folder / "import.log")
    await eventually(lambda: _at_least(lines, 1))
    port = lines.server.url.rpartition(":")[2]
    if way == "stopped":
        assert await lines.server.stop() == 0
    else:
        await lines.server.kill()
    lines.to_storage.latency_seconds = 0
    await eventually(lambda: _waits(importing))

    async with serving(folder / "log", "--port", port, settings=lines.settings):
        assert await importing.ended() == 0, importing.log_text()
        assert await importing.first_line() == "1 imported, 0 existing, 0 refused"
        assert await stored(lines) == [(LARGE_BYTES, file.checksum)]

    assert LARGE_BYTES < lines.to_storage.to_server_bytes < LARGE_BYTES + 3 * PART_BYTES


async def test_a_storage_that_is_gone_in_the_middle_is_waited_for(
    lines: Lines, large: tuple[Path, LongFile], folder: Path
) -> None:
    root, file = large
    lines.to_storage.latency_seconds = SLOWLY_SECONDS
    importing = await lines.begin_import(root, folder / "import.log")
    await eventually(lambda: _at_least(lines, 1))
    await lines.to_storage.refuse()
    await eventually(lambda: _waits(importing))
    await lines.to_storage.heal()

    assert await importing.ended() == 0, importing.log_text()

    assert await stored(lines) == [(LARGE_BYTES, file.checksum)]


async def test_a_gallery_that_does_not_come_back_is_given_up(photographs: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"

    ended = await run_gallery("import", photographs, "--to", address, "--patience", "0")

    assert ended.exit_code == 1
    [line] = [line for line in ended.complaints.splitlines() if line.startswith("gallery: ")]
    assert line == (
        f"gallery: {address} does not answer as it should: Connection refused. "
        "Gave up after 0 seconds; what has arrived stays: start again later."
    )
    assert "Traceback" not in ended.complaints


async def test_what_is_no_address_is_told_before_anything_is_read(photographs: Path) -> None:
    ended = await run_gallery("import", photographs, "--to", "photos.example")

    message = "gallery: photos.example is no address of a gallery; --to takes one such as https://photos.example\n"
    assert (ended.exit_code, ended.output, ended.complaints) == (2, "", message)


async def _at_least(lines: Lines, parts: int) -> bool:
    return await lines.arrived_parts() >= parts


async def _waits(importing: GalleryServer) -> bool:
    return "waiting  " in importing.log_text()
