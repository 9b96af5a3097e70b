"""What several servers on one database need: an audit log that says no, and no limit that a date may pass."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Seconds since a task was opened: whoever has an extension until 2099 passes the limit of 32 bits.
    with op.batch_alter_table("submissions") as submissions:
        submissions.alter_column("seconds", existing_type=sa.Integer(), type_=sa.BigInteger())
    op.create_table(
        "failures",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_failures"),
    )
    op.create_index("ix_failures_until", "failures", ["until"])
    op.create_table(
        "buckets",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("remains", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_buckets"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE buckets SET UNLOGGED")
        audit()


def audit() -> None:
    """A rule has let nothing happen, in silence, and TRUNCATE pass. A trigger refuses in words."""
    op.execute("DROP RULE audit_no_update ON audit")
    op.execute("DROP RULE audit_no_delete ON audit")
    op.execute(
        "CREATE FUNCTION audit_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$"
    )
    for each, acts in (("ROW", "UPDATE OR DELETE"), ("STATEMENT", "TRUNCATE")):
        op.execute(
            f"CREATE TRIGGER audit_no_{acts.split()[0].lower()} BEFORE {acts} ON audit "
            f"FOR EACH {each} EXECUTE FUNCTION audit_is_only_added_to()"
        )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: history is never rewritten")
