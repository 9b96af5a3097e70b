"""Translations between pages, frame numbers and addresses; vmalloc_to_page; arrays of kvmalloc."""

from typing import Any

import pytest

from app.machine import boot, parsing
from app.machine.calls import Named
from app.machine.outcome import Outcome
from app.mm.memory_model import PAGE_SIZE
from tests.support.explainer import Explainer, only
from tests.support.lab import Lab, texts

KERNEL = "GFP_KERNEL"


@pytest.fixture(params=["x86_64-1g", "i386-1g"])
def lab(request: pytest.FixtureRequest) -> Lab:
    return Lab(profile=request.param)


class Names:
    """Calls whose results are called by the calls' names."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.names: dict[str, Named] = {}

    def __call__(self, name: str, /, **body: Any) -> Outcome:
        m = self.lab.m
        self.lab.seq += 1
        call = parsing.parse(name, body, m.model, self.names).resolve(self.names, m.model)
        outcome = m.apply(call, self.lab.seq)
        if outcome.named is not None:
            self.names[name] = outcome.named
        return outcome


def test_there_and_back(lab: Lab) -> None:
    calls = Names(lab)
    page = calls("alloc_page", gfp=KERNEL).page
    assert page is not None
    pfn = page["pfn"]
    assert calls("page_to_pfn", page="$alloc_page").ret == pfn
    assert calls("pfn_to_page", pfn="$page_to_pfn").ret == page["page"]
    assert calls("page_address", page="$pfn_to_page").ret == page["address"]
    assert calls("virt_to_phys", addr=page["address"]).ret == f"{pfn * PAGE_SIZE:#x}"
    assert calls("phys_to_virt", address="$virt_to_phys+16").ret == f"{int(page['address'], 16) + 16:#x}"
    assert calls("put_page", page="$pfn_to_page").verdict == "ok"


def test_numbers_as_they_are_written(lab: Lab) -> None:
    assert lab("pfn_to_page", pfn=16).ret == lab("pfn_to_page", pfn="0x10").ret
    for wrong in (-1, 1 << 64, "10", "$none", 1.5, None, True):
        with pytest.raises(ValueError, match=r"a number, or|nothing is named"):
            lab("pfn_to_page", pfn=wrong)
    calls = Names(lab)
    calls("alloc_page", gfp=KERNEL)
    with pytest.raises(ValueError, match="is no number"):
        calls("pfn_to_page", pfn="$alloc_page")


def test_arithmetic_knows_no_bounds() -> None:
    lab = Lab(profile="x86_64-1g")
    assert lab("pfn_to_page", pfn=1 << 40).ret == "0x2a0000000000"
    assert lab("virt_to_phys", addr="0xffffc90000000000").ret == "0x408000000000"
    assert lab("virt_to_phys", addr="0xffffffffc0000000").ret == "0x40000000"
    assert lab("virt_to_phys", addr=None).ret == "0x778000000000"


def test_the_null_page_has_a_number() -> None:
    """(0 − vmemmap) / sizeof(struct page)."""
    assert Lab(profile="x86_64-1g")("page_to_pfn", page=None).ret == 0x160000000000 // 64


def test_pages_behind_addresses(lab: Lab) -> None:
    vm = lab("vmalloc", size=3 * PAGE_SIZE)
    assert isinstance(vm.ret, str)
    start = int(vm.ret, 16)
    pages = [lab("vmalloc_to_page", addr=f"{start + place * PAGE_SIZE + 7:#x}") for place in range(4)]
    area = lab.m.vmap.busy.find(start)
    assert area is not None
    assert area.vm is not None
    assert [one.page and one.page["pfn"] for one in pages] == [*area.vm.pages, None]
    assert (pages[3].ret, pages[3].verdict) == (None, "null")  # the guard page
    pfn = lab.alloc()
    direct = lab("vmalloc_to_page", addr=f"{lab.m.page_address(pfn):#x}")
    assert direct.page is not None
    assert direct.page["pfn"] == pfn
    lab("vfree", addr=vm.ret)
    assert lab("vmalloc_to_page", addr=vm.ret).ret is None
    assert lab("vmalloc_to_page", addr=None).ret is None


def test_huge_pages_and_kmap_slots() -> None:
    lab = Lab(profile="x86_64-1g")
    huge = lab("kvmalloc", size=5 << 20, flags=KERNEL)
    assert isinstance(huge.ret, str)
    one, two = (lab("vmalloc_to_page", addr=f"{int(huge.ret, 16) + place:#x}").page for place in (0, 5000))
    assert one is not None
    assert two is not None
    assert two["pfn"] == one["pfn"] + 1
    i386 = Lab(profile="i386-1g")
    high = i386.alloc(gfp="GFP_HIGHUSER")
    mapped = i386("kmap", pfn=high)
    found = i386("vmalloc_to_page", addr=mapped.ret).page
    assert found is not None
    assert found["pfn"] == high


def test_what_is_not_known_is_said() -> None:
    said = Lab(profile="x86_64-1g")("vmalloc_to_page", addr="0xffffea0000000000")
    assert any("which frames hold struct pages is not kept" in line for line in texts(said))


def test_the_page_tables_are_explained() -> None:
    machine = Explainer()
    machine.call("vmalloc", size=PAGE_SIZE)
    address = machine.outcome.ret
    step = only(machine.call("vmalloc_to_page", addr=address), "vmalloc_to_page")
    assert step["what"].startswith(
        f"{address} is page 0 of the area at {address}: the page tables have page "
    )
    past = f"{int(address, 16) + PAGE_SIZE:#x}"
    guard = only(machine.call("vmalloc_to_page", addr=past), "vmalloc_to_page")
    assert guard["what"] == f"{past} is the guard page of the area at {address}: the page tables have no page"


@pytest.mark.parametrize("name", ["kvmalloc_array", "kvcalloc"])
def test_arrays_from_either(name: str) -> None:
    lab = Lab(profile="x86_64-1g", debug=False)
    small, large = (lab(name, n=n, size=4096, flags=KERNEL) for n in (1, 100_000))
    assert small.object is not None
    assert small.object["cache"] == "kmalloc-4k"
    assert large.area is not None
    over = lab(name, n=1 << 40, size=1 << 40, flags=KERNEL)
    assert (over.ret, over.verdict, over.log) == (None, "null", [])
    machine = Explainer()
    (step,) = machine.call(name, n=1 << 40, size=1 << 40, flags=KERNEL)
    assert (step["fn"], step["file"]) == ("kvmalloc_array", "include/linux/slab.h")


def test_zeroed_from_either() -> None:
    lab = Lab(profile="x86_64-1g")
    assert lab("kvzalloc", size=64, flags=KERNEL).object is not None
    assert lab("kvzalloc", size=8 << 20, flags=KERNEL).area is not None


def test_dma_pages() -> None:
    page = Lab(profile="x86_64-1g")("__get_dma_pages", gfp=KERNEL, order=2).page
    assert page is not None
    assert (page["zone"], page["order"]) == ("DMA", 2)


def test_a_boot_again_knows_numbers() -> None:
    named = Named("number", addr=18944)
    assert Named.from_json(named.as_json()) == named
    assert boot.boot({"profile": "tiny-16m"}).rules >= 1
