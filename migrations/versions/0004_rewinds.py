"""Rewinds are found without reading the calls between them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    rewound = sa.text("effective != seq")
    op.create_index(
        "ix_journal_rewinds",
        "journal",
        ["session_id", "seq", "effective"],
        sqlite_where=rewound,
        postgresql_where=rewound,
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: history is never rewritten")
