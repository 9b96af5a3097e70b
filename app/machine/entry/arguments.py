"""Arguments that several calls have."""

from __future__ import annotations

from typing import Final

from app.machine.vocabulary import Arg

_MASK: Final = "flag names of either vocabulary joined with |, or a number"
_PAGE_OR_ADDR: Final = "struct page * or unsigned long"
_ONE_OF: Final = "exactly one of pfn, page and addr"

GFP: Final = Arg("gfp", "gfp", "gfp_t", _MASK, example="GFP_KERNEL", prefill="GFP_KERNEL")
FLAGS: Final = Arg("flags", "gfp", "gfp_t", _MASK, example="GFP_KERNEL", prefill="GFP_KERNEL")
ORDER: Final = Arg(
    "order",
    "uint",
    "unsigned int",
    "2^order page frames; from 11 on the kernel answers NULL",
    example=3,
    prefill="0",
)
OPTIONAL_ORDER: Final = Arg(
    "order", "uint", "unsigned int", "as in the lecture's two-argument form; default 0", False, 0, prefill="0"
)
PAGE: Final = Arg("page", "page", "struct page *", "exactly one of pfn and page", example=18944)
# Either may be given; C is given the first or the second.
PAGE_OR_ADDR: Final = Arg("page", "page_or_addr", _PAGE_OR_ADDR, _ONE_OF, example=18944, native="page")
ADDR_OR_PAGE: Final = Arg("page", "page_or_addr", _PAGE_OR_ADDR, _ONE_OF, example=18944, native="addr")
ADDR: Final = Arg(
    "addr",
    "addr",
    "const void *",
    "an address as a hex string; null is NULL",
    example="0xffff888004a00000",
)
SIZE: Final = Arg("size", "size", "size_t", "bytes", example=4096, prefill="64")
N: Final = Arg("n", "size", "size_t", "number of elements", example=16, prefill="16")
CACHE: Final = Arg("cache", "cache", "struct kmem_cache *", "name of a slab cache", example="kmalloc-64")
