"""From what the kernel returned to what the caller reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import vmallocinfo
from app.machine.calls import Call, Named
from app.machine.entry import objects
from app.machine.outcome import Outcome, SeenPage
from app.machine.vocabulary import Returns
from app.mm import page_ref
from app.mm.memory_model import PAGE_SHIFT

if TYPE_CHECKING:
    from app.machine.machine import Machine

_ADDRESS: Final = Returns.ADDRESS
_PAGE: Final = Returns.PAGE


def page(m: Machine, pfn: int) -> SeenPage:
    """A page as it is now: where it lies and how often it is referenced."""
    zone = m.zone_of(pfn)
    model = m.model
    # As MemoryModel.pfn_to_virt and pfn_to_page, without the calls: every outcome comes by here.
    low = pfn < model.max_low_pfn
    address = model.page_offset + (pfn << PAGE_SHIFT) if low else m.pkmap.page_address(pfn)
    block = m.pages.get(pfn)
    if block is not None:
        order, refcount = block.order, block.refcount
    else:
        # Whether a frame without a record is free or reserved takes looking for it; one just freed is free.
        order, refcount = 0, 0 if pfn == m.current.freed else page_ref.page_ref_count(m, pfn)
    return pfn, order, zone, address, model.mem_map + pfn * model.sizeof_page, refcount


def result(m: Machine, call: Call, value: int | None, outcome: Outcome) -> None:
    """What one allocation returned."""
    returns = call.spec.returns
    if returns is not _ADDRESS:
        outcome.result = ("page", value)
        if value is not None:
            seen = outcome.seen = page(m, value)
            outcome.ret = f"{seen[4] if returns is _PAGE else seen[3]:#x}"
            if returns is not _PAGE and m.rules >= 2:
                outcome.result = ("addr", seen[3])
    else:
        outcome.result = ("addr", value)
        area = vmallocinfo.area_at(m, value)
        if area is not None:
            outcome.area = area
        objects.returned(m, value, outcome)
        if outcome.object is None or outcome.object["cache"] is None:
            describe_block(m, value, outcome)


def results(m: Machine, call: Call, values: list[int], outcome: Outcome) -> None:
    """What a loop of allocations returned."""
    outcome.ret = len(values)
    if call.spec.returns is not _ADDRESS:
        # An order that is not even a number of bits a machine could hold was not allocated either.
        stride = 1 << call.args.get("order", 0) if values else 1
        outcome.runs = in_runs(values, stride)
        order = call.args.get("order", 0)
        if call.spec.returns is _PAGE or m.rules < 2:
            outcome.result = Named("pages", order=order, runs=tuple((run[0], run[1]) for run in outcome.runs))
        else:
            offset = m.model.page_offset
            outcome.result = Named(
                "addrs",
                runs=tuple((offset + (run[0] << PAGE_SHIFT), run[1]) for run in outcome.runs),
                stride=stride << PAGE_SHIFT,
            )
    else:
        addresses(m, call, values, outcome)


def addresses(m: Machine, call: Call, values: list[int], outcome: Outcome) -> None:
    """Pieces of memory of one kind, by their addresses."""
    stride = stride_of(m, call, values[0]) if values else 1
    runs = in_runs(values, stride)
    outcome.runs = [[f"{address:#x}", count] for address, count in runs]
    outcome.result = Named("addrs", runs=tuple((run[0], run[1]) for run in runs), stride=stride)


def stride_of(m: Machine, call: Call, address: int) -> int:
    """Bytes from one piece of memory to the next of its kind, so that neighbours can be written as a run."""
    area = vmallocinfo.area_at(m, address)
    if area is not None:
        size: int = area["size"]
        return size
    return objects.stride_of(m, address) or call.spec.cost.frames(call.args) << PAGE_SHIFT


def in_runs(values: list[int], stride: int) -> list[list[int]]:
    """`[[first, blocks], …]` in the order of allocation."""
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][0] + runs[-1][1] * stride == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    return runs


def releasing(m: Machine, call: Call, value: int | None, outcome: Outcome) -> None:
    """What is about to be given back, while it can still be seen."""
    if call.spec.wants == "addr":
        area = vmallocinfo.area_at(m, value)
        if area is not None:
            outcome.area = area
        outcome.object = objects.describe(m, value)


def victim(m: Machine, call: Call, outcome: Outcome) -> None:
    """The page that a call was given which ended in an oops."""
    pfn = call.args.get("page")
    if outcome.seen is None and isinstance(pfn, int):
        outcome.seen = page(m, pfn)


def released(m: Machine, call: Call, value: int | None, outcome: Outcome) -> None:
    """The state of a page that was given back, where the call was given a page."""
    if "page" in call.args and value is not None:
        outcome.seen = page(m, value)
    elif call.spec.wants == "both" and m.rules >= 2:
        pfn = None if value is None else m.model.virt_to_pfn(value)
        outcome.seen = None if pfn is None else page(m, pfn)
    elif outcome.object is not None and outcome.object["slab_pfn"] not in m.slabs:
        describe_block(m, value, outcome)


def describe_block(m: Machine, address: int | None, outcome: Outcome) -> None:
    """The page behind an address: of memory that is no object, and of a slab that went with its last one."""
    pfn = None if address is None else m.model.virt_to_pfn(address)
    if pfn is not None:
        outcome.seen = page(m, page_ref.compound_head(m, pfn))
