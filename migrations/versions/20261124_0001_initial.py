"""Images, renditions, tags, albums and events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LIVING = sa.text("deleted_at IS NULL")
_SORTABLE_TEXT = sa.Text(collation="C")
_TIMESTAMP = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Everything is new here, so nothing that runs is kept waiting."""
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    _create_images()
    _create_renditions()
    _create_tags()
    _create_albums()
    _create_events()


def downgrade() -> None:
    """The extension stays: it may have been there before, and others may use it."""
    for table in ("events", "album_images", "albums", "image_tags", "tags", "renditions", "images"):
        op.drop_table(table)


def _create_images() -> None:
    op.create_table(
        "images",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("owner", sa.Uuid, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("original_filename", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("file_size_bytes", sa.BigInteger, nullable=False),
        sa.Column("storage_path", sa.Text, nullable=False),
        sa.Column("checksum", sa.Text, nullable=False),
        sa.Column("width_px", sa.Integer, nullable=False),
        sa.Column("height_px", sa.Integer, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        _sort_title(),
        sa.Column("description", sa.Text),
        sa.Column("processing", sa.Text, nullable=False),
        sa.Column("processing_error", sa.Text),
        sa.Column("uploaded_at", _TIMESTAMP, nullable=False),
        sa.Column("created_at", _TIMESTAMP, nullable=False),
        sa.Column("updated_at", _TIMESTAMP, nullable=False),
        sa.Column("deleted_at", _TIMESTAMP),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sa.CheckConstraint("processing IN ('PENDING', 'READY', 'FAILED')", name=op.f("ck_images_processing")),
    )
    op.create_index("uq_images_owner_checksum", "images", ["owner", "checksum"], unique=True, postgresql_where=_LIVING)
    for columns in (
        ["uploaded_at", "id"],
        ["sort_title", "id"],
        ["file_size_bytes", "id"],
        ["content_type", "uploaded_at", "id"],
    ):
        op.create_index(f"ix_images_{'_'.join(columns)}", "images", columns, postgresql_where=_LIVING)
    _create_text_index("images", ["title", "original_filename"], where=_LIVING)


def _create_renditions() -> None:
    op.create_table(
        "renditions",
        sa.Column("image_id", sa.Uuid, nullable=False),
        sa.Column("size", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("width_px", sa.Integer, nullable=False),
        sa.Column("height_px", sa.Integer, nullable=False),
        sa.Column("file_size_bytes", sa.BigInteger, nullable=False),
        sa.Column("checksum", sa.Text, nullable=False),
        sa.Column("storage_path", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("image_id", "size", name=op.f("pk_renditions")),
        _reference("renditions", "image_id", "images"),
    )


def _create_tags() -> None:
    op.create_table(
        "tags",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("owner", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key", _SORTABLE_TEXT, nullable=False),
        sa.Column("created_at", _TIMESTAMP, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("key", name=op.f("uq_tags_key")),
    )
    _create_text_index("tags", ["key"])
    op.create_table(
        "image_tags",
        sa.Column("image_id", sa.Uuid, nullable=False),
        sa.Column("tag_id", sa.Uuid, nullable=False),
        sa.Column("uploaded_at", _TIMESTAMP, nullable=False),
        sa.PrimaryKeyConstraint("image_id", "tag_id", name=op.f("pk_image_tags")),
        _reference("image_tags", "image_id", "images"),
        _reference("image_tags", "tag_id", "tags"),
    )
    op.create_index("ix_image_tags_tag_id_uploaded_at_image_id", "image_tags", ["tag_id", "uploaded_at", "image_id"])


def _create_albums() -> None:
    op.create_table(
        "albums",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("owner", sa.Uuid, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        _sort_title(),
        sa.Column("description", sa.Text),
        sa.Column("cover_id", sa.Uuid),
        sa.Column("created_at", _TIMESTAMP, nullable=False),
        sa.Column("updated_at", _TIMESTAMP, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_albums")),
        _reference("albums", "cover_id", "images", on_delete="SET NULL"),
    )
    for column in ("sort_title", "created_at", "updated_at"):
        op.create_index(f"ix_albums_{column}_id", "albums", [column, "id"])
    op.create_index("ix_albums_cover_id", "albums", ["cover_id"], postgresql_where=sa.text("cover_id IS NOT NULL"))
    _create_text_index("albums", ["title"])
    op.create_table(
        "album_images",
        sa.Column("album_id", sa.Uuid, nullable=False),
        sa.Column("image_id", sa.Uuid, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("added_at", _TIMESTAMP, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("album_id", "image_id", name=op.f("pk_album_images")),
        sa.UniqueConstraint("album_id", "position", name=op.f("uq_album_images_album_id_position")),
        _reference("album_images", "album_id", "albums"),
        _reference("album_images", "image_id", "images"),
    )
    op.create_index("ix_album_images_image_id", "album_images", ["image_id"])


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Uuid, nullable=False),
        sa.Column("occurred_at", _TIMESTAMP, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_events")),
        sa.UniqueConstraint("id", name=op.f("uq_events_id")),
    )
    op.create_index("ix_events_entity_id_sequence", "events", ["entity_id", "sequence"])


def _sort_title() -> sa.Column[str]:
    return sa.Column("sort_title", _SORTABLE_TEXT, sa.Computed("lower(title)", persisted=True), nullable=False)


def _reference(table: str, column: str, to: str, *, on_delete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"), ondelete=on_delete)


def _create_text_index(table: str, columns: list[str], where: sa.TextClause | None = None) -> None:
    op.create_index(
        f"ix_{table}_text",
        table,
        columns,
        postgresql_using="gin",
        postgresql_ops=dict.fromkeys(columns, "gin_trgm_ops"),
        postgresql_where=where,
        postgresql_with={"fastupdate": "off"},
    )
