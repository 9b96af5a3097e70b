"""Calls that begin and end swapping to a file or a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import observing
from app.machine.entry import system_call
from app.machine.entry.declare import Declarations
from app.machine.entry.system_call import Row, declare, nothing
from app.machine.vocabulary import Arg, Cost, Returns
from app.mm import namei, swapon

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine

    Reached = list[observing.Before | observing.PageBefore]

calls = Declarations("system")

PATH: Final = Arg(
    "path",
    "path",
    "const char *",
    "absolute; below /dev it is a device, else a file",
    example="/swap",
)


def everybody(m: Machine, call: Call) -> Reached:
    """All address spaces: any may have pages in the area."""
    return [observing.before(task) for task in m.tasks.values() if task.mm is not None]


def in_use(m: Machine, call: Call, given: int | None) -> int:
    """Pages of the area that are to be brought back, or of which slots are only kept."""
    inode = m.vm.inodes.get(call.args["path"])
    si = None if inode is None else swapon.active_area(m, inode)
    return 0 if si is None else si.inuse_pages


@declare(
    calls,
    "swapon",
    (
        PATH,
        Arg(
            "pages", "swap_pages", "unsigned int", "with its header; a new area is made as large",
            False, None, example=1024, prefill="1024",
        ),
        Arg("rotating", "bool", "bool", "whether the disk turns, so that neighbours are cheap", False, True),
    ),
    "int swapon(const char *path, int swapflags)",
    "mm/swapfile.c SYSCALL_DEFINE2(swapon)",
    "Begin to swap to a file or a device; one that is not there is made, as mkswap does.",
    returns=Returns.INT,
    reach=nothing,
    needs_mm=False,
)  # fmt: skip
def swap_on(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/swapfile.c swapon"""
    args = call.args
    path, pages = args["path"], args["pages"]
    inode = namei.lookup(m, path)
    if pages is not None:
        inode = swapon.mkswap(m, inode, path, pages)
    system_call.number(m, row, swapon.swapon(m, inode, path, rotating=args["rotating"]))


@declare(
    calls,
    "swapoff",
    (PATH,),
    "int swapoff(const char *path)",
    "mm/swapfile.c SYSCALL_DEFINE1(swapoff)",
    "End swapping to a file or a device: all pages that are in it are brought back.",
    returns=Returns.INT,
    reach=everybody,
    needs_mm=False,
    cost=Cost(held=in_use),
)
def swap_off(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/swapfile.c swapoff"""
    system_call.number(m, row, swapon.swapoff(m, namei.lookup(m, call.args["path"])))
