"""Rows become entities here, and entities rows. Nothing else knows how one maps to the other."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Row

from gallery.domain.albums import Album
from gallery.domain.images import ContentType, Image, ProcessingState, Rendition, RenditionSize
from gallery.domain.tags import Tag, tag_key
from gallery.platform.database.tables import ALBUMS, IMAGES, RENDITIONS, TAGS

IMAGE_COLUMNS: tuple[Column[Any], ...] = tuple(column for column in IMAGES.c if column.computed is None)
RENDITION_COLUMNS: tuple[Column[Any], ...] = tuple(RENDITIONS.c)
TAG_COLUMNS: tuple[Column[Any], ...] = tuple(column for column in TAGS.c if column is not TAGS.c.key)
ALBUM_COLUMNS: tuple[Column[Any], ...] = tuple(column for column in ALBUMS.c if column.computed is None)


def image_from_row(row: Row[Any]) -> Image:
    """The image of a row that has `IMAGE_COLUMNS`."""
    return Image(
        id=row.id,
        owner=row.owner,
        filename=row.filename,
        original_filename=row.original_filename,
        content_type=ContentType(row.content_type),
        file_size_bytes=row.file_size_bytes,
        storage_path=row.storage_path,
        checksum=row.checksum,
        width_px=row.width_px,
        height_px=row.height_px,
        title=row.title,
        description=row.description,
        processing=ProcessingState(row.processing),
        processing_error=row.processing_error,
        uploaded_at=row.uploaded_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        version=row.version,
    )


def rendition_from_row(row: Row[Any]) -> Rendition:
    """The rendition of a row that has `RENDITION_COLUMNS`."""
    return Rendition(
        image_id=row.image_id,
        size=RenditionSize(row.size),
        content_type=row.content_type,
        width_px=row.width_px,
        height_px=row.height_px,
        file_size_bytes=row.file_size_bytes,
        checksum=row.checksum,
        storage_path=row.storage_path,
    )


def tag_from_row(row: Row[Any]) -> Tag:
    """The tag of a row that has `TAG_COLUMNS`."""
    return Tag(id=row.id, owner=row.owner, name=row.name, created_at=row.created_at)


def album_from_row(row: Row[Any]) -> Album:
    """The album of a row that has `ALBUM_COLUMNS`."""
    return Album(
        id=row.id,
        owner=row.owner,
        title=row.title,
        description=row.description,
        cover_id=row.cover_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
    )


def image_values(image: Image) -> dict[str, Any]:
    """The values of an image's row."""
    return _values(image, IMAGE_COLUMNS)


def rendition_values(rendition: Rendition) -> dict[str, Any]:
    """The values of a rendition's row."""
    return _values(rendition, RENDITION_COLUMNS)


def tag_values(tag: Tag) -> dict[str, Any]:
    """The values of a tag's row."""
    return _values(tag, TAG_COLUMNS) | {"key": tag_key(tag.name)}


def album_values(album: Album) -> dict[str, Any]:
    """The values of an album's row."""
    return _values(album, ALBUM_COLUMNS)


def _values(entity: object, columns: tuple[Column[Any], ...]) -> dict[str, Any]:
    return {column.name: getattr(entity, column.name) for column in columns}
