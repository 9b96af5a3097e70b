"""Page faults at their beginning: the exception, the area, the rights; at a bad end the signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine import observing, vma_text
from app.machine.faulting import CODES, SIGNALS
from app.machine.trace.collector import Area
from app.mm import fault
from app.mm.signal import IP

if TYPE_CHECKING:
    from app.mm.mm_types import VmArea

# In whose code the kernel is when it touches memory of a process, as its symbols say.
COPIES: dict[str, str] = {"x86_64": "copy_user_enhanced_fast_string", "i386": "__copy_user_ll"}


class FaultSteps(Area):
    """Reports of app.mm.fault and app.mm.signal."""

    def exception(self, address: int, error_code: int) -> None:
        """The processor could not make an access. Kernel: trace_page_fault_user, trace_page_fault_kernel"""
        user = bool(error_code & fault.X86_PF_USER)
        present = bool(error_code & fault.X86_PF_PROT)
        execute = bool(error_code & fault.X86_PF_INSTR)
        self.point(
            "page_fault_user" if user else "page_fault_kernel",
            f"address={address:#x} ip={self.ip(address, error_code)} error_code={error_code:#x}",
        )
        why = "the entry is there, but forbids it" if present else "no entry for it"
        mode = "user mode" if user else "the kernel, for the process"
        self.step(
            "exc_page_fault",
            f"{vma_text.access(error_code)} {address:#x} by {mode}: {why} (error code {error_code:#x})",
            numbers={
                "address": f"{address:#x}",
                "error_code": f"{error_code:#x}",
                "protection": present,
                "write": bool(error_code & fault.X86_PF_WRITE),
                "user": user,
                "instruction": execute,
            },
        )

    def ip(self, address: int, error_code: int) -> str:
        """The instruction that met the fault."""
        if not error_code & fault.X86_PF_USER:
            return COPIES[self.m.model.arch]
        if error_code & fault.X86_PF_INSTR:
            return f"{address:#x}"
        mm = self.m.tasks[self.m.current.task].mm
        return f"{(mm.start_code if mm is not None else 0) + IP:#x}"

    def general_protection(self, address: int) -> None:
        """An address that is none: the processor does not look into tables for it."""
        self.step(
            "exc_general_protection",
            f"{address:#x} is no address: its upper 16 bits are not copies of bit 47",
            verdict="no",
            numbers={"address": f"{address:#x}", "bit_47": address >> 47 & 1},
        )

    def beyond(self, address: int, task_size: int) -> None:
        """An address of the kernel's own."""
        self.step(
            "do_user_addr_fault",
            f"{address:#x} ≥ {task_size:#x}: addresses of the kernel, which no process may touch",
            verdict="no",
            numbers={"address": f"{address:#x}", "task_size": f"{task_size:#x}"},
        )

    def no_area(self, address: int, following: VmArea | None) -> None:
        """No area has the address. following: the first one above."""
        above = "none lies above it" if following is None else f"the next begins at {following.vm_start:#x}"
        self.step(
            "find_vma",
            f"no area has {address:#x}: {above}",
            verdict="no",
            numbers={
                "address": f"{address:#x}",
                "next_start": None if following is None else f"{following.vm_start:#x}",
            },
        )

    def area(self, vma: VmArea, address: int, error_code: int, *, refused: bool) -> None:
        """The area that has the address, and whether it allows what was tried."""
        rights = observing.rights(vma)
        self.step(
            "find_vma",
            f"{address:#x} lies in {vma_text.area(vma)}",
            verdict="found",
            numbers={
                "address": f"{address:#x}",
                "vm_start": f"{vma.vm_start:#x}",
                "vm_end": f"{vma.vm_end:#x}",
                "rights": rights,
                "vm_flags": f"{vma.vm_flags:#x}",
            },
        )
        tried = "an execution" if error_code & fault.X86_PF_INSTR else "a read"
        tried = "a write" if error_code & fault.X86_PF_WRITE else tried
        self.step(
            "access_error",
            f"{tried} in an area that is {rights}: {'not allowed' if refused else 'allowed'}",
            verdict="no" if refused else "ok",
            numbers={"error_code": f"{error_code:#x}", "vm_flags": f"{vma.vm_flags:#x}"},
        )

    def again(self, address: int) -> None:
        """The lock was given up while a disk was read."""
        self.step(
            "do_user_addr_fault",
            f"VM_FAULT_RETRY: the lock of the address space was given up while reading; the fault of"
            f" {address:#x} is served once more, with FAULT_FLAG_TRIED",
            verdict="retry",
            numbers={"address": f"{address:#x}"},
        )

    def fixup(self, address: int) -> None:
        """The kernel's own access: its code says where to go on after a bad one."""
        self.step(
            "fixup_exception",
            f"the kernel's copy of {address:#x} is given up: -EFAULT and no signal",
            verdict="no",
            numbers={"address": f"{address:#x}"},
        )

    def killed(self, signal: tuple[int, int, int], pid: int, *, first: bool) -> None:
        """A signal that nobody handles."""
        number, code, address = signal
        name, reason = SIGNALS[number], CODES[signal[:2]]
        end = "it is init, which stays" if first else "the process dies"
        self.step(
            "force_sig_fault",
            f"{name} ({reason}) at {address:#x}, and no handler: {end}",
            verdict="signal",
            numbers={"signal": number, "code": code, "address": f"{address:#x}", "pid": pid},
        )
