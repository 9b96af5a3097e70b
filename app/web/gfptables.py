"""The lecture's three tables of GFP flags, with 6.1's flags beside them and those of a mask ticked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.mm import gfp
from app.mm.gfp import __GFP_RECLAIM, GfpName
from app.web.contexts.gfp import GfpFlag, GfpGroup
from app.web.language import N_, _

# The order of the lecture's table; what has come since follows.
ACTIONS_THEN: Final = (
    "__GFP_WAIT",
    "__GFP_HIGH",
    "__GFP_IO",
    "__GFP_FS",
    "__GFP_COLD",
    "__GFP_NOWARN",
    "__GFP_REPEAT",
    "__GFP_NOFAIL",
    "__GFP_NORETRY",
    "__GFP_NOMEMALLOC",
    "__GFP_HARDWALL",
    "__GFP_RECLAIMABLE",
    "__GFP_COMP",
)

# What the types of that table were made of.
TYPES_THEN: Final = {
    "GFP_ATOMIC": "__GFP_HIGH",
    "GFP_NOWAIT": "0",
    "GFP_NOIO": "__GFP_WAIT",
    "GFP_NOFS": "__GFP_WAIT | __GFP_IO",
    "GFP_KERNEL": "__GFP_WAIT | __GFP_IO | __GFP_FS",
    "GFP_USER": "__GFP_WAIT | __GFP_IO | __GFP_FS",
    "GFP_HIGHUSER": "__GFP_WAIT | __GFP_IO | __GFP_FS | __GFP_HIGHMEM",
    "GFP_DMA": "__GFP_DMA",
}

COLD: Final = GfpName(
    "__GFP_COLD",
    0,
    "action",
    N_("a page that is in no CPU's cache: gone since 4.15, accepted, without effect"),
)


def groups(value: int) -> list[GfpGroup]:
    """Make the tables. Ticked are the bits that are set and, of the types, the largest that they make."""
    held = [name for name in gfp.NAMES if name.value and value & name.value == name.value]
    types = [name for name in held if name.kind == "type"]
    ticked = {name.name for name in held if name.kind != "type"} | {
        name.name for name in types if not any(holds(other, name) for other in types)
    }
    return [
        GfpGroup(
            _("Action modifiers: how the memory may be got, and what to do with it"),
            [flag(name, ticked) for name in actions()],
        ),
        GfpGroup(
            _("Zone modifiers: where it may come from"),
            [flag(name, ticked) for name in gfp.NAMES if name.kind == "zone"],
        ),
        GfpGroup(
            _("Types: what one normally writes"),
            [flag(name, ticked) for name in gfp.NAMES if name.kind == "type"],
            composed=True,
        ),
    ]


def holds(other: GfpName, name: GfpName) -> bool:
    """Whether one type has all bits of another, and more."""
    return other.value != name.value and other.value & name.value == name.value


def actions() -> Iterator[GfpName]:
    """The lecture's, in its order, then the others."""
    others = {name.name: name for name in gfp.NAMES if name.kind not in ("zone", "type")}
    by_lecture = {name.lecture or name.name: name for name in others.values()}
    for then in ACTIONS_THEN:
        name = by_lecture.get(then, COLD)
        others.pop(name.name, None)
        yield name
    yield from others.values()


def flag(name: GfpName, ticked: set[str]) -> GfpFlag:
    """One row."""
    then = name.lecture or name.name
    return GfpFlag(
        name.name,
        name.value,
        _(name.doc),
        name.name in ticked,
        then if then != name.name else None,
        composition(name.value) if name.kind == "type" else "",
        TYPES_THEN.get(name.name, "") if name.kind == "type" else "",
        since=name.kind not in ("zone", "type") and then not in ACTIONS_THEN,
    )


def composition(value: int) -> str:
    """What a type is made of: a pair of bits that has a name by that name, then the single ones."""
    words = []
    if value & __GFP_RECLAIM == __GFP_RECLAIM:
        words.append("__GFP_RECLAIM")
        value &= ~__GFP_RECLAIM
    words += [
        name.name
        for name in gfp.NAMES
        if name.name.startswith("__") and name.value.bit_count() == 1 and value & name.value
    ]
    return " | ".join(words) or "0"
