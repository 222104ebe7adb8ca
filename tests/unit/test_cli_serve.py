"""How the server sets up its process, and how several share the connections that the database takes.

Of those five are left, and one more pool is counted.
"""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Iterator

import pytest
import typer
from starlette.types import Receive, Send

from gallery.cli.http_server import HttpServer
from gallery.cli.running import loop_factory
from gallery.cli.serve import share_connections
from gallery.main import GalleryApp
from gallery.settings import DatabaseSettings, ServerSettings, Settings

FOUR = Settings(server=ServerSettings(workers=4), database=DatabaseSettings(pool_size=10))


@pytest.fixture
def _process_as_before() -> Iterator[None]:
    thresholds, seconds = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(seconds)


class EmptyGallery(GalleryApp):
    """Opens without any services."""

    async def _live(self, receive: Receive, send: Send) -> None:
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})


@pytest.mark.usefixtures("_process_as_before")
async def test_a_server_that_has_started_does_not_look_for_cycles_among_what_its_start_made() -> None:
    found: list[object] = []

    def look() -> None:
        found.extend([gc.get_threshold(), gc.get_freeze_count() > 0])
        server.stop()

    server = HttpServer(EmptyGallery(Settings()), Settings(), on_start=look)
    gc.unfreeze()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.serve(sockets=[listener])

    assert found == [(50_000, 5, 4), True]


def test_servers_run_on_uvloop_where_there_is_one() -> None:
    make = loop_factory()
    if sys.platform == "win32":
        assert make is None
        return
    assert make is not None
    loop = make()
    loop.close()
    assert type(loop).__module__ == "uvloop"


def test_pools_that_fit_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert share_connections(FOUR, 55) == FOUR
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("limit", "size"), [(54, 9), (10, 1)])
def test_pools_that_do_not_fit_are_made_smaller(limit: int, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    shared = share_connections(FOUR, limit)

    assert shared.database == DatabaseSettings(pool_size=size)
    assert shared.server == FOUR.server
    assert f"each process keeps {size} at most" in capsys.readouterr().err


def test_processes_that_would_have_no_connection_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        share_connections(FOUR, 9)

    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == (
        "gallery: PostgreSQL does not take enough connections for 4 processes. "
        "Raise its max_connections, or serve with fewer --workers.\n"
    )
