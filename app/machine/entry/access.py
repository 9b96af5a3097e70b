"""Accesses to memory: by the program itself, and by the kernel on its behalf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine import faulting, observing
from app.machine.entry.declare import Declarations
from app.machine.entry.mappings import ADDR
from app.machine.entry.processes import end_by_signal
from app.machine.entry.system_call import Row, declare
from app.machine.vocabulary import Arg, Cost, Returns
from app.mm import anon_faults, fault, kthreads, read_write, user_bytes
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.sched import current_mm

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.vocabulary import Args
    from app.mm.fault import Signal
    from app.mm.mm_types import MmStruct

calls = Declarations("accesses")

COUNT: Final = Arg("count", "accesses", "", "how many accesses, as one row", False, 1, prefill="1")
STEP: Final = Arg("step", "access_step", "", "bytes from one to the next", False, 4096, prefill="4096")
# How far around a fault further pages may be mapped, and the largest page that one may bring.
AROUND: Final = 1 << 21
PAUSE_EVERY: Final = 64


def count(args: Args) -> int:
    """How many accesses one row makes."""
    return int(args["count"])


BY_COUNT: Final = Cost(each=lambda args: max(1, int(args["count"]) // 4096))


def touched(m: Machine, call: Call) -> list[observing.Before | observing.PageBefore]:
    """The tables and areas that the accesses may change."""
    task = m.tasks[call.task]
    assert task.mm is not None
    first = call.args["addr"] or 0
    if call.args["count"] == 1 and (page := observing.page_before(task, first)) is not None:
        return [page]
    last = first + (call.args["count"] - 1) * call.args["step"]
    low, high = first & -AROUND, min((last & -AROUND) + AROUND, task.mm.task_size)
    if low >= high or last > m.model.ptr_max:
        low, high = 0, task.mm.task_size
    return [observing.before(task, low, high)]


@declare(
    calls,
    "load",
    (ADDR, COUNT, STEP),
    "mov (%addr), %al",
    "arch/x86/mm/fault.c exc_page_fault",
    "Read a byte as the program would: the processor walks the tables, and raises a page fault if it must.",
    returns=Returns.INT,
    reach=touched,
    cost=Cost(each=count),
)
def load(m: Machine, call: Call, row: Row) -> None:
    """Kernel: arch/x86/mm/fault.c do_user_addr_fault"""
    accesses(m, call, row, None)


@declare(
    calls,
    "store",
    (
        ADDR,
        Arg("value", "byte", "", "the byte", False, 1, prefill="1"),
        COUNT,
        STEP,
    ),
    "movb $value, (%addr)",
    "arch/x86/mm/fault.c exc_page_fault",
    "Write a byte as the program would.",
    returns=Returns.NOTHING,
    reach=touched,
    cost=Cost(each=count),
)
def store(m: Machine, call: Call, row: Row) -> None:
    """Kernel: arch/x86/mm/fault.c do_user_addr_fault"""
    accesses(m, call, row, call.args["value"])


def accesses(m: Machine, call: Call, row: Row, value: int | None) -> None:
    """Make them one after the other, until one is not allowed."""
    first, times, step = call.args["addr"] or 0, call.args["count"], call.args["step"]
    mm = current_mm(m)
    write = value is not None
    mask = m.model.ptr_max
    if times == 1:
        row.access.append(seen := told_access(m, mm, first & mask, [], write=write))
        if seen.signal is not None:
            refused(m, call, row, seen.signal, first & mask, write=write)
        else:
            row.outcome.ret = done(m, mm, first & mask, value)
        return
    shown = row.access
    at = 0
    pause = 0
    while at < times:
        address = first + at * step & mask
        if len(shown) <= faulting.MAX_SHOWN:
            seen = told_access(m, mm, address, faulting.Notes(), write=write)
            signal = seen.signal
            if seen.notes or signal is not None:
                shown.append(seen)
        else:
            m.vm.faults = None
            signal = fault.user_access(m, address, write=write)
        if signal is not None:
            refused(m, call, row, signal, address, write=write)
            return
        row.outcome.ret = done(m, mm, address, value)
        if m.vm.threads_woken:
            kthreads.run_woken(m)
        at += 1
        if write and step == PAGE_SIZE and m.vm.faults is None and at < times:
            pfns = anon_faults.fault_in(m, first + at * step & mask, times - at)
            user_bytes.store_new(m, pfns, first & 4095, value or 0)
            at += len(pfns)
        if at >= pause:
            m.breathe()
            pause = at + PAUSE_EVERY


def told_access(m: Machine, mm: MmStruct, address: int, notes: list[Any], *, write: bool) -> faulting.Seen:
    """Make one, and note how. notes: empty, takes what the kernel notes."""
    m.vm.faults = notes
    signal = fault.user_access(m, address, write=write)
    return faulting.of_access(mm, address, notes, signal, write=write)


def done(m: Machine, mm: MmStruct, address: int, value: int | None) -> int | None:
    """Read the byte, or keep it, once the access is allowed; what the call returns."""
    if value is None:
        return user_bytes.load(m, mm, address)
    user_bytes.store(m, mm, address, value)
    return None


def refused(m: Machine, call: Call, row: Row, signal: Signal, address: int, *, write: bool) -> None:
    """The end of accesses of which one is not allowed: mostly the task's own."""
    if signal[0] != fault.NO_SIGNAL:
        row.was = [observing.before(m.tasks[call.task])]
        end_by_signal(m, signal, address, write=write)


@declare(
    calls,
    "copy_from_user",
    (ADDR, Arg("count", "length", "unsigned long", "bytes", False, 1, prefill="1")),
    "unsigned long copy_from_user(void *to, const void __user *from, unsigned long n)",
    "arch/x86/lib/usercopy_64.c copy_from_user",
    "Let the kernel read memory of the process: a bad address is no signal, but bytes that were not copied.",
    returns=Returns.INT,
    cost=BY_COUNT,
)
def copy_from_user(m: Machine, call: Call, row: Row) -> None:
    """Kernel: include/linux/uaccess.h copy_from_user"""
    copy(m, call, row, write=False)


@declare(
    calls,
    "copy_to_user",
    (ADDR, Arg("count", "length", "unsigned long", "bytes", False, 1, prefill="1")),
    "unsigned long copy_to_user(void __user *to, const void *from, unsigned long n)",
    "arch/x86/lib/usercopy_64.c copy_to_user",
    "Let the kernel write to memory of the process; what it writes is not kept.",
    returns=Returns.INT,
    cost=BY_COUNT,
)
def copy_to_user(m: Machine, call: Call, row: Row) -> None:
    """Kernel: include/linux/uaccess.h copy_to_user"""
    copy(m, call, row, write=True)


def copy(m: Machine, call: Call, row: Row, *, write: bool) -> None:
    """The kernel's access to a range, page by page."""
    wanted = call.args["count"]
    row.outcome.ret = wanted - read_write.touch(m, call.args["addr"] or 0, wanted, write=write)
    if row.outcome.ret:
        m.worsen_null()
