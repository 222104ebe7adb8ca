"""A client that speaks the gallery's API in plain HTTP, so that a test can say exactly what is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

_TIMEOUT_SECONDS = 60
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)
_POLL_SECONDS = 0.1
_POLL_LIMIT = 400

IMAGE = """
  id filename originalFilename contentType fileSize checksum width height title description url version
  processing processingError
  thumbnails {
    small { url width height fileSize } medium { url width height fileSize } large { url width height fileSize }
  }
  tags { name } albums { id title imageCount } uploadedAt createdAt updatedAt
"""
UPLOAD_IMAGE = f"""
mutation UploadImage($input: UploadImageInput!) {{
  uploadImage(input: $input) {{ outcome image {{ {IMAGE} }} errors {{ code message field }} }}
}}
"""
UPLOAD_IMAGES = f"""
mutation UploadImages($input: UploadImagesInput!) {{
  uploadImages(input: $input) {{ results {{ outcome image {{ {IMAGE} }} errors {{ code message field }} }} }}
}}
"""
STATS = """
{ stats { imageCount tagCount albumCount totalSize contentTypes { contentType imageCount totalSize } } }
"""

Files = Sequence[tuple[str, bytes]]
"""Names and contents of files."""


class Api:
    """One client of one server."""

    def __init__(self, url: str, limits: httpx.Limits = _LIMITS) -> None:
        self.http = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT_SECONDS, limits=limits, headers={"X-GraphQL-CSRF": "1"}
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def post(self, document: str, variables: Mapping[str, object] | None = None) -> httpx.Response:
        """Sends an operation as JSON."""
        return await self.http.post("/graphql", json={"query": document, "variables": variables or {}})

    async def ask(self, document: str, **variables: object) -> dict[str, Any]:
        """The data of an operation that has no errors."""
        return data_of(await self.post(document, variables))

    async def change(self, field: str, /, kind: str, answer: str, **given: object) -> Any:  # noqa: ANN401  # any JSON
        """The payload of a mutation: its name, the type of its input, what to answer with, and the input."""
        document = f"mutation ($input: {kind}!) {{ {field}(input: $input) {{ {answer} errors {{ code field }} }} }}"
        return (await self.ask(document, input=given))[field]

    async def upload(self, name: str, content: bytes, **given: object) -> Any:  # noqa: ANN401  # any JSON
        """The payload of `uploadImage`."""
        files = {"0": (["variables.input.file"], name, content)}
        return data_of(await self.send_files(UPLOAD_IMAGE, {"input": {"file": None, **given}}, files))["uploadImage"]

    async def upload_all(self, files: Files, **given: object) -> list[dict[str, Any]]:
        """The results of `uploadImages`, in the order of the files."""
        variables = {"input": {"files": [None] * len(files), **given}}
        parts = {
            str(index): ([f"variables.input.files.{index}"], name, content)
            for index, (name, content) in enumerate(files)
        }
        results = data_of(await self.send_files(UPLOAD_IMAGES, variables, parts))["uploadImages"]["results"]
        assert isinstance(results, list)
        return results

    async def send_files(
        self, document: str, variables: Mapping[str, object], files: Mapping[str, tuple[list[str], str, bytes]]
    ) -> httpx.Response:
        """Sends an operation with files: by the name of each part, the paths of the map, its file name and content."""
        return await self.http.post(
            "/graphql",
            data={
                "operations": json.dumps({"query": document, "variables": variables}),
                "map": json.dumps({part: paths for part, (paths, _, _) in files.items()}),
            },
            files={part: (name, content) for part, (_, name, content) in files.items()},
        )

    async def image(self, image_id: str) -> dict[str, Any]:
        image = (await self.ask(f"query ($id: ID!) {{ image(id: $id) {{ {IMAGE} }} }}", id=image_id))["image"]
        assert isinstance(image, dict)
        return image

    async def stats(self) -> dict[str, Any]:
        stats = (await self.ask(STATS))["stats"]
        assert isinstance(stats, dict)
        return stats

    async def until_processed(self, image_id: str) -> dict[str, Any]:
        """The image, once its thumbnails are made or given up."""
        for _ in range(_POLL_LIMIT):
            image = await self.image(image_id)
            if image["processing"] != "PENDING":
                return image
            await asyncio.sleep(_POLL_SECONDS)
        message = f"image {image_id} is still being processed"
        raise TimeoutError(message)


def data_of(response: httpx.Response) -> dict[str, Any]:
    """The data of an answer that has no errors."""
    answer = response.json()
    assert response.status_code == httpx.codes.OK, answer
    assert "errors" not in answer, answer["errors"]
    data = answer["data"]
    assert isinstance(data, dict)
    return data
