"""Jobs as they lie in the queue: a name and JSON, which workers of the next version must still understand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

import orjson

from gallery.domain.ids import ImageId
from gallery.domain.jobs import DeleteObjects, Job, RenderImage, Sweep

RENDER_IMAGE, DELETE_OBJECTS, SWEEP = "render_image", "delete_objects", "sweep"


class UnreadableMessageError(ValueError):
    """A message that is no job of this version of the gallery."""


def encode(job: Job) -> tuple[str, bytes]:
    """The name and the payload of a job."""
    match job:
        case RenderImage(image_id):
            return RENDER_IMAGE, orjson.dumps({"image_id": image_id.hex})
        case DeleteObjects(storage_paths):
            return DELETE_OBJECTS, orjson.dumps({"storage_paths": storage_paths})
        case Sweep():
            return SWEEP, orjson.dumps({})


def decode(name: str, payload: bytes | None) -> Job:
    """The job of that name and payload.

    Raises:
        UnreadableMessageError: if there is none.
    """
    try:
        return _DECODERS[name](orjson.loads(payload or b""))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"The message {name!r} with the payload {payload!r} is no job that this version knows."
        raise UnreadableMessageError(message) from error


def _render_image(content: Mapping[str, str]) -> Job:
    return RenderImage(ImageId(UUID(content["image_id"])))


def _delete_objects(content: Mapping[str, list[str]]) -> Job:
    return DeleteObjects(tuple(content["storage_paths"]))


def _sweep(_content: Mapping[str, object]) -> Job:
    return Sweep()


_DECODERS: Mapping[str, Callable[..., Job]] = {
    RENDER_IMAGE: _render_image,
    DELETE_OBJECTS: _delete_objects,
    SWEEP: _sweep,
}

JOB_NAMES = tuple(_DECODERS)
"""The names of all jobs. Messages of other names stay in the queue for a worker that knows them."""
