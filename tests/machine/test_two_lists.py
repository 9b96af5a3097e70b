"""The two lists of a comparison against the kernel's own functions, with lots of one page."""

import random

import pytest

from app.machine import boot, parsing
from app.machine.machine import Machine
from app.machine.replacement import ReferenceString, run
from app.mm import gfp as gfp_masks
from app.mm import lru_isolate, page_alloc, swap, swap_readahead, vmscan
from app.mm.lruvec import LRU_UNEVICTABLE, NONE
from app.mm.pgalloc import pte_of
from app.mm.scan_control import ScanControl
from tests.support.swapping import add_swap

PAGES = 12
AREA = 0x10000000


class Kernel:
    """A process on a machine, of which only the pages of one area stand on the lists, at most so many."""

    def __init__(self, frames: int) -> None:
        self.m = boot.boot({"profile": "x86_64-1g", "memory": "96M", "reclaim": True})
        self.seq = 0
        self.frames = frames
        self.call("execve", task="a", path="/bin/hello")
        flags = "MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED"
        prot = "PROT_READ|PROT_WRITE"
        self.call("mmap", task="a", addr=hex(AREA), length=PAGES << 12, prot=prot, flags=flags)
        self.call("store", task="a", addr=hex(AREA))
        self.call("madvise", task="a", addr=hex(AREA), length=PAGES << 12, advice="MADV_DONTNEED")
        assert not add_swap(self.m, 1024, rotating=False)
        self.set_others_aside(self.m)

    def call(self, name: str, **args: object) -> None:
        self.seq += 1
        self.m.apply(parsing.parse(name, dict(args), self.m.model), self.seq)

    def set_others_aside(self, m: Machine) -> None:
        """Take all pages off the lists, and have the counters be exact from now on."""
        swap.lru_add_drain(m)
        lruvec = m.vm.lruvecs[0]
        for which in range(LRU_UNEVICTABLE):
            while lruvec.lists[which].tail != NONE:
                assert lru_isolate.isolate_lru_page(m, lruvec.lists[which].tail)
        for counters, diffs in (
            (lruvec.folded, lruvec.diffs),
            *((zone.lru_folded, zone.lru_diffs) for zone in m.zones),
        ):
            for diff in diffs:
                for counter, value in enumerate(diff):
                    counters[counter] += value
                    diff[counter] = 0
        lruvec.stat_threshold = 0
        for zone in m.zones:
            zone.stat_threshold = 0

    def resident(self) -> set[int]:
        """The pages of the area that have a frame."""
        mm = self.m.tasks["a"].mm
        assert mm is not None
        return {page for page in range(PAGES) if pte_of(mm, AREA + (page << 12)) & 1}

    def reclaim(self) -> None:
        """What `do_try_to_free_pages` does at priority 0, until one page is free."""
        m = self.m
        ac = page_alloc.prepare_alloc_pages(m, gfp_masks.GFP_KERNEL, 0)
        force = False
        while True:
            sc = ScanControl(gfp_masks.GFP_KERNEL, 0, ac.highest_zoneidx, ac.zonelist)
            sc.priority, sc.nr_to_reclaim, sc.force_deactivate = 0, 1, force
            vmscan.shrink_node(m, 0, sc)
            vmscan.snapshot_refaults(m, 0)
            if sc.nr_reclaimed:
                return
            force = sc.skipped_deactivate

    def reference(self, page: int) -> tuple[bool, set[int]]:
        """Write to a page; whether it was in no frame, and which went."""
        before = self.resident()
        fault = page not in before
        if fault and len(before) == self.frames:
            self.reclaim()
        gone = before - self.resident()
        self.call("store", task="a", addr=hex(AREA + (page << 12)))
        swap.lru_add_drain(self.m)
        return fault, gone


@pytest.mark.parametrize("frames", [2, 3, 5, 8])
def test_the_two_lists_are_those_of_the_kernel(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vmscan, "SWAP_CLUSTER_MAX", 1)
    monkeypatch.setattr(swap_readahead, "MOST", 1)
    chance = random.Random(frames)
    string = [int(chance.paretovariate(0.6)) % PAGES for _ in range(300)]
    ours = run(ReferenceString((page, True) for page in string), "lru_2list", frames, 1, lambda: None)
    kernel = Kernel(frames)
    for at, page in enumerate(string):
        fault, gone = kernel.reference(page)
        assert ours.marks is not None
        assert ours.victims is not None
        victim = ours.victims[at]
        assert ("HF"[fault], gone) == (ours.marks[at], set() if victim is None else {victim}), at
