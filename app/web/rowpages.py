"""The page of the journal: fifty rows at a time, or the rows in which something typed is found."""

from __future__ import annotations

from typing import Final, NamedTuple

from app.sessions import PageRows, Principal, SessionInfo, Sessions
from app.sessions.page_rows import BYTES, LISTED
from app.web import reclaim_words, wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.journal import Finding, JournalRow
from app.web.journal import call_text, ret_text
from app.web.language import _
from app.web.nicknames import Names
from app.web.shownrows import Outcome, outcomes_of

LOOKED: Final = 2_000  # rows that one search looks at: it says how far it has come, and leads on from there
PART: Final = 250  # between which others have their turn
BYTES_LOOKED: Final = 8 << 20  # … of one search


class Rows(NamedTuple):
    """Rows, newest first."""

    rows: list[Outcome]
    """the rows"""
    down_to: int
    """the oldest row that was looked at"""


async def rows_of(sessions: Sessions, who: Principal, rows: PageRows, here: Address, people: Names) -> Rows:
    """Decode the listed rows, or search for rows where the address says so.

    people: the nicknames of those whom rows call by number, as they may be searched for by nickname.
    """
    if here.find is not None:
        return await Search(sessions, who, rows.info, here.find, people).down_from(rows.until)
    found = await outcomes_of(rows.listed)
    return Rows(found, found[-1]["seq"] if found else rows.info.start)


class Search:
    """A search in a journal: the newest rows that hold every word typed."""

    def __init__(
        self, sessions: Sessions, who: Principal, info: SessionInfo, typed: str, people: Names
    ) -> None:
        self._sessions = sessions
        self._who = who
        self._info = info
        self._wanted = typed.casefold().split()
        self._people = people

    async def down_from(self, until: int) -> Rows:
        """Search from a row on downwards, part by part, so that others have their turn between."""
        rows: list[Outcome] = []
        down_to, end, read = until + 1, max(self._info.start, until - LOOKED), 0
        while down_to - 1 > end and read < BYTES_LOOKED:
            most = min(PART, down_to - 1 - end)
            part = await self._sessions.latest(self._who, self._info.id, down_to - 1, most, BYTES)
            if not part:
                break
            read += sum(len(row.body) for row in part)
            for outcome in await outcomes_of(part):
                down_to = outcome["seq"]
                if holds(outcome, self._wanted, self._people):
                    rows.append(outcome)
                    if len(rows) == LISTED:
                        return Rows(rows, down_to)
        return Rows(rows, down_to)


def holds(outcome: Outcome, wanted: list[str], people: Names) -> bool:
    """Whether a row, as the page shows it, holds every word."""
    by = outcome["by"] or ""
    shown = f"#{outcome['seq']} {call_text(outcome)} {ret_text(outcome)} {outcome['verdict']} {by}"
    text = f"{shown} {people.get(by, '')} {' '.join(reclaim_words.brief(outcome))}".casefold()
    return all(word in text for word in wanted)


def older(info: SessionInfo, here: Address, shown: Rows) -> Link:
    """Link to the rows before those that are shown, or were searched."""
    more = shown.down_to > info.start + 1
    return Link(_("Older"), here.to(before=shown.down_to).href if more else None)


def newest(info: SessionInfo, here: Address, shown: list[JournalRow]) -> Link:
    """Link to the journal's first page; in the past a page without `before` begins elsewhere."""
    if here.find is not None:
        return Link(_("Newest"), None if here.before is None else here.to(before=None).href)
    if not shown or shown[0].seq == info.seq:
        return Link(_("Newest"), None)
    return Link(_("Newest"), here.to(before=None if here.moment is None else info.seq + 1).href)


def finding(info: SessionInfo, here: Address, shown: Rows) -> Finding:
    """Make the form of the search, and say how the search has ended."""
    note = None
    if here.find is not None:
        whole = shown.down_to <= info.start + 1
        if not shown.rows and whole:
            note = _("No match.")
        elif not shown.rows:
            note = _(
                "No match in #%(seq)s–#%(head)s. Search older rows.",
                seq=wording.count(shown.down_to),
                head=wording.count(info.seq if here.before is None else min(info.seq, here.before - 1)),
            )
    return Finding(here.find or "", here.to(find=None, before=None).pairs, note)
