"""Who goes next: what is said of pages at the tail of a list is what reclaim then does to them."""

import copy
from collections import Counter, deque
from typing import Any

import pytest

from app.machine import boot, parsing, who_goes_next
from app.machine.fates import FATES
from app.machine.machine import Machine
from app.mm import mem_map, shrink_folio
from app.mm.kernel import Kernel
from app.mm.scan_control import ReclaimStat, ScanControl
from app.mm.shrink_folio import Fate

SMALL: dict[str, Any] = {"profile": "x86_64-1g", "memory": "96M", "reclaim": True, "swap": 4096}
MADV_COLD = 20
RW, PRIVATE = "PROT_READ|PROT_WRITE", "MAP_PRIVATE|MAP_ANONYMOUS"


class Run:
    """A machine, its calls, and what reclaim decided on each page first in the last call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **machine: Any) -> None:
        self.m = boot.boot({**SMALL, **machine})
        self.seq = 0
        self.decided: dict[int, Fate] = {}
        original = shrink_folio.page_fate

        def noted(
            m: Kernel, nid: int, sc: ScanControl, stat: ReclaimStat, head: int, work: deque[int]
        ) -> Fate:
            whole = mem_map.compound_order(m, head)
            fate = original(m, nid, sc, stat, head, work)
            split = whole and not mem_map.compound_order(m, head)
            self.decided.setdefault(head, Fate("split", "split") if split else fate)
            return fate

        monkeypatch.setattr(shrink_folio, "page_fate", noted)
        self.call("execve", task="a", path="/bin/hello")

    def call(self, name: str, **args: Any) -> Any:
        self.seq += 1
        self.decided.clear()
        return self.m.apply(parsing.parse(name, {"task": "a", **args}, self.m.model), self.seq).ret

    def memory(self, pages: int, **more: Any) -> int:
        return int(str(self.call("mmap", length=pages << 12, prot=RW, flags=PRIVATE, **more)), 16)

    def reclaim(self) -> Counter[str]:
        """Reclaim once, and compare with what was said before; how often each fate was met."""
        said = {head: fate for lru in (0, 2) for head, fate in who_goes_next.tail(self.m, 0, lru, 400)}
        self.call("try_to_free_pages", gfp="GFP_HIGHUSER_MOVABLE")
        met: Counter[str] = Counter()
        for head, fate in said.items():
            if head in self.decided and fate.what not in ("moves", "unknown"):
                assert fate == self.decided[head], hex(head)
                met[fate.why] += 1
        return met


def varied(run: Run) -> None:
    """Pages of every kind, at the old end of the lists."""
    m = run.m
    once = run.call("open", path="/data/a", flags="O_RDWR")
    run.call("read", fd=once, count=40 << 12)
    run.call("write", fd=once, count=5 << 12, offset=1 << 20)
    shared = int(
        str(run.call("mmap", length=8 << 12, prot=RW, flags="MAP_SHARED", fd=once, offset=2 << 20)), 16
    )
    run.call("read", fd=once, count=2 << 12, offset=2 << 20)
    run.call("load", addr=shared, count=4)
    run.call("store", addr=shared + (4 << 12), count=4)
    old = run.memory(40)
    run.call("store", addr=old, count=40)
    run.call("madvise", addr=old, length=20 << 12, advice=MADV_COLD)
    run.call("madvise", addr=old + (20 << 12), length=10 << 12, advice="MADV_FREE")
    run.call("store", addr=old + (25 << 12), count=3)
    run.call("madvise", addr=old + (25 << 12), length=3 << 12, advice=MADV_COLD)
    run.call("fork", child="b")
    run.call("load", addr=old + (32 << 12), count=6, task="b")
    run.call("mlock", addr=old + (38 << 12), length=1 << 12)
    library = run.call("open", path="/lib/libc.so.6", flags="O_RDONLY")
    code = run.call("mmap", length=8 << 12, prot="PROT_READ|PROT_EXEC", flags="MAP_PRIVATE", fd=library)
    run.call("load", addr=int(str(code), 16), count=2)
    tmp = run.call("open", path="/tmp/x", flags="O_RDWR|O_CREAT")
    run.call("write", fd=tmp, count=12 << 12)
    frames = list(m.vm.inodes["/data/a"].i_pages.values())
    run.call("lock_page", page=hex(m.model.pfn_to_page(frames[3])), task="k")
    run.call("get_page", page=hex(m.model.pfn_to_page(frames[5])), task="k")


def test_what_is_said_of_each_page_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)
    varied(run)
    met: Counter[str] = Counter()
    for _ in range(40):
        met += run.reclaim()
    assert {
        "clean", "written", "young", "young again", "young in several", "executed", "locked", "held",
        "dirty file", "MADV_FREE", "written after MADV_FREE",
    } <= set(met), met  # fmt: skip
    assert set(met) <= {*FATES, "split"}


def test_without_a_slot_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, swap=20)
    start = run.memory(200)
    run.call("store", addr=start, count=200)
    run.call("madvise", addr=start, length=200 << 12, advice=MADV_COLD)
    met: Counter[str] = Counter()
    for _ in range(8):
        met += run.reclaim()
    assert met["no slot"]
    assert met["written"]
    assert who_goes_next.scans(run.m, 0)["lists"]["inactive_anon"] is None


def test_a_huge_page_is_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, transparent_hugepage="always")
    start = run.memory(1024)
    run.call("store", addr=start, count=1024)
    run.call("madvise", addr=start, length=1024 << 12, advice=MADV_COLD)
    met: Counter[str] = Counter()
    for _ in range(6):
        met += run.reclaim()
    assert met["split"]


def test_looking_ahead_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)
    varied(run)
    before = copy.deepcopy(run.m.dump())
    doc = who_goes_next.next_pages(run.m, 0, 20)
    assert run.m.dump() == before
    # The oldest page of files, and who has it.
    first, *_ = doc["next"]["inactive_file"]
    assert first["pfn"] == run.m.vm.lruvecs[0].lists[2].tail
    assert {"file", "index"} <= set(first["owner"])
    assert doc["lists"]["inactive_file"]["priority"] < 12
    assert doc["balance"] in ("file", "fractions", "equal", "anon")


def test_pages_that_too_many_areas_may_map_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)
    code: Machine = run.m
    monkeypatch.setattr(who_goes_next, "AREAS", 0)
    (head, *_) = [
        head for head in code.vm.inodes["/bin/hello"].i_pages.values() if mem_map.is_mapped(code, head)
    ]
    assert who_goes_next.fate_of(code, head, 1).what == "unknown"
    assert who_goes_next.accessed(code, head) is None
