"""A machine from /proc texts has exactly their counts, and is one that a kernel could be in."""

import re
from typing import Any

import pytest

from app.errors import BadArgument
from app.machine import boot, invariants
from app.machine.machine import Machine
from app.machine.proctext import layout, reading, splitting
from app.mm.proc import buddyinfo, pagetypeinfo, zoneinfo
from tests.support.lab import Lab
from tests.support.random_calls import RandomCalls

PC = (
    "Node 0, zone      DMA      1      1      0      0      2      1      1      0      1      1      3 \n"
    "Node 0, zone    DMA32    335    304    245    181     95     40    177     71     33     15    102 \n"
    "Node 0, zone   Normal    902    844    172    103    404    211    112     54     36     12    340 \n"
)
NUMA = (
    "Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3 \n"
    "Node 0, zone    DMA32      5      6      5      6      5      7      6      5      6      6    446 \n"
    "Node 0, zone   Normal    313    160     10      2      7      5      3      2      1      0    900 \n"
    "Node 1, zone   Normal     13     16     10      2      7      5      3      2      1      0    700 \n"
)
OLD_PC = (
    "Node 0, zone      DMA      4      4      4      4      4      3      2      1      0      1      2 \n"
    "Node 0, zone   Normal    313    160     10      2      7      5      3      2      1      0     20 \n"
    "Node 0, zone  HighMem      0      1      0      0      7      5      3      2      1      0     20 \n"
)
BOARD = (
    "Node 0, zone      DMA   1013    560    210    102     77     45     30     22     15      9    120 \n"
    "Node 0, zone   Normal    313    160     10      2      7      5      3      2      1      0     20 \n"
)
EMPTY = " ".join(f"0*{4 << order}kB" for order in range(2, 11))
REPORT = (
    "[ 9.1] cat invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
    "[ 9.1] Node 0 DMA free:9472kB boost:0kB min:32kB low:44kB high:56kB present:15992kB managed:15360kB\n"
    "[ 9.1] lowmem_reserve[]: 0 958 958 958\n"
    "[ 9.1] Node 0 DMA32 free:13004kB boost:0kB min:3000kB low:4000kB high:5000kB present:1032060kB "
    "managed:982000kB\n"
    "[ 9.1] Node 0 DMA: 0*4kB 0*8kB 0*16kB 0*32kB 0*64kB 2*128kB (U) 0*256kB 0*512kB 1*1024kB (U) 0*2048kB "
    "2*4096kB (M) = 9472kB\n"
    f"[ 9.1] Node 0 DMA32: 2941*4kB (UM) 155*8kB (UME) {EMPTY} = 13004kB\n"
    "[ 9.1] 1204 total pagecache pages\n"
)
BOUNDS = re.compile(r"\s+(boost|min|low|high|spanned|present|managed|protection:|start_pfn:) ")


def machine_of(texts: Any) -> Machine:
    """The machine, in order and equal to what its dump makes."""
    m = boot.boot({"proc": texts})
    assert invariants.verify(m) == []
    dump = m.dump()
    assert boot.load(dump).dump() == dump
    return m


def bounds(text: str) -> list[str]:
    """The lines of zoneinfo that a text decides."""
    return [line for line in text.splitlines() if BOUNDS.match(line)]


def free_by_type(m: Machine) -> list[list[str]]:
    return [line.split() for line in pagetypeinfo.show(m).splitlines() if ", type" in line]


@pytest.mark.parametrize("text", [PC, NUMA, OLD_PC, BOARD, PC.splitlines()[0]])
def test_the_machine_has_exactly_the_counts_of_buddyinfo(text: str) -> None:
    m = machine_of({"buddyinfo": text})
    assert buddyinfo.show(m).split() == text.split()
    assert m.model.arch == ("i386" if "HighMem" in text else "x86_64")


def test_what_is_not_free_is_in_use_by_somebody_and_can_be_freed() -> None:
    m = machine_of(PC)
    free = sum(zone.nr_free_pages for zone in m.zones)
    assert {page.task for page in m.pages.values()} == {"somebody"}
    assert sum(1 << page.order for page in m.pages.values()) == sum(z.managed_pages for z in m.zones) - free
    lab = Lab(m)
    pfn, order = next((page.pfn, page.order) for page in m.pages.values() if page.order == 10)
    assert lab("__free_pages", pfn=pfn, order=order).verdict == "ok"
    assert m.nr_free_pages == free + 1024
    list(RandomCalls(m, 5).outcomes(200))
    assert invariants.verify(m) == []


@pytest.mark.parametrize(
    "description",
    [
        {"profile": "x86_64-1g", "cpus": 2},
        {"profile": "i386-1g"},
        {"profile": "tiny-32m"},
        {"profile": "x86_64-8g", "nodes": 2, "cpus": 2, "movablecore": "1G"},
    ],
)
@pytest.mark.parametrize("calls", [0, 500])
def test_a_machines_own_texts_give_its_counts_types_bounds_and_marks(
    description: dict[str, Any], calls: int
) -> None:
    m = boot.boot(description)
    list(RandomCalls(m, calls).outcomes(calls))
    texts = buddyinfo.show(m) + pagetypeinfo.show(m) + zoneinfo.show(m)
    again = machine_of(texts)
    assert buddyinfo.show(again) == buddyinfo.show(m)
    assert free_by_type(again) == free_by_type(m)
    assert bounds(zoneinfo.show(again)) == bounds(zoneinfo.show(m))
    assert again.model.cpus == m.model.cpus


def test_a_report_of_the_log_is_taken_with_its_sizes_and_marks() -> None:
    m = machine_of(REPORT)
    dma, dma32 = m.zones
    assert [area.nr_free for area in dma.free_area] == [0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 2]
    assert [area.nr_free for area in dma32.free_area][:3] == [2941, 155, 0]
    assert (dma32.present_pages, dma32.managed_pages) == (1032060 // 4, 982000 // 4)
    assert dma32.watermark[:3] == [750, 1000, 1250]
    lists = dma32.free_area[1].free_list
    assert [len(blocks) for blocks in lists[:3]] == [153, 1, 1]


def test_a_report_of_an_older_kernel_names_no_node_and_no_types() -> None:
    listed = " ".join(f"{count}*{4 << order}kB" for order, count in enumerate((107, 108, 86, *[0] * 8)))
    m = machine_of(f"[ 1362.4] lowmem_reserve[]: 0 0\n[ 1362.5] Normal: {listed} = 2668kB\n[ 1.6] 5 pages\n")
    (zone,) = m.zones
    assert (zone.name, [area.nr_free for area in zone.free_area][:4]) == ("Normal", [107, 108, 86, 0])


def test_pagetypeinfo_of_another_moment_gives_the_types_and_buddyinfo_the_numbers() -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    list(RandomCalls(m, 3).outcomes(300))
    types = pagetypeinfo.show(m)
    list(RandomCalls(m, 4).outcomes(50))
    again = machine_of({"buddyinfo": buddyinfo.show(m), "pagetypeinfo": types})
    assert buddyinfo.show(again) == buddyinfo.show(m)


def test_types_of_other_kernels_are_read_as_what_they_were() -> None:
    zone = reading.ZoneText(0, "DMA", ("line", 1), [0] * 11)
    reading.add_free(zone, reading.MIGRATETYPES["CMA"], "1 " * 11, ())
    reading.add_free(zone, reading.MIGRATETYPES["Movable"], "1 " * 10 + ">100000", ())
    assert zone.types == {1: [2] * 10 + [100_001]}


def test_prompts_around_the_texts_are_passed_over() -> None:
    machine_of("$ cat /proc/buddyinfo\n" + PC)
    parts = splitting.split(
        PC + "$ cat /proc/zoneinfo\n" + zoneinfo.show(boot.boot({"profile": "x86_64-8g"}))
    )
    assert set(parts) == {"buddyinfo", "zoneinfo"}


def test_no_free_block_lies_beside_a_free_buddy_of_its_order() -> None:
    counts = {0: [40, 3, 0, 5, 1, 0, 2, 1, 3, 2, 1], 1: [7, 0, 9, 1, 0, 3, 0, 0, 1, 4, 2]}
    placed = layout.Layout([(0x101, 0x101 + layout.frames_needed(counts) + 1024)])
    placed.place_all(counts)
    free = {(pfn, order) for pfn, order, _ in placed.free}
    assert len(free) == len(placed.free) == sum(map(sum, counts.values()))
    assert not any((pfn ^ 1 << order, order) in free for pfn, order in free if order < 10)
    frames = [pfn + n for pfn, order in (*free, *placed.rest()) for n in range(1 << order)]
    assert len(frames) == len(set(frames))
    assert all(placed.blocks[pfn >> 9] == migratetype for pfn, _, migratetype in placed.free)


@pytest.mark.parametrize(
    ("texts", "place", "words"),
    [
        (7, (), "a text, or an object"),
        ({"buddyinfo": 7}, ("buddyinfo",), "the text of /proc/buddyinfo"),
        ({"zoneinfo": "x"}, ("buddyinfo",), "required"),
        ({"buddyinfo": PC, "meminfo": ""}, ("meminfo",), "known are buddyinfo"),
        ("x" * (1 << 21), ("buddyinfo",), "at most"),
        ("hello", ("line", 1), "the text of /proc/buddyinfo"),
        ("\nNode 0, zone DMA 1 2 3", ("line", 2), "here are 3"),
        (PC + "total 7", ("line", 4), "a line of /proc/buddyinfo"),
        (PC + PC, ("line", 4), "once"),
        (PC.replace("Normal", "Device"), ("line", 3), "a zone of DMA"),
        (PC.replace("Node 0, zone   Normal", "Node 3, zone   Normal"), ("buddyinfo",), "without a gap"),
        (PC.replace(" 102 ", " 9999999999 "), ("line", 2), "numbers up to"),
        (PC.replace(" 102 ", " 4000000000 "), ("buddyinfo",), "1 TiB"),
        (PC.replace("902 ", "990233 "), ("buddyinfo",), "free blocks below order 10"),
        (PC.replace("Normal", "HighMem"), ("buddyinfo",), "both DMA32 and HighMem"),
        (REPORT.replace("0*16kB", "0*32kB"), ("line", 5), "from 4kB to 4096kB"),
        (REPORT.replace("managed:982000kB", "managed:9820kB"), ("line", 6), "that fit into DMA32"),
        (REPORT.replace("min:3000kB", "min:9000kB"), ("line", 6), "rise from min to low"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused_by_line(
    texts: Any, place: tuple[str | int, ...], words: str
) -> None:
    with pytest.raises(BadArgument) as refused:
        boot.boot({"proc": texts})
    fault = refused.value.faults[0]
    assert fault.loc == ("proc", *place)
    assert words in fault.msg


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("pagetypeinfo", "Unmovable", "Strange", "a migratetype of"),
        ("pagetypeinfo", "     0 \n", "\n", "numbers of free blocks"),
        ("zoneinfo", "zone    DMA32", "zone    Other", "a part for DMA32"),
        ("zoneinfo", "cpu: 0", "cpu: 99", "at most 64 CPUs"),
        ("zoneinfo", "managed  3840", "managed  9840", "managed frames among"),
        ("zoneinfo", "spanned  4095", "spanned  99999", "a zone above the others"),
    ],
)  # fmt: skip
def test_the_refining_texts_are_refused_in_words(name: str, old: str, new: str, words: str) -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    texts = {
        "buddyinfo": buddyinfo.show(m),
        "pagetypeinfo": pagetypeinfo.show(m),
        "zoneinfo": zoneinfo.show(m),
    }
    assert old in texts[name]
    with pytest.raises(BadArgument, match=words):
        boot.boot({"proc": texts | {name: texts[name].replace(old, new)}})
