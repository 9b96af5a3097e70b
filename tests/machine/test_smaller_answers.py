"""A loop that ends at its bound, a spinlock held with interrupts off, settings by sysctl(8)'s names."""

import pytest

from app.machine import calls
from app.machine.entry import limits
from tests.support.lab import Lab, texts


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call makes at most 100 blocks."""
    for module in (calls, limits):
        monkeypatch.setattr(module, "MAX_REPEAT", 100)


@pytest.mark.usefixtures("short")
def test_a_loop_until_null_says_that_it_came_to_its_bound() -> None:
    lab = Lab()
    cut = lab("alloc_page", gfp="GFP_KERNEL", until="null")
    assert (cut.ret, cut.verdict) == (100, "null")
    assert texts(cut) == [
        "kmemlab: 100 blocks and no NULL so far: one call makes no more; make it again to go on"
    ]
    assert lab("alloc_page", gfp="GFP_KERNEL", until="null", repeat=20).verdict == "ok"
    assert lab("alloc_page", gfp="GFP_KERNEL", until={"free_below": 9}).verdict == "null"
    assert lab("alloc_page", gfp="GFP_KERNEL", repeat=100).verdict == "ok"
    old = Lab(rules=1)
    assert old("alloc_page", gfp="GFP_KERNEL", until="null").verdict == "ok"


def test_a_spinlock_held_with_interrupts_off() -> None:
    lab = Lab()
    said = texts(lab("kmalloc", size=64, flags="GFP_KERNEL", context="irqsoff"))
    assert "in_atomic(): 1, irqs_disabled(): 1, non_block: 0, pid: 1, name: init" in said
    assert "preempt_count: 1, expected: 0" in said
    assert lab("kmalloc", size=64, flags="GFP_ATOMIC", context="irqsoff").log == []
    area = lab("vmalloc", size=20_000, context="irqsoff")
    assert area.ret is not None  # it is no interrupt, of which vmalloc would make a BUG


def test_settings_by_the_names_of_sysctl() -> None:
    lab = Lab()
    one = lab("sysctl", name="vm.min_free_kbytes", value=256)
    assert (one.ret, one.call.args["name"], lab.m.min_free_kbytes) == (0, "min_free_kbytes", 256)
    assert lab("sysctl", name="vm.lowmem_reserve_ratio", value="9 9 9").ret == 0
