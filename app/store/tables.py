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

# Small numbers. What is asked for may be larger than any, and PostgreSQL refuses a parameter whose type has
# no room for it: so its parameters are of the larger type, whatever the column is.
_Whole: Final = Integer().with_variant(BigInteger(), "postgresql")

metadata: Final = MetaData(naming_convention=NAMING)


def _session_id() -> Column[str]:
    return Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False)


# `seq` is the head, `effective` the seq whose state the head has (another one's after a rewind). A session
# starts at `start` with no row, from its `boot` document or, where that is null, the state kept for `start`.
# `lab_id`: the lab that it belongs to. `locked`: only the lab's instructor may call it. `bytes`: of its
# rows, lists and states, as far as it has caused them to be stored. `allow`: the calls that its task allows
# for now, with blanks between them; null for all.
sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("engine", _Whole, nullable=False),
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
    Column("allow", Text),
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
    Column("status", _Whole, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("principal", "key"),
)

# Instructors. `key`: the name as it is compared. `number` stands in journals (`i1`). `password` is argon2's.
accounts: Final = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", _Whole, nullable=False, unique=True),
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
    Column("numbers", _Whole, nullable=False, server_default="0"),
    Column("expected", _Whole, nullable=False, server_default="120"),
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
    Column("number", _Whole, nullable=False),
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
    Column("part", _Whole),
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

# What the server keeps secret from everybody and needs again after a restart; made once.
secrets: Final = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# Exercises that a lab works on. `mode`: `practice`, `graded` or `sealed`. `opens`, `due`, `late_until`: times
# or null. `late_factor`: per cent of the points that a late answer earns. `counts`: which submission counts,
# null for what each exercise says. `opened`: when its texts were frozen; null before. `released`: since when
# the right answers are shown to all.
sheets: Final = Table(
    "sheets",
    metadata,
    Column("id", Text, primary_key=True),
    _lab_id(),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("opens", Text),
    Column("due", Text),
    Column("late_until", Text),
    Column("late_factor", _Whole, nullable=False),
    Column("counts", Text),
    Column("opened", Text),
    Column("released", Text),
    Column("created", Text, nullable=False),
    Index(None, "lab_id", "created"),
)

# The exercises of a sheet. `text`: the file as it was when the sheet was opened, null before.
sheet_items: Final = Table(
    "sheet_items",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sheet_id", Text, ForeignKey("sheets.id", ondelete="CASCADE"), nullable=False),
    Column("position", _Whole, nullable=False),
    Column("exercise", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("points", _Whole, nullable=False),
    Column("text", Text),
    Column("sha256", Text),
    Index(None, "sheet_id", "position"),
)

# An exercise as a member has it. `values`: what it shows, JSON. `sealed`: its right and wrong answers, JSON,
# which nobody gets before they have submitted. `progress`: where each task begins in the session and whether
# its calls were made, JSON. `finished`: when all was done; null while the member works on it. `settled`: when
# what stood at the time it was due was submitted; null before.
variants: Final = Table(
    "variants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("item_id", Text, ForeignKey("sheet_items.id", ondelete="CASCADE"), nullable=False),
    Column("member_id", Text, ForeignKey("members.id", ondelete="CASCADE"), nullable=False),
    Column("number", _Whole, nullable=False),
    Column("values", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("engine", _Whole, nullable=False),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="SET NULL")),
    Column("progress", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("finished", Text),
    Column("settled", Text),
    UniqueConstraint("item_id", "member_id", "number"),
    Index(None, "member_id"),
    Index(None, "session_id"),
)

# Answers, one row for each attempt at a task. `share`: how much of it is right, in thousandths. `score`,
# `max`: in thousandths of a point. `seq`: the row of the session behind which it was made. `seconds`: since
# the task was opened. `drift`: what the machine said at the reveal where the sealed answer was another one.
submissions: Final = Table(
    "submissions",
    metadata,
    Column("id", _Whole, primary_key=True, autoincrement=True),
    Column("variant_id", Text, ForeignKey("variants.id", ondelete="CASCADE"), nullable=False),
    Column("task", _Whole, nullable=False),
    Column("number", _Whole, nullable=False),
    Column("given", Text, nullable=False),
    Column("share", _Whole, nullable=False),
    Column("score", _Whole, nullable=False),
    Column("max", _Whole, nullable=False),
    Column("parts", Text, nullable=False),
    Column("misconception", Text),
    Column("hints", _Whole, nullable=False),
    Column("seq", BigInteger),
    Column("time", Text, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("seconds", BigInteger),
    Column("drift", Text),
    UniqueConstraint("variant_id", "task", "number"),
)

# Which hints were read, and when.
hints_taken: Final = Table(
    "hints_taken",
    metadata,
    Column("variant_id", Text, ForeignKey("variants.id", ondelete="CASCADE"), nullable=False),
    Column("task", _Whole, nullable=False),
    Column("hint", _Whole, nullable=False),
    Column("time", Text, nullable=False),
    PrimaryKeyConstraint("variant_id", "task", "hint"),
)

# Who has longer than the others for a sheet.
extensions: Final = Table(
    "extensions",
    metadata,
    Column("sheet_id", Text, ForeignKey("sheets.id", ondelete="CASCADE"), nullable=False),
    Column("member_id", Text, ForeignKey("members.id", ondelete="CASCADE"), nullable=False),
    Column("due", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("sheet_id", "member_id"),
    Index(None, "member_id"),
)

# What submissions were worth before they were marked again. `sha256`: of the text after which they were.
gradings: Final = Table(
    "gradings",
    metadata,
    Column("id", _Whole, primary_key=True, autoincrement=True),
    Column("submission_id", _Whole, ForeignKey("submissions.id", ondelete="CASCADE"), nullable=False),
    Column("time", Text, nullable=False),
    Column("score", _Whole, nullable=False),
    Column("sha256", Text, nullable=False),
    Index(None, "submission_id"),
)

# Questions to a whole class. `at`: the row of the session at which it is asked. `source`: the task or the
# call about which is asked. `choices`: what there is to choose from; `sealed`: which is right and why others
# are not; `advice`: below and above which share of right answers the presenter is told what. All four JSON.
# `since`: when it came into its state. `seq`: the row that has answered it. `named`: whether the instructor
# sees who chose what. `closes`: when the round is said to end.
polls: Final = Table(
    "polls",
    metadata,
    Column("id", Text, primary_key=True),
    _lab_id(),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="SET NULL")),
    Column("at", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("choices", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("seq", BigInteger),
    Column("named", Boolean, nullable=False),
    Column("advice", Text, nullable=False),
    Column("closes", Text),
    Column("created", Text, nullable=False),
    Index(None, "lab_id", "created"),
    Index(None, "session_id"),
)

# The last vote of each member in each round.
votes: Final = Table(
    "votes",
    metadata,
    Column("poll_id", Text, ForeignKey("polls.id", ondelete="CASCADE"), nullable=False),
    Column("round", _Whole, nullable=False),
    Column("member_id", Text, ForeignKey("members.id", ondelete="CASCADE"), nullable=False),
    Column("choice", Text, nullable=False),
    Column("confidence", Text),
    Column("time", Text, nullable=False),
    PrimaryKeyConstraint("poll_id", "round", "member_id"),
    Index(None, "member_id"),
)

# What was done that not everybody may do. Rows are only added: triggers refuse everything else. It names
# nobody but by id, and outlives what it is about.
audit: Final = Table(
    "audit",
    metadata,
    Column("id", _Whole, primary_key=True, autoincrement=True),
    Column("time", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("lab_id", Text, index=True),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
)

# Failed sign-ins, by a hash of what was tried.
failures: Final = Table(
    "failures",
    metadata,
    Column("key", Text, primary_key=True),
    Column("times", _Whole, nullable=False),
    Column("until", Text, nullable=False, index=True),
)

# What remains in the buckets of rate limits that several servers share, and when that was so, by the
# database's clock. Only on PostgreSQL; not logged there: after a crash every bucket is full.
buckets: Final = Table(
    "buckets",
    metadata,
    Column("key", Text, primary_key=True),
    Column("remains", Float, nullable=False),
    Column("at", Float, nullable=False),
)

# One row: the latest time that was believed, what the clock showed last, and for how many seconds servers
# have run since it jumped ahead of that. See app.sessions.clock_check.
clock: Final = Table(
    "clock",
    metadata,
    Column("id", _Whole, primary_key=True, autoincrement=False),
    Column("trusted", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("ran", Float, nullable=False),
)
