"""Accesses, and the exception that one raises which the tables do not allow.

Kernel: arch/x86/mm/fault.c. The processor walks the tables by itself; only when an entry is missing or
forbids the access does it call the kernel, with the address and an error code. The kernel looks for the area:
if that allows the access the fault is served and the access made again, else the program gets a signal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import anon_faults, errno, memory, mmap
from app.mm.mm_types import VM_ACCESS_FLAGS, VM_GROWSDOWN, VM_WRITE
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.sched import current_mm, fatal_signal_pending
from app.mm.tracepoints import traced
from app.mm.vm_fault import (
    FAULT_FLAG_ALLOW_RETRY,
    FAULT_FLAG_INSTRUCTION,
    FAULT_FLAG_INTERRUPTIBLE,
    FAULT_FLAG_KILLABLE,
    FAULT_FLAG_TRIED,
    FAULT_FLAG_USER,
    FAULT_FLAG_WRITE,
    VM_FAULT_COMPLETED,
    VM_FAULT_ERROR,
    VM_FAULT_OOM,
    VM_FAULT_RETRY,
    VM_FAULT_SIGBUS,
)
from app.mm.vma import find_vma

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct, VmArea

X86_PF_PROT: Final = 1
X86_PF_WRITE: Final = 2
X86_PF_USER: Final = 4
X86_PF_INSTR: Final = 0x10
# Of an access that is not made: there is no memory for it, or the process has been killed meanwhile.
NO_SIGNAL: Final = 0
SIGBUS: Final = 7
SIGSEGV: Final = 11
SEGV_MAPERR: Final = 1
SEGV_ACCERR: Final = 2
BUS_ADRERR: Final = 2
SI_KERNEL: Final = 128
FAULT_FLAG_DEFAULT: Final = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE | FAULT_FLAG_INTERRUPTIBLE


def flags_of(error_code: int) -> int:
    """What a fault may do, by the exception's error code. Kernel: do_user_addr_fault"""
    return (
        FAULT_FLAG_DEFAULT
        | (FAULT_FLAG_USER if error_code & X86_PF_USER else 0)
        | (FAULT_FLAG_WRITE if error_code & X86_PF_WRITE else 0)
        | (FAULT_FLAG_INSTRUCTION if error_code & X86_PF_INSTR else 0)
    )


FLAGS_OF: Final = tuple(flags_of(error_code) for error_code in range(32))
# Number, code and address.
Signal = tuple[int, int, int]


def user_access(m: Kernel, address: int, *, write: bool = False, execute: bool = False) -> Signal | None:
    """An access by user mode; a signal where it is not allowed."""
    mm = current_mm(m)
    if is_non_canonical(m, address):
        if m.trace is not None:
            m.trace.fault.general_protection(address)
        return SIGSEGV, SI_KERNEL, 0
    while True:
        code = memory.cpu_access(mm, address, write=write, execute=execute)
        if code is None:
            return None
        signal = exc_page_fault(m, address, code | X86_PF_USER)
        if signal is None and m.current.killed and fatal_signal_pending(m):
            # It never comes back to user mode, where the access would be made once more.
            signal = NO_SIGNAL, 0, address
        if signal is not None:
            return signal


def user_accesses(
    m: Kernel, address: int, count: int, step: int, *, write: bool
) -> tuple[int, Signal | None]:
    """As many accesses, so many bytes apart; how many were made, and the signal that ended them."""
    mask = m.model.ptr_max
    at = 0
    while at < count:
        signal = user_access(m, address + at * step & mask, write=write)
        if signal is not None:
            return at, signal
        at += 1
        if write and step == PAGE_SIZE and at < count:
            at += len(anon_faults.fault_in(m, address + at * step & mask, count - at))
        if not at & 0x3F:
            m.breathe()
    return count, None


def is_non_canonical(m: Kernel, address: int) -> bool:
    """Whether the upper bits are no copy of bit 47: the processor does not even look into tables then.

    Kernel: arch/x86/kernel/traps.c exc_general_protection
    """
    return m.model.arch == "x86_64" and address >> 47 not in (0, 0x1FFFF)


def kernel_access(m: Kernel, address: int, *, write: bool = False, copy: bool = True) -> int:
    """An access by the kernel on the process's behalf: 0, or -EFAULT without a signal.

    Kernel: copy_from_user, copy_to_user, get_user, arch/x86/mm/extable.c fixup_exception. copy: of several
    bytes; after a fault in the fast copy x86_64 tries again byte by byte.
    """
    mm = current_mm(m)
    if address >= mm.task_size:
        return -errno.EFAULT
    for _ in range(2 if copy and m.model.arch == "x86_64" else 1):
        while True:
            code = memory.cpu_access(mm, address, write=write)
            if code is None:
                return 0
            if exc_page_fault(m, address, code) is not None:
                if m.trace is not None:
                    m.trace.fault.fixup(address)
                break
    return -errno.EFAULT


@traced
def exc_page_fault(m: Kernel, address: int, error_code: int) -> Signal | None:
    """The exception: a fault to be served, or a signal. Kernel: exc_page_fault, do_user_addr_fault"""
    mm = current_mm(m)
    trace = m.trace
    if trace is not None:
        trace.fault.exception(address, error_code)
    if m.vm.faults is not None:
        m.vm.faults.append(("U" if error_code & X86_PF_USER else "K", m.current.task, address, error_code))
    if address >= mm.task_size:
        if trace is not None:
            trace.fault.beyond(address, mm.task_size)
        return SIGSEGV, SEGV_MAPERR, address
    flags = FLAGS_OF[error_code & 0x1F]
    while True:
        vma = find_extend_vma(m, mm, address)
        if vma is None:
            return SIGSEGV, SEGV_MAPERR, address
        refused = access_error(error_code, vma)
        if trace is not None:
            trace.fault.area(vma, address, error_code, refused=refused)
        if refused:
            return SIGSEGV, SEGV_ACCERR, address
        ret = memory.handle_mm_fault(m, vma, address, flags)
        if ret & VM_FAULT_COMPLETED:
            return None
        if not ret & VM_FAULT_RETRY:
            return fault_signal(ret, address) if ret & VM_FAULT_ERROR else None
        flags |= FAULT_FLAG_TRIED
        if trace is not None:
            trace.fault.again(address)


def fault_signal(ret: int, address: int) -> Signal:
    """What the process gets for a fault that could not be served. Kernel: do_user_addr_fault"""
    if ret & VM_FAULT_SIGBUS:
        return SIGBUS, BUS_ADRERR, address
    return (NO_SIGNAL, 0, address) if ret & VM_FAULT_OOM else (SIGSEGV, SEGV_MAPERR, address)


def find_extend_vma(m: Kernel, mm: MmStruct, address: int) -> VmArea | None:
    """The area of an address; a stack grows down to it. Kernel: lock_mm_and_find_vma"""
    vma = find_vma(mm, address)
    if vma is not None and vma.vm_start <= address:
        return vma
    if vma is None or not vma.vm_flags & VM_GROWSDOWN or not mmap.expand_downwards(m, vma, address):
        if m.trace is not None:
            m.trace.fault.no_area(address, vma)
        return None
    if m.vm.faults is not None:
        m.vm.faults.append(("G", m.current.task, address))
    return vma


def access_error(error_code: int, vma: VmArea) -> bool:
    """Whether the area forbids the access. Kernel: access_error

    A read is allowed by any right, since the processor has no way to allow writing alone.
    """
    if error_code & X86_PF_WRITE:
        return not vma.vm_flags & VM_WRITE
    return bool(error_code & X86_PF_PROT) or not vma.vm_flags & VM_ACCESS_FLAGS
