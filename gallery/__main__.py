"""The entry point of `gallery` and of `python -m gallery`: imports the rest so that Ctrl+C ends that quietly too."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer import Typer

_INTERRUPTED = 130


def main() -> None:
    """Runs the command line."""
    try:
        _command_line()()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def serving_process() -> None:
    """Runs one of several processes that serve, for the one that starts them."""
    with _importing():
        from gallery.cli.serving_process import main as serve  # noqa: PLC0415  # as below
    serve()


def _command_line() -> Typer:
    """The commands."""
    with _importing():
        from gallery.cli import app  # noqa: PLC0415  # takes a second, in which people change their minds
    return app


@contextmanager
def _importing() -> Iterator[None]:
    """What is imported lives as long as the process: looking for garbage in it is wasted time.

    That is a third of what `gallery --help` takes.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    main()
