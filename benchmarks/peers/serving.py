"""Serves an application as the gallery is served: uvicorn with uvloop and httptools, on a free port, no access log."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp

BACKLOG = 2048


class _Server(uvicorn.Server):
    """Prints its address once it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for listener in sockets or ():
            print(f"ready at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)


def serve(app: ASGIApp) -> None:
    """Serves until SIGTERM."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        config = uvicorn.Config(
            app, loop="uvloop", http="httptools", ws="none", lifespan="auto", log_level="warning", access_log=False
        )
        _Server(config).run(sockets=[listener])
