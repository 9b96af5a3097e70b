"""What the end of a compaction means for whoever waits for a block.

Kernel: include/linux/compaction.h
"""

from __future__ import annotations

from app.mm.compact_control import (
    COMPACT_COMPLETE,
    COMPACT_CONTENDED,
    COMPACT_DEFERRED,
    COMPACT_PARTIAL_SKIPPED,
    COMPACT_SKIPPED,
    COMPACT_SUCCESS,
)


def compaction_made_progress(result: int) -> bool:
    """Pages were moved, so that there may be a block now. Kernel: compaction_made_progress"""
    return result == COMPACT_SUCCESS


def compaction_failed(result: int) -> bool:
    """The whole zone was gone through, in vain. Kernel: compaction_failed"""
    return result == COMPACT_COMPLETE


def compaction_needs_reclaim(result: int) -> bool:
    """There were too few free pages to move others to. Kernel: compaction_needs_reclaim"""
    return result == COMPACT_SKIPPED


def compaction_withdrawn(result: int) -> bool:
    """It gave up early, or was put off. Kernel: compaction_withdrawn"""
    return result in (
        COMPACT_DEFERRED,
        COMPACT_CONTENDED,
        COMPACT_PARTIAL_SKIPPED,
    )
