"""The servers that `nested` lets take turns: the gallery, its peers, and the bounds of what Python can do."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from benchmarks.harness import Place
from benchmarks.processes import BenchmarkError, Command, gallery_command, module_command
from gallery.platform.database.engine import driver_dsn

NODE_FOLDER: Final = Path(__file__).parent / "peers" / "node"
INSTALL_SECONDS: Final = 300
MAX_SERVERS: Final = 9
"""Each has a pool of 10 connections, and PostgreSQL takes 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A server that the gallery is compared with: a module of Python, or a script of Node.js."""

    program: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_node(self) -> bool:
        """Whether it needs Node.js and its packages."""
        return self.program.endswith(".mjs")

    def command(self, here: Place, more: Mapping[str, str]) -> Command:
        """How to start it."""
        environment = {"PEER_DATABASE_URL": driver_dsn(here.database_url), **self.settings, **more}
        if not self.is_node:
            return module_command(self.program, environment)
        if here.endpoints.cache_url is not None:
            environment["PEER_CACHE_SOCKET"] = unquote(urlsplit(here.endpoints.cache_url).path)
        script = str(NODE_FOLDER / self.program)
        return Command(arguments=[_found("node"), script], environment={"NODE_ENV": "production", **environment})


PEERS: Final[Mapping[str, Peer]] = {
    "mercurius-jit": Peer(program="mercurius.mjs"),
    "mercurius-jit-cache": Peer(program="mercurius.mjs", settings={"PEER_CACHE": "memory"}),
    "mercurius-jit-dropping": Peer(program="mercurius.mjs", settings={"PEER_CACHE": "dropping"}),
    "yoga": Peer(program="yoga.mjs", settings={"PEER_COMPILE": "no"}),
    "yoga-jit": Peer(program="yoga.mjs"),
    "yoga-jit-cache": Peer(program="yoga.mjs", settings={"PEER_CACHE": "memory"}),
    "yoga-jit-valkey": Peer(program="yoga.mjs", settings={"PEER_CACHE": "valkey"}),
    "apollo": Peer(program="apollo.mjs"),
    "strawberry": Peer(program="benchmarks.peers.strawberry_plain"),
    "sql": Peer(program="benchmarks.peers.sql"),
    "bytes": Peer(program="benchmarks.peers.sql", settings={"PEER_KEEP": "1"}),
}
GALLERIES: Final[Mapping[str, Mapping[str, str]]] = {
    "no-cache": {"GALLERY_CACHE__ENABLED": "false"},
    "cached": {"GALLERY_CACHE__RESPONSES": "false"},
    "responses": {},
    "responses-valkey": {"GALLERY_CACHE__RESPONSES_MAX_BYTES": "0"},
}


def commands(
    here: Place, peers: Sequence[str], galleries: Sequence[str], peer_environment: Mapping[str, str]
) -> dict[str, Command]:
    """The chosen servers by their names, peers first."""
    if any(PEERS[name].is_node for name in peers):
        install_node_packages()
    return {name: PEERS[name].command(here, peer_environment) for name in peers} | {
        f"gallery, {name}": gallery_command({**here.gallery_settings(), **GALLERIES[name]}) for name in galleries
    }


def install_node_packages() -> None:
    """Installs what package-lock.json names, unless it is there; from npm's own cache as far as that goes.

    Raises:
        BenchmarkError: if there is no npm, or the packages cannot be had.
    """
    lock = NODE_FOLDER / "package-lock.json"
    stamp = NODE_FOLDER / "node_modules" / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    with lock.open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        arguments = [_found("npm"), "ci", "--prefer-offline", "--ignore-scripts", "--loglevel=error"]
        npm = subprocess.run(
            arguments, cwd=NODE_FOLDER, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
        if npm.returncode:
            message = f"The packages of the peers on Node.js could not be installed:\n{npm.stdout}{npm.stderr}"
            raise BenchmarkError(message)
        stamp.write_text(wanted)


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        message = f"{program} is not on PATH; the peers on Node.js need version 20 or later."
        raise BenchmarkError(message)
    return path
