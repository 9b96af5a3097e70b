"""The latest time that was believed, by which a clock that has jumped is noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

LATEST = (
    "SELECT max(created) FROM sessions",
    "SELECT max(created) FROM tokens",
    "SELECT max(created) FROM replies",
    "SELECT max(time) FROM audit",
)


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("trusted", sa.Text, nullable=False),
        sa.Column("seen", sa.Text, nullable=False),
        sa.Column("ran", sa.Float, nullable=False),
    )
    # What was written last was believed; a new database believes the first clock that it sees.
    db = op.get_bind()
    known = [time for query in LATEST if (time := db.execute(sa.text(query)).scalar())]
    if known:
        put = sa.text("INSERT INTO clock (id, trusted, seen, ran) VALUES (1, :time, :time, 0)")
        db.execute(put, {"time": max(known)})


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: history is never rewritten")
