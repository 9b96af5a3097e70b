"""The kernel's own objects of processes: what it takes from its caches for an area, a task, a file.

Kernel: kernel/fork.c proc_caches_init, mm/rmap.c anon_vma_init. They are small, but there are many of them,
and each time a slab is used up they cost a page. A machine whose kernel has no such caches, as one that was
loaded from a recording, only counts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import boot_caches, slab_common, slub
from app.mm import gfp as gfp_masks
from app.mm.slab import SLAB_ACCOUNT, SLAB_RECLAIM_ACCOUNT

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# Sizes in bytes as of Debian's kernels, in the order in which boot makes the caches.
SIZES: Final = {
    "x86_64": {
        "vm_area_struct": 152, "maple_node": 256, "anon_vma": 104, "anon_vma_chain": 64, "cred_jar": 192,
        "task_struct": 6208, "sighand_cache": 2112, "signal_cache": 1152, "files_cache": 704, "fs_cache": 64,
        "mm_struct": 1152, "pid": 128, "filp": 256, "shmem_inode_cache": 784, "dentry": 192,
        "radix_tree_node": 584,
    },
    "i386": {
        "vm_area_struct": 92, "maple_node": 256, "anon_vma": 56, "anon_vma_chain": 36, "cred_jar": 128,
        "task_struct": 3968, "sighand_cache": 1344, "signal_cache": 768, "files_cache": 384, "fs_cache": 44,
        "mm_struct": 640, "pid": 64, "filp": 192, "shmem_inode_cache": 496, "dentry": 136,
        "radix_tree_node": 304, "pgd_cache": 32,
    },
}  # fmt: skip

# What the kernel can do without, since it can be read or made again.
RECLAIMABLE: Final = frozenset(("dentry", "radix_tree_node"))

# What a new task needs besides its memory, in order. Kernel: copy_process
TASK: Final = (
    "cred_jar",
    "files_cache",
    "fs_cache",
    "sighand_cache",
    "signal_cache",
    "mm_struct",
)


def create_caches(m: Kernel) -> None:
    """Make the caches, as boot does before the first process. Kernel: proc_caches_init"""
    booted = boot_caches.of_kernel(m)
    for name, size in SIZES[m.model.arch].items():
        if name in booted:
            found = boot_caches.find(m, name)
            assert found is not None
            m.vm.object_caches[name] = found
            continue
        flags = SLAB_RECLAIM_ACCOUNT if name in RECLAIMABLE else SLAB_ACCOUNT
        m.vm.object_caches[name] = slab_common.create_boot_cache(m, name, size, flags)


def take(m: Kernel, name: str) -> int:
    """An object's address; 0 where it is only counted. Kernel: mm/slub.c kmem_cache_alloc"""
    m.vm.objects_taken[name] += 1
    cache = m.vm.object_caches.get(name)
    return 0 if cache is None else slub.kmem_cache_alloc(m, cache, gfp_masks.GFP_KERNEL) or 0


def give(m: Kernel, name: str, address: int) -> None:
    """Give an object back. Kernel: mm/slub.c kmem_cache_free"""
    m.vm.objects_given[name] += 1
    if address:
        slub.kmem_cache_free(m, m.vm.object_caches[name], address)
