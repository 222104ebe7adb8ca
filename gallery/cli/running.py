"""How every command runs: settings read, failures told in a line each, signals that end it in order."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Annotated, Any, NoReturn

import typer

from gallery.cli.diagnosis import ServicesMissingError
from gallery.client.errors import ClientError
from gallery.domain.errors import UnavailableError
from gallery.platform.database.engine import DatabaseUrlError
from gallery.platform.database.migrate import MigrationError, NotMigratedError
from gallery.platform.embedded import EmbeddedError
from gallery.settings import Settings
from gallery.settings_report import SettingsError, load_settings
from gallery.web.graphql.trusted import TrustedDocumentsError

DataDir = Annotated[
    str | None,
    typer.Option(help="Folder of the embedded servers: their data, logs and keys.", show_default="user data folder"),
]

_EXPECTED = (
    ClientError,
    DatabaseUrlError,
    EmbeddedError,
    MigrationError,
    NotMigratedError,
    ServicesMissingError,
    TrustedDocumentsError,
    UnavailableError,
)


class ExitCode(IntEnum):
    """How a command ended."""

    FAILED = 1
    WRONG_USAGE = 2
    INTERRUPTED = 130


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings, with those options of the command line before them that are not None; ends on wrong ones."""
    try:
        return load_settings(**without_none(given))
    except SettingsError as error:
        end(ExitCode.WRONG_USAGE, str(error))


def without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, sections without any left out."""
    kept: dict[str, Any] = {}
    for name, value in given.items():
        inner = without_none(value) if isinstance(value, Mapping) else value
        if inner is not None and inner != {}:
            kept[name] = inner
    return kept


def run(main: Callable[[], Coroutine[Any, Any, int | None]]) -> None:
    """Runs a command to its end and exits with its code. SIGTERM ends it as Ctrl+C does: in order."""
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner, _told_plainly():
            code = runner.run(_interruptible(main))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    raise typer.Exit(code or 0)


def end(code: ExitCode, message: str) -> NoReturn:
    """Says why on standard error and exits."""
    for line in message.splitlines():
        typer.echo(f"gallery: {line}", err=True)
    raise typer.Exit(code)


@contextmanager
def _told_plainly() -> Iterator[None]:
    """A failure that a person can put right is told in their words, without a traceback."""
    messages: list[str] = []
    try:
        yield
    except* _EXPECTED as failures:
        messages = list(map(str, _leaves(failures)))
    if messages:
        end(ExitCode.FAILED, "\n".join(messages))


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _interruptible(main: Callable[[], Coroutine[Any, Any, int | None]]) -> int | None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await main()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where there is one."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  # not there on Windows

    return uvloop.new_event_loop
