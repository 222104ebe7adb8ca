"""The main job through the GraphQL clients that front ends use, each under Node against a real server."""

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import pytest
import pyvips

from tests.e2e.node_clients import CLIENTS, run_script
from tests.photographs import jpeg

WIDTHS_PX = {"graphql-request.mjs": 1300, "apollo.mjs": 1301, "urql.mjs": 1302}
HEIGHT_PX = 900


class Server(Protocol):
    graphql_url: str


class Job:
    """One run of the main job: what went in, and the facts that came out."""

    def __init__(self, photo: bytes, width_px: int, tag: str, facts: dict[str, Any]) -> None:
        self.photo = photo
        self.width_px = width_px
        self.tag = tag
        self.facts = facts
        self.image: dict[str, Any] = facts["uploaded"]["image"]


@pytest.fixture(scope="module", params=WIDTHS_PX)
async def job(request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Job:
    script: str = request.param
    # Bytes of their own for every run: the gallery knows a photograph that it has already.
    comment = uuid.uuid4().bytes
    photo = jpeg(WIDTHS_PX[script], HEIGHT_PX) + comment
    file = tmp_path_factory.mktemp("photo") / "Four Quarters.jpg"
    file.write_bytes(photo)
    tag = f"evening {comment.hex()}"
    facts = await run_script(script, server.graphql_url, file, tag)
    return Job(photo, WIDTHS_PX[script], tag, facts)


def _pixels(download: Mapping[str, Any]) -> tuple[int, int]:
    image = pyvips.Image.new_from_buffer(base64.b64decode(download["base64"]), "")
    return image.width, image.height


def test_upload_answers_with_the_stored_image(job: Job) -> None:
    uploaded = job.facts["uploaded"]

    assert uploaded["errors"] == []
    assert uploaded["outcome"] == "CREATED"
    expected = {
        "originalFilename": "Four Quarters.jpg",
        "contentType": "image/jpeg",
        "fileSize": len(job.photo),
        "checksum": hashlib.sha256(job.photo).hexdigest(),
        "width": job.width_px,
        "height": HEIGHT_PX,
        "title": "Quarters",
        "description": "Four colours",
        "tags": [{"name": "colours"}],
        "albums": [],
    }
    assert {name: job.image[name] for name in expected} == expected
    assert job.image["id"].startswith("img_")
    assert datetime.fromisoformat(job.image["uploadedAt"]).tzinfo is not None


def test_file_that_is_no_image_is_refused_with_a_code(job: Job) -> None:
    refused = job.facts["refused"]

    assert refused["image"] is None
    assert refused["outcome"] is None
    assert [(error["code"], error["field"]) for error in refused["errors"]] == [("NOT_AN_IMAGE", ["file"])]


def test_original_is_served_as_it_was_sent(job: Job) -> None:
    original = job.facts["original"]

    assert (original["status"], original["contentType"]) == (200, "image/jpeg")
    assert base64.b64decode(original["base64"]) == job.photo


def test_thumbnails_come_in_three_sizes_with_the_pixels_they_claim(job: Job) -> None:
    ready = job.facts["ready"]

    assert (ready["processing"], ready["processingError"]) == ("READY", None)
    sizes = []
    for name in ("small", "medium", "large"):
        claimed, download = ready["thumbnails"][name], job.facts["thumbnails"][name]
        assert download["status"] == 200
        assert download["contentType"].startswith("image/")
        assert _pixels(download) == (claimed["width"], claimed["height"])
        assert claimed["height"] == pytest.approx(claimed["width"] * HEIGHT_PX / job.width_px, abs=1)
        sizes.append(claimed["width"])
    assert sizes == sorted(set(sizes))


def test_tagged_image_is_found_by_its_tag_alone(job: Job) -> None:
    listed = job.facts["listed"]

    assert job.facts["tagged"]["errors"] == []
    assert listed["totalCount"] == 1
    assert [node["id"] for node in listed["nodes"]] == [job.image["id"]]
    assert [edge["node"]["id"] for edge in listed["edges"]] == [job.image["id"]]
    assert {tag["name"] for tag in listed["nodes"][0]["tags"]} == {"colours", job.tag}
    assert listed["nodes"][0]["thumbnails"] == job.facts["ready"]["thumbnails"]
    assert listed["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": listed["edges"][0]["cursor"],
        "endCursor": listed["edges"][0]["cursor"],
    }


def test_album_holds_the_image_and_the_image_names_the_album(job: Job) -> None:
    created, added, album = job.facts["created"], job.facts["added"], job.facts["album"]
    album_id = created["album"]["id"]

    assert created == {"album": {"id": album_id, "title": "Evenings", "imageCount": 0}, "errors": []}
    assert added == {
        "album": {
            "id": album_id,
            "imageCount": 1,
            "images": {"totalCount": 1, "nodes": [{"id": job.image["id"]}]},
        },
        "errors": [],
    }
    assert album == {
        "id": album_id,
        "title": "Evenings",
        "imageCount": 1,
        "images": {
            "totalCount": 1,
            "nodes": [{"id": job.image["id"], "originalFilename": "Four Quarters.jpg"}],
        },
    }
    assert job.facts["seen"]["albums"] == [{"id": album_id, "title": "Evenings", "imageCount": 1}]


def test_deleted_image_is_gone_from_everywhere(job: Job) -> None:
    assert job.facts["deleted"] == {"image": {"id": job.image["id"]}, "errors": []}
    assert job.facts["afterwards"] == {
        "image": ["NOT_FOUND"],
        "listed": 0,
        "album": {
            "id": job.facts["created"]["album"]["id"],
            "title": "Evenings",
            "imageCount": 0,
            "images": {"totalCount": 0, "nodes": []},
        },
    }


def test_lock_file_pins_every_package_and_names_no_registry() -> None:
    lock = json.loads((CLIENTS / "package-lock.json").read_text("utf-8"))
    packages = [entry for name, entry in lock["packages"].items() if name]

    assert [entry for entry in packages if "version" not in entry or "integrity" not in entry] == []
    assert [entry for entry in packages if "resolved" in entry] == []
