"""Names of results, per person; the seq whose state a row, and a session's head, has."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "names",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("named", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "person", "name", name="pk_names"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_names_session_id_sessions", ondelete="CASCADE"
        ),
    )
    # Until now every row was a call, and so has a state of its own.
    for table in ("sessions", "journal"):
        op.add_column(table, sa.Column("effective", sa.BigInteger))
        op.execute(f"UPDATE {table} SET effective = seq")  # noqa: S608 - the two names above
        with op.batch_alter_table(table, table_kwargs={"sqlite_with_rowid": table != "journal"}) as rebuilt:
            rebuilt.alter_column("effective", existing_type=sa.BigInteger(), nullable=False)


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: history is never rewritten")
