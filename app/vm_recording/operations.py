"""What the processes did: system calls, accesses, and a few things that the recording's module did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.machine.machine import Machine
from app.mm import exit as kernel_exit
from app.mm import fault, fork, madvise, mlock_vma, mmap, mprotect, mremap, pcp, read_write, swap, user_bytes
from app.mm.fs import File
from app.mm.mm_types import MMF_DISABLE_THP, VM_LOCKED, VM_LOCKONFAULT, MmStruct
from app.mm.sched import Task
from app.vm_recording.identities import Identities
from app.vm_recording.others import Others
from app.vm_recording.recorded import Recorded, number
from app.vm_recording.start import Start, task_name

MAP_ANONYMOUS: Final = 0x20
O_CREAT: Final = 0x40
# What the recorded programs store in a loop.
LOOP_VALUE: Final = 0x5A

Result = tuple[int | None, fault.Signal | None]


class Operations:
    """Makes them again. Each function gets the recorded arguments and returns the result, if it is known."""

    def __init__(self, m: Machine, recorded: Recorded, identities: Identities, others: Others) -> None:
        self.m = m
        self.recorded = recorded
        self.identities = identities
        self.others = others
        self.start = Start(m, recorded, identities)
        self.leaving: Task | None = None
        self.created = 0

    def perform(self, line: dict[str, Any]) -> Result:
        """One operation; returns its result and the signal it ended with."""
        name = line["op"]
        a = [number(value) for value in line["a"]]
        if name in ("r", "w"):
            return self.accesses(a[0], 1, 0, a[1] if name == "w" else None)
        if name in ("rn", "wn"):
            return self.accesses(a[0], a[1], a[2], LOOP_VALUE if name == "wn" else None)
        if name == "start":
            flt = line.get("flt")
            return 0, fault.user_access(self.m, number(flt[0][2]), execute=True) if flt else None
        if name in CALLS:
            return CALLS[name](self.m, *a[: ARGUMENTS[name]]), None
        own: Callable[[dict[str, Any], list[int]], int | None] = getattr(self, f"do_{name}")
        return own(line, a), None

    @property
    def task(self) -> Task:
        """Who makes the operation."""
        return self.m.tasks[self.m.current.task]

    @property
    def mm(self) -> MmStruct:
        """Its address space."""
        mm = self.task.mm
        assert mm is not None
        return mm

    # -- accesses ----------------------------------------------------------------------------------

    def accesses(self, address: int, count: int, step: int, value: int | None) -> Result:
        """One byte on each of several pages; the last byte read, None where nobody knows it."""
        ret: int | None = 0
        for at in range(count):
            where = (address + at * step) % (1 << self.recorded.bits)
            signal = fault.user_access(self.m, where, write=value is not None)
            if signal is not None:
                return None, signal
            if value is None:
                ret = user_bytes.load(self.m, self.mm, where)
            else:
                user_bytes.store(self.m, self.mm, where, value)
        return ret, None

    def do_kread(self, line: dict[str, Any], a: list[int]) -> int:
        """The kernel reads for the process."""
        return fault.kernel_access(self.m, a[0])

    def do_kwrite(self, line: dict[str, Any], a: list[int]) -> int:
        """The kernel writes for the process."""
        error = fault.kernel_access(self.m, a[0], write=True)
        if not error:
            user_bytes.store(self.m, self.mm, a[0], a[1])
        return error

    # -- processes ---------------------------------------------------------------------------------

    def do_fork(self, line: dict[str, Any], a: list[int]) -> int:
        """A child; pids are not ours to give."""
        return fork.fork(self.m, task_name(a[0]), number(line["ret"])).pid

    def do_exit(self, line: dict[str, Any], a: list[int]) -> int:
        """The end."""
        self.end(line["l"])
        return 0

    def do_wait4(self, line: dict[str, Any], a: list[int]) -> int:
        """The parent buries a child, which costs user memory nothing."""
        return number(line["ret"])

    def end(self, label: int) -> None:
        """A process dies: its memory goes now, its files afterwards, its highest table last of all."""
        task = self.m.tasks[task_name(label)]
        mm = kernel_exit.exit_mm(self.m, task)
        self.leaving = task
        if mm is not None:
            self.others.bury(mm)
        self.recorded.procs.pop(label, None)

    def end_of_call(self) -> None:
        """Before it returns to user mode the task closes the files that it let go."""
        mmap.task_work_run(self.m)

    def finish_exit(self) -> None:
        """What a process does at its end after its memory is gone: the recording has it as background."""
        task, self.leaving = self.leaving, None
        if task is not None:
            kernel_exit.exit_files(self.m, task)
            del self.m.tasks[task.name]

    def do_prctl(self, line: dict[str, Any], a: list[int]) -> int:
        """PR_SET_THP_DISABLE."""
        bit = 1 << MMF_DISABLE_THP
        self.mm.flags = self.mm.flags | bit if a[1] else self.mm.flags & ~bit
        return 0

    # -- what the module did -----------------------------------------------------------------------

    def do_lrudrain(self, line: dict[str, Any], a: list[int]) -> int:
        """Empty the LRU batches."""
        swap.lru_add_drain(self.m)
        return 0

    def do_drain(self, line: dict[str, Any], a: list[int]) -> int:
        """Empty the page allocator's lists."""
        pcp.drain_all_pages(self.m)
        return 0

    def do_dropcaches(self, line: dict[str, Any], a: list[int]) -> int:
        """Drop the page cache."""
        self.others.drop_caches(line.get("ev", []))
        return 0

    # -- files -------------------------------------------------------------------------------------

    def do_mmap(self, line: dict[str, Any], a: list[int]) -> int:
        """An area, of a file or not."""
        file = None if a[3] & MAP_ANONYMOUS else self.task.files.get(a[4])
        return mmap.ksys_mmap(self.m, a[0], a[1], a[2], a[3], file, a[5] >> 12)

    def do_open(self, line: dict[str, Any], a: list[int]) -> int:
        """Which file, only the recording knows: one with pages, one of hugetlbfs, or one of /proc."""
        fd = number(line["ret"])
        inode = self.identities.inode("hugetlbfs" if a[1] & O_CREAT else "proc", -fd)
        for at, file_system, ino, size, *_ in line.get("fc", []):
            if at == fd:
                inode = self.identities.inode(file_system, ino)
                inode.size = size
                if not inode.i_pages:
                    self.start.cached(inode, self.recorded.files[file_system, ino], size)
        if a[1] & O_CREAT:
            self.created = inode.id
        self.task.files[fd] = File(inode, a[1] & 3)
        return fd

    def do_close(self, line: dict[str, Any], a: list[int]) -> int:
        """A descriptor less."""
        mmap.fput(self.m, self.task.files.pop(a[0]))
        return 0

    def do_unlink(self, line: dict[str, Any], a: list[int]) -> int:
        """The file that was created last loses its name."""
        inode = self.m.vm.mappings[self.created]
        inode.nlink = 0
        mmap.evict_inode(self.m, inode)
        return 0

    def do_lseek(self, line: dict[str, Any], a: list[int]) -> int:
        """Another position."""
        self.task.files[a[0]].pos = a[1]
        return a[1]

    def do_read(self, line: dict[str, Any], a: list[int]) -> int:
        """From a file; from one of /proc come bytes that are compared elsewhere."""
        file = self.task.files[a[0]]
        if file.inode.fs == "proc":
            return read_write.copy_to_user(self.m, a[1], a[2])
        return read_write.read(self.m, file, a[1], a[2])

    def do_write(self, line: dict[str, Any], a: list[int]) -> int:
        """To a file."""
        return read_write.write(self.m, self.task.files[a[0]], a[1], a[2])

    def do_ftruncate(self, line: dict[str, Any], a: list[int]) -> int:
        """Shorter or longer."""
        return read_write.ftruncate(self.m, self.task.files[a[0]].inode, a[1])

    def do_fsync(self, line: dict[str, Any], a: list[int]) -> int:
        """Write back; blocks are found before pages are written."""
        self.others.flush()
        return read_write.fsync(self.m, self.task.files[a[0]].inode)

    def do_msync(self, line: dict[str, Any], a: list[int]) -> int:
        """Write back what was mapped."""
        self.others.flush()
        return read_write.msync(self.m, *a[:3])

    def do_mlock(self, line: dict[str, Any], a: list[int]) -> int:
        """Lock a range."""
        return mlock_vma.do_mlock(self.m, a[0], a[1], VM_LOCKED)

    def do_mlock2(self, line: dict[str, Any], a: list[int]) -> int:
        """Lock a range, perhaps only when it is touched."""
        return mlock_vma.do_mlock(self.m, a[0], a[1], VM_LOCKED | (VM_LOCKONFAULT if a[2] else 0))

    def do_mremap(self, line: dict[str, Any], a: list[int]) -> int:
        """Move or resize."""
        return mremap.mremap(self.m, a[0], a[1], a[2], a[3], a[4] if len(a) > 4 else 0)


# System calls that take the recorded arguments as they are.
CALLS: Final[dict[str, Callable[..., int]]] = {
    "munmap": mmap.munmap,
    "mprotect": mprotect.mprotect,
    "madvise": madvise.madvise,
    "brk": mmap.brk,
    "munlock": mlock_vma.munlock,
    "mlockall": mlock_vma.mlockall,
    "munlockall": mlock_vma.munlockall,
}
ARGUMENTS: Final = {
    "munmap": 2, "mprotect": 3, "madvise": 3, "brk": 1, "munlock": 2, "mlockall": 1, "munlockall": 0,
}  # fmt: skip
