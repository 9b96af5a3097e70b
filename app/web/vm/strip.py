"""The address space as a strip: areas in their order, and what lies between them only told.

It is never drawn to scale: between two areas there may be 127 TiB of nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.processes import AreaBlock, Strip
from app.web.language import _

Doc = Mapping[str, Any]

AREAS: Final = 24
# Names that the kernel gives, as the strip has room for them.
WORDS: Final = {"[heap]": "heap", "[stack]": "stack"}
ROOMY: Final = 10
# Blocks become wider with each of these numbers of pages.
STEPS: Final = (4, 16, 64, 512, 1 << 18)


def strip(doc: Doc, here: Address) -> Strip:
    """Make the strip of the areas around an address."""
    shown: Sequence[Doc] = doc["areas"]
    first, total = doc["first"], doc["total"]
    ends = [0 if first == 0 else shown[0]["start"], *(area["end"] for area in shown)] if shown else []
    return Strip(
        blocks=[block(area, here, ends[at], current=at == doc["chosen"]) for at, area in enumerate(shown)],
        total=total,
        earlier=way("◂", _("Areas before"), here, shown[0]) if first else None,
        later=way("▸", _("Areas behind"), here, shown[-1]) if first + len(shown) < total else None,
    )


def way(words: str, hint: str, here: Address, area: Doc) -> Link:
    """To the areas around one at the end of those that are shown."""
    return Link(words, at_address(here, area["start"]), hint=hint)


def block(area: Doc, here: Address, before: int, *, current: bool) -> AreaBlock:
    """One area. before: where the one before it ends."""
    start, end = area["start"], area["end"]
    pages = (end - start) >> 12
    gap = start - before
    return AreaBlock(
        name=name(area),
        rights=area["rights"],
        pages=pages,
        size=wording.size(end - start),
        start=f"{start:#x}",
        end=f"{end:#x}",
        href=at_address(here, start),
        current=current,
        kind=kind(area),
        width=sum(pages >= step for step in STEPS),
        gap=wording.size(gap) if gap > 0 else "",
        hint=_(
            "%(start)s–%(end)s, %(rights)s, %(name)s",
            start=f"{start:#x}",
            end=f"{end:#x}",
            rights=area["rights"],
            name=area["name"] or "anon",
        ),
    )


def name(area: Doc) -> str:
    """What an area is, in a word."""
    words: str = area["name"]
    if not words:
        return "anon"
    if words in WORDS:
        return WORDS[words]
    path = words.strip("[]/")
    return path if len(path) <= ROOMY else path.rpartition("/")[2]


def kind(area: Doc) -> str:
    """What stands behind it: nothing, a file, or the kernel."""
    return "anon" if area["anonymous"] else "file" if area["file"] else "special"


def at_address(here: Address, address: int) -> str:
    """The page with the walk of another address."""
    return here.to(va=f"{address:#x}").href
