"""How many members a lab expects, and who waits to be admitted."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both databases add such columns in place: no table is rebuilt.
    op.add_column("labs", sa.Column("expected", sa.Integer, nullable=False, server_default="120"))
    op.add_column("members", sa.Column("waiting", sa.Text))
    # A lab expects at least the members that it has.
    op.execute(
        "UPDATE labs SET expected = (SELECT count(*) FROM members WHERE members.lab_id = labs.id) "
        "WHERE (SELECT count(*) FROM members WHERE members.lab_id = labs.id) > 120"
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: history is never rewritten")
