"""Uploads under way, idempotency keys, and images that are copies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STREAMING = sa.text("transport = 'STREAMED' AND state = 'OPEN'")
_STAGED = sa.text("transport = 'STAGED'")
_TIMESTAMP = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Old code goes on: what it stores is no copy. A constant default rewrites no row."""
    _create_uploads()
    _create_idempotency_keys()
    op.add_column("images", sa.Column("is_copy", sa.Boolean, server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    """Uploads under way are lost with what is known of them, and so are the keys of requests that may be repeated."""
    op.drop_column("images", "is_copy")
    for table in ("idempotent_answers", "idempotency_keys", "uploads"):
        op.drop_table(table)


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("owner", sa.Uuid, nullable=False),
        sa.Column("transport", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("image_id", sa.Uuid, nullable=False),
        sa.Column("storage_path", sa.Text, nullable=False),
        sa.Column("draft", JSONB, nullable=False),
        sa.Column("announced", JSONB),
        sa.Column("multipart_id", sa.Text),
        sa.Column("part_size_bytes", sa.BigInteger),
        sa.Column("created_at", _TIMESTAMP, nullable=False),
        sa.Column("touched_at", _TIMESTAMP, nullable=False),
        sa.Column("expires_at", _TIMESTAMP),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sa.CheckConstraint("transport IN ('STREAMED', 'STAGED')", name=op.f("ck_uploads_transport")),
        sa.CheckConstraint("state IN ('OPEN', 'COMPLETED')", name=op.f("ck_uploads_state")),
    )
    op.create_index("ix_uploads_touched_at", "uploads", ["touched_at"], postgresql_where=_STREAMING)
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"], postgresql_where=_STAGED)
    op.create_index("ix_uploads_storage_path", "uploads", ["storage_path"], postgresql_using="hash")


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.Uuid, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("holder", sa.Uuid, nullable=False),
        sa.Column("touched_at", _TIMESTAMP, nullable=False),
        sa.Column("expires_at", _TIMESTAMP, nullable=False),
        sa.Column("result_id", sa.Uuid),
        sa.Column("outcome", sa.Text),
        sa.Column("file_checksum", sa.Text),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_holder", "idempotency_keys", ["holder"])
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])
    op.create_table(
        "idempotent_answers",
        sa.Column("owner", sa.Uuid, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", "request", name=op.f("pk_idempotent_answers")),
        sa.ForeignKeyConstraint(
            ["owner", "key"],
            ["idempotency_keys.owner", "idempotency_keys.key"],
            name=op.f("fk_idempotent_answers_owner_key"),
            ondelete="CASCADE",
        ),
    )
