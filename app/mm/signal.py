"""A signal that a process did not ask for, and what the kernel says of it.

Kernel: kernel/signal.c force_sig_fault, arch/x86/mm/fault.c show_signal_msg, arch/x86/kernel/traps.c. No
process here has a handler, so the default action follows: it dies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import exit as kernel_exit
from app.mm import gfp as gfp_masks
from app.mm import page_alloc, page_free, printk
from app.mm.fault import SI_KERNEL, SIGSEGV, Signal
from app.mm.sched import INIT_PID, current, current_mm
from app.mm.tracepoints import traced
from app.mm.vma import vma_lookup

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# Where in its code every program stands, and how far its stack is from the top.
IP: Final = 0x42


def force_sig_fault(m: Kernel, signal: Signal, error_code: int) -> None:
    """Print what happened, and end the process. Kernel: force_sig_fault, do_group_exit

    error_code: of the exception. For SIGBUS the kernel prints nothing.
    """
    if signal[0] == SIGSEGV:
        show_signal_msg(m, signal, error_code)
    task = current(m)
    if m.trace is not None:
        m.trace.fault.killed(signal, task.pid, first=task.pid == INIT_PID)
    if task.pid == INIT_PID:
        printk.refused(m, "init is not killed: a real kernel panics, Attempted to kill init!")
    else:
        kernel_exit.end(m, task)


@traced
def show_signal_msg(m: Kernel, signal: Signal, error_code: int) -> None:
    """The line of a bad access: where, by which instruction, how. Kernel: show_signal_msg, show_signal"""
    task, mm = current(m), current_mm(m)
    ip, sp = mm.start_code + IP, mm.start_stack
    width = 16 if m.model.arch == "x86_64" else 8
    who = f"{task.comm}[{task.pid}]"
    if signal[1] == SI_KERNEL:
        line = f"traps: {who} general protection fault ip:{ip:x} sp:{sp:x} error:0"
        printk.printk(m, line + print_vma_addr(m, ip))
        return
    line = f"{who}: segfault at {signal[2]:x} ip {ip:0{width}x} sp {sp:0{width}x} error {error_code:x}"
    line += print_vma_addr(m, ip)
    cpu = m.current.cpu
    printk.printk(m, f"{line} likely on CPU {cpu} (core {cpu}, socket 0)")


def print_vma_addr(m: Kernel, ip: int) -> str:
    """The file that an instruction is in; its name is put together in a page.

    Kernel: mm/memory.c print_vma_addr
    """
    vma = vma_lookup(current_mm(m), ip)
    if vma is None or vma.vm_file is None:
        return ""
    page = page_alloc.get_free_pages(m, gfp_masks.GFP_NOWAIT, 0)
    if page is None:
        return ""
    name = (vma.vm_file.path or vma.vm_file.inode.name).rsplit("/", 1)[-1]
    page_free.free_pages(m, page, 0)
    return f" in {name}[{vma.vm_start:x}+{vma.vm_end - vma.vm_start:x}]"
