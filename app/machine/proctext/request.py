"""The request of which a report of the log tells: what could not be had, by whom, and of which kernel.

The lines are cut at words that the kernel prints, and looked at once: a long or a hostile line costs no more
than its length.

Kernel: mm/page_alloc.c warn_alloc, mm/oom_kill.c dump_header; lib/dump_stack.c dump_stack_print_info.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.errors import BadArgument
from app.machine import oldmasks
from app.machine.parts.report import FAILED, OOM
from app.mm.mmzone import MAX_ORDER

# What a report begins with, and what stands before it: who asked.
BEGINS: Final = {
    ": page allocation failure": FAILED,
    ": page allocation stalls": FAILED,
    " invoked oom-killer:": OOM,
}
# Behind a stamp or the name of the log's source. A task's own name may have blanks and colons.
BEFORE_TASK: Final = ("] ", "kernel: ")
# Between the words of a request and its end a kernel prints less than this.
LINE: Final = 600
TASK: Final = re.compile(r"[^A-Za-z0-9_-]")
ORDER: Final = re.compile(r"\border[:=]\s?(-?[0-9]{1,4})(?![0-9])")
MASK: Final = re.compile(r"\b(?:mode|gfp_mask)[:=]\s?")
VERSION: Final = re.compile(r"[2-9]\.[0-9]{1,3}(?:\.[0-9]{1,3})?(?:[-+._][\w.+-]{0,60})?", re.ASCII)


@dataclass(slots=True)
class Request:
    """Who asked for what. gfp, order: None where the report does not say, or nobody asked (`order=-1`).

    what: which report it is. gfp: in 6.1's bits. older: the mask is read as another kernel's number.
    kernel: the release, where the report names it; empty elsewhere.
    """

    what: str
    task: str
    order: int | None
    mask: str
    gfp: int | None = None
    older: bool = False
    kernel: str = ""


def request_of(line: str) -> Request | None:
    """The request that begins a report in this line; None in another line."""
    for words, what in BEGINS.items():
        at = line.find(words)
        if at >= 0:
            behind = line[at + len(words) :][:LINE]
            order = ORDER.search(behind)
            number = -1 if order is None else int(order[1])
            mask = MASK.search(behind)
            return Request(
                what,
                task_of(line[:at]),
                number if 0 <= number < MAX_ORDER else None,
                "" if mask is None else behind[mask.start() :],
            )
    return None


def task_of(before: str) -> str:
    """The name of who asked, as a task may be named here."""
    for words in BEFORE_TASK:
        before = before.rpartition(words)[2]
    return TASK.sub("_", before.strip()[-15:]) or "init"


def release_of(line: str) -> str:
    """The kernel's release, of the line that names the process; empty for other lines."""
    at = line.find("ainted")
    if at < 0 or "omm: " not in line:
        return ""
    words = line[at : at + LINE].split()
    return next((word for word in words if VERSION.fullmatch(word)), "")


def settle(request: Request) -> None:
    """Give the mask its meaning in 6.1, once it is known which kernel has printed it."""
    if not request.mask:
        return
    try:
        given = oldmasks.read(request.mask)
    except BadArgument:
        return
    if given.names:
        # Names mean the same in every kernel; those that 6.1 does not have are in none of its masks.
        request.gfp = given.value
        return
    version = None
    if request.kernel:
        try:
            version = oldmasks.version_of(request.kernel)
        except BadArgument:
            return
    found = oldmasks.readings(given, version)
    likely = next((one for one in found if one.likely), found[0])
    request.gfp = likely.now
    request.older = likely.now != given.number
