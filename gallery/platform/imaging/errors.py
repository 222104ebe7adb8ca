"""What the modules of this package tell one another. Callers see the errors of `gallery.domain.errors`."""

from __future__ import annotations


class UnreadableHeaderError(ValueError):
    """The bytes begin like the format, but do not say how large the image is."""


class CutOffHeaderError(UnreadableHeaderError):
    """They may say so further on: everything up to the last byte is as it should be."""


class UndecodableError(ValueError):
    """The pixels of a file cannot be had."""
