"""Idempotency keys of changes keep what the change answered with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Old code goes on: it knows no keys of changes, and keeps nothing here."""
    op.add_column("idempotency_keys", sa.Column("snapshot", JSONB))


def downgrade() -> None:
    """Keys of changes go, since nobody could answer their repeats."""
    op.execute("DELETE FROM idempotency_keys WHERE snapshot IS NOT NULL")
    op.drop_column("idempotency_keys", "snapshot")
