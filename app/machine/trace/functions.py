"""The kernel's functions as explanations name them: where they are, and what a lecture may call them.

Names and files are read from the functions of `app.mm` themselves: from the `Kernel:` line of each docstring,
in which a name belongs to the file before it or, without one, to the first file that the module names.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
import sys
from typing import TYPE_CHECKING, Final

import app.mm
from app.mm.tracepoints import TRACED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

# What the functions were called, or what did their work, in the 3.x kernels of older lectures.
LECTURE: Final = {
    "__alloc_pages": "__alloc_pages_nodemask",
    "zone_watermark_fast": "zone_watermark_ok",
    "rmqueue_pcplist": "buffered_rmqueue",
    "steal_suitable_fallback": "try_to_steal_freepages",
    "free_unref_page_commit": "free_hot_cold_page",
    "___slab_alloc": "__slab_alloc",
    "do_slab_free": "slab_free",
    "__unfreeze_partials": "unfreeze_partials",
    "__kmalloc_large_node": "kmalloc_large_node",
    "kvmalloc_node": "kvmalloc",
    "__alloc_vmap_area": "alloc_vmap_area",
    "vm_area_alloc_pages": "__vmalloc_area_node",
    "vmap_pages_range": "map_vm_area",
    "folio_trylock": "trylock_page",
    "folio_unlock": "unlock_page",
    "folio_wait_bit_common": "__lock_page",
    "folio_wake_bit": "wake_up_page",
    "wake_page_function": "wake_bit_function",
    "do_mas_align_munmap": "do_munmap",
    "folio_batch_move_lru": "pagevec_lru_move_fn",
    "folio_batch_add_and_move": "__lru_cache_add",
}

ENTRY: Final = "app.machine.entry."

# From `Kernel:` to the end of the sentence or paragraph, and in it a file or a name.
KERNEL_LINE: Final = re.compile(r"\bKernel: (.*?)(?:\.?\s*$|\.\s|\n\n)", re.DOTALL)
FILE_OR_NAME: Final = re.compile(r"[\w/-]+\.[chS]\b|\w+")


def kernel_names(doc: str | None, file: str) -> Iterator[tuple[str, str]]:
    """`(name, file)` of each of the kernel's functions that a docstring says a function stands for.

    file: where those are that are named without one.
    """
    line = KERNEL_LINE.search(doc or "")
    for word in FILE_OR_NAME.findall(line[1]) if line else ():
        if "/" in word:
            file = word
        else:
            yield word, file


@functools.cache
def files() -> dict[str, str]:
    """File of each of the kernel's functions that one here stands for."""
    found: dict[str, str] = {}
    for info in pkgutil.iter_modules(app.mm.__path__, f"{app.mm.__name__}."):
        module = importlib.import_module(info.name)
        line = KERNEL_LINE.search(module.__doc__ or "")
        named = [word for word in FILE_OR_NAME.findall(line[1]) if "/" in word] if line else []
        for function in vars(module).values():
            if inspect.isfunction(function) and function.__module__ == info.name:
                for name, file in kernel_names(function.__doc__, named[0] if named else ""):
                    found.setdefault(name, file)
    return found


def file_of(fn: str) -> str:
    """Where one of the kernel's functions is."""
    return files()[fn]


@functools.cache
def traced() -> dict[CodeType, str]:
    """The kernel's name of each function that is marked with `traced`, by its code."""
    return {function.__code__: next(kernel_names(function.__doc__, ""))[0] for function in TRACED}


def running() -> list[str]:
    """The call's entry point, and below it the kernel's functions on the stack, the innermost last.

    The machine's functions are the kernel's and call each other as those do, so the interpreter's own stack
    says what runs below what. Only explanations look at it: were each function to say when it begins and
    ends, calls that nobody explains would pay for it, and every `return` in the kernel would need a second
    line. A function that calls itself counts once.
    """
    names: list[str] = []
    known = traced()
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name = known.get(frame.f_code)
        if name is not None:
            if not names or names[-1] != name:
                names.append(name)
        elif frame.f_globals["__name__"].startswith(ENTRY):
            names.append(frame.f_code.co_name)
            break
        frame = frame.f_back
    else:
        names.append("")
    names.reverse()
    return names
