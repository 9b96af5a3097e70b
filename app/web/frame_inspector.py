"""The inspector of a page frame: everything that the machine knows about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.mm.page import PAGE_FLAG_NAMES
from app.web import life, wording
from app.web.address import Address
from app.web.contexts.base import Fact, Link
from app.web.contexts.inspector import Action, BuddyRow, Flag, Inspector, MappedAt, StructWord, UserPage
from app.web.frame_states import LETTERS
from app.web.language import N_, _, ngettext
from app.web.panels.vmalloc import on_strip
from app.web.vm.cells import state_words

Doc = Mapping[str, Any]

# Spellings of the lecture's kernels; the machine says which fields they are for.
HINTS: Final = {
    "flags": N_("PG_ bits; above them the zone and the node"),
    "_refcount": N_("how many hold the page; 0 = free, or not the first frame of its block"),
    "_mapcount": N_("page tables that map it, less one; -129 marks the head of a free block"),
    "mapping": N_("whose page it is; a compound tail has poison here"),
    "index": N_("offset within the mapping"),
    "private": N_("the order, on the head of a free block"),
    "virtual": N_("the kernel address; NULL for HIGHMEM that is not mapped"),
    "compound_head": N_("where the head of a compound page is, on its tails"),
}


def missing(pfn: int) -> Inspector:
    """Say that there is no such frame."""
    return Inspector(
        pfn,
        missing=_("This machine has no page frame %(pfn)s: no zone spans it.", pfn=wording.pfn(pfn)),
    )


# The words of struct page behind the flags, include/linux/mm_types.h and mm/slab.h, by what the frame is:
# fields in the same place share a word.
UNION: Final = {
    "lru": ("lru.next", "lru.prev", "mapping", "index", "private"),
    "buddy": ("buddy_list.next", "buddy_list.prev", "mapping", "index", "private: order"),
    "pcp": ("pcp_list.next", "pcp_list.prev", "mapping", "index", "private"),
    "tail": ("compound_head", "", "mapping: poison", "", ""),
    "slab": ("slab_list.next", "slab_list.prev", "slab_cache", "freelist", "counters"),
}
HIGH: Final = 1 << 32


def held(doc: Doc) -> str:
    """Which fields the union of a frame holds: a key of `UNION`."""
    if doc["struct_page"]["compound_head"] is not None:
        return "tail"
    if "free" in doc:
        return "buddy" if doc["free"]["pfn"] == doc["pfn"] else "lru"
    if "pcp" in doc:
        return "pcp"
    return "slab" if doc["state"] == "slab" and doc["block"]["offset"] == 0 else "lru"


def struct_words(doc: Doc) -> list[StructWord]:
    """struct page word by word; words are half as long on 32 bits."""
    size = 8 if int(doc["page"], 16) >= HIGH else 4
    now = UNION[held(doc)]
    found = [StructWord(f"{0:#04x}", "flags", ())]
    for place, name in enumerate(now):
        shared = dict.fromkeys(fields[place].partition(":")[0] for fields in UNION.values())
        others = [other for other in shared if other and other != name.partition(":")[0]]
        found.append(StructWord(f"{size * (place + 1):#04x}", name, others))
    count = size * (len(now) + 1)
    mapcount = "_mapcount: PG_buddy" if held(doc) == "buddy" else "_mapcount"
    found.append(StructWord(f"{count:#04x}", mapcount, ("page_type",)))
    found.append(StructWord(f"{count + 4:#04x}", "_refcount", ()))
    return found


def inspector(doc: Doc, here: Address) -> Inspector:
    """Show a frame, from `app.machine.show.page`."""
    pfn, state = doc["pfn"], doc["state"]
    fields: Doc = doc["struct_page"]
    flags: Doc = fields["flags"]
    return Inspector(
        pfn=pfn,
        state=state,
        letter=LETTERS.get(state, ""),
        summary=summary(doc),
        struct=[struct_fact(doc, name, value) for name, value in fields.items() if name != "flags"],
        where=where(doc, here),
        flags=sorted(
            (Flag(bit, name, name in flags["names"]) for bit, name in enumerate(PAGE_FLAG_NAMES)),
            key=lambda flag: not flag.on,
        ),
        clear=len(PAGE_FLAG_NAMES) - len(flags["names"]),
        words=struct_words(doc),
        raw_flags=flags["value"],
        buddies=[buddy(entry, here) for entry in doc["buddies"]],
        actions=actions(doc),
        near=near(doc, here),
        owner=owner(doc, here),
        user=user_page(doc, here) if "mapped_by" in doc else None,
    )


def summary(doc: Doc) -> str:
    """Say what the frame is, in a few words."""
    if block := doc.get("block"):
        return block_words(block)
    if "mapped_by" in doc:
        return user_words(doc)
    if free := doc.get("free"):
        values = {"order": free["order"], "type": free["type"]}
        if free["pfn"] == doc["pfn"]:
            return _("head of a free block of order %(order)s, on the %(type)s list", **values)
        return _(
            "page %(page)s of a free block of order %(order)s, on the %(type)s list",
            page=doc["pfn"] - free["pfn"],
            **values,
        )
    if pcp := doc.get("pcp"):
        return _("on CPU %(cpu)s’s list of order %(order)s, %(type)s, place %(place)s from the head", **pcp)
    return _("in use since boot, or never given to the allocator")


def user_words(doc: Doc) -> str:
    """Say what a page of a process or a file is, and on which list it stands."""
    words = state_words(doc["state"])
    return words if doc["lru"] is None else _("%(words)s, on %(list)s", words=words, list=doc["lru"])


def user_page(doc: Doc, here: Address) -> UserPage:
    """Who maps a frame, and what its struct page says of that."""
    count: int = doc["mapcount"]
    places: Sequence[Doc] = doc["mapped_by"]
    words = ngettext("mapped %(num)s time", "mapped %(num)s times", count)
    if count > 1:
        words = _("%(words)s: each counts 1/%(count)s of it in its PSS", words=words, count=count)
    return UserPage(
        meaning=[Fact(name, text) for name, text in doc["meaning"].items()],
        mapped=words if count else _("mapped by nobody"),
        places=[mapping(place, doc["pids"], here) for place in places],
        life=Link(_("Life of this frame"), life.of_frame(here, doc["pfn"])),
        more=max(0, count - len(places)),
    )


def mapping(place: Doc, pids: Mapping[str, int], here: Address) -> MappedAt:
    """One place where a frame is mapped, with the walk that leads there."""
    pid = pids.get(place["task"])
    walk = here.to(view="vm", pid=pid, va=place["addr"], beside=None)
    return MappedAt(
        task=place["task"] or "",
        place=Link(place["addr"], walk.href),
        rights=place["vma"]["prot"],
        flags=place["flags"].replace("|", " "),
    )


def block_words(block: Doc) -> str:
    """Say which page of which block a frame is."""
    if block["order"] == 0:
        return _("a single page")
    values = {"page": block["offset"], "order": block["order"]}
    if block["compound"]:
        if block["offset"] == 0:
            return _("the head of a compound page of order %(order)s", **values)
        return _("page %(page)s of a compound page of order %(order)s", **values)
    if block["offset"] == 0:
        return _("the head of a block of order %(order)s", **values)
    return _("page %(page)s of a block of order %(order)s", **values)


def struct_fact(doc: Doc, name: str, value: Any) -> Fact:
    """One field of struct page, with the lecture's name beside it."""
    older = doc["lecture_names"].get(name)
    return Fact(
        name,
        "NULL" if value is None else str(value),
        older if older != name else None,
        hint=_(HINTS.get(name, "")),
    )


def where(doc: Doc, here: Address) -> list[Fact]:
    """The frame's addresses, zone and pageblock."""
    block = doc["pageblock"]
    return [
        Fact(
            "struct page *",
            doc["page"],
            hint=_("where the frame’s struct page is: mem_map + pfn × sizeof(struct page)"),
        ),
        Fact("page_address", doc["address"] or "NULL", hint=_("the kernel’s address of the frame")),
        Fact(_("physical"), doc["physical"]),
        Fact(_("zone"), _("%(zone)s, node %(node)s", zone=doc["zone"], node=doc["node"])),
        Fact(
            "pageblock",
            f"{wording.pfn(block['start_pfn'])} {block['type']}",
            href=here.at(block["start_pfn"]),
        ),
    ]


def buddy(entry: Doc, here: Address) -> BuddyRow:
    """The buddy at one order: free at just that order, it would merge."""
    if not entry["valid"]:
        return BuddyRow(entry["order"], entry["pfn"], None, _("outside the zone"), False)
    if entry["mergeable"]:
        state = _("free at this order: merges")
    else:
        state = _("in a free block") if entry["free"] else _("not free")
    return BuddyRow(entry["order"], entry["pfn"], here.at(entry["pfn"]), state, entry["mergeable"])


def owner(doc: Doc, here: Address) -> Fact | None:
    """Who allocated it, with which mask, at which seq."""
    block = doc.get("block")
    if block is None or not block.get("task"):
        return None
    seq = block["seq"]
    href = here.to(outcome=seq).href + "#outcome" if seq else None
    name = _("%(gfp)s, by %(task)s at", gfp=block["gfp_names"] or block["gfp"], task=block["task"])
    return Fact(name, f"#{seq}", href=href)


def actions(doc: Doc) -> list[Action]:
    """The calls that make sense on the frame; on a free one, those whose mistake is worth seeing."""
    page = ("page", f"{doc['pfn']:#x}")
    block = doc.get("block")
    if block is None:
        return [
            Action("page_address", "page_address", (page,)),
            Action("get_page_unless_zero", "get_page_unless_zero", (page,)),
        ]
    order = ("order", str(block["order"]))
    locked = "locked" in doc["struct_page"]["flags"]["names"]
    lock = ("unlock_page",) if locked else ("lock_page", "trylock_page")
    found = [Action(name, name, (page,)) for name in ("get_page", "put_page", "page_count", *lock)]
    if block["offset"] == 0:
        found.insert(0, Action("__free_pages", f"__free_pages(…, {block['order']})", (page, order)))
    if doc["address"] is None:
        found.append(Action("kmap", "kmap", (page,)))
    return found


def near(doc: Doc, here: Address) -> list[Link]:
    """The frames beside it, and the head of what it belongs to."""
    pfn = doc["pfn"]
    found = [
        Link("◂", here.at(max(0, pfn - 1)), hint=_("The frame before")),
        Link("▸", here.at(pfn + 1), hint=_("The frame after")),
    ]
    belongs = doc.get("block") or doc.get("free")
    if belongs and belongs["pfn"] != pfn:
        found.append(
            Link(
                _("head"),
                here.at(belongs["pfn"]),
                hint=_("The head of its block, %(pfn)s", pfn=wording.pfn(belongs["pfn"])),
            )
        )
    if doc["state"] == "slab":
        found.append(
            Link(_("slab"), here.inspect(doc["address"]).href, hint=_("The object here, and its slab"))
        )
    if area := doc.get("area"):
        hint = _("The vmap area that it is behind")
        found.append(Link(_("area"), on_strip(area, here.inspect(area)).href, hint=hint))
    found.append(
        Link(
            _("on the map"),
            here.to(shift=0, start=max(0, pfn - 1024), zone=doc["zone"], node=doc["node"]).href,
            hint=_("Show its surroundings, frame by frame"),
        )
    )
    return found
