"""Files: a name, a size, and the pages of them that are in memory.

Kernel: include/linux/fs.h. Contents are not kept. What matters to memory is which pages of a file are cached,
and that two who map one file get the same frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.mm.mm_types import VmArea

# File systems whose files live in memory only: their pages count as shared memory and stand on the anonymous
# lists, since only swap could take them out of memory.
SHMEM: Final = frozenset(("shm", "tmpfs", "rootfs"))

# Those without swap behind them: their pages stay for ever, and reclaim leaves them alone.
UNEVICTABLE: Final = frozenset(("ramfs",))
# File systems that keep no record of its disk blocks with a page.
BUFFERLESS: Final = frozenset(("plain",))

# The largest request of the disk; and of a file system without one, which is what is read ahead.
DISK_IO_PAGES: Final = 320
READAHEAD_PAGES: Final = 32

# Major and minor number of each file system's device, as /proc/PID/maps shows them.
DEVICES: Final = {"shm": "00:01", "rootfs": "00:02", "hugetlbfs": "00:0f", "tmpfs": "00:15", "ext4": "01:00"}


class Inode:
    """A file and its page cache. Kernel: struct inode with its struct address_space

    i_pages: index → page frame. i_mmap: the areas that map it. nlink: names; a file without a name lives
    until nobody has it open or mapped. opens: open descriptions of it. on_disk: bytes that processes stored
    in its pages, of those pages that were dropped from the cache since. shadows: index → the shadow of a page
    that reclaim has evicted (app.mm.workingset).
    """

    __slots__ = (
        "device",
        "fs",
        "i_mmap",
        "i_pages",
        "id",
        "ino",
        "is_swapfile",
        "name",
        "nlink",
        "on_disk",
        "opens",
        "page_shift",
        "reserved",
        "shadows",
        "size",
        "swap_pages",
        "swapped",
    )

    def __init__(self, number: int, fs: str, ino: int, name: str, size: int) -> None:
        self.id = number
        self.fs = fs
        self.ino = ino
        self.name = name
        self.size = size
        self.i_pages: dict[int, int] = {}
        self.i_mmap: dict[VmArea, None] = {}
        self.device = DEVICES.get(fs, "00:00")
        self.shadows: dict[int, int] = {}
        # On tmpfs, the slots of pages that are in swap (app.mm.shmem_swap).
        self.swapped: dict[int, int] = {}
        # Whether there is swapping to it. Kernel: S_SWAPFILE
        self.is_swapfile = False
        # How many pages its header says that there are to swap to, with the header; 0 for no header.
        self.swap_pages = 0
        self.nlink = 1
        self.opens = 0
        self.on_disk: dict[int, dict[int, int]] = {}
        # The page size on hugetlbfs, as a power of two.
        self.page_shift = 21 if fs == "hugetlbfs" else 12
        # Huge pages that are promised to shared mappings of it, and not taken yet.
        self.reserved: dict[int, None] = {}

    @property
    def is_shmem(self) -> bool:
        """Whether it is on tmpfs. Kernel: shmem_mapping"""
        return self.fs in SHMEM

    @property
    def in_memory(self) -> bool:
        """Whether nothing is ever written back: tmpfs, ramfs and hugetlbfs."""
        return self.fs in SHMEM or self.fs in UNEVICTABLE or self.fs == "hugetlbfs"

    @property
    def is_unevictable(self) -> bool:
        """Whether its pages can be neither dropped nor swapped out. Kernel: mapping_unevictable"""
        return self.fs in UNEVICTABLE

    @property
    def has_buffers(self) -> bool:
        """Whether a page is told of its disk blocks, and written ones keep a record of them.

        Kernel: SetPageMappedToDisk, create_page_buffers
        """
        return self.fs not in BUFFERLESS

    @property
    def io_pages(self) -> int:
        """The largest request that its disk takes at once, in pages. Kernel: struct backing_dev_info"""
        return DISK_IO_PAGES if self.has_buffers else READAHEAD_PAGES

    @property
    def is_hugetlb(self) -> bool:
        """Whether it is on hugetlbfs."""
        return self.fs == "hugetlbfs"


class ReadAhead:
    """Where read-ahead stands in an open file. Kernel: struct file_ra_state"""

    __slots__ = ("async_size", "mmap_miss", "prev_pos", "ra_pages", "size", "start")

    def __init__(self) -> None:
        self.start = 0
        self.size = 0
        self.async_size = 0
        self.ra_pages = 32
        self.mmap_miss = 0
        self.prev_pos = -1


class File:
    """An open file. Kernel: struct file

    f_count: descriptors and areas that hold it. flags: as `open` got them. path: under which name it was
    opened. random: whether it is not worth reading ahead (FMODE_RANDOM).
    """

    __slots__ = ("f_count", "flags", "inode", "path", "pos", "ra", "random")

    def __init__(self, inode: Inode, flags: int = 2, path: str = "") -> None:
        self.inode = inode
        self.path = path
        self.flags = flags
        self.pos = 0
        self.ra = ReadAhead()
        self.f_count = 1
        self.random = False
        inode.opens += 1
