"""Runs the scripts of tests/e2e/clients under Node, with the packages that its lock file names."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

CLIENTS = Path(__file__).parent / "clients"

_SCRIPT_LIMIT_SECONDS = 180


async def run_script(name: str, *arguments: str | Path) -> dict[str, Any]:
    """Runs a script and returns the facts that it prints as one line of JSON."""
    _install_packages()
    process = await asyncio.create_subprocess_exec(
        _program("node"),
        name,
        *map(str, arguments),
        cwd=CLIENTS,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_SCRIPT_LIMIT_SECONDS):
            output, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, complaints.decode()) == (0, ""), complaints.decode()
    facts: dict[str, Any] = json.loads(output)
    return facts


@cache
def _install_packages() -> None:
    """Installs what package-lock.json names, unless it is there; safe with several test processes."""
    lock = CLIENTS / "package-lock.json"
    stamp = CLIENTS / "node_modules" / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    with lock.open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        npm = subprocess.run([_program("npm"), "ci"], cwd=CLIENTS, capture_output=True, text=True, check=False)
        assert npm.returncode == 0, npm.stdout + npm.stderr
        stamp.write_text(wanted)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        skip_unless_ci(f"{name} is not on PATH; the clients need Node.js 20 or later")
    return path


def skip_unless_ci(reason: str) -> NoReturn:
    """Skips what this machine cannot run; where CI=true is set, everything must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
