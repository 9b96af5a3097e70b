"""A `struct page *` that points to no struct page: what the kernel makes of it.

Kernel: include/linux/mm.h, include/linux/page-flags.h, mm/page_alloc.c. The commonest is an address where the
page of that address is meant. The kernel reads what lies there as if it were a struct page. The content of
memory is not simulated; it is taken for zeroes, as fresh memory of a kernel with init_on_alloc. Where nothing
is mapped, the first access faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from app.mm import address as mm_address
from app.mm import page_check, page_ref, printk

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.memory_model import MemoryModel

KERNEL_ADDRESSES: Final = {"x86_64": 0xFFFF800000000000, "i386": 0xC0000000}
# Pointers from here to the end of all addresses are negative error numbers.
MAX_ERRNO: Final = 4095


@dataclass(frozen=True, slots=True)
class WildPage:
    """The pointer."""

    address: int


def wild(model: MemoryModel, address: int) -> WildPage | None:
    """An address as such a pointer; None where it points into some struct page, or is no kernel address."""
    array = model.spans[-1][1] * model.sizeof_page
    inside = 0 <= address - model.mem_map < array
    if not KERNEL_ADDRESSES[model.arch] <= address <= model.ptr_max - MAX_ERRNO or inside:
        return None
    return WildPage(address)


def use(m: Kernel, function: str, address: int, order: int) -> int | str | None:
    """What a function does with such a pointer; its answer. Ends in an oops where the kernel would."""
    if function == "page_to_pfn":
        return mm_address.page_to_pfn(m, address)
    if function in ("page_address", "kmap", "kunmap") and m.model.arch == "x86_64":
        return page_address(m, function, address)
    if m.trace is not None:
        m.trace.page_ref.wild(function, address, mm_address.mapped_at(m, address)[0])
    check_mapped(m, function, address)
    if m.debug:
        bugs(m, function, address)
    if function in ("page_address", "kmap", "kunmap"):
        return page_address(m, function, address)
    if function in ANSWERS:
        return ANSWERS[function]
    if function != "wait_on_page_locked":
        what = "is no struct page: the kernel would now change what is in memory there"
        printk.refused(m, f"0x{printk.pointer(m, address)} {what}")
    return 1 if function == "trylock_page" else None


# Read from zeroes: no count; a page that is mapped once.
ANSWERS: Final = {"page_count": 0, "page_mapcount": 1, "get_page_unless_zero": 0}


def page_address(m: Kernel, function: str, address: int) -> str | None:
    """By arithmetic. Kernel: include/linux/mm.h lowmem_page_address"""
    if function == "kunmap":
        return None
    if function == "kmap":
        printk.might_sleep(m, "include/linux/highmem-internal.h", 166 if m.model.arch == "x86_64" else 44)
    pfn = mm_address.page_to_pfn(m, address)
    return f"{mm_address.phys_to_virt(m, pfn << 12):#x}"


def check_mapped(m: Kernel, function: str, address: int) -> None:
    """Fault where nothing is mapped, at the field that the function touches first."""
    if mm_address.mapped_at(m, address)[0] is not None:
        return
    field = m.model.sizeof_long
    if function in page_ref.READS_FLAGS or function in WRITES_FLAGS:
        field = 0
    elif function in page_ref.READS_REFCOUNT:
        field = page_ref.REFCOUNT_OFFSET[m.model.arch]
    printk.page_fault(m, address + field & m.model.ptr_max, write=function in WRITES_FLAGS)


WRITES_FLAGS: Final = frozenset(("SetPageReserved", "ClearPageReserved"))


def bugs(m: Kernel, function: str, address: int) -> None:
    """What a debugging kernel notices."""
    if function in ("__free_pages", "__free_page", "put_page"):
        vm_bug_on(m, address, "VM_BUG_ON_PAGE(page_ref_count(page) == 0)", "include/linux/mm.h:780")
    if function == "get_page":
        condition = "VM_BUG_ON_FOLIO(((unsigned int) folio_ref_count(folio) + 127u <= 127u))"
        vm_bug_on(m, address, condition, "include/linux/mm.h:1146")
    if function == "unlock_page":
        vm_bug_on(m, address, "VM_BUG_ON_FOLIO(!folio_test_locked(folio))", "mm/filemap.c:1552")
    if function == "split_page":
        vm_bug_on(m, address, "VM_BUG_ON_PAGE(!page_count(page))", "mm/page_alloc.c:3645")


def vm_bug_on(m: Kernel, address: int, reason: str, place: str) -> NoReturn:
    """Print the zeroes as a page, and end the task. Kernel: mm/debug.c __dump_page"""
    null = printk.pointer(m, 0)
    printk.printk(
        m,
        f"page:{printk.pointer(m, address)} refcount:0 mapcount:1 mapping:{null} index:0x0"
        f" pfn:{mm_address.page_to_pfn(m, address):#x}",
    )
    where = "zone=0" if m.model.arch == "i386" else "node=0|zone=0|lastcpupid=0x0"
    printk.printk(m, f"flags: 0x0({where})")
    words = m.model.sizeof_page // m.model.sizeof_long
    width = page_check.BYTES_OF_A_RAW_LINE // m.model.sizeof_long
    for at in range(0, words, width):
        printk.printk(m, f"raw: {' '.join([null] * min(width, words - at))}")
    printk.printk(m, f"page dumped because: {reason}")
    printk.bug(m, f"kernel BUG at {place}!")
