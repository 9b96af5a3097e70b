"""Breakages of split_page, alloc_pages_exact and free_pages_exact."""

from typing import Final

from tests.mutations.mutation import Mutation

EXACT: Final = (
    Mutation(
        25,
        "mm/page_exact.py",
        "make_pages(m, page, 1 << order)",
        "make_pages(m, page, 1)",
        "every frame of a split block gets a count",
    ),
    Mutation(
        25,
        "mm/page_exact.py",
        "page_ref.page_ref_add(m, pfn, 1 - page_ref.page_ref_count(m, pfn))",
        "page_ref.page_ref_add(m, pfn, 1)",
        "the count of a split block's frame is set, not raised",
    ),
    Mutation(
        25,
        "mm/page_exact.py",
        "if not page_ref.page_count(m, pfn):",
        "if False:",
        "a debugging kernel does not split a free page",
    ),
    Mutation(
        25,
        "mm/page_exact.py",
        "page_ref.compound_head(m, pfn) != pfn or (page is not None and page.flags & PG_head)",
        "page_ref.compound_head(m, pfn) != pfn",
        "nor a compound one",
    ),
    Mutation(
        25,
        "mm/page_exact.py",
        "    if gfp & _NOT_EXACT:",
        "    if False:",
        "a compound page cannot be cut",
    ),
    Mutation(
        25,
        "mm/page_exact.py",
        "if size else 8 * m.model.sizeof_long - PAGE_SHIFT",
        "if size else 0",
        "no bytes are a block of the whole address space",
    ),
    Mutation(
        25,
        "mm/page_exact.py",
        "zone.get_pfnblock_migratetype(pfn), to_tail=True)",
        "zone.get_pfnblock_migratetype(pfn))",
        "what is not needed goes to the tail of the free lists",
    ),
    Mutation(
        25,
        "mm/page_exact.py",
        "    pcp.free_to_buddy(m, zone, pfn, 0, zone.get_pfnblock_migratetype(pfn), to_tail=True)",
        "    pcp.free_unref_page(m, zone, pfn, 0)",
        "past the per-CPU lists",
    ),
    Mutation(
        25,
        "mm/page_exact.py",
        '    m.vm_events["pgfree"] += 1',
        "",
        "and is counted as freed",
    ),
    Mutation(
        25,
        "mm/page_exact.py",
        "(size + PAGE_SIZE - 1 & -PAGE_SIZE & m.model.ptr_max) & m.model.ptr_max",
        "(size + PAGE_SIZE - 1 & -PAGE_SIZE)",
        "the end of an exact free wraps around",
    ),
    Mutation(
        22,
        "mm/slab_common.py",
        "kmalloc(m, total, gfp) if fits else None",
        "kmalloc(m, total & size_max, gfp)",
        "an array whose bytes overflow is NULL",
    ),
)
