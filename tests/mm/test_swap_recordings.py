"""Known answers: which slots pages got on a real Linux 6.1, and what was read with them when they came back.

`swap/` has what two recordings of page reclaim say of swap: the pages that were written, those that were
dropped, touches with what they read, and the whole map of slots now and then. Which pages go is taken from
the recording; all else is found.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from app.machine import boot, invariants
from app.machine.parts import vm_swap
from app.mm import exec as programs
from app.mm import fault, mmap, pgalloc, sched, swap, swap_map, swapops
from app.mm.pgtable_types import DIRTY, PRESENT, RW, pte_pfn
from tests.support import swapping

RECORDINGS = sorted((Path(__file__).parent / "swap").glob("*.jsonl.gz"))
PAGE = 4096
COUNTED = ("pswpin", "pswpout", "swap_ra", "swap_ra_hit")
BOUNDS = ("lowest_bit", "highest_bit", "cluster_next", "cluster_nr")


class Replay:
    """The pages of one process, of which the recording says which go. frames: recorded frame → ours."""

    def __init__(self) -> None:
        self.m = boot.boot({"profile": "x86_64-1g", "process_caches": False, "reclaim": True})
        sched.new_task(self.m, "a")
        self.m.current.task = "a"
        assert programs.execve(self.m, "/bin/hello") == (0, None)
        self.mm = sched.current_mm(self.m)
        self.frames: dict[int, int] = {}
        self.base = self.spare = 0

    def begin(self, pages: int) -> None:
        """Swap and memory; of others than the process whatever page is written first."""
        assert swapping.add_swap(self.m, pages, "/dev/odisk") == 0
        self.base = swapping.memory(self.m, 900)
        self.spare = swapping.memory(self.m, 100)

    def op(self, line: dict[str, Any]) -> None:
        """One operation, and what it had to read or write."""
        before = dict(self.m.vm.stat)
        a = [int(value) for value in line["a"] if value.isdigit()]
        if line["op"] == "touch" and a[0] == 0:
            self.touch(line, [a[1]], write=bool(a[2]))
        elif line["op"] == "touchr" and a[0] == 0:
            self.touch(line, [a[1] + at * a[3] for at in range(a[2])], write=bool(a[4]))
        elif line["op"] == "munmap" and a[0] == 0:
            assert mmap.do_munmap(self.m, self.mm, self.base + a[1] * PAGE, a[2] * PAGE) == 0
        else:
            self.reclaim(line)
        stat = self.m.vm.stat
        counted = {name: stat[name] - before.get(name, 0) for name in COUNTED}
        assert counted == dict.fromkeys(COUNTED, 0) | line["vs"], line["i"]

    def touch(self, line: dict[str, Any], pages: list[int], *, write: bool) -> None:
        """Accesses by the process. What each one reads gets frames in the order of slots."""
        state = swap_map.swap_of(self.m)
        new: list[int] = []
        for page in pages:
            address = self.base + page * PAGE
            entry = pgalloc.pte_of(self.mm, address)
            cached = dict(state.entries)
            assert fault.user_access(self.m, address, write=write) is None
            pfn = swapping.frame(self.mm, address)
            if not entry:
                new.append(pfn)
            elif not entry & PRESENT:
                read = {slot: one for one, slot in state.entries.items() if one not in cached}
                if pfn not in cached:
                    read[swapops.pte_to_swp_entry(entry)] = pfn
                new += [read[slot] for slot in sorted(read)]
        recorded = [event[1] for event in line["ev"] if event[0] == "A"]
        assert len(new) == len(recorded), line["i"]
        self.frames |= dict(zip(recorded, new, strict=True))

    def reclaim(self, line: dict[str, Any]) -> None:
        """Pages that were written, or dropped without a write."""
        swap.lru_add_drain(self.m)
        for what, pfn in line["ev"]:
            if what == "wr" and pfn not in self.frames:
                assert fault.user_access(self.m, self.spare, write=True) is None
                self.frames[pfn] = swapping.frame(self.mm, self.spare)
                self.spare += PAGE
                swap.lru_add_drain(self.m)
            if pfn in self.frames:
                assert swapping.put_out(self.m, self.frames.pop(pfn)), (line["i"], what, pfn)

    def swap(self, line: dict[str, Any]) -> None:
        """The map of slots, where the search goes on, and the CPU's stock."""
        si = swap_map.swap_of(self.m).area(0)
        stock = swap_map.swap_of(self.m).cpu_slots[0]
        assert [*vm_swap.runs(si.swap_map)] == line["map"], line["tag"]
        assert si.inuse_pages == line["inuse"]
        assert [getattr(si, name) for name in BOUNDS] == [line[name] for name in BOUNDS], line["tag"]
        cache = line["cache"]
        assert (stock.cur, stock.slots, stock.slots_ret) == (cache["cur"], cache["slots"], cache["ret"])

    def pte(self, line: dict[str, Any]) -> None:
        """Slots and frames that entries name."""
        for at, said in enumerate(line["pages"]):
            entry = pgalloc.pte_of(self.mm, self.base + (line["start"] + at) * PAGE)
            if said and said[0] == "swap":
                assert swapops.is_swap_pte(entry), at
                assert swapops.pte_to_swp_entry(entry) == said[2]
                assert bool(entry & swapops.SWP_EXCLUSIVE) == bool(said[3])
            elif said:
                bits = "".join(name for name, bit in (("d", DIRTY), ("w", RW)) if entry & bit)
                assert self.frames[said[0]] == pte_pfn(entry), at
                assert bits == said[1].replace("y", "")


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name.split(".")[0])
def test_pages_get_the_slots_that_the_kernel_gave_them(path: Path) -> None:
    replay = Replay()
    compared = 0
    with gzip.open(path, "rt") as lines:
        for text in lines:
            line = json.loads(text)
            if line["t"] == "swap" and not replay.base:
                replay.begin(line["max"])
            if line["t"] == "op":
                replay.op(line)
            elif line["t"] == "swap":
                replay.swap(line)
                compared += 1
            else:
                replay.pte(line)
    assert compared == 20
    assert not invariants.verify(replay.m)
    assert boot.restore(replay.m.state()).state() == replay.m.state()
