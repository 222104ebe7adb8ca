"""Who is shown which images and albums, and with whom albums are shared.

Whatever there is becomes private: nobody is shown by an upgrade what its owner has not shown. Indexes are built without
keeping anybody waiting, which PostgreSQL does outside of transactions only; each step can be run again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_LIVING = sa.text("deleted_at IS NULL")
_SHOWN = sa.text("deleted_at IS NULL AND visibility <> 'PRIVATE'")
_VISIBILITIES = "visibility IN ('PRIVATE', 'UNLISTED', 'PUBLIC')"

_MAKE_SHARES = """
CREATE TABLE IF NOT EXISTS album_shares (
    album_id uuid NOT NULL,
    account_id uuid NOT NULL,
    level text NOT NULL,
    shared_by uuid NOT NULL,
    shared_at timestamp with time zone NOT NULL,
    CONSTRAINT pk_album_shares PRIMARY KEY (album_id, account_id),
    CONSTRAINT fk_album_shares_album_id FOREIGN KEY (album_id) REFERENCES albums (id) ON DELETE CASCADE,
    CONSTRAINT fk_album_shares_account_id FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE,
    CONSTRAINT ck_album_shares_level CHECK (level IN ('VIEW', 'CONTRIBUTE'))
)
"""

_TAKE_BACK = """
UPDATE album_images SET is_offered = false
FROM images, albums
WHERE images.id = album_images.image_id AND albums.id = album_images.album_id AND images.owner <> albums.owner
"""
"""Nobody knows who has put an image into an album of somebody else."""


def upgrade() -> None:
    """Old code goes on: what it stores is private, and offered to nobody."""
    with op.get_context().autocommit_block():
        for table in ("images", "albums"):
            op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS visibility text DEFAULT 'PRIVATE' NOT NULL")
            check = f"ck_{table}_visibility"
            _drop_check(table)
            op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({_VISIBILITIES}) NOT VALID")
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {check}")
        op.execute("ALTER TABLE album_images ADD COLUMN IF NOT EXISTS is_offered boolean DEFAULT true NOT NULL")
        op.execute(
            "-- squawk-ignore prefer-robust-stmts\n"  # changes nothing if it is run again
            "ALTER TABLE album_images ALTER COLUMN is_offered SET DEFAULT false"
        )
        op.execute(_TAKE_BACK)
        op.execute(_MAKE_SHARES)
        _create("ix_album_shares_account_id", "album_shares", ["account_id"])
        _create("ix_albums_owner_id", "albums", ["owner", "id"])
        _create("ix_images_shown_uploaded_at_id", "images", ["uploaded_at", "id"], include=["visibility"], where=_SHOWN)
        _create("ix_images_owner_uploaded_at_id", "images", ["owner", "uploaded_at", "id"], where=_LIVING)


def downgrade() -> None:
    """Everybody sees everything again."""
    with op.get_context().autocommit_block():
        _drop("ix_images_owner_uploaded_at_id", "images")
        _drop("ix_images_shown_uploaded_at_id", "images")
        _drop("ix_albums_owner_id", "albums")
        op.execute("DROP TABLE IF EXISTS album_shares")
        op.execute("ALTER TABLE album_images DROP COLUMN IF EXISTS is_offered")
        for table in ("images", "albums"):
            _drop_check(table)
            op.execute(f"ALTER TABLE {table} DROP COLUMN IF EXISTS visibility")


def _drop_check(table: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint\n"  # it is made again at once, or its column goes
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_visibility"
    )


def _create(
    name: str,
    table: str,
    columns: list[str],
    *,
    include: list[str] | None = None,
    where: sa.TextClause | None = None,
) -> None:
    _drop(name, table)
    op.create_index(
        name,
        table,
        columns,
        if_not_exists=True,  # for the linter: it is never there
        postgresql_include=include,
        postgresql_where=where,
        postgresql_concurrently=True,
    )


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
