"""`struct page` of the frames that processes and files use.

Kernel: include/linux/mm_types.h struct page, include/linux/page_ref.h, include/linux/page-flags.h,
include/linux/mm.h page_mapcount. They stand in columns of 512 (`Section`), since a process may have a million
pages; everything that reads or writes one goes through here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import page_alloc, page_check, page_free, page_ref
from app.mm.mm_types import MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES
from app.mm.page import (
    PAGE_FLAGS_CHECK_AT_FREE,
    PG_active,
    PG_head,
    PG_lru,
    PG_mlocked,
    PG_unevictable,
    PG_workingset,
)
from app.mm.virtual_memory import Section

if TYPE_CHECKING:
    from app.mm.fs import Inode
    from app.mm.kernel import Kernel

PG_mappedtodisk: Final = 1 << 17
PG_anon_exclusive: Final = PG_mappedtodisk
PG_reclaim: Final = 1 << 18
PG_readahead: Final = PG_reclaim
PG_swapbacked: Final = 1 << 19
# On the second page of a compound page. Kernel: PG_double_map
PG_double_map: Final = PG_workingset
PAGE_MAPPING_ANON: Final = 1


def section(m: Kernel, pfn: int) -> Section:
    """The columns that a frame's record stands in."""
    return m.vm.sections[pfn >> 9]


def known(m: Kernel, pfn: int) -> bool:
    """Whether a process or a file has used the frame, and nobody freed it since."""
    found = m.vm.sections.get(pfn >> 9)
    return found is not None and page_ref.in_use(found, pfn & 511)


def alloc_page(m: Kernel, gfp: int, order: int = 0, flags: int = 0) -> int | None:
    """A page for a process or a file: its record moves to the columns. Kernel: alloc_pages, folio_alloc

    flags: PG_ bits to begin with.
    """
    pfn = page_alloc.alloc_pages(m, gfp, order)
    if pfn is None:
        return None
    del m.pages[pfn]
    s = m.vm.sections.get(pfn >> 9)
    if s is None or order:
        s = m.vm.sections[pfn >> 9] = Section()
    i = pfn & 511
    if order:
        s.order = order
        flags |= PG_head
    s.refcount[i] = 1
    s.flags[i] = flags
    return pfn


def free_page(m: Kernel, pfn: int) -> None:
    """Give a frame whose last reference is gone back to the allocator. Kernel: free_unref_page

    For an order-0 page nothing but the record is to be cleared.
    """
    s = m.vm.sections[pfn >> 9]
    order = s.order
    i = pfn & 511
    if m.trace is not None:
        m.trace.page_ref.free(pfn, order)
    mapping = s.mapping[i]
    if s.mapcount[i] >= 0 or s.compound_mapcount >= 0 or not mapping & PAGE_MAPPING_ANON or m.debug:
        reason = bad_reason(m, s, pfn)
        if reason is not None:
            page_check.bad_page(m, pfn, reason)
            if not is_mapped(m, pfn) and mapping_of(m, pfn) is None and pfn not in page_ref.image_frames(m):
                give_up(m, pfn)
            return
    forget(m, pfn)
    page_free.give_back(m, pfn, order)


def bad_reason(m: Kernel, s: Section, pfn: int) -> str | None:
    """Why a page cannot be freed: somebody still uses it. Kernel: mm/page_alloc.c page_bad_reason

    Only a debugging kernel looks so early; others see it when the page leaves the per-CPU list, and have
    forgotten its flags by then. All drop it for good.
    """
    bits, mapping = s.flags[pfn & 511], s.mapping[pfn & 511]
    if (m.debug and bits & PAGE_FLAGS_CHECK_AT_FREE) or pfn in page_ref.image_frames(m):
        return "PAGE_FLAGS_CHECK_AT_FREE flag(s) set"
    if mapping and not mapping & PAGE_MAPPING_ANON:
        return "non-NULL mapping"
    return "nonzero mapcount" if s.mapcount[pfn & 511] >= 0 or s.compound_mapcount >= 0 else None


def give_up(m: Kernel, head: int) -> None:
    """Count a bad page as lost, with the flags that it has."""
    s = m.vm.sections[head >> 9]
    order, bits = s.order, s.flags[head & 511]
    forget(m, head)
    page_check.drop(m, head, order)
    m.pages[head].flags = bits


def forget(m: Kernel, pfn: int) -> None:
    """Clear the record of a page that is nobody's any more."""
    s = m.vm.sections[pfn >> 9]
    order = s.order
    if order:
        del m.vm.sections[pfn >> 9]
    else:
        i = pfn & 511
        s.refcount[i] = 0
        s.flags[i] = 0
        s.mapping[i] = 0
        s.mapcount[i] = -1
    if m.vm.contents or m.vm.forgotten:
        clear_bytes(m, pfn, order)
    if m.lock_holders:
        for frame in range(pfn, pfn + (1 << order)):
            m.lock_holders.drop(frame)


def clear_bytes(m: Kernel, pfn: int, order: int) -> None:
    """The frames are nobody's any more, so nothing that was stored in them is known or forgotten."""
    vm = m.vm
    for frame in range(pfn, pfn + (1 << order)) if vm.contents else ():
        vm.contents.pop(frame, None)
    for number in range(pfn >> 9, (pfn + (1 << order) - 1 >> 9) + 1) if vm.forgotten else ():
        bits = vm.forgotten.get(number)
        if bits is None:
            continue
        left = bits & ~((1 << (1 << order)) - 1 << (pfn & 511)) if order < 9 else 0
        if left:
            vm.forgotten[number] = left
        else:
            del vm.forgotten[number]


def compound_head(m: Kernel, pfn: int) -> int:
    """The first frame of the compound page, else the frame itself. Kernel: compound_head"""
    s = m.vm.sections.get(pfn >> 9)
    return pfn & -(1 << s.order) if s is not None and s.order else pfn


def compound_order(m: Kernel, pfn: int) -> int:
    """How large the page is. Kernel: compound_order"""
    s = m.vm.sections.get(pfn >> 9)
    return s.order if s is not None else 0


def page_count(m: Kernel, pfn: int) -> int:
    """References on a page. Kernel: page_count, folio_ref_count"""
    head = compound_head(m, pfn)
    return section(m, head).refcount[head & 511]


def get_page(m: Kernel, pfn: int, nr: int = 1) -> None:
    """Take references. Kernel: folio_get, folio_ref_add"""
    s = m.vm.sections[pfn >> 9]
    if s.order:
        pfn &= -(1 << s.order)
        s = m.vm.sections[pfn >> 9]
    s.refcount[pfn & 511] += nr


def put_page_testzero(m: Kernel, head: int) -> bool:
    """Drop a reference; whether it was the last. Kernel: folio_put_testzero"""
    refcount = section(m, head).refcount
    refcount[head & 511] -= 1
    return refcount[head & 511] == 0


def flags(m: Kernel, pfn: int) -> int:
    """The PG_ bits of this very frame."""
    return m.vm.sections[pfn >> 9].flags[pfn & 511]


def set_flags(m: Kernel, pfn: int, set: int, clear: int = 0) -> None:
    """Set and clear PG_ bits of this very frame."""
    column = m.vm.sections[pfn >> 9].flags
    column[pfn & 511] = column[pfn & 511] & ~clear | set


def test_set_flag(m: Kernel, pfn: int, flag: int) -> bool:
    """Set a bit; whether it was set before."""
    column = section(m, pfn).flags
    before = column[pfn & 511]
    column[pfn & 511] = before | flag
    return bool(before & flag)


def test_clear_flag(m: Kernel, pfn: int, flag: int) -> bool:
    """Clear a bit; whether it was set before."""
    column = section(m, pfn).flags
    before = column[pfn & 511]
    column[pfn & 511] = before & ~flag
    return bool(before & flag)


def is_anon(m: Kernel, pfn: int) -> bool:
    """Whether the page belongs to areas without a file. Kernel: PageAnon"""
    head = compound_head(m, pfn)
    return bool(section(m, head).mapping[head & 511] & PAGE_MAPPING_ANON)


def mapping_of(m: Kernel, pfn: int) -> Inode | None:
    """The file that a page caches. Kernel: page_mapping"""
    head = compound_head(m, pfn)
    number = section(m, head).mapping[head & 511]
    return None if not number or number & PAGE_MAPPING_ANON else m.vm.mappings[number >> 1]


def index_of(m: Kernel, pfn: int) -> int:
    """Where in its file, or its anonymous object, a page lies. Kernel: page_index"""
    head = compound_head(m, pfn)
    return section(m, head).index[head & 511] + pfn - head


def page_mapcount(m: Kernel, pfn: int) -> int:
    """In how many places a frame is mapped. Kernel: page_mapcount

    Mappings of the whole compound page count for each of its frames. While it is mapped whole and in parts at
    once, each part carries one count more, which does not mean a mapping.
    """
    s = section(m, pfn)
    mapped = s.mapcount[pfn & 511] + 1
    if not s.order:
        return mapped
    mapped += s.compound_mapcount + 1
    head = pfn & -(1 << s.order)
    return mapped - bool(s.flags[(head & 511) + 1] & PG_double_map) if s.order == 9 else mapped


def is_mapped(m: Kernel, pfn: int) -> bool:
    """Whether any part of the page is mapped. Kernel: folio_mapped"""
    s = section(m, pfn)
    if not s.order:
        return s.mapcount[pfn & 511] >= 0
    return s.compound_mapcount >= 0 or any(count >= 0 for count in s.mapcount)


def is_evictable(m: Kernel, head: int) -> bool:
    """Whether reclaim may ever take the page. Kernel: folio_evictable"""
    if section(m, head).flags[head & 511] & PG_mlocked:
        return False
    inode = mapping_of(m, head)
    return inode is None or not inode.is_unevictable


def lru_index(m: Kernel, head: int) -> int:
    """Which list the page belongs on: 0 inactive and 1 active anonymous, 2 and 3 file, 4 unevictable

    Kernel: folio_lru_list. What swap would take stands on the anonymous lists: tmpfs, too.
    """
    bits = section(m, head).flags[head & 511]
    if bits & PG_unevictable:
        return 4
    return (0 if bits & PG_swapbacked else 2) + bool(bits & PG_active)


def on_lru(m: Kernel, head: int) -> bool:
    """Whether the page is on a list, and not in a batch on its way there. Kernel: folio_test_lru"""
    return bool(section(m, head).flags[head & 511] & PG_lru)


def mm_counter(m: Kernel, pfn: int) -> int:
    """Which counter of resident pages a page is in. Kernel: mm_counter, mm_counter_file"""
    if is_anon(m, pfn):
        return MM_ANONPAGES
    return MM_SHMEMPAGES if flags(m, pfn) & PG_swapbacked else MM_FILEPAGES
