"""Commands that do one thing in a gallery, whether its server runs or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gallery.cli.running import ExitCode, end, run, settings_of
from gallery.container import Container, open_container
from gallery.domain.errors import GalleryError
from gallery.embedding import running_services
from gallery.logs import configure_logging
from gallery.settings import LogLevel, LogSettings, Settings

T = TypeVar("T")


def run_in_gallery(data_dir: str | None, work: Callable[[Container], Awaitable[T]], tell: Callable[[T], None]) -> None:
    """Does something in the gallery of the settings, whether its server runs or not, and tells what it gave."""
    settings = settings_of({"data_dir": data_dir})
    configure_logging(LogSettings(level=LogLevel.ERROR, format=settings.log.format))
    run(lambda: _in_gallery(settings, work, tell))


async def _in_gallery(settings: Settings, work: Callable[[Container], Awaitable[T]], tell: Callable[[T], None]) -> None:
    async with running_services(settings, exclusive=False) as (complete, _), open_container(complete) as container:
        try:
            done = await work(container)
        except GalleryError as error:
            end(ExitCode.FAILED, error.message)
    tell(done)
