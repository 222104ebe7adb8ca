"""Data folders for the embedded servers, other processes that use them, and what the servers are asked."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiohttp
import asyncpg
import psutil
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from redis.asyncio import Redis
from sqlalchemy import make_url

from gallery.platform.embedded import Endpoints, S3Endpoint, Service

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = frozenset(Service)
CACHE = frozenset({Service.VALKEY})

_HOLDER = """
import asyncio, json, sys
from dataclasses import asdict
from pathlib import Path
from gallery.platform.embedded import EmbeddedError, EmbeddedServers, Service

async def main(folder, services, exclusive):
    try:
        servers = await EmbeddedServers.start(Path(folder), [Service(s) for s in services], exclusive=exclusive)
    except EmbeddedError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}), flush=True)
        return
    async with servers:
        print(json.dumps(asdict(servers.endpoints)), flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main(sys.argv[1], sys.argv[2].split(","), sys.argv[3] == "exclusive"))
"""


@contextmanager
def scratch_folder(prefix: str = "gallery-test-") -> Iterator[Path]:
    """A folder with a short path that everybody can enter; afterwards no process may work in it any more."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp")).resolve()
    folder.chmod(0o755)
    try:
        yield folder
        assert processes_in(folder) == []
    finally:
        for process in processes_in(folder):
            process.kill()
        shutil.rmtree(folder)


def processes_in(folder: Path) -> list[psutil.Process]:
    """The processes whose working folder lies in this one, zombies aside."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def recorded(folder: Path) -> dict[str, int]:
    """The servers' process ids as the state file has them."""
    processes = json.loads((folder / "embedded.json").read_text())["processes"]
    return {name: identity["pid"] for name, identity in processes.items()}


class OtherProcess:
    """Another process that uses a data folder until it is told to leave, or killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def begin(
        cls,
        folder: Path,
        services: frozenset[Service] = EVERYTHING,
        *,
        exclusive: bool = False,
        prefix: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        code_path: Path = ROOT,
        flags: tuple[str, ...] = (),
    ) -> Self:
        """Start it, without waiting for its servers."""
        kind = "exclusive" if exclusive else "shared"
        process = await asyncio.create_subprocess_exec(
            *prefix,
            sys.executable,
            *flags,
            "-c",
            _HOLDER,
            str(folder),
            ",".join(services),
            kind,
            cwd=code_path,
            env={**os.environ, **(environment or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def answer(self) -> dict[str, object]:
        """Its endpoints, or its error."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 150)
        assert line, "the other process ended without a word"
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    async def leave(self) -> int:
        """Let it leave the folder; its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return await asyncio.wait_for(self._process.wait(), 60)

    async def kill(self) -> None:
        """Kill it as the kernel does when memory runs out."""
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()


@dataclass(frozen=True)
class Answers:
    """What the servers behind the endpoints say."""

    endpoints: Endpoints

    async def sql(self, statement: str) -> list[tuple[object, ...]]:
        assert self.endpoints.database_url is not None
        url = make_url(self.endpoints.database_url)
        connection = await asyncpg.connect(
            host=str(url.query["host"]), user=url.username, database=url.database, timeout=20
        )
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    @asynccontextmanager
    async def cache(self) -> AsyncIterator[Redis]:
        assert self.endpoints.cache_url is not None
        async with Redis.from_url(self.endpoints.cache_url, decode_responses=True) as client:
            yield client

    async def s3(self, method: str, path: str, body: bytes = b"", *, signed: bool = True) -> tuple[int, bytes]:
        assert self.endpoints.s3 is not None
        return await request(self.endpoints.s3, method, path, body, signed=signed)


async def request(
    s3: S3Endpoint, method: str, path: str, body: bytes = b"", *, signed: bool = True
) -> tuple[int, bytes]:
    """The status and body of one S3 request."""
    url = f"{s3.endpoint_url}{path}"
    prepared = AWSRequest(method, url, data=body)
    if signed:
        S3SigV4Auth(Credentials(s3.access_key_id, s3.secret_access_key), "s3", s3.region).add_auth(prepared)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=body, headers=dict(prepared.headers)) as response,
    ):
        return response.status, await response.read()
