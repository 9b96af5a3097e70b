"""Exercises: sheets of a lab, who has which variant, what they answered, and questions to a class."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    of_sessions()
    kept_secrets()
    sheets()
    variants()
    submissions()
    polls()


def of_sessions() -> None:
    op.add_column("sessions", sa.Column("allow", sa.Text))


def kept_secrets() -> None:
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
    )


def sheets() -> None:
    op.create_table(
        "sheets",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("lab_id", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("opens", sa.Text),
        sa.Column("due", sa.Text),
        sa.Column("late_until", sa.Text),
        sa.Column("late_factor", sa.Integer, nullable=False),
        sa.Column("counts", sa.Text),
        sa.Column("opened", sa.Text),
        sa.Column("released", sa.Text),
        sa.Column("created", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sheets"),
        sa.ForeignKeyConstraint(["lab_id"], ["labs.id"], name="fk_sheets_lab_id_labs", ondelete="CASCADE"),
    )
    op.create_index("ix_sheets_lab_id_created", "sheets", ["lab_id", "created"])
    op.create_table(
        "sheet_items",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("sheet_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("exercise", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("sha256", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_sheet_items"),
        sa.ForeignKeyConstraint(
            ["sheet_id"], ["sheets.id"], name="fk_sheet_items_sheet_id_sheets", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sheet_items_sheet_id_position", "sheet_items", ["sheet_id", "position"])
    op.create_table(
        "extensions",
        sa.Column("sheet_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.Text, nullable=False),
        sa.Column("due", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sheet_id", "member_id", name="pk_extensions"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_extensions_member_id_members", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["sheet_id"], ["sheets.id"], name="fk_extensions_sheet_id_sheets", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_extensions_member_id", "extensions", ["member_id"])


def variants() -> None:
    op.create_table(
        "variants",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("values", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("engine", sa.Integer, nullable=False),
        sa.Column("session_id", sa.Text),
        sa.Column("progress", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("finished", sa.Text),
        sa.Column("settled", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_variants"),
        sa.ForeignKeyConstraint(
            ["item_id"], ["sheet_items.id"], name="fk_variants_item_id_sheet_items", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_variants_member_id_members", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_variants_session_id_sessions", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("item_id", "member_id", "number", name="uq_variants_item_id_member_id_number"),
    )
    op.create_index("ix_variants_member_id", "variants", ["member_id"])
    op.create_index("ix_variants_session_id", "variants", ["session_id"])
    op.create_table(
        "hints_taken",
        sa.Column("variant_id", sa.Text, nullable=False),
        sa.Column("task", sa.Integer, nullable=False),
        sa.Column("hint", sa.Integer, nullable=False),
        sa.Column("time", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("variant_id", "task", "hint", name="pk_hints_taken"),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variants.id"], name="fk_hints_taken_variant_id_variants", ondelete="CASCADE"
        ),
    )


def submissions() -> None:
    op.create_table(
        "submissions",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=True),
        sa.Column("variant_id", sa.Text, nullable=False),
        sa.Column("task", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("given", sa.Text, nullable=False),
        sa.Column("share", sa.Integer, nullable=False),
        sa.Column("score", sa.Integer, nullable=False),
        sa.Column("max", sa.Integer, nullable=False),
        sa.Column("parts", sa.Text, nullable=False),
        sa.Column("misconception", sa.Text),
        sa.Column("hints", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("seconds", sa.Integer),
        sa.Column("drift", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_submissions"),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variants.id"], name="fk_submissions_variant_id_variants", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("variant_id", "task", "number", name="uq_submissions_variant_id_task_number"),
    )
    op.create_table(
        "gradings",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=True),
        sa.Column("submission_id", sa.Integer, nullable=False),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("score", sa.Integer, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gradings"),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submissions.id"],
            name="fk_gradings_submission_id_submissions",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_gradings_submission_id", "gradings", ["submission_id"])


def polls() -> None:
    op.create_table(
        "polls",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("lab_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("choices", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger),
        sa.Column("named", sa.Boolean, nullable=False),
        sa.Column("advice", sa.Text, nullable=False),
        sa.Column("closes", sa.Text),
        sa.Column("created", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_polls"),
        sa.ForeignKeyConstraint(["lab_id"], ["labs.id"], name="fk_polls_lab_id_labs", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_polls_session_id_sessions", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_polls_lab_id_created", "polls", ["lab_id", "created"])
    op.create_index("ix_polls_session_id", "polls", ["session_id"])
    op.create_table(
        "votes",
        sa.Column("poll_id", sa.Text, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("member_id", sa.Text, nullable=False),
        sa.Column("choice", sa.Text, nullable=False),
        sa.Column("confidence", sa.Text),
        sa.Column("time", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("poll_id", "round", "member_id", name="pk_votes"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_votes_member_id_members", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["poll_id"], ["polls.id"], name="fk_votes_poll_id_polls", ondelete="CASCADE"),
    )
    op.create_index("ix_votes_member_id", "votes", ["member_id"])
