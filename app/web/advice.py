"""Which GFP flag to use when: the lecture's table, with what later kernels added."""

from __future__ import annotations

from typing import Final

from app.web.contexts.base import Link
from app.web.contexts.gfp import Advice, AdviceRow
from app.web.language import N_, _

COLUMNS: Final = (
    N_("any memory"),
    N_("below 16 MiB, for an old device"),
    N_("below 4 GiB, for a 32-bit device"),
)
ZONES: Final = ("", "GFP_DMA", "GFP_DMA32")

# Where the caller is, and what it may therefore say.
PLACES: Final = (
    (
        N_("a process that may sleep"),
        "GFP_KERNEL",
        N_("It may wait for reclaim and I/O: up to order 3, and from NORMAL, the request hardly ever fails."),
    ),
    (
        N_("a process that may not: spinlock held, preemption off"),
        "GFP_ATOMIC",
        N_("It takes from the reserves instead of waiting. Better: allocate before taking the lock."),
    ),
    (N_("a softirq"), "GFP_ATOMIC", N_("No process is running that could be put to sleep.")),
    (N_("a tasklet"), "GFP_ATOMIC", N_("A tasklet is a softirq.")),
    (N_("an interrupt handler"), "GFP_ATOMIC", N_("It cannot sleep, and it must check for NULL.")),
)

# What is special about the request, wherever it is made from a process.
PURPOSES: Final = (
    (
        N_("in a block driver, or under its locks"),
        "GFP_NOIO",
        N_("Reclaim that started I/O could wait for itself."),
    ),
    (
        N_("in a file system, or under its locks"),
        "GFP_NOFS",
        N_("Reclaim could call into the same file system again."),
    ),
    (
        N_("a page for user space"),
        "GFP_HIGHUSER_MOVABLE",
        N_("It needs no kernel address, and it can be moved for a large block."),
    ),
    (
        N_("a large block that vmalloc could replace"),
        "GFP_KERNEL|__GFP_NORETRY|__GFP_NOWARN",
        N_("One light try, then quietly NULL: as kvmalloc asks."),
    ),
    (
        N_("only if it costs nothing"),
        "GFP_NOWAIT|__GFP_NOWARN",
        N_("No waiting and no reserves: for caches of which none is needed."),
    ),
    (
        N_("it must not fail"),
        "GFP_KERNEL|__GFP_NOFAIL",
        N_("It waits for ever instead; above order 1 the kernel warns."),
    ),
)


def advice() -> Advice:
    """Both tables, each mask a link that takes it apart."""
    return Advice(
        columns=[_(column) for column in COLUMNS],
        places=[
            AdviceRow(_(where), [mask(f"{zone}|{flags}" if zone else flags) for zone in ZONES], _(why))
            for where, flags, why in PLACES
        ],
        purposes=[AdviceRow(_(what), [mask(flags)], _(why)) for what, flags, why in PURPOSES],
    )


def mask(text: str) -> Link:
    """A mask, to be taken apart on the same page."""
    return Link(text, f"/gfp?mask={text.replace('|', '%7C')}")
