"""Labs that are not open yet, which demo a machine of a lab is of, and checkpoints that were only said."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both databases add such columns in place: no table is rebuilt.
    op.add_column("labs", sa.Column("draft", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("lab_machines", sa.Column("demo", sa.Text))
    op.add_column("lab_machines", sa.Column("part", sa.Integer))
    # Until now nothing was looked at where somebody said that they were there.
    op.execute("UPDATE progress SET how = 'said' WHERE how = 'done'")


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: history is never rewritten")
