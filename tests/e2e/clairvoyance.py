"""Runs Clairvoyance, which recovers schemas that servers hide, in an environment of its own: see its lock file."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "clairvoyance.txt"
PLACE = ROOT / ".venv-clairvoyance"

_LIMIT_SECONDS = 300


async def recovered(url: str, words: Collection[str], folder: Path) -> dict[str, set[str]]:
    """What a stranger gets to know by trying these words: the fields of each type, and whatever there was to guess."""
    wordlist, schema = folder / "words", folder / "schema.json"
    wordlist.write_text("\n".join(sorted(words)))
    process = await asyncio.create_subprocess_exec(
        _program(),
        *("--wordlist", wordlist, "--output", schema, "--max-retries", "1", "--concurrent-requests", "4", url),
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    print(output.decode())
    return _fields(json.loads(schema.read_text())) if schema.exists() else {}


def _fields(told: Any) -> dict[str, set[str]]:  # noqa: ANN401  # any JSON
    types = told["data"]["__schema"]["types"]
    return {type_["name"]: {field["name"] for field in type_.get("fields") or []} for type_ in types}


@cache
def _program() -> Path:
    """The program, installed unless it is there; safe with several test processes."""
    stamp, wanted = PLACE / "installed", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    with LOCK.open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != wanted:
            venv.create(PLACE, clear=True, with_pip=True)
            pip = [
                str(PLACE / "bin" / "python"),
                "-I",
                "-m",
                "pip",
                "--disable-pip-version-check",
                "--quiet",
                "install",
            ]
            exactly = [
                "--no-deps",
                "--require-hashes",
                "--only-binary",
                ":all:",
                "--requirement",
                str(LOCK),
            ]
            done = subprocess.run([*pip, *exactly], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            stamp.write_text(wanted)
    return PLACE / "bin" / f"clairvoyance{'.exe' if sys.platform == 'win32' else ''}"
