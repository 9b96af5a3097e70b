"""Kernel calls on the pages of processes, which none of them should make; and calls that take long."""

import json
from typing import Any

import pytest

from app.errors import BadArgument
from app.machine.boot import boot, restore
from app.machine.machine import Machine
from tests.support.slab_machines import Caller

PAGE = 4096
MIB = 1 << 20


def started(**machine: Any) -> tuple[Machine, Caller, int]:
    """A process with an area of 64 MiB."""
    m = boot({"profile": "x86_64-1g", **machine})
    run = Caller(m)
    run("execve", task="a")
    area = int(run("mmap", task="a", length=64 * MIB, prot=3, flags=0x22).ret, 16)
    return m, run, area


def test_freeing_a_part_of_a_huge_page_is_reported_with_the_whole_page() -> None:
    m, run, area = started(transparent_hugepage="always")
    run("store", task="a", addr=hex(area + 2 * MIB))
    head = next(number << 9 for number, section in m.vm.sections.items() if section.order)
    for tail in (1, 300):
        made = run("__free_pages", task="k", pfn=head + tail, order=0)
        assert made.verdict == "bug"
        assert any(" head:" in line and " order:9 " in line for line in made.log)


def test_a_count_below_zero_is_kept() -> None:
    m, run, area = started()
    run("store", task="a", addr=hex(area))
    section, at = next((s, at) for s in m.vm.sections.values() for at in range(512) if s.refcount[at] > 1)
    section.refcount[at] = -1
    again = restore(json.loads(json.dumps(m.state())))
    assert again.state() == m.state()
    assert [s.refcount[at] for s in again.vm.sections.values()].count(-1) == 1


RANGE: dict[str, Any] = {"addr": None, "length": 64 * MIB}
LONG: tuple[tuple[str, dict[str, Any]], ...] = (
    ("fork", {"child": "b"}),
    ("mprotect", RANGE | {"prot": 1}),
    ("mprotect", RANGE | {"prot": 3}),
    ("madvise", RANGE | {"advice": "MADV_FREE"}),
    ("mlock", RANGE),
    ("munlock", RANGE),
    ("munmap", RANGE),
    ("write", {"fd": 3, "count": 8 * MIB, "offset": 0}),
    ("ftruncate", {"fd": 3, "length": 0}),
    ("read", {"fd": 4, "count": 8 * MIB, "offset": 0}),
    ("fsync", {"fd": 4}),
    ("posix_fadvise", {"fd": 4}),
)


def test_long_calls_let_others_go_first() -> None:
    m, run, area = started()
    run("store", task="a", addr=hex(area), count=64 * MIB // PAGE)
    for path in ("/tmp/x", "/data/x"):
        fd = run("open", task="a", path=path, flags=0x42).ret
        run("write", task="a", fd=fd, count=8 * MIB)
    pauses: list[None] = []
    m.pause = lambda: pauses.append(None)
    for name, args in LONG:
        pauses.clear()
        run(name, task="a", **{**args, **({"addr": hex(area)} if "addr" in args else {})})
        assert len(pauses) >= 16, name


def test_a_call_on_a_file_tells_of_those_who_map_it() -> None:
    _, run, _ = started()
    run("execve", task="b")
    for task in ("a", "b"):
        run("open", task=task, path="/tmp/x", flags=0x42)
    run("write", task="a", fd=3, count=PAGE)
    area = int(run("mmap", task="b", length=PAGE, prot=3, flags=1, fd=3).ret, 16)
    run("store", task="b", addr=hex(area))
    told = run("ftruncate", task="a", fd=3, length=0).process
    assert told is not None
    assert told["pte"] == [["b", hex(area), 1, "none"]]


def test_a_machine_has_a_thousand_files_and_each_its_own_number() -> None:
    m, run, _ = started()
    for at in range(2000):
        if len(m.vm.inodes) == 1024:
            break
        fd = run("open", task="a", path=f"/tmp/{at}", flags="O_CREAT").ret
        run("close", task="a", fd=fd)
    with pytest.raises(BadArgument, match="path: a machine has at most 1,024 files"):
        run("open", task="a", path="/tmp/more", flags="O_CREAT")
    assert run("open", task="a", path="/tmp/0", flags="O_CREAT").ret == 3
    run("unlink", task="a", path="/tmp/7")
    run("open", task="a", path="/tmp/more", flags="O_CREAT")
    assert len({inode.ino for inode in m.vm.inodes.values()}) == 1024


def test_the_part_of_a_huge_page_that_is_unmapped_is_told() -> None:
    _, run, area = started(transparent_hugepage="always")
    start = (area + 4 * MIB) & -2 * MIB
    run("store", task="a", addr=hex(start))
    made = run("munmap", task="a", addr=hex(start + 2 * MIB - 7 * PAGE), length=MIB)
    assert made.process is not None
    told = made.process["pte"]
    assert [(addr, pages, what == "none") for _, addr, pages, what in told] == [
        (hex(start), 505, False),
        (hex(start + 505 * PAGE), 7, True),
    ]
