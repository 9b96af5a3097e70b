"""Two processes at the same addresses: fork and copy-on-write in one picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.processes import ComparedPage, Comparison
from app.web.language import _, ngettext
from app.web.vm.cells import cell, what
from app.web.vm.strip import at_address

Doc = Mapping[str, Any]


def comparison(
    first: str, second: str, pages: Sequence[tuple[Doc, Doc]], here: Address, address: int,
    changed: Sequence[Collection[int]],
) -> Comparison:  # fmt: skip
    """Show both. pages: of each address the page of the one and of the other; changed: by the shown call."""
    shared = sum(is_shared(one, two) for one, two in pages)
    own = sum(one["pfn"] != two["pfn"] for one, two in pages)
    return Comparison(
        first=first,
        second=second,
        words=_("%(shared)s; %(own)s.", shared=shared_words(shared), own=own_words(own)),
        pages=[
            ComparedPage(
                address=f"{one['addr']:#x}",
                href=at_address(here, one["addr"]),
                first=cell(one, here, address, changed[0]),
                second=cell(two, here.to(pid=here.beside, beside=here.pid), address, changed[1]),
                shared=is_shared(one, two),
                words=words(one, two, first, second),
                frames=[link(page, here) for page in (one, two)],
            )
            for one, two in pages
        ],
        close=here.to(beside=None).href,
    )


def is_shared(one: Doc, two: Doc) -> bool:
    """Whether both have the same frame."""
    return one["pfn"] is not None and one["pfn"] == two["pfn"]


def shared_words(pages: int) -> str:
    """How many pages have one frame."""
    return ngettext(
        "%(num)s page here is one frame in both", "%(num)s pages here are one frame in both", pages
    )


def own_words(pages: int) -> str:
    """How many have not."""
    return ngettext("%(num)s page differs", "%(num)s pages differ", pages)


def link(page: Doc, here: Address) -> Link:
    """The frame of a page."""
    pfn = page["pfn"]
    return Link("–", None) if pfn is None else Link(wording.pfn(pfn), here.at(pfn))


def words(one: Doc, two: Doc, first: str, second: str) -> str:
    """One page of both, in words."""
    if is_shared(one, two):
        return _("one frame: %(what)s", what=what(one))
    if one["pfn"] is None and two["pfn"] is None:
        return what(one)
    return _(
        "%(first)s: %(one)s; %(second)s: %(two)s", first=first, one=what(one), second=second, two=what(two)
    )
