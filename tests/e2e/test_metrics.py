"""What Prometheus reads from a gallery that runs: before and after something happens to it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.api import Api
from tests.e2e.gallery_server import run_gallery, serving
from tests.e2e.places import Place
from tests.e2e.slow_uploads import LongFile, slow_upload
from tests.e2e.waiting import eventually
from tests.fault_proxy import FaultProxy
from tests.photographs import jpeg
from tests.scraped import Sample, sample, scraped

MEBIBYTE = 1024 * 1024
PHOTOGRAPH, ANOTHER = jpeg(320, 240), jpeg(240, 320)
TOKEN = "only for those who watch"

RECEIVED = sample("gallery_upload_received_bytes_total")
DATABASE_UP = sample("gallery_metrics_database_up")


def files(transport: str, outcome: str) -> Sample:
    return sample("gallery_upload_files_total", transport=transport, outcome=outcome)


async def told(api: Api) -> Mapping[Sample, float]:
    answer = await api.http.get("/metrics")
    assert answer.status_code == httpx.codes.OK, answer.text
    return scraped(answer.text)


def difference(before: Mapping[Sample, float], after: Mapping[Sample, float], series: Sample) -> float:
    return after[series] - before.get(series, 0)


async def test_uploads_requests_and_operations_are_counted(place: Place, folder: Path) -> None:
    async with serving(folder / "log", settings=place.settings) as (_, api):
        before = await told(api)
        created = await api.upload("a.jpg", PHOTOGRAPH)
        existing = await api.upload("b.jpg", PHOTOGRAPH)
        refused = await api.upload("c.jpg", b"no image at all")
        staged = await _sent_to_the_storage(api, ANOTHER)
        await api.until_processed(created["image"]["id"])
        await api.until_processed(staged["image"]["id"])
        after = await told(api)

    assert (created["outcome"], existing["outcome"], staged["outcome"]) == ("CREATED", "EXISTING", "CREATED")
    assert [error["code"] for error in refused["errors"]] == ["NOT_AN_IMAGE"]
    counted = (files("streamed", "CREATED"), files("streamed", "EXISTING"), files("streamed", "NOT_AN_IMAGE"))
    assert [difference(before, after, series) for series in (*counted, files("staged", "CREATED"))] == [1, 1, 1, 1]
    taken = sample("gallery_upload_file_bytes_total", transport="streamed")
    assert difference(before, after, taken) == 2 * len(PHOTOGRAPH)
    assert difference(before, after, RECEIVED) > 2 * len(PHOTOGRAPH)
    operations = "gallery_graphql_operation_duration_seconds_count"
    # One is refused; `createUpload`, `completeUpload` and two uploads are not.
    assert difference(before, after, sample(operations, type="mutation", outcome="user_errors")) == 1
    assert difference(before, after, sample(operations, type="mutation", outcome="ok")) == 4
    requests = sample("gallery_http_request_duration_seconds_count", method="POST", route="/graphql", status="2xx")
    assert difference(before, after, requests) >= 7
    assert after[sample("gallery_jobs", kind="render_image", state="held")] == 0
    assert after[sample("gallery_cache_up")] == after[DATABASE_UP] == 1
    assert after[sample("process_resident_memory_bytes")] > 0


async def test_a_file_is_counted_while_it_arrives(place: Place, folder: Path) -> None:
    file = LongFile(PHOTOGRAPH, 12 * MEBIBYTE)
    async with serving(folder / "log", settings=place.settings) as (server, api):
        async with slow_upload(server.url, file) as upload:
            await upload.send(4)

            async def half_arrived() -> bool:
                return (await told(api))[RECEIVED] >= 3 * MEBIBYTE

            await eventually(half_arrived)
            meanwhile = await told(api)
            reply = await upload.send_rest()
        after = await told(api)

    assert reply.json["data"]["uploadImage"]["errors"] == []
    assert files("streamed", "CREATED") not in meanwhile
    assert after[files("streamed", "CREATED")] == 1
    assert after[RECEIVED] > 12 * MEBIBYTE > meanwhile[RECEIVED]
    assert after[sample("gallery_upload_parts_in_flight")] == 0


async def test_what_another_process_finds_in_the_storage_is_told(place: Place, folder: Path) -> None:
    objects = place.objects
    await objects.client.put_object(Bucket=objects.bucket, Key="images/2026/05/young.jpg", Body=b"left over")
    time_of_report = sample("gallery_storage_report_timestamp_seconds", depth="sizes")
    async with serving(folder / "log", settings=place.settings) as (_, api):
        before = await told(api)
        await run_gallery("doctor", settings=place.settings)
        after = await told(api)

    assert before[DATABASE_UP] == 1
    assert time_of_report not in before
    assert after[time_of_report] > 0
    assert after[sample("gallery_storage_report_objects", depth="sizes")] == 1
    assert after[sample("gallery_storage_report_object_bytes", depth="sizes")] == 9
    assert after[sample("gallery_storage_report_findings", depth="sizes", kind="OBJECT_WITHOUT_ROW")] == 0


async def test_a_database_that_goes_away_takes_only_its_own_part_of_the_page(place: Place, folder: Path) -> None:
    async with FaultProxy.to(place.database_url) as proxy:
        settings = {
            **place.settings,
            "GALLERY_DATABASE__URL": proxy.url_of(place.database_url),
            "GALLERY_METRICS__TOKEN": TOKEN,
        }
        async with serving(folder / "log", settings=settings) as (_, api):
            assert (await api.http.get("/metrics")).status_code == httpx.codes.UNAUTHORIZED
            api.http.headers["Authorization"] = f"Bearer {TOKEN}"
            before = await told(api)
            proxy.black_hole = True

            async def is_noticed() -> bool:
                return (await told(api))[DATABASE_UP] == 0

            await eventually(is_noticed)
            away = await told(api)
            await proxy.heal()

            async def is_back() -> bool:
                return (await told(api))[DATABASE_UP] == 1

            await eventually(is_back)

    jobs = sample("gallery_jobs", kind="sweep", state="held")
    assert before[DATABASE_UP] == 1
    assert before[jobs] == 0
    assert jobs not in away
    assert away[sample("process_resident_memory_bytes")] > 0


async def _sent_to_the_storage(api: Api, content: bytes) -> Any:  # noqa: ANN401  # any JSON
    """The payload of `completeUpload` for a file whose parts a client has sent to the storage."""
    announced = {"filename": "d.jpg", "fileSize": len(content), "contentType": "image/jpeg"}
    answer = "upload { id partUrls { url firstByte size } }"
    checksum = sha256(content).hexdigest()
    begun = (await api.change("createUpload", "CreateUploadInput", answer, **announced, checksum=checksum))["upload"]
    for part in begun["partUrls"]:
        sent = content[part["firstByte"] : part["firstByte"] + part["size"]]
        assert (await api.http.put(part["url"], content=sent)).status_code == httpx.codes.OK
    return await api.change("completeUpload", "CompleteUploadInput", "outcome image { id }", id=begun["id"])
