"""The tables. Nothing is ordered across sessions: a row's place is (session_id, seq), dense in its session.

A change here needs a revision in migrations/versions; a test compares the two.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

# Constraints that have names can be changed later, on SQLite (by rebuilding the table) as on PostgreSQL.
NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata: Final = MetaData(naming_convention=NAMING)


def _session_id() -> Column[str]:
    return Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False)


# `seq` is the head, `effective` the seq whose state the head has (another one's after a rewind). A session
# starts at `start` with no row, from its `boot` document or, where that is null, the state kept for `start`.
sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("engine", Integer, nullable=False),
    Column("machine", Text, nullable=False),
    Column("boot", Text),
    Column("origin_id", Text),
    Column("origin_seq", BigInteger),
    Column("start", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("effective", BigInteger, nullable=False),
    Index(None, "owner", "created", "id"),
)

# `args` are the resolved arguments, from which the call is made again; `outcome` is what was answered.
# Without a rowid a session's rows lie together and there is no second index to write.
journal: Final = Table(
    "journal",
    metadata,
    _session_id(),
    Column("seq", BigInteger, nullable=False),
    Column("effective", BigInteger, nullable=False),
    Column("call", Text, nullable=False),
    Column("args", LargeBinary, nullable=False),
    Column("outcome", LargeBinary, nullable=False),
    Column("by", Text),
    Column("time", Text, nullable=False),
    PrimaryKeyConstraint("session_id", "seq"),
    sqlite_with_rowid=False,
)

# Rewinds have another row's state. There are few of them, and a state is found by walking back over them.
Index(
    "ix_journal_rewinds",
    journal.c.session_id,
    journal.c.seq,
    journal.c.effective,
    sqlite_where=journal.c.effective != journal.c.seq,
    postgresql_where=journal.c.effective != journal.c.seq,
)

# A machine's dump: canonical JSON, compressed, once for all that share it. `sha256` is of the JSON.
states: Final = Table(
    "states",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# Which session has which state at which seq. `keep`: the session starts from it: it cannot be computed again.
snapshots: Final = Table(
    "snapshots",
    metadata,
    _session_id(),
    Column("seq", BigInteger, nullable=False),
    Column("sha256", Text, ForeignKey("states.sha256"), nullable=False, index=True),
    Column("keep", Boolean, nullable=False),
    PrimaryKeyConstraint("session_id", "seq"),
)

# What `$name` means to a person in a session.
names: Final = Table(
    "names",
    metadata,
    _session_id(),
    Column("person", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("named", Text, nullable=False),
    PrimaryKeyConstraint("session_id", "person", "name"),
)

# Who but the owner may do what.
access: Final = Table(
    "access",
    metadata,
    _session_id(),
    Column("principal", Text, nullable=False),
    Column("role", Text, nullable=False),
    PrimaryKeyConstraint("session_id", "principal"),
    Index(None, "principal"),
)

# What was answered to requests that may be sent again, by whom and under which key. `session_id`: whose rows
# were written with it, and with which it goes; null where the request made a session.
replies: Final = Table(
    "replies",
    metadata,
    Column("principal", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), index=True),
    Column("fingerprint", Text, nullable=False),
    Column("created", Text, nullable=False, index=True),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("principal", "key"),
)
