"""Frames that were in use before a log began: put into the dump that its machine starts from.

A dump of a real kernel tells what is free, and not who has the rest. What the log frees was in use, so it is
put among the blocks in use, and can be freed then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.mm.mmzone import pindex_to_order

# Count, flags, mask, kind, task, seq and private of an adopted block: a dump's line of it.
LINE: Final = (1, 0, 0xCC0, "unmovable", "init", 0, 0)


def adopt(dump: dict[str, Any], wanted: Mapping[int, int]) -> tuple[dict[str, Any], set[int]]:
    """The dump with blocks in use, by first frame and order; and the frames of those that are left out.

    They are where the dump calls them free. A dump that is wrong is left to be
    refused where it is read.
    """
    pages = dump.get("pages", [])
    if not isinstance(pages, list):
        return dump, set(wanted)
    free, known = free_frames(dump), {line[0] for line in pages if isinstance(line, list) and line}
    left = {pfn for pfn, order in wanted.items() if pfn in free or pfn + (1 << order) - 1 in free}
    more = [[pfn, order, *LINE] for pfn, order in wanted.items() if pfn not in left and pfn not in known]
    return {**dump, "pages": sorted([*pages, *more], key=str_of)}, left


def str_of(line: Any) -> tuple[bool, Any]:
    """By frame, with what is no line of a dump at the end."""
    right = isinstance(line, list) and bool(line) and isinstance(line[0], int)
    return not right, line[0] if right else 0


def free_frames(dump: Mapping[str, Any]) -> set[int]:
    """Every frame that a dump calls free."""
    free: set[int] = set()
    zones = dump.get("zones")
    for zone in zones if isinstance(zones, list) else ():
        for key, blocks in mapping(zone, "free_list").items():
            free.update(frames(blocks, digits(key[:-1])))
        per_cpu = zone.get("pcp") if isinstance(zone, dict) else None
        for pcp in per_cpu if isinstance(per_cpu, list) else ():
            for key, blocks in mapping(pcp, "lists").items():
                free.update(frames(blocks, pindex_to_order(digits(key))))
    return free


def mapping(of: Any, name: str) -> dict[str, Any]:
    """A member that should be an object; an empty one where it is none."""
    found = of.get(name) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else {}


def digits(text: Any) -> int:
    """A number of a few digits, 0 where there is none."""
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 4 else 0


def frames(blocks: Any, order: int) -> set[int]:
    """The frames of some blocks."""
    firsts = [first for first in blocks if isinstance(first, int)] if isinstance(blocks, list) else []
    size = 1 << min(order, 10)
    return {pfn for first in firsts for pfn in range(first, first + size)}
