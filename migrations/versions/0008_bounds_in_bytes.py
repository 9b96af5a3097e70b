"""Bytes of each session, and lists of blocks apart from the rows that returned them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lists",
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("blocks", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_lists"),
    )
    op.create_table(
        "row_lists",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "seq", name="pk_row_lists"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_row_lists_session_id_sessions", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sha256"], ["lists.sha256"], name="fk_row_lists_sha256_lists"),
    )
    op.create_index("ix_row_lists_sha256", "row_lists", ["sha256"])
    op.add_column("sessions", sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"))
    op.execute(
        "UPDATE sessions SET bytes = (SELECT coalesce(sum(length(args) + length(outcome)), 0) FROM journal "
        "WHERE journal.session_id = sessions.id)"
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: history is never rewritten")
