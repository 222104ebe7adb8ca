"""Counts what becomes of files."""

from __future__ import annotations

from collections.abc import Awaitable

from gallery.domain.errors import GalleryError
from gallery.domain.metrics import INTERNAL_ERROR, UploadMetrics
from gallery.domain.uploads import Transport
from gallery.services.recording import UploadResult


async def counted(metrics: UploadMetrics, transport: Transport, taking: Awaitable[UploadResult]) -> UploadResult:
    """What a file becomes, which is counted. One that is cancelled has no outcome."""
    try:
        result = await taking
    except GalleryError as error:
        metrics.file(transport, error.code.value)
        raise
    except Exception:
        metrics.file(transport, INTERNAL_ERROR)
        raise
    metrics.file(transport, result.outcome.value, size_bytes=result.image.file_size_bytes)
    return result
