"""What a declaration of a call says, and that everything else follows from it."""

import inspect
from typing import Any

import pytest

from app.machine import boot, parsing
from app.machine.calltext import format_call, parse_line
from app.machine.entry import CALLS, limits
from app.machine.entry.declare import Allocation, Other, Release
from app.machine.entry.system_call import SystemCall
from app.machine.kinds import KINDS
from app.machine.machine import Machine
from app.machine.vocabulary import Returns
from app.mm.memory_model import PAGE_SIZE


@pytest.fixture(scope="module")
def machine() -> Machine:
    return boot.boot({"profile": "x86_64-1g"})


def blocks(m: Machine, call: str, **body: Any) -> int | None:
    """Live blocks that a call may add."""
    parsed = parsing.parse(call, body, m.model)
    cost = parsed.spec.cost.blocks
    return None if cost is None else cost(m, parsed)


@pytest.mark.parametrize("name", CALLS)
def test_a_declaration_stands_on_the_function_that_runs_it(name: str) -> None:
    spec = CALLS[name]
    assert isinstance(spec, Allocation | Release | Other | SystemCall)
    assert spec.run.__module__.startswith("app.machine.entry.")
    assert "Kernel: " in (inspect.getdoc(spec.run) or "")
    assert all(arg.kind in KINDS for arg in spec.args)
    assert all(arg.example is not None for arg in spec.args if arg.required)
    assert spec.repeats == isinstance(spec, Allocation)
    assert spec.frees == isinstance(spec, Release)


@pytest.mark.parametrize("name", CALLS)
def test_what_takes_memory_says_how_much(name: str) -> None:
    """And no call is given more than one pointer, of which a list could be made."""
    spec = CALLS[name]
    assert (spec.cost.blocks is not None) >= spec.repeats
    assert sum(KINDS[arg.kind].pointer for arg in spec.args) == (spec.wants is not None)
    assert not spec.frees or spec.wants is not None


def test_what_returns_a_cache_or_nothing_is_declared() -> None:
    returned = {returns: [s.name for s in CALLS.values() if s.returns is returns] for returns in Returns}
    assert returned[Returns.CACHE] == ["kmem_cache_create"]
    assert returned[Returns.PAGE] == ["alloc_pages", "alloc_pages_node", "alloc_page"]
    assert all(not CALLS[name].repeats for name in returned[Returns.NOTHING])


def test_blocks_that_a_call_may_add(machine: Machine) -> None:
    gfp = "GFP_KERNEL"
    assert blocks(machine, "alloc_pages", gfp=gfp, order=3) == 1
    assert blocks(machine, "alloc_pages", gfp=gfp, order=3, repeat=40) == 40
    assert blocks(machine, "kcalloc", n=8, size=8, flags=gfp) == 1
    assert blocks(machine, "vmalloc", size=10 * PAGE_SIZE, repeat=3) == 30
    assert blocks(machine, "vmalloc", size=10 * PAGE_SIZE, until="null") == 10
    assert blocks(machine, "vmalloc", size=1 << 40) == 1
    assert blocks(machine, "insmod", name="m", size=10 * PAGE_SIZE) == 10
    assert blocks(machine, "alloc_pages_exact", size=5 * PAGE_SIZE - 1, gfp=gfp, repeat=3) == 15
    assert blocks(machine, "split_page", pfn=4096, order=4) == 16
    assert blocks(machine, "krealloc", addr=None, size=64, flags=gfp) == 1
    assert blocks(machine, "__free_pages", pfn=4096, order=0) is None
    assert blocks(machine, "drain_all_pages") is None


def test_a_loop_until_an_end_stops_at_a_full_session(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_LIVE_BLOCKS", machine.live_blocks + 100)
    body = {"size": 7 * PAGE_SIZE, "gfp": "GFP_KERNEL", "until": "null"}
    assert limits.rounds(machine, parsing.parse("alloc_pages_exact", body, machine.model)) == 14


@pytest.mark.parametrize(
    "line",
    [
        "p = alloc_pages_exact(20K, GFP_KERNEL) * 3",
        "free_pages_exact(p, 20K)",
        "free_pages_exact(fill[::2], 4097)",
        "split_page(p, 3)",
        "kmalloc_array(16, 64, GFP_KERNEL)",
        "a = kcalloc(1K, 1K, GFP_ATOMIC) until NULL",
    ],
)
def test_the_calls_as_lines(line: str) -> None:
    read = parse_line(line)
    assert read.name is not None
    again = parse_line(format_call({"call": read.name, "args": read.body}, read.as_name))
    assert again == read
