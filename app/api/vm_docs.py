"""How the routes that read processes and files describe themselves, with an example of each answer."""

from __future__ import annotations

from typing import Any, Final

from app.api import docs, vm_models
from app.api.docs import Doc

BINARY: Final = "application/octet-stream"

LINE: Final[dict[str, Any]] = {
    "start": "0x7ffff7ff1000",
    "end": "0x7ffff7ff9000",
    "prot": "rw-p",
    "name": None,
}
PLACE: Final = {
    "task": "a",
    "addr": "0x7ffff7ff1000",
    "entry": "0x8000000001e02867",
    "flags": "present|rw|user|accessed|dirty|soft_dirty|nx",
    "size": 4096,
    "vma": LINE,
}

MAPS: Final = docs.shows(
    vm_models.Maps,
    {
        "task": "a",
        "vmas": [
            {
                **LINE,
                "pages": 8,
                "flags": ["VM_READ", "VM_WRITE", "VM_MAYREAD", "VM_MAYWRITE", "VM_MAYEXEC", "VM_ACCOUNT",
                          "VM_SOFTDIRTY"],
                "mnemonics": ["rd", "wr", "mr", "mw", "me", "ac", "sd"],
                "vm_flags": "0x8100073",
                "file": None,
                "offset": 0,
                "vm_pgoff": 34359705585,
                "anon_vma": 10,
                "resident": 1,
                "swapped": 0,
                "dirty": 1,
                "tables": {"pte": 1, "pmd": 1, "pud": 1},
            }
        ],
        "total": 1,
        "next": None,
    },
)  # fmt: skip

WALK: Final = docs.shows(
    vm_models.Walk,
    {
        "task": "a",
        "addr": "0x7ffff7ff1008",
        "canonical": True,
        "bits": [
            {"level": "pgd", "from": 47, "to": 39, "index": 255},
            {"level": "pud", "from": 38, "to": 30, "index": 511},
            {"level": "pmd", "from": 29, "to": 21, "index": 447},
            {"level": "pte", "from": 20, "to": 12, "index": 497},
            {"level": "offset", "from": 11, "to": 0, "index": 8},
        ],
        "levels": [
            {
                "level": "pte",
                "index": 497,
                "table_pfn": 18503,
                "entry": "0x8000000001e02867",
                "flags": "present|rw|user|accessed|dirty|soft_dirty|nx",
                "maps": "page",
                "pfn": 7682,
            }
        ],
        "vma": LINE,
        "page": {
            "pfn": 7682,
            "size": "4K",
            "offset": 8,
            "physical": "0x1e02008",
            "first_pfn": 7682,
            "accessible": True,
        },
        "pfn": 7682,
        "tlb": {
            "4K": {"entries": 1536, "reach": 6291456},
            "2M": {"entries": 1536, "reach": 3221225472},
            "1G": {"entries": 16, "reach": 17179869184},
        },
        "why": "the pte entry maps a page of 4K",
    },
)

PAGETABLES: Final = docs.shows(
    vm_models.PageTables,
    {
        "task": "a",
        "pgtables_bytes": 28672,
        "levels": [
            {"level": "pte", "maps_each": 4096, "tables": 3, "entries": 1536, "used": 25, "deposited": 0}
        ],
        "tables": [
            {
                "level": "pte",
                "pfn": 18503,
                "start": "0x7ffff7e00000",
                "end": "0x7ffff8000000",
                "entries": 512,
                "used": 24,
                "deposited": [],
                "deposited_count": 0,
            }
        ],
        "total": 8,
        "next": None,
    },
)

ANON_VMA: Final = docs.shows(
    vm_models.WhoMaps,
    {
        "pfn": 7682,
        "kind": "anon",
        "mapping": "0xffff888004843069",
        "anon_vma": {
            "id": 10,
            "address": "0xffff888004843068",
            "root": 10,
            "parent": 10,
            "refcount": 1,
            "num_children": 1,
            "num_active_vmas": 1,
            "areas": [{"task": "a", **LINE, "own": True}],
            "areas_count": 1,
        },
        "file": None,
        "mapped_by": [PLACE],
        "mapcount": 1,
        "truncated": False,
    },
)

LRU: Final = docs.shows(
    vm_models.Lru,
    {
        "node": 0,
        "list": "inactive_anon",
        "size": 1,
        "items": [
            {
                "pfn": 7682,
                "frames": 1,
                "referenced": False,
                "dirty": False,
                "mapped": 1,
                "writeback": False,
                "reclaim": False,
                "workingset": False,
                "kind": "anon",
                "refcount": 1,
            }
        ],
        "next": None,
    },
)

FILE: Final[dict[str, Any]] = {
    "path": "/data/a",
    "fs": "ext4",
    "ino": 14,
    "size": 16777216,
    "nr_pages": 4096,
    "cached": 1,
    "evicted": 0,
    "opens": 1,
    "mapped_by": 1,
}

FILES: Final = docs.shows(vm_models.Files, {"files": [FILE], "total": 1, "next": None})

ONE_FILE: Final = docs.shows(
    vm_models.OneFile,
    {
        **FILE,
        "dirty": 0,
        "writeback": 0,
        "pages": [
            {
                "index": 0,
                "pfn": 7686,
                "refcount": 2,
                "mapcount": 1,
                "lru": "inactive_file",
                "uptodate": True,
                "dirty": False,
                "writeback": False,
                "referenced": True,
                "active": False,
                "locked": False,
                "buffers": False,
                "readahead": False,
            }
        ],
        "next": None,
        "readahead": [
            {
                "task": "a",
                "fd": 3,
                "start": 0,
                "size": 32,
                "async_size": 22,
                "mark": 10,
                "ra_pages": 32,
                "mmap_miss": 0,
                "prev_pos": 40000,
            }
        ],
        "areas": [
            {"task": "a", "start": "0x7ffff7fd9000", "end": "0x7ffff7fe9000", "first": 0, "shared": True}
        ],
    },
)

LIFE: Final = docs.shows(
    vm_models.Life,
    {
        "events": [
            {
                "seq": 3,
                "call": "store",
                "task": "a",
                "by": None,
                "what": ["allocated", "mapped", "dirtied", "moved"],
                "pfn": 7682,
                "state": "anon",
                "refcount": 2,
                "mapcount": 1,
                "lru": "batch lru_add",
                "dirty": True,
                "before": {"state": "free", "refcount": 0, "mapcount": 0, "lru": None, "dirty": False},
            }
        ],
        "next": None,
    },
)

SWAPS: Final = docs.shows(
    vm_models.Swaps,
    {
        "swaps": [
            {
                "area": 0, "path": "/dev/vdb", "type": "partition", "rotating": True, "pages": 16383,
                "used": 67, "priority": -2, "lowest_bit": 68, "highest_bit": 16383,
                "cluster_next": 68, "cluster_nr": 445,
                "slots": [[1, 39, "swapped"], [40, 1, "cached"], [41, 27, "stock"]],
            }
        ],
        "total": 16383,
        "free": 16316,
        "cached": 1,
        "stocks": [{"cpu": 0, "slots": [[41, 27]], "returned": []}],
    },
)  # fmt: skip

TASK_PROC: Final[Doc] = {
    "responses": {
        200: {
            "description": "text in 6.1's form",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "666\n"}},
        }
    }
}

RANGE: Final[Doc] = {
    "name": "Range",
    "in": "header",
    "description": "one range of bytes, in whole words of 8",
    "schema": {"type": "string"},
    "example": "bytes=0-4095",
}


def words(what: str) -> Doc:
    """A file of 64-bit words, little-endian."""
    content = {BINARY: {"schema": {"type": "string", "format": "binary"}}}
    return {
        "responses": {200: {"description": what, "content": content}},
        "extra": {
            "parameters": [RANGE],
            "responses": {
                "206": {"description": "the words of the range", "content": content},
                "416": docs.problem("no such range, or one that is too long"),
            },
        },
    }
