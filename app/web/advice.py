"""Which flag to use when: the lecture's table, with what has come since."""

from __future__ import annotations

from typing import Final

from app.web.contexts import Advice, AdviceRow, Link

COLUMNS: Final = ("any memory", "below 16 MiB, for an old device", "below 4 GiB, for a 32-bit device")
ZONES: Final = ("", "GFP_DMA", "GFP_DMA32")

# Where the caller is, and what it may therefore say.
PLACES: Final = (
    (
        "a process that may sleep",
        "GFP_KERNEL",
        "It may wait for reclaim and I/O: the request hardly ever fails.",
    ),
    (
        "a process that may not: spinlock held, preemption off",
        "GFP_ATOMIC",
        "It takes from the reserves instead of waiting. Better: allocate before taking the lock.",
    ),
    ("a softirq", "GFP_ATOMIC", "No process is running that could be put to sleep."),
    ("a tasklet", "GFP_ATOMIC", "A tasklet is a softirq."),
    ("an interrupt handler", "GFP_ATOMIC", "It cannot sleep, and it must check for NULL."),
)

# What is special about the request, wherever it is made from a process.
PURPOSES: Final = (
    ("in a block driver, or under its locks", "GFP_NOIO", "Reclaim that started I/O could wait for itself."),
    (
        "in a file system, or under its locks",
        "GFP_NOFS",
        "Reclaim could call into the same file system again.",
    ),
    (
        "a page for user space",
        "GFP_HIGHUSER_MOVABLE",
        "It needs no kernel address, and it can be moved for a large block.",
    ),
    (
        "a large block that vmalloc could replace",
        "GFP_KERNEL|__GFP_NORETRY|__GFP_NOWARN",
        "One light try, then quietly NULL: as kvmalloc asks.",
    ),
    (
        "only if it costs nothing",
        "GFP_NOWAIT|__GFP_NOWARN",
        "No waiting and no reserves: for caches of which none is needed.",
    ),
    (
        "it must not fail",
        "GFP_KERNEL|__GFP_NOFAIL",
        "It waits for ever instead; above order 1 the kernel warns.",
    ),
)


def advice() -> Advice:
    """Both tables, each mask a link that takes it apart."""
    return Advice(
        columns=COLUMNS,
        places=[
            AdviceRow(where, [mask(f"{zone}|{flags}" if zone else flags) for zone in ZONES], why)
            for where, flags, why in PLACES
        ],
        purposes=[AdviceRow(what, [mask(flags)], why) for what, flags, why in PURPOSES],
    )


def mask(text: str) -> Link:
    """A mask, to be taken apart on the same page."""
    return Link(text, f"/gfp?mask={text.replace('|', '%7C')}")
