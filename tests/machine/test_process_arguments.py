"""Arguments of system calls that nobody would write: answered as by the kernel, or refused by name."""

import json
import random
from typing import Any

import pytest

from app.errors import BadArgument, MachinePanicked, NoRoom, TaskAlive, TaskBlocked
from app.machine import boot, invariants, parsing
from app.machine.entry import CALLS

SYSTEM_CALLS = (
    "execve", "fork", "exit", "mmap", "munmap", "mprotect", "madvise", "mremap", "brk", "mlock", "munlock",
    "msync", "load", "store", "copy_from_user", "copy_to_user", "open", "close", "read", "write", "ftruncate",
    "fsync", "posix_fadvise", "unlink",
)  # fmt: skip
MODEL = boot.boot({"profile": "x86_64-1g"}).model
FITTING: dict[str, Any] = {
    "addr": "0x1000", "length": 4096, "prot": 3, "flags": 2, "advice": 4, "old_length": 4096,
    "new_length": 4096, "fd": 3, "count": 1, "path": "/tmp/x", "child": "b",
}  # fmt: skip
UNFIT: tuple[Any, ...] = ([], {}, 1.5, 10**30, -(10**30), "\x00", "é", True)

NUMBERS: tuple[Any, ...] = (
    -1, 0, 1, 7, 4095, 4096, 4097, 1 << 21, (1 << 21) + 4096, 1 << 30, (1 << 31) - 1, 1 << 32, 1 << 47,
    (1 << 53) - 1, (1 << 63) - 1, (1 << 64) - 4096, (1 << 64) - 1, 1 << 64, 0.5, None, [], True,
)  # fmt: skip
ADDRESSES = (
    "0x0", "0x1", "0x10000", "0x400000", "0x405000", "0x7fffffffe000", "0x7ffffffff000", "0x7ffff7ff9000",
    "0x800000000000", "0xffff888000000000", "0xfffffffffffff000", "0xc0000000", "0xbffff000", "$a", "$a-1",
)  # fmt: skip
WORDS = (
    "", "/", "/a/../b", "/data/a", "/tmp/x", "/dev/vda", "PROT_READ|PROT_WRITE", "MAP_PRIVATE|MAP_ANONYMOUS",
    "MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|MAP_HUGE_1GB", "|", "O_RDWR|O_CREAT|O_TRUNC", "MADV_FREE",
    "MREMAP_MAYMOVE|MREMAP_FIXED", "MS_SYNC|MS_ASYNC", "init", "x" * 33,
)  # fmt: skip
USUAL: dict[str, tuple[Any, ...]] = {
    "length": (4096, 65536, 1 << 21), "prot": (0, 1, 3), "fd": (-1, 3, 4), "count": (1, 2, 100),
    "flags": (0x22, 0x21, 0x32, 0x8022, 0x122, 0x40022, 0x100022, 1, 2, 3), "step": (0, 4096, -4096),
    "offset": (0, 4096, 1), "advice": (0, 4, 8, 9, 14, 22, 23), "path": ("/data/a", "/tmp/x", "/dev/vda"),
    "old_length": (4096, 1 << 21), "new_length": (4096, 1 << 22), "child": ("b", "c"), "value": (0, 255),
}  # fmt: skip
MACHINES: tuple[dict[str, Any], ...] = (
    {"profile": "x86_64-1g", "transparent_hugepage": "always", "hugepages": 4},
    {"profile": "i386-1g"},
    {"profile": "tiny-16m"},
)


@pytest.mark.parametrize("name", SYSTEM_CALLS)
def test_what_does_not_fit_is_refused_with_its_name(name: str) -> None:
    spec = CALLS[name]
    fitting = {arg.name: FITTING[arg.name] for arg in spec.args if arg.name in FITTING}
    for arg in spec.args:
        for value in UNFIT:
            with pytest.raises(BadArgument) as refused:
                parsing.parse(name, {**fitting, arg.name: value}, MODEL)
            assert [fault.loc for fault in refused.value.faults] == [(arg.name,)]


class Guesser:
    """A process that calls with anything: numbers on every edge, places of its own areas, words."""

    def __init__(self, machine: dict[str, Any], seed: int) -> None:
        self.random = random.Random(seed)
        self.m = boot.boot({**machine, "process_caches": False})
        self.seq = 0

    def call(self, name: str, args: dict[str, Any]) -> None:
        try:
            outcome = self.m.apply(parsing.parse(name, args, self.m.model), self.seq + 1)
        except (BadArgument, MachinePanicked, NoRoom, TaskAlive, TaskBlocked):
            return
        self.seq += 1
        json.dumps(outcome.as_json(self.m.model))

    def argument(self, name: str) -> Any:
        pick = self.random
        areas = self.m.tasks["a"].mm.mmap if self.m.tasks["a"].mm is not None else []
        if not pick.randrange(5):
            return pick.choice(pick.choice((NUMBERS, ADDRESSES, WORDS)))
        if "addr" in name:
            near = pick.choice(areas).vm_start + pick.choice((0, 0, 1, 4096, -4096, 1 << 20)) if areas else 0
            return hex(max(near, 0))
        return pick.choice(USUAL.get(name, NUMBERS))

    def step(self) -> None:
        if "a" not in self.m.tasks or self.m.tasks["a"].mm is None:
            self.call("execve", {"task": "a"})
            self.call("open", {"task": "a", "path": "/data/a", "flags": 2})
        name = self.random.choice(SYSTEM_CALLS)
        named = [arg.name for arg in CALLS[name].args if self.random.randrange(10)]
        task = self.random.choice("aaab")
        self.call(name, {"task": task, **{arg: self.argument(arg) for arg in named}})


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine["profile"])
@pytest.mark.parametrize("seed", range(5))
def test_any_arguments_are_answered_or_refused(machine: dict[str, Any], seed: int) -> None:
    guesser = Guesser(machine, seed)
    for _ in range(400):
        guesser.step()
    assert guesser.seq > 100
    assert invariants.verify(guesser.m) == []
