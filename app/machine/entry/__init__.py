"""How a call reaches the kernel: from checked arguments to the kernel's functions, and back to an outcome.

Three tables, because calls come in three shapes: those that return memory (`ALLOCATORS`, which can be
repeated), those that give it back (`RELEASERS`, which can take a list) and the rest (`CALLERS`, which fill
the outcome themselves).
"""

from app.machine.entry import highmem, locks, pages, references, slab, system, tasks, vmalloc

ALLOCATORS = {**pages.ALLOCATORS, **slab.ALLOCATORS, **vmalloc.ALLOCATORS}
RELEASERS = {**pages.RELEASERS, **references.RELEASERS, **slab.RELEASERS, **vmalloc.RELEASERS}
CALLERS = {
    **pages.CALLERS,
    **references.CALLERS,
    **locks.CALLERS,
    **slab.CALLERS,
    **system.CALLERS,
    **tasks.CALLERS,
    **vmalloc.CALLERS,
    **highmem.CALLERS,
}

__all__ = ["ALLOCATORS", "CALLERS", "RELEASERS"]
