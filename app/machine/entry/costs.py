"""How much a call may ask for: the functions of which a `Cost` is made, and costs that several calls have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.vocabulary import Args, Cost
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine


def frames_of_order(args: Args) -> int:
    """Of a call that is told an order. The argument may be missing, while a call is judged."""
    order = args.get("order")
    return 1 << min(order, 10) if isinstance(order, int) else 1


def frames_of_size(args: Args) -> int:
    """Of a call that is told a number of bytes: whole frames of them, at least one."""
    return max(1, (args.get("size") or 0) >> PAGE_SHIFT)


def frames_of_array(args: Args) -> int:
    """Of a call that is told a number of elements and their size: whole frames, at least one."""
    return max(1, (args.get("n") or 0) * (args.get("size") or 0) >> PAGE_SHIFT)


def pages_of_size(args: Args) -> int:
    """Of a call that works on single pages: as many as hold a number of bytes, at least one."""
    return max(1, -(-(args.get("size") or 0) // PAGE_SIZE))


def block_a_round(m: Machine, call: Call) -> int:
    """Live blocks of a call that makes one in each round."""
    return call.repeat or 1


def block_a_frame(m: Machine, call: Call) -> int:
    """Live blocks of a call that makes one of every frame; more than there is memory it will not get."""
    frames = call.spec.cost.each(call.args)
    if frames > sum(zone.managed_pages for zone in m.zones):
        return 1
    times = 1 if call.repeat is None or call.until is not None else call.repeat
    return min(times * frames, m.nr_free_pages)


def given_area_pages(m: Machine, call: Call, given: int | None) -> int:
    """Pages of the area that a call is given."""
    return area_pages(m, given)


def area_pages(m: Machine, address: int | None) -> int:
    """Pages of the vmalloc area that an address lies in."""
    area = None if address is None else m.vmap.busy.find(address)
    return 1 if area is None else (area.va_end - area.va_start) >> PAGE_SHIFT


ONE_BLOCK: Final = Cost(blocks=block_a_round)
BLOCK_OF_ORDER: Final = Cost(frames_of_order, blocks=block_a_round)
OBJECT_OF_SIZE: Final = Cost(frames_of_size, blocks=block_a_round)
PAGES_OF_SIZE: Final = Cost(frames_of_size, each=frames_of_size, blocks=block_a_frame)
FREE_OF_ORDER: Final = Cost(frames_of_order)
FREE_OF_AREA: Final = Cost(held=given_area_pages)
