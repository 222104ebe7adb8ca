"""Looking into a gallery that several processes serve: which they are, and which one a client talks to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import httpx
import psutil

from tests.e2e.api import Api
from tests.e2e.gallery_server import GalleryServer
from tests.e2e.places import Place

TWO = {"GALLERY_SERVER__WORKERS": "2"}
_ONE_CONNECTION = httpx.Limits(max_connections=1, keepalive_expiry=None)
_MOST_CONNECTIONS = 200


def serving_pids(server: GalleryServer) -> set[int]:
    """The processes that answer requests, or are about to."""
    found = set()
    with suppress(psutil.NoSuchProcess):  # it has ended, and they have
        for child in server.process.children():
            with suppress(psutil.NoSuchProcess):
                if any("serving_process" in word for word in child.cmdline()):
                    found.add(child.pid)
    return found


@asynccontextmanager
async def clients_of_each(server: GalleryServer, *, count: int = 1) -> AsyncIterator[list[list[Api]]]:
    """For each process this many clients with a single connection, which leads to that process."""
    async with AsyncExitStack() as opened:
        clients: dict[int, list[Api]] = {pid: [] for pid in sorted(serving_pids(server))}
        for _ in range(_MOST_CONNECTIONS):
            api = await opened.enter_async_context(Api(server.url, _ONE_CONNECTION))
            mine = clients[await _answering(api, list(clients))]
            if len(mine) < count:
                mine.append(api)
            else:
                await api.http.aclose()
            if all(len(those) == count for those in clients.values()):
                break
        assert [len(those) for those in clients.values()] == [count] * len(clients)
        yield list(clients.values())


async def _answering(api: Api, pids: list[int]) -> int:
    """The process at the other end of the client's connection."""
    answer = await api.http.get("/livez")
    _, port = answer.extensions["network_stream"].get_extra_info("client_addr")
    [pid] = [pid for pid in pids if any(_leads_to(one, port) for one in psutil.Process(pid).net_connections("tcp"))]
    return pid


def _leads_to(connection: psutil._common.pconn, port: int) -> bool:
    return bool(connection.raddr) and connection.raddr.port == port


async def is_under_way(place: Place) -> bool:
    """Whether the storage takes one upload in parts."""
    return len(await place.objects.open_uploads()) == 1


async def refuses_connections(server: GalleryServer) -> bool:
    """Whether nobody listens any more."""
    url = httpx.URL(server.url)
    try:
        _, writer = await asyncio.open_connection(url.host, url.port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False
