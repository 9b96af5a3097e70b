"""Breakages of constructors, of objects in bulk, of translated addresses and of page flags."""

from typing import Final

from tests.mutations.mutation import Mutation

LABS: Final = (
    Mutation(
        29,
        "mm/slub_layout.py",
        "not flags & SLAB_TYPESAFE_BY_RCU and s.ctor is None",
        "not flags & SLAB_TYPESAFE_BY_RCU",
        "a constructed object is not poisoned",
    ),
    Mutation(
        29,
        "mm/slub_layout.py",
        " or small or s.ctor is not None:",
        " or small:",
        "nor does the free pointer lie in it",
    ),
    Mutation(
        29,
        "mm/slub.py",
        "if s.ctor is not None and gfp & gfp_masks.__GFP_ZERO:",
        "if False:",
        "zeroes are no use to a cache with a constructor",
    ),
    Mutation(
        29,
        "mm/slub_bulk.py",
        "        kmem_cache_free_bulk(m, s, p)\n        return []",
        "        return p",
        "objects in bulk are all or none",
    ),
    Mutation(
        29,
        "mm/slub_bulk.py",
        "LOOKAHEAD: Final = 3",
        "LOOKAHEAD: Final = 2",
        "two objects of other slabs are passed over",
    ),
    Mutation(
        29,
        "mm/slub_bulk.py",
        "p[size], p[same] = p[same], p[size]",
        "pass",
        "and stay to be freed",
    ),
    Mutation(
        29,
        "mm/slub_bulk.py",
        "if address == found[-1]:",
        "if False:",
        "an object does not follow itself",
    ),
    Mutation(
        29,
        "mm/slub_debug.py",
        "slab.inuse < len(addresses)",
        "not slab.inuse",
        "no more objects are freed than a slab has in use",
    ),
    Mutation(
        29,
        "mm/slub_debug.py",
        "for address in reversed(addresses):",
        "for address in addresses[-1:]:",
        "each object of a list is looked at",
    ),
    Mutation(
        29,
        "mm/address.py",
        "if place < len(va.vm.pages):\n        return va.vm.pages[place]",
        "if True:\n        return va.vm.pages[min(place, len(va.vm.pages) - 1)]",
        "nothing is mapped at a guard page",
    ),
    Mutation(
        29,
        "mm/address.py",
        'if m.model.arch == "x86_64" and address >= START_KERNEL_MAP:',
        "if False:",
        "the kernel's own text is mapped a second time",
    ),
    Mutation(
        29,
        "mm/page_flags.py",
        '"SetPageDirty", page_ref.compound_head(m, pfn)',
        '"SetPageDirty", pfn',
        "a compound page is dirty as a whole",
    ),
    Mutation(
        29,
        "mm/page_free.py",
        'PG_reserved and (page is None or page.state == "lost")',
        "PG_reserved",
        "a kernel that does not check forgets PG_reserved",
    ),
)
