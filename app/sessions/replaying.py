"""Replays a journal from its beginning: every call is made again, also those that were undone later.

A rewind needs an earlier state. Which states will be needed is known beforehand, so exactly those are put
aside, in a file: a journal of a million rows takes no more memory than a short one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Mapping
from os import SEEK_END
from tempfile import SpooledTemporaryFile
from typing import Any, Final, NamedTuple, Self

from pydantic_core import from_json

from app.machine.calls import WRITTEN, BlockList, Lists, no_lists
from app.machine.entry import CALLS
from app.machine.machine import Machine
from app.sessions import blocklists, snapshots
from app.sessions.encoding import LISTS, is_counted
from app.sessions.live import journalled, outcome_of, outcome_of_rewind
from app.sessions.waits import REWINDS
from app.store.lists import StoredList
from app.store.states import State

# What reclaim did to swap, as outcomes tell it.
SWAPPED: Final = ("pte", "swap")

ASIDE: Final = 16 << 20  # bytes of states in memory; more are in a file


class JournalEntry(NamedTuple):
    """The part of a row from which its call can be made again."""

    seq: int
    call: str
    # Decoded.
    args: Mapping[str, Any]
    time: str
    by: str | None


class Rewinds:
    """The rewinds of a journal: which rows have the state of which other.

    start: the seq before the first row.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        # Sixteen bytes for each, in the order of their seqs.
        self._seqs = array("q")
        self._effective = array("q")

    def add(self, seq: int, effective: int) -> None:
        """The row at seq has the state of another one; later ones are added later."""
        self._seqs.append(seq)
        self._effective.append(effective)

    def effective(self, seq: int) -> int:
        """The seq whose state the row at `seq` has: its own, unless it is a rewind."""
        place = bisect_left(self._seqs, seq)
        if place < len(self._seqs) and self._seqs[place] == seq:
            return self._effective[place]
        return seq

    def targets(self) -> Collection[int]:
        """Every seq whose state comes back."""
        return frozenset(self._effective)

    def target(self, entry: JournalEntry) -> int:
        """The effective seq of a rewind. Raises CannotReplay where it goes to no place it could go to."""
        to = entry.args.get("to") if set(entry.args) == {"to"} else None
        if type(to) is not int or not self.start <= to < entry.seq:
            raise CannotReplay(
                f'{entry.call} has the arguments {{"to": a seq from {self.start} to {entry.seq - 1}}}'
            )
        if entry.call == "undo":
            last = self.effective(entry.seq - 1)
            if last == self.start or to != self.effective(last - 1):
                raise CannotReplay("undo goes to the state before the last call's")
        return self.effective(to)


class CannotReplay(Exception):  # noqa: N818 - found, not made
    """A row cannot be replayed; the message says why."""


class JournalReplay:
    """A machine that replays a journal. seq: of the last row replayed. effective: the seq whose state it has.

    work: how much its calls have done (`Outcome.work`), until somebody sets it back.
    lists: finds the lists that calls before the first row have returned. To be closed, or used as a context
    manager.
    """

    def __init__(self, machine: Machine, rewinds: Rewinds, lists: Lists = no_lists) -> None:
        self.machine = machine
        self.work = 0
        self.lists: dict[int, StoredList] = {}
        self._earlier = lists
        self.seq = self.effective = rewinds.start
        self._rewinds = rewinds
        self._targets = rewinds.targets()
        self._aside = SpooledTemporaryFile(ASIDE)  # noqa: SIM115 - closed with this
        # What is known of a state beside its contents, and where those begin and end.
        self._places: dict[int, tuple[State, int, int]] = {}
        self._put_aside()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._aside.close()

    def make(self, entry: JournalEntry) -> dict[str, Any]:
        """Make the next row's call; its outcome, with whole lists.

        Raises CannotReplay, and must not be used again then.
        """
        if entry.call in REWINDS:
            outcome = self._rewind(entry)
        else:
            outcome = self._call(entry)
            self.effective = entry.seq
        self.seq = entry.seq
        self._put_aside()
        return outcome

    def _call(self, entry: JournalEntry) -> dict[str, Any]:
        if entry.call not in CALLS:
            raise CannotReplay(f"no such call: {entry.call[:40]!r}")
        try:
            call = journalled(entry.call, entry.args, self.machine, self._list_of)
            made = self.machine.apply(call, entry.seq)
        except Exception as error:  # whatever it is, this call cannot be made there
            raise CannotReplay(f"{entry.call} fails ({type(error).__name__}: {error})") from error
        self.work += made.work
        named = made.named
        if named is not None and named.is_list:
            self.lists[entry.seq] = blocklists.encode(named)
        return outcome_of(made, self.machine, entry.seq, entry.time, entry.by)

    def _list_of(self, seq: int) -> BlockList | None:
        stored = self.lists.get(seq)
        return self._earlier(seq) if stored is None else blocklists.decode(stored)

    def _rewind(self, entry: JournalEntry) -> dict[str, Any]:
        effective = self._rewinds.target(entry)
        if effective != self.effective:
            state, begin, size = self._places[effective]
            self._aside.seek(begin)
            self.machine = snapshots.decode(state._replace(body=self._aside.read(size)))
            self.effective = effective
        return outcome_of_rewind(entry.seq, entry.call, entry.args["to"], entry.time, entry.by)

    def _put_aside(self) -> None:
        if self.effective in self._targets and self.effective not in self._places:
            state = snapshots.encode(self.machine.state())
            begin = self._aside.seek(0, SEEK_END)
            self._aside.write(state.body)
            self._places[self.effective] = (state._replace(body=b""), begin, len(state.body))


def with_written(now: Mapping[str, Any], then: Any) -> dict[str, Any]:
    """Add to an outcome how arguments were written, as a row says it: values alone are made again.

    Raises CannotReplay for what could not have been written.
    """
    written = then.get("written") if isinstance(then, dict) else None
    if written is None:
        return dict(now)
    if (
        not isinstance(written, dict)
        or not set(written) <= (set(now["args"]) | {"page"})
        or not all(isinstance(text, str) and WRITTEN.fullmatch(text) for text in written.values())
    ):
        raise CannotReplay('`written` has names of arguments as {"page": "p+3"}')
    found: dict[str, Any] = {}
    for key, value in now.items():
        if key == "log":
            found["written"] = written
        found[key] = value
    return found


def in_older_form(now: Mapping[str, Any], then: Any) -> dict[str, Any]:
    """Convert an outcome with whole lists to the form of a row that only counts some of them.

    Which lists are counted has changed, and old rows have them whole or say less of their length; and the
    words of a log line or of a mistake may have been corrected since. Once rows did not say what reclaim did
    to swap, and to entries of other processes. What the call has done is the same.
    """
    if not isinstance(then, dict):
        return dict(now)
    found: dict[str, Any] = {}
    silent = "swap" not in then and begins_with(now.get("pte"), then.get("pte", []))
    for key, value in now.items():
        count = f"{key}_count"
        if key == "area" and isinstance(value, dict):
            found[key] = in_older_form(value, then.get("area"))
        elif key == "log" and isinstance(then.get(key), list) and len(then[key]) == len(value):
            found[key] = then[key]
        elif key == "cause" or (silent and key in SWAPPED):
            if key in then:
                found[key] = then[key]
        elif key.endswith("_count") and key.removesuffix("_count") in LISTS:
            continue
        elif key in LISTS and then.get(key, "") is None and is_counted(value):
            found[key] = None
            if count in then:
                found[count] = now.get(count, now.get("nr_pages") if key == "pfns" else None)
                found[count] = len(value) if found[count] is None and value is not None else found[count]
        else:
            found[key] = value
    return found


def begins_with(runs: Any, first: Any) -> bool:
    """Whether a list begins with others, or was too long and is not there."""
    return runs is None or (isinstance(first, list) and runs[: len(first)] == first)


def difference(now: Any, then: Any) -> str:
    """The first difference between two outcomes, in words; empty where they are the same."""
    if not isinstance(then, dict):
        return f"the outcome is {value_text(now)} now and was {value_text(then)}"
    keys = [*now, *(key for key in then if key not in now)]
    missing = object()
    for key in keys:
        mine, other = now.get(key, missing), then.get(key, missing)
        if type(mine) is not type(other) or mine != other:
            words = ["nothing" if value is missing else value_text(value) for value in (mine, other)]
            return f"`{key}` is {words[0]} now and was {words[1]}"
    return ""


def value_text(value: Any) -> str:
    """A value in a message."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]} …"


def journal_entry(seq: int, args: bytes, call: str, time: str, by: str | None) -> JournalEntry:
    """Make an entry from the columns of a row. Raises CannotReplay."""
    try:
        decoded = from_json(args)
    except ValueError as error:
        raise CannotReplay(f"its arguments are no JSON ({error})") from error
    if not isinstance(decoded, dict):
        raise CannotReplay("its arguments are no object")
    return JournalEntry(seq, call, decoded, time, by)
