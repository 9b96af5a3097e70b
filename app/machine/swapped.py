"""What a call and the kernel threads that it woke did to swap: slots, and entries taken from processes.

Any call may make reclaim necessary, and reclaim takes pages from anybody. So this is noted for every call on
a machine that swaps, and told after all else.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from app.machine import observing, pte_text, swap_views, telling
from app.mm.pgalloc import pte_of

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.mm_types import MmStruct

Runs = list[list[Any]]


class Swapped:
    """pte: of processes of which the call does not tell itself. slots. None where there are too many runs."""

    __slots__ = ("pte", "slots")

    def __init__(self, pte: Runs | None, slots: Runs | None) -> None:
        self.pte = pte
        self.slots = slots

    @property
    def document(self) -> dict[str, Any]:
        """`pte` and `swap` of an outcome, as far as there are any."""
        doc: dict[str, Any] = {}
        if self.pte != []:
            doc["pte"] = telling.entries(self.pte)
        if self.slots != []:
            doc["swap"] = self.slots
        return doc


def watch(m: Machine) -> None:
    """Have the kernel note it, until it is told."""
    m.vm.unmapped, m.vm.slots = [], []


def told(m: Machine, pte: Runs | None) -> Swapped | None:
    """What was noted, behind what the call itself tells of entries; None where there is nothing."""
    vm = m.vm
    unmapped, vm.unmapped = vm.unmapped, None
    slots, vm.slots = vm.slots, None
    if not unmapped and not slots:
        return None
    if unmapped and pte is not None:
        pte = with_unmapped(m, pte, unmapped)
    return Swapped(pte, swap_views.changed(m, slots or []))


def with_unmapped(m: Machine, runs: Runs, unmapped: list[tuple[MmStruct, int]]) -> Runs | None:
    """The runs, and behind them what became of entries that reclaim took away."""
    names = {task.mm.id: task.name for task in m.tasks.values() if task.mm is not None}
    known = sorted(runs, key=place)
    found = list(runs)
    run: list[Any] = ["", 0, 0, 0]
    known.insert(0, run)
    for number, address in sorted({(mm.id, address) for mm, address in unmapped}):
        mm = m.vm.mms.get(number)
        if mm is None or number not in names:
            continue
        task, bits = names[number], pte_text.shown(pte_of(mm, address))
        if covers(known[bisect_right(known, (task, address), key=place) - 1], task, address, bits):
            continue
        if run[0] == task and run[3] == bits and run[1] + (run[2] << 12) == address:
            run[2] += 1
        else:
            run = [task, address, 1, bits]
            found.append(run)
    return found if len(found) <= observing.MAX_RUNS else None


def place(run: list[Any]) -> tuple[str, int]:
    """Where a run stands in the order of tasks and addresses."""
    return run[0], run[1]


def covers(run: list[Any], task: str, address: int, bits: int) -> bool:
    """Whether a run says that of an address."""
    name, start, pages, said = run
    return bool(name == task and start <= address < start + (pages << 12) and said == bits)
