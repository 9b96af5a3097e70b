"""Calls on files: their pages come into memory, become dirty, are written back and dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import observing, user_kinds
from app.machine.entry import system_call
from app.machine.entry.declare import Declarations
from app.machine.entry.mappings import ADDR, LENGTH
from app.machine.entry.system_call import Row, declare, mapping, nothing, sharing
from app.machine.vocabulary import Arg, Cost, Returns
from app.mm import errno, fadvise, namei, read_write
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.sched import current

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.mm.fs import File

    Reached = list[observing.Before | observing.PageBefore]

calls = Declarations("files")

FD: Final = Arg("fd", "fd", "int", "what open returned", example=3)
PATH: Final = Arg(
    "path", "path", "const char *", "absolute; below /tmp a file is in memory only", example="/data/a"
)
BUF: Final = Arg(
    "buf", "user_addr", "void *", "memory of the process; NULL touches none", False, None, prefill=""
)
COUNT: Final = Arg("count", "length", "size_t", "bytes", example=4096, prefill="4K")
POSITION: Final = Arg("offset", "offset", "loff_t", "where; by default where the file stands", False, None)
BY_COUNT: Final = Cost(each=lambda args: max(1, int(args["count"]) // PAGE_SIZE))


# The most that one call reads or writes, and the largest file of ext4.
MAX_RW_COUNT: Final = 0x7FFFF000
MAX_SIZE: Final = (1 << 44) - PAGE_SIZE


def file_of(m: Machine, call: Call) -> File | None:
    """The open file of a descriptor."""
    return current(m).files.get(call.args["fd"])


def mappers(m: Machine, call: Call) -> Reached:
    """Who maps the file of a descriptor."""
    file = file_of(m, call)
    return [] if file is None else mapping(m, [file.inode])


def emptied(m: Machine, call: Call) -> Reached:
    """Who maps the file that is opened to be written anew."""
    inode = m.vm.inodes.get(call.args["path"])
    truncates = user_kinds.as_flags("open_flags", call.args["flags"]) & user_kinds.OPEN_FLAGS["O_TRUNC"]
    return [] if inode is None or not truncates else mapping(m, [inode])


@declare(
    calls,
    "open",
    (
        PATH,
        Arg("flags", "open_flags", "int", "O_ names joined with |, or a number", False, 0, prefill="O_RDWR"),
    ),
    "int open(const char *path, int flags)",
    "fs/open.c do_sys_openat2",
    "Open a file, and make it with O_CREAT.",
    returns=Returns.FD,
    reach=emptied,
    needs_mm=False,
)
def open_file(m: Machine, call: Call, row: Row) -> None:
    """Kernel: fs/open.c do_sys_openat2"""
    flags = user_kinds.as_flags("open_flags", call.args["flags"])
    system_call.handle(m, row, "fd", namei.do_open(m, call.args["path"], flags))


@declare(
    calls,
    "close",
    (FD,),
    "int close(int fd)",
    "fs/open.c close_fd",
    "Give a descriptor back; what is mapped stays mapped.",
    returns=Returns.INT,
    needs_mm=False,
)
def close(m: Machine, call: Call, row: Row) -> None:
    """Kernel: fs/open.c close"""
    system_call.number(m, row, namei.close(m, call.args["fd"]))


@declare(
    calls,
    "read",
    (FD, BUF, COUNT, POSITION),
    "ssize_t read(int fd, void *buf, size_t count)",
    "fs/read_write.c vfs_read",
    "Read from a file: its pages come into the page cache, and further ones ahead of the reader.",
    returns=Returns.INT,
    needs_mm=False,
    cost=BY_COUNT,
)
def read(m: Machine, call: Call, row: Row) -> None:
    """Kernel: fs/read_write.c ksys_read, ksys_pread64"""
    args = call.args
    file = file_of(m, call)
    if file is None or file.flags & namei.O_ACCMODE == namei.O_WRONLY:
        ret = -errno.EBADF
    elif file.inode.is_hugetlb or (args["buf"] is not None and current(m).mm is None):
        ret = -errno.EFAULT
    else:
        count = min(args["count"], MAX_RW_COUNT)
        ret = read_write.read(m, file, args["buf"], count, args["offset"])
    system_call.number(m, row, ret)


@declare(
    calls,
    "write",
    (FD, BUF, COUNT, POSITION),
    "ssize_t write(int fd, const void *buf, size_t count)",
    "fs/read_write.c vfs_write",
    "Write to a file: its pages are in memory and dirty until they are written back.",
    returns=Returns.INT,
    needs_mm=False,
    cost=BY_COUNT,
)
def write(m: Machine, call: Call, row: Row) -> None:
    """Kernel: fs/read_write.c ksys_write, ksys_pwrite64"""
    args = call.args
    file = file_of(m, call)
    if file is None or not file.flags & namei.O_ACCMODE:
        ret = -errno.EBADF
    elif args["buf"] is not None and current(m).mm is None:
        ret = -errno.EFAULT
    elif (file.pos if args["offset"] is None else args["offset"]) > MAX_SIZE - MAX_RW_COUNT:
        ret = -errno.EFBIG
    else:
        ret = read_write.write(m, file, args["buf"], min(args["count"], MAX_RW_COUNT), args["offset"])
    system_call.number(m, row, ret)


@declare(
    calls,
    "ftruncate",
    (FD, Arg("length", "loff", "off_t", "bytes that the file is to have", example=0)),
    "int ftruncate(int fd, off_t length)",
    "fs/open.c do_truncate",
    "Make a file shorter or longer; what was mapped behind its end is unmapped from everybody.",
    returns=Returns.INT,
    reach=mappers,
    needs_mm=False,
)
def ftruncate(m: Machine, call: Call, row: Row) -> None:
    """Kernel: fs/open.c do_sys_ftruncate"""
    file = file_of(m, call)
    if file is None:
        ret = -errno.EBADF
    elif call.args["length"] < 0 or not file.flags & namei.O_ACCMODE or file.inode.fs == "bdev":
        ret = -errno.EINVAL
    elif call.args["length"] > MAX_SIZE:
        ret = -errno.EFBIG
    else:
        ret = read_write.ftruncate(m, file.inode, call.args["length"])
    system_call.number(m, row, ret)


@declare(
    calls,
    "fsync",
    (FD,),
    "int fsync(int fd)",
    "fs/sync.c vfs_fsync",
    "Write the dirty pages of a file back to the disk.",
    returns=Returns.INT,
    reach=mappers,
    needs_mm=False,
)
def fsync(m: Machine, call: Call, row: Row) -> None:
    """Kernel: fs/sync.c do_fsync"""
    file = file_of(m, call)
    system_call.number(m, row, -errno.EBADF if file is None else read_write.fsync(m, file.inode))


@declare(
    calls,
    "posix_fadvise",
    (
        FD,
        Arg("offset", "loff", "off_t", "from where", False, 0),
        Arg("length", "loff", "off_t", "bytes; 0 is to the end", False, 0),
        Arg(
            "advice", "fadvice", "int", "a POSIX_FADV_ name, or its number", False, "POSIX_FADV_DONTNEED",
            example="POSIX_FADV_DONTNEED",
        ),
    ),
    "int posix_fadvise(int fd, off_t offset, off_t length, int advice)",
    "mm/fadvise.c generic_fadvise",
    "Tell the kernel how a file will be read, or that its cached pages are not needed.",
    returns=Returns.INT,
    reach=mappers,
    needs_mm=False,
)  # fmt: skip
def posix_fadvise(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/fadvise.c ksys_fadvise64_64"""
    args = call.args
    file = file_of(m, call)
    advice = user_kinds.as_flags("fadvice", args["advice"])
    if file is None:
        system_call.number(m, row, -errno.EBADF)
        return
    system_call.number(m, row, fadvise.fadvise(m, file, args["offset"], args["length"], advice))


@declare(
    calls,
    "unlink",
    (PATH,),
    "int unlink(const char *path)",
    "fs/namei.c do_unlinkat",
    "Take a file's name away; it goes when nobody has it open or mapped.",
    returns=Returns.INT,
    reach=nothing,
    needs_mm=False,
)
def unlink(m: Machine, call: Call, row: Row) -> None:
    """Kernel: fs/namei.c do_unlinkat"""
    system_call.number(m, row, namei.unlink(m, call.args["path"]))


@declare(
    calls,
    "msync",
    (ADDR, LENGTH, Arg("flags", "ms_flags", "int", "MS_ names joined with |", False, "MS_SYNC")),
    "int msync(void *addr, size_t length, int flags)",
    "mm/msync.c msync",
    "Write back what was written through shared mappings of a range.",
    returns=Returns.INT,
    reach=sharing,
)
def msync(m: Machine, call: Call, row: Row) -> None:
    """Kernel: mm/msync.c SYSCALL_DEFINE3(msync)"""
    args = call.args
    flags = user_kinds.as_flags("ms_flags", args["flags"])
    system_call.number(m, row, read_write.msync(m, args["addr"] or 0, args["length"], flags))
