"""Work that is done later, by a worker: asked for in the transaction that makes it necessary."""

from __future__ import annotations

from dataclasses import dataclass

from gallery.domain.ids import ImageId  # dataclass fields are read at run time


@dataclass(frozen=True, slots=True)
class RenderImage:
    """Make the renditions of an image. Doing it twice does no harm."""

    image_id: ImageId


@dataclass(frozen=True, slots=True)
class DeleteObjects:
    """Remove objects that no row names any more. Doing it twice does no harm."""

    storage_paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Clear away what uploads that nobody finishes have left. Doing it twice does no harm."""


Job = RenderImage | DeleteObjects | Sweep
