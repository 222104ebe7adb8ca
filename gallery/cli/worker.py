"""`gallery worker`: makes thumbnails and removes objects, without serving requests."""

from __future__ import annotations

import asyncio
import signal

import typer

from gallery.cli.diagnosis import check_services
from gallery.cli.running import DataDir, run, settings_of
from gallery.container import open_container
from gallery.embedding import running_services
from gallery.logs import configure_logging
from gallery.settings import Settings


def worker(data_dir: DataDir = None) -> None:
    """Work on jobs: make thumbnails, remove the files of deleted images. Any number of workers may run."""
    settings = settings_of({"data_dir": data_dir})
    configure_logging(settings.log)
    run(lambda: _work(settings))


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    async with running_services(settings, exclusive=False) as (complete, _), open_container(complete) as container:
        await check_services(container)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        typer.echo("The worker is ready.")
        await container.worker.run(stop)
