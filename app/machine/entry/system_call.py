"""How a system call, or an access by a process, is made and told.

It runs in the address space of the task that makes it. What it does to processes is looked at from before to
after: faults, entries, areas and lists are parts of its outcome that no other call has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from app.machine import faulting, observing
from app.machine import telling as telling_of
from app.machine.calls import Named
from app.machine.vocabulary import FREE, Arg, CallSpec, Cost, Returns
from app.mm import mmap, oom_reaper
from app.mm.errno import EFAULT
from app.mm.mm_types import VM_SHARED
from app.mm.pgtable_types import PAGE_SIZE

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.entry.declare import Declarations
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome
    from app.mm.fs import Inode
    from app.mm.mm_types import MmStruct
    from app.mm.sched import Task

Run: TypeAlias = "Callable[[Machine, Call, Row], None]"
Reach: TypeAlias = "Callable[[Machine, Call], list[observing.Before | observing.PageBefore]]"
# How a call that needs an address space finds none.
NO_MM: Final = "no_mm"


class Row:
    """One call being made: what it returns, and what is to be told of it.

    was: address spaces as they were. tasks: whose faults count, with what they had before.
    """

    __slots__ = ("access", "outcome", "tasks", "was")

    def __init__(self, outcome: Outcome, was: list[observing.Before | observing.PageBefore]) -> None:
        self.outcome = outcome
        self.was = was
        self.tasks: list[tuple[Task, int, int]] = []
        # Entries of accesses by user mode, one more than are shown; the kernel's are made of its notes.
        self.access: list[faulting.Seen] = []

    def follow(self, task: Task) -> None:
        """Count a task's faults from here on."""
        self.tasks.append((task, task.min_flt, task.maj_flt))


class SystemCall(CallSpec):
    """A call that is made in an address space. run: makes it. reach: what it may change there.

    needs_mm: whether a task without an address space can only fail.
    """

    __slots__ = ("needs_mm", "reach", "run")
    run: Run
    reach: Reach
    needs_mm: bool

    def run_by(self, run: Run) -> Run:
        """Decorates the function that runs it."""
        self.run = run
        return run

    def make(self, m: Machine, call: Call, outcome: Outcome) -> None:
        """Make it, and note what it did to processes."""
        task = m.tasks[call.task]
        if task.mm is None and self.needs_mm:
            without_mm(m, call, outcome)
            return
        row = Row(outcome, self.reach(m, call))
        row.follow(task)
        notes = watch(m)
        try:
            self.run(m, call, row)
            if m.vm.task_works:
                mmap.task_work_run(m)
            if m.current.killed:
                return_killed(m)
        finally:
            told(m, row, notes)


def return_killed(m: Machine) -> None:
    """The way back to user mode of a call in which somebody was killed: the caller may not get there.

    Nobody receives what its call would have returned, so that is worth no more than a failure.
    """
    if not m.vm.oom.panicked and oom_reaper.get_signal(m):
        m.current.verdict = "oom"


def without_mm(m: Machine, call: Call, outcome: Outcome) -> None:
    """A kernel thread has no addresses of its own that the call could be about."""
    m.mistake(NO_MM, task=call.task, call=call.spec.name)
    if call.spec.returns is not Returns.NOTHING:
        outcome.ret = -EFAULT
    m.worsen_null()


@contextmanager
def telling(m: Machine, row: Row) -> Iterator[None]:
    """Have the kernel note what it does, and tell it in the outcome."""
    notes = watch(m)
    try:
        yield
    finally:
        told(m, row, notes)


def watch(m: Machine) -> faulting.Notes:
    """Have the kernel note what it does, until it is told."""
    vm = m.vm
    vm.faults = notes = faulting.Notes()
    vm.moved = []
    return notes


def told(m: Machine, row: Row, notes: list[Any]) -> None:
    """Note what the outcome will tell of processes."""
    vm = m.vm
    moved, vm.moved, vm.faults = vm.moved, None, None
    minor = major = 0
    for task, min_flt, maj_flt in row.tasks:
        minor += task.min_flt - min_flt
        major += task.maj_flt - maj_flt
    first = row.tasks[0][0] if row.tasks else None
    view = None if first is None or first.mm is None else telling_of.figures(first, first.mm)
    row.outcome.told = seen = telling_of.Told(minor, major, view)
    access = row.access or (faulting.of_call(m, notes) if notes else [])
    seen.access = access if len(access) <= faulting.MAX_SHOWN else None
    if len(row.was) == 1 and type(page := row.was[0]) is observing.PageBefore:
        seen.pte = observing.changed_page(page)
    elif row.was:
        seen.pte = observing.few(run for was in row.was for run in observing.changed_entries(was))
        seen.vma = observing.few(run for was in row.was for run in observing.changed_areas(was))
    if moved:
        one = observing.moved_page(m, moved[0]) if len(moved) == 1 else None
        seen.lru = one or observing.few(observing.moved_pages(m, moved))


def mm_view(task: Task, mm: MmStruct) -> dict[str, Any]:
    """An address space in figures, as outcomes have it."""
    return telling_of.mm_document(telling_of.figures(task, mm))


@contextmanager
def running_as(m: Machine, task: Task) -> Iterator[None]:
    """Let another task run for a while."""
    current = m.current
    before, caller = current.task, current.caller
    current.task, current.caller = task.name, (task.name, current.seq)
    try:
        yield
    finally:
        current.task, current.caller = before, caller


# -- what a call reaches ---------------------------------------------------------------------------


def own(m: Machine, call: Call) -> list[observing.Before | observing.PageBefore]:
    """All of the caller's address space."""
    task = m.tasks[call.task]
    return [] if task.mm is None else [observing.before(task)]


def mapping(m: Machine, inodes: Collection[Inode]) -> list[observing.Before | observing.PageBefore]:
    """The address spaces that map any of some files."""
    mms = {vma.vm_mm for inode in inodes for vma in inode.i_mmap}
    return [observing.before(task) for task in m.tasks.values() if task.mm in mms] if mms else []


def sharing(m: Machine, call: Call) -> list[observing.Before | observing.PageBefore]:
    """The caller's address space, and those that map the files which a range of it shares."""
    task = m.tasks[call.task]
    if task.mm is None:
        return []
    start = call.args["addr"] or 0
    end = start + call.args["length"] + PAGE_SIZE
    inodes = {
        vma.vm_file.inode
        for vma in task.mm.mmap
        if vma.vm_file is not None and vma.vm_flags & VM_SHARED and vma.vm_start < end and vma.vm_end > start
    }
    others = [was for was in mapping(m, inodes) if was.mm is not task.mm]
    return [observing.before(task), *others]


def nothing(m: Machine, call: Call) -> list[observing.Before | observing.PageBefore]:
    """Of a call that changes no address space."""
    return []


# -- results ---------------------------------------------------------------------------------------


def number(m: Machine, row: Row, ret: int) -> None:
    """0 or more, or -errno."""
    row.outcome.ret = ret
    if ret < 0:
        m.worsen_null()


def user_address(m: Machine, row: Row, ret: int) -> None:
    """An address, or -errno, which later calls can be given as C could."""
    row.outcome.ret = f"{ret:#x}" if ret >= 0 else ret
    row.outcome.result = Named("user", addr=ret & m.model.ptr_max)
    if ret < 0:
        m.worsen_null()


def handle(m: Machine, row: Row, kind: str, ret: int) -> None:
    """A pid or a descriptor, or -errno. kind: `pid` or `fd`."""
    row.outcome.ret = ret
    row.outcome.result = Named(kind, addr=ret if ret >= 0 else ret & m.model.ptr_max)
    if ret < 0:
        m.worsen_null()


# -- declaring -------------------------------------------------------------------------------------


def declare(
    calls: Declarations, name: str, args: tuple[Arg, ...], prototype: str, source: str, doc: str, *,
    returns: Returns, reach: Reach = own, needs_mm: bool = True, cost: Cost = FREE,
) -> Callable[[Run], Run]:  # fmt: skip
    """Declare a system call, which the decorated function runs."""
    spec = SystemCall(name, args, prototype, source, calls.group, doc, returns, cost, None)
    spec.reach, spec.needs_mm = reach, needs_mm
    calls.declared.append(spec)
    return spec.run_by
