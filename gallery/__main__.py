"""The entry point of `gallery` and of `python -m gallery`: imports the rest so that Ctrl+C ends that quietly too."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Runs the command line."""
    try:
        from gallery.cli import app  # noqa: PLC0415  # takes a second, in which people change their minds

        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
