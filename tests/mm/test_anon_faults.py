"""First writes to many pages at once leave what as many single faults leave."""

import json
from typing import Any

import pytest

from app.machine.boot import boot
from app.machine.machine import Machine
from app.mm import anon_faults
from tests.support.slab_machines import Caller

PAGE = 4096
TOLD = ("verdict", "access", "faults", "mm", "pte", "vma", "lru", "changed")
MACHINES: tuple[dict[str, Any], ...] = (
    {"profile": "tiny-16m"},
    {"profile": "x86_64-1g"},
    {"profile": "i386-1g"},
    {"profile": "x86_64-8g", "nodes": 2},
)


def used(machine: dict[str, Any]) -> tuple[Machine, list[Any]]:
    """A machine on which writes meet all that may end a run of them, and what it answered."""
    m = boot(machine)
    run = Caller(m)
    run("execve", task="a")

    def mmap(pages: int, prot: int = 3, flags: int = 0x22) -> int:
        return int(run("mmap", task="a", length=pages * PAGE, prot=prot, flags=flags).ret, 16)

    def store(at: int, count: int, **more: Any) -> list[Any]:
        made = run("store", task="a", addr=hex(at), count=count, **more)
        doc = made.as_json(m.model)
        return [doc[key] for key in TOLD]

    answers: list[Any] = []
    area = mmap(1500)
    answers += store(area + 7, 300, value=3)  # not at the beginning of pages
    answers += store(area + 700 * PAGE, 3)
    answers += store(area + 100 * PAGE, 900)  # over pages that are there, and over three tables
    run("load", task="a", addr=hex(area + 1200 * PAGE), count=5)
    run("fork", task="a", child="b")
    answers += store(area + 1100 * PAGE, 350)  # over pages of zeros, in a process that forked
    run("mlock", task="a", addr=hex(area + 1460 * PAGE), length=10 * PAGE)
    answers += store(area + 1450 * PAGE, 60, step=2 * PAGE)  # to the end of the area and beyond: it dies
    again = int(run("execve", task="c").ret)
    assert again == 0
    shared = int(run("mmap", task="c", length=200 * PAGE, prot=3, flags=0x21).ret, 16)
    run("store", task="c", addr=hex(shared), count=200)
    run("mmap", task="c", length=100 * PAGE, prot=1, flags=0x22)
    return m, answers


@pytest.mark.parametrize("machine", MACHINES, ids=str)
def test_many_first_writes_leave_what_single_ones_leave(
    machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[int] = []
    fault_in = anon_faults.fault_in

    def counted(*args: Any) -> list[int]:
        served.extend(found := fault_in(*args))
        return found

    monkeypatch.setattr(anon_faults, "fault_in", counted)
    together, said = used(machine)
    assert (len(served) > 500) == (machine["profile"] != "tiny-16m")  # whose lists hold one page
    monkeypatch.setattr(anon_faults, "fault_in", lambda *_: [])
    singly, expected = used(machine)
    assert said == expected
    assert json.dumps(together.dump()) == json.dumps(singly.dump())
    assert together.vm.contents == singly.vm.contents
