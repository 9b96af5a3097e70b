"""The slab caches of a booted kernel: those of real ones, for nothing until somebody uses one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.machine import boot, slab_views
from app.machine.machine import Machine
from app.mm import boot_caches
from app.mm.proc import FILES
from tests.mm.test_proc import Caller, recorded
from tests.mm.test_slub import layout_of
from tests.support import keep_boot_caches

MACHINES: dict[str, dict[str, Any]] = {
    "x64-1G": {"profile": "x86_64-1g"},
    "x64-1G-smp4": {"profile": "x86_64-1g", "cpus": 4},
    "x64-4G": {"profile": "x86_64-8g", "memory": "4G"},
    "i386-2G": {"profile": "i386-4g", "memory": "2G"},
}


def booted(**more: Any) -> Caller:
    return Caller(boot.boot({"profile": "x86_64-1g", **more}))


def geometry(slabinfo: str) -> list[list[str]]:
    """Name, bytes, objects and pages of a slab of each cache, in order."""
    return [[words[0], *words[3:6]] for words in map(str.split, slabinfo.splitlines()[2:])]


@pytest.mark.parametrize("machine", MACHINES)
def test_slabinfo_has_the_lines_of_a_real_kernel(machine: str) -> None:
    ours, theirs = FILES["slabinfo"](boot.boot(MACHINES[machine])), recorded(machine)["slabinfo"]
    assert geometry(ours) == geometry(theirs)
    empty = [line for line in theirs.splitlines() if " 0      0 " in line]
    assert len(empty) > 90
    assert set(empty) <= set(ours.splitlines())


def test_the_table_is_what_was_recorded() -> None:
    assert keep_boot_caches.TABLE.read_text("utf-8") == keep_boot_caches.written()


@pytest.mark.parametrize("machine", ["x64-1G", "x64-1G-smp4"])
def test_layouts_are_the_real_ones(machine: str) -> None:
    m = boot.boot({**MACHINES[machine], "debug": False})
    theirs = keep_boot_caches.layouts(machine)
    names = [*boot_caches.of_kernel(m), "kmem_cache", "kmem_cache_node"]
    assert len(names) == 147
    for name in names:
        s = boot_caches.look(m, name)
        assert s is not None
        assert layout_of(s) == theirs[name]


def test_one_is_made_when_it_is_used_and_is_then_in_dumps() -> None:
    call = booted()
    assert "TCP" not in call.m.caches
    assert slab_views.cache_view(call.m, "TCP")["slabs"] == []
    made = call("kmem_cache_alloc", cache="TCP", flags="GFP_KERNEL").ret
    assert geometry(call.show("slabinfo")) == geometry(recorded("x64-1G")["slabinfo"])
    assert "\nTCP                    1     14   2304   14    8 " in call.show("slabinfo")
    again = Caller(boot.load(json.loads(json.dumps(call.m.dump()))))
    assert again.show("slabinfo") == call.show("slabinfo")
    assert again.m.dump() == call.m.dump()
    assert again("kmem_cache_free", cache="TCP", addr=made).verdict == "ok"


def test_a_name_of_the_kernels_is_taken() -> None:
    outcome = booted()("kmem_cache_create", name="UDP", size=64, align=0, flags="0")
    assert outcome.ret is None
    assert any("cannot create duplicate filename '/kernel/slab/UDP'" in line for line in outcome.log)


def test_destroying_one_leaves_it_there() -> None:
    for rules in (1, 2):
        call = booted(rules=rules)
        call("kmem_cache_destroy", cache="UDP")
        assert "\nUDP " in call.show("slabinfo")
        assert call.m.caches["UDP"].refcount == 0


def test_all_are_listed_and_nothing_is_made_by_reading() -> None:
    m = booted().m
    before = list(m.caches)
    listed: list[str] = []
    start: int | None = 0
    while start is not None:
        view = slab_views.caches_view(m, start, 50)
        listed += [cache["name"] for cache in view["caches"]]
        start = view["next"]
    assert sorted(listed) == sorted(name for name, *_ in geometry(recorded("x64-1G")["slabinfo"]))
    assert list(m.caches) == before


def test_old_descriptions_stay_without() -> None:
    new, old = boot.boot({"profile": "x86_64-1g"}), boot.boot({"profile": "x86_64-1g"}, kept=True)
    assert "boot_caches" not in old.config
    assert not old.boot_caches
    assert new.config["boot_caches"]
    tiny: Machine = boot.boot({"profile": "tiny-16m"})
    assert not tiny.boot_caches


def test_a_dump_grows_by_less_than_a_tenth() -> None:
    """Caches that nobody uses are in no dump."""
    sizes = [len(json.dumps(booted(boot_caches=switch).m.dump())) for switch in (False, True)]
    assert sizes[0] < sizes[1] < 1.1 * sizes[0]


def test_layouts_of_few_kinds_of_machines_are_kept() -> None:
    for cpus in range(1, 2 * boot_caches.MOST_KINDS):
        boot_caches.every(boot.boot({"profile": "x86_64-1g", "cpus": cpus}))
    assert len(boot_caches.LAID_OUT) <= boot_caches.MOST_KINDS
