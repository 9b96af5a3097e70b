"""Page replacement: a hundred thousand pages that are taken back in one call, to swap and from files."""

import statistics

from app import collector
from app.machine import parsing
from app.machine.boot import boot
from app.machine.machine import Machine
from tests.bench.figures import Figure
from tests.bench.processes import took

PAGES = 100_000
MACHINE = {"profile": "x86_64-8g", "swap": 1 << 18}
# One reclaim on lists of this length takes a few more than 32.
ROUNDS = 1000


class Program:
    """A process on a machine that swaps."""

    def __init__(self) -> None:
        self.machine: Machine = boot(MACHINE)
        self.seq = 0
        self.call("execve")

    def call(self, name: str, **args: object) -> object:
        self.seq += 1
        call = parsing.parse(name, {**args, "task": "a"}, self.machine.model)
        return self.machine.apply(call, self.seq).ret


def swapped_out() -> float:
    """Seconds in which so many pages of a process go to swap."""
    program = Program()
    area = program.call(
        "mmap", length=PAGES << 12, prot="PROT_READ|PROT_WRITE", flags="MAP_PRIVATE|MAP_ANONYMOUS"
    )
    program.call("store", addr=area, count=PAGES)
    seconds = took(lambda: program.call("madvise", addr=area, length=PAGES << 12, advice="MADV_PAGEOUT"))
    assert program.machine.vm.stat["pswpout"] > PAGES - 100
    return seconds


def dropped() -> float:
    """Seconds in which so many pages of a file would be reclaimed, from a call that reclaims many."""
    program = Program()
    fd = program.call("open", path="/data/big", flags="O_RDWR|O_CREAT")
    program.call("write", fd=fd, count=PAGES << 12)
    program.call("fsync", fd=fd)
    reclaimed: list[object] = []
    seconds = took(
        lambda: reclaimed.append(program.call("try_to_free_pages", gfp="GFP_KERNEL", rounds=ROUNDS))
    )
    return seconds * PAGES / int(str(reclaimed[0]))


def compare(rounds: int) -> list[Figure]:
    """Prints what was measured; the figures are the bounds that reclaim keeps."""
    collector.settle()  # as the server does
    swap = statistics.median(swapped_out() for _ in range(rounds))
    files = statistics.median(dropped() for _ in range(rounds))
    print(f"100,000 pages reclaimed: to swap {swap:.2f} s, of files {files:.2f} s")
    return [
        Figure("100,000 pages of a process to swap, one call", swap, 2, 1.5, " s", "CPU", more=False),
        Figure("100,000 pages of files reclaimed", files, 2, 1, " s", "CPU, 32 at a time", more=False),
    ]
