"""What callers do wrong: how the kernel finds it, what it does then, and one sentence that says so.

A function of the kernel that finds a mistake reports its name and the facts of its decision
(`Kernel.mistake`). One row of this table makes the cause of an outcome of them, and the step of an
explanation; the pages show what to press (`app.web.mistakes`), by the same name.

A new one is `m.mistake("its_name", fact=…)` where it is found, a row here, what to press in `PRESSES` there,
and its calls in `LINES` of `tests/machine/test_mistakes.py`; then `make text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# Which of several is the cause: what the caller did rather than what became of it, that rather than a remark.
NOTE: Final = 0
LOST: Final = 1
WRONG: Final = 2

# Facts that are page frame numbers, and so are written in hexadecimal.
FRAMES: Final = ("pfn", "first")
SOME: Final = "lost_frames"


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it: pages translate these
    """Mark a text for translation."""
    return text


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row: what the caller did, the function that finds it, what the kernel does, and the sentence.

    say: with a `%(name)s` for each fact that it needs. told: whether the function that finds it has a step of
    its own that says so.
    """

    title: str
    fn: str
    does: str
    say: str
    rank: int = WRONG
    told: bool = False


REPORTS: Final = N_(
    "A debugging kernel reports it and goes on; another one says nothing until it does sleep."
)
BUGS: Final = N_("The debugging kernel stops the task with a BUG; Debian’s goes on with the wrong count.")
STOPS: Final = N_("Every kernel stops the task here with a BUG.")
FAULTS: Final = N_("Every kernel stops the task here with an oops.")
KEEPS: Final = N_("It reports, leaves the memory as it is and goes on.")
WARNS: Final = N_("It warns and goes on.")
REFUSES: Final = N_("It answers NULL at once, without looking for memory.")

MISTAKES: Final[dict[str, Mistake]] = {
    # -- from where one calls --------------------------------------------------------------------------------
    "sleeping_allocation": Mistake(
        N_("sleeping where one must not"),
        "__might_resched",
        REPORTS,
        N_(
            "%(mask)s has __GFP_DIRECT_RECLAIM: the allocation may sleep, and %(context)s may not. "
            "might_alloc() finds that before it looks for memory, whether it would have slept or not."
        ),
    ),
    "sleeping": Mistake(
        N_("sleeping where one must not"),
        "__might_resched",
        REPORTS,
        N_(
            "The function may sleep, and %(context)s may not: might_sleep() at %(place)s finds that "
            "whether it would have slept this time or not."
        ),
    ),
    "schedule_in_atomic": Mistake(
        N_("sleeping where one must not"),
        "__schedule_bug",
        N_("Every kernel reports it. A real one would then sleep in there; here the call comes back."),
        N_("The call has to sleep, and in %(context)s there is no task that could be put to sleep."),
    ),
    "vmalloc_in_interrupt": Mistake(
        N_("vmalloc in an interrupt"),
        "__get_vm_area_node",
        STOPS,
        N_(
            "vmalloc takes locks and maps pages, for which an interrupt has no task: "
            "BUG_ON(in_interrupt()) finds that this is %(context)s."
        ),
    ),
    # -- freeing twice, or what is not one's own -------------------------------------------------------------
    "page_freed_twice": Mistake(
        N_("freed twice"),
        "put_page_testzero",
        BUGS,
        N_(
            "Nobody holds page frame %(pfn)s (it is %(state)s): its count is %(count)s, "
            "and %(function)s has no reference to drop."
        ),
    ),
    "tail_page": Mistake(
        N_("not the first frame of a block"),
        "put_page_testzero",
        BUGS,
        N_(
            "Page frame %(pfn)s is in the block of order %(order)s that begins at %(first)s. "
            "Only the first frame has a count; this one has none to drop."
        ),
    ),
    "get_free_page": Mistake(
        N_("a reference to a free page"),
        "folio_get",
        BUGS,
        N_(
            "Nobody holds page frame %(pfn)s (it is %(state)s): with a count of %(count)s it may be "
            "gone at any moment."
        ),
    ),
    "object_freed_twice": Mistake(
        N_("freed twice"),
        "free_consistency_checks",
        N_(
            "A debugging kernel reports it and keeps the free list; another one notices only a free "
            "right behind the first."
        ),
        N_(
            "The object %(address)s of %(cache)s is free already: it would be on the free list twice, "
            "for two users."
        ),
    ),
    "pointer_into_object": Mistake(
        N_("a pointer into an object"),
        "free_consistency_checks",
        N_("A debugging kernel reports it and frees nothing; another one puts the address on the free list."),
        N_(
            "%(address)s is no object of %(cache)s: it lies %(offset)s bytes behind %(object)s. "
            "Only the address that was returned can be freed."
        ),
    ),
    "kfree_of_page": Mistake(
        N_("kfree of what kmalloc did not return"),
        "free_large_kmalloc",
        N_("It warns the first time, and frees one page frame."),
        N_(
            "%(address)s is in no slab, so kfree takes it for a large kmalloc. But page frame %(pfn)s "
            "(%(state)s) "
            "is no compound page, so it says order 0, whatever was allocated there."
        ),
    ),
    "not_a_slab": Mistake(
        N_("freed to a cache, but of no cache"),
        "kmem_cache_free",
        N_("It warns the first time, and frees nothing."),
        N_("%(address)s is in no slab at all, so it is no object of %(cache)s."),
    ),
    "wrong_cache": Mistake(
        N_("the wrong cache"),
        "kmem_cache_free",
        N_("It warns, and frees the object to the cache that its slab belongs to."),
        N_("%(address)s is an object of %(cache)s, not of %(named)s: its slab knows."),
    ),
    "vmalloc_pointer": Mistake(
        N_("a pointer of vmalloc"),
        "virt_to_page",
        FAULTS,
        N_(
            "%(address)s lies where vmalloc maps: virt_to_page calculates a struct page of it that does"
            " not exist. "
            "vfree takes such an address, kvfree any."
        ),
    ),
    "wild_pointer": Mistake(
        N_("a wild pointer"),
        "virt_to_page",
        FAULTS,
        N_(
            "%(address)s is in no memory that the direct map, from %(start)s on, knows: there is no "
            "struct page of it."
        ),
    ),
    "no_struct_page": Mistake(
        N_("an address without a struct page"),
        "virt_to_page",
        N_("It calculates, and cannot fail; who uses the result faults."),
        N_(
            "%(address)s is no address of the direct map, from %(start)s on: %(page)s is where its struct "
            "page would be, and none is there. vmalloc_to_page looks through the page tables."
        ),
        NOTE,
    ),
    "no_page_address": Mistake(
        N_("no address of a page"),
        "free_pages",
        N_("The debugging kernel stops the task with a BUG; Debian’s follows the pointer."),
        N_(
            "%(address)s is no address of the direct map, from %(start)s on: !virt_addr_valid(). "
            "free_pages takes what __get_free_pages returned."
        ),
    ),
    "vfree_unaligned": Mistake(
        N_("vfree of no area’s address"),
        "__vunmap",
        N_("It warns, and frees nothing."),
        N_("%(address)s is no multiple of %(page_size)s, so no area begins there."),
    ),
    "vfree_of_kmalloc": Mistake(
        N_("vfree of what vmalloc did not return"),
        "__vunmap",
        N_("It warns, and frees nothing."),
        N_(
            "%(address)s is not where vmalloc maps its areas. kfree takes what kmalloc returned, kvfree"
            " either."
        ),
    ),
    "vfree_nothing": Mistake(
        N_("vfree of no area"),
        "__vunmap",
        N_("It warns, and frees nothing."),
        N_("No area is mapped at %(address)s: it was never one’s, or it is freed already."),
    ),
    "slab_page": Mistake(
        N_("a slab’s page given to the page allocator"),
        "bad_page",
        N_(
            "It reports a bad page and puts it on no list. Debian’s finds it later, on the way to the "
            "buddy lists."
        ),
        N_(
            "Page frame %(pfn)s is bad, as it is being freed: PG_slab is set, it belongs to a slab of "
            "%(cache)s, "
            "which goes on using it. kfree takes an object of it."
        ),
    ),
    "bad_page": Mistake(
        N_("a page that is still in use"),
        "bad_page",
        N_("It reports a bad page and puts it on no list: better to lose 4 KiB than to hand it out twice."),
        N_("Page frame %(pfn)s (%(state)s) is bad, as it moves between the lists: %(reason)s."),
    ),
    "compound_order": Mistake(
        N_("the wrong order"),
        "free_pages_prepare",
        N_("The debugging kernel stops the task with a BUG, and the block is lost; Debian’s frees a part."),
        N_(
            "Page frame %(pfn)s is the head of a compound page of order %(allocated)s, and order "
            "%(order)s was to be freed."
        ),
    ),
    "frames_of_others": Mistake(
        N_("more than one’s own"),
        "free_pages_prepare",
        N_("The kernel believes the caller, and two will use the same memory. Here the rest stays as it is."),
        N_("%(frames)s of the 2^%(order)s frames from %(pfn)s on are free already or others’."),
    ),
    "impossible_order": Mistake(
        N_("the wrong order"),
        "free_pages_prepare",
        N_("The kernel would follow the order behind the end of memory. Here nothing is freed."),
        N_("No block of order %(order)s can begin at page frame %(pfn)s."),
    ),
    SOME: Mistake(
        N_("frames that nobody has"),
        "free_pages_prepare",
        N_("It says nothing: the allocator keeps no list of what it gave out."),
        N_(
            "%(frames)s frames, the first at %(pfn)s, have no owner now: their block was larger than "
            "what was freed, and nobody can free the rest."
        ),
        LOST,
        told=True,
    ),
    # -- locks -----------------------------------------------------------------------------------------------
    "unlock_unlocked": Mistake(
        N_("unlock of a page that is not locked"),
        "folio_unlock",
        N_("The debugging kernel stops the task with a BUG; Debian’s clears a clear bit."),
        N_("PG_locked of page frame %(pfn)s (%(state)s) is clear: there is no lock to release."),
    ),
    "unlock_freed": Mistake(
        N_("unlock of a freed page"),
        "folio_unlock",
        N_("The debugging kernel stops the task with a BUG; Debian’s clears a clear bit."),
        N_("Page frame %(pfn)s has no lock to release, and no owner: it is %(state)s."),
    ),
    "lock_twice": Mistake(
        N_("waiting for one’s own lock"),
        "folio_wait_bit_common",
        N_("It puts the task to sleep. Nobody is told: a page lock has no owner."),
        N_("%(task)s has locked page frame %(pfn)s itself and now sleeps until somebody else unlocks it."),
    ),
    # -- caches ----------------------------------------------------------------------------------------------
    "destroy_with_objects": Mistake(
        N_("a cache destroyed with objects in it"),
        "kmem_cache_destroy",
        N_("It lists the objects, warns, and keeps the cache for good."),
        N_("%(cache)s still has objects in use: %(objects)s. All must be freed before the cache."),
    ),
    "destroy_boot_cache": Mistake(
        N_("a cache of the kernel’s own destroyed"),
        "kmem_cache_destroy",
        N_("It warns that objects are left, and keeps the cache for good."),
        N_("%(cache)s was made at boot: the kernel itself has objects in it, whatever was freed since."),
    ),
    "duplicate_cache": Mistake(
        N_("a name that is taken"),
        "create_cache",
        N_("It reports that, and answers NULL."),
        N_("There is a cache named %(cache)s already; each has a directory of its name in /sys/kernel/slab."),
    ),
    "cache_refused": Mistake(
        N_("a cache that cannot be"),
        "kmem_cache_create",
        N_("The debugging kernel’s integrity check answers NULL."),
        N_(
            "%(cache)s: objects of %(size)s bytes, called from %(context)s. At most %(most)s bytes, and"
            " never from an interrupt."
        ),
    ),
    "no_cache": Mistake(
        N_("no such cache"),
        "show_fault_oops",
        FAULTS,
        N_(
            "No cache is named %(cache)s (any more): to the caller it is NULL, and the field at offset "
            "%(offset)s is read."
        ),
    ),
    "null_page": Mistake(
        N_("the NULL page"),
        "show_fault_oops",
        FAULTS,
        N_(
            "%(function)s was given NULL, and reads the field of struct page at offset %(offset)s. An "
            "allocation’s NULL has to be looked for."
        ),
    ),
    # -- flags -----------------------------------------------------------------------------------------------
    "zone_bits": Mistake(
        N_("zones that exclude each other"),
        "gfp_zone",
        N_("The debugging kernel stops the task with a BUG; Debian’s takes from ZONE_DMA."),
        N_("%(mask)s: the zone bits %(bits)s name no zone together: (GFP_ZONE_BAD >> %(bits)s) & 1."),
    ),
    "movable_reclaimable": Mistake(
        N_("two free lists at once"),
        "gfp_migratetype",
        N_(
            "The debugging kernel warns; the list that it uses then is another order’s. Here it is the "
            "unmovable one."
        ),
        N_(
            "__GFP_MOVABLE|__GFP_RECLAIMABLE together name no free list: a page is movable, reclaimable"
            " or neither."
        ),
    ),
    "slab_gfp": Mistake(
        N_("flags that a slab cannot honour"),
        "kmalloc_fix_flags",
        N_("It takes them out, prints “Fix your code!”, and goes on."),
        N_(
            "%(dropped)s was taken out: slab memory needs a kernel address, and its zone is the "
            "cache’s. %(left)s is left."
        ),
    ),
    "highmem_dropped": Mistake(
        N_("a flag that is dropped"),
        "__get_free_pages",
        N_("It drops the flag without a word."),
        N_(
            "__get_free_pages returns an address, which HIGHMEM does not have: __GFP_HIGHMEM of "
            "%(mask)s was dropped."
        ),
        NOTE,
    ),
    "exact_flags": Mistake(
        N_("flags that are dropped"),
        "alloc_pages_exact",
        N_("It warns the first time, and drops them."),
        N_("%(dropped)s was dropped: a compound page cannot be cut, and HIGHMEM has no address."),
    ),
    # -- sizes -----------------------------------------------------------------------------------------------
    "order_too_large": Mistake(
        N_("more than one block can be"),
        "__alloc_pages",
        N_("It warns the first time, and answers NULL at once."),
        N_(
            "Order %(order)s is more than %(most)s, the largest that the free lists have. vmalloc needs"
            " no single block."
        ),
        told=True,
    ),
    "vmalloc_too_large": Mistake(
        N_("more than all memory"),
        "__vmalloc_node_range",
        REFUSES,
        N_("%(size)s bytes are %(pages)s pages; all zones together have %(total)s."),
        told=True,
    ),
    "vmalloc_nothing": Mistake(
        N_("no bytes at all"), "__vmalloc_node_range", REFUSES, N_("An area of 0 bytes is no area.")
    ),
    "kvmalloc_too_large": Mistake(
        N_("more than kvmalloc gives"),
        "kvmalloc_node",
        N_("It warns the first time, and answers NULL."),
        N_("%(size)s bytes are more than INT_MAX, %(most)s: such a size is taken for a mistake."),
    ),
    "array_overflow": Mistake(
        N_("a product that overflows"),
        "kmalloc_array",
        REFUSES,
        N_(
            "%(n)s × %(size)s bytes are more than size_t holds, %(most)s: the product would have "
            "wrapped around."
        ),
        told=True,
    ),
    # -- others ----------------------------------------------------------------------------------------------
    "kunmap_unmapped": Mistake(
        N_("kunmap without kmap"), "kunmap_high", STOPS, N_("Page frame %(pfn)s has no slot of kmap in use.")
    ),
    "split_compound": Mistake(
        N_("a compound page cannot be split"),
        "split_page",
        N_("The debugging kernel stops the task with a BUG; Debian’s sets counts that nobody reads."),
        N_("Page frame %(pfn)s is part of a compound page: its frames belong together."),
    ),
    "split_free": Mistake(
        N_("a free page cannot be split"),
        "split_page",
        N_("The debugging kernel stops the task with a BUG; Debian’s sets counts on free pages."),
        N_("Nobody holds page frame %(pfn)s: its count is 0."),
    ),
    "left_behind": Mistake(
        N_("memory of a task that is gone"),
        "do_exit",
        N_(
            "It gives back the address space. Pages, objects and page locks say not whose they are, and stay."
        ),
        N_(
            "%(task)s is gone. What it allocated for the kernel belongs to nobody now and stays, that is the "
            "leak: page frames %(frames)s, objects %(objects)s, page locks %(locks)s."
        ),
        rank=LOST,
    ),
    "no_mm": Mistake(
        N_("a task without an address space"),
        "do_user_addr_fault",
        N_("Nothing is done: the answer is -EFAULT."),
        N_(
            "%(task)s is a kernel thread and has no addresses of its own, so %(call)s has nothing to work "
            "on: execve gives it an address space, and fork gives a child a copy of it."
        ),
    ),
}


def cause_of(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Why a call had this outcome, of the mistakes that were found: the first of the worst kind.

    lost: how many frames have no owner any more since the call.
    """
    name = max(found, key=lambda one: MISTAKES[one].rank)
    row, facts = MISTAKES[name], found[name]
    cause: dict[str, Any] = {
        "mistake": name,
        "title": row.title,
        "fn": row.fn,
        "text": sentence(name, facts),
        "kernel": row.does,
        "facts": dict(facts),
    }
    if SOME in found:
        cause["lost"] = found[SOME]["frames"]
    return cause


def sentence(name: str, facts: Mapping[str, Any]) -> str:
    """One sentence with the facts, in English."""
    return MISTAKES[name].say % {key: shown(key, value) for key, value in facts.items()}


def shown(key: str, value: Any) -> str:
    """A fact in a sentence."""
    if type(value) is int:
        return f"{value:#x}" if key in FRAMES else f"{value:,}"
    return str(value)
