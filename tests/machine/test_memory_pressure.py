"""Four processes that want more memory than there is: pages go out and come back, and nothing is lost."""

import random
from typing import Any

import pytest

from app.errors import BadArgument, MachinePanicked, NoRoom, TaskAlive, TaskBlocked
from app.machine import boot, invariants, parsing
from app.mm.pgtable_types import PAGE_SIZE

NAMES = ("a", "b", "c", "d")
PATHS = ("/data/a", "/data/b", "/data/c", "/data/d", "/tmp/x")
ADVICE = ("MADV_DONTNEED", "MADV_FREE", "MADV_COLD", "MADV_PAGEOUT", "MADV_WILLNEED")


class Pressure:
    """Random system calls and accesses of four processes, each with a few large areas."""

    def __init__(self, seed: int, **machine: Any) -> None:
        self.m = boot.boot({"profile": "x86_64-1g", **machine})
        self.random = random.Random(seed)
        self.seq = 0
        self.areas: dict[str, list[tuple[int, int]]] = {}
        self.files: dict[str, list[int]] = {}

    def call(self, name: str, **args: Any) -> Any:
        """What a call returned; None where it is refused."""
        try:
            made = self.m.apply(parsing.parse(name, args, self.m.model), self.seq + 1)
        except (BadArgument, MachinePanicked, NoRoom, TaskAlive, TaskBlocked):
            return None
        self.seq += 1
        return made.ret

    def step(self) -> None:
        """One call of one process, which is begun if it is not alive."""
        pick = self.random
        task = pick.choice(NAMES)
        living = self.m.tasks.get(task)
        if living is None or living.mm is None:
            self.areas[task], self.files[task] = [], []
            self.call("execve", task=task, path="/bin/hello")
            return
        getattr(
            self, pick.choices(("touch", "look", "map", "file", "unmap", "advise"), (8, 6, 2, 5, 1, 3))[0]
        )(task)

    def somewhere(self, task: str, most: int) -> tuple[int, int] | None:
        """An address of a process, and up to so many pages from it on that are of one area."""
        if not self.areas[task]:
            return None
        base, pages = self.random.choice(self.areas[task])
        first = self.random.randrange(pages)
        return base + first * PAGE_SIZE, self.random.randint(1, min(most, pages - first))

    def touch(self, task: str) -> None:
        if place := self.somewhere(task, 800):
            self.call("store", task=task, addr=place[0], count=place[1], value=self.random.randrange(256))

    def look(self, task: str) -> None:
        if place := self.somewhere(task, 400):
            self.call("load", task=task, addr=place[0], count=place[1])

    def map(self, task: str) -> None:
        pages = self.random.randint(100, 4000)
        shared = self.random.random() < 0.3 and self.files[task]
        at = self.call(
            "mmap",
            task=task,
            length=pages * PAGE_SIZE,
            prot="PROT_READ|PROT_WRITE",
            flags="MAP_SHARED" if shared else "MAP_PRIVATE|MAP_ANONYMOUS",
            fd=self.random.choice(self.files[task]) if shared else -1,
        )
        if isinstance(at, str):
            self.areas[task].append((int(at, 16), pages))

    def unmap(self, task: str) -> None:
        if self.areas[task]:
            base, pages = self.areas[task].pop(self.random.randrange(len(self.areas[task])))
            self.call("munmap", task=task, addr=base, length=pages * PAGE_SIZE)

    def advise(self, task: str) -> None:
        if place := self.somewhere(task, 500):
            advice = self.random.choice(ADVICE)
            self.call("madvise", task=task, addr=place[0], length=place[1] * PAGE_SIZE, advice=advice)

    def file(self, task: str) -> None:
        if len(self.files[task]) < 4:
            fd = self.call("open", task=task, path=self.random.choice(PATHS), flags="O_RDWR|O_CREAT")
            if isinstance(fd, int) and fd >= 0:
                self.files[task].append(fd)
            return
        name = self.random.choice(("read", "read", "write", "fsync"))
        more = {} if name == "fsync" else {
            "count": self.random.randint(1, 600) * PAGE_SIZE,
            "offset": self.random.randrange(3000) * PAGE_SIZE,
        }  # fmt: skip
        self.call(name, task=task, fd=self.random.choice(self.files[task]), **more)


def run(pressure: Pressure, calls: int, every: int) -> None:
    """Make calls; every now and then all rules hold, and a machine of the dump is the same."""
    for number in range(1, calls + 1):
        pressure.step()
        if number % every == 0:
            assert invariants.verify(pressure.m) == []
    dump = pressure.m.dump()
    assert boot.load(dump).dump() == dump
    again = boot.restore(pressure.m.state())
    assert again.dump() == dump


def test_little_memory() -> None:
    pressure = Pressure(0, memory="96M")
    run(pressure, 200, 25)
    stat = pressure.m.vm.stat
    assert stat["pgsteal_kswapd"] + stat["pgsteal_direct"] > 1000


@pytest.mark.slow
def test_little_memory_and_swap() -> None:
    pressure = Pressure(8192, memory="96M", swap=8192)
    run(pressure, 450, 50)
    stat = pressure.m.vm.stat
    assert stat["pswpin"] > 100
    assert stat["pswpout"] > 1000


@pytest.mark.soak
def test_ten_thousand_calls_on_256_mib() -> None:
    pressure = Pressure(1, memory="256M", swap=65536)
    run(pressure, 10_000, 250)
    stat = pressure.m.vm.stat
    assert stat["pswpin"] > 1000
    assert stat["pgsteal_kswapd"] > 10_000
