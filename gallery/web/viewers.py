"""Who sent a request."""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

from gallery.domain.access import LOCAL_ADMINISTRATOR, Viewer

VIEWER: Final = "gallery.viewer"
"""Where in the scope of a request its viewer is, once something before it finds out who that is."""


def viewer_of(scope: Scope) -> Viewer:
    """The viewer; without accounts everybody is the administrator."""
    viewer: Viewer = scope.get(VIEWER, LOCAL_ADMINISTRATOR)
    return viewer
