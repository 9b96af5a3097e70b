"""Pages in a state that they should not be in: how the kernel notices, and what it prints.

Kernel: mm/page_alloc.c (bad_page and the checks around it), mm/debug.c __dump_page,
include/linux/mmdebug.h, lib/vsprintf.c format_page_flags. Every kernel checks pages on their way between
its lists, but most check late: the report names the page, never who spoilt it. DEBUG_VM checks at the
very call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from app.mm import page_ref, printk
from app.mm.page import (
    PAGE_FLAG_NAMES,
    PAGE_FLAGS_CHECK_AT_FREE,
    PAGE_FLAGS_CHECK_AT_PREP,
    Page,
    PG_head,
    PG_slab,
)

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.slab import Slab

# The order in which `%pGp` names the flags. Kernel: include/trace/events/mmflags.h __def_pageflag_names
PRINT_FIRST: Final = ("locked", "waiters", "error")
PRINT_ORDER: Final = (*PRINT_FIRST, *(name for name in PAGE_FLAG_NAMES if name not in PRINT_FIRST))

LIST_POISON1: Final = 0x100
LIST_POISON2: Final = 0x122
TAIL_MAPPING: Final = 0x400
POISON_POINTER_DELTA: Final = {"x86_64": 0xDEAD000000000000, "i386": 0}
LASTCPUPID_MASK: Final = 0x1FFFFF
BUDDY_MAPCOUNT: Final = -128
COMPOUND_PAGE_DTOR: Final = 1
# Where the struct kmem_cache of a cache that no call has made is shown.
BOOT_CACHES: Final = 0x42000
SIZEOF_BOOT_CACHE: Final = 256
BYTES_OF_A_RAW_LINE: Final = 32
# bad_page allows a burst of reports, then keeps quiet.
MAX_BAD_PAGES_OF_A_CALL: Final = 60


# -- struct page as text ---------------------------------------------------------------------------


def page_flags_word(m: Kernel, pfn: int) -> int:
    """`page->flags`: the bits, and above them where the page is. Kernel: include/linux/page-flags-layout.h

    The link to the zone costs no memory of its own, because the word has room for it; i386 has room for
    nothing else.
    """
    zone = m.zone_of(pfn)
    flags = page_ref.page_flags(m, pfn)
    if m.model.arch == "i386":
        return zone.zid << 30 | flags
    return zone.nid << 54 | zone.zid << 51 | LASTCPUPID_MASK << 30 | flags


def pGp(m: Kernel, pfn: int) -> str:
    """Page flags as `%pGp` prints them."""
    zone = m.zone_of(pfn)
    flags = page_ref.page_flags(m, pfn)
    parts = [name for name in PRINT_ORDER if flags >> PAGE_FLAG_NAMES.index(name) & 1]
    if m.model.arch == "i386":
        parts += [f"zone={zone.zid}"]
    else:
        parts += [f"node={zone.nid}", f"zone={zone.zid}", f"lastcpupid={LASTCPUPID_MASK:#x}"]
    return f"{page_flags_word(m, pfn):#x}({'|'.join(parts)})"


def page_index(m: Kernel, pfn: int) -> int:
    """`page->index`: for pages of no file, the type of the list that they last came from or went to.

    Of a slab that word is its free list.

    Kernel: mm/page_alloc.c set_pcppage_migratetype
    """
    page = m.pages.get(pfn)
    user = page_ref.user_page(m, pfn)
    if user is not None:
        return user.section.index[user.i]
    slab = slab_of(m, pfn)
    if slab is not None:
        return slab_words(m, slab)[1]
    if page is not None:
        return 0 if m.page_group_by_mobility_disabled else page.gfp >> 3 & 3
    zone = m.zone_of(pfn)
    return zone.get_pfnblock_migratetype(pfn) if page_ref.on_pcp_list(zone, pfn) else 0


def page_mapcount(m: Kernel, pfn: int) -> int:
    """How often a page is mapped; one that no process uses never is. Kernel: include/linux/mm.h page_mapcount

    The first page of a free block has what says so in the same word.
    """
    user = page_ref.user_page(m, pfn)
    if user is not None:
        section = user.section
        return section.mapcount[user.i] + 1 + (section.compound_mapcount + 1 if section.order else 0)
    free = m.zone_of(pfn).free_block_at(pfn)
    return BUDDY_MAPCOUNT if free is not None and free[0] == pfn else 0


def raw_words(m: Kernel, pfn: int) -> list[int]:
    """The words of struct page. Kernel: include/linux/mm_types.h

    The links of a page that stands in a list are shown as those of one that does not.
    """
    arch, long = m.model.arch, m.model.sizeof_long
    poison = POISON_POINTER_DELTA[arch]
    head = page_ref.compound_head(m, pfn)
    free = m.zone_of(pfn).free_block_at(pfn)
    buddy = free is not None and free[0] == pfn
    if head == pfn:
        private = free[1] if free is not None and buddy else 0
        mapping = page_ref.page_mapping(m, pfn)
        words = [poison | LIST_POISON1, poison | LIST_POISON2, mapping, page_index(m, pfn), private]
        slab = slab_of(m, pfn)
        if slab is not None:
            words[2:] = slab_words(m, slab)
    else:
        words = [m.model.pfn_to_page(head) | 1, *tail_words(m, pfn, head)]
    user = page_ref.user_page(m, pfn)
    mapcount = user.section.mapcount[user.i] if user is not None else BUDDY_MAPCOUNT - 1 if buddy else -1
    mapcount &= 0xFFFFFFFF
    refcount = page_ref.page_ref_count(m, pfn) & 0xFFFFFFFF
    counts = [refcount << 32 | mapcount, 0] if long == 8 else [mapcount, refcount, 0, 0]
    return [page_flags_word(m, pfn), *words, *counts]


def slab_of(m: Kernel, pfn: int) -> Slab | None:
    """The slab that begins at a frame, whose struct page is read as a struct slab."""
    return m.slabs.get(pfn) if m.rules >= 2 and page_ref.page_flags(m, pfn) & PG_slab else None


def slab_words(m: Kernel, slab: Slab) -> list[int]:
    """What struct slab has where a plain page has `mapping`, `index` and `private`.

    Kernel: mm/slab.h. They are slab_cache, freelist and counters. A cache that was made at boot has a struct
    kmem_cache that no call has allocated: it is shown in the first MiB, which is the kernel's.
    """
    cache = slab.cache.object
    if cache is None:
        cache = m.model.page_offset + BOOT_CACHES + SIZEOF_BOOT_CACHE * list(m.caches).index(slab.cache.name)
    freelist = slab.address(slab.freelist[-1]) if slab.freelist else 0
    return [cache, freelist, slab.frozen << 31 | slab.objects << 16 | slab.inuse]


def tail_words(m: Kernel, pfn: int, head: int) -> list[int]:
    """A compound tail's words behind the pointer to its head; the first keeps what the whole page needs."""
    order = compound_order(m, head)
    if pfn > head + 1:
        return [0, POISON_POINTER_DELTA[m.model.arch] | TAIL_MAPPING, 0, 0]
    what = order << 8 | COMPOUND_PAGE_DTOR
    if m.model.sizeof_long == 8:
        return [0xFFFFFFFF << 32 | what, 1 << order + 32, 0, 0]
    return [what, 0xFFFFFFFF, 0, 0]


def compound_order(m: Kernel, head: int) -> int:
    """How large a compound page is, a process's or another. Kernel: compound_order"""
    page = m.pages.get(head)
    return page.order if page is not None else m.vm.sections[head >> 9].order


def raw_lines(m: Kernel, prefix: str, pfn: int) -> str:
    """Kernel: lib/hexdump.c print_hex_dump"""
    words = [printk.pointer(m, word) for word in raw_words(m, pfn)]
    width = BYTES_OF_A_RAW_LINE // m.model.sizeof_long
    return "\n".join(f"{prefix}: {' '.join(words[at : at + width])}" for at in range(0, len(words), width))


def dump_page(m: Kernel, pfn: int, reason: str) -> None:
    """Print everything in a page's struct page. Kernel: mm/debug.c dump_page"""
    head = page_ref.compound_head(m, pfn)
    printk.printk(
        m,
        f"page:{printk.pointer(m, m.model.pfn_to_page(pfn))} refcount:{page_ref.page_ref_count(m, head)}"
        f" mapcount:{page_mapcount(m, pfn)} mapping:{printk.pointer(m, page_ref.page_mapping(m, head))}"
        f" index:{page_index(m, head) + pfn - head:#x} pfn:{pfn:#x}",
    )
    if page_ref.page_flags(m, head) & PG_head:
        printk.printk(
            m,
            f"head:{printk.pointer(m, m.model.pfn_to_page(head))} order:{compound_order(m, head)}"
            " compound_mapcount:0 compound_pincount:0",
        )
    printk.printk(m, f"flags: {pGp(m, head)}")
    printk.printk(m, raw_lines(m, "raw", pfn))
    if head != pfn:
        printk.printk(m, raw_lines(m, "head", head))
    printk.printk(m, f"page dumped because: {reason}")


# -- reports ---------------------------------------------------------------------------------------


def vm_bug_on_page(m: Kernel, pfn: int, condition: str, place: str) -> NoReturn:
    """A check of DEBUG_VM has failed: print the page and end the task. Kernel: VM_BUG_ON_PAGE"""
    dump_page(m, pfn, f"VM_BUG_ON_PAGE({condition})")
    printk.bug(m, f"kernel BUG at {place}!")


def vm_bug_on_folio(m: Kernel, pfn: int, condition: str, place: str) -> NoReturn:
    """The same of a folio, so of a compound page's head. Kernel: VM_BUG_ON_FOLIO"""
    dump_page(m, pfn, f"VM_BUG_ON_FOLIO({condition})")
    printk.bug(m, f"kernel BUG at {place}!")


def bad_page(m: Kernel, pfn: int, reason: str) -> None:
    """Report a page that cannot be used any more. Kernel: bad_page

    The page is dropped for good: better to lose 4 KiB than to hand out memory that somebody else may
    still write to.
    """
    m.worsen("bug")
    slab = m.slabs.get(page_ref.compound_head(m, pfn))
    if slab is not None:
        m.mistake("slab_page", pfn=pfn, cache=slab.cache.name, reason=reason)
    else:
        m.mistake("bad_page", pfn=pfn, reason=reason, state=page_ref.state_of(m, pfn))
    m.current.bad_pages += 1
    m.current.eventful = True
    if m.current.bad_pages > MAX_BAD_PAGES_OF_A_CALL:
        return
    printk.printk(m, f"BUG: Bad page state in process {m.current.task}  pfn:{pfn:05x}")
    dump_page(m, pfn, reason)
    printk.print_modules(m)
    printk.dump_stack(m)
    m.taint |= printk.TAINT_BAD_PAGE


def bad_reason(m: Kernel, pfn: int, flags: int) -> str | None:
    """What is wrong with a page that should be nobody's; None when nothing is. Kernel: page_bad_reason"""
    if page_ref.page_flags(m, pfn) & flags:
        return f"PAGE_FLAGS_CHECK_AT_{'PREP' if flags == PAGE_FLAGS_CHECK_AT_PREP else 'FREE'} flag(s) set"
    if page_ref.page_ref_count(m, pfn):
        return "nonzero _refcount"
    # The first frame of a block on a buddy list says so where others count their mappings.
    free = m.zone_of(pfn).free_block_at(pfn) if flags == PAGE_FLAGS_CHECK_AT_FREE else None
    return "nonzero mapcount" if free is not None and free[0] == pfn else None


def free_page_is_bad(m: Kernel, pfn: int) -> bool:
    """Check and report a page that is being freed. Kernel: free_page_is_bad"""
    reason = bad_reason(m, pfn, PAGE_FLAGS_CHECK_AT_FREE)
    if reason is not None:
        bad_page(m, pfn, reason)
    return reason is not None


# -- on the way between the lists ------------------------------------------------------------------
# Called only while the machine has stray pages: all other free pages are known to be in order.


def check_new_pages(m: Kernel, pfn: int, order: int) -> bool:
    """Check a free block that is about to be handed out; a bad one is reported and lost.

    Kernel: check_new_pages
    """
    for frame in range(pfn, pfn + (1 << order)):
        if frame in m.stray:
            reason = bad_reason(m, frame, PAGE_FLAGS_CHECK_AT_PREP)
            if reason is not None:
                bad_page(m, frame, reason)
                drop(m, pfn, order)
                return True
    return False


def bulkfree_pcp_prepare(m: Kernel, pfn: int, order: int) -> bool:
    """Check a block that moves from a per-CPU list to the buddy lists; True when it was bad and is lost.

    Kernel: bulkfree_pcp_prepare, and with DEBUG_VM the check in __free_one_page. A debugging kernel would
    stop there with the zone's lock held; this one goes on without the page.
    """
    if pfn not in m.stray:
        return False
    if not m.debug:
        bad = free_page_is_bad(m, pfn)
    else:
        bad = bool(page_ref.page_flags(m, pfn) & PAGE_FLAGS_CHECK_AT_PREP)
        if bad:
            dump_page(m, pfn, "VM_BUG_ON_PAGE(page->flags & PAGE_FLAGS_CHECK_AT_PREP)")
            printk.print_bug(m, "kernel BUG at mm/page_alloc.c:1134!")
    if bad:
        drop(m, pfn, order)
    return bad


def drop(m: Kernel, pfn: int, order: int) -> None:
    """Count a free block that is in no list any more as lost."""
    stray = m.stray.pop(pfn, None)
    page = m.pages[pfn] = Page(pfn, order, 0, 0, "lost", m.current.task, m.current.seq)
    page.refcount = stray.refcount if stray is not None else 0
    page.flags = stray.flags if stray is not None else 0
    m.lost += 1 << order
    m.changed.frame(pfn, 1 << order, page.shown)
