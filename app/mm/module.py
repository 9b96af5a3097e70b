"""Loadable modules: where their code and data are put.

Kernel: kernel/module/main.c, arch/x86/kernel/module.c. A module is not linked for a fixed address, so its
memory only has to be contiguous for the kernel: it comes from vmalloc. On x86_64 it must lie within 2 GiB of
the kernel image, because code calls and names data by 32-bit distances; hence a range of its own. i386
reaches everything and uses vmalloc's.

Only the part that stays is modelled. The copy of the file and the init section are gone again once loading is
done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import vmalloc
from app.mm.memory_model import PAGE_SIZE
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

ENOENT: Final = -2
ENOEXEC: Final = -8
ENOMEM: Final = -12
EEXIST: Final = -17


@traced
def module_alloc(m: Kernel, size: int) -> vmalloc.VmStruct | None:
    """Memory for a module. Kernel: arch/x86/kernel/module.c module_alloc

    Once it is freed, every CPU must have forgotten that it was executable: VM_FLUSH_RESET_PERMS makes vfree
    purge.
    """
    space = m.vmap
    length = (size + PAGE_SIZE - 1) & -PAGE_SIZE
    if m.model.arch == "x86_64" and length > space.modules_end - space.modules_vaddr:
        return None
    vm_range = (space.modules_vaddr, space.modules_end)
    if m.trace is not None:
        m.trace.vmalloc.module_alloc(size, vm_range)
    return vmalloc.vmalloc_node_range(
        m, size, vm_range, gfp_masks.GFP_KERNEL, vmalloc.VM_FLUSH_RESET_PERMS, "move_module"
    )


def init_module(m: Kernel, name: str, size: int) -> tuple[int, vmalloc.VmStruct | None]:
    """Load a module. Kernel: load_module, move_module

    Returns 0 and its area, or an error: -EEXIST for a name that is loaded, -ENOEXEC for an empty file,
    -ENOMEM.
    """
    if not size:
        return ENOEXEC, None
    if name in m.vmap.modules:
        return EEXIST, None
    vm = module_alloc(m, size)
    if vm is None:
        return ENOMEM, None
    m.vmap.modules[name] = (vm.addr, size)
    return 0, vm


def delete_module(m: Kernel, name: str) -> int:
    """Unload a module; -ENOENT where none has that name. Kernel: delete_module, free_module"""
    module = m.vmap.modules.pop(name, None)
    if module is None:
        return ENOENT
    vmalloc.vfree(m, module[0])
    return 0
