"""Why the file of a staged upload was refused, for those who complete it again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Old code goes on: it removes uploads that it refuses, and takes those of new code for complete ones."""
    op.add_column("uploads", sa.Column("refusal", JSONB))


def downgrade() -> None:
    """Refused uploads go, as old code removes them at once."""
    op.execute("DELETE FROM uploads WHERE refusal IS NOT NULL")
    op.drop_column("uploads", "refusal")
