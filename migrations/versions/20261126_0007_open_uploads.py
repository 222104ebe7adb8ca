"""An index of the uploads that each owner has open, which are bounded.

It is built without keeping anybody waiting, which PostgreSQL does outside of transactions only. One that was left half
built is removed first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OPEN = sa.text("transport = 'STAGED' AND state = 'OPEN'")


def upgrade() -> None:
    """Old code goes on: it does not count."""
    with op.get_context().autocommit_block():
        _drop()
        op.create_index(
            "ix_uploads_owner",
            "uploads",
            ["owner"],
            if_not_exists=True,  # for the linter: it is never there
            postgresql_where=_OPEN,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    """Nothing is lost."""
    with op.get_context().autocommit_block():
        _drop()


def _drop() -> None:
    op.drop_index("ix_uploads_owner", "uploads", if_exists=True, postgresql_concurrently=True)
