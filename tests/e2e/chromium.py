"""Where Chromium is."""

import shutil

from tests.e2e.node_clients import skip_unless_ci

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """The program of a Chromium on PATH; skips the test where there is none, outside of CI."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        skip_unless_ci("no Chromium on PATH; .ci/install-tools installs one")
    return path
