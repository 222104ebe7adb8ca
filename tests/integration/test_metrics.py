"""The metrics of a gallery on real services, and of one whose services are all gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import pytest
from pydantic import HttpUrl, SecretStr

from gallery.container import open_container
from gallery.domain.access import LOCAL_ADMINISTRATOR
from gallery.domain.events import EventKind
from gallery.domain.footprints import followed, recording
from gallery.domain.response_ports import MadeResponse
from gallery.platform.cache import CachedImageReader
from gallery.settings import CacheSettings, DatabaseSettings, MetricsSettings, Settings, StorageSettings
from tests.e2e.places import fresh_place
from tests.integration.cache_support import MemoryGallery, MemoryImageReader, Pause, an_event, an_image
from tests.integration.live_gallery import LiveGallery, live_gallery
from tests.integration.responses_support import made_of
from tests.photographs import jpeg
from tests.scraped import Sample, sample, scraped
from tests.services import Services

NOWHERE = "127.0.0.1:1"
"""Where nobody listens."""


@pytest.fixture
async def live(services: Services, migrated_template: str, cache_url: str) -> AsyncIterator[LiveGallery]:
    assert cache_url == services.cache_url
    async with fresh_place(services, migrated_template) as place, live_gallery(place) as gallery:
        yield gallery


async def told(live: LiveGallery) -> Mapping[Sample, float]:
    assert live.container.counting is not None
    return scraped(await live.container.counting.page.render())


async def test_whole_answers_count_by_where_they_were_looked_for(live: LiveGallery) -> None:
    image = (await live.api.upload("a.jpg", jpeg(40, 30)))["image"]
    before = await told(live)
    for _ in range(3):
        await live.api.ask(f'{{ image(id: "{image["id"]}") {{ title }} }}')
    counts = await told(live)

    def counted(layer: str, result: str) -> float:
        name = sample("gallery_cache_responses_total", layer=layer, result=result)
        return counts[name] - before[name]

    assert counted("valkey", "miss") == 1
    assert counted("memory", "hit") + counted("valkey", "hit") == 2  # a slow test lets its lease go
    assert counts[sample("gallery_cache_refused_responses_total", layer="memory")] == 0
    assert counts[sample("gallery_cache_response_bytes")] > 0


async def test_what_a_write_overtook_counts_as_refused(live: LiveGallery) -> None:
    cache, responses = live.container.cache, live.container.responses
    assert cache is not None
    assert responses is not None
    gallery, image = MemoryGallery(), an_image()
    gallery.add(image)
    images = CachedImageReader(MemoryImageReader(gallery), cache)

    async def make() -> MadeResponse | None:
        with recording() as footprint:
            found = await followed(footprint, lambda: images.get_many(LOCAL_ADMINISTRATOR, [image.id]))
        return made_of(len(found), footprint)

    names = {
        "values": sample("gallery_cache_refused_fills_total"),
        "memory": sample("gallery_cache_refused_responses_total", layer="memory"),
        "valkey": sample("gallery_cache_refused_responses_total", layer="valkey"),
    }
    before = await told(live)
    held = gallery.pause = Pause()
    asked = asyncio.create_task(responses.get(b"a key", make))
    await held.reached.wait()
    await cache.drop([an_event(EventKind.IMAGE_UPDATED, image.id)])
    held.end.set()
    await asked
    await cache.settle()
    counts = await told(live)

    assert {kind: before[name] for kind, name in names.items()} == dict.fromkeys(names, 0)
    assert {kind: counts[name] for kind, name in names.items()} == dict.fromkeys(names, 1)


async def test_reads_count_as_hits_and_misses_of_their_kind(live: LiveGallery) -> None:
    image = (await live.api.upload("a.jpg", jpeg(40, 30)))["image"]
    for field in ("title", "description"):  # the same twice would be answered whole
        await live.api.ask(f'{{ image(id: "{image["id"]}") {{ {field} }} }}')
        assert live.container.cache is not None
        await live.container.cache.settle()

    counts = await told(live)

    assert counts[sample("gallery_cache_values_total", kind="image", result="miss")] == 1
    assert counts[sample("gallery_cache_values_total", kind="image", result="hit")] == 1
    assert counts[sample("gallery_cache_up")] == 1
    assert counts[sample("gallery_cache_errors_total")] == 0


async def test_a_connection_in_use_is_told(live: LiveGallery) -> None:
    in_use = sample("gallery_database_pool_connections", state="in_use")
    async with live.container.engine.connect():
        during = (await told(live))[in_use]
    after = await told(live)

    assert (during, after[in_use]) == (1, 0)
    assert after[sample("gallery_database_pool_connections", state="idle")] >= 1


async def test_what_the_sweep_found_is_told_by_every_process(live: LiveGallery) -> None:
    objects = live.place.objects
    await objects.client.put_object(Bucket=objects.bucket, Key="images/2026/05/orphan.jpg", Body=b"left over")
    before = await told(live)
    await live.container.use_cases.sweep.tidy(timedelta(0))
    async with open_container(live.container.settings) as other:
        assert other.counting is not None
        elsewhere = scraped(await other.counting.page.render())

    orphans = sample("gallery_storage_report_findings", depth="sizes", kind="OBJECT_WITHOUT_ROW")
    assert orphans not in before
    assert before[sample("gallery_metrics_database_up")] == 1
    assert elsewhere[orphans] == 1
    assert elsewhere[sample("gallery_storage_report_objects", depth="sizes")] == 1
    assert elsewhere[sample("gallery_storage_report_findings", depth="sizes", kind="ORIGINAL_LOST")] == 0


async def test_damaged_bytes_stay_known_when_the_next_sweep_looks_at_sizes_only(live: LiveGallery) -> None:
    await live.api.upload("a.jpg", content := jpeg(40, 30))
    objects = live.place.objects
    (key,) = await objects.keys()
    await objects.client.put_object(Bucket=objects.bucket, Key=key, Body=bytes(len(content)))

    await live.container.use_cases.sweep.report(LOCAL_ADMINISTRATOR, timedelta(0), verify=True)
    await live.container.use_cases.sweep.tidy(timedelta(0))
    counts = await told(live)

    damaged = {
        depth: counts[sample("gallery_storage_report_findings", depth=depth, kind="ORIGINAL_DAMAGED")]
        for depth in ("sizes", "checksums")
    }
    assert damaged == {"sizes": 0, "checksums": 1}


def settings_without_services(**metrics: object) -> Settings:
    return Settings(
        database=DatabaseSettings(url=SecretStr(f"postgresql://gallery@{NOWHERE}/gallery")),
        cache=CacheSettings(url=SecretStr(f"redis://{NOWHERE}")),
        storage=StorageSettings(
            endpoint_url=HttpUrl(f"http://{NOWHERE}"),
            bucket="gallery",
            access_key_id=SecretStr("key"),
            secret_access_key=SecretStr("secret"),
        ),
        metrics=MetricsSettings.model_validate(metrics),
    )


async def test_a_gallery_whose_services_are_gone_tells_of_itself() -> None:
    async with open_container(settings_without_services()) as container:
        assert container.counting is not None
        counts = scraped(await container.counting.page.render())

    assert counts[sample("gallery_metrics_database_up")] == 0
    assert counts[sample("gallery_cache_up")] == 0
    assert counts[sample("gallery_database_pool_size")] == 10
    assert counts[sample("process_open_fds")] > 0


async def test_metrics_can_be_switched_off() -> None:
    async with open_container(settings_without_services(enabled=False)) as container:
        assert container.counting is None
