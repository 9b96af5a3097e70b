"""Areas of an address space, and accesses to them, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.machine.observing import rights
from app.mm.fault import X86_PF_INSTR, X86_PF_WRITE
from app.mm.mm_types import VM_GROWSDOWN, VM_HUGETLB
from app.mm.proc.task_mmu import area_name

if TYPE_CHECKING:
    from app.mm.mm_types import VmArea


def backing(vma: VmArea) -> str:
    """What stands behind an area: a file, the stack, nothing."""
    if vma.special is not None:
        return vma.special
    if vma.vm_file is not None:
        if vma.vm_flags & VM_HUGETLB:
            return "huge pages of the pool"
        return vma.vm_file.path or ("shared memory" if vma.vm_file.inode.is_shmem else vma.vm_file.inode.name)
    if vma.vm_flags & VM_GROWSDOWN:
        return "stack"
    mm = vma.vm_mm
    if vma.vm_start <= mm.brk and vma.vm_end >= mm.start_brk:
        return "heap"
    return "anonymous"


def area(vma: VmArea) -> str:
    """An area in a sentence: `0x7ffff7ff1000-0x7ffff7ff9000 rw-p anonymous`."""
    return f"{vma.vm_start:#x}-{vma.vm_end:#x} {rights(vma)} {backing(vma)}"


def area_line(vma: VmArea) -> dict[str, Any]:
    """An area in brief, for readings."""
    return {
        "start": f"{vma.vm_start:#x}",
        "end": f"{vma.vm_end:#x}",
        "prot": rights(vma),
        "name": area_name(vma) or None,
    }


def access(error_code: int) -> str:
    """What was tried, by an exception's error code."""
    if error_code & X86_PF_WRITE:
        return "a write to"
    return "an execution of" if error_code & X86_PF_INSTR else "a read of"
