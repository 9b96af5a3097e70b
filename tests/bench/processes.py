"""Processes on a machine: one page fault as a call, and a gigabyte that is written, kept and read again."""

import statistics
import time
import tracemalloc
from collections.abc import Callable

from app import collector
from app.machine import parsing
from app.machine.boot import boot
from app.machine.calls import Call
from app.machine.machine import Machine
from app.mm import fault
from app.sessions import snapshots
from tests.bench.figures import Figure

PROFILE = "x86_64-8g"
FAULTS = 4_000
GIGABYTE = 1 << 18  # pages


class Program:
    """A process with an area of so many pages."""

    def __init__(self, pages: int) -> None:
        self.machine: Machine = boot({"profile": PROFILE})
        self.seq = 0
        self.apply(self.call("execve"))
        made = self.call(
            "mmap", length=pages << 12, prot="PROT_READ|PROT_WRITE", flags="MAP_PRIVATE|MAP_ANONYMOUS"
        )
        self.area = int(str(self.apply(made)), 16)

    def call(self, name: str, **args: object) -> Call:
        return parsing.parse(name, {**args, "task": "a"}, self.machine.model)

    def store(self, page: int, count: int = 1) -> Call:
        return self.call("store", addr=f"{self.area + (page << 12):#x}", count=count)

    def apply(self, call: Call) -> object:
        self.seq += 1
        return self.machine.apply(call, self.seq).ret


def took(work: Callable[[], object]) -> float:
    """Seconds of CPU."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def single() -> tuple[float, float]:
    """Microseconds of a fault as a call, and of the fault alone."""
    program = Program(2 * FAULTS)
    calls = [program.store(page) for page in range(FAULTS)]
    called = took(lambda: [program.apply(call) for call in calls])
    m, second = program.machine, program.area + (FAULTS << 12)
    m.changed.frames = []
    alone = took(lambda: [fault.user_access(m, second + (page << 12), write=True) for page in range(FAULTS)])
    return called * 1e6 / FAULTS, alone * 1e6 / FAULTS


def gigabyte() -> tuple[float, float, float]:
    """Seconds of writing it; milliseconds of keeping it, and of reading it again."""
    program = Program(GIGABYTE)
    written = took(lambda: program.apply(program.store(0, GIGABYTE)))
    kept = took(lambda: snapshots.encode(program.machine.state()))
    state = snapshots.encode(program.machine.state())
    return written, kept * 1e3, took(lambda: snapshots.decode(state)) * 1e3


def resident() -> float:
    """Megabytes that a process with 4 GiB takes."""
    program = Program(4 * GIGABYTE)
    tracemalloc.start()
    try:
        for part in range(4):
            program.apply(program.store(part * GIGABYTE, GIGABYTE))
        return tracemalloc.get_traced_memory()[0] / 1e6
    finally:
        tracemalloc.stop()


def compare(rounds: int) -> list[Figure]:
    """Prints what was measured; the figures are the bounds that processes keep."""
    collector.settle()  # as the server does
    called, alone = (statistics.median(each) for each in zip(*(single() for _ in range(rounds)), strict=True))
    written, kept, read = (
        statistics.median(each) for each in zip(*(gigabyte() for _ in range(rounds)), strict=True)
    )
    megabytes = resident()
    print(f"a page fault as a call {called:.1f} us, alone {alone:.1f} us")
    print(f"1 GiB: written in {written:.2f} s, kept in {kept:.0f} ms, read in {read:.0f} ms")
    print(f"4 GiB resident: {megabytes:.0f} MB")
    return [
        Figure(
            "a page fault as a call", called, 25, 20, " µs", f"the fault alone: {alone:.1f} µs", more=False
        ),
        Figure("writing to 1 GiB as one call, CPU", written, 2, 1, " s", "262,144 faults", more=False),
        Figure("4 GiB resident in one process", megabytes, 100, 50, " MB", more=False),
        Figure("keeping a state with 1 GiB resident", kept, 150, 100, " ms", more=False),
        Figure("reading it again", read, 100, 80, " ms", more=False),
    ]
