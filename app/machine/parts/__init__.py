"""The parts of a machine's state, each with how it is written, read and checked.

To add a part: a module here with its `PART`, and its place in the list. Parts are written and read in this
order, so a part may use those before it.
"""

from __future__ import annotations

from typing import Final

from app.machine.parts import (
    accounts,
    compaction,
    counters,
    frames,
    log,
    origin,
    page_tables,
    pages,
    pcp,
    pkmap,
    processes,
    report,
    settings,
    shape,
    slabs,
    tasks,
    vmap,
    zones,
)
from app.machine.parts.part import Part

PARTS: Final[tuple[Part, ...]] = (
    shape.PART,
    zones.PART,
    pcp.PART,
    settings.PART,
    origin.PART,
    pages.PART,
    slabs.PART,
    vmap.PART,
    page_tables.PART,
    frames.PART,
    tasks.PART,
    processes.PART,
    pkmap.PART,
    compaction.PART,
    counters.PART,
    log.PART,
    accounts.PART,
    report.PART,
)
