"""Where Chromium is."""

import shutil

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """The program of a Chromium on PATH."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    assert path is not None, "no Chromium on PATH; .ci/install-browser installs one"
    return path
