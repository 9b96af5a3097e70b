"""A program takes the place of what ran before. Kernel: fs/exec.c, fs/binfmt_elf.c

The new address space is made first, with one page of stack for the arguments; then the old one goes; then the
program's parts are mapped. None of them is read yet: the first instruction is the first fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import errno, fault, fork, image, memory, mmap, namei, zap
from app.mm import exit as kernel_exit
from app.mm.fs import File
from app.mm.mm_types import (
    VM_ACCOUNT,
    VM_DONTDUMP,
    VM_DONTEXPAND,
    VM_EXEC,
    VM_GROWSDOWN,
    VM_IO,
    VM_MAYEXEC,
    VM_MAYREAD,
    VM_MAYWRITE,
    VM_PFNMAP,
    VM_READ,
    VM_WRITE,
    MmStruct,
)
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.sched import current
from app.mm.vm_fault import FAULT_FLAG_WRITE
from app.mm.vma import vm_area_alloc, vm_stat_account, vma_link

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

MAY_ALL: Final = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC
STACK_FLAGS: Final = VM_READ | VM_WRITE | VM_GROWSDOWN | VM_ACCOUNT | MAY_ALL
STACK_PAGES: Final = 33
# Below the top of the stack, where the program's arguments begin.
ARGUMENTS: Final = 0x210
# The parts of the program: rights, each one page of the file and one page long; bss has no file.
SEGMENTS: Final = (VM_READ, VM_READ | VM_EXEC, VM_READ, VM_READ | VM_WRITE)
VVAR_PAGES: Final = 4
VDSO_PAGES: Final = 2


class Layout:
    """Where things are without randomisation. Kernel: arch/x86/include/asm/elf.h, processor.h"""

    __slots__ = ("base", "mmap_base", "stack_top", "task_size")

    def __init__(self, arch: str) -> None:
        x86_64 = arch == "x86_64"
        self.base = 0x400000 if x86_64 else 0x8048000
        self.task_size = 0x7FFFFFFFF000 if x86_64 else 0xC0000000
        self.stack_top = self.task_size
        self.mmap_base = self.task_size - (128 << 20)


def execve(m: Kernel, path: str) -> tuple[int, fault.Signal | None]:
    """Run a program: 0 or -errno, and the signal that its first instruction met.

    Kernel: do_execveat_common
    """
    inode = namei.lookup(m, path)
    if inode is None:
        return -errno.ENOENT, None
    task = current(m)
    image.find_pages(m)
    layout = Layout(m.model.arch)
    file = File(inode, 0, path)
    fresh = bprm_mm_init(m, layout)
    old = task.mm
    exec_mmap(m, fresh)
    if old is not None:
        kernel_exit.mmdrop(m, old)
    load_binary(m, fresh, layout, file)
    mmap.fput(m, file)
    mmap.task_work_run(m)
    return 0, fault.user_access(m, layout.base + PAGE_SIZE, execute=True)


def bprm_mm_init(m: Kernel, layout: Layout) -> MmStruct:
    """A new address space with a page of stack, to which the arguments are copied.

    Kernel: bprm_mm_init
    """
    mm = fork.mm_init(m)
    mm.task_size, mm.mmap_base = layout.task_size, layout.mmap_base
    start = layout.stack_top - PAGE_SIZE
    stack = vm_area_alloc(m, mm, start, layout.stack_top, STACK_FLAGS, (layout.stack_top - PAGE_SIZE) >> 12)
    vma_link(mm, stack)
    m.vm.vm_committed += 1
    mm.total_vm = mm.stack_vm = 1
    memory.handle_mm_fault(m, stack, start, FAULT_FLAG_WRITE)
    return mm


def exec_mmap(m: Kernel, fresh: MmStruct) -> None:
    """Leave the old address space. Kernel: exec_mmap"""
    task = current(m)
    old = task.mm
    if old is not None:
        zap.sync_mm_rss(m)
    task.mm = fresh
    if old is not None:
        old.mm_users -= 1
        kernel_exit.exit_mmap(m, old)


def load_binary(m: Kernel, mm: MmStruct, layout: Layout, file: File) -> None:
    """Map the program's parts, the kernel's own pages, and make room for the stack.

    Kernel: load_elf_binary
    """
    stack = mm.mmap[0]
    mmap.expand_downwards(m, stack, layout.stack_top - STACK_PAGES * PAGE_SIZE)
    mm.start_stack = layout.stack_top - ARGUMENTS
    for at, rights in enumerate(SEGMENTS):
        mmap.mmap_region(m, mm, file, layout.base + at * PAGE_SIZE, PAGE_SIZE, rights | MAY_ALL, at)
    bss = layout.base + len(SEGMENTS) * PAGE_SIZE
    mmap.mmap_region(m, mm, None, bss, PAGE_SIZE, VM_READ | VM_WRITE | MAY_ALL, bss >> 12)
    mm.start_code, mm.end_code = layout.base + PAGE_SIZE, layout.base + 2 * PAGE_SIZE
    mm.start_brk = mm.brk = bss + PAGE_SIZE
    vdso = layout.mmap_base - VDSO_PAGES * PAGE_SIZE
    vvar = vdso - VVAR_PAGES * PAGE_SIZE
    flags = VM_READ | VM_MAYREAD | VM_IO | VM_DONTDUMP | VM_PFNMAP | VM_DONTEXPAND
    install_special_mapping(m, mm, "[vvar]", vvar, VVAR_PAGES, flags)
    flags = VM_READ | VM_EXEC | MAY_ALL | VM_DONTEXPAND
    install_special_mapping(m, mm, "[vdso]", vdso, VDSO_PAGES, flags)


def install_special_mapping(m: Kernel, mm: MmStruct, name: str, start: int, pages: int, flags: int) -> None:
    """An area of the kernel's own pages. Kernel: mm/mmap.c _install_special_mapping"""
    vma = vm_area_alloc(m, mm, start, start + pages * PAGE_SIZE, flags | m.vm.vm_softdirty, 0)
    vma.special = name
    vma_link(mm, vma)
    vm_stat_account(mm, flags, pages)
