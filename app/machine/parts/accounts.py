"""The account of all page frames in a dump: each has one owner, and none is missing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from app.machine.parts.part import Dump, Part
from app.machine.parts.pcp import pcp_frames
from app.machine.parts.shape import MAX_PFN, title
from app.machine.parts.zones import free_frames
from app.mm import page_ref
from app.mm.mmzone import PINDEX_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine

# A stretch of frames: first, end, and who has them.
Span: TypeAlias = tuple[int, int, str]


def dump(m: Machine, doc: Dump) -> None:
    """Added to `machine`: frames that are lost, and by zone those that the kernel has had since boot."""
    doc["machine"]["lost"] = m.lost
    doc["machine"]["reserved_pages"] = m.reserved_pages


def load(m: Machine, doc: Document) -> None:
    """Inverse of `dump`; a recording's frames in use are counted."""
    machine = doc.get("machine", {})
    m.lost = machine.get("lost", 0).int(0, MAX_PFN)
    if machine.has("reserved_pages"):
        zones = len(m.zones)
        m.reserved_pages = machine["reserved_pages"].ints(0, MAX_PFN, zones, exactly=zones)
    else:
        m.reserved_pages = reserved_pages(m)


def reserved_pages(m: Machine) -> list[int]:
    """By zone: managed frames that are neither free nor in use by a call. The kernel has them since boot."""
    rest = [zone.managed_pages - free_frames(zone) - pcp_frames(zone) for zone in m.zones]
    for pfn, page in m.pages.items():
        rest[m.zone_of(pfn).idx] -= 1 << page.order
    for pfn, order in page_ref.user_frames(m):
        rest[m.zone_of(pfn).idx] -= 1 << order
    return rest


def verify(m: Machine) -> Iterator[str]:
    """Every frame has one owner, and none is missing: free + per-CPU + in use + lost + reserved = managed."""
    for below, above in pairwise(sorted(spans(m))):
        if below[1] > above[0]:
            yield f"frame {above[0]:#x} is {below[2]} and {above[2]}"
    for zone, reserved, then in zip(m.zones, reserved_pages(m), m.reserved_pages, strict=True):
        if reserved != then:
            yield f"{title(zone)}: {reserved} frames are nobody's, {then} were at first"


def spans(m: Machine) -> Iterator[Span]:
    """All stretches of frames that somebody has: the free lists, the per-CPU lists, the blocks in use."""
    for zone in m.zones:
        if zone.untouched[0] < zone.untouched[1]:
            yield *zone.untouched, "free"
        for pfn, code in zone.buddy.items():
            yield pfn, pfn + (1 << (code >> 3)), "free"
        for pcp in zone.pcp:
            for index, pages in enumerate(pcp.lists):
                for pfn in pages:
                    yield pfn, pfn + (1 << PINDEX_ORDER[index]), "on a per-CPU list"
    for pfn, page in m.pages.items():
        yield pfn, pfn + (1 << page.order), page.state
    for pfn, order in page_ref.user_frames(m):
        yield pfn, pfn + (1 << order), "a page of a process or a file"


PART: Final = Part("accounts", dump, load, verify)
