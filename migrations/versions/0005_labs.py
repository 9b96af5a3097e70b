"""Labs: instructors, students, what they share, and what was done with their rights."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    accounts_and_tokens()
    labs()
    of_sessions()
    machines()
    audit()


def accounts_and_tokens() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("number", name="uq_accounts_number"),
        sa.UniqueConstraint("key", name="uq_accounts_key"),
    )
    op.create_table(
        "tokens",
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("use", sa.Text, nullable=False),
        sa.Column("holder", sa.Text),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("expires", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_tokens"),
    )
    op.create_index("ix_tokens_holder", "tokens", ["holder"])
    op.create_index("ix_tokens_expires", "tokens", ["expires"])


def labs() -> None:
    op.create_table(
        "labs",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("code_expires", sa.Text),
        sa.Column("frozen", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("closed", sa.Text),
        sa.Column("view", sa.Text),
        sa.Column("numbers", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_labs"),
        sa.ForeignKeyConstraint(["owner"], ["accounts.id"], name="fk_labs_owner_accounts"),
        sa.UniqueConstraint("code", name="uq_labs_code"),
    )
    op.create_index("ix_labs_owner", "labs", ["owner"])
    op.create_table(
        "members",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("lab_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("nickname", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("joined", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
        sa.ForeignKeyConstraint(["lab_id"], ["labs.id"], name="fk_members_lab_id_labs", ondelete="CASCADE"),
        sa.UniqueConstraint("lab_id", "number", name="uq_members_lab_id_number"),
        sa.UniqueConstraint("lab_id", "key", name="uq_members_lab_id_key"),
    )


def of_sessions() -> None:
    # In plain SQL: the column comes with its constraint, so that SQLite need not rebuild the table.
    op.execute("ALTER TABLE sessions ADD COLUMN lab_id TEXT REFERENCES labs (id)")
    op.add_column("sessions", sa.Column("locked", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_sessions_lab_id", "sessions", ["lab_id"])
    named = sa.text("by IS NOT NULL")
    op.create_index(
        "ix_journal_by", "journal", ["session_id", "by"], sqlite_where=named, postgresql_where=named
    )


def machines() -> None:
    op.create_table(
        "lab_machines",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("lab_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("names", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lab_machines"),
        sa.ForeignKeyConstraint(
            ["lab_id"], ["labs.id"], name="fk_lab_machines_lab_id_labs", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_lab_machines_session_id_sessions", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_lab_machines_lab_id_created", "lab_machines", ["lab_id", "created"])
    op.create_index("ix_lab_machines_session_id", "lab_machines", ["session_id"])
    op.create_table(
        "checkpoints",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("machine_id", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("names", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_checkpoints"),
        sa.ForeignKeyConstraint(
            ["machine_id"],
            ["lab_machines.id"],
            name="fk_checkpoints_machine_id_lab_machines",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("machine_id", "seq", name="uq_checkpoints_machine_id_seq"),
    )
    op.create_table(
        "progress",
        sa.Column("member_id", sa.Text, nullable=False),
        sa.Column("checkpoint_id", sa.Text, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("time", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("member_id", "checkpoint_id", name="pk_progress"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_progress_member_id_members", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["checkpoint_id"],
            ["checkpoints.id"],
            name="fk_progress_checkpoint_id_checkpoints",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_progress_checkpoint_id", "progress", ["checkpoint_id"])


def audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("lab_id", sa.Text),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_audit_lab_id", "audit", ["lab_id"])
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{act.lower()} BEFORE {act} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
            )
    else:
        op.execute("CREATE RULE audit_no_update AS ON UPDATE TO audit DO INSTEAD NOTHING")
        op.execute("CREATE RULE audit_no_delete AS ON DELETE TO audit DO INSTEAD NOTHING")


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: history is never rewritten")
