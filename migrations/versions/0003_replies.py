"""Answers that are given again when the same request comes again under the same key."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replies",
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name="pk_replies"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_replies_session_id_sessions", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_replies_session_id", "replies", ["session_id"])
    op.create_index("ix_replies_created", "replies", ["created"])


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: history is never rewritten")
