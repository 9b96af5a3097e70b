"""What becomes of a frame, or of one page of a process, from one call to the next.

It is looked at after each call of a journal that is made again; what differs is told in a few words. A look
costs the same on every machine.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.errors import BadArgument
from app.machine import pte_text
from app.machine.rmap_views import places_of, shown_state, waiting, where_on_lru
from app.mm import mem_map, page_ref, pgalloc
from app.mm.mem_map import section
from app.mm.page import PG_dirty
from app.mm.pgtable_types import DIRTY, PRESENT, PROTNONE, RW

if TYPE_CHECKING:
    from app.machine.machine import Machine

# Places of a frame whose entries are asked whether it was written.
PLACES_ASKED: Final = 64
UNUSED: Final = ("free", "pcp")


class Frame(NamedTuple):
    """A frame at one moment."""

    state: str
    refcount: int
    mapcount: int
    # Mapping and index; zero where it has none.
    owner: tuple[int, int]
    dirty: bool
    # The LRU list, or the batch in which it waits.
    place: str | None

    @property
    def used(self) -> bool:
        """Whether anybody has it."""
        return self.state not in UNUSED


class Page(NamedTuple):
    """A page of a process at one moment."""

    # None where nothing is mapped.
    pfn: int | None
    frame: Frame | None
    swapped: bool
    writable: bool
    dirty: bool


def frame(m: Machine, pfn: int) -> Frame:
    """A frame now. Raises BadArgument at `pfn` where there is none."""
    if not m.model.pfn_valid(pfn):
        raise BadArgument.at("pfn", "a page frame of the machine")
    if not mem_map.known(m, pfn):
        state = page_ref.state_of(m, pfn)
        return Frame(state, page_ref.page_ref_count(m, pfn), 0, (0, 0), dirty=False, place=None)
    head = mem_map.compound_head(m, pfn)
    s = section(m, head)
    written = bool(s.flags[head & 511] & PG_dirty) or any(
        int(place["entry"], 16) & DIRTY for place in islice(places_of(m, pfn), PLACES_ASKED)
    )
    return Frame(
        shown_state(m, pfn),
        mem_map.page_count(m, pfn),
        mem_map.page_mapcount(m, pfn),
        (s.mapping[head & 511], s.index[head & 511]),
        written,
        where_on_lru(m, head, waiting(m)),
    )


def page(m: Machine, task: str, address: int) -> Page:
    """A page of a process now; none of a task that is not there, or has no address space.

    Raises BadArgument at `addr` where the machine has no such address.
    """
    if address > m.model.ptr_max:
        raise BadArgument.at("addr", f"an address up to {m.model.ptr_max:#x}")
    owner = m.tasks.get(task)
    if owner is None or owner.mm is None:
        return Page(None, None, swapped=False, writable=False, dirty=False)
    level, entry = pgalloc.find_entry(owner.mm, address)
    pfn = pte_text.frame_of(level, entry, address)
    absent = pte_text.maps_memory(level, entry) and not entry & (PRESENT | PROTNONE)
    if pfn is None:
        return Page(None, None, swapped=absent, writable=False, dirty=False)
    return Page(pfn, frame(m, pfn), swapped=False, writable=bool(entry & RW), dirty=bool(entry & DIRTY))


def what_happened(before: Frame | Page, after: Frame | Page) -> list[str]:
    """In words, in the order in which it happens to a page."""
    if isinstance(before, Page) and isinstance(after, Page):
        return to_a_page(before, after)
    assert isinstance(before, Frame)
    assert isinstance(after, Frame)
    return to_a_frame(before, after)


def to_a_frame(before: Frame, after: Frame) -> list[str]:
    """A frame that somebody else has now was freed between."""
    words = []
    other = before.used and after.used and before.owner != after.owner and before.owner[0] and after.owner[0]
    if before.used and (not after.used or (other and before.mapcount and not moved_owner(before, after))):
        words.append("freed")
        before = before._replace(state="free", mapcount=0, dirty=False, place=None)
    if after.used and not before.used:
        words.append("allocated")
    if after.used:
        words += with_a_frame(before, after)
    return words


def moved_owner(before: Frame, after: Frame) -> bool:
    """Whether the last process of a family has only made a shared page its own: its index stays."""
    return before.owner[1] == after.owner[1] and bool(before.owner[0] & after.owner[0] & 1)


def with_a_frame(before: Frame, after: Frame) -> list[str]:
    """What happens while somebody has it."""
    words = []
    if after.mapcount > before.mapcount:
        words.append("mapped" if not before.mapcount else "shared")
        if not before.mapcount and after.mapcount > 1:
            words.append("shared")
    elif after.mapcount < before.mapcount:
        words.append("unshared" if after.mapcount else "unmapped")
    if after.dirty != before.dirty:
        words.append("dirtied" if after.dirty else "cleaned")
    if after.place != before.place:
        words.append("moved")
    return words


def to_a_page(before: Page, after: Page) -> list[str]:
    """A page keeps its address and may change its frame: by a copy on write, or by way of swap."""
    if after.pfn is None:
        if after.swapped and not before.swapped:
            return ["swapped"]
        return ["unmapped"] if before.pfn is not None else []
    words = []
    now = after.frame
    assert now is not None
    if before.pfn is None:
        words += ["brought back" if before.swapped else "mapped"]
        words += ["shared"] * (now.mapcount > 1)
        words += ["dirtied"] * after.dirty
    elif before.pfn != after.pfn:
        words += ["copied", *(["dirtied"] * (after.dirty and not before.dirty))]
    else:
        assert before.frame is not None
        inner = with_a_frame(before.frame._replace(dirty=before.dirty), now._replace(dirty=after.dirty))
        words += [word for word in inner if word not in ("mapped", "unmapped")]
    if before.pfn is not None and before.writable != after.writable:
        words.append("writable" if after.writable else "protected")
    return words


def view(pfn: int | None, now: Frame | Page) -> dict[str, Any]:
    """How it is after a call. pfn: where a frame is asked for."""
    found = now if isinstance(now, Frame) else now.frame
    if isinstance(now, Page):
        pfn = now.pfn
    return {
        "pfn": pfn,
        "state": "swap" if isinstance(now, Page) and now.swapped else None if found is None else found.state,
        "refcount": None if found is None else found.refcount,
        "mapcount": None if found is None else found.mapcount,
        "lru": None if found is None else found.place,
        "dirty": now.dirty,
    }
