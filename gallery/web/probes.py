"""Where orchestrators look whether a process is well. They ask often, and by address rather than by name."""

from __future__ import annotations

from typing import Final

LIVE_PATH: Final = "/livez"
READY_PATH: Final = "/readyz"
PROBE_PATHS: Final = frozenset({LIVE_PATH, READY_PATH})
