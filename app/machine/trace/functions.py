"""The kernel's functions as explanations name them: where they are, and what a lecture may call them."""

from __future__ import annotations

import sys
from typing import Final

PAGE_ALLOC: Final = "mm/page_alloc.c"
SLUB: Final = "mm/slub.c"
SLAB_COMMON: Final = "mm/slab_common.c"
VMALLOC: Final = "mm/vmalloc.c"
FILEMAP: Final = "mm/filemap.c"
HIGHMEM: Final = "mm/highmem.c"

FILES: Final = {
    "__alloc_pages": PAGE_ALLOC,
    "__alloc_pages_bulk": PAGE_ALLOC,
    "__alloc_pages_direct_compact": PAGE_ALLOC,
    "__alloc_pages_direct_reclaim": PAGE_ALLOC,
    "__alloc_pages_may_oom": PAGE_ALLOC,
    "__alloc_pages_slowpath": PAGE_ALLOC,
    "__free_one_page": PAGE_ALLOC,
    "__free_pages": PAGE_ALLOC,
    "__rmqueue_fallback": PAGE_ALLOC,
    "__rmqueue_smallest": PAGE_ALLOC,
    "drain_all_pages": PAGE_ALLOC,
    "expand": PAGE_ALLOC,
    "free_pages_prepare": PAGE_ALLOC,
    "free_pcppages_bulk": PAGE_ALLOC,
    "free_unref_page_commit": PAGE_ALLOC,
    "get_page_from_freelist": PAGE_ALLOC,
    "nr_pcp_free": PAGE_ALLOC,
    "reserve_highatomic_pageblock": PAGE_ALLOC,
    "rmqueue_bulk": PAGE_ALLOC,
    "rmqueue_pcplist": PAGE_ALLOC,
    "steal_suitable_fallback": PAGE_ALLOC,
    "unreserve_highatomic_pageblock": PAGE_ALLOC,
    "zone_watermark_fast": PAGE_ALLOC,
    "wakeup_kswapd": "mm/vmscan.c",
    "___slab_alloc": SLUB,
    "__slab_free": SLUB,
    "__unfreeze_partials": SLUB,
    "alloc_single_from_new_slab": SLUB,
    "alloc_single_from_partial": SLUB,
    "allocate_slab": SLUB,
    "calculate_order": SLUB,
    "calculate_sizes": SLUB,
    "deactivate_slab": SLUB,
    "discard_slab": SLUB,
    "do_slab_free": SLUB,
    "free_to_partial_list": SLUB,
    "get_freelist": SLUB,
    "get_partial_node": SLUB,
    "kmem_cache_alloc": SLUB,
    "kmem_cache_free": SLUB,
    "kmem_cache_open": SLUB,
    "kmem_cache_shrink": SLUB,
    "put_cpu_partial": SLUB,
    "slab_alloc_node": SLUB,
    "__kmalloc": SLAB_COMMON,
    "__kmalloc_large_node": SLAB_COMMON,
    "free_large_kmalloc": SLAB_COMMON,
    "kfree": SLAB_COMMON,
    "kmalloc_slab": SLAB_COMMON,
    "kmem_cache_create": SLAB_COMMON,
    "kmem_cache_destroy": SLAB_COMMON,
    "krealloc": SLAB_COMMON,
    "kvmalloc_node": "mm/util.c",
    "__alloc_vmap_area": VMALLOC,
    "__get_vm_area_node": VMALLOC,
    "__purge_vmap_area_lazy": VMALLOC,
    "__vmalloc_area_node": VMALLOC,
    "__vmalloc_node_range": VMALLOC,
    "__vfree_deferred": VMALLOC,
    "__vunmap": VMALLOC,
    "alloc_vmap_area": VMALLOC,
    "free_vmap_area_noflush": VMALLOC,
    "vm_area_alloc_pages": VMALLOC,
    "vmap_pages_range": VMALLOC,
    "__pte_alloc_kernel": "mm/memory.c",
    "__pmd_alloc": "mm/memory.c",
    "module_alloc": "arch/x86/kernel/module.c",
    "flush_all_zero_pkmaps": HIGHMEM,
    "kmap_high": HIGHMEM,
    "kunmap_high": HIGHMEM,
    "map_new_virtual": HIGHMEM,
    "get_page": "include/linux/mm.h",
    "get_page_unless_zero": "include/linux/mm.h",
    "put_page": "include/linux/mm.h",
    "folio_trylock": "include/linux/pagemap.h",
    "folio_unlock": FILEMAP,
    "folio_wait_bit_common": FILEMAP,
    "folio_wake_bit": FILEMAP,
    "wake_page_function": FILEMAP,
}

# What the functions were called, or what did their work, in the 3.x kernels of older lectures.
LECTURE: Final = {
    "__alloc_pages": "__alloc_pages_nodemask",
    "zone_watermark_fast": "zone_watermark_ok",
    "rmqueue_pcplist": "buffered_rmqueue",
    "steal_suitable_fallback": "try_to_steal_freepages",
    "free_unref_page_commit": "free_hot_cold_page",
    "___slab_alloc": "__slab_alloc",
    "do_slab_free": "slab_free",
    "__unfreeze_partials": "unfreeze_partials",
    "__kmalloc_large_node": "kmalloc_large_node",
    "kvmalloc_node": "kvmalloc",
    "__alloc_vmap_area": "alloc_vmap_area",
    "vm_area_alloc_pages": "__vmalloc_area_node",
    "vmap_pages_range": "map_vm_area",
    "folio_trylock": "trylock_page",
    "folio_unlock": "unlock_page",
    "folio_wait_bit_common": "__lock_page",
    "folio_wake_bit": "wake_up_page",
    "wake_page_function": "wake_bit_function",
}

# The functions of this package that stand for one of the kernel's, where a step may be made below them.
RUNNING: Final = {
    ("page_alloc", "alloc_pages"): "__alloc_pages",
    ("page_alloc", "alloc_pages_bulk"): "__alloc_pages_bulk",
    ("page_alloc", "alloc_pages_slowpath"): "__alloc_pages_slowpath",
    ("freelist", "unreserve_highatomic_pageblock"): "unreserve_highatomic_pageblock",
    ("pcp", "rmqueue_pcplist"): "rmqueue_pcplist",
    ("pcp", "rmqueue_bulk"): "rmqueue_bulk",
    ("pcp", "free_unref_page_commit"): "free_unref_page_commit",
    ("pcp", "free_pcppages_bulk"): "free_pcppages_bulk",
    ("pcp", "drain_all_pages"): "drain_all_pages",
    ("buddy", "free_one_page"): "__free_one_page",
    ("buddy", "rmqueue_smallest"): "__rmqueue_smallest",
    ("buddy", "rmqueue_fallback"): "__rmqueue_fallback",
    ("page_alloc", "direct_reclaim"): "__alloc_pages_direct_reclaim",
    ("page_alloc", "out_of_memory"): "__alloc_pages_may_oom",
    ("page_free", "free_pages"): "__free_pages",
    ("references", "get_page"): "get_page",
    ("references", "get_page_unless_zero"): "get_page_unless_zero",
    ("references", "put_page"): "put_page",
    ("slab_common", "free_large_kmalloc"): "free_large_kmalloc",
    ("slab_common", "kfree"): "kfree",
    ("slab_common", "kmalloc"): "__kmalloc",
    ("slab_common", "kmalloc_large_node"): "__kmalloc_large_node",
    ("slab_common", "kmem_cache_create"): "kmem_cache_create",
    ("slab_common", "kmem_cache_destroy"): "kmem_cache_destroy",
    ("slab_common", "krealloc"): "krealloc",
    ("slub", "allocate_slab"): "allocate_slab",
    ("slub", "deactivate_slab"): "deactivate_slab",
    ("slub", "discard_slab"): "discard_slab",
    ("slub", "free_to_partial_list"): "free_to_partial_list",
    ("slub", "kmem_cache_alloc"): "kmem_cache_alloc",
    ("slub", "kmem_cache_free"): "kmem_cache_free",
    ("slub", "put_cpu_partial"): "put_cpu_partial",
    ("slub", "shrink"): "kmem_cache_shrink",
    ("slub", "slab_alloc"): "___slab_alloc",
    ("slub", "slab_free_slow"): "__slab_free",
    ("slub", "unfreeze_partials"): "__unfreeze_partials",
    ("vmalloc", "get_vm_area_node"): "__get_vm_area_node",
    ("vmalloc", "kvmalloc"): "kvmalloc_node",
    ("vmalloc", "vm_area_alloc_pages"): "vm_area_alloc_pages",
    ("vmalloc", "vmalloc_area_node"): "__vmalloc_area_node",
    ("vmalloc", "vmalloc_node_range"): "__vmalloc_node_range",
    ("vmalloc", "vunmap"): "__vunmap",
    ("vmap_area", "alloc_vmap_area"): "alloc_vmap_area",
    ("vmap_area", "free_vmap_area_noflush"): "free_vmap_area_noflush",
    ("vmap_area", "purge_vmap_area_lazy"): "__purge_vmap_area_lazy",
    ("vmalloc", "vmap_pages_range"): "vmap_pages_range",
    ("module", "module_alloc"): "module_alloc",
    ("highmem", "kmap_high"): "kmap_high",
    ("highmem", "kunmap"): "kunmap_high",
    ("highmem", "map_new_virtual"): "map_new_virtual",
    ("filemap", "unlock_page"): "folio_unlock",
    ("filemap", "wake_bit"): "folio_wake_bit",
    ("filemap", "wait_bit"): "folio_wait_bit_common",
}

HOME: Final = "app.mm."
ENTRY: Final = "app.machine.entry."


def running() -> list[str]:
    """The call's entry point, and below it the kernel's functions on the stack, the innermost last.

    The machine's functions are the kernel's and call each other as those do, so the interpreter's own stack
    says what runs below what: nothing has to be kept while nobody asks. A function that calls itself counts
    once.
    """
    names: list[str] = []
    frame = sys._getframe(1)
    while frame.f_back is not None:
        module: str = frame.f_globals["__name__"]
        function = frame.f_code.co_name
        if module.startswith(ENTRY):
            names.append(function)
            break
        name = RUNNING.get((module.removeprefix(HOME), function))
        if name is not None and (not names or names[-1] != name):
            names.append(name)
        frame = frame.f_back
    else:
        names.append("")
    names.reverse()
    return names
