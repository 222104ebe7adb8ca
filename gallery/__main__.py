"""The entry point of `gallery` and of `python -m gallery`: imports the rest so that Ctrl+C ends that quietly too."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer import Typer

_INTERRUPTED = 130


def main() -> None:
    """Runs the command line."""
    try:
        _command_line()()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _command_line() -> Typer:
    """The commands. What importing them makes lives as long as the process: looking for garbage in it is wasted time.

    That is a third of what `gallery --help` takes.
    """
    gc.disable()
    from gallery.cli import app  # noqa: PLC0415  # takes a second, in which people change their minds

    gc.freeze()
    gc.enable()
    return app


if __name__ == "__main__":
    main()
