"""What the next process must know about the servers that run in a data folder: `embedded.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from gallery.platform.embedded.endpoints import Service
from gallery.platform.embedded.identity import ProcessIdentity, machine

_FORMAT = 1


@dataclass(slots=True, kw_only=True)
class State:
    """The servers' processes, and where their sockets are reached; read and written only under the lock."""

    path: Path
    machine: str
    """Where the process ids mean something; see `identity.machine`."""
    processes: dict[Service, ProcessIdentity] = field(default_factory=dict)
    sockets: Path | None = None
    """A short stand-in for the data folder, if that makes socket addresses too long."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """The state on disk; an empty one if there is none or it cannot be read, since nothing is lost by that."""
        try:
            return cls._parse(path, json.loads(path.read_bytes()))
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return cls(path=path, machine=machine())

    @classmethod
    def _parse(cls, path: Path, content: Mapping[str, Any]) -> Self:
        if content["format"] != _FORMAT:
            return cls(path=path, machine=machine())
        sockets = content["sockets"]
        return cls(
            path=path,
            machine=content["machine"],
            processes={Service(name): ProcessIdentity(**identity) for name, identity in content["processes"].items()},
            sockets=Path(sockets) if sockets is not None else None,
        )

    def save(self) -> None:
        """Replaces the file in one step, readable by its owner alone."""
        content = {
            "format": _FORMAT,
            "machine": self.machine,
            "processes": {str(service): identity.to_json() for service, identity in self.processes.items()},
            "sockets": str(self.sockets) if self.sockets is not None else None,
        }
        write_private(self.path, json.dumps(content, indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Writes a file in one step that nobody but its owner has ever been able to read."""
    scratch = path.with_name(f"{path.name}.new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
