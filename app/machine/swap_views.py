"""Swap as it is read: areas, their slots as runs, the CPUs' stocks. Kernel: mm/swapfile.c, mm/swap_slots.c"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from app.machine.observing import MAX_RUNS, few
from app.mm import swap_map
from app.mm.swap_info import SWAP_HAS_CACHE, SWP_BLKDEV, SWP_SOLIDSTATE
from app.mm.swapops import swp_entry, swp_offset, swp_type

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.swap_info import Swap, SwapInfo

# What a slot is. In a CPU's stock; named by entries, its page in memory or not; not named any more, but kept
# by a page that was brought back and has not been changed since.
FREE: Final = "free"
STOCK: Final = "stock"
SWAPPED: Final = "swapped"
CACHED: Final = "cached"
KEPT: Final = "kept"

Run = list[Any]


def swaps(m: Machine) -> dict[str, Any]:
    """All areas, and what is between them and the CPUs."""
    swap = m.vm.swap
    areas = [] if swap is None else [si for si in swap.info if si is not None]
    return {
        "swaps": [area(m, swap, si) for si in areas if swap is not None],
        "total": m.vm.total_swap_pages,
        "free": m.vm.nr_swap_pages,
        "cached": 0 if swap is None else len(swap.cache),
        "stocks": stocks(m),
    }


def stocks(m: Machine) -> list[dict[str, Any]]:
    """What each CPU has in stock, and what it has been given back."""
    cpus = [] if m.vm.swap is None else m.vm.swap.cpu_slots
    return [
        {"cpu": cpu, "slots": in_a_row(stock.slots), "returned": in_a_row(stock.slots_ret)}
        for cpu, stock in enumerate(cpus)
    ]


def in_a_row(entries: list[int]) -> list[Run]:
    """`[slot, n]` of slots that follow each other; of other areas than the first with the area behind it."""
    found: list[Run] = []
    behind = -1
    for entry in entries:
        if entry == behind:
            found[-1][1] += 1
        else:
            number = swp_type(entry)
            found.append([swp_offset(entry), 1, *([number] if number else [])])
        behind = entry + 1
    return found


def area(m: Machine, swap: Swap, si: SwapInfo) -> dict[str, Any]:
    """One area. `slots`: None where there are too many runs."""
    return {**numbers(si), "slots": few(runs_of(m, swap, si))}


def numbers(si: SwapInfo) -> dict[str, Any]:
    """An area in numbers: sizes in pages, its header left out."""
    return {
        "area": si.type,
        "path": si.file.path,
        "type": "partition" if si.flags & SWP_BLKDEV else "file",
        "rotating": not si.flags & SWP_SOLIDSTATE,
        "pages": si.pages,
        "used": si.inuse_pages,
        "priority": si.prio,
        "lowest_bit": si.lowest_bit,
        "highest_bit": si.highest_bit,
        "cluster_next": si.cluster_next,
        "cluster_nr": si.cluster_nr,
    }


def runs_of(m: Machine, swap: Swap, si: SwapInfo) -> Iterator[Run]:
    """`[slot, n, state]` of all slots that are not free."""
    highest = si.swap_map.rstrip(b"\0")
    used = (at for at in range(1, len(highest)) if highest[at])
    return joined(m, swap, (swp_entry(si.type, at) for at in used))


def joined(m: Machine, swap: Swap, entries: Iterable[int]) -> Iterator[Run]:
    """Neighbouring slots in one state as one run; of other areas than the first each run says which."""
    stocked = {entry for stock in swap.cpu_slots for entry in (*stock.slots, *stock.slots_ret)}
    run: Run = []
    behind = -1
    for entry in entries:
        state = state_of(m, entry, stocked)
        if entry == behind and run[2] == state:
            run[1] += 1
        else:
            if run:
                yield run
            number = swp_type(entry)
            run = [swp_offset(entry), 1, state, *([number] if number else [])]
        behind = entry + 1
    if run:
        yield run


def state_of(m: Machine, entry: int, stocked: set[int]) -> str:
    """What a slot is. One of an area that is no more is free."""
    swap = swap_map.swap_of(m)
    si = swap.info[swp_type(entry)] if swp_type(entry) < len(swap.info) else None
    use = 0 if si is None else si.swap_map[swp_offset(entry)]
    if not use:
        return FREE
    if entry in stocked:
        return STOCK
    if not use & SWAP_HAS_CACHE:
        return SWAPPED
    return CACHED if use & ~SWAP_HAS_CACHE else KEPT


def changed(m: Machine, entries: list[int]) -> list[Run] | None:
    """What became of slots that a call has touched; None where there are more runs than an outcome shows."""
    swap = m.vm.swap
    if swap is None or not entries:
        return []
    return few(joined(m, swap, sorted(set(entries))))


def cost(m: Machine) -> int:
    """About how much work it is to read them."""
    swap = m.vm.swap
    if swap is None:
        return 0
    used = sum(si.inuse_pages for si in swap.info if si is not None)
    return MAX_RUNS + used // 16
