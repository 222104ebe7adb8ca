"""Share links."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Old code knows nothing of it."""
    op.create_table(
        "share_links",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("album_id", sa.Uuid),
        sa.Column("image_id", sa.Uuid),
        sa.Column("made_by", sa.Uuid, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("allows_download", sa.Boolean, nullable=False),
        sa.Column("shows_metadata", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("open_count", sa.BigInteger, nullable=False),
        sa.Column("last_opened_at", sa.DateTime(timezone=True)),
        sa.Column("guesses", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("guesses_since", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_links")),
        sa.UniqueConstraint("digest", name=op.f("uq_share_links_digest")),
        sa.CheckConstraint("num_nonnulls(album_id, image_id) = 1", name=op.f("ck_share_links_target")),
        sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name=op.f("fk_share_links_album_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_share_links_image_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["made_by"], ["accounts.id"], name=op.f("fk_share_links_made_by"), ondelete="CASCADE"),
    )
    op.create_index("ix_share_links_album_id", "share_links", ["album_id"])
    op.create_index("ix_share_links_image_id", "share_links", ["image_id"])
    op.create_index("ix_share_links_made_by", "share_links", ["made_by"])


def downgrade() -> None:
    """All links are gone; what they led to stays."""
    op.drop_table("share_links")
