"""Kills the server again and again while clients upload, and counts what became of their files.

    .venv/bin/python -m tests.crash.kill_nine --kills 50

Uses the embedded services, in a folder of its own that is removed afterwards. The moments of the kills and the files
come from the seed; what the server was doing at each of them does not.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import asyncpg
import httpx

from gallery.cli.doctor import SHORTEST_GRACE_SECONDS
from gallery.embedding import running_services
from gallery.platform.database.engine import driver_dsn
from gallery.settings import Settings
from tests.crash.clients import Acknowledged, Clients
from tests.e2e.api import Api
from tests.e2e.comparison import Comparison, compare, read_all
from tests.e2e.gallery_server import GalleryServer, run_gallery
from tests.e2e.places import Place, StoredObjects, s3_client
from tests.integration.embedded_support import processes_in
from tests.services import S3Access

_FIRST_KILL_SECONDS, _LAST_KILL_SECONDS = 0.2, 3.0
_KILLED_WHILE_STARTING = 0.1
_SETTINGS = {"GALLERY_UPLOADS__STAGED_TTL_SECONDS": "60"}
_UNTIL_EXPIRED = "SELECT extract(epoch FROM max(expires_at) - now()) FROM uploads WHERE state = 'OPEN'"
_SECONDS_FOR_A_KILL = 20
_SECONDS_FOR_THE_REST = 600
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What to do."""

    kills: int
    seed: int
    clients: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of everything, after the repair. `lost` are of those that were acknowledged.

    `wrong_bytes` are of those, too, and `wrong_objects` of all originals and renditions that a row names.
    """

    acknowledged: int
    acknowledged_staged: int
    refused: Mapping[str, int]
    unanswered: int
    lost: int
    wrong_bytes: int
    objects_read: int
    wrong_objects: int
    before_repair: Mapping[str, int]
    after_repair: Mapping[str, int]
    doctor_exit_code: int


async def kill_nine(folder: Path, orders: Orders) -> Outcome:
    """Does it all in a folder, in which nothing runs any more afterwards; raises TimeoutError if it takes too long."""
    try:
        async with asyncio.timeout(_SECONDS_FOR_A_KILL * orders.kills + _SECONDS_FOR_THE_REST):
            return await _kill_nine(folder, orders)
    finally:
        for process in processes_in(folder):
            process.kill()


async def _kill_nine(folder: Path, orders: Orders) -> Outcome:
    clients = Clients(orders.seed, orders.clients)
    server = await _killed_again_and_again(folder, clients, orders)
    try:
        async with clients.api, _place(folder / "data") as place:
            before = await _at_rest(place)
            await asyncio.sleep(1 + max(SHORTEST_GRACE_SECONDS, await _until_expired_seconds(place)))
            grace = str(SHORTEST_GRACE_SECONDS)
            repair = ("doctor", "--repair", "--verify", "--grace", grace)
            doctor = await run_gallery(*repair, "--data-dir", folder / "data")
            print(doctor.output, doctor.complaints, sep="")
            after = await _at_rest(place)
            read = await read_all(place)
            fates = [await _fate(clients.api, one) for one in clients.acknowledged]
        assert await server.stop() == 0, server.log_text()
    finally:
        await server.kill()
    return Outcome(
        acknowledged=len(fates),
        acknowledged_staged=sum(one.staged for one in clients.acknowledged),
        refused=dict(clients.refused),
        unanswered=clients.unanswered,
        lost=fates.count("lost"),
        wrong_bytes=fates.count("wrong bytes"),
        objects_read=read.objects,
        wrong_objects=len(read.wrong),
        before_repair=before.counts,
        after_repair=after.counts,
        doctor_exit_code=doctor.exit_code,
    )


async def _killed_again_and_again(folder: Path, clients: Clients, orders: Orders) -> GalleryServer:
    """The server that was started after the last kill, when the clients have heard their last answers."""
    randomness = Random(orders.seed)  # noqa: S311  # to be repeated
    server = await _started(folder, clients)
    try:
        async with clients.uploading():
            for number in range(1, orders.kills + 1):
                seconds = randomness.uniform(_FIRST_KILL_SECONDS, _LAST_KILL_SECONDS)
                await asyncio.sleep(seconds)
                under_way = clients.under_way
                await server.kill()
                clients.server_is_away()
                print(
                    f"kill {number:2} after {seconds:.2f} s: {under_way} uploads under way, "
                    f"{len(clients.acknowledged)} acknowledged so far",
                    flush=True,
                )
                if randomness.random() < _KILLED_WHILE_STARTING:
                    await _killed_while_starting(folder, randomness.uniform(0, _LAST_KILL_SECONDS))
                server = await _started(folder, clients)
    except BaseException:
        await server.kill()
        raise
    return server


async def _started(folder: Path, clients: Clients) -> GalleryServer:
    server = await GalleryServer.start(folder / "log", "--data-dir", folder / "data", settings=_SETTINGS)
    clients.server_is_at(server.url)
    return server


async def _killed_while_starting(folder: Path, seconds: float) -> None:
    server = await GalleryServer.launch(folder / "log", "--port", "0", "--data-dir", folder / "data")
    await asyncio.sleep(seconds)
    await server.kill()
    print(f"        and {seconds:.2f} s after it was started again", flush=True)


@asynccontextmanager
async def _place(data: Path) -> AsyncIterator[Place]:
    """The embedded services that run in a folder, as anybody may use them."""
    async with running_services(Settings(data_dir=data), exclusive=False) as (settings, _):
        database, cache, storage = settings.database, settings.cache, settings.storage
        assert database.url is not None
        assert cache.url is not None
        assert storage.bucket is not None
        assert storage.access_key_id is not None
        assert storage.secret_access_key is not None
        access = S3Access(
            endpoint_url=str(storage.endpoint_url),
            access_key_id=storage.access_key_id.get_secret_value(),
            secret_access_key=storage.secret_access_key.get_secret_value(),
            region=storage.region,
        )
        async with s3_client(access) as client:
            yield Place(
                database_url=database.url.get_secret_value(),
                cache_url=cache.url.get_secret_value(),
                objects=StoredObjects(client=client, access=access, bucket=storage.bucket),
            )


async def _at_rest(place: Place) -> Comparison:
    """How rows and objects compare once all jobs are done."""
    while (comparison := await compare(place)).waiting_jobs:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(_POLL_SECONDS)
    return comparison


async def _until_expired_seconds(place: Place) -> float:
    """How long the last of the staged uploads lives that nobody goes on with."""
    connection = await asyncpg.connect(driver_dsn(place.database_url))
    try:
        seconds = await connection.fetchval(_UNTIL_EXPIRED)
    finally:
        await connection.close()
    return float(seconds or 0)


async def _fate(api: Api, acknowledged: Acknowledged) -> str:
    """What became of one that was acknowledged, as everybody gets to see it."""
    answer = await api.ask("query ($id: ID!) { image(id: $id) { url } }", id=acknowledged.image_id)
    if answer["image"] is None:
        return "lost"
    digest = hashlib.sha256()
    async with api.http.stream("GET", httpx.URL(answer["image"]["url"]).path) as response:
        if response.status_code != httpx.codes.OK:
            return "lost"
        async for chunk in response.aiter_bytes():
            digest.update(chunk)
    return "kept" if digest.hexdigest() == acknowledged.checksum else "wrong bytes"


def _orders() -> Orders:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.kill_nine", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="how many times the server is killed")
    parser.add_argument("--seed", type=int, default=Random().randrange(10**6), help="for the same files and moments")  # noqa: S311  # nobody is to be kept from guessing it
    return Orders(**vars(parser.parse_args()))


def main() -> int:
    """The exit code: 1 if anything was lost, or was left behind by the repair."""
    orders = _orders()
    print(f"{orders.kills} kills, seed {orders.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gallery-crash-") as folder:
        outcome = asyncio.run(kill_nine(Path(folder), orders))
    for name, value in asdict(outcome).items():
        print(f"{name.replace('_', ' '):20} {value}")
    wrong = outcome.wrong_bytes + outcome.wrong_objects
    harmed = outcome.lost + wrong + outcome.doctor_exit_code + sum(outcome.after_repair.values())
    return 1 if harmed or outcome.before_repair["rows_without_object"] else 0


if __name__ == "__main__":
    sys.exit(main())
