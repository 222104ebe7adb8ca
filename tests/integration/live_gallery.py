"""The whole gallery on a real socket, in the process of the tests, on real services."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import text

from gallery.container import Container, open_container
from gallery.platform.cache.keys import EVERYTHING
from gallery.settings import CacheSettings, DatabaseSettings, Settings, UploadSettings
from gallery.settings_auth import AuthMode, AuthSettings, Strangers
from gallery.settings_graphql import GraphQLSettings
from gallery.web.app import WebParts, create_web_app
from tests.e2e.api import Api
from tests.e2e.places import Place
from tests.graphql_server import listening

PART_SIZE_BYTES = 5 * 1024 * 1024  # the least that S3 takes


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveGallery:
    """Where it listens, what it keeps, and a client."""

    url: str
    place: Place
    container: Container
    api: Api

    async def send(
        self,
        document: str,
        variables: Mapping[str, Any],
        *files: bytes,
        paths: Sequence[str] = ("input.file",),
        key: str | None = None,
    ) -> httpx.Response:
        """Sends an operation, with files at these paths of the variables and an idempotency key if there are any."""
        headers = {} if key is None else {"Idempotency-Key": key}
        if not files:
            body = {"query": document, "variables": variables}
            return await self.api.http.post("/graphql", json=body, headers=headers)
        return await self.api.http.post(
            "/graphql",
            data={
                "operations": json.dumps({"query": document, "variables": variables}),
                "map": json.dumps({str(index): [f"variables.{path}"] for index, path in enumerate(paths)}),
            },
            files={str(index): (f"{index}.jpg", file) for index, file in enumerate(files)},
            headers=headers,
        )

    async def rows_and_objects(self) -> tuple[int, int]:
        """How many images and how many objects there are."""
        (images,) = await self.place.count("images")
        return images, len(await self.place.objects.keys())

    async def clear(self) -> None:
        """Removes everything that is in it."""
        await self.place.objects.remove_contents()
        tables = "images, tags, albums, uploads, idempotency_keys, pgqueuer, events CASCADE"
        async with self.container.engine.begin() as connection:
            await connection.execute(text(f"TRUNCATE {tables}"))
        assert self.container.cache is not None
        await self.container.cache.valkey.drop([EVERYTHING])


@asynccontextmanager
async def live_gallery(
    place: Place,
    *,
    mode: AuthMode = AuthMode.LOCAL,
    strangers: Strangers = Strangers.NONE,
    graphql: GraphQLSettings | None = None,
    **uploads: object,
) -> AsyncIterator[LiveGallery]:
    """A gallery without a worker, so that there are no objects but originals."""
    access = place.objects.access
    settings = Settings(
        auth=AuthSettings(mode=mode, anonymous=strangers),
        database=DatabaseSettings(url=SecretStr(place.database_url)),
        cache=CacheSettings(url=SecretStr(place.cache_url), timeout_seconds=2),  # a busy machine is no slow Valkey
        uploads=UploadSettings.model_validate(uploads),
        graphql=graphql or GraphQLSettings(),
        storage=access.settings(place.objects.bucket, part_size_bytes=PART_SIZE_BYTES),
    )
    async with open_container(settings) as container, listening() as listener:
        web = create_web_app(
            WebParts(
                settings=settings,
                use_cases=container.use_cases,
                storage=container.storage,
                checks=container.checks,
                counting=container.counting,
                documents=container.documents,
                responses=container.responses,
                budget=container.budget,
            )
        )
        listener.app = web
        url = f"http://127.0.0.1:{listener.port}"
        async with web.router.lifespan_context(web), Api(url) as api:
            yield LiveGallery(url=url, place=place, container=container, api=api)
