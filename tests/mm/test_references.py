"""Reference counts: who frees what, and when."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.mm.page import PAGE_FLAG_NAMES
from app.mm.page_ref import compound_head, page_flags
from app.recording import Replay, number
from tests.support.lab import Lab, texts

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*/g_refs.jsonl.gz"))


@pytest.fixture
def lab() -> Lab:
    return Lab()


class Looking(Replay):
    """A replay that also compares what struct page says after each operation."""

    def compared(
        self, machine: Machine, line: dict[str, Any], outcome: Outcome
    ) -> Iterator[tuple[str, Any, Any]]:
        yield from super().compared(machine, line, outcome)
        if line.get("pfn") is not None:
            pfn = number(line["pfn"])
            flags = page_flags(machine, pfn)
            yield "pg", [name for bit, name in enumerate(PAGE_FLAG_NAMES) if flags >> bit & 1], line["pg"]
            yield "tail", int(compound_head(machine, pfn) != pfn), line["tail"]
            yield "head_pfn", compound_head(machine, pfn), number(line["head_pfn"])


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.parent.name)
def test_counts_flags_and_heads_of_a_real_kernel(path: Path) -> None:
    report = Looking(path).run()
    assert [str(miss) for miss in report.misses] == []
    assert report.exact == report.operations == 94
    assert report.end_states == {"after": []}


def test_recordings_are_there() -> None:
    assert {path.parent.name for path in RECORDINGS} >= {"plain-64M"}


def test_the_last_of_several_references_frees(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("get_page", pfn=pfn)
    free = lab.free()
    lab("put_page", pfn=pfn)
    assert (lab.free(), lab.count(pfn)) == (free, 1)
    lab("__free_pages", pfn=pfn, order=0)
    assert lab.free() == free + 1


def test_a_block_that_is_not_compound_counts_on_its_first_frame(lab: Lab) -> None:
    pfn = lab.alloc(2)
    assert [lab.count(pfn + offset) for offset in range(4)] == [1, 0, 0, 0]
    assert lab("page_count", pfn=pfn + 1).ret == 0


def test_the_tail_goes_at_once_while_page_0_is_held(lab: Lab) -> None:
    pfn = lab.alloc(2)
    lab("get_page", pfn=pfn)
    freed = lab("__free_pages", pfn=pfn, order=2)
    assert freed.changed == [[pfn + 1, 3, "pcp"]]
    assert lab("alloc_pages", gfp="GFP_KERNEL", order=1).page["pfn"] == pfn + 2  # type: ignore[index]
    assert lab.alloc() == pfn + 1
    lab("put_page", pfn=pfn)
    assert lab.m.lost == 0
    assert lab.alloc() == pfn


def test_a_compound_page_is_counted_at_its_head(lab: Lab) -> None:
    pfn = lab.alloc(3, "GFP_KERNEL|__GFP_COMP")
    lab("get_page", pfn=pfn + 5)
    assert (lab.count(pfn), lab.count(pfn + 5), lab("page_count", pfn=pfn + 7).ret) == (2, 0, 2)
    lab("put_page", pfn=pfn + 1)
    free = lab.free()
    lab("put_page", pfn=pfn + 6)
    assert lab.free() == free + 8


def test_get_page_unless_zero_looks_at_the_very_frame(lab: Lab) -> None:
    pfn = lab.alloc(1, "GFP_KERNEL|__GFP_COMP")
    assert lab("get_page_unless_zero", pfn=pfn).ret == 1
    assert lab("get_page_unless_zero", pfn=pfn + 1).ret == 0
    assert lab.count(pfn) == 2


def test_the_last_put_of_a_block_loses_its_tail(lab: Lab) -> None:
    pfn = lab.alloc(3)
    free = lab.free()
    put = lab("put_page", pfn=pfn)
    assert (lab.m.lost, lab.free(), put.verdict) == (7, free + 1, "ok")
    assert put.changed == [[pfn, 1, "pcp"], [pfn + 1, 7, "lost"]]


def test_a_tail_frame_with_a_reference_is_not_lost() -> None:
    lab = Lab(debug=False)
    pfn = lab.alloc(2)
    lab("get_page", pfn=pfn + 2)
    lab("put_page", pfn=pfn)
    assert lab.m.lost == 2
    free = lab.free()
    lab("put_page", pfn=pfn + 2)
    assert (lab.free(), lab.m.lost) == (free + 1, 2)


def test_a_tail_frame_can_be_freed_out_of_its_block() -> None:
    lab = Lab(debug=False)
    pfn = lab.alloc(3)
    lab("get_page", pfn=pfn + 3)
    lab("put_page", pfn=pfn + 3)
    assert (lab.used(), lab.m.lost) == (7, 0)
    # The kernel would now free frame 3 again; seven frames go back, and that is said.
    freed = lab("__free_pages", pfn=pfn, order=3)
    assert (lab.used(), lab.m.lost, freed.verdict) == (0, 0, "warn")
    assert "1 of the frames" in freed.log[0]


def test_kernel_memory_can_be_looked_at() -> None:
    path = next(path for path in RECORDINGS if path.parent.name == "plain-64M")
    replay = Replay(path)
    replay.run()
    assert replay.machine is not None
    lab = Lab(replay.machine)
    lab.seq = 1000
    kernel = 0x1000
    assert lab("page_count", pfn=kernel).ret == 1
    lab("get_page", pfn=kernel)
    assert lab.count(kernel) == 2
    lab("put_page", pfn=kernel)
    assert lab.m.stray == {}
    lost = lab.m.lost
    put = lab("put_page", pfn=kernel)
    assert "page dumped because: PAGE_FLAGS_CHECK_AT_FREE flag(s) set" in texts(put)
    assert (put.verdict, lab.m.lost, lab.count(kernel)) == ("bug", lost, 0)


def test_a_single_page_is_never_compound(lab: Lab) -> None:
    assert page_flags(lab.m, lab.alloc(0, "GFP_KERNEL|__GFP_COMP")) == 0


def test_of_a_tail_that_is_freed_the_upper_half_goes_first(lab: Lab) -> None:
    """With free_factor set, a free of order 1 empties the per-CPU lists: what is left there came later."""
    pfn = lab.alloc(2)
    lab("get_page", pfn=pfn)
    (zone,) = lab.m.zones
    zone.pcp[0].free_factor = 1
    lab("__free_pages", pfn=pfn, order=2)
    assert [list(pages) for pages in zone.pcp[0].lists if pages] == [[pfn + 1]]
