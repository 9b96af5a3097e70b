"""Frames that were in use before a log began: put into the dump that its machine starts from.

A dump of a real kernel tells what is free, and not who has the rest. What the log frees was in use, so it is
put among the blocks in use, and can be freed then.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from app.machine.parts.shape import MAX_ZONES
from app.mm.mmzone import pindex_to_order

# Count, flags, mask, kind, task, seq and private of an adopted block: a dump's line of it.
LINE: Final = (1, 0, 0xCC0, "unmovable", "init", 0, 0)
# Beyond every order that a dump may have.
HIGHEST_ORDER: Final = 30
HEX: Final = re.compile(r"0x[0-9a-f]{1,13}")


def adopt(dump: dict[str, Any], wanted: Mapping[int, int]) -> tuple[dict[str, Any], set[int]]:
    """The dump with blocks in use, by first frame and order; and the frames of those that are left out.

    They are in none of its zones, or share a frame with what the dump calls free, with another block in use,
    or with each other. A dump that is wrong, also by too many zones, is left to be refused where it is read.
    """
    pages = dump.get("pages", [])
    if not isinstance(pages, list):
        return dump, set(wanted)
    in_use = list(used_blocks(pages))
    known, blocks = {first for first, _ in in_use}, Blocks([*free_blocks(dump), *in_use])
    zones, left, more, end = list(islice(spans(dump), MAX_ZONES)), set(), [], 0
    for pfn, order in sorted(wanted.items()):
        if pfn in known:
            continue
        outside = bool(zones) and not any(
            first <= pfn and pfn + (1 << order) <= last for first, last in zones
        )
        if outside or pfn < end or blocks.meet(pfn, order):
            left.add(pfn)
            continue
        more.append([pfn, order, *LINE])
        end = pfn + (1 << order)
    return {**dump, "pages": sorted([*pages, *more], key=by_frame)}, left


def by_frame(line: Any) -> tuple[bool, Any]:
    """By frame, with what is no line of a dump at the end."""
    right = isinstance(line, list) and bool(line) and isinstance(line[0], int)
    return not right, line[0] if right else 0


class Blocks:
    """Blocks of which no two share a frame: as many numbers as there are blocks, not frames."""

    def __init__(self, blocks: Iterable[tuple[int, int]]) -> None:
        found = sorted(blocks)
        self._firsts = [first for first, _ in found]
        self._orders = [order for _, order in found]

    def meet(self, pfn: int, order: int) -> bool:
        """Whether one of them has a frame of a block."""
        place = bisect_left(self._firsts, pfn + (1 << order)) - 1
        return place >= 0 and self._firsts[place] + (1 << self._orders[place]) > pfn


def spans(dump: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """First frame of each zone, and the one behind its last, where a dump tells them."""
    zones = dump.get("zones")
    for zone in zones if isinstance(zones, list) else ():
        start, spanned = (
            (zone.get("start_pfn"), zone.get("spanned")) if isinstance(zone, dict) else (None, None)
        )
        if isinstance(start, str) and HEX.fullmatch(start) and isinstance(spanned, int):
            yield int(start, 16), int(start, 16) + spanned


def used_blocks(pages: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """First frame and order of every block that a dump says is in use."""
    for line in pages:
        if isinstance(line, list) and len(line) > 1 and isinstance(line[0], int) and isinstance(line[1], int):
            yield line[0], max(0, min(line[1], HIGHEST_ORDER))


def free_blocks(dump: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """First frame and order of every block that a dump calls free."""
    zones = dump.get("zones")
    for zone in zones if isinstance(zones, list) else ():
        for key, blocks in mapping(zone, "free_list").items():
            yield from ((first, digits(key[:-1])) for first in numbers(blocks))
        per_cpu = zone.get("pcp") if isinstance(zone, dict) else None
        for pcp in per_cpu if isinstance(per_cpu, list) else ():
            for key, blocks in mapping(pcp, "lists").items():
                yield from ((first, pindex_to_order(digits(key))) for first in numbers(blocks))


def mapping(of: Any, name: str) -> dict[str, Any]:
    """A member that should be an object; an empty one where it is none."""
    found = of.get(name) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else {}


def digits(text: Any) -> int:
    """An order or a list's number, 0 where there is none."""
    found = int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 4 else 0
    return min(found, HIGHEST_ORDER)


def numbers(values: Any) -> list[int]:
    """The numbers of what should be a list of them."""
    return [one for one in values if isinstance(one, int)] if isinstance(values, list) else []
