"""Which zone serves a request, and how many bytes it gets."""

from __future__ import annotations

from typing import Final

from app.exercises.forms import Answer
from app.exercises.likely.act import Act, Likely
from app.mm.gfp import __GFP_HIGHMEM, highest_zone
from app.mm.memory_model import PAGE_SIZE

# -- zones ----------------------------------------------------------------------------------------------


def always_normal(act: Act) -> Answer | None:
    """Everything comes from Normal."""
    return "Normal" if act.allocates else None


def own_zone(act: Act) -> Answer | None:
    """The zone that the mask names, although it cannot give."""
    return act.zones[0].name if act.allocates and act.zones else None


def highmem(act: Act) -> Answer | None:
    """HighMem where a mask allows it, on a machine that has none."""
    allowed = act.allocates and act.mask & __GFP_HIGHMEM
    return "HighMem" if allowed and "HighMem" not in act.before.zone_index else None


def higher_zone(act: Act) -> Answer | None:
    """A zone above the one that the mask names, as if a request could fall back upwards."""
    if not act.allocates:
        return None
    highest = highest_zone(act.before.zone_index, act.mask)
    above = [zone for zone in act.before.zones if zone.zid > highest and zone.managed_pages]
    return min(above, key=lambda zone: zone.zid).name if above else None


# -- sizes ----------------------------------------------------------------------------------------------


def asked(act: Act) -> int | None:
    """How many bytes the call asked for."""
    size, number = act.call.args.get("size"), act.call.args.get("n", 1)
    if not act.allocates or act.outcome.ret is None:
        return None
    return size * number if isinstance(size, int) and isinstance(number, int) and size > 0 else None


def bytes_asked(act: Act) -> Answer | None:
    """Exactly as many as were asked for."""
    return asked(act)


def whole_pages(act: Act) -> Answer | None:
    """Whole pages."""
    size = asked(act)
    return None if size is None else -(-size // PAGE_SIZE) * PAGE_SIZE


def power_of_two(act: Act) -> Answer | None:
    """The next power of two."""
    size = asked(act)
    return None if size is None else 1 << (size - 1).bit_length()


LIKELY: Final = (
    Likely("always_normal", "zone", "always normal", always_normal),
    Likely("own_zone", "zone", "full zone", own_zone),
    Likely("highmem", "zone", "highmem on x86-64", highmem),
    Likely("higher_zone", "zone", "upwards", higher_zone),
    Likely("bytes_asked", "size", "exactly asked", bytes_asked),
    Likely("power_of_two", "size", "powers of two", power_of_two),
    Likely("whole_pages", "size", "whole pages", whole_pages),
)
