"""The inspector of an address: an object of a slab, a vmap area, or whole pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.machine.machine import Machine
from app.machine.show_address import address_view
from app.web import wording
from app.web.address import Address, memory_address
from app.web.contexts.base import Fact, Link
from app.web.contexts.inspector import Action, AddressView, ObjectCell
from app.web.frame_states import LETTERS
from app.web.language import _, ngettext
from app.web.panels.slab import cell, opened_at, part_of
from app.web.panels.vmalloc import on_strip

Doc = Mapping[str, Any]

KMALLOC: Final = "kmalloc-"


def read(machine: Machine, here: Address) -> dict[str, Any] | None:
    """Read what is at the address that the view names; None where it names none."""
    if here.obj is None:
        return None
    value = memory_address(here.obj)
    return {"kind": "none", "address": here.obj} if value is None else address_view(machine, value)


def address_inspector(doc: Doc, here: Address) -> AddressView:
    """Show what `read` found."""
    match doc["kind"]:
        case "object":
            return slab_object(doc, here) if doc["index"] is not None else slack(doc, here)
        case "area":
            return area(doc, here)
        case "page":
            return pages(doc, here)
        case "zero":
            return AddressView(
                _("Address"),
                doc["address"],
                _(
                    "ZERO_SIZE_PTR: what kmalloc(0) returns. It is not NULL and may be freed, and whoever "
                    "reads or writes there faults."
                ),
                actions=on(doc["address"], "kfree", "ksize"),
            )
        case "none":
            return AddressView(
                _("Address"), doc["address"], _("This is no address: write it as 0xffff888000001000.")
            )
        case _:
            return AddressView(
                _("Address"), doc["address"], _("No memory has this address now: using it would fault.")
            )


# -- objects -----------------------------------------------------------------------------------------------


def slab_object(doc: Doc, here: Address) -> AddressView:
    """Show one object, with those beside it."""
    grown = doc["size"] - doc["object_size"]
    return AddressView(
        kind=_("Object"),
        address=doc["start"],
        summary=_(
            "object %(index)s of %(objects)s in its slab: %(words)s",
            index=doc["index"],
            objects=doc["slab"]["objects"],
            words=words_of(doc),
        ),
        state="slab",
        letter=LETTERS["slab"],
        owner=owner(doc, here),
        facts=[
            Fact(
                _("cache"),
                doc["cache"],
                href=grid_of(doc, here),
                hint=_("The cache’s slabs, object by object"),
            ),
            Fact(
                "object_size",
                wording.in_bytes(doc["object_size"]),
                hint=_("what its user asked the cache for"),
            ),
            Fact(
                _("size"),
                wording.in_bytes(doc["size"]),
                hint=ngettext(
                    "with %(num)s byte for alignment and debugging",
                    "with %(num)s bytes for alignment and debugging",
                    grown,
                ),
            ),
            Fact("ksize", wording.in_bytes(doc["ksize"]), hint=_("how much of it its user may fill")),
            *(
                [Fact(_("this byte"), _("%(offset)s of the object", offset=wording.count(doc["offset"])))]
                if doc["offset"]
                else []
            ),
        ],
        slab=slab_facts(doc, here),
        actions=actions(doc),
        forms=forms(doc, here),
        beside=around(doc, here),
        index=doc["index"],
    )


def slack(doc: Doc, here: Address) -> AddressView:
    """Show bytes of a slab that belong to no object."""
    return AddressView(
        kind=_("Address"),
        address=doc["address"],
        summary=_(
            "in a slab of %(cache)s, where no object fits: waste, or what debugging keeps there",
            cache=doc["cache"],
        ),
        state="slab",
        letter=LETTERS["slab"],
        slab=slab_facts(doc, here),
    )


def words_of(doc: Doc) -> str:
    """Say whether an object is allocated, or else its turn on the free list."""
    if doc["state"] == "allocated":
        return _("allocated")
    if doc["state"] == "kernel":
        return _("the kernel’s own, since boot or for its own records")
    if doc["state"] == "cpu":
        if doc["turn"] == 1:
            return _("free, the next to be given out, on the CPU’s own list")
        return _("free, number %(turn)s to be given out, on the CPU’s own list", turn=doc["turn"])
    if doc["turn"] == 1:
        return _("free, the next to be given out, on the slab’s free list")
    return _("free, number %(turn)s to be given out, on the slab’s free list", turn=doc["turn"])


def owner(doc: Doc, here: Address) -> Fact | None:
    """Who allocated it, at which row."""
    if not doc["seq"]:
        return None
    href = here.to(outcome=doc["seq"]).href + "#outcome"
    return Fact(_("allocated by %(task)s at", task=doc["task"]), f"#{wording.count(doc['seq'])}", href=href)


def slab_facts(doc: Doc, here: Address) -> list[Fact]:
    """Facts about the slab that holds it."""
    slab: Doc = doc["slab"]
    return [
        Fact(
            _("first frame"),
            wording.pfn(slab["pfn"]),
            href=here.at(slab["pfn"]),
            hint=_("The slab’s first page frame"),
        ),
        Fact(
            _("frames"),
            _(
                "%(frames)s, order %(order)s, node %(node)s",
                frames=wording.count(1 << slab["order"]),
                order=slab["order"],
                node=slab["node"],
            ),
        ),
        Fact(
            _("in use"),
            _("%(inuse)s of %(objects)s", inuse=slab["inuse"], objects=slab["objects"]),
            hint=_("inuse: what a CPU holds counts"),
        ),
        Fact(_("stands"), stands(slab)),
    ]


def stands(slab: Doc) -> str:
    """Say on which of SLUB's lists the slab is."""
    match slab["list"]:
        case "cpu":
            return _("CPU %(cpu)s’s slab", cpu=slab["cpu"])
        case "cpu_partial":
            return _("CPU %(cpu)s’s partial list", cpu=slab["cpu"])
        case "node_partial":
            return _("node %(node)s’s partial list", node=slab["node"])
        case _:
            return _("full, in no list")


def grid_of(doc: Doc, here: Address) -> str:
    """Link to the panel with the part of the cache's slabs that this one is in."""
    part = part_of(doc["slab"]["objects"])
    first = doc["slab"]["before"] // part * part
    return opened_at(doc["cache"], first, here).href + "#panels"


def actions(doc: Doc) -> list[Action]:
    """Calls on the object; on a free one the double free, a mistake worth seeing."""
    if doc["state"] == "kernel":
        return []
    addr = ("addr", doc["start"])
    if KMALLOC in doc["cache"]:
        free = Action("kfree", again("kfree", doc), (addr,))
    else:
        free = Action("kmem_cache_free", again("kmem_cache_free", doc), (("cache", doc["cache"]), addr))
    return [free, *on(doc["start"], "ksize")] if doc["state"] == "allocated" else [free]


def again(name: str, doc: Doc) -> str:
    """A button for a call that frees."""
    return name if doc["state"] == "allocated" else _("%(call)s again", call=name)


def on(address: str, *names: str) -> list[Action]:
    """Buttons for calls that take an address and nothing else."""
    return [Action(name, name, (("addr", address),)) for name in names]


def forms(doc: Doc, here: Address) -> list[Link]:
    """Links to the forms of calls that need more than the address."""
    if doc["state"] != "allocated" or KMALLOC not in doc["cache"]:
        return []
    href = here.to(call="krealloc", addr=doc["start"]).href + "#call"
    return [Link("krealloc…", href, hint=_("Another size: its form, with this address"))]


def around(doc: Doc, here: Address) -> list[ObjectCell]:
    """The objects on both sides, with the object itself between them."""
    ordered: Sequence[Doc] = sorted([*doc["beside"], doc], key=lambda one: int(one["number"]))
    return [
        cell(
            one["number"],
            one["state"],
            int(one["start"], 16),
            one if one["seq"] else None,
            one["turn"],
            here,
        )
        for one in ordered
    ]


# -- areas and frames ----------------------------------------------------------------------------------------


def area(doc: Doc, here: Address) -> AddressView:
    """Show a range of the vmalloc space."""
    made = doc.get("seq")
    pfns: Sequence[int] = doc.get("pfns", ())
    return AddressView(
        kind=_("vmap area"),
        address=doc["start"],
        summary=area_words(doc),
        state="vmalloc" if pfns else "",
        letter=LETTERS["vmalloc"] if pfns else "",
        owner=Fact(
            _("by %(task)s at", task=doc["task"]),
            f"#{wording.count(made)}",
            href=here.to(outcome=made).href + "#outcome",
        )
        if made
        else None,
        facts=list(area_facts(doc, here)),
        actions=on(doc["start"], "vfree") if made and doc["what"] != "module" else [],
        forms=[
            Link(
                _("on the strip"),
                on_strip(doc["start"], here).href + "#panels",
                hint=_("Its place among the other areas, and where its frames lie"),
            )
        ],
        frames=[Link(wording.pfn(pfn), here.at(pfn)) for pfn in pfns],
        more=max(0, doc.get("nr_pages", 0) - len(pfns)),
    )


def area_words(doc: Doc) -> str:
    """Say what the range is for, and where in it the address is."""
    if doc["lazy"]:
        return _("freed: its frames are back, its addresses wait for the next purge")
    if doc["what"] == "kernel":
        return _("taken by the kernel at boot")
    if doc["in_guard"]:
        return _("%(what)s; this address is in its guard page, where every access faults", what=doc["what"])
    return _("%(what)s; this address is in page %(number)s", what=doc["what"], number=doc["number"])


def area_facts(doc: Doc, here: Address) -> list[Fact]:
    """Facts about the range: ends, guard page, pages, and what mapping them took."""
    found = [
        Fact(_("to"), doc["end"], hint=_("the first address behind it")),
        Fact(_("size"), wording.size(doc["size"]), hint=_("guard page included, as in /proc/vmallocinfo")),
    ]
    if doc.get("guard"):
        pages_of = wording.frames(1 << doc["page_order"])
        found += [
            Fact(_("guard page"), doc["guard"], hint=_("never mapped: running over the end faults here")),
            Fact(
                _("pages"),
                wording.count(doc["nr_pages"]),
                hint=_("mapped in pages of %(size)s", size=pages_of),
            ),
            Fact(_("page-table writes"), wording.count(doc["page_table_writes"])),
        ]
    if doc["frame"] is not None:
        found.append(Fact(_("this page’s frame"), wording.pfn(doc["frame"]), href=here.at(doc["frame"])))
    return found


def pages(doc: Doc, here: Address) -> AddressView:
    """Show whole pages: little is known of the address itself, and a link leads to the frame."""
    block: Doc | None = doc["block"]
    frame = Fact(_("frame"), wording.pfn(doc["pfn"]), href=here.at(doc["pfn"]), hint=_("Its struct page"))
    if block is None:
        return AddressView(
            _("Page"), doc["address"], _("a page frame that nobody has allocated by a call"), facts=[frame]
        )
    head = block["pfn"] == doc["pfn"]
    if block["compound"]:
        summary = _(
            "whole pages as one: a compound page of order %(order)s, as large kmallocs are",
            order=block["order"],
        )
        calls = on(doc["address"], "kfree", "ksize") if head else []
    else:
        summary = _("whole pages: a block of order %(order)s", order=block["order"])
        calls = []
    release = Action(
        "free_pages",
        f"free_pages(…, {block['order']})",
        (("addr", doc["address"]), ("order", str(block["order"]))),
    )
    return AddressView(
        kind=_("Page"),
        address=doc["address"],
        summary=summary,
        state=block["state"],
        letter=LETTERS.get(block["state"], ""),
        owner=owner(block, here),
        facts=[
            frame,
            Fact(_("size"), wording.frames(1 << block["order"])),
            *([] if head else [Fact(_("head"), wording.pfn(block["pfn"]), href=here.at(block["pfn"]))]),
        ],
        actions=[*calls, *([release] if head else [])],
    )
