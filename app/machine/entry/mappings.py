"""Calls that change which addresses a process may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import user_kinds
from app.machine.entry import system_call
from app.machine.entry.declare import Declarations
from app.machine.entry.system_call import Row, declare
from app.machine.vocabulary import Arg, Cost, Returns
from app.mm import errno, mmap
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.sched import current

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.vocabulary import Args

calls = Declarations("mappings")

ADDR: Final = Arg("addr", "user_addr", "unsigned long", "an address of the process", example="0x7ffff7ff1000")
LENGTH: Final = Arg("length", "length", "size_t", "bytes", example=32768, prefill="32K")
PROT: Final = Arg(
    "prot", "prot", "int", "PROT_ names joined with |, or a number", example="PROT_READ|PROT_WRITE",
    prefill="PROT_READ|PROT_WRITE",
)  # fmt: skip


def pages_of_length(args: Args) -> int:
    """Whole pages of a range."""
    return max(1, -(-int(args["length"]) // PAGE_SIZE))


BY_LENGTH: Final = Cost(each=pages_of_length)


@declare(
    calls,
    "mmap",
    (
        Arg("addr", "user_addr", "void *", "where, or NULL for the kernel's choice", False, None),
        LENGTH,
        PROT,
        Arg(
            "flags", "map_flags", "int", "MAP_ names joined with |, or a number",
            example="MAP_PRIVATE|MAP_ANONYMOUS", prefill="MAP_PRIVATE|MAP_ANONYMOUS",
        ),
        Arg("fd", "fd", "int", "the file, or -1 for none", False, -1),
        Arg("offset", "length", "off_t", "where in the file the area begins", False, 0),
    ),
    "void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)",
    "mm/mmap.c ksys_mmap_pgoff",
    "Let the process use a range of addresses; pages come when they are touched.",
    returns=Returns.USER_ADDRESS,
    cost=BY_LENGTH,
)  # fmt: skip
def mmap_area(m: Machine, call: Call, row: Row) -> None:
    """Kernel: arch/x86/kernel/sys_x86_64.c mmap, mm/mmap.c ksys_mmap_pgoff"""
    args = call.args
    flags = user_kinds.as_flags("map_flags", args["flags"])
    prot = user_kinds.as_flags("prot", args["prot"])
    file = None
    if args["offset"] % PAGE_SIZE:
        ret = -errno.EINVAL
    elif not flags & mmap.MAP_ANONYMOUS and (file := current(m).files.get(args["fd"])) is None:
        ret = -errno.EBADF
    else:
        ret = mmap.ksys_mmap(
            m, args["addr"] or 0, args["length"], prot, flags, file, args["offset"] // PAGE_SIZE
        )
    system_call.user_address(m, row, ret)


@declare(
    calls,
    "munmap",
    (ADDR, LENGTH),
    "int munmap(void *addr, size_t length)",
    "mm/mmap.c __vm_munmap",
    "Take a range of addresses away, with the pages and tables that only it needed.",
    returns=Returns.INT,
    cost=BY_LENGTH,
)
def munmap(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/mmap.c __vm_munmap"""
    system_call.number(m, row, mmap.munmap(m, call.args["addr"] or 0, call.args["length"]))
