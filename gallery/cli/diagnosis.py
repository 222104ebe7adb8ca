"""Looks at every service that the gallery needs and says, in a sentence each, what is wrong and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import typer
from pydantic import SecretStr

from gallery.container import Container
from gallery.domain.errors import UnavailableError
from gallery.platform.database.diagnosis import diagnose
from gallery.settings import Settings

_PATIENCE_SECONDS = 10.0


class ServicesMissingError(Exception):
    """What the gallery cannot work without is not there; the message has a line for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one service is. `problem` is None if it is well; without a service that is not `required` it works on."""

    service: str
    where: str
    problem: str | None = None
    required: bool = True


async def examine(container: Container) -> list[Finding]:
    """How the services of a gallery are, all asked at once."""
    settings = container.settings
    examining = [
        _finding("PostgreSQL", _place(settings.database.url), lambda: _check_database(container)),
        _finding("S3 storage", _storage_place(settings), container.storage.ping),
    ]
    if container.cache is not None:
        where = _place(settings.cache.url)
        ask = container.cache.ping
        examining.append(_finding("Valkey", where, lambda: _check_cache(ask, where), required=False))
    return list(await asyncio.gather(*examining))


async def check_services(container: Container) -> None:
    """Passes if the gallery can work; a service that it can do without is only warned of.

    Raises:
        ServicesMissingError: with a line for each service that is not as it must be.
    """
    ill = [finding for finding in await examine(container) if finding.problem is not None]
    for finding in ill:
        if not finding.required:
            typer.echo(f"gallery: WARNING: {finding.problem}", err=True)
    if missing := [str(finding.problem) for finding in ill if finding.required]:
        raise ServicesMissingError("\n".join([*missing, "`gallery doctor` looks at everything."]))


async def _finding(service: str, where: str, check: Callable[[], Awaitable[None]], *, required: bool = True) -> Finding:
    problem: str | None = None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await check()
    except (UnavailableError, _ProblemError) as error:
        problem = str(error)
    except TimeoutError:
        problem = f"{service} at {where} does not answer within {_PATIENCE_SECONDS:.0f} seconds."
    return Finding(service=service, where=where, problem=problem, required=required)


class _ProblemError(Exception):
    """What is wrong with a service, as a sentence."""


async def _check_database(container: Container) -> None:
    problem = await diagnose(container.engine, _place(container.settings.database.url))
    if problem is not None:
        raise _ProblemError(problem)


async def _check_cache(ask: Callable[[], Awaitable[None]], where: str) -> None:
    try:
        await ask()
    except Exception as error:
        message = (
            f"Valkey at {where} does not answer ({_innermost(error)}). The gallery works without it, but slower. "
            "Start it, correct GALLERY_CACHE__URL, or set GALLERY_CACHE__ENABLED=false."
        )
        raise _ProblemError(message) from error


def _place(url: SecretStr | None) -> str:
    """The address without user, password and parameters."""
    if url is None:
        return "nowhere"
    parts = urlsplit(url.get_secret_value())
    host = parts.netloc.rpartition("@")[2] or "".join(dict(parse_qsl(parts.query)).get("host", ""))
    return f"{host}{parts.path}"


def _storage_place(settings: Settings) -> str:
    endpoint = settings.storage.endpoint_url
    return f"{str(endpoint).rstrip('/') if endpoint else 'Amazon S3'}/{settings.storage.bucket}"


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
