"""Files in a dump: inodes with what is cached of them, and open files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.frames import load_pfn
from app.machine.parts.vm_pages import MAX_KEPT, load_bytes, pairs
from app.machine.parts.vm_spaces import MAX_ID, area_at
from app.mm.fs import DEVICES, File, Inode
from app.mm.swap_info import MAX_PAGES
from app.mm.swapops import MAX_SWAPFILES, swp_entry, swp_offset, swp_type

if TYPE_CHECKING:
    from app.machine.document import Document
    from app.machine.machine import Machine

MAX_FILES: Final = 1 << 20
MAX_SIZE: Final = 1 << 53
READ_AHEAD: Final = ("start", "size", "async_size", "ra_pages", "mmap_miss", "prev_pos")
FILE_SYSTEMS: Final = (*DEVICES, "bdev")


def open_files(m: Machine) -> list[File]:
    """Every open file once: by tasks and descriptors, then by areas."""
    found = [file for task in m.tasks.values() for _, file in sorted(task.files.items())]
    found += [vma.vm_file for mm in m.vm.mms.values() for vma in mm.mmap if vma.vm_file is not None]
    return list({id(file): file for file in found}.values())


def dump(m: Machine, files: list[File]) -> dict[str, Any]:
    """Inodes and open files. files: in the order of their numbers."""
    places = {id(vma): [mm.id, at] for mm in m.vm.mms.values() for at, vma in enumerate(mm.mmap)}
    names = {inode.id: path for path, inode in m.vm.inodes.items()}
    return {
        "inodes": [inode_line(inode, names.get(inode.id), places) for inode in m.vm.mappings.values()],
        "files": [
            [
                file.inode.id, file.flags, file.path, file.pos,
                [getattr(file.ra, name) for name in READ_AHEAD], file.random,
            ]
            for file in files
        ],
    }  # fmt: skip


def inode_line(inode: Inode, path: str | None, places: dict[int, list[int]]) -> dict[str, Any]:
    """A file. path: by which it is found, if it is."""
    return {
        "id": inode.id,
        "fs": inode.fs,
        "ino": inode.ino,
        "name": inode.name,
        "path": path,
        "size": inode.size,
        "nlink": inode.nlink,
        "page_shift": inode.page_shift,
        "pages": pairs(inode.i_pages),
        "areas": [places[id(vma)] for vma in inode.i_mmap],
        "reserved": sorted(inode.reserved),
        "on_disk": [[at, pairs(stored)] for at, stored in inode.on_disk.items()],
        **({"shadows": pairs(inode.shadows)} if inode.shadows else {}),
        **({"swapped": [[at, *pair(entry)] for at, entry in inode.swapped.items()]} if inode.swapped else {}),
        **({"swap_pages": inode.swap_pages} if inode.swap_pages else {}),
    }


def pair(entry: int) -> list[int]:
    """Swap area and slot."""
    return [swp_type(entry), swp_offset(entry)]


def load_inodes(m: Machine, doc: Document) -> None:
    """The files, without who maps them: areas are read later."""
    for line in doc.get("inodes", []).list(MAX_FILES):
        number = line["id"].int(1, MAX_ID)
        name = line["name"].str(300)
        inode = Inode(number, line["fs"].choice(*FILE_SYSTEMS), line["ino"].int(0, MAX_ID), name, 0)
        inode.size = line["size"].int(0, MAX_SIZE)
        inode.nlink = line["nlink"].int(0, 1)
        inode.page_shift = line["page_shift"].int(12, 30)
        for entry in line["pages"].list(1 << 28):
            at, pfn = entry.list(2, exactly=2)
            inode.i_pages[at.int(0, MAX_SIZE)] = load_pfn(m, pfn)
        inode.reserved = dict.fromkeys(line["reserved"].ints(0, MAX_SIZE, MAX_KEPT))
        for entry in line["on_disk"].list(MAX_KEPT):
            at, stored = entry.list(2, exactly=2)
            inode.on_disk[at.int(0, MAX_SIZE)] = load_bytes(stored)
        for entry in line.get("shadows", []).list(1 << 28):
            at, shadow = entry.list(2, exactly=2)
            inode.shadows[at.int(0, MAX_SIZE)] = shadow.int(0, 1 << 64)
        for entry in line.get("swapped", []).list(1 << 28):
            at, area, slot = entry.list(3, exactly=3)
            inode.swapped[at.int(0, MAX_SIZE)] = swp_entry(area.int(0, MAX_SWAPFILES), slot.int(1, MAX_PAGES))
        inode.swap_pages = line.get("swap_pages", 0).int(0, MAX_PAGES)
        m.vm.mappings[number] = inode
        if line.has("path"):
            m.vm.inodes[line["path"].str(300)] = inode


def load_files(m: Machine, doc: Document) -> list[File]:
    """The open files, by number; who holds them is counted as they are found."""
    found = []
    for line in doc.get("files", []).list(MAX_FILES):
        number, flags, path, pos, ra, random = line.list(6, exactly=6)
        inode = m.vm.mappings.get(number.int(1, MAX_ID))
        if inode is None:
            number.fault("the number of a file")
        file = File(inode, flags.int(0, 0xFFFFFFFF), path.str(300))
        file.f_count = 0
        file.pos = pos.int(0, MAX_SIZE)
        for name, value in zip(READ_AHEAD, ra.ints(-1, MAX_SIZE, 6, exactly=6), strict=True):
            setattr(file.ra, name, value)
        file.random = random.bool()
        found.append(file)
    return found


def load_mappings(m: Machine, doc: Document) -> None:
    """Who maps which file."""
    for line in doc.get("inodes", []).list(MAX_FILES):
        inode = m.vm.mappings[line["id"].int(1, MAX_ID)]
        for place in line["areas"].list(MAX_FILES):
            inode.i_mmap[area_at(m, place)] = None
