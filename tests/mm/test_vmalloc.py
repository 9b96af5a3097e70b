"""vmalloc: which addresses, which frames, what it costs, and what happens when it is used wrongly."""

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadArgument, NoRoom
from app.machine import boot, loading
from app.machine.entry import limits
from app.machine.vmallocinfo import vmap_areas_view
from app.mm import memory_model, vmalloc, vmap_area
from app.mm.gfp import GFP_KERNEL
from app.mm.vmap_area import AreaTree, VmapArea
from app.recording import Replay, number
from tests.support.vmalloc_machines import Caller, text

RECORDINGS = Path(__file__).parents[1] / "recordings"
START = vmalloc.VMALLOC_START
PAGE = 4096
MIB = 1 << 20


# -- the real kernel -------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", ["plain-64M", "plain-numa", "x64-1G"])
def test_all_ranges_are_where_the_kernel_has_them(machine: str) -> None:
    replay = Replay(RECORDINGS / machine / "f_vmalloc.jsonl.gz")
    assert not replay.run().misses
    assert replay.machine is not None
    ours = replay.machine.dump()["vmap"]
    theirs = [line for line in replay.lines if line["t"] == "vmap"][-1]
    for key in ("vmalloc_start", "vmalloc_end", "free", "busy", "lazy"):
        assert ours[key] == theirs[key]


def vmap_gaps(lines: list[dict[str, Any]], vmalloc_start: int) -> dict[str, Any]:
    """The gaps of an i386 kernel's vmalloc space, which its states do not show.

    What the kernel gave out during the recording must have been free before; all below the highest of it that
    was not given out is taken to have been busy. Which page tables the kernel had follows from that.
    """
    areas = sorted(
        (number(line["addr"]), number(line["addr"]) + line["area_size"])
        for line in lines
        if line["t"] == "op" and line["op"] == "vmalloc" and line["addr"]
    )
    if not areas:
        return {}
    free: list[list[int]] = []
    for start, end in areas:
        if free and start <= free[-1][1]:
            free[-1][1] = max(end, free[-1][1])
        else:
            free.append([start, end])
    free[-1][1] = 0xFFFFFFFF
    busy = zip([vmalloc_start, *(end for _, end in free)], (start for start, _ in free), strict=False)
    return {
        "free": [[f"{start:#x}", f"{end:#x}"] for start, end in free],
        "busy": [[f"{start:#x}", f"{end:#x}"] for start, end in busy if start < end],
    }


def test_an_i386_kernel_gives_the_same_addresses_where_its_gaps_are_known() -> None:
    replay = Replay(RECORDINGS / "i386-2G" / "f_vmalloc.jsonl.gz")
    replay.compares_addresses = True
    vmap = next(line for line in replay.lines if line["t"] == "vmap")
    vmap |= vmap_gaps(replay.lines, number(vmap["vmalloc_start"]))
    report = replay.run()
    assert (report.exact, report.misses) == (report.operations, [])


def test_structures_that_no_range_holds_are_a_cpus_spare() -> None:
    """The number is read off the slabs; the kernel of plain-64M had one, that of plain-numa none."""
    spares = []
    for machine in ("plain-64M", "plain-numa"):
        replay = Replay(RECORDINGS / machine / "f_vmalloc.jsonl.gz")
        replay.lines = replay.lines[: next(i for i, x in enumerate(replay.lines) if x["t"] == "dump_end") + 1]
        replay.run()
        assert replay.machine is not None
        spares.append(replay.machine.vmap.preload)
    assert spares == [[0], [None]]


# -- addresses -------------------------------------------------------------------------------------


def test_a_cpu_puts_a_structure_aside_before_the_next_range_is_cut() -> None:
    call = Caller("x86_64-1g")
    spare = call.m.vmap.preload
    assert call.addr("vmalloc", size=PAGE) == START
    # The first area was cut out of the middle of all addresses, and the spare went to their lower part.
    assert (spare, call.m.caches["vmap_area"].slabs != {}) == ([None], True)
    call("vmalloc", size=PAGE)
    assert spare[0] is not None
    call("vmalloc", size=PAGE)
    (slab,) = call.m.caches["vmap_area"].slabs.values()
    assert sum(owner is not None for owner in slab.owner) == 5


def test_an_area_ends_with_a_guard_page() -> None:
    outcome = Caller("x86_64-1g")("vmalloc", size=5000)
    assert outcome.ret == f"{START:#x}"
    assert outcome.area is not None
    assert outcome.area["size"] == 3 * PAGE
    assert outcome.area["nr_pages"] == len(outcome.area["pfns"]) == 2
    assert outcome.area["guard"] == f"{START + 2 * PAGE:#x}"


def test_freed_addresses_come_back_only_with_a_purge() -> None:
    call = Caller()
    first, second = call.addr("vmalloc", size=PAGE), call.addr("vmalloc", size=PAGE)
    assert second == first + 2 * PAGE
    call("vfree", addr=f"{first:#x}")
    assert call.addr("vmalloc", size=PAGE) == second + 2 * PAGE
    call("vm_unmap_aliases")
    assert call.addr("vmalloc", size=PAGE) == first


def test_the_lowest_gap_that_fits_is_taken() -> None:
    call = Caller()
    areas = [call.addr("vmalloc", size=size) for size in (PAGE, PAGE, 3 * PAGE, PAGE)]
    for addr in (areas[0], areas[2]):
        call("vfree", addr=f"{addr:#x}")
    call("vm_unmap_aliases")
    assert call.addr("vmalloc", size=2 * PAGE) == areas[2]
    assert call.addr("vmalloc", size=PAGE) == areas[0]


def test_the_lecture_has_no_lazily_freed_areas() -> None:
    call = Caller(lecture=True)
    first = call.addr("vmalloc", size=PAGE)
    call("vfree", addr=f"{first:#x}")
    assert call.addr("vmalloc", size=PAGE) == first


def test_too_much_waiting_is_purged_at_once() -> None:
    call = Caller("x86_64-1g")
    limit = vmap_area.lazy_max_pages(call.m)
    assert limit == 8192
    areas = [call.addr("vmalloc", size=511 * PAGE) for _ in range(limit // 512)]
    last = call.addr("vmalloc", size=PAGE)
    for addr in areas:
        call("vfree", addr=f"{addr:#x}")
    assert call.m.vmap.vmap_lazy_nr == limit
    call("vfree", addr=f"{last:#x}")
    assert call.m.vmap.vmap_lazy_nr == 0


def test_a_range_that_has_run_out_is_purged_and_tried_again() -> None:
    call = Caller("i386-1g")
    size = 30 * MIB
    areas = [call.addr("vmalloc", size=size) for _ in range(3)]
    call("vfree", addr=f"{areas[0]:#x}")
    assert call("vmalloc", size=60 * MIB).ret is None
    assert call.addr("vmalloc", size=size) == areas[0]
    outcome = call("vmalloc", size=size + 2 * MIB)
    assert outcome.verdict == "null"
    assert (
        f"vmap allocation for size {size + 2 * MIB + PAGE} failed: use vmalloc=<size> to increase size"
        in text(outcome)
    )
    assert (
        f"vmalloc error: size {size + 2 * MIB}, vm_struct allocation failed, mode:0xcc0(GFP_KERNEL)"
        in text(outcome)
    )


@pytest.mark.parametrize(("cpus", "doublings"), [(1, 1), (2, 2), (3, 2), (4, 3), (64, 7)])
def test_more_may_wait_with_each_doubling_of_the_cpus(cpus: int, doublings: int) -> None:
    assert vmap_area.lazy_max_pages(Caller("x86_64-1g", cpus=cpus).m) == 8192 * doublings


def test_a_gap_that_only_luck_has_aligned_is_passed_over() -> None:
    tree = AreaTree(augmented=True)
    for start, size in ((START, 2 * MIB), (START + 4 * MIB, 4 * MIB)):
        tree.insert(VmapArea(start, start + size))
    for align, found in ((PAGE, START), (2 * MIB, START + 4 * MIB)):
        va = tree.lowest_match(2 * MIB, align, START)
        assert va is not None
        assert va.va_start == found


@pytest.mark.parametrize("seed", range(8))
def test_the_tree_finds_what_a_walk_over_all_ranges_finds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AreaTree, "LEAF", 4 + seed)
    choose = random.Random(seed)
    tree = AreaTree(augmented=True)
    tree.insert(VmapArea(0, 1 << 20))
    taken: list[tuple[int, int]] = []
    for _ in range(400):
        if choose.random() < 0.6 or not taken:
            size = choose.choice((1, 2, 3, 8, 50))
            va = tree.lowest_match(size, 1, 0)
            assert va is next(area for area in tree if area.size >= size)
            assert va is not None
            start = va.va_start + choose.randrange(va.size - size + 1)
            tree.unlink(va)
            for part in (VmapArea(va.va_start, start), VmapArea(start + size, va.va_end)):
                if part.size:
                    tree.insert(part)
            taken.append((start, start + size))
        else:
            tree.merge_or_add(VmapArea(*taken.pop(choose.randrange(len(taken)))))
        free = [(va.va_start, va.va_end) for va in tree]
        assert sum(end - start for start, end in free + taken) == 1 << 20
        assert_in_order(free, taken)
        assert tree.subtree_max_size == [vmap_area.largest(leaf) for leaf in tree.leaves]


def assert_in_order(free: list[tuple[int, int]], taken: list[tuple[int, int]]) -> None:
    """Each range begins where the one before ends, and no two free ones touch."""
    for below, above in pairwise(sorted(free + taken)):
        assert below[1] == above[0]
        assert below not in free or above not in free


# -- what it costs ---------------------------------------------------------------------------------


def test_the_frames_come_back_and_the_page_tables_stay() -> None:
    call = Caller("x86_64-1g")
    before = call.in_use
    areas = [call.addr("vmalloc", size=size) for size in (PAGE, 2 * MIB)]
    assert call.in_use > before + 513
    for addr in areas:
        call("vfree", addr=f"{addr:#x}")
    call("vm_unmap_aliases")
    tables = call.m.vmap.page_tables
    assert list(tables) == [
        (memory_model.PUD_SHIFT, START >> memory_model.PUD_SHIFT),
        (memory_model.PMD_SHIFT, START >> memory_model.PMD_SHIFT),
        (memory_model.PMD_SHIFT, (START >> memory_model.PMD_SHIFT) + 1),
    ]
    assert all(call.m.pages[pfn].state == "pagetable" for pfn in tables.values() if pfn is not None)
    slabs = sum(1 << slab.order for slab in call.m.slabs.values())
    assert call.in_use == before + len(tables) + slabs


def test_entries_are_counted_in_all_levels() -> None:
    call = Caller("x86_64-1g")
    writes = [
        outcome.area["page_table_writes"]
        for outcome in (call("vmalloc", size=size) for size in (PAGE, 2 * MIB, PAGE))
        if outcome.area is not None
    ]
    assert writes == [1 + 2, 512 + 1, 1]


def test_frames_are_known_as_vmallocs() -> None:
    call = Caller()
    area = call("vmalloc", size=2 * PAGE).area
    assert area is not None
    for place, pfn in enumerate(area["pfns"]):
        page = call.m.pages[pfn]
        assert (page.state, page.private, page.refcount) == ("vmalloc", place, 1)


@pytest.mark.parametrize(("profile", "limit"), [("x86_64-1g", 512), ("i386-1g", 1024)])
def test_a_long_list_of_pages_is_an_area_itself(profile: str, limit: int) -> None:
    call = Caller(profile)
    call("vmalloc", size=limit * PAGE)
    assert len(call.m.vmap.busy) == 1
    addr = call.addr("vmalloc", size=(limit + 1) * PAGE)
    va = call.m.vmap.busy.find(addr)
    assert va is not None
    assert va.vm is not None
    assert va.vm.array == addr + va.size
    assert len(call.m.vmap.busy) == 3
    call("vfree", addr=f"{addr:#x}")
    assert len(call.m.vmap.busy) == 1


def test_i386_takes_highmem() -> None:
    call = Caller("i386-1g")
    area = call("vmalloc", size=10 * PAGE).area
    assert area is not None
    assert {call.m.zone_of(pfn).name for pfn in area["pfns"]} == {"HighMem"}


# -- kvmalloc --------------------------------------------------------------------------------------


def test_kvmalloc_prefers_contiguous_memory() -> None:
    call = Caller("x86_64-1g")
    outcome = call("kvmalloc", size=10_000, flags="GFP_KERNEL")
    assert outcome.area is None
    assert outcome.object is not None
    assert outcome.object["ksize"] == 16384
    before = call.in_use
    call("kvfree", addr=outcome.ret)
    assert call.in_use == before - 4


def test_kvmalloc_falls_back_to_huge_pages() -> None:
    call = Caller("x86_64-1g")
    area = call("kvmalloc", size=5 * MIB, flags="GFP_KERNEL").area
    assert area is not None
    assert int(area["address"], 16) % (2 * MIB) == 0
    assert (area["nr_pages"], area["size"]) == (1536, 6 * MIB + PAGE)
    assert all(pfn % 512 == place % 512 for place, pfn in enumerate(area["pfns"]))
    assert area["page_table_writes"] == 3
    call("kvfree", addr=area["address"])
    assert len(call.m.vmap.busy) == 0


def test_kvmalloc_takes_small_pages_where_there_are_no_huge_ones() -> None:
    call = Caller("tiny-16m")
    fill = call("alloc_pages", gfp="GFP_KERNEL", order=0, until={"free_below": 400})
    call("__free_pages", page=fill.runs, order=0, step=2)
    outcome = call("kvmalloc", size=5 * MIB, flags="GFP_KERNEL")
    assert outcome.area is not None
    assert outcome.area["nr_pages"] == 1280
    assert outcome.log == []


def test_kvmalloc_that_may_not_sleep_has_no_second_way() -> None:
    call = Caller("x86_64-1g")
    assert call("kvmalloc", size=8 * MIB, flags="GFP_ATOMIC").ret is None
    outcome = call("kvmalloc", size=1 << 31, flags="GFP_KERNEL")
    assert outcome.verdict == "null"
    assert "at mm/util.c:596 kvmalloc_node" in text(outcome)


def test_huge_pages_begin_at_the_size_of_one() -> None:
    m = Caller("x86_64-1g").m
    space = m.vmap
    for size, order in ((2 * MIB, 9), (2 * MIB - 1, 0)):
        vm_range = (space.vmalloc_start, space.vmalloc_end)
        vm = vmalloc.vmalloc_node_range(m, size, vm_range, GFP_KERNEL, vmalloc.VM_ALLOW_HUGE_VMAP, "test")
        assert vm is not None
        assert vm.page_order == order


def test_huge_pages_are_aligned_also_behind_a_small_area() -> None:
    call = Caller("x86_64-1g")
    small = call.addr("vmalloc", size=PAGE)
    large = call.addr("kvmalloc", size=5 * MIB, flags="GFP_KERNEL")
    assert (small, large) == (START, START + 2 * MIB)


@pytest.mark.parametrize(("flags", "zone"), [("GFP_KERNEL", "HighMem"), ("GFP_KERNEL|GFP_DMA32", "Normal")])
def test_i386_has_no_huge_pages_and_goes_no_lower_than_it_is_told(flags: str, zone: str) -> None:
    call = Caller("i386-1g")
    area = call("kvmalloc", size=5 * MIB, flags=flags).area
    assert area is not None
    assert area["nr_pages"] == 1280
    assert {call.m.zone_of(pfn).name for pfn in area["pfns"]} == {zone}


# -- failures and mistakes -------------------------------------------------------------------------


def test_vmalloc_of_nothing_warns_once() -> None:
    call = Caller()
    first, second = call("vmalloc", size=0), call("vmalloc", size=0)
    assert first.ret is second.ret is None
    assert first.verdict == second.verdict == "null"
    assert "at mm/vmalloc.c:3227 __vmalloc_node_range" in text(first)
    assert second.log == []


def test_more_than_the_machine_has_is_refused_at_once() -> None:
    call = Caller()
    outcome = call("vmalloc", size=1 << 40)
    assert outcome.verdict == "null"
    assert f"init: vmalloc error: size {1 << 40}, exceeds total pages, mode:0xcc0(GFP_KERNEL)" in text(
        outcome
    )


def test_more_than_is_free_gives_everything_back() -> None:
    call = Caller()
    frames = call.m.nr_free_pages
    outcome = call("vmalloc", size=frames * PAGE)
    assert (outcome.ret, outcome.verdict) == (None, "panic")
    assert text(outcome).endswith("---[ end Kernel panic - not syncing: System is deadlocked on memory ]---")
    assert len(call.m.vmap.busy) == 0
    assert not any(page.state == "vmalloc" for page in call.m.pages.values())


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("context", ["softirq", "tasklet", "hardirq"])
def test_vmalloc_in_an_interrupt_is_a_bug_on_every_kernel(context: str, debug: bool) -> None:
    outcome = Caller(debug=debug)("vmalloc", size=PAGE, context=context)
    assert (outcome.ret, outcome.verdict) == (None, "bug")
    assert "kernel BUG at mm/vmalloc.c:2554!" in text(outcome)


def test_vfree_in_an_interrupt_is_left_to_a_worker() -> None:
    call = Caller()
    addr = call.addr("vmalloc", size=PAGE)
    outcome = call("vfree", addr=f"{addr:#x}", context="hardirq")
    assert (outcome.verdict, outcome.log) == ("ok", [])
    assert len(call.m.vmap.busy) == 0


def test_vfree_with_preemption_off_sleeps_where_it_must_not() -> None:
    call = Caller()
    outcome = call("vfree", addr=f"{call.addr('vmalloc', size=PAGE):#x}", context="atomic")
    assert outcome.verdict == "bug"
    assert "BUG: sleeping function called from invalid context at mm/vmalloc.c:2858" in text(outcome)
    assert len(call.m.vmap.busy) == 0


def test_vfree_of_null_is_nothing() -> None:
    assert Caller()("vfree", addr=None).as_json(Caller().m.model)["changed"] == []


def test_vfree_of_a_wrong_address_warns_each_time() -> None:
    call = Caller()
    addr = call.addr("vmalloc", size=PAGE)
    for wrong, what in ((addr + 8, "bad address"), (addr + 64 * PAGE, "nonexistent vm area")):
        for _ in range(2):
            outcome = call("vfree", addr=f"{wrong:#x}")
            assert outcome.verdict == "warn"
            assert f"Trying to vfree() {what} ({wrong:016x})" in text(outcome)
    assert len(call.m.vmap.busy) == 1


def test_a_second_vfree_finds_nothing() -> None:
    call = Caller()
    addr = f"{call.addr('vmalloc', size=PAGE):#x}"
    assert call("vfree", addr=addr).verdict == "ok"
    assert "Trying to vfree() nonexistent vm area" in text(call("vfree", addr=addr))


def test_an_address_in_the_middle_frees_the_whole_area() -> None:
    call = Caller()
    addr = call.addr("vmalloc", size=4 * PAGE)
    assert call("vfree", addr=f"{addr + PAGE:#x}").verdict == "ok"
    assert len(call.m.vmap.busy) == 0


def test_a_page_that_someone_holds_outlives_its_area() -> None:
    call = Caller()
    outcome = call("vmalloc", size=2 * PAGE)
    assert outcome.area is not None
    pfn = outcome.area["pfns"][1]
    call("get_page", pfn=pfn)
    freed = call("vfree", addr=outcome.ret)
    assert freed.changed is not None
    assert [pfn, 1, "unmovable"] in freed.changed
    assert (call.m.pages[pfn].state, call.m.pages[pfn].refcount) == ("unmovable", 1)
    call("put_page", pfn=pfn)
    assert pfn not in call.m.pages


def test_a_session_stays_within_its_bound() -> None:
    call = Caller("x86_64-1t")
    with pytest.raises(NoRoom, match="at most 1000000 live blocks"):
        call("vmalloc", size=512 << 30)
    assert call("vmalloc", size=1 << 50).verdict == "null"


def test_calls_that_cannot_be_repeated_stay_within_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Caller()
    block = call("kmalloc", size=64, flags="GFP_KERNEL").ret
    monkeypatch.setattr(limits, "MAX_LIVE_BLOCKS", call.m.live_blocks + 3)
    with pytest.raises(NoRoom):
        call("insmod", name="large", size=4 * PAGE)
    monkeypatch.setattr(limits, "MAX_LIVE_BLOCKS", call.m.live_blocks)
    with pytest.raises(NoRoom):
        call("krealloc", addr=block, size=4096, flags="GFP_KERNEL")
    monkeypatch.undo()
    monkeypatch.setattr(limits, "MAX_CACHES", len(call.m.caches))
    with pytest.raises(NoRoom, match="slab caches"):
        call("kmem_cache_create", name="mine", size=64)


def test_a_recording_without_areas_has_one_free_range() -> None:
    document = Caller().m.dump()
    del document["vmap"]
    assert len(loading.load(document).vmap.free) == 1


# -- modules ---------------------------------------------------------------------------------------


def test_modules_have_a_range_of_their_own() -> None:
    call = Caller("x86_64-1g")
    outcome = call("insmod", name="ext4", size=300_000)
    assert (outcome.ret, outcome.verdict) == (0, "ok")
    assert outcome.area is not None
    assert outcome.area["address"] == "0xffffffffc0000000"
    assert outcome.area["nr_pages"] == 74
    assert call("insmod", name="ext4", size=300_000).ret == -17
    assert call("insmod", name="huge", size=2 << 30).ret == -12
    assert call("insmod", name="empty", size=0).ret == -8


def test_rmmod_purges_what_waits() -> None:
    call = Caller("x86_64-1g")
    call("insmod", name="ext4", size=PAGE)
    call("vfree", addr=f"{call.addr('vmalloc', size=PAGE):#x}")
    assert call.m.vmap.vmap_lazy_nr == 2
    outcome = call("rmmod", name="ext4")
    assert (outcome.ret, outcome.verdict) == (0, "ok")
    assert call.m.vmap.vmap_lazy_nr == 0
    outcome = call("rmmod", name="ext4")
    assert (outcome.ret, outcome.verdict) == (-2, "null")


def test_i386_modules_share_the_vmalloc_range() -> None:
    call = Caller("i386-1g")
    area = call("insmod", name="ext4", size=PAGE).area
    assert area is not None
    assert area["address"] == "0xf77fe000"


# -- many at once, and the dump --------------------------------------------------------------------


def test_a_list_of_areas_is_freed_by_its_addresses() -> None:
    call = Caller("x86_64-1g")
    outcome = call("vmalloc", size=PAGE, repeat=10)
    assert (outcome.ret, outcome.runs) == (10, [[f"{START:#x}", 10]])
    assert outcome.named is not None
    assert (outcome.named.kind, outcome.named.stride) == ("addrs", 2 * PAGE)
    freed = call("vfree", addr=[[f"{START:#x}", 10, 2 * PAGE]], step=2)
    assert freed.ret == 5
    assert [va.va_start for va in call.m.vmap.busy] == [
        START + place * 4 * PAGE + 2 * PAGE for place in range(5)
    ]


def test_the_list_of_areas_shows_who_has_what() -> None:
    call = Caller()
    kept = call("vmalloc", size=2 * PAGE, task="alice")
    call("vfree", addr=f"{call.addr('vmalloc', size=PAGE):#x}")
    areas = vmap_areas_view(call.m)["areas"]
    assert [(area["kind"], area["lazy"]) for area in areas] == [
        ("vmalloc", False),
        ("unpurged vm_area", True),
    ]
    assert kept.area is not None
    assert (areas[0]["task"], areas[0]["seq"], areas[0]["pfns"]) == ("alice", 1, kept.area["pfns"])


def test_a_dump_brings_everything_back() -> None:
    call = Caller("x86_64-1g")
    call("vmalloc", size=3 * MIB)
    call("kvmalloc", size=5 * MIB, flags="GFP_KERNEL")
    call("insmod", name="ext4", size=50_000)
    call("vfree", addr=f"{call.addr('vmalloc', size=PAGE):#x}")
    assert call.reloaded() == call.m.dump()


def broken(doc: dict[str, Any], *path: Any, value: Any) -> dict[str, Any]:
    """A document with one value changed."""
    copy: dict[str, Any] = json.loads(json.dumps(doc))
    place: Any = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("vmap", "busy", 0), ["0x1000"]),
        (("vmap", "busy", 0), ["0xffffc90000000000", "0xffffc8ffffffffff"]),
        (("vmap", "free", 0), ["0x1", "0xffffc90000001000"]),
        (("vmap", "vmalloc_end"), "0x10"),
        (("vmap", "objects", "busy"), []),
        (("vmap", "preload"), [None, None]),
        (("vmap", "areas", 0, "addr"), "0x1000"),
        (("vmap", "areas", 0, "pages"), [[5, 1 << 30]]),
        (("vmap", "areas", 0, "pages"), [[1 << 33, 1]]),
        (("vmap", "areas", 0, "pages"), [[5, 1], [5, 1]]),
        (("vmap", "areas", 0, "task"), 5),
        (("vmap", "areas"), 7),
        (("vmap", "page_tables"), [[21, 5]]),
        (("vmap", "modules"), [["a", "0x1000", -1]]),
    ],
)
def test_a_dump_that_cannot_be_is_refused_with_its_place(path: tuple[Any, ...], value: Any) -> None:
    call = Caller("x86_64-1g")
    call("vmalloc", size=PAGE)
    with pytest.raises(BadArgument) as caught:
        boot.load(broken(call.m.dump(), *path, value=value))
    assert caught.value.faults[0].loc[:2] == ("dump", "vmap")
