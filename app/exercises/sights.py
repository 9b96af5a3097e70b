"""What checks see of a machine, each by a function: `figure(("free", "DMA"), look)`."""

from __future__ import annotations

from typing import Final

from app.exercises import live
from app.exercises.look import Absent, Look, locked_pages
from app.machine import readings
from app.machine.rmap_views import shown_state
from app.mm import filemap, page_ref
from app.mm.page import PAGE_FLAG_NAMES

YES: Final = ("yes", "no")


def figures(subject: tuple[str, ...], look: Look) -> tuple[int, ...]:
    """As `readings.read`. Raises Absent."""
    found = readings.read(look.machine, subject)
    if found is None:
        raise Absent(f"this machine has no {' '.join(subject)}")
    return tuple(found)


def figure(subject: tuple[str, ...], look: Look) -> int:
    """The same of a single number. Raises Absent."""
    return figures(subject, look)[0]


def nr_free(zone: str, order: int, look: Look) -> int:
    """Free blocks of one order."""
    return figures(("buddyinfo", zone), look)[order]


def free_blocks(zone: str, order: int, look: Look) -> int:
    """Free blocks of an order or more."""
    return sum(figures(("buddyinfo", zone), look)[order:])


def largest(zone: str, look: Look) -> int:
    """The highest order of which there is a free block; -1 where nothing is free."""
    counts = figures(("buddyinfo", zone), look)
    return max((order for order, count in enumerate(counts) if count), default=-1)


def pfn_of(place: str, look: Look) -> int:
    """A frame by its number, or by a name of the beginning. Raises Absent."""
    if place[0].isdigit():
        pfn = int(place, 0)
    else:
        name, _, offset = place.partition("+")
        named = look.names.get(name)
        address = None if named is None else named.addr
        found = None if named is None else named.pfn
        if found is None and address is not None:
            found = look.machine.model.virt_to_pfn(address)
        if found is None:
            raise Absent(f"{name} is the name of no page")
        pfn = found + int(offset or 0)
    if not look.machine.model.pfn_valid(pfn):
        raise Absent(f"this machine has no page frame {pfn:#x}")
    return pfn


def refs(place: str, look: Look) -> int:
    """`_refcount` of a page, or of the head of its compound page."""
    return page_ref.page_count(look.machine, pfn_of(place, look))


def page(place: str, field: str, look: Look) -> int:
    """A figure of a page."""
    return figure(("page", str(pfn_of(place, look)), field), look)


def state(place: str, look: Look) -> str:
    """What the map shows of a frame."""
    return shown_state(look.machine, pfn_of(place, look))


def flag(place: str, name: str, look: Look) -> str:
    """Whether a page has a flag."""
    flags = page_ref.page_flags(look.machine, pfn_of(place, look))
    return YES[not flags >> PAGE_FLAG_NAMES.index(name) & 1]


def locks(look: Look) -> int:
    """Locked pages."""
    return len(locked_pages(look.machine))


def locks_of(task: str, look: Look) -> int:
    """Pages that a task has locked."""
    m = look.machine
    return m.lock_holders.count(m.tasks[task].pid) if task in m.tasks else 0


def asleep(look: Look) -> int:
    """Tasks in a wait queue."""
    return sum(task.waiting_for is not None for task in look.machine.tasks.values())


def deadlock(look: Look) -> str:
    """Whether tasks wait for each other in a circle."""
    m = look.machine
    return YES[all(filemap.deadlock(m, name) is None for name in m.page_waiters)]


def leak(look: Look) -> str:
    """What the set has left, in words."""
    return ", ".join(live.leaks(look)) or "none"


def managed(zone: str, look: Look) -> int:
    """The frames of a zone that the allocator has. Raises Absent."""
    return figure(("managed", zone), look)
