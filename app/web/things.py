"""The inspector of an address: an object of a slab, a vmap area, or what leads to a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.mm.machine import Machine
from app.mm.show_address import address_view
from app.web import wording
from app.web.address import Address
from app.web.contexts import Action, Fact, Link
from app.web.framemap import LETTERS
from app.web.panel_contexts import ObjectCell
from app.web.slabgrid import SLABS, cell
from app.web.thing_contexts import Thing

Doc = Mapping[str, Any]

HIGHEST: Final = 1 << 64
KMALLOC: Final = "kmalloc-"


def read(machine: Machine, here: Address) -> dict[str, Any] | None:
    """What is at the address that the view names; None where it names none."""
    if here.obj is None:
        return None
    value = address_of(here.obj)
    return {"kind": "none", "address": here.obj} if value is None else address_view(machine, value)


def address_of(text: str) -> int | None:
    """An address as the page writes it; None where it is none."""
    try:
        value = int(text, 0)
    except ValueError:
        return None
    return value if 0 <= value < HIGHEST else None


def thing(doc: Doc, here: Address) -> Thing:
    """doc: what `read` found."""
    match doc["kind"]:
        case "object":
            return slab_object(doc, here) if doc["index"] is not None else slack(doc, here)
        case "area":
            return area(doc, here)
        case "page":
            return pages(doc, here)
        case "zero":
            return Thing(
                "Address",
                doc["address"],
                "ZERO_SIZE_PTR: what kmalloc(0) returns. It is not NULL and may be freed, and whoever reads "
                "or writes there faults.",
                actions=on(doc["address"], "kfree", "ksize"),
            )
        case "none":
            return Thing("Address", doc["address"], "This is no address: write it as 0xffff888000001000.")
        case _:
            return Thing("Address", doc["address"], "No memory has this address now: using it would fault.")


# -- objects -----------------------------------------------------------------------------------------------


def slab_object(doc: Doc, here: Address) -> Thing:
    """One object, with those beside it."""
    grown = doc["size"] - doc["object_size"]
    return Thing(
        kind="Object",
        address=doc["start"],
        summary=f"object {doc['index']} of {doc['slab']['objects']} in its slab: {words_of(doc)}",
        state="slab",
        letter=LETTERS["slab"],
        owner=owner(doc, here),
        facts=[
            Fact("cache", doc["cache"], href=grid_of(doc, here), hint="The cache’s slabs, object by object"),
            Fact("object_size", f"{doc['object_size']:,} bytes", hint="what its user asked the cache for"),
            Fact("size", f"{doc['size']:,} bytes", hint=f"with {grown:,} bytes for alignment and debugging"),
            Fact("ksize", f"{doc['ksize']:,} bytes", hint="how much of it its user may fill"),
            *([Fact("this byte", f"{doc['offset']:,} of the object")] if doc["offset"] else []),
        ],
        slab=slab_facts(doc, here),
        actions=actions(doc),
        forms=forms(doc, here),
        beside=around(doc, here),
        index=doc["index"],
    )


def slack(doc: Doc, here: Address) -> Thing:
    """Bytes of a slab that no object has."""
    return Thing(
        kind="Address",
        address=doc["address"],
        summary=f"in a slab of {doc['cache']}, where no object fits: waste, or what debugging keeps there",
        state="slab",
        letter=LETTERS["slab"],
        slab=slab_facts(doc, here),
    )


def words_of(doc: Doc) -> str:
    """Whether somebody has it, else after how many others it goes."""
    if doc["state"] == "allocated":
        return "allocated"
    if doc["state"] == "kernel":
        return "the kernel’s own, since boot or for its own records"
    turn = "the next" if doc["turn"] == 1 else f"number {doc['turn']}"
    whose = "the CPU’s own list" if doc["state"] == "cpu" else "the slab’s free list"
    return f"free, {turn} to be given out, on {whose}"


def owner(doc: Doc, here: Address) -> Fact | None:
    """Who has it, since which row."""
    if not doc["seq"]:
        return None
    href = here.to(outcome=doc["seq"]).href + "#outcome"
    return Fact(f"allocated by {doc['task']} at", f"#{doc['seq']:,}", href=href)


def slab_facts(doc: Doc, here: Address) -> list[Fact]:
    """The slab that it is in."""
    slab: Doc = doc["slab"]
    return [
        Fact(
            "first frame",
            wording.pfn(slab["pfn"]),
            href=here.at(slab["pfn"]),
            hint="The slab’s first page frame",
        ),
        Fact("frames", f"{1 << slab['order']}, order {slab['order']}, node {slab['node']}"),
        Fact("in use", f"{slab['inuse']} of {slab['objects']}", hint="inuse: what a CPU holds counts"),
        Fact("stands", stands(slab)),
    ]


def stands(slab: Doc) -> str:
    """In which list SLUB has the slab."""
    match slab["list"]:
        case "cpu":
            return f"CPU {slab['cpu']}’s slab"
        case "cpu_partial":
            return f"CPU {slab['cpu']}’s partial list"
        case "node_partial":
            return f"node {slab['node']}’s partial list"
        case _:
            return "full, in no list"


def grid_of(doc: Doc, here: Address) -> str:
    """The part of the cache's slabs that this one is in."""
    first = doc["slab"]["before"] // SLABS * SLABS
    return here.to(panel="slab", slabs=doc["cache"], slab=first or None).href + "#panels"


def actions(doc: Doc) -> list[Action]:
    """What its owner can do with it; on a free one, the mistake of giving it back again."""
    if doc["state"] == "kernel":
        return []
    addr = ("addr", doc["start"])
    if KMALLOC in doc["cache"]:
        free = Action("kfree", "kfree" if doc["state"] == "allocated" else "kfree again", (addr,))
    else:
        again = "" if doc["state"] == "allocated" else " again"
        free = Action("kmem_cache_free", f"kmem_cache_free{again}", (("cache", doc["cache"]), addr))
    return [free, *on(doc["start"], "ksize")] if doc["state"] == "allocated" else [free]


def on(address: str, *names: str) -> list[Action]:
    """Calls that take an address and nothing else."""
    return [Action(name, name, (("addr", address),)) for name in names]


def forms(doc: Doc, here: Address) -> list[Link]:
    """Calls that ask for more than the address."""
    if doc["state"] != "allocated" or KMALLOC not in doc["cache"]:
        return []
    href = here.to(call="krealloc", addr=doc["start"]).href + "#call"
    return [Link("krealloc…", href, hint="Another size: its form, with this address")]


def around(doc: Doc, here: Address) -> list[ObjectCell]:
    """The objects to both sides, and itself between them."""
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


def area(doc: Doc, here: Address) -> Thing:
    """A range of the vmalloc space, page by page."""
    made = doc.get("seq")
    pfns: Sequence[int] = doc.get("pfns", ())
    return Thing(
        kind="vmap area",
        address=doc["start"],
        summary=area_words(doc),
        state="vmalloc" if pfns else "",
        letter=LETTERS["vmalloc"] if pfns else "",
        owner=Fact(f"by {doc['task']} at", f"#{made:,}", href=here.to(outcome=made).href + "#outcome")
        if made
        else None,
        facts=list(area_facts(doc, here)),
        actions=on(doc["start"], "vfree") if made and doc["what"] != "module" else [],
        forms=[
            Link(
                "on the strip",
                here.to(panel="vmalloc", area=doc["start"]).href + "#panels",
                hint="Its place among the other areas, and where its frames lie",
            )
        ],
        frames=[Link(wording.pfn(pfn), here.at(pfn)) for pfn in pfns],
        more=max(0, doc.get("nr_pages", 0) - len(pfns)),
    )


def area_words(doc: Doc) -> str:
    """What the range is for, and where in it the address is."""
    if doc["lazy"]:
        return "freed: its frames are back, its addresses wait for the next purge"
    if doc["what"] == "kernel":
        return "taken by the kernel at boot"
    if doc["in_guard"]:
        return f"{doc['what']}; this address is in its guard page, where every access faults"
    return f"{doc['what']}; this address is in page {doc['number']}"


def area_facts(doc: Doc, here: Address) -> list[Fact]:
    """Ends, guard page, pages, and what mapping them took."""
    found = [
        Fact("to", doc["end"], hint="the first address behind it"),
        Fact("size", wording.size(doc["size"]), hint="guard page included, as in /proc/vmallocinfo"),
    ]
    if doc.get("guard"):
        pages_of = wording.frames(1 << doc["page_order"])
        found += [
            Fact("guard page", doc["guard"], hint="never mapped: running over the end faults here"),
            Fact("pages", f"{doc['nr_pages']:,}", hint=f"mapped in pages of {pages_of}"),
            Fact("page-table writes", f"{doc['page_table_writes']:,}"),
        ]
    if doc["frame"] is not None:
        found.append(Fact("this page’s frame", wording.pfn(doc["frame"]), href=here.at(doc["frame"])))
    return found


def pages(doc: Doc, here: Address) -> Thing:
    """Whole pages: their inspector is the frame's, and here is what leads there."""
    block: Doc | None = doc["block"]
    frame = Fact("frame", wording.pfn(doc["pfn"]), href=here.at(doc["pfn"]), hint="Its struct page")
    if block is None:
        return Thing(
            "Page", doc["address"], "a page frame that nobody has allocated by a call", facts=[frame]
        )
    head = block["pfn"] == doc["pfn"]
    if block["compound"]:
        summary = f"whole pages as one: a compound page of order {block['order']}, as large kmallocs are"
        calls = on(doc["address"], "kfree", "ksize") if head else []
    else:
        summary = f"whole pages: a block of order {block['order']}"
        calls = []
    release = Action(
        "free_pages",
        f"free_pages(…, {block['order']})",
        (("addr", doc["address"]), ("order", str(block["order"]))),
    )
    return Thing(
        kind="Page",
        address=doc["address"],
        summary=summary,
        state=block["state"],
        letter=LETTERS.get(block["state"], ""),
        owner=owner(block, here),
        facts=[
            frame,
            Fact("size", wording.frames(1 << block["order"])),
            *([] if head else [Fact("head", wording.pfn(block["pfn"]), href=here.at(block["pfn"]))]),
        ],
        actions=[*calls, *([release] if head else [])],
    )
