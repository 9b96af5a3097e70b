"""What differs after an operation: result, faults, counters, address space, pages, batches, files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from app.machine.machine import Machine
from app.mm import mem_map, pgalloc
from app.mm.fault import Signal
from app.mm.fs import Inode
from app.mm.mm_types import MmStruct
from app.mm.page import PG_reserved
from app.mm.pgtable_types import SHIFT
from app.mm.sched import Task
from app.mm.vmstat import LRU_NAMES
from app.vm_recording.identities import Identities
from app.vm_recording.recorded import BITS_COMPARED, FLAGS_COMPARED, Recorded, frame_of, number, page_wanted
from app.vm_recording.start import task_name

OBJECTS: Final = ("anon_vma", "anon_vma_chain", "vm_area_struct")
COUNTED: Final = (
    "anon_mapped", "anon_thps", "file_dirty", "file_mapped", "file_pages", "mlock", "pagetable", "pgactivate",
    "pgdeactivate", "pgfault", "pglazyfree", "pgmajfault", "pgreuse", "shmem", "thp_deferred_split_page",
    "thp_fault_alloc", "thp_split_pmd", "thp_zero_page_alloc", "unevictable_pgs_culled",
    "unevictable_pgs_mlocked", "unevictable_pgs_munlocked",
)  # fmt: skip
DISK: Final = ("active_file", "file_dirty", "file_pages", "inactive_file", "pgactivate")
VM_FAULT_RETRY: Final = 0x400
Difference = tuple[str, Any, Any]


class Compare:
    """Yields (what, ours, the kernel's) for all that is not equal."""

    def __init__(self, m: Machine, recorded: Recorded, identities: Identities) -> None:
        self.m = m
        self.recorded = recorded
        self.identities = identities

    def result(self, line: dict[str, Any], ret: int | None, signal: Signal | None) -> Iterator[Difference]:
        """Result and signal."""
        theirs = line.get("sig")
        yield "sig", signal, None if theirs is None else (theirs[0], theirs[1], number(theirs[2]))
        if ret is not None and signal is None:
            yield "ret", ret % (1 << self.recorded.bits), number(line["ret"])

    def task(self, line: dict[str, Any], task: Task, before: tuple[int, int]) -> Iterator[Difference]:
        """The task's own counters."""
        yield "min", task.min_flt - before[0], line["min"]
        yield "maj", task.maj_flt - before[1], line["maj"]

    def zones(self, line: dict[str, Any]) -> Iterator[Difference]:
        """Free pages, as they are and as watermarks see them, and what the CPU's lists hold."""
        counters = self.m.counters()
        if counters["zf"] == line["zf"] == line["zv"] != counters["zv"]:
            # Once a second a background task folds the CPUs' differences: when, only the recording knows.
            for zone in self.m.zones:
                zone.vm_stat_free += sum(zone.vm_stat_diff)
                zone.vm_stat_diff = [0] * len(zone.vm_stat_diff)
            counters = self.m.counters()
        for key in ("zf", "zv", "pc"):
            yield key, counters[key], line[key]

    def statistics(self) -> dict[str, int]:
        """Counters of the node, and of what has happened, that our machine keeps."""
        vm = self.m.vm
        lists = {name: vm.lruvecs[0].lists[at].count for at, name in enumerate(LRU_NAMES)}
        return {name: vm.stat[name] for name in COUNTED} | lists

    def objects(self) -> dict[str, tuple[int, int]]:
        """Objects of areas taken and given back so far."""
        vm = self.m.vm
        return {name: (vm.objects_taken[name], vm.objects_given[name]) for name in OBJECTS}

    def slabs(self, line: dict[str, Any], before: dict[str, tuple[int, int]]) -> Iterator[Difference]:
        """How many were in the operation."""
        ours = {
            name: [now - was for now, was in zip(self.objects()[name], before[name], strict=True)]
            for name in OBJECTS
            if self.objects()[name] != before[name]
        }
        yield "slab", ours, {name: nr for name, nr in (line.get("slab") or {}).items() if name in OBJECTS}

    def counted(self, line: dict[str, Any], before: dict[str, int]) -> Iterator[Difference]:
        """How those have changed.

        Pages that an opened file had before come to our lists only then, and dropping caches reaches files
        that are older than the recording. A disk has pages of its own, which are not ours to count.
        """
        if line["op"] in ("open", "dropcaches"):
            return
        disk = any(file_system == "ext4" for file_system, _ in self.recorded.files)
        names = [name for name in before if not disk or name not in DISK]
        now = self.statistics()
        ours = {name: now[name] - before[name] for name in names if now[name] != before[name]}
        yield "ns", ours, {name: nr for name, nr in (line.get("ns") or {}).items() if name in names}

    def faults(self, line: dict[str, Any]) -> Iterator[Difference]:
        """Exceptions and calls of handle_mm_fault, in order."""
        ours = []
        for event in self.m.vm.faults or []:
            if event[0] == "G":  # that a stack grew, the recording shows as an area
                continue
            label = int(event[1][1:])
            if event[0] == "H":
                _, _, address, flags, ret, (level, entry), (after, result), _ = event
                if ret & VM_FAULT_RETRY:
                    after, result = 0, 0
                where = ["H", label, hex(address), hex(flags), hex(ret)]
                ours.append([*where, level, hex(entry), after, hex(result)])
            else:
                ours.append([event[0], label, hex(event[2]), hex(event[3])])
        yield "flt", *from_first(ours, line.get("flt") or [])

    def batches(self) -> Iterator[Difference]:
        """Pages in the LRU batches; not readable in recordings of i386."""
        if self.recorded.batches is not None and self.recorded.bits == 64:
            ours = {
                name: [hex(page[0] if isinstance(page, tuple) else page) for page in batch]
                for name, batch in self.m.vm.batches.items()
                if batch
            }
            yield "lb", ours, self.recorded.batches

    # -- an address space --------------------------------------------------------------------------

    def process(self, label: int) -> Iterator[Difference]:
        """Counters, areas, tables, entries and pages of a process."""
        recorded = self.recorded.procs[label]
        task = self.m.tasks[task_name(label)]
        mm = task.mm
        assert mm is not None
        for key, value in mm_counters(task, mm).items():
            yield f"mm.{key}", value, recorded.mm.get(key)
        yield "vma", *from_first(self.areas(mm, recorded.vma), recorded.vma)
        if self.recorded.bits == 64:
            yield "pgd", hex(mm.pgd.pfn) if mm.pgd is not None else None, recorded.pgd
        yield "tab", *apart(dict(tables_of(mm)), recorded.tab)
        leaves = dict(leaves_of(mm))
        ours, theirs = apart(leaves, recorded.leaf)
        yield "leaf", in_hex(ours), in_hex(theirs)
        for address in sorted(leaves):
            pfn = frame_of(*leaves[address])
            if pfn is not None and pfn in self.recorded.pages:
                yield f"page {pfn:#x}", *self.page(pfn, self.recorded.pages[pfn])

    def areas(self, mm: MmStruct, theirs: list[Any]) -> list[Any]:
        """Our areas in the recording's form; identities are learnt on the way."""
        ours = []
        for at, vma in enumerate(mm.mmap):
            recorded: list[Any] = theirs[at] if at < len(theirs) else [None, None, None, None, None, None, []]
            if len(recorded[6]) == len(vma.anon_vma_chain):
                for anon_vma, link in zip(vma.anon_vma_chain, recorded[6], strict=True):
                    self.identities.learn_anon(anon_vma, number(link[0]))
            file = None
            if vma.vm_file is not None:
                if recorded[4] is not None:
                    self.identities.learn_inode(vma.vm_file.inode, (recorded[4][0], recorded[4][1]))
                file = list(self.identities.inode_name(vma.vm_file.inode.id))
            name = self.identities.anon_name
            chain = [
                [
                    name(a.id),
                    name(a.root.id),
                    name(a.parent.id),
                    a.refcount,
                    a.num_children,
                    a.num_active_vmas,
                ]
                for a in vma.anon_vma_chain
            ]
            anon = None if vma.anon_vma is None else name(vma.anon_vma.id)
            bounds = [hex(vma.vm_start), hex(vma.vm_end), hex(vma.vm_flags), vma.vm_pgoff]
            ours.append([*bounds, file, anon, chain])
        return ours

    # -- pages -------------------------------------------------------------------------------------

    def page(self, pfn: int, description: list[Any]) -> tuple[list[Any], list[Any]]:
        """Our description of a page, and the recorded one."""
        wanted = page_wanted(description)
        s, i = mem_map.section(self.m, pfn), pfn & 511
        head = mem_map.compound_head(self.m, pfn)
        ours: list[Any] = [
            s.refcount[i], s.mapcount[i], mem_map.page_mapcount(self.m, pfn), s.flags[i] & FLAGS_COMPARED,
            None if pfn != head else self.mapping(s.mapping[i], wanted[4]), s.index[i],
            hex(head) if s.order else 0, s.compound_mapcount + 1 if s.order else None, s.order,
        ]  # fmt: skip
        if pfn != head:
            wanted[5] = ours[5]  # what a tail's index holds is no index
        if wanted[3] & PG_reserved and pfn != self.m.vm.zero_pfn:
            wanted[3] = ours[3]  # a page of the kernel's image, which others have used before
        ours[3], wanted[3] = hex(ours[3]), hex(wanted[3])
        return ours, wanted

    def mapping(self, number_: int, theirs: list[Any] | None) -> list[Any] | None:
        """What a page belongs to."""
        if number_ & 1:
            return ["a", self.identities.anon_name(number_ >> 1)]
        if not number_:
            return None
        if theirs is not None and theirs[0] == "f":
            self.identities.learn_inode(self.m.vm.mappings[number_ >> 1], (theirs[1], theirs[2]))
        return ["f", *self.identities.inode_name(number_ >> 1)]

    def files(self, line: dict[str, Any]) -> Iterator[Difference]:
        """Open files: size, read-ahead, and every cached page."""
        task = self.m.tasks.get(task_name(line["l"]))
        for fd, file_system, ino, size, ra, _ in line.get("fc", []):
            inode = self.identities.inode_of.get((file_system, ino))
            if inode is None or fd < 0:
                continue
            yield f"fd{fd} size", inode.size, size
            file = task.files.get(fd) if task is not None else None
            if file is not None:
                window = file.ra
                ours = [window.start, window.size, window.async_size, window.prev_pos, window.mmap_miss]
                yield f"fd{fd} ra", ours, ra
            yield from self.cached(f"fd{fd}", inode, self.recorded.files[file_system, ino])

    def cached(self, name: str, inode: Inode, theirs: dict[int, Any]) -> Iterator[Difference]:
        """The cached pages of a file."""
        for index in sorted({*theirs, *inode.i_pages}):
            pfn, recorded = inode.i_pages.get(index), theirs.get(index)
            where = f"{name}[{index}]"
            yield where, pfn, None if recorded is None else number(recorded[0])
            if pfn is not None and recorded is not None:
                yield where, *self.page(pfn, recorded[1:])


def mm_counters(task: Task, mm: MmStruct) -> dict[str, Any]:
    """The counters of an address space as the recording names them."""
    return {
        "pid": task.pid, "total_vm": mm.total_vm, "data_vm": mm.data_vm, "exec_vm": mm.exec_vm,
        "stack_vm": mm.stack_vm, "locked_vm": mm.locked_vm, "map_count": mm.map_count,
        "pgtables_bytes": mm.pgtables_bytes, "rss": mm.rss_stat,
        "task_rss": [*task.rss_stat,
        task.rss_events],
        "hiwater": [mm.hiwater_rss, mm.hiwater_vm], "brk": [hex(mm.start_brk), hex(mm.brk)],
        "mmap_base": hex(mm.mmap_base), "start_stack": hex(mm.start_stack), "task_size": hex(mm.task_size),
        "def_flags": hex(mm.def_flags),
    }  # fmt: skip


def leaves_of(mm: MmStruct) -> Iterator[tuple[int, tuple[int, int]]]:
    """(address, (level, entry)) of everything that is mapped."""
    for level in (1, 2, 3):
        shift = 12 + 9 * (level - 1)
        for table in mm.tables[level].values():
            for i, entry in enumerate(table.entries):
                if entry and (level == 1 or entry & 0x80):
                    yield table.base + (i << shift), (level, entry)


def tables_of(mm: MmStruct) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """((level, first address), (frame, bits of its entry above)) of every table but the highest."""
    for level in (1, 2, 3):
        for table in mm.tables[level].values():
            upper = pgalloc.find_table(mm, level + 1, table.base)
            assert upper is not None
            at = table.base >> SHIFT[level + 1] & 511
            yield (level, table.base), (table.pfn, upper.entries[at] & BITS_COMPARED)


def from_first(ours: list[Any], theirs: list[Any]) -> tuple[list[Any], list[Any]]:
    """Two items on either side from the first that differs; nothing where all are equal."""
    if ours == theirs:
        return [], []
    pairs = zip(ours, theirs, strict=False)
    at = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(ours), len(theirs)))
    return ours[at : at + 2], theirs[at : at + 2]


def apart(ours: dict[Any, Any], theirs: dict[Any, Any]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The first three items that differ on either side."""
    if ours == theirs:
        return {}, {}
    keys = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)][:3]
    return {key: ours.get(key) for key in keys}, {key: theirs.get(key) for key in keys}


def in_hex(leaves: dict[int, Any]) -> dict[str, Any]:
    """Entries as the recording writes them."""
    return {f"{address:#x}": leaf and (leaf[0], hex(leaf[1])) for address, leaf in leaves.items()}
