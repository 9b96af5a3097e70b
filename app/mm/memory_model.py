"""Where a page frame's `struct page` and its address are.

Kernel: include/asm-generic/memory_model.h, arch/x86/include/asm/page.h. Both translations are plain
arithmetic, which is why the kernel can afford to keep only one of the three (a pfn, a `struct page *`, an
address) and compute the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
# Bytes that an entry of the middle levels of the page tables covers.
PMD_SHIFT = 21
PUD_SHIFT = 30
PMD_SIZE = 1 << PMD_SHIFT

PAGE_OFFSET = {"x86_64": 0xFFFF888000000000, "i386": 0xC0000000}
SIZEOF_PAGE = {"x86_64": 64, "i386": 40}
VMEMMAP_START = 0xFFFFEA0000000000
PTR_MAX = {"x86_64": (1 << 64) - 1, "i386": (1 << 32) - 1}


@dataclass(slots=True)
class MemoryModel:
    """The fixed shape of a machine: all that a call's arguments can be judged by without its state.

    arch: `x86_64` or `i386`. mem_map: address of frame 0's `struct page`. spans: `[start_pfn, end_pfn)` of
    the populated zones. max_low_pfn: first frame that the direct map does not reach (i386: HIGHMEM starts
    there).
    """

    arch: str
    cpus: int
    nodes: int
    spans: tuple[tuple[int, int], ...]
    max_low_pfn: int
    mem_map: int
    # Bytes of one `struct page`; where the direct map starts; the largest value of a pointer or a `size_t`.
    sizeof_page: int = field(init=False)
    page_offset: int = field(init=False)
    ptr_max: int = field(init=False)

    def __post_init__(self) -> None:
        self.sizeof_page = SIZEOF_PAGE[self.arch]
        self.page_offset = PAGE_OFFSET[self.arch]
        self.ptr_max = PTR_MAX[self.arch]

    @property
    def sizeof_long(self) -> int:
        """Bytes of an `unsigned long`, and of a pointer."""
        return 8 if self.arch == "x86_64" else 4

    def pfn_valid(self, pfn: int) -> bool:
        """Whether the frame lies in a populated zone and so has a `struct page`."""
        return any(start <= pfn < end for start, end in self.spans)

    def pfn_to_page(self, pfn: int) -> int:
        """Address of the frame's `struct page`."""
        return self.mem_map + pfn * self.sizeof_page

    def page_to_pfn(self, page: int) -> int | None:
        """Frame number of a `struct page *`; None where the pointer is not one of this machine's."""
        pfn, rest = divmod(page - self.mem_map, self.sizeof_page)
        return pfn if rest == 0 and self.pfn_valid(pfn) else None

    def pfn_to_virt(self, pfn: int) -> int | None:
        """Address of the frame in the direct map; None for HIGHMEM, which has none.

        Kernel: mm/page_alloc.c page_address via lowmem_page_address. A 32-bit kernel has 1 GiB of addresses
        for itself, so only the first 879 MiB of memory can be mapped for good.
        """
        return self.page_offset + (pfn << PAGE_SHIFT) if pfn < self.max_low_pfn else None

    def virt_to_pfn(self, address: int) -> int | None:
        """Frame behind a direct-map address; None where this machine has no such address."""
        pfn = (address - self.page_offset) >> PAGE_SHIFT
        return pfn if 0 <= pfn < self.max_low_pfn and self.pfn_valid(pfn) else None
