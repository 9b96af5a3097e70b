"""A session as one file of NDJSON, from which an equal session can be made elsewhere.

A line for the session and what it starts from, one for each row of the journal, one for each name, and a last
one by which it can be told whether anything is missing. Rows never change, so each part is read in a
transaction of its own: a slow download keeps no transaction open.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from app.machine import ruleset
from app.sessions import blocklists, queries, snapshots
from app.sessions.access import Principal, Right
from app.sessions.errors import NotFound
from app.store import Connection, Store, bound_names, journal, lists, sessions, states
from app.store.sessions import SessionRow

# With lists that no row of the file has returned, an export is of the second form.
FORMAT: Final = 1
WITH_LISTS: Final = 2
PART_BYTES: Final = 1 << 18  # bytes that are read and sent together


class Exported(NamedTuple):
    """What is being exported."""

    # The session as it was when the export began; later rows are not in it.
    row: SessionRow
    names: dict[str, str]
    # The numbers of lists that it has had from its beginning.
    lists: list[int]


def begin(db: Connection, principal: Principal, session_id: str) -> Exported:
    """A session, with the names that the principal has there. Raises NotFound and Forbidden."""
    row = queries.allowed(db, principal, session_id, Right.READ)
    theirs = bound_names.of_person(db, session_id, principal.id)
    return Exported(row, theirs, lists.carried(db, session_id))


def begin_as_owner(db: Connection, session_id: str) -> Exported:
    """A session, with its owner's names: for the command line, without access control. Raises NotFound."""
    row = sessions.get(db, session_id)
    if row is None:
        raise NotFound("session", session_id)
    return begin(db, Principal(row.owner), session_id)


def parts(store: Store, exported: Exported) -> Iterator[bytes]:
    """The file, some lines at a time. Raises NotFound where the session is deleted meanwhile."""
    row = exported.row
    digest = hashlib.sha256()
    for part in _all_but_the_last(store, exported):
        digest.update(part)
        yield part
    end = {"rows": row.seq - row.start, "names": len(exported.names), "sha256": digest.hexdigest()}
    if exported.lists:
        end["lists"] = len(exported.lists)
    yield to_json(end) + b"\n"


def _all_but_the_last(store: Store, exported: Exported) -> Iterator[bytes]:
    row = exported.row
    head = header(store, row)
    if exported.lists:
        head["kmemlab"] = WITH_LISTS
    yield to_json(head) + b"\n"
    for number in exported.lists:
        with store.reading() as db:
            stored = lists.get(db, row.id, number)
        if stored is None:
            raise NotFound("session", row.id)
        yield to_json({"list": number, "named": blocklists.name_of_list(stored).as_json()}) + b"\n"
    seq = row.start
    while seq < row.seq:
        with store.reading() as db:
            rows = journal.part(db, row.id, seq, row.seq, PART_BYTES)
        if not rows or rows[0].seq != seq + 1:
            raise NotFound("session", row.id)
        seq = rows[-1].seq
        yield b"".join(
            b'{"seq":%d,"effective":%d,"outcome":%b}\n' % (row.seq, row.effective, row.outcome)
            for row in rows
        )
    for name, named in sorted(exported.names.items()):
        yield to_json({"name": name, "named": from_json(named)}) + b"\n"


def header(store: Store, row: SessionRow) -> dict[str, Any]:
    """The first line: what the session is, and what it starts from."""
    origin = None if row.origin_id is None else {"id": row.origin_id, "seq": row.origin_seq}
    head = {
        "kmemlab": FORMAT,
        "kind": "session",
        "engine": row.engine,
        "name": row.name,
        "machine": json.loads(row.machine),
        "created": row.created,
        "origin": origin,
        "start": row.start,
        "seq": row.seq,
    }
    if row.boot is not None:
        document = json.loads(row.boot)
        return {**head, "rules": document.get("rules", ruleset.FIRST), "boot": document}
    with store.reading() as db:
        state = states.at(db, row.id, row.start)
    if state is None:
        raise NotFound("session", row.id)
    machine = snapshots.decode(state)
    return {**head, "rules": machine.rules, "state": machine.dump()}
