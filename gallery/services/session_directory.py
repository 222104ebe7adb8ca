"""Sessions by the hashes of their secrets, as `directory.py` finds things."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from gallery.domain.access import Viewer
from gallery.domain.accounts import Account
from gallery.domain.events import Event, EventKind
from gallery.domain.ports import CommitListener
from gallery.domain.session_ports import SessionReader
from gallery.domain.sessions import Session
from gallery.services.directory import PAUSE_SECONDS, Directory

_CHANGES: Final = frozenset(
    {
        EventKind.ACCOUNT_SESSIONS_ENDED,
        EventKind.ACCOUNT_PASSWORD_SET,
        EventKind.ACCOUNT_UPDATED,
        EventKind.ACCOUNT_DISABLED,
    }
)


@dataclass(slots=True, kw_only=True)
class KnownSession:
    """A session as the database had it, and who shows it. `use_is_noted` once somebody sees to it."""

    session: Session
    account: Account
    viewer: Viewer
    use_is_noted: bool = False


class SessionDirectory(Directory[bytes, KnownSession]):
    """Finds sessions by the SHA-256 of their secrets, outdated ones too."""

    def __init__(
        self,
        reader: SessionReader,
        *,
        pause_seconds: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        async def read(digests: Collection[bytes]) -> dict[bytes, KnownSession]:
            found = await reader.by_digest(digests)
            return {
                digest: KnownSession(session=session, account=account, viewer=session.viewer(account))
                for digest, (session, account) in found.items()
            }

        super().__init__(read, pause_seconds=pause_seconds, clock=clock)


def forgetting_sessions(directory: SessionDirectory, listener: CommitListener) -> CommitListener:
    """A listener that lets a session go as soon as it is ended, before the other one is told of it."""

    async def listen(events: Sequence[Event]) -> None:
        if any(event.kind in _CHANGES for event in events):
            directory.forget()
        await listener(events)

    return listen
