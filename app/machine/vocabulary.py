"""The vocabulary: every kernel function that can be called on a machine.

One table serves everyone: the HTTP routes and their OpenAPI entries, the forms of the dashboard, the text
form and the journal all come from `CALLS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

CONTEXTS: Final = ("process", "atomic", "softirq", "tasklet", "hardirq")


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument of a call. kind names its checker; required is false where a default stands in."""

    name: str
    kind: str
    c_type: str
    doc: str
    required: bool = True
    default: Any = None


@dataclass(frozen=True, slots=True)
class CallSpec:
    """A kernel function as kmemlab offers it.

    prototype: its C declaration in 6.1. source: where the kernel has it. lecture: an older name, where there
    is one. allocates: takes `repeat`/`until`. frees: takes a list of what such a call returned. wants: the
    argument by which it is given a page (`page`), an address (`addr`) or either (`both`); None where it takes
    neither.
    """

    name: str
    args: tuple[Arg, ...]
    prototype: str
    source: str
    group: str
    doc: str
    lecture: str | None = None
    allocates: bool = False
    frees: bool = False
    wants: str | None = None


def _gfp(name: str = "gfp") -> Arg:
    return Arg(name, "gfp", "gfp_t", "flag names of either vocabulary joined with |, or a number")


_ORDER = Arg("order", "uint", "unsigned int", "2^order page frames; 11 and above is the kernel's matter")
_OPTIONAL_ORDER = Arg(
    "order", "uint", "unsigned int", "as in the lecture's two-argument form; default 0", False, 0
)
_PAGE = Arg("page", "page", "struct page *", "exactly one of pfn and page")
_PAGE_OR_ADDR = Arg(
    "page", "page_or_addr", "struct page * or unsigned long", "exactly one of pfn, page and addr"
)
_ADDR = Arg("addr", "addr", "const void *", "an address as a hex string; null is NULL")
_SIZE = Arg("size", "size", "size_t", "bytes")
_CACHE = Arg("cache", "cache", "struct kmem_cache *", "name of a slab cache")


def _page_call(
    name: str, prototype: str, source: str, doc: str, group: str = "pages", **more: Any
) -> CallSpec:
    return CallSpec(name, (_PAGE,), prototype, source, group, doc, wants="page", **more)


CALLS: Final[dict[str, CallSpec]] = {
    spec.name: spec
    for spec in (
        CallSpec(
            "alloc_pages",
            (_gfp(), _ORDER),
            "struct page *alloc_pages(gfp_t gfp, unsigned int order)",
            "mm/page_alloc.c __alloc_pages",
            "pages",
            "Allocate 2^order contiguous page frames.",
            lecture="__alloc_pages_nodemask",
            allocates=True,
        ),
        CallSpec(
            "alloc_pages_node",
            (Arg("node", "node", "int", "node to start with; -1 = the CPU's own"), _gfp(), _ORDER),
            "struct page *alloc_pages_node(int nid, gfp_t gfp_mask, unsigned int order)",
            "include/linux/gfp.h alloc_pages_node",
            "pages",
            "Allocate 2^order page frames, trying the given node's zones first.",
            allocates=True,
        ),
        CallSpec(
            "alloc_page",
            (_gfp(),),
            "struct page *alloc_page(gfp_t gfp)",
            "include/linux/gfp.h alloc_page",
            "pages",
            "Allocate one page frame.",
            allocates=True,
        ),
        CallSpec(
            "__get_free_pages",
            (_gfp(), _ORDER),
            "unsigned long __get_free_pages(gfp_t gfp_mask, unsigned int order)",
            "mm/page_alloc.c __get_free_pages",
            "pages",
            "Allocate page frames and return their address, so never from HIGHMEM.",
            allocates=True,
        ),
        CallSpec(
            "__get_free_page",
            (_gfp(),),
            "unsigned long __get_free_page(gfp_t gfp_mask)",
            "include/linux/gfp.h __get_free_page",
            "pages",
            "Allocate one page frame and return its address.",
            allocates=True,
        ),
        CallSpec(
            "get_zeroed_page",
            (_gfp(),),
            "unsigned long get_zeroed_page(gfp_t gfp_mask)",
            "mm/page_alloc.c get_zeroed_page",
            "pages",
            "Allocate one page frame filled with zeroes.",
            allocates=True,
        ),
        CallSpec(
            "__free_pages",
            (_PAGE, _ORDER),
            "void __free_pages(struct page *page, unsigned int order)",
            "mm/page_alloc.c __free_pages",
            "pages",
            "Drop a reference and free the block when it was the last.",
            frees=True,
            wants="page",
        ),
        CallSpec(
            "__free_page",
            (_PAGE_OR_ADDR, _OPTIONAL_ORDER),
            "void __free_page(struct page *page)",
            "include/linux/gfp.h __free_page",
            "pages",
            "__free_pages of order 0.",
            lecture="__free_page(page, order)",
            frees=True,
            wants="both",
        ),
        CallSpec(
            "free_pages",
            (_PAGE_OR_ADDR, _OPTIONAL_ORDER),
            "void free_pages(unsigned long addr, unsigned int order)",
            "mm/page_alloc.c free_pages",
            "pages",
            "__free_pages of the page behind an address.",
            frees=True,
            wants="both",
        ),
        CallSpec(
            "free_page",
            (_PAGE_OR_ADDR, _OPTIONAL_ORDER),
            "void free_page(unsigned long addr)",
            "include/linux/gfp.h free_page",
            "pages",
            "free_pages of order 0.",
            lecture="free_page(addr, order)",
            frees=True,
            wants="both",
        ),
        _page_call(
            "page_address",
            "void *page_address(const struct page *page)",
            "include/linux/mm.h page_address",
            "The page's kernel address; NULL for a HIGHMEM page that is not mapped.",
        ),
        _page_call(
            "get_page",
            "void get_page(struct page *page)",
            "include/linux/mm.h get_page",
            "Take a reference on a page that already has one.",
            "references",
        ),
        _page_call(
            "get_page_unless_zero",
            "bool get_page_unless_zero(struct page *page)",
            "include/linux/mm.h get_page_unless_zero",
            "Take a reference unless the page is free.",
            "references",
        ),
        _page_call(
            "put_page",
            "void put_page(struct page *page)",
            "include/linux/mm.h put_page, mm/swap.c __put_page",
            "Drop a reference; the last one frees the page.",
            "references",
            frees=True,
        ),
        _page_call(
            "page_count",
            "int page_count(const struct page *page)",
            "include/linux/page_ref.h page_count",
            "The reference count of the page (of its head, if compound).",
            "references",
        ),
        _page_call(
            "lock_page",
            "void lock_page(struct page *page)",
            "include/linux/pagemap.h lock_page, mm/filemap.c __folio_lock",
            "Take the page's lock, sleeping until it is free.",
            "locks",
        ),
        _page_call(
            "trylock_page",
            "bool trylock_page(struct page *page)",
            "include/linux/pagemap.h trylock_page",
            "Take the page's lock if nobody holds it.",
            "locks",
        ),
        _page_call(
            "unlock_page",
            "void unlock_page(struct page *page)",
            "mm/folio-compat.c unlock_page, mm/filemap.c folio_unlock",
            "Release the page's lock and wake the waiters; any task may.",
            "locks",
        ),
        _page_call(
            "wait_on_page_locked",
            "void wait_on_page_locked(struct page *page)",
            "include/linux/pagemap.h wait_on_page_locked",
            "Sleep until the page is unlocked, without taking the lock.",
            "locks",
        ),
        _page_call(
            "kmap",
            "void *kmap(struct page *page)",
            "mm/highmem.c kmap_high",
            "Give a HIGHMEM page a kernel address in the PKMAP window.",
            "highmem",
        ),
        _page_call(
            "kunmap",
            "void kunmap(struct page *page)",
            "mm/highmem.c kunmap_high",
            "Drop a kmap reference.",
            "highmem",
        ),
        CallSpec(
            "kmalloc",
            (_SIZE, _gfp("flags")),
            "void *kmalloc(size_t size, gfp_t flags)",
            "mm/slab_common.c __kmalloc, mm/slub.c slab_alloc_node",
            "slab",
            "Allocate physically contiguous bytes from a size class.",
            allocates=True,
        ),
        CallSpec(
            "kzalloc",
            (_SIZE, _gfp("flags")),
            "void *kzalloc(size_t size, gfp_t flags)",
            "include/linux/slab.h kzalloc",
            "slab",
            "kmalloc of zeroed memory.",
            allocates=True,
        ),
        CallSpec(
            "krealloc",
            (_ADDR, _SIZE, _gfp("flags")),
            "void *krealloc(const void *p, size_t new_size, gfp_t flags)",
            "mm/slab_common.c krealloc",
            "slab",
            "Resize: in place while the object's class is large enough.",
            wants="addr",
        ),
        CallSpec(
            "kfree",
            (_ADDR,),
            "void kfree(const void *objp)",
            "mm/slab_common.c kfree",
            "slab",
            "Free what kmalloc returned.",
            frees=True,
            wants="addr",
        ),
        CallSpec(
            "ksize",
            (_ADDR,),
            "size_t ksize(const void *objp)",
            "mm/slab_common.c ksize",
            "slab",
            "How many bytes the object really has.",
            wants="addr",
        ),
        CallSpec(
            "kmem_cache_create",
            (
                Arg("name", "object_name", "const char *", "name of the new cache"),
                Arg("size", "uint", "unsigned int", "bytes of each object"),
                Arg("align", "uint", "unsigned int", "alignment of each object in bytes", False, 0),
                Arg(
                    "flags", "slab_flags", "slab_flags_t", "SLAB_… names joined with |, or a number", False, 0
                ),
            ),
            "struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align, "
            "slab_flags_t flags, void (*ctor)(void *))",
            "mm/slab_common.c kmem_cache_create",
            "slab",
            "Make a cache for objects of one size.",
        ),
        CallSpec(
            "kmem_cache_alloc",
            (_CACHE, _gfp("flags")),
            "void *kmem_cache_alloc(struct kmem_cache *s, gfp_t gfpflags)",
            "mm/slub.c kmem_cache_alloc",
            "slab",
            "Allocate an object from a cache.",
            allocates=True,
        ),
        CallSpec(
            "kmem_cache_free",
            (_CACHE, _ADDR),
            "void kmem_cache_free(struct kmem_cache *s, void *x)",
            "mm/slub.c kmem_cache_free",
            "slab",
            "Give an object back to its cache.",
            frees=True,
            wants="addr",
        ),
        CallSpec(
            "kmem_cache_shrink",
            (_CACHE,),
            "int kmem_cache_shrink(struct kmem_cache *s)",
            "mm/slab_common.c kmem_cache_shrink",
            "slab",
            "Return the cache's empty slabs to the page allocator.",
        ),
        CallSpec(
            "kmem_cache_destroy",
            (_CACHE,),
            "void kmem_cache_destroy(struct kmem_cache *s)",
            "mm/slab_common.c kmem_cache_destroy",
            "slab",
            "Remove a cache; its objects must all be free.",
        ),
        CallSpec(
            "virt_to_page",
            (_ADDR,),
            "struct page *virt_to_page(const void *addr)",
            "arch/x86/include/asm/page.h virt_to_page",
            "pages",
            "The struct page behind a direct-map address.",
            wants="addr",
        ),
        CallSpec(
            "vmalloc",
            (_SIZE,),
            "void *vmalloc(unsigned long size)",
            "mm/vmalloc.c __vmalloc_node_range",
            "vmalloc",
            "Allocate virtually contiguous memory from single page frames.",
            allocates=True,
        ),
        CallSpec(
            "vzalloc",
            (_SIZE,),
            "void *vzalloc(unsigned long size)",
            "mm/vmalloc.c vzalloc",
            "vmalloc",
            "vmalloc of zeroed memory.",
            allocates=True,
        ),
        CallSpec(
            "vfree",
            (_ADDR,),
            "void vfree(const void *addr)",
            "mm/vmalloc.c vfree",
            "vmalloc",
            "Free a vmalloc area: its frames now, its addresses at the next purge.",
            frees=True,
            wants="addr",
        ),
        CallSpec(
            "kvmalloc",
            (_SIZE, _gfp("flags")),
            "void *kvmalloc(size_t size, gfp_t flags)",
            "mm/util.c kvmalloc_node",
            "vmalloc",
            "kmalloc, or vmalloc where that fails.",
            allocates=True,
        ),
        CallSpec(
            "kvfree",
            (_ADDR,),
            "void kvfree(const void *addr)",
            "mm/util.c kvfree",
            "vmalloc",
            "Free what kvmalloc returned.",
            frees=True,
            wants="addr",
        ),
        CallSpec(
            "vm_unmap_aliases",
            (),
            "void vm_unmap_aliases(void)",
            "mm/vmalloc.c vm_unmap_aliases",
            "vmalloc",
            "Purge the lazily freed vmap areas, so that their addresses can be used again.",
        ),
        CallSpec(
            "insmod",
            (Arg("name", "object_name", "const char *", "name of the module"), _SIZE),
            "int init_module(void *module_image, unsigned long len, const char *param_values)",
            "kernel/module/main.c load_module",
            "modules",
            "Load a module of that many bytes into the module area.",
        ),
        CallSpec(
            "rmmod",
            (Arg("name", "object_name", "const char *", "name of the module"),),
            "int delete_module(const char *name, unsigned int flags)",
            "kernel/module/main.c free_module",
            "modules",
            "Unload a module.",
        ),
        CallSpec(
            "drain_all_pages",
            (),
            "void drain_all_pages(struct zone *zone)",
            "mm/page_alloc.c drain_all_pages",
            "system",
            "Return all pages of the per-CPU lists to the buddy lists.",
        ),
        CallSpec(
            "sysctl",
            (
                Arg("name", "sysctl", "const char *", "a setting of /proc/sys/vm"),
                Arg("value", "sysctl_value", "int[]", "a number, or numbers separated by blanks"),
            ),
            "int proc_dointvec(struct ctl_table *table, int write, …)",
            "kernel/sysctl.c vm_table",
            "system",
            "Write a setting of /proc/sys/vm, as `sysctl vm.name=value` does.",
        ),
        CallSpec(
            "kill_task",
            (Arg("task", "task", "struct task_struct *", "the task to kill; whoever asks is not a task"),),
            "int kill(pid_t pid, SIGKILL)",
            "kernel/signal.c do_send_sig_info",
            "system",
            "Take a task out of every queue it sleeps in.",
        ),
    )
}

SYSCTLS: Final = {
    "min_free_kbytes": 1,
    "watermark_scale_factor": 1,
    "watermark_boost_factor": 1,
    "lowmem_reserve_ratio": 5,
    "percpu_pagelist_high_fraction": 1,
}
