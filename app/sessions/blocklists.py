"""Lists of blocks in the form in which they are stored, and where a journal's lists are found.

A repeated call may return a hundred thousand blocks. Its row says only how many they were once the list is
long; the list itself is stored here, once, and calls that free it refer to the row. So replaying a row needs
no other row's machine, and freeing every second block of a list costs the journal a hundred bytes.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, Final

from app.machine.calls import BlockList, Lists, Named
from app.store import Connection, Store, lists
from app.store.lists import StoredList

LEVEL: Final = 1

Unwritten = Mapping[int, StoredList]


def encode(named: Named) -> StoredList:
    """A list as it is stored: the distances between its runs, since those are small and alike."""
    runs = named.runs or ()
    firsts = [0, *(run[0] for run in runs)]
    document = {
        "kind": named.kind,
        "order": named.order,
        "stride": named.stride,
        "steps": [later - earlier for earlier, later in pairwise(firsts)],
        "blocks": [run[1] for run in runs],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    return StoredList(hashlib.sha256(text).hexdigest(), named.length, zlib.compress(text, LEVEL))


def decode(stored: StoredList) -> BlockList:
    """Inverse of `encode`. Raises ValueError where the body is not what it was."""
    text = zlib.decompress(stored.body)
    if hashlib.sha256(text).hexdigest() != stored.sha256:
        raise ValueError(f"list {stored.sha256}: its contents have another hash")
    document: dict[str, Any] = json.loads(text)
    runs = tuple(zip(accumulate(document["steps"]), document["blocks"], strict=True))
    return BlockList(document["kind"], document["order"], document["stride"], runs)


def name_of_list(stored: StoredList) -> Named:
    """A list with its runs, as a name stands for it."""
    found = decode(stored)
    return Named(found.kind, order=found.order, runs=found.runs, stride=found.stride)


def as_argument(found: BlockList) -> list[list[Any]]:
    """The runs as a freeing call takes them: first, blocks, and the distance from one to the next."""
    if found.kind == "addrs":
        return [[f"{first:#x}", blocks, found.stride] for first, blocks in found.runs]
    return [[first, blocks, 1 << found.order] for first, blocks in found.runs]


def carry_names(db: Connection, session_id: str, names: Mapping[str, str]) -> dict[str, str]:
    """Names given elsewhere, as JSON, as they mean the same in this session; it gets the lists it lacks."""
    documents = {name: json.loads(text) for name, text in names.items()}
    listed = [document["sha256"] for document in documents.values() if "blocks" in document]
    seqs = lists.carry(db, session_id, listed)
    found: dict[str, str] = {}
    for name, document in documents.items():
        if "blocks" not in document:
            found[name] = names[name]
        elif document["sha256"] in seqs:
            found[name] = json.dumps({**document, "seq": seqs[document["sha256"]]})
    return found


def in_transaction(db: Connection, session_id: str) -> Lists:
    """The lists of a session, read within a transaction."""
    return partial(_read, db, session_id)


def _read(db: Connection, session_id: str, seq: int) -> BlockList | None:
    stored = lists.get(db, session_id, seq)
    return None if stored is None else decode(stored)


def of_session(store: Store, session_id: str, unwritten: Unwritten) -> Lists:
    """The lists of an open session: those whose rows are still to be written, and those that are stored."""

    def find(seq: int) -> BlockList | None:
        made = unwritten.get(seq)
        if made is not None:
            return decode(made)
        with store.reading() as db:
            return _read(db, session_id, seq)

    return find
