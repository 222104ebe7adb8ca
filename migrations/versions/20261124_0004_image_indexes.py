"""Indexes of images: unique bytes but for copies, any image of the same bytes, and the rows that name an object.

They are built without keeping anybody waiting, which PostgreSQL does outside of transactions only. So each step leaves
something that the whole can be run on again: an index that was left half built is removed first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LIVING = "deleted_at IS NULL"
_NO_COPIES = f"{_LIVING} AND NOT is_copy"

_REFUSE_COPIES = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM images WHERE is_copy AND deleted_at IS NULL) THEN
        RAISE 'Some images are copies of others, which older versions do not know. Delete the copies first.';
    END IF;
END
$$
"""


def upgrade() -> None:
    """The unique index keeps its name, by which running code knows what it refuses, old and new."""
    with op.get_context().autocommit_block():
        _replace_unique_index(_NO_COPIES)
        _create("ix_images_owner_checksum", "images", ["owner", "checksum"], where=_LIVING)
        _create("ix_images_storage_path", "images", ["storage_path"], where=_LIVING, using="hash")
        _create("ix_renditions_storage_path", "renditions", ["storage_path"], using="hash")


def downgrade() -> None:
    """Refuses, changing nothing, if there are copies."""
    op.execute(_REFUSE_COPIES)
    with op.get_context().autocommit_block():
        _replace_unique_index(_LIVING)
        _drop("ix_images_owner_checksum", "images")
        _drop("ix_images_storage_path", "images")
        _drop("ix_renditions_storage_path", "renditions")


def _replace_unique_index(where: str) -> None:
    """Builds the new one beside the old one, so that there is one at every moment."""
    _create("uq_images_owner_checksum_new", "images", ["owner", "checksum"], unique=True, where=where)
    _drop("uq_images_owner_checksum", "images")
    op.execute(
        "-- squawk-ignore renaming-object\n"  # nobody asks for an index by its name
        "ALTER INDEX uq_images_owner_checksum_new RENAME TO uq_images_owner_checksum"
    )


def _create(
    name: str, table: str, columns: list[str], *, where: str | None = None, unique: bool = False, using: str = "btree"
) -> None:
    _drop(name, table)
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        if_not_exists=True,  # for the linter: it is never there
        postgresql_where=None if where is None else sa.text(where),
        postgresql_using=using,
        postgresql_concurrently=True,
    )


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
