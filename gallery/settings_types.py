"""The types of settings: what all sections have in common, and how values are read that are not plain."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr
from pydantic_settings import NoDecode

MAX_PROCESSES: Final = 64
_CPU_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
"""A quota and its period, in microseconds, or `max` (control groups, version 2)."""


class Section(BaseModel):
    """Settings of one subject."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def check_scheme(variable: str, url: SecretStr | None, *schemes: str) -> None:
    """Raises ValueError if the address begins otherwise; names what it begins with, never a password in it."""
    if url is None:
        return
    scheme, separator, _ = url.get_secret_value().partition("://")
    if not separator or scheme not in schemes:
        begins = f"begins with {scheme}://" if separator else "has no scheme"
        message = f"{variable} {begins}; it takes {' or '.join(f'{one}://…' for one in schemes)}"
        raise ValueError(message)


def _split(value: object) -> object:
    """A list that was written with commas."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _absolute(value: object) -> object:
    """An absolute path; the empty one, such as from a shell variable that is not set, means nothing."""
    if isinstance(value, str) and not value.strip():
        message = "it is empty"
        raise ValueError(message)
    return Path(value).expanduser().absolute() if isinstance(value, str | Path) else value


def _usable_cores(value: object) -> object:
    """In place of `auto`: the processor cores that this process may use, fewer where a container's quota says so."""
    if value != "auto":
        return value
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MAX_PROCESSES, cores, round(_quota_in_cores(_CPU_QUOTA) or cores)))


def _quota_in_cores(file: Path) -> float | None:
    """How much processor time a control group may use, as a number of cores; None if there is no bound."""
    try:
        quota, period = file.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):
        return None


Processes = Annotated[int, BeforeValidator(_usable_cores)]
Folder = Annotated[Path, BeforeValidator(_absolute)]
File = Annotated[Path, BeforeValidator(_absolute)]
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
