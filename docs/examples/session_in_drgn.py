"""A session in drgn: `mem_map`, an array of `struct page` whose bytes are asked for when they are read.

    KMEMLAB_TOKEN=… python session_in_drgn.py http://127.0.0.1:8000 SESSION [PFN …]

Needs drgn (pip install drgn==0.3.0), and a machine of x86_64. Types are registered here with Linux 6.1's
offsets, so there is no vmlinux and no core file; zones, caches and tasks are not in it. Without frames it
prints the first four. `program` is for scripts of your own.
"""

import json
import os
import struct
import sys
import urllib.error
import urllib.request
from typing import Any

import drgn
from drgn import Architecture, Object, Platform, PlatformFlags, Program, TypeEnumerator, TypeMember

VMEMMAP = 0xFFFFEA0000000000
SIZE = 64
# flags, mapping, index, private, _mapcount, _refcount; between them is what kmemlab has no bytes of.
LAYOUT = struct.Struct("<Q16xQQQiI8x")
PAGEFLAGS = (
    "locked", "referenced", "uptodate", "dirty", "lru", "active", "workingset", "waiters", "error", "slab",
    "owner_priv_1", "arch_1", "reserved", "private",
)  # fmt: skip


class Pages:
    """The frames of a session, each read once."""

    def __init__(self, server: str, session: str) -> None:
        self.base = f"{server}/api/v1/sessions/{session}"
        token = os.environ.get("KMEMLAB_TOKEN")
        self.headers = {} if token is None else {"authorization": f"Bearer {token}"}
        zones = self.get("/zones")["zones"]
        self.count = max(zone["start_pfn"] + zone["spanned"] for zone in zones)
        self.first = min(zone["start_pfn"] for zone in zones)
        self.known: dict[int, bytes] = {}

    def get(self, path: str) -> Any:
        """What the server answers."""
        request = urllib.request.Request(f"{self.base}{path}", headers=self.headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def image(self, pfn: int) -> bytes:
        """The struct page of a frame; zeros where the machine has none."""
        if pfn not in self.known:
            try:
                self.known[pfn] = packed(self.get(f"/pages/{pfn}")["struct_page"])
            except urllib.error.HTTPError as error:
                if error.code not in (404, 422):
                    raise
                self.known[pfn] = bytes(SIZE)
        return self.known[pfn]

    def read(self, _address: int, count: int, offset: int, _physical: bool) -> bytes:
        """Bytes of mem_map, as drgn asks for them."""
        first, last = offset // SIZE, (offset + count - 1) // SIZE
        data = b"".join(map(self.image, range(first, last + 1)))
        return data[offset - first * SIZE :][:count]


def packed(page: dict[str, Any]) -> bytes:
    """A struct page as the machine has it in memory."""
    flags, mapping = number(page["flags"]["value"]), number(page["mapping"])
    counts = page["_mapcount"], page["_refcount"] & 0xFFFFFFFF
    return LAYOUT.pack(flags, mapping, number(page["index"]), number(page["private"]), *counts)


def number(value: int | str | None) -> int:
    """Addresses stand as text."""
    return int(value, 16) if isinstance(value, str) else value or 0


def program(server: str, session: str) -> tuple[Program, Pages]:
    """A drgn program with `mem_map` and the enumeration `pageflags`, and the frames behind it."""
    pages = Pages(server, session)
    flags = PlatformFlags.IS_64_BIT | PlatformFlags.IS_LITTLE_ENDIAN
    prog = Program(Platform(Architecture.X86_64, flags))
    prog.add_memory_segment(VMEMMAP, pages.count * SIZE, pages.read, False)
    types = types_of(prog)

    def find_mem_map(prog: Program, name: str, *_rest: object) -> Object | None:
        if name != "mem_map":
            return None
        return Object(prog, prog.array_type(types["page"], pages.count), address=VMEMMAP)

    prog.register_type_finder("kmemlab", lambda _prog, _kinds, name, _file: types.get(name), enable_index=0)
    prog.register_object_finder("kmemlab", find_mem_map, enable_index=0)
    return prog, pages


def types_of(prog: Program) -> dict[str, drgn.Type]:
    """`struct page` and `enum pageflags`."""
    ulong, int_ = prog.int_type("unsigned long", 8, False), prog.int_type("int", 4, True)
    pointer = prog.pointer_type(prog.void_type())
    members = (
        (ulong, "flags", 0), (pointer, "mapping", 24), (ulong, "index", 32), (ulong, "private", 40),
        (int_, "_mapcount", 48), (int_, "_refcount", 52),
    )  # fmt: skip
    page = prog.struct_type("page", SIZE, [TypeMember(kind, name, 8 * at) for kind, name, at in members])
    bits = [TypeEnumerator(f"PG_{name}", bit) for bit, name in enumerate(PAGEFLAGS)]
    return {"page": page, "pageflags": prog.enum_type("pageflags", int_, bits)}


def main(server: str, session: str, *frames: str) -> None:
    """Print some frames."""
    prog, pages = program(server, session)
    for pfn in map(int, frames) if frames else range(pages.first, pages.first + 4):
        page = prog["mem_map"][pfn]
        counts = f"_refcount {page._refcount.value_()} _mapcount {page._mapcount.value_()}"
        print(f"{pfn:#x} flags {page.flags.value_():#x} {counts}")


if __name__ == "__main__":
    main(*sys.argv[1:])
