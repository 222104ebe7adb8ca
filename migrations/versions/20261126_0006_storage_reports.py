"""The last report of the storage of each depth, for those who watch over the gallery."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Old code knows nothing of it and keeps no reports."""
    op.create_table(
        "storage_reports",
        sa.Column("depth", sa.Text, nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_seconds", sa.Double, nullable=False),
        sa.Column("objects", sa.BigInteger, nullable=False),
        sa.Column("objects_bytes", sa.BigInteger, nullable=False),
        sa.Column("counts", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("depth", name=op.f("pk_storage_reports")),
    )


def downgrade() -> None:
    """The next sweep finds the same again."""
    op.drop_table("storage_reports")
