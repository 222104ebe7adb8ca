"""What a million images ask for: albums know when their images were uploaded, and indexes tell more by themselves.

Indexes are built without keeping anybody waiting, which PostgreSQL does outside of transactions only. So each step
leaves something that the whole can be run on again: an index that was left half built is removed first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TYPES = "ix_images_content_type_uploaded_at_id"
_IN_ALBUM = "ix_album_images_album_id_uploaded_at_image_id"
_LIVING = sa.text("deleted_at IS NULL")
_CHARACTERS = "string_to_array(lower((title || ' ') || original_filename), NULL)"

_MAKE_TRIGGER = (
    """
CREATE OR REPLACE FUNCTION fn_album_images_uploaded_at() RETURNS TRIGGER AS $$
BEGIN
    SELECT images.uploaded_at INTO NEW.uploaded_at FROM images WHERE images.id = NEW.image_id;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql
""",
    """
CREATE OR REPLACE TRIGGER tg_album_images_uploaded_at
BEFORE INSERT ON album_images
FOR EACH ROW WHEN (NEW.uploaded_at IS NULL) EXECUTE FUNCTION fn_album_images_uploaded_at()
""",
)

_FILL = """
DO $$
DECLARE
    one uuid;
    filled integer;
BEGIN
    FOR one IN SELECT id FROM albums ORDER BY id LOOP
        LOOP  -- a few rows at a time: nobody waits long for one of them
            WITH next AS (
                SELECT image_id FROM album_images
                WHERE album_id = one AND uploaded_at IS NULL ORDER BY image_id LIMIT 10000 FOR UPDATE
            )
            UPDATE album_images SET uploaded_at = images.uploaded_at
            FROM images, next
            WHERE images.id = next.image_id AND album_images.image_id = next.image_id AND album_id = one;
            GET DIAGNOSTICS filled = ROW_COUNT;
            COMMIT;
            EXIT WHEN filled = 0;
        END LOOP;
    END LOOP;
END
$$
"""


def upgrade() -> None:
    """Old code goes on: for its rows, which lack the time of the upload, a trigger finds it."""
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE album_images ADD COLUMN IF NOT EXISTS uploaded_at timestamp with time zone")
        for statement in _MAKE_TRIGGER:
            op.execute(statement)
        op.execute(_FILL)
        _demand_uploaded_at()
        _create(_IN_ALBUM, "album_images", ["album_id", "uploaded_at", "image_id"])
        _replace_types_index(["file_size_bytes"])
        _create(
            "ix_images_uploaded_at_id_names",
            "images",
            ["uploaded_at", "id"],
            include=["title", "original_filename"],
            where=_LIVING,
        )
        _create("ix_images_characters", "images", [sa.text(_CHARACTERS)], using="gin", settings={"fastupdate": "off"})


def downgrade() -> None:
    """Nothing is lost: an image knows when it was uploaded."""
    with op.get_context().autocommit_block():
        _drop("ix_images_characters", "images")
        _drop("ix_images_uploaded_at_id_names", "images")
        _replace_types_index([])
        op.execute("ALTER TABLE album_images ALTER COLUMN uploaded_at DROP NOT NULL")  # old code goes on meanwhile
        op.execute("DROP TRIGGER IF EXISTS tg_album_images_uploaded_at ON album_images")
        op.execute("DROP FUNCTION IF EXISTS fn_album_images_uploaded_at")
        op.execute("ALTER TABLE album_images DROP COLUMN IF EXISTS uploaded_at")


def _demand_uploaded_at() -> None:
    """Checks the rows before the column is changed, which then locks the table for a moment only."""
    check = "ck_album_images_uploaded_at"
    drop = (
        "-- squawk-ignore ban-drop-constraint\n"  # it lives for these steps only
        f"ALTER TABLE album_images DROP CONSTRAINT IF EXISTS {check}"
    )
    op.execute(drop)
    op.execute(f"ALTER TABLE album_images ADD CONSTRAINT {check} CHECK (uploaded_at IS NOT NULL) NOT VALID")
    op.execute(f"ALTER TABLE album_images VALIDATE CONSTRAINT {check}")
    op.execute(
        "-- squawk-ignore prefer-robust-stmts\n"  # changes nothing if it is run again
        "ALTER TABLE album_images ALTER COLUMN uploaded_at SET NOT NULL"
    )
    op.execute(drop)


def _replace_types_index(include: list[str]) -> None:
    """Builds the new one beside the old one, so that there is one at every moment."""
    _create(f"{_TYPES}_new", "images", ["content_type", "uploaded_at", "id"], include=include, where=_LIVING)
    _drop(_TYPES, "images")
    op.execute(
        "-- squawk-ignore renaming-object\n"  # nobody asks for an index by its name
        f"ALTER INDEX {_TYPES}_new RENAME TO {_TYPES}"
    )


def _create(  # noqa: PLR0913  # what an index is made of
    name: str,
    table: str,
    columns: list[str | sa.TextClause],
    *,
    include: list[str] | None = None,
    where: sa.TextClause | None = None,
    using: str = "btree",
    settings: dict[str, str] | None = None,
) -> None:
    _drop(name, table)
    op.create_index(
        name,
        table,
        columns,
        if_not_exists=True,  # for the linter: it is never there
        postgresql_include=include,
        postgresql_where=where,
        postgresql_using=using,
        postgresql_with=settings or {},
        postgresql_concurrently=True,
    )


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
