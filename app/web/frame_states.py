"""How pages show each state of a page frame: the one table that templates, scripts and styles are made from.

The names are the machine's (`STATES`), and the order is. A new state is a row here and two colours in
static/css/tokens.css, `--state-NAME` and its ink; then `make text` writes the rules of static/css/map.css.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.web.contexts.framemap import LegendEntry, PatternView
from app.web.language import N_, _

FREE: Final = "free"


@dataclass(frozen=True, slots=True)
class FrameState:
    """One state of a page frame, as pages show it."""

    name: str
    """the name that the machine and the API use"""
    letter: str
    """the letter in a cell; empty for none"""
    meaning: str
    """what the state means, in a line"""
    thumbnail: str
    """its colour in thumbnails, which stand on light and on dark paper"""
    pattern: str = ""
    """the lines of a cell of 12 by 12 units, as the data of a path; empty for a plain cell"""
    plain_pattern: str | None = None
    """the pattern where cells have no letters; None for the same"""
    ink: str = ""
    """the state whose ink (`--on-NAME`) draws pattern and letter; empty for its own"""
    filled: bool = False
    """True where the pattern is filled, not drawn as lines"""
    line_opacity: str = ""
    """how opaque the lines of the pattern are; empty for as opaque as all"""
    thumbnail_opacity: str = ""
    """how opaque it is in thumbnails; empty for fully"""


FRAME_STATES: Final = (
    FrameState(
        "free",
        "",
        N_("on a buddy list of the zone; a bar inside shows the share that is in use"),
        thumbnail="#8b929c",
        thumbnail_opacity="0.22",
    ),
    FrameState(
        "pcp",
        "",
        N_("on a per-CPU list: not free for the buddy allocator, not counted as free"),
        thumbnail="#8b929c",
        pattern="M2 2h2v2h-2zM8 2h2v2h-2zM2 8h2v2h-2zM8 8h2v2h-2z",
        ink="free",
        filled=True,
        thumbnail_opacity="0.45",
    ),
    FrameState(
        "reserved",
        "R",
        N_("never handed to the allocator, or in use since boot"),
        thumbnail="#7d8590",
        pattern="M-3 9L3 15M-3 3L9 15M-3 -3L15 15M3 -3L15 9M9 -3L15 3",
        line_opacity="0.25",
    ),
    FrameState(
        "unmovable", "U", N_("allocated without __GFP_MOVABLE or __GFP_RECLAIMABLE"), thumbnail="#e09200"
    ),
    FrameState(
        "movable",
        "M",
        N_("allocated with __GFP_MOVABLE"),
        thumbnail="#1f80c4",
        plain_pattern="M3 3H9V9H3Z",
    ),
    FrameState(
        "reclaimable",
        "E",
        N_("allocated with __GFP_RECLAIMABLE"),
        thumbnail="#0b9c72",
        pattern="M3 -3L-3 3M9 -3L-3 9M15 -3L-3 15M15 3L3 15M15 9L9 15",
    ),
    FrameState(
        "highatomic",
        "H",
        N_("in a pageblock kept for atomic requests of high order"),
        thumbnail="#dc6410",
        pattern="M0 2.5H12M0 6H12M0 9.5H12",
    ),
    FrameState(
        "slab",
        "S",
        N_("a slab of a kmem_cache"),
        thumbnail="#c26899",
        pattern="M0 0.5H12M0 6H12M0.5 0V12M6 0V12",
    ),
    FrameState(
        "vmalloc",
        "V",
        N_("behind a vmalloc area"),
        thumbnail="#45a3dc",
        pattern="M2.5 0V12M6 0V12M9.5 0V12",
    ),
    FrameState(
        "pagetable",
        "T",
        N_("a page of the kernel's page tables"),
        thumbnail="#b3a600",
        pattern="M0 3H12M0 9H12M3 0V3M9 3V9M3 9V12",
    ),
    FrameState(
        "lost",
        "X",
        N_("in use for good: a mistake made it unreachable"),
        thumbnail="#59616c",
        pattern="M0 0L12 12M12 0L0 12",
    ),
    FrameState(
        "locked",
        "L",
        N_("its page lock is taken"),
        thumbnail="#59616c",
        pattern="M0 0H12V12H0Z",
        ink="lost",
    ),
    FrameState(
        "anon",
        "A",
        N_("anonymous memory of a process"),
        thumbnail="#7a5cc4",
        pattern="M6 2L10 6L6 10L2 6Z",
    ),
    FrameState(
        "file",
        "F",
        N_("a page of a file in the page cache"),
        thumbnail="#2f9e9e",
        pattern="M0 12L12 0M0 6L6 0M6 12L12 6",
    ),
    FrameState(
        "shmem",
        "P",
        N_("shared memory: a page of tmpfs, or of an anonymous area that is shared"),
        thumbnail="#3f6fd1",
        pattern="M6 0V12M0 6H12",
    ),
    FrameState(
        "swapcache",
        "W",
        N_("anonymous memory that has its place in swap"),
        thumbnail="#a0662c",
        pattern="M0 3H12M0 6H12M0 9H12",
    ),
    FrameState(
        "hugetlb",
        "G",
        N_("part of a huge page of the pool"),
        thumbnail="#c23b5e",
        pattern="M1 1H11V11H1Z",
    ),
    FrameState(
        "unevictable",
        "K",
        N_("kept in memory by mlock"),
        thumbnail="#59616c",
        pattern="M2 2L10 10M10 2L2 10",
    ),
    FrameState(
        "dirty",
        "D",
        N_("a page of a file that is newer than the disk"),
        thumbnail="#b5482a",
        pattern="M0 0L12 12M0 6L6 12M6 0L12 6",
    ),
    FrameState(
        "writeback",
        "B",
        N_("a page of a file that is being written to the disk"),
        thumbnail="#c98a1b",
        pattern="M3 0V12M9 0V12M0 6H12",
    ),
)
LETTERS: Final = {state.name: state.letter for state in FRAME_STATES}


def legend() -> list[LegendEntry]:
    """Every state with its letter and its meaning."""
    return [LegendEntry(state.name, state.letter, _(state.meaning)) for state in FRAME_STATES]


def counted(counts: Mapping[str, int]) -> list[LegendEntry]:
    """The states that frames are in, with how many are."""
    return [
        LegendEntry(state.name, state.letter, _(state.meaning), counts[state.name])
        for state in FRAME_STATES
        if counts.get(state.name)
    ]


# The map draws no pattern on free cells: they are what it draws on.
PATTERNS: Final[Sequence[PatternView]] = tuple(
    PatternView(state.name, state.letter, state.pattern) for state in FRAME_STATES if state.name != FREE
)
PLAIN_PATTERNS: Final[Sequence[PatternView]] = tuple(
    PatternView(state.name, "", state.pattern if state.plain_pattern is None else state.plain_pattern)
    for state in FRAME_STATES
)
