"""The tables. Nothing is ordered across sessions: a row's place is (session_id, seq), dense in its session.

A change here needs a revision in migrations/versions; a test compares the two.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
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
# `lab_id`: the lab that it belongs to. `locked`: only the lab's instructor may call it. `bytes`: of its
# rows, lists and states, as far as it has caused them to be stored.
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
    Column("lab_id", Text, ForeignKey("labs.id"), index=True),
    Column("locked", Boolean, nullable=False, server_default=false()),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
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

# The numbers of calls are read for a whole class at once: without reading their outcomes.
Index(
    "ix_journal_by",
    journal.c.session_id,
    journal.c.by,
    sqlite_where=journal.c.by.is_not(None),
    postgresql_where=journal.c.by.is_not(None),
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

# A list of blocks that a repeated call returned: JSON, compressed, once for all that have it.
lists: Final = Table(
    "lists",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("blocks", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# Which row returned which list. A session that was branched off also has those that its names stand for, by
# the seqs that their rows had in the origin.
row_lists: Final = Table(
    "row_lists",
    metadata,
    _session_id(),
    Column("seq", BigInteger, nullable=False),
    Column("sha256", Text, ForeignKey("lists.sha256"), nullable=False, index=True),
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

# Instructors. `key`: the name as it is compared. `number` stands in journals (`i1`). `password` is argon2's.
accounts: Final = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("password", Text, nullable=False),
    Column("created", Text, nullable=False),
)

# What opens a door: the SHA-256 of a secret that is kept nowhere. `holder`: the account or member who comes
# in with it; null for a link that makes an account. `use`: `cookie`, `script`, `entry` or `invite`.
tokens: Final = Table(
    "tokens",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("use", Text, nullable=False),
    Column("holder", Text, index=True),
    Column("created", Text, nullable=False),
    Column("expires", Text, nullable=False, index=True),
)

# A room for a class. `code` lets students in until `code_expires`. `frozen`: no calls for now. `closed`: when
# it was closed; no calls any more. `view`: the address that the presenter shows to those who follow.
# `numbers`: how many members there have ever been, with those who only waited. `expected`: how many may come
# in without being admitted. `draft`: it was not opened yet, and nobody can join.
labs: Final = Table(
    "labs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("code", Text, unique=True),
    Column("code_expires", Text),
    Column("frozen", Boolean, nullable=False, server_default=false()),
    Column("closed", Text),
    Column("view", Text),
    Column("numbers", Integer, nullable=False, server_default="0"),
    Column("expected", Integer, nullable=False, server_default="120"),
    Column("draft", Boolean, nullable=False, server_default=false()),
)


def _lab_id() -> Column[str]:
    return Column("lab_id", Text, ForeignKey("labs.id", ondelete="CASCADE"), nullable=False)


# Students. Their number in the lab stands in journals (`m7`), their nickname nowhere but here. `waiting`:
# when a person on the waiting list has last asked whether they are admitted; null for members.
members: Final = Table(
    "members",
    metadata,
    Column("id", Text, primary_key=True),
    _lab_id(),
    Column("number", Integer, nullable=False),
    Column("nickname", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("joined", Text, nullable=False),
    Column("waiting", Text),
    UniqueConstraint("lab_id", "number"),
    UniqueConstraint("lab_id", "key"),
)

# An instructor's sessions as a lab has them. `kind`: `prepared` to be copied as it was at `seq`, `operate` or
# `watch` to be shared as it goes on. `names`: what is named in it, JSON. `demo`, `part`: of which demo it is.
lab_machines: Final = Table(
    "lab_machines",
    metadata,
    Column("id", Text, primary_key=True),
    _lab_id(),
    _session_id(),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("names", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("demo", Text),
    Column("part", Integer),
    Index(None, "lab_id", "created"),
    Index(None, "session_id"),
)

# Places on the way of a prepared machine, to which copies can be brought.
checkpoints: Final = Table(
    "checkpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("machine_id", Text, ForeignKey("lab_machines.id", ondelete="CASCADE"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("names", Text, nullable=False),
    UniqueConstraint("machine_id", "seq"),
)

# Who has reached which checkpoint. `how`: `done` where their calls were found in a copy of theirs, `said` by
# their own word, `caught up` where the instructor's calls were made.
progress: Final = Table(
    "progress",
    metadata,
    Column("member_id", Text, ForeignKey("members.id", ondelete="CASCADE"), nullable=False),
    Column("checkpoint_id", Text, ForeignKey("checkpoints.id", ondelete="CASCADE"), nullable=False),
    Column("how", Text, nullable=False),
    Column("time", Text, nullable=False),
    PrimaryKeyConstraint("member_id", "checkpoint_id"),
    Index(None, "checkpoint_id"),
)

# What was done that not everybody may do. Rows are only added: triggers refuse everything else. It names
# nobody but by id, and outlives what it is about.
audit: Final = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("lab_id", Text, index=True),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
)

# One row: the latest time that was believed, what the clock showed last, and for how many seconds servers
# have run since it jumped ahead of that. See app.sessions.clock_check.
clock: Final = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("trusted", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("ran", Float, nullable=False),
)
