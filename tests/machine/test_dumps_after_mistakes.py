"""A machine goes on after any mistake, on pages of processes too, and what it is then can be loaded."""

import json
import random
from typing import Any

import pytest

from app.errors import BadArgument, MachinePanicked, NoRoom, TaskAlive, TaskBlocked
from app.machine import boot, invariants, parsing
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.mm import mem_map, page_ref

MACHINES: tuple[dict[str, Any], ...] = (
    {"profile": "tiny-16m"},
    {"profile": "tiny-16m", "debug": False},
    {"profile": "x86_64-1g", "transparent_hugepage": "always", "hugepages": 4, "debug": False},
    {"profile": "i386-1g"},
)
ON_PAGES = (
    *("__free_pages",) * 4, "put_page", "put_page", "get_page", "lock_page", "unlock_page", "SetPageDirty",
    "SetPageReserved", "ClearPageReserved", "split_page", "trylock_page", "get_page_unless_zero",
)  # fmt: skip
ON_ADDRESSES = ("kfree", "free_pages", "free_pages_exact", "vfree")
DIRECT_MAP = {"x86_64": 0xFFFF888000000000, "i386": 0xC0000000}


class Blunders:
    """Three processes, and somebody who works on frames that are not his."""

    def __init__(self, machine: dict[str, Any], seed: int) -> None:
        self.random = random.Random(seed)
        self.m = boot.boot({**machine, "process_caches": False})
        self.seq = 0
        self.call("execve", task="a")

    def call(self, name: str, /, **args: Any) -> Outcome | None:
        try:
            made = self.m.apply(parsing.parse(name, args, self.m.model), self.seq + 1)
        except (BadArgument, MachinePanicked, NoRoom, TaskAlive, TaskBlocked):
            return None
        self.seq += 1
        return made

    def somewhere(self, task: str) -> int:
        mm = self.m.tasks[task].mm if task in self.m.tasks else None
        if mm is None or not mm.mmap:
            return 0x1000
        vma = self.random.choice(mm.mmap)
        return vma.vm_start + (self.random.randrange(vma.pages) << 12)

    def frame(self) -> int:
        """A page table, a page of a process or a file, one of the kernel's image, a block in use, or any."""
        m, pick = self.m, self.random
        tables = [t for mm in m.vm.mms.values() for level in mm.tables for t in level.values()]
        choices = (
            [one.pfn for table in tables for one in (table, *table.deposited)],
            *([pfn for pfn, _ in page_ref.user_frames(m)],) * 2,
            [*page_ref.image_frames(m), *m.vm.pool_pages],
            list(m.pages),
            [pick.randrange(m.model.spans[-1][1])],
        )
        pfn = pick.choice(pick.choice([frames for frames in choices if frames]))
        return pfn if m.model.pfn_valid(pfn) else m.model.spans[0][0]

    def blunder(self) -> None:
        pick, pfn = self.random, self.frame()
        task = pick.choice(("k", "a"))
        if pick.randrange(4):
            name = pick.choice(ON_PAGES)
            order = {"order": pick.choice((0, 0, 0, 1, 3, 9))}
            self.call(name, task=task, pfn=pfn, **(order if name in ("__free_pages", "split_page") else {}))
        else:
            name = pick.choice(ON_ADDRESSES)
            more = {"free_pages": {"order": 0}, "free_pages_exact": {"size": 5000}}.get(name, {})
            self.call(name, task=task, addr=DIRECT_MAP[self.m.model.arch] + (pfn << 12), **more)

    def step(self) -> None:
        pick = self.random
        task = pick.choice("abc")
        addr = {"task": task, "addr": self.somewhere(task)}
        length = {"length": pick.choice((1, 2, 30, 600)) << 12}
        match pick.randrange(12):
            case 0 | 1:
                self.call(pick.choice(("load", "store")), **addr, count=pick.choice((1, 3, 40)))
            case 2:
                flags = pick.choice((0x22, 0x21, 0x8022, 0x40022))
                self.call("mmap", task=task, **length, prot=3, flags=flags)
            case 3:
                self.call("open", task=task, path=pick.choice(("/data/a", "/tmp/x")), flags="O_RDWR|O_CREAT")
                self.call("write", task=task, fd=3, count=9000)
                self.call("mmap", task=task, length=65536, prot=3, flags=pick.choice((1, 2)), fd=3)
            case 4:
                self.call(pick.choice(("munmap", "mlock", "munlock")), **addr, **length)
            case 5:
                self.call("madvise", **addr, **length, advice=pick.choice(("MADV_DONTNEED", "MADV_FREE")))
            case 6:
                self.call("fork", task=task, child=pick.choice("abc"))
            case 7:
                self.call(pick.choice(("exit", "execve")), task=task)
            case 8:
                self.call("alloc_pages", task=task, gfp="GFP_KERNEL", order=pick.choice((0, 0, 1, 3)))
            case _:
                self.blunder()


def loads(m: Machine) -> None:
    document = json.loads(json.dumps(m.dump()))
    assert boot.load(document).dump() == document
    assert boot.restore(json.loads(json.dumps(m.state()))).dump() == document


@pytest.mark.parametrize("machine", MACHINES, ids=("debug", "tiny", "thp", "i386"))
@pytest.mark.parametrize("seed", range(4))
def test_any_dump_loads(machine: dict[str, Any], seed: int) -> None:
    blunders = Blunders(machine, seed)
    for _ in range(4):
        for _ in range(25):
            blunders.step()
        loads(blunders.m)


def process(**machine: Any) -> tuple[Blunders, int, int]:
    """A process with one page of its own: its address and frame."""
    one = Blunders({"profile": "x86_64-1g", "debug": False, **machine}, 0)
    made = one.call("mmap", task="a", length=4096, prot=3, flags=0x22)
    assert made is not None
    address = int(str(made.ret), 16)
    made = one.call("store", task="a", addr=address)
    assert made is not None
    assert made.process is not None
    return one, address, made.process["access"][0]["pfn"]


def test_a_page_table_stays_with_its_process_when_somebody_frees_it() -> None:
    one, address, _ = process()
    mm = one.m.tasks["a"].mm
    assert mm is not None
    table = mm.tables[1][address >> 21].pfn
    made = one.call("__free_pages", task="k", pfn=table, order=0)
    assert made is not None
    assert made.verdict == "warn"
    assert "in use by others" in made.log[-1]
    assert invariants.verify(one.m) == [f"frame {table:#x} is used as a page table, and has been freed"]
    loads(one.m)
    one.call("exit", task="a")
    assert invariants.verify(one.m) == []


def test_a_page_that_is_freed_while_it_is_mapped_is_bad_and_then_lost() -> None:
    one, address, pfn = process()
    one.call("put_page", task="k", pfn=pfn)
    assert invariants.verify(one.m) == [f"frame {pfn:#x} has 1 references and more who know it"]
    made = one.call("sysctl", name="drop_caches", value=1)
    assert made is not None
    assert made.verdict == "bug"
    assert any(f" index:{address >> 12:#x} pfn:{pfn:#x}" in line for line in made.log)
    assert "page dumped because: nonzero mapcount" in "\n".join(made.log)
    assert mem_map.page_mapcount(one.m, pfn) == 1
    loads(one.m)
    one.call("munmap", task="a", addr=address, length=4096)
    assert page_ref.state_of(one.m, pfn) == "lost"
    assert one.m.lost == 1
    assert invariants.verify(one.m) == []


def test_a_page_in_a_batch_that_is_nobodys_any_more_is_left_out() -> None:
    one, address, pfn = process()
    one.call("put_page", task="k", pfn=pfn)
    one.call("madvise", task="a", addr=address, length=4096, advice="MADV_DONTNEED")
    one.call("sysctl", name="drop_caches", value=1)
    loads(one.m)
    assert not any(one.m.vm.batches.values())


def test_the_page_of_zeros_is_never_given_to_anybody() -> None:
    one, _, _ = process()
    zero = one.m.vm.zero_pfn
    one.call("ClearPageReserved", task="k", pfn=zero)
    made = one.call("put_page", task="k", pfn=zero)
    assert made is not None
    assert made.verdict == "bug"
    loads(one.m)


def test_lists_of_a_cpu_may_hold_more_than_the_marks_allow_today() -> None:
    one = Blunders({"profile": "tiny-16m"}, 0)
    made = one.call("alloc_pages", task="k", gfp="GFP_KERNEL", order=0, repeat=2000)
    one.call("sysctl", name="min_free_kbytes", value=12_000)
    assert made is not None
    one.call("__free_pages", task="k", page=made.as_json(one.m.model)["runs"], order=0)
    one.call("sysctl", name="min_free_kbytes", value=100)
    pcp = one.m.zones[0].pcp[0]
    assert pcp.count > one.m.zones[0].managed_pages // 8 + 10 * pcp.high
    loads(one.m)
