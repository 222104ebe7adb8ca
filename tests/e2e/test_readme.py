"""The commands of README.md are run as they stand there; only the server's address is another."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.api import Api
from tests.e2e.gallery_server import ROOT, GalleryServer
from tests.photographs import jpeg

ADDRESS = "http://127.0.0.1:8000"
LIMIT_SECONDS = 60

UPLOAD = "image { id title url processing }"
LIST = "--data-urlencode query="
REPEATED = "Idempotency-Key"
STAGED = "createUpload"


def curl_blocks() -> list[str]:
    """The console blocks that use curl, as scripts."""
    blocks = re.findall(r"^```console\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in blocks if "curl" in block]


@dataclass(frozen=True, slots=True)
class Shell:
    """A folder with the files that the commands name."""

    folder: Path
    server: GalleryServer
    sunset: bytes
    panorama: bytes

    async def run(self, mark: str) -> str:
        """What the block with this mark in it prints."""
        [script] = [block for block in curl_blocks() if mark in block]
        assert ADDRESS in script
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-euc",
            script.replace(ADDRESS, self.server.url),
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                output, complaints = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, complaints.decode()
        return output.decode()


@pytest.fixture
def shell(server: GalleryServer, tmp_path: Path) -> Shell:
    sunset = jpeg() + uuid.uuid4().bytes
    panorama = jpeg() + bytes(12 * 1024 * 1024) + uuid.uuid4().bytes
    (tmp_path / "sunset.jpg").write_bytes(sunset)
    (tmp_path / "panorama.jpg").write_bytes(panorama)
    return Shell(tmp_path, server, sunset, panorama)


def data_in(output: str) -> dict[str, Any]:
    """The data of an answer without errors."""
    answer = json.loads(output)
    assert "errors" not in answer
    data: dict[str, Any] = answer["data"]
    return data


def answer_and_events(output: str) -> tuple[str, list[str]]:
    """An answer in JSON, which no line end follows, and the lines of an event stream behind it."""
    _, end = json.JSONDecoder().raw_decode(output)
    return output[:end], output[end:].splitlines()


def test_every_block_is_run_here() -> None:
    marks = (UPLOAD, LIST, REPEATED, STAGED)

    assert [[mark for mark in marks if mark in block] for block in curl_blocks()] == [[mark] for mark in marks]


async def test_photograph_is_uploaded_with_a_tag_and_listed(shell: Shell, api: Api) -> None:
    payload = data_in(await shell.run(UPLOAD))["uploadImage"]
    image = payload["image"]

    assert payload["errors"] == []
    assert (image["title"], image["processing"]) == ("sunset", "PENDING")
    assert (await api.image(image["id"]))["checksum"] == hashlib.sha256(shell.sunset).hexdigest()
    await api.until_processed(image["id"])

    newest = data_in(await shell.run(LIST))["images"]["nodes"][0]

    assert newest["id"] == image["id"]
    assert [tag["name"] for tag in newest["tags"]] == ["sea"]
    assert newest["thumbnails"]["medium"]["width"] > 0


async def test_upload_with_a_key_is_repeated_with_the_same_answer_and_watched(shell: Shell, api: Api) -> None:
    first, events = answer_and_events(await shell.run(REPEATED))
    second, _ = answer_and_events(await shell.run(REPEATED))

    assert second == first
    payload = data_in(first)["uploadImage"]
    assert (payload["outcome"], payload["errors"]) == ("CREATED", [])
    assert (await api.image(payload["image"]["id"]))["fileSize"] == len(shell.sunset)
    told = [json.loads(line.removeprefix("data: ")) for line in events if line.startswith("data: {")]
    last = told[-1]["data"]["uploadProgress"]
    assert (last["done"], last["receivedBytes"]) == (True, len(shell.sunset))
    assert "event: complete" in events


@pytest.mark.skipif(shutil.which("jq") is None, reason="the commands use jq, which is not on PATH")
async def test_large_file_goes_to_the_storage_in_parts(shell: Shell, api: Api) -> None:
    payload = data_in(await shell.run(STAGED))["completeUpload"]

    assert (payload["outcome"], payload["errors"]) == ("CREATED", [])
    image = await api.image(payload["image"]["id"])
    assert image["originalFilename"] == "panorama.jpg"
    assert image["checksum"] == hashlib.sha256(shell.panorama).hexdigest()
