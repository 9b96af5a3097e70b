"""What a mistake's outcome says on a page, and what to press: the other half of `app.machine.mistakes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from app.machine import calltext, gfp_text
from app.machine.entry import CALLS
from app.machine.mistakes import FRAMES, MISTAKES, Mistake
from app.mm import gfp
from app.web import wording
from app.web.address import Address
from app.web.contexts.journal import CauseView, Press
from app.web.language import _, ngettext

Outcome = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A mistake that was made."""

    outcome: Outcome
    """the row"""
    facts: Mapping[str, Any]
    """by which the kernel found it"""
    here: Address
    """the machine page"""


# What to press; None where it does not apply.
Maker = Callable[[Case], "Press | None"]

LONGEST: Final = 200


def run(text: str, line: str, here: Address) -> Press:
    """A button that makes a call."""
    fields = [("line", line), ("view", here.query)]
    return Press(text, action=f"{here.path}/line", fields=fields, code=text == line)


def filled(name: str, here: Address, **values: str | None) -> Press:
    """A link to the form of a call, filled in."""
    call = f"{name}({', '.join(value for value in values.values() if value is not None)})"
    there = here.to(call=name, page=None, addr=None, order=None, cache=None).to(**values)
    return Press(_("The form of %(call)s", call=call), href=there.href + "#call")


def again(outcome: Outcome, **changes: Any) -> str | None:
    """The same call as a line, with other arguments."""
    doc = {"call": outcome["call"], "args": {**outcome["args"], **changes}}
    line = calltext.format_call(doc) if outcome["call"] in CALLS else ""
    return line if line and len(line) <= LONGEST and "\n" not in line else None


def atomic(case: Case) -> Press | None:
    """The same call with a mask that may not sleep."""
    name = next((name for name in ("gfp", "flags") if name in case.outcome["args"]), None)
    if name is None:
        return None
    mask = gfp_text.parse(case.outcome["args"][name])
    left = mask & ~(gfp.GFP_KERNEL | gfp.GFP_ATOMIC)
    line = again(case.outcome, **{name: gfp.pGg(gfp.GFP_ATOMIC | left)})
    return None if line is None else run(line, line, case.here)


def process(case: Case) -> Press | None:
    """The same call by a task that may sleep."""
    line = again(case.outcome, context="process")
    return None if line is None else run(_("From a process: %(line)s", line=line), line, case.here)


def mask(case: Case) -> Press | None:
    """The mask taken apart."""
    name = next((name for name in ("gfp", "flags") if name in case.outcome["args"]), None)
    if name is None:
        return None
    text = str(case.outcome["args"][name])
    return Press(_("What %(mask)s means", mask=text), href=f"/gfp?mask={quote(text)}")


def frame(case: Case) -> Press:
    """The page frame in the inspector."""
    return Press(
        _("Page frame %(pfn)s", pfn=wording.pfn(case.facts["pfn"])),
        href=case.here.at(case.facts["pfn"], "#inspector"),
    )


def thing(case: Case) -> Press:
    """What is at the address, in the inspector."""
    there = case.here.inspect(case.facts["address"]).href
    return Press(_("What is at %(address)s", address=case.facts["address"]), href=there + "#inspector")


def block(case: Case) -> Press:
    """The form that frees the whole block."""
    return filled("__free_pages", case.here, page=f"{case.facts['first']:#x}", order=str(case.facts["order"]))


def allocated(case: Case) -> Press:
    """The form that frees with the order of the compound page."""
    return filled(
        "__free_pages", case.here, page=f"{case.facts['pfn']:#x}", order=str(case.facts["allocated"])
    )


def by(name: str, fact: str = "address") -> Maker:
    """The form of the function that takes such an address."""
    return lambda case: filled(name, case.here, addr=case.facts[fact])


def pages(case: Case) -> Press:
    """The form that frees pages by their address."""
    return filled("free_pages", case.here, addr=case.facts["address"], order=str(case.facts["order"]))


def own_cache(case: Case) -> Press:
    """The form that frees to the object's own cache."""
    return filled("kmem_cache_free", case.here, cache=case.facts["cache"], addr=case.facts["address"])


def slabs(case: Case) -> Press:
    """The cache's slabs, with the objects in use."""
    there = case.here.to(panel="slab", slabs=case.facts["cache"])
    return Press(_("The objects of %(cache)s", cache=case.facts["cache"]), href=there.href)


def vmalloc(case: Case) -> Press | None:
    """vmalloc of as many bytes, which need not lie in one block."""
    size = case.outcome["args"].get("size") or 4096 << case.facts["order"]
    if not isinstance(size, int) or size > 1 << 40:
        return None
    line = f"vmalloc({size})"
    return run(line, line, case.here)


def other_task(case: Case) -> Press:
    """Somebody else unlocks."""
    line = f"other: unlock_page(pfn_to_page({case.facts['pfn']:#x}))"
    return run(_("Call as another task: %(line)s", line=line), line, case.here)


def kill(case: Case) -> Press:
    """The task that waits for itself is ended, or woken."""
    line = f"kill_task({case.facts['task']})"
    return run(line, line, case.here)


def program(case: Case) -> Press:
    """The task is given an address space."""
    line = f"{case.facts['task']}: execve()"
    return run(line, line, case.here)


# By mistake, besides *Undo*.
PRESSES: Final[dict[str, tuple[Maker, ...]]] = {
    "sleeping_allocation": (atomic, process, mask),
    "sleeping": (process,),
    "schedule_in_atomic": (process,),
    "vmalloc_in_interrupt": (process,),
    "page_freed_twice": (frame,),
    "tail_page": (block, frame),
    "get_free_page": (frame,),
    "object_freed_twice": (thing,),
    "pointer_into_object": (by("kfree", "object"), thing),
    "kfree_of_page": (pages, frame),
    "not_a_slab": (thing,),
    "wrong_cache": (own_cache, thing),
    "vmalloc_pointer": (by("vfree"), thing),
    "wild_pointer": (thing,),
    "no_struct_page": (thing,),
    "no_page_address": (thing,),
    "vfree_unaligned": (thing,),
    "vfree_of_kmalloc": (by("kfree"), thing),
    "vfree_nothing": (thing,),
    "slab_page": (frame, slabs),
    "bad_page": (frame,),
    "compound_order": (allocated, frame),
    "frames_of_others": (frame,),
    "impossible_order": (frame,),
    "lost_frames": (frame,),
    "unlock_unlocked": (frame,),
    "unlock_freed": (frame,),
    "lock_twice": (other_task, kill),
    "destroy_with_objects": (slabs,),
    "destroy_boot_cache": (slabs,),
    "duplicate_cache": (slabs,),
    "cache_refused": (),
    "no_cache": (),
    "null_page": (),
    "zone_bits": (mask,),
    "movable_reclaimable": (mask,),
    "slab_gfp": (mask,),
    "highmem_dropped": (mask,),
    "exact_flags": (mask,),
    "order_too_large": (vmalloc,),
    "vmalloc_too_large": (),
    "vmalloc_nothing": (),
    "kvmalloc_too_large": (),
    "array_overflow": (),
    "kunmap_unmapped": (frame,),
    "split_compound": (frame,),
    "split_free": (frame,),
    "left_behind": (),
    "no_mm": (program,),
}


def cause_view(
    outcome: Outcome, here: Address, head: int, freed: Mapping[str, Any] | None = None
) -> CauseView | None:
    """The cause in words, and what to press.

    head: the session's last row. freed: the row that freed it before.
    """
    cause = outcome.get("cause")
    row = MISTAKES.get(cause["mistake"]) if cause else None
    if not cause or row is None:
        return None
    facts = cause["facts"]
    presses = [undo(here)] if outcome["seq"] == head and here.moment is None else []
    case = Case(outcome, facts, here)
    made = [maker(case) for maker in PRESSES[cause["mistake"]]]
    presses += [press for press in made if press is not None]
    text = said(row, facts)
    if freed is not None:
        text = f"{text} {since(freed)}"
        there = here.to(outcome=freed["seq"]).href + "#outcome"
        presses.append(Press(_("Row #%(seq)s, which freed it", seq=wording.count(freed["seq"])), href=there))
    return CauseView(title=_(row.title), text=text, kernel=_(row.does), lost=lost(cause), presses=presses)


def said(row: Mistake, facts: Mapping[str, Any]) -> str:
    """The sentence of a mistake, in the language of the page."""
    return _(row.say, **{name: shown(name, value) for name, value in facts.items()})


def undo(here: Address) -> Press:
    """The button that takes the call back."""
    return Press(_("Undo"), action=f"{here.path}/undo", fields=[("view", here.to(outcome=None).query)])


def since(freed: Mapping[str, Any]) -> str:
    """By whom it was freed before."""
    return _(
        "It is free since #%(seq)s: %(call)s by %(task)s.",
        seq=wording.count(freed["seq"]),
        call=freed["call"],
        task=freed["task"],
    )


def lost(cause: Mapping[str, Any]) -> str:
    """How many frames have no owner since the call."""
    frames = cause.get("lost")
    return (
        ngettext("%(num)s frame has no owner now", "%(num)s frames have no owner now", frames)
        if frames
        else ""
    )


def tone(outcome: Outcome) -> str:
    """The colour of an outcome: its verdict, but `lost` for one that looks well and has lost frames."""
    verdict = str(outcome["verdict"])
    return "lost" if verdict == "ok" and (outcome.get("cause") or {}).get("lost") else verdict


def shown(name: str, value: Any) -> str:
    """A fact in a sentence, in the language of the page."""
    if type(value) is int:
        return wording.hexadecimal(value) if name in FRAMES else wording.count(value)
    return str(value)
