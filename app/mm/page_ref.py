"""The `struct page` of any frame: its count, its flags, and which block it belongs to.

Kernel: include/linux/page_ref.h, include/linux/page-flags.h. An allocated block keeps one record, that of
its first frame; another frame gets one of its own (`Kernel.stray`) only when it differs from what such a
frame normally is: count 0 and no flags, or count 1 and PG_reserved for memory that the kernel has used
since boot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import printk
from app.mm.memory_model import PAGE_SHIFT
from app.mm.mmzone import MAX_ORDER, PINDEX_ORDER, Zone
from app.mm.page import (
    Page,
    PG_dirty,
    PG_head,
    PG_locked,
    PG_mlocked,
    PG_reserved,
    PG_swapcache,
    PG_unevictable,
    PG_writeback,
    StrayPage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.mm.kernel import Kernel
    from app.mm.virtual_memory import Section


class UserPage:
    """A page of a process or a file as a record: those stand in columns. Kernel: struct page"""

    __slots__ = ("i", "section")

    def __init__(self, section: Section, i: int) -> None:
        self.section = section
        self.i = i

    @property
    def refcount(self) -> int:
        """`_refcount`."""
        return self.section.refcount[self.i]

    @refcount.setter
    def refcount(self, count: int) -> None:
        self.section.refcount[self.i] = count

    @property
    def flags(self) -> int:
        """PG_ bits."""
        return self.section.flags[self.i]

    @flags.setter
    def flags(self, bits: int) -> None:
        self.section.flags[self.i] = bits


def user_page(m: Kernel, pfn: int) -> UserPage | None:
    """The record of a frame that a process or a file uses; None for any other."""
    section = m.vm.sections.get(pfn >> 9)
    return None if section is None or not in_use(section, pfn & 511) else UserPage(section, pfn & 511)


def page_mapping(m: Kernel, pfn: int) -> int:
    """`mapping` of a frame: its lowest bit tells an anon_vma from the address_space of a file.

    An anon_vma has its address in its slab; an address_space is given its number, since inodes are not
    allocated from any slab here. Kernel: include/linux/mm_types.h
    """
    user = user_page(m, pfn)
    number = 0 if user is None else user.section.mapping[user.i]
    anon_vma = m.vm.anon_vmas.get(number >> 1) if number & 1 else None
    return anon_vma.object | 1 if anon_vma is not None and anon_vma.object else number


def in_use(section: Section, i: int) -> bool:
    """Whether a record is that of a page: one without references keeps its flags until nobody knows it."""
    return section.order > 0 or section.refcount[i] > 0 or section.flags[i] > 0


def image_frames(m: Kernel) -> tuple[int, ...]:
    """Frames of the kernel's image that processes map: nobody has allocated them."""
    return (m.vm.zero_pfn, *m.vm.special_pages.get("[vdso]", ()))


def user_frames(m: Kernel) -> Iterator[tuple[int, int]]:
    """(first frame, order) of every page that processes and files have from the allocator."""
    image = image_frames(m)
    for number, section in m.vm.sections.items():
        if section.order:
            if m.vm.pool_pages.get(number << 9, True):
                yield number << 9, section.order
            continue
        for i, (count, flags) in enumerate(zip(section.refcount, section.flags, strict=True)):
            if (count > 0 or flags) and (number << 9 | i) not in image:
                yield number << 9 | i, 0


def block_of(m: Kernel, pfn: int) -> Page | None:
    """The record of the allocated block that a frame belongs to; None where nobody has allocated it."""
    for order in range(MAX_ORDER):
        page = m.pages.get(pfn & -(1 << order))
        if page is not None:
            return page if page.pfn + (1 << page.order) > pfn else None
    return None


def compound_head(m: Kernel, pfn: int) -> int:
    """The head of the compound page that a frame is part of, else the frame itself. Kernel: compound_head"""
    page = m.pages.get(pfn)
    if page is None:
        page = block_of(m, pfn)
        if page is not None and page.flags & PG_head:
            return page.pfn
        user = user_page(m, pfn)
        if user is not None and user.section.order:
            return pfn & -(1 << user.section.order)
    return pfn


def on_pcp_list(zone: Zone, pfn: int) -> bool:
    """Whether a frame waits on one of the zone's per-CPU lists."""
    heads = [pfn & -(1 << order) for order in PINDEX_ORDER]
    return any(head in pages for pcp in zone.pcp for head, pages in zip(heads, pcp.lists, strict=True))


def is_free(m: Kernel, pfn: int) -> bool:
    """Whether a frame is on a free list or a per-CPU list."""
    zone = m.zone_of(pfn)
    return zone.free_block_at(pfn) is not None or on_pcp_list(zone, pfn)


def is_reserved(m: Kernel, pfn: int) -> bool:
    """Whether the kernel itself has had the frame since boot: nobody has allocated it, and it is not free."""
    user = user_page(m, pfn)
    if user is not None:
        return bool(user.flags & PG_reserved)
    return block_of(m, pfn) is None and not is_free(m, pfn)


def state_of(m: Kernel, pfn: int) -> str:
    """What the zone map shows a frame as, its lock aside."""
    page = block_of(m, pfn)
    if page is not None:
        return page.state
    if user_page(m, pfn) is not None:
        return user_state(m, pfn)
    zone = m.zone_of(pfn)
    if zone.free_block_at(pfn) is not None:
        return "free"
    return "pcp" if on_pcp_list(zone, pfn) else "reserved"


def user_state(m: Kernel, pfn: int) -> str:
    """What the zone map shows a frame of a process or a file as, its lock aside.

    What keeps it from being dropped shows over what it is: a file's newer bytes, or a lock into memory.
    """
    s = m.vm.sections[pfn >> 9]
    head = pfn & -(1 << s.order)
    bits, mapping = s.flags[head & 511], s.mapping[head & 511]
    if bits & PG_reserved:
        return "reserved"
    inode = None if mapping & 1 else m.vm.mappings.get(mapping >> 1)
    if head in m.vm.pool_pages or (inode is not None and inode.is_hugetlb):
        return "hugetlb"
    if bits & PG_writeback:
        return "writeback"
    if bits & PG_dirty and inode is not None and not inode.in_memory:
        return "dirty"
    if bits & (PG_unevictable | PG_mlocked):
        return "unevictable"
    if bits & PG_swapcache:
        return "swapcache"
    if mapping & 1:
        return "anon"
    if inode is None:
        return "movable"
    return "shmem" if inode.is_shmem else "file"


def tell_state(m: Kernel, head: int) -> None:
    """Report a page of a process or a file among the frames that the call changed."""
    s = m.vm.sections[head >> 9]
    state = "locked" if s.flags[head & 511] & PG_locked else user_state(m, head)
    m.changed.frame(head, 1 << s.order, state)


def struct_page(m: Kernel, pfn: int) -> Page | StrayPage | UserPage:
    """The frame's record to write to. A stray one must be given back to `settle` afterwards."""
    page = m.pages.get(pfn) or user_page(m, pfn)
    if page is not None:
        return page
    stray = m.stray.get(pfn)
    if stray is None:
        stray = m.stray[pfn] = StrayPage(*(1, PG_reserved) if is_reserved(m, pfn) else (0, 0))
    return stray


def settle(m: Kernel, pfn: int) -> None:
    """Forget a stray record that says nothing any more."""
    stray = m.stray.get(pfn)
    if stray is None:
        return
    if (stray.refcount, stray.flags) == ((1, PG_reserved) if is_reserved(m, pfn) else (0, 0)):
        del m.stray[pfn]


def page_ref_count(m: Kernel, pfn: int) -> int:
    """`_refcount` of this very frame. Kernel: page_ref_count"""
    page = m.pages.get(pfn) or m.stray.get(pfn) or user_page(m, pfn)
    return page.refcount if page is not None else int(is_reserved(m, pfn))


def folio_ref_zero_or_close_to_overflow(m: Kernel, pfn: int) -> bool:
    """Whether no further reference may be taken. Kernel: include/linux/mm.h, the macro of that name"""
    return -127 <= page_ref_count(m, pfn) <= 0


def page_flags(m: Kernel, pfn: int) -> int:
    """The PG_ bits of this very frame."""
    page = m.pages.get(pfn) or m.stray.get(pfn) or user_page(m, pfn)
    if page is not None:
        return page.flags
    return PG_reserved if is_reserved(m, pfn) else 0


def page_count(m: Kernel, pfn: int) -> int:
    """References on a page, or on the head of its compound page. Kernel: page_count"""
    return page_ref_count(m, compound_head(m, pfn))


def page_ref_add(m: Kernel, pfn: int, nr: int) -> int:
    """Change a frame's count; returns what it is then. Kernel: page_ref_add_return"""
    page = m.pages.get(pfn)
    if page is not None:
        page.refcount += nr
        return page.refcount
    stray = struct_page(m, pfn)
    stray.refcount += nr
    settle(m, pfn)
    return stray.refcount


def change_flags(m: Kernel, pfn: int, *, set: int = 0, clear: int = 0) -> None:
    """Set and clear PG_ bits of a frame."""
    page = struct_page(m, pfn)
    page.flags = page.flags & ~clear | set
    settle(m, pfn)


# Functions that read `page->flags` or, for a mere count, `page->_refcount` of a page; all others begin
# with the pointer to the compound head, the second word of struct page.
READS_FLAGS = frozenset(("__free_pages", "page_address", "kmap", "kunmap", "page_mapcount"))
READS_REFCOUNT = frozenset(("get_page_unless_zero",))
REFCOUNT_OFFSET = {"x86_64": 52, "i386": 28}


def checked(m: Kernel, pfn: int | None, function: str) -> int:
    """The page a function works on; a NULL pointer is an oops at the first field that it touches."""
    if pfn is None:
        field = m.model.sizeof_long
        if function in READS_FLAGS:
            field = 0
        elif function in READS_REFCOUNT:
            field = REFCOUNT_OFFSET[m.model.arch]
        m.mistake("null_page", function=function, offset=field)
        printk.page_fault(m, field)
    return pfn


def page_pointer(m: Kernel, address: int) -> int:
    """The `struct page *` of an address. Kernel: arch/x86/include/asm/page.h virt_to_page

    The translation is arithmetic and cannot fail. Of an address outside the direct map it makes a pointer
    to no page.
    """
    return (
        m.model.pfn_to_page((address - m.model.page_offset & m.model.ptr_max) >> PAGE_SHIFT) & m.model.ptr_max
    )


def virt_to_page(m: Kernel, address: int | None) -> int:
    """The frame behind an address of the direct map; another address faults when its page is looked at."""
    pfn = None if address is None else m.model.virt_to_pfn(address)
    if pfn is None:
        inside = m.vmap.vmalloc_start <= (address or 0) < m.vmap.vmalloc_end
        found = "vmalloc_pointer" if inside else "wild_pointer"
        m.mistake(found, address=f"{address or 0:#x}", start=f"{m.model.page_offset:#x}")
        printk.page_fault(m, page_pointer(m, address or 0) + m.model.sizeof_long & m.model.ptr_max)
    return pfn
