"""Bytes of slab objects in the kernel's log.

Kernel: lib/hexdump.c, mm/slub.c print_section. What users write into objects is not modelled and shown as
zeroes; what SLUB itself has written is there: poison, red zones, the pointer to the next free object. That
one is mixed with its place, as CONFIG_SLAB_FREELIST_HARDENED does; the cache's random key is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm.memory_model import PAGE_SIZE
from app.mm.printk import pointer, printk
from app.mm.slab import OBJECT_POISON, SLAB_POISON, SLAB_RED_ZONE, SLAB_STORE_USER, Slab
from app.mm.slub_layout import SIZEOF_TRACK

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

ROW: Final = 16
# Values of include/linux/poison.h.
SLUB_RED_INACTIVE: Final = 0xBB
SLUB_RED_ACTIVE: Final = 0xCC
POISON_INUSE: Final = 0x5A
POISON_FREE: Final = 0x6B
POISON_END: Final = 0xA5


def print_object(m: Kernel, slab: Slab, index: int, fp: int) -> None:
    """The bytes before an object, its own, and those behind it. Kernel: mm/slub.c print_trailer

    fp: the next free object.
    """
    s, address = slab.cache, slab.address(index)
    content = content_of(m, slab, index, fp)
    red = bool(s.flags & SLAB_RED_ZONE)
    if red:
        mark = SLUB_RED_INACTIVE if slab.owner[index] is None else SLUB_RED_ACTIVE
        print_section(m, "Redzone  ", address - s.red_left_pad, bytes([mark]) * s.red_left_pad)
    elif address > slab.address(0) + ROW:
        print_section(m, "Bytes b4 ", address - ROW, bytes_before(m, slab, index))
    print_section(m, "Object   ", address, content[: min(s.object_size, PAGE_SIZE)])
    if red:
        print_section(m, "Redzone  ", address + s.object_size, content[s.object_size : s.inuse])
    end = s.inuse + (m.model.sizeof_long if s.offset >= s.inuse else 0)
    if s.flags & SLAB_STORE_USER:
        end += 2 * SIZEOF_TRACK[m.model.arch]
    print_section(m, "Padding  ", address + end, content[end:])


def bytes_before(m: Kernel, slab: Slab, index: int) -> bytes:
    """The end of the objects before one. The smallest have half as many bytes as are shown."""
    found = b""
    for other in range(max(0, index - 2), index):
        place = slab.freelist.index(other) if other in slab.freelist else 0
        found += content_of(m, slab, other, slab.address(slab.freelist[place - 1]) if place else 0)
    return found[-ROW:]


def content_of(m: Kernel, slab: Slab, index: int, fp: int) -> bytes:
    """The bytes from an object to the next one's beginning, but for its left red zone. Kernel: init_object"""
    s, free = slab.cache, slab.owner[index] is None
    size = s.size - (s.red_left_pad if s.flags & SLAB_RED_ZONE else 0)
    content = bytearray([POISON_INUSE if s.flags & SLAB_POISON else 0]) * size
    if s.flags & OBJECT_POISON:
        content[: s.object_size] = bytes([POISON_FREE] * (s.object_size - 1) + [POISON_END])
    elif s.flags & SLAB_POISON:
        content[: s.object_size] = bytes(s.object_size)
    if s.flags & SLAB_RED_ZONE:
        mark = SLUB_RED_INACTIVE if free else SLUB_RED_ACTIVE
        content[s.object_size : s.inuse] = bytes([mark]) * (s.inuse - s.object_size)
    if free:
        word = m.model.sizeof_long
        place = slab.address(index) + s.offset
        mixed = fp ^ int.from_bytes(place.to_bytes(word, "little"), "big")
        content[s.offset : s.offset + word] = mixed.to_bytes(word, "little")
    return bytes(content)


def print_section(m: Kernel, text: str, address: int, content: bytes) -> None:
    """Kernel: mm/slub.c print_section, lib/hexdump.c print_hex_dump"""
    for place in range(0, len(content), ROW):
        row = content[place : place + ROW]
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        printk(m, f"{text}{pointer(m, address + place)}: {row.hex(' '):<47}  {letters}")
