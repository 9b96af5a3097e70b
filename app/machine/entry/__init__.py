"""The calls: each is declared beside the function that takes it from checked arguments to the kernel.

A module for each area collects its calls in `calls`; `CALLS` has them all by name, in the order in which they
are listed. Routes, OpenAPI, forms, text form, pages, bounds and roles follow from the declarations. A new
call is one of them, with its function, and this is all of one:

    @calls.other(                                 # or calls.allocation, calls.release
        "split_page",
        (PAGE, ORDER),                            # `arguments` has what several calls take
        "void split_page(struct page *page, unsigned int order)",
        "mm/page_alloc.c split_page",
        "Give each page frame of a block a count of its own, so that it is freed by itself.",
        returns=Returns.NOTHING,
        cost=Cost(frames_of_order, each=frames_of_order, blocks=block_a_split_frame),
    )
    def split_page(m: Machine, call: Call, outcome: Outcome) -> None:
        ...

An `allocation` returns a page frame or an address, None for NULL, and takes `repeat` and `until`. A `release`
is given one, and takes lists. Any `other` fills the outcome itself. cost: how much it may ask for (`Cost`);
`costs` has what several calls cost. A new module also stands in the list below, and a new group has its
heading in `app/web/callform.py`.
"""

from typing import Final

from app.machine.entry import (
    access,
    addresses,
    files,
    flags,
    highmem,
    locks,
    mappings,
    modules,
    pages,
    processes,
    reclaim,
    references,
    slab,
    swap,
    system,
    vmalloc,
)
from app.machine.vocabulary import CallSpec

CALLS: Final[dict[str, CallSpec]] = {
    spec.name: spec
    for module in (
        pages,
        addresses,
        references,
        flags,
        locks,
        highmem,
        slab,
        vmalloc,
        modules,
        processes,
        mappings,
        access,
        files,
        reclaim,
        swap,
        system,
    )
    for spec in module.calls.declared
}

__all__ = ["CALLS"]
