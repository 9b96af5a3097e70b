"""Calls that change which addresses a process may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import user_kinds
from app.machine.entry import system_call
from app.machine.entry.declare import Declarations
from app.machine.entry.processes import resident
from app.machine.entry.system_call import Row, declare, sharing
from app.machine.vocabulary import Arg, Cost, Returns
from app.mm import errno, madvise, mlock_vma, mmap, mprotect, mremap
from app.mm.mm_types import VM_LOCKED
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


def populated(args: Args) -> int:
    """Pages that mmap brings into memory at once; without being asked to, none."""
    flags = args.get("flags", 0)
    asked = user_kinds.as_flags("map_flags", flags) & (mmap.MAP_POPULATE | mmap.MAP_LOCKED)
    return pages_of_length(args) if asked else 1


BY_LENGTH: Final = Cost(each=pages_of_length)
BY_SIZE: Final = Cost(held=resident)


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
    cost=Cost(each=populated),
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
    cost=BY_SIZE,
)
def munmap(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/mmap.c __vm_munmap"""
    system_call.number(m, row, mmap.munmap(m, call.args["addr"] or 0, call.args["length"]))


@declare(
    calls,
    "mprotect",
    (ADDR, LENGTH, PROT),
    "int mprotect(void *addr, size_t length, int prot)",
    "mm/mprotect.c do_mprotect_pkey",
    "Change what the process may do with a range of addresses.",
    returns=Returns.INT,
    cost=BY_SIZE,
)
def change_rights(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/mprotect.c do_mprotect_pkey"""
    args = call.args
    prot = user_kinds.as_flags("prot", args["prot"])
    system_call.number(m, row, mprotect.mprotect(m, args["addr"] or 0, args["length"], prot))


@declare(
    calls,
    "madvise",
    (
        ADDR,
        LENGTH,
        Arg("advice", "madvice", "int", "a MADV_ name, or its number", example="MADV_DONTNEED"),
    ),
    "int madvise(void *addr, size_t length, int advice)",
    "mm/madvise.c do_madvise",
    "Tell the kernel how a range will be used, or that its pages are not needed.",
    returns=Returns.INT,
    reach=sharing,
    cost=BY_SIZE,
)
def advise(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/madvise.c do_madvise"""
    args = call.args
    advice = user_kinds.as_flags("madvice", args["advice"])
    system_call.number(m, row, madvise.madvise(m, args["addr"] or 0, args["length"], advice))


@declare(
    calls,
    "mremap",
    (
        ADDR,
        Arg("old_length", "length", "size_t", "bytes of the area by now", example=32768),
        Arg("new_length", "length", "size_t", "bytes that it is to have", example=65536),
        Arg("flags", "mremap_flags", "int", "MREMAP_ names joined with |, or a number", False, 0),
        Arg("new_addr", "user_addr", "void *", "where to, with MREMAP_FIXED", False, None),
    ),
    "void *mremap(void *addr, size_t old_length, size_t new_length, int flags, void *new_addr)",
    "mm/mremap.c mremap",
    "Make an area larger or smaller, or move it with its pages.",
    returns=Returns.USER_ADDRESS,
    cost=BY_SIZE,
)
def move_area(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/mremap.c SYSCALL_DEFINE5(mremap)"""
    args = call.args
    flags = user_kinds.as_flags("mremap_flags", args["flags"])
    lengths = args["old_length"], args["new_length"]
    ret = mremap.mremap(m, args["addr"] or 0, *lengths, flags, args["new_addr"] or 0)
    system_call.user_address(m, row, ret)


@declare(
    calls,
    "brk",
    (
        Arg(
            "addr",
            "user_addr",
            "void *",
            "where the heap is to end; NULL asks where it does",
            example="0x406000",
        ),
    ),
    "void *brk(void *addr)",
    "mm/mmap.c brk",
    "Move the end of the heap; returns where it is then.",
    returns=Returns.USER_ADDRESS,
)
def move_break(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/mmap.c SYSCALL_DEFINE1(brk)"""
    system_call.user_address(m, row, mmap.brk(m, call.args["addr"] or 0))


@declare(
    calls,
    "mlock",
    (ADDR, LENGTH),
    "int mlock(const void *addr, size_t length)",
    "mm/mlock.c do_mlock",
    "Bring the pages of a range into memory and keep them there.",
    returns=Returns.INT,
    cost=BY_LENGTH,
)
def lock_range(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/mlock.c do_mlock"""
    args = call.args
    system_call.number(m, row, mlock_vma.do_mlock(m, args["addr"] or 0, args["length"], VM_LOCKED))


@declare(
    calls,
    "munlock",
    (ADDR, LENGTH),
    "int munlock(const void *addr, size_t length)",
    "mm/mlock.c munlock",
    "Let the pages of a range be reclaimed again.",
    returns=Returns.INT,
    cost=BY_SIZE,
)
def unlock_range(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/mlock.c SYSCALL_DEFINE2(munlock)"""
    system_call.number(m, row, mlock_vma.munlock(m, call.args["addr"] or 0, call.args["length"]))
