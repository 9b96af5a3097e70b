"""Which rows of the journal the page shows: fifty at a time, or those in which something typed is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from app.sessions import Principal, SessionInfo, Sessions
from app.web import wording
from app.web.address import Address
from app.web.contexts import Finding, JournalRow, Link
from app.web.journal import call_text, ret_text
from app.web.language import _
from app.web.shownrows import Outcome, outcomes_of

ROWS: Final = 50
LOOKED: Final = 2_000  # rows that one search looks at: it says how far it has come, and leads on from there
PART: Final = 250  # between which others have their turn
BYTES: Final = 1 << 20  # of rows that are read at a time: one that is longer is read alone
BYTES_LOOKED: Final = 8 << 20  # … of one search


class Rows(NamedTuple):
    """Rows, newest first. down_to: the oldest that was looked at."""

    rows: list[Outcome]
    down_to: int


async def rows_of(
    sessions: Sessions, who: Principal, info: SessionInfo, here: Address, people: Mapping[str, str]
) -> Rows:
    """A page of the journal: the one that the address names, else one with the moment in it.

    people: by their numbers, as they may be looked for by their names.
    """
    until = info.seq if here.before is None else min(info.seq, here.before - 1)
    if here.find is not None:
        return await found(sessions, who, info, until, here.find, people)
    if here.before is None and here.moment is not None and here.moment <= until - ROWS:
        until = here.moment + ROWS // 2
    rows = await outcomes_of(await sessions.latest(who, info.id, until, ROWS, BYTES))
    return Rows(rows, rows[-1]["seq"] if rows else info.start)


async def found(
    sessions: Sessions,
    who: Principal,
    info: SessionInfo,
    until: int,
    typed: str,
    people: Mapping[str, str],
) -> Rows:
    """The newest rows that hold every word typed."""
    wanted = typed.casefold().split()
    rows: list[Outcome] = []
    down_to, end, read = until + 1, max(info.start, until - LOOKED), 0
    while down_to - 1 > end and read < BYTES_LOOKED:
        most = min(PART, down_to - 1 - end)
        part = await sessions.latest(who, info.id, down_to - 1, most, BYTES)
        if not part:
            break
        read += sum(len(row.body) for row in part)
        for outcome in await outcomes_of(part):
            down_to = outcome["seq"]
            if holds(outcome, wanted, people):
                rows.append(outcome)
                if len(rows) == ROWS:
                    return Rows(rows, down_to)
    return Rows(rows, down_to)


def holds(outcome: Outcome, wanted: list[str], people: Mapping[str, str]) -> bool:
    """Whether each of some words is in what the page shows of a row."""
    by = outcome["by"] or ""
    shown = f"#{outcome['seq']} {call_text(outcome)} {ret_text(outcome)} {outcome['verdict']} {by}"
    text = f"{shown} {people.get(by, '')}".casefold()
    return all(word in text for word in wanted)


def older(info: SessionInfo, here: Address, shown: Rows) -> Link:
    """To the rows before those that are shown, or were looked at."""
    more = shown.down_to > info.start + 1
    return Link(_("Older"), here.to(before=shown.down_to).href if more else None)


def newest(info: SessionInfo, here: Address, shown: list[JournalRow]) -> Link:
    """To the journal's first page; in the past a page without `before` begins elsewhere."""
    if here.find is not None:
        return Link(_("Newest"), None if here.before is None else here.to(before=None).href)
    if not shown or shown[0].seq == info.seq:
        return Link(_("Newest"), None)
    return Link(_("Newest"), here.to(before=None if here.moment is None else info.seq + 1).href)


def finding(info: SessionInfo, here: Address, shown: Rows) -> Finding:
    """The form in which one types what is looked for, and how the search has ended."""
    note = None
    if here.find is not None:
        whole = shown.down_to <= info.start + 1
        if not shown.rows and whole:
            note = _("No row has all of that.")
        elif not shown.rows:
            note = _(
                "No row from #%(seq)s on has all of that; older ones were not looked at yet.",
                seq=wording.count(shown.down_to),
            )
    return Finding(here.find or "", here.to(find=None, before=None).pairs, note)
