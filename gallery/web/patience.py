"""How patient requests are, while others have all connections to the database."""

from __future__ import annotations

from starlette.types import Scope

from gallery.domain.access import ANONYMOUS, LOCAL_ADMINISTRATOR, Viewer
from gallery.domain.waiting import PATIENCE, Patience, Places
from gallery.settings_connections import OverloadSettings


class Patiences:
    """The patience of each request. All wait in the same places."""

    def __init__(self, settings: OverloadSettings) -> None:
        self._seconds = settings.queue_timeout_seconds
        self._places = Places(settings.max_waiting)

    def of(self, scope: Scope) -> Patience:
        """That of a request, for the address that it came from until it is known whose it is."""
        client = scope.get("client")
        return Patience(asker=client and client[0], seconds=self._seconds, places=self._places)


def wait_as(viewer: Viewer) -> None:
    """From now on the request at hand waits among those of a viewer, if the viewer is one person."""
    patience = PATIENCE.get()
    if patience is not None and viewer.id not in _SEVERAL:
        patience.asker = viewer.id


def wait_anew() -> None:
    """From now on what is at hand has a patience of its own, as one of several operations of a connection."""
    patience = PATIENCE.get()
    if patience is not None:
        PATIENCE.set(Patience(asker=patience.asker, seconds=patience.seconds, places=patience.places))


_SEVERAL = frozenset({LOCAL_ADMINISTRATOR.id, ANONYMOUS.id})
