"""What an access met, as one sentence: minor or major, and what the kernel did about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.web import wording
from app.web.language import N_, _, ngettext

Doc = Mapping[str, Any]

# By the kind of fault, in the words of the contract: what was done, and what that means for the frame.
WORDS: Final[Mapping[str, str]] = {
    "none": N_("the entry was there, so the kernel never heard of it"),
    "anon_zero": N_("the zero page is mapped, no frame is taken: nothing has been written here"),
    "anon_page": N_("first write to an anonymous page: one zeroed frame"),
    "file_cached": N_("found in the page cache: only the entry was missing"),
    "file_read": N_("read from the file into the page cache"),
    "file_cow": N_("first write to a private page of a file: a copy of its own"),
    "file_shared": N_("a page of the file, shared and to be written"),
    "shmem": N_("a page of shared memory"),
    "mkwrite": N_("first write since it was last clean: the file learns of it"),
    "cow_reuse": N_("nobody else has the frame any more: it is kept and may be written"),
    "cow_copy": N_("copy on write: a copy of its own, the others keep the old frame"),
    "swap_in": N_("brought back from swap"),
    "thp": N_("one huge page for 2 MiB"),
    "thp_zero": N_("the huge zero page is mapped for 2 MiB, no frame is taken"),
    "thp_cow": N_("copy on write of a huge page: one small page is copied"),
    "hugetlb": N_("a huge page of the pool"),
    "hugetlb_cow": N_("copy on write of a huge page of the pool"),
    "stack": N_("the stack grows down to this page"),
    "spurious": N_("the entry allowed it already: an old translation was in the TLB"),
}
SIGNALS: Final[Mapping[str, str]] = {
    "SEGV_MAPERR": N_("SIGSEGV: no area is there"),
    "SEGV_ACCERR": N_("SIGSEGV: the area does not allow it"),
    "SI_KERNEL": N_("SIGSEGV: the address is not canonical"),
    "BUS_ADRERR": N_("SIGBUS: behind the end of the file"),
}


def sentence(outcome: Doc) -> tuple[str, str]:
    """Headline and reason of a call that accesses memory; nothing of others."""
    access = outcome.get("access")
    if "access" not in outcome or access == []:
        return "", ""
    if outcome["call"] == "fork" and outcome["verdict"] == "ok":
        return (
            _("No page was copied."),
            _("Parent and child have the same frames until one of them writes; then that page is copied."),
        )
    if access is None or len(access) > 1:
        faults = outcome["faults"]
        minor = ngettext("%(num)s minor fault", "%(num)s minor faults", faults["min"])
        major = ngettext("%(num)s major", "%(num)s major", faults["maj"])
        return _("%(minor)s, %(major)s.", minor=minor, major=major), "" if not access else _(
            "The last: %(what)s.", what=what(access[-1])
        )
    return kind(access[0]), f"{what(access[0])}."


def kind(access: Doc) -> str:
    """Whether it was a fault, and how dear."""
    if access["signal"] is not None:
        return _("The process is killed:")
    if access["fault"] == "none":
        return _("No fault:")
    return _("◷ Major fault:") if access["major"] else _("Minor fault:")


def what(access: Doc) -> str:
    """What the kernel did."""
    if access["signal"] is not None:
        return _(SIGNALS[access["code"]])
    found = [_(WORDS.get(access["fault"], access["fault"]))]
    if access["mapped_around"]:
        found.append(
            ngettext(
                "%(num)s page around it is mapped along",
                "%(num)s pages around it are mapped along",
                access["mapped_around"],
            )
        )
    if access["new_tables"]:
        found.append(_("tables made on the way: %(tables)s", tables=", ".join(access["new_tables"]).upper()))
    return "; ".join(found)


def frame(outcome: Doc) -> int | None:
    """The frame that the last access of a call ended at."""
    access = outcome.get("access")
    pfn: int | None = access[-1]["pfn"] if access else None
    return pfn


def faults(outcome: Doc) -> str:
    """How many faults the kernel counted, as it names them."""
    counted = outcome["faults"]
    return f"min_flt +{wording.count(counted['min'])}, maj_flt +{wording.count(counted['maj'])}"
