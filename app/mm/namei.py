"""Files by name: a small disk, and /tmp in memory.

Kernel: fs/namei.c, fs/open.c, fs/exec.c. There are no directories, only names; contents are not kept. What is
in memory of a file, and who maps it, is all that matters here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import errno, mmap, read_write
from app.mm.fs import File, Inode
from app.mm.sched import current

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

O_ACCMODE: Final = 3
O_WRONLY: Final = 1
O_CREAT: Final = 0x40
O_EXCL: Final = 0x80
O_TRUNC: Final = 0x200
FIRST_FD: Final = 3
MAX_FDS: Final = 1024
FIRST_INO: Final = 12
MIB: Final = 1 << 20

PROGRAM: Final = "/bin/hello"
# What is on the disk of a new machine, with sizes in bytes.
FILES: Final = {
    PROGRAM: 4 * 4096,
    "/lib/libc.so.6": 2 * MIB,
    "/data/a": 16 * MIB,
    "/data/b": 16 * MIB,
    "/data/c": 16 * MIB,
    "/data/d": 16 * MIB,
}
# Files below are in memory only.
TMPFS: Final = "/tmp/"  # noqa: S108 - the name of a simulated folder
DISK: Final = "/dev/vda"
DISK_SIZE: Final = 128 * MIB


def mount_root(m: Kernel) -> None:
    """Make the files that every machine begins with, cold. Kernel: init/do_mounts.c mount_root"""
    if m.vm.inodes:
        return
    for path, size in FILES.items():
        new_inode(m, "ext4", path, size)
    new_inode(m, "bdev", DISK, DISK_SIZE)


def new_inode(m: Kernel, file_system: str, path: str, size: int) -> Inode:
    """A new file, with the first inode number that no other has. Kernel: new_inode, ext4_new_inode"""
    number = m.vm.new_id()
    ino = FIRST_INO + len(m.vm.inodes)
    used = {inode.ino for inode in m.vm.mappings.values()}
    if ino in used:
        ino = next(at for at in range(FIRST_INO, ino + len(used)) if at not in used)
    inode = m.vm.inodes[path] = m.vm.mappings[number] = Inode(number, file_system, ino, path, size)
    return inode


def lookup(m: Kernel, path: str) -> Inode | None:
    """The file of a name; every program in /bin is the same file. Kernel: path_lookupat"""
    mount_root(m)
    if path.startswith("/bin/"):
        path = PROGRAM
    return m.vm.inodes.get(path)


def do_open(m: Kernel, path: str, flags: int) -> int:
    """Open a file; a descriptor or -errno. Kernel: do_sys_openat2"""
    inode = lookup(m, path)
    if inode is None:
        if not flags & O_CREAT:
            return -errno.ENOENT
        inode = new_inode(m, "tmpfs" if path.startswith(TMPFS) else "ext4", path, 0)
    elif flags & O_CREAT and flags & O_EXCL:
        return -errno.EEXIST
    elif flags & O_TRUNC and flags & O_ACCMODE and inode.fs != "bdev":
        read_write.ftruncate(m, inode, 0)
    files = current(m).files
    fd = next((fd for fd in range(FIRST_FD, MAX_FDS) if fd not in files), None)
    if fd is None:
        return -errno.EMFILE
    files[fd] = File(inode, flags & O_ACCMODE, path)
    return fd


def close(m: Kernel, fd: int) -> int:
    """Give a descriptor back; what was mapped stays mapped. Kernel: close_fd"""
    file = current(m).files.pop(fd, None)
    if file is None:
        return -errno.EBADF
    mmap.fput(m, file)
    return 0


def unlink(m: Kernel, path: str) -> int:
    """Take a name away; the file goes when nobody has it open or mapped. Kernel: do_unlinkat"""
    mount_root(m)
    inode = m.vm.inodes.get(path)
    if inode is None:
        return -errno.ENOENT
    if inode.is_swapfile:
        return -errno.EPERM
    del m.vm.inodes[path]
    inode.nlink = 0
    mmap.evict_inode(m, inode)
    return 0
