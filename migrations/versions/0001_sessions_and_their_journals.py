"""Sessions and their journals."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("engine", sa.Integer, nullable=False),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("boot", sa.Text),
        sa.Column("origin_id", sa.Text),
        sa.Column("origin_seq", sa.BigInteger),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_owner_created_id", "sessions", ["owner", "created", "id"])
    op.create_table(
        "journal",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("call", sa.Text, nullable=False),
        sa.Column("args", sa.LargeBinary, nullable=False),
        sa.Column("outcome", sa.LargeBinary, nullable=False),
        sa.Column("by", sa.Text),
        sa.Column("time", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "seq", name="pk_journal"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_journal_session_id_sessions", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "states",
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_states"),
    )
    op.create_table(
        "snapshots",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("keep", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "seq", name="pk_snapshots"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_snapshots_session_id_sessions", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sha256"], ["states.sha256"], name="fk_snapshots_sha256_states"),
    )
    op.create_index("ix_snapshots_sha256", "snapshots", ["sha256"])
    op.create_table(
        "access",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "principal", name="pk_access"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_access_session_id_sessions", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_access_principal", "access", ["principal"])


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: history is never rewritten")
