"""Address spaces in a dump: areas, page tables, and who may map which anonymous pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.vm_pages import FEW, packed, pairs, unpacked
from app.mm.mm_types import AnonVma, MmStruct, PageTable, VmArea
from app.mm.pgtable_types import SHIFT

if TYPE_CHECKING:
    from app.machine.document import Document
    from app.machine.machine import Machine
    from app.mm.fs import File

NUMBERS: Final = (
    "task_size", "mmap_base", "start_code", "end_code", "start_brk", "brk", "start_stack", "total_vm",
    "data_vm", "exec_vm", "stack_vm", "locked_vm", "pgtables_bytes", "hiwater_rss", "hiwater_vm",
    "hugetlb_usage", "def_flags", "flags", "mm_users", "mm_count",
)  # fmt: skip
ANON_NUMBERS: Final = ("object", "refcount", "num_children", "num_active_vmas")
SPECIAL: Final = ("[vdso]", "[vvar]")
LONG_MAX: Final = (1 << 64) - 1
MAX_ID: Final = 1 << 40
MAX_SPACES: Final = 1 << 10
MAX_AREAS: Final = 70_000
MAX_TABLES: Final = 1 << 22
MAX_ANON: Final = 1 << 22


# -- writing ---------------------------------------------------------------------------------------


def dump(m: Machine, number_of: dict[int, int]) -> dict[str, Any]:
    """Address spaces and anon_vmas. number_of: open files by their id."""
    places = {id(vma): [mm.id, at] for mm in m.vm.mms.values() for at, vma in enumerate(mm.mmap)}
    return {
        "spaces": [space(mm, number_of) for mm in m.vm.mms.values()],
        "anon_vmas": [
            [
                anon.id, anon.root.id, anon.parent.id, *(getattr(anon, name) for name in ANON_NUMBERS),
                [places[id(vma)] for vma in anon.vmas],
            ]
            for anon in m.vm.anon_vmas.values()
        ],
    }  # fmt: skip


def space(mm: MmStruct, number_of: dict[int, int]) -> dict[str, Any]:
    """One address space."""
    assert mm.pgd is not None
    return {
        "id": mm.id,
        **{name: getattr(mm, name) for name in NUMBERS},
        "rss": list(mm.rss_stat),
        "areas": [area(vma, number_of) for vma in mm.mmap],
        "pgd": [mm.pgd.pfn, mm.pgd.level, entries(mm.pgd)],
        "tables": [
            [
                level,
                number,
                tables[number].pfn,
                entries(tables[number]),
                [t.pfn for t in tables[number].deposited],
            ]
            for level, tables in enumerate(mm.tables)
            for number in sorted(tables)
        ],
    }


def area(vma: VmArea, number_of: dict[int, int]) -> list[Any]:
    """An area, by position."""
    return [
        f"{vma.vm_start:#x}",
        f"{vma.vm_end:#x}",
        vma.vm_flags,
        vma.vm_pgoff,
        None if vma.vm_file is None else number_of[id(vma.vm_file)],
        vma.special,
        None if vma.anon_vma is None else vma.anon_vma.id,
        [anon.id for anon in vma.anon_vma_chain],
        list(vma.links),
        vma.object,
        None if vma.reserved is None else pairs(vma.reserved),
    ]


def entries(table: PageTable) -> Any:
    """The entries of a table: those in use as `[index, entry]`; of a full table all, in base64."""
    found = table.entries
    if len(found) - found.count(0) > FEW:
        return packed(found)
    return [[at, f"{entry:#x}"] for at, entry in enumerate(found) if entry]


# -- reading ---------------------------------------------------------------------------------------


def load(m: Machine, doc: Document, files: list[File]) -> None:
    """Inverse of `dump`. files: the open ones, by their number."""
    vm = m.vm
    lines = doc.get("anon_vmas", []).list(MAX_ANON)
    for line in lines:
        made = AnonVma(line.list(8, exactly=8)[0].int(1, MAX_ID))
        vm.anon_vmas[made.id] = made
    for entry in doc.get("spaces", []).list(MAX_SPACES):
        load_space(m, entry, files)
    for line in lines:
        number, root, parent, *values, areas = line.list(8, exactly=8)
        anon = vm.anon_vmas[number.int(1, MAX_ID)]
        anon.root, anon.parent = anon_of(m, root), anon_of(m, parent)
        for name, value in zip(ANON_NUMBERS, values, strict=True):
            setattr(anon, name, value.int(0, LONG_MAX))
        for place in areas.list(MAX_ANON):
            anon.vmas[area_at(m, place)] = None


def anon_of(m: Machine, doc: Document) -> AnonVma:
    """An anon_vma by its number."""
    found = m.vm.anon_vmas.get(doc.int(1, MAX_ID))
    if found is None:
        doc.fault("the number of an anon_vma")
    return found


def area_at(m: Machine, doc: Document) -> VmArea:
    """An area by its address space and its place there."""
    space, at = doc.list(2, exactly=2)
    mm = m.vm.mms.get(space.int(1, MAX_ID))
    if mm is None or at.int(0, MAX_AREAS) >= len(mm.mmap):
        doc.fault("an area: its address space and its place there")
    return mm.mmap[at.int(0, MAX_AREAS)]


def load_space(m: Machine, doc: Document, files: list[File]) -> None:
    """One address space."""
    mm = MmStruct(doc["id"].int(1, MAX_ID))
    m.vm.mms[mm.id] = mm
    for name in NUMBERS:
        setattr(mm, name, doc[name].int(0, LONG_MAX))
    mm.rss_stat = doc["rss"].ints(-(1 << 40), 1 << 40, 4, exactly=4)
    for line in doc["areas"].list(MAX_AREAS):
        mm.mmap.append(load_area(m, mm, line, files))
    pfn, level, body = doc["pgd"].list(3, exactly=3)
    top = 4 if m.model.arch == "x86_64" else 3
    mm.pgd = PageTable(pfn.int(-1, m.model.spans[-1][1]), level.int(top, top), 0, 512 if top == 4 else 4)
    load_entries(mm.pgd, body)
    for line in doc["tables"].list(MAX_TABLES):
        depth, number, pfn, body, deposited = line.list(5, exactly=5)
        at = depth.int(1, top - 1)
        table = PageTable(pfn.int(0, m.model.spans[-1][1]), at, number.int(0, 1 << 27) << SHIFT[at + 1])
        load_entries(table, body)
        table.deposited = [PageTable(one.int(0, m.model.spans[-1][1]), 1, 0) for one in deposited.list(512)]
        mm.tables[at][number.int(0, 1 << 27)] = table


def load_entries(table: PageTable, body: Document) -> None:
    """The entries of a table."""
    size = len(table.entries)
    if isinstance(body.value, str):
        table.entries = unpacked(body, "Q", size)
        return
    for entry in body.list(size):
        at, value = entry.list(2, exactly=2)
        table.entries[at.int(0, size - 1)] = value.int(0, LONG_MAX)


def load_area(m: Machine, mm: MmStruct, doc: Document, files: list[File]) -> VmArea:
    """An area."""
    start, end, flags, pgoff, file, special, anon, chain, links, address, reserved = doc.list(11, exactly=11)
    vma = VmArea(
        mm, start.int(0, LONG_MAX), end.int(0, LONG_MAX), flags.int(0, LONG_MAX), pgoff.int(0, LONG_MAX)
    )
    if file.value is not None:
        vma.vm_file = files[file.int(0, len(files) - 1)]
        vma.vm_file.f_count += 1
    if special.value is not None:
        vma.special = special.choice(*SPECIAL)
    if anon.value is not None:
        vma.anon_vma = anon_of(m, anon)
    vma.anon_vma_chain = [anon_of(m, one) for one in chain.list(MAX_ANON)]
    vma.links = links.ints(0, LONG_MAX, MAX_ANON, exactly=len(vma.anon_vma_chain))
    vma.object = address.int(0, LONG_MAX)
    if reserved.value is not None:
        vma.reserved = {}
        for entry in reserved.list(1 << 20):
            at, kept = entry.list(2, exactly=2)
            vma.reserved[at.int(0, LONG_MAX)] = kept.bool()
    return vma
