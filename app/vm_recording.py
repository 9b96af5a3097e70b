"""Replaying a recording of processes on a real kernel, and comparing everything after each operation.

Such a recording names, besides what the processes did, the page allocator's events of everybody else: which
slab pages, kernel stacks and pages of background work were asked for, but not which frames our machine must
give them. They are made at the same place in the order of events.
"""

from __future__ import annotations

from typing import Any, Final

from app.machine import boot
from app.machine.machine import Machine
from app.mm import (
    exit,
    fault,
    fork,
    fs,
    hugetlb,
    khugepaged,
    lru,
    madvise,
    mem_map,
    mlock_vma,
    mmap,
    mprotect,
    mremap,
    page_alloc,
    page_free,
    pagemap,
    pcp,
    pgalloc,
    read_write,
    swap,
)
from app.mm.mm_types import MMF_DISABLE_THP, AnonVma, MmStruct, PageTable, VmArea
from app.mm.page import Page, PG_lru, PG_reserved
from app.mm.sched import Task
from app.recording import Miss, Report, add_part, differing_zones

MASK64: Final = (1 << 64) - 1
FLAGS_COMPARED: Final = (1 << 22) - 1
OWN_GFP: Final = frozenset((0x140CCA, 0x140DCA, 0x141CCA, 0x152C4A, 0x2800, 0x400DC0, 0x400DC2))
BLOCK_DEVICE_GFP: Final = frozenset((0x148C40, 0x148C48))
BATCH_NAMES: Final = {"add": "add", "activate": "activate", "deactivate_file": "deactivate_file", "lazyfree": "lazyfree", "mlock": "mlock"}


def number(text: Any) -> int:
    """A recorded number."""
    return int(text, 16) if isinstance(text, str) else int(text)


def signed(value: int, bits: int) -> int:
    """A result as a C program sees it."""
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


class Listener:
    """Tells the replay before each page that the kernel's own code takes or frees; ignores all else."""

    def __init__(self, replay: VmReplay) -> None:
        self.replay = replay

    def __getattr__(self, name: str) -> Listener:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        return None

    def request(self, gfp: int, order: int, *rest: Any) -> None:
        """Before an allocation."""
        self.replay.own_event()

    def free(self, pfn: int, order: int) -> None:
        """Before a free."""
        self.replay.own_event()


class VmReplay:
    """One recording being replayed."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.lines = lines
        self.meta = lines[0]
        self.report = Report(self.meta["machine"], self.meta["scenario"])
        self.bits = 32 if self.meta["arch"] == "i386" else 64
        self.m: Machine | None = None
        self.begin: dict[str, Any] = {}
        self.pools: list[Any] = []
        # What the recording says: per process, per frame, per file.
        self.procs: dict[int, dict[str, Any]] = {}
        self.pages: dict[int, list[Any]] = {}
        self.files: dict[tuple[str, int], dict[int, Any]] = {}
        self.sizes: dict[tuple[str, int], int] = {}
        self.batches: dict[str, list[str]] = {}
        # Identities: recorded ↔ ours.
        self.anon_of: dict[int, AnonVma] = {}
        self.address_of: dict[int, int] = {}
        self.inode_of: dict[tuple[str, int], fs.Inode] = {}
        self.key_of: dict[int, tuple[str, int]] = {}
        # Frames of others: recorded → ours with order.
        self.foreign: dict[int, tuple[int, int]] = {}
        self.dead: dict[int, MmStruct] = {}
        self.done_frames: set[int] = set()
        self.pending: dict[int, list[Any]] = {}
        self.position = 0
        self.at = 0
        self.leaving: Task | None = None
        # Cached pages of the disk itself: recorded → ours.
        self.device_pages: dict[int, int] = {}
        self.busy = False
        self.recent: list[Any] = []

    # -- the walk ----------------------------------------------------------------------------------

    def run(self, most_misses: int = 1_000_000) -> Report:
        """Replay all lines."""
        state: dict[str, Any] | None = None
        for at, line in enumerate(self.lines):
            kind = line["t"]
            self.at = at
            if kind == "begin":
                self.begin = line
            elif kind == "hugepool":
                self.pools = line["pools"]
            elif kind == "dump":
                settings = {key: value for key, value in line.items() if key != "t"}
                state = {"kernel": settings | {"arch": self.meta["arch"], "cpus": self.meta["smp"]}}
                state |= {"nodes": [], "zones": [], "caches": []}
            elif kind == "dump_end" and state is not None:
                self.at_state(line["tag"], state)
                state = None
            elif state is not None:
                add_part(state, line)
            elif kind == "op":
                self.operation(line)
                if len(self.report.misses) >= most_misses:
                    break
            elif kind == "bg" and self.m is not None:
                self.schedule(line["ev"])
                self.finish_exit()
                self.flush_events()
        return self.report

    def at_state(self, tag: str, state: dict[str, Any]) -> None:
        """Start from the first state; compare with the later ones."""
        if self.m is None:
            self.m = boot.load(state)
            self.build()
        else:
            self.m.trace = None
            ours = self.m.dump()
            self.report.end_states[tag] = differing_zones(ours["zones"], state["zones"])

    # -- the state before the first operation ------------------------------------------------------

    def build(self) -> None:
        """Make the first process and its files from what was recorded of them."""
        m = self.m
        assert m is not None
        vm = m.vm
        vm.zero_pfn = number(self.begin["zero_pfn"])
        vm.nx = self.bits == 64
        for name in ("always", "madvise", "never"):
            if f"transparent_hugepage={name}" in self.meta["cmdline"]:
                vm.thp = name
        for order, _, reserved, free in self.pools:
            frames = [number(pfn) for pfn in free]
            vm.hstates[order] = hugetlb.Hstate(order, frames, reserved)
            vm.pool_pages.update(dict.fromkeys(frames))
        m.trace = Listener(self)
        self.learn_vdso()
        self.load_page(vm.zero_pfn, [1, -1, 0, "0x1000", None, 0, 0, None, 0])
        for label in sorted(self.procs):
            self.load_process(label, self.procs[label])
        for name, frames in (self.batches or {}).items():
            vm.batches[BATCH_NAMES[name]] = [number(pfn) for pfn in frames]

    def learn_vdso(self) -> None:
        """The frames of the vdso, which are part of the kernel's image: known where somebody maps them."""
        m = self.m
        assert m is not None
        base = number(self.procs[0]["mm"]["mmap_base"]) - 0x2000
        frames = {0: -1, 1: -1}
        for line in self.lines:
            for leaf in line.get("d", {}).get("leaf", ()) if line["t"] == "op" else ():
                at = number(leaf[0]) - base >> 12
                if leaf[1] == 1 and at in frames:
                    frames[at] = number(leaf[2]) >> 12 & 0xFFFFFFF
        for line in self.lines:
            for page in line.get("d", {}).get("page", ()) if line["t"] == "op" else ():
                if number(page[0]) in frames.values():
                    self.load_page(number(page[0]), [page[1] - 1, page[2] - 1, 0, *page[4:]])
        if -1 not in frames.values():
            m.vm.settings["[vdso]"] = (frames[0], frames[1])

    def load_process(self, label: int, recorded: dict[str, Any]) -> None:
        """A process as it was recorded."""
        m = self.m
        assert m is not None
        said = recorded["mm"]
        task = m.tasks[self.name(label)] = Task(self.name(label), said["pid"])
        mm = task.mm = MmStruct(m.vm.new_id())
        m.vm.mms[mm.id] = mm
        for key in ("total_vm", "data_vm", "exec_vm", "stack_vm", "locked_vm"):
            setattr(mm, key, said[key])
        for key in ("mmap_base", "start_stack", "task_size", "def_flags"):
            setattr(mm, key, number(said[key]))
        mm.start_brk, mm.brk = (number(value) for value in said["brk"])
        mm.rss_stat = list(said["rss"])
        task.rss_stat, task.rss_events = list(said["task_rss"][:4]), said["task_rss"][4]
        mm.hiwater_rss, mm.hiwater_vm = said["hiwater"]
        for description in recorded["vma"]:
            self.load_area(mm, description)
        self.load_tables(mm, recorded)
        for key, pages in self.files.items():
            inode = self.inode(*key)
            inode.size = self.sizes[key]
            for index, page in pages.items():
                inode.i_pages[index] = number(page[0])
                self.load_page(number(page[0]), page[1:])
        for address, (level, raw) in recorded["leaf"].items():
            pfn = frame_of(level, number(raw))
            if pfn is not None and pfn in self.pages:
                self.load_page(pfn, self.pages[pfn])

    def load_area(self, mm: MmStruct, description: list[Any]) -> None:
        """An area as it was recorded."""
        start, end, flags, pgoff, file, anon, chain = description
        vma = VmArea(mm, number(start), number(end), number(flags), pgoff)
        if file is not None:
            inode = self.inode(*file)
            vma.vm_file = next((area.vm_file for area in mm.mmap if area.vm_file is not None and area.vm_file.inode is inode), None)
            if vma.vm_file is None:
                vma.vm_file = fs.File(inode, 0)
            else:
                vma.vm_file.f_count += 1
            inode.i_mmap[vma] = None
        elif vma.vm_flags & 0x40000:
            vma.special = "[vvar]" if vma.vm_flags & 0x400 else "[vdso]"
        for address, root, parent, refcount, children, active in chain:
            anon_vma = self.anon(number(address))
            anon_vma.root, anon_vma.parent = self.anon(number(root)), self.anon(number(parent))
            anon_vma.refcount, anon_vma.num_children, anon_vma.num_active_vmas = refcount, children, active
            vma.anon_vma_chain.append(anon_vma)
            anon_vma.vmas[vma] = None
        if anon is not None:
            vma.anon_vma = self.anon(number(anon))
        mm.mmap.append(vma)

    def load_tables(self, mm: MmStruct, recorded: dict[str, Any]) -> None:
        """Page tables and their entries."""
        m = self.m
        assert m is not None
        x86_64 = self.bits == 64
        pgd = number(recorded["pgd"]) if x86_64 else -1
        mm.pgd = PageTable(pgd, 4, 0) if x86_64 else PageTable(-1, 3, 0, 4)
        if x86_64:
            m.pages[pgd] = Page(pgd, 1, 0, 0x400DC0, "pagetable", "init", 0)
        for (level, base), (pfn, _) in sorted(recorded["tab"].items(), reverse=True):
            frame = number(pfn)
            m.pages[frame] = Page(frame, 0, 0, 0x400DC0, "pagetable", "init", 0)
            pgalloc.install(mm, PageTable(frame, level, 0), number(base))
        for address, (level, raw) in recorded["leaf"].items():
            table = pgalloc.find_table(mm, level, number(address))
            assert table is not None
            table.entries[pgalloc.index(level, number(address))] = number(raw)

    def load_page(self, pfn: int, description: list[Any]) -> None:
        """A page as it was recorded: its record, and its place on a list."""
        m = self.m
        assert m is not None
        refcount, mapcount, _, flags, mapping, index = description[:6]
        if mem_map.known(m, pfn):
            return
        s, i = mem_map.section(m, pfn), pfn & 511
        s.refcount[i], s.mapcount[i] = refcount, mapcount
        s.flags[i] = number(flags) & FLAGS_COMPARED
        s.index[i] = index
        if mapping is not None and mapping[0] == "a":
            s.mapping[i] = self.anon(number(mapping[1])).id << 1 | 1
        elif mapping is not None:
            s.mapping[i] = self.inode(mapping[1], mapping[2]).id << 1
        if s.flags[i] & PG_lru:
            lru.lruvec_add(m, pfn)

    def anon(self, address: int) -> AnonVma:
        """Our anon_vma for a recorded one."""
        found = self.anon_of.get(address)
        if found is None:
            m = self.m
            assert m is not None
            found = AnonVma(m.vm.new_id())
            m.vm.anon_vmas[found.id] = found
            self.anon_of[address] = found
            self.address_of[found.id] = address
        return found

    def inode(self, file_system: str, ino: int) -> fs.Inode:
        """Our inode for a recorded one."""
        key = (file_system, ino)
        found = self.inode_of.get(key)
        if found is None:
            m = self.m
            assert m is not None
            found = fs.Inode(m.vm.new_id(), file_system, ino, f"/{ino}", 0)
            m.vm.mappings[found.id] = found
            self.inode_of[key] = found
            self.key_of[found.id] = key
        return found

    @staticmethod
    def name(label: int) -> str:
        """The task of a recorded label."""
        return f"p{label}"

    # -- events of others --------------------------------------------------------------------------

    def schedule(self, events: list[Any]) -> None:
        """Sort out which of an operation's events are others', and between which of our own they fall."""
        m = self.m
        assert m is not None
        self.pending, self.position = {}, 0
        own: set[int] = set()
        others: set[int] = set(self.foreign)
        at = 0
        for event in events:
            kind = event[0]
            if kind == "A":
                pfn = number(event[1])
                if self.is_own(event):
                    at += 1
                    own.add(pfn)
                    others.discard(pfn)
                else:
                    self.pending.setdefault(at, []).append(event)
                    others.add(pfn)
            elif kind == "K":
                self.pending.setdefault(at, []).append(event)
                others.update(number(pfn) for pfn in event[3])
            elif kind == "F":
                pfn = number(event[1])
                if pfn in self.dead or pfn in self.device_pages or (pfn not in own and not (self.is_ours(pfn) and pfn not in others)):
                    self.pending.setdefault(at, []).append(event)
                else:
                    at += 1

    def is_ours(self, pfn: int) -> bool:
        """Whether the frame is a page of a process or file, or one of its tables."""
        m = self.m
        assert m is not None
        return mem_map.known(m, pfn) or pfn in m.pages

    def is_own(self, event: list[Any]) -> bool:
        """Whether our own code makes such an allocation."""
        _, _, order, gfp, _, actor = (event + [None])[:6]
        mask = number(gfp)
        if not isinstance(actor, int):
            return False
        if order == 9:
            return True
        if order == 1:
            return mask == 0x400DC0 and self.bits == 64
        return not order and mask in OWN_GFP

    def own_event(self) -> None:
        """Our code is about to take or free a page: first what others did before."""
        if not self.busy:
            self.run_pending(self.position)
            self.position += 1

    def run_pending(self, position: int) -> None:
        """Make the events of others that fall at a place in the order."""
        events = self.pending.pop(position, None)
        if not events:
            return
        self.busy = True
        for event in events:
            self.other_event(event)
        self.busy = False

    def flush_events(self) -> None:
        """Make all that is left."""
        for position in sorted(self.pending):
            self.run_pending(position)

    def other_event(self, event: list[Any]) -> None:
        """One allocation or free that is not ours."""
        m = self.m
        assert m is not None
        kind = event[0]
        if kind == "A":
            gfp, order = number(event[3]), event[2]
            if gfp in BLOCK_DEVICE_GFP:
                self.block_device_page(number(event[1]), gfp)
                return
            if order == 9 and self.collapse(m, event[1]):
                return
            pfn = page_alloc.alloc_pages(m, gfp, order)
            if pfn is not None:
                self.foreign[number(event[1])] = (pfn, order)
        elif kind == "K":
            pages = page_alloc.alloc_pages_bulk(m, number(event[1]), 0, event[2])
            for theirs, pfn in zip(event[3], pages, strict=False):
                self.foreign[number(theirs)] = (pfn, 0)
        else:
            self.other_free(number(event[1]), event[2])

    def collapse(self, m: Machine, frame: str) -> bool:
        """khugepaged makes a huge page: where, the next state of some process shows."""
        for line in self.lines[self.at :]:
            for leaf in line.get("d", {}).get("leaf", ()) if line["t"] == "op" else ():
                if leaf[1] == 2 and frame_of(2, number(leaf[2])) == number(frame):
                    task = m.tasks[self.name(line["l"])]
                    assert task.mm is not None
                    return khugepaged.collapse_huge_page(m, task.mm, number(leaf[0])) is not None
        return False

    def block_device_page(self, theirs: int, gfp: int) -> None:
        """A page of the disk itself: it comes to the lists like any cached page."""
        m = self.m
        assert m is not None
        pfn = mem_map.alloc_page(m, gfp)
        if pfn is None:
            return
        inode = self.inode("bdev", 0)
        self.device_pages[theirs] = pfn
        mem_map.set_flags(m, pfn, 4)
        pagemap.filemap_add_folio(m, inode, pfn, pfn)
        lru.put_page(m, pfn)
        pagemap.create_buffers(m, pfn)
        swap.mark_page_accessed(m, pfn)
        swap.mark_page_accessed(m, pfn)

    def other_free(self, theirs: int, order: int) -> None:
        """A free that is not ours: of what others took, of a dead process's tables, or of something older."""
        m = self.m
        assert m is not None
        if theirs in self.done_frames:
            self.done_frames.discard(theirs)
            return
        mm = self.dead.pop(theirs, None)
        if mm is not None:
            for frame in [frame for frame, other in self.dead.items() if other is mm]:
                del self.dead[frame]
                self.done_frames.add(frame)
            exit.mmdrop(m, mm)
            return
        if theirs in self.device_pages:
            pfn = self.device_pages.pop(theirs)
            pagemap.drop_buffers(m, pfn)
            pagemap.filemap_remove_folio(m, self.inode("bdev", 0), pfn)
            lru.put_page(m, pfn)
            return
        pfn, size = self.foreign.pop(theirs, (theirs, order))
        page = m.pages.get(pfn)
        if page is None:
            if mem_map.known(m, pfn):
                return
            page = m.pages[pfn] = Page(pfn, size, 0, 0, "unmovable", "init", 0)
        page.refcount = 0
        page.order = order
        page.flags = 0
        page_free.free_the_page(m, pfn, order)

    # -- operations --------------------------------------------------------------------------------

    def operation(self, line: dict[str, Any]) -> None:
        """Make one recorded operation again and compare."""
        self.update(line)
        if self.m is None:
            return
        m = self.m
        self.report.operations += 1
        label = line["l"]
        m.task = self.name(label)
        if m.trace is None:
            m.trace = Listener(self)
        m.vm.faults = []
        self.schedule(line.get("ev", []))
        task = m.tasks.get(m.task)
        before = (task.min_flt, task.maj_flt) if task is not None else (0, 0)
        ret: int | None = None
        signal = None
        self.finish_exit()
        ret, signal = self.perform(m, line)
        if self.leaving is None:
            mmap.task_work_run(m)
        if signal is not None:
            self.end(m, label)
        self.flush_events()
        differences = self.differences(m, line, task, before, ret, signal)
        if differences:
            self.report.misses.append(Miss(line["i"], f"{line['op']} {line['a']}", differences))
        else:
            self.report.exact += 1

    def update(self, line: dict[str, Any]) -> None:
        """Take over what the recording says changed."""
        if "d" in line:
            self.unpack(line["l"], line["d"])
        if "child" in line:
            child = number(line["a"][0])
            self.procs.pop(child, None)
            self.unpack(child, line["child"])
        for _, file_system, ino, size, ra, changed in line.get("fc", []):
            self.sizes[file_system, ino] = size
            pages = self.files.setdefault((file_system, ino), {})
            for index, page in changed:
                if page is None:
                    pages.pop(index, None)
                else:
                    pages[index] = page
                    self.pages[number(page[0])] = page[1:]
        self.batches = line.get("lb")  # type: ignore[assignment]

    def unpack(self, label: int, changed: dict[str, Any]) -> None:
        """What changed in a process since it was last shown."""
        state = self.procs.setdefault(label, {"mm": {}, "vma": [], "leaf": {}, "tab": {}, "pgd": None})
        state["mm"] = {**state["mm"], **changed.get("mm", {})}
        for key in ("vma", "pgd"):
            if key in changed:
                state[key] = changed[key]
        for item in changed.get("leaf", []):
            if item[1] is None:
                state["leaf"].pop(item[0], None)
            else:
                state["leaf"][item[0]] = item[1:]
        for item in changed.get("tab", []):
            if item[2] is None:
                state["tab"].pop((item[0], item[1]), None)
            else:
                state["tab"][item[0], item[1]] = item[2:]
        for item in changed.get("page", []):
            self.pages[number(item[0])] = item[1:]

    def perform(self, m: Machine, line: dict[str, Any]) -> tuple[int | None, fault.Signal | None]:
        """The operation; returns its result and the signal it ended with."""
        label, name = line["l"], line["op"]
        a = [number(value) for value in line["a"]]
        task = m.tasks.get(m.task)
        if name in ("r", "w", "rn", "wn"):
            return self.accesses(m, name, a)
        if name == "start":
            if line.get("flt"):
                return 0, fault.user_access(m, number(line["flt"][0][2]), execute=True)
            return 0, None
        if name in ("kread", "kwrite"):
            return fault.kernel_access(m, a[0], write=name == "kwrite"), None
        if name == "fork":
            child = fork.fork(m, self.name(a[0]), number(line["ret"]))
            return child.pid, None
        if name == "exit":
            self.end(m, label)
            return 0, None
        if name == "wait4":
            return number(line["ret"]), None
        if name == "lrudrain":
            swap.lru_add_drain(m)
            return 0, None
        if name == "drain":
            pcp.drain_all_pages(m)
            return 0, None
        if name == "dropcaches":
            self.drop_caches(m, line)
            return 0, None
        assert task is not None and task.mm is not None
        if name == "mmap":
            fd = signed(a[4], self.bits)
            file = None if a[3] & 0x20 else task.files.get(fd)
            return mmap.ksys_mmap(m, a[0], a[1], a[2], a[3], file, a[5] >> 12), None
        if name == "munmap":
            return mmap.munmap(m, a[0], a[1]), None
        if name == "mprotect":
            return mprotect.mprotect(m, *a[:3]), None
        if name == "madvise":
            return madvise.madvise(m, *a[:3]), None
        if name == "mremap":
            return mremap.mremap(m, *(a + [0])[:5]), None
        if name == "brk":
            return mmap.brk(m, a[0]), None
        if name == "mlock":
            return mlock_vma.do_mlock(m, a[0], a[1], 0x2000), None
        if name == "mlock2":
            return mlock_vma.do_mlock(m, a[0], a[1], 0x82000 if a[2] else 0x2000), None
        if name == "munlock":
            return mlock_vma.munlock(m, a[0], a[1]), None
        if name == "mlockall":
            return mlock_vma.mlockall(m, a[0]), None
        if name == "munlockall":
            return mlock_vma.munlockall(m), None
        if name == "prctl":
            bit = 1 << MMF_DISABLE_THP
            task.mm.flags = task.mm.flags | bit if a[1] else task.mm.flags & ~bit
            return 0, None
        return self.file_operation(m, line, task, name, a), None

    def file_operation(self, m: Machine, line: dict[str, Any], task: Task, name: str, a: list[int]) -> int | None:
        """The operations on files."""
        if name == "open":
            return self.open(m, line, task, a)
        if name in ("msync", "fsync"):
            self.flush_events()  # blocks are found before pages are written
        if name == "msync":
            return read_write.msync(m, *a[:3])
        if name == "unlink":
            inode = self.last_created
            inode.nlink = 0
            mmap.evict_inode(m, inode)
            return 0
        file = task.files[a[0]]
        if name == "close":
            mmap.fput(m, task.files.pop(a[0]))
            return 0
        if name == "lseek":
            file.pos = a[1]
            return a[1]
        if name == "read" and file.inode.fs == "proc":
            return read_write.copy_to_user(m, a[1], a[2])
        if name == "read":
            return read_write.read(m, file, a[1], a[2])
        if name == "write":
            return read_write.write(m, file, a[1], a[2])
        if name == "ftruncate":
            return read_write.ftruncate(m, file.inode, a[1])
        if name == "fsync":
            return read_write.fsync(m, file.inode)
        return None

    def open(self, m: Machine, line: dict[str, Any], task: Task, a: list[int]) -> int:
        """Open a file: which one, only the recording knows."""
        fd = number(line["ret"])
        for entry in line.get("fc", []):
            if entry[0] == fd:
                inode = self.inode(entry[1], entry[2])
                inode.size = entry[3]
                if not inode.i_pages:
                    for index, page in self.files[entry[1], entry[2]].items():
                        inode.i_pages[index] = number(page[0])
                        self.load_page(number(page[0]), page[1:])
                break
        else:
            inode = self.inode("hugetlbfs" if a[1] & 0x40 else "proc", -fd)
        if a[1] & 0x40:
            self.last_created = inode
        task.files[fd] = fs.File(inode, a[1] & 3)
        return fd

    def accesses(self, m: Machine, name: str, a: list[int]) -> tuple[int | None, fault.Signal | None]:
        """One access, or one on each of several pages."""
        write = name[0] == "w"
        count, step = (a[1], a[2]) if name[1:] else (1, 0)
        value = 0x5A if name[1:] else (a[1] if write else 0)
        mask = (1 << self.bits) - 1
        ret: int | None = 0
        for at in range(count):
            address = a[0] + at * step & mask
            signal = fault.user_access(m, address, write=write)
            if signal is not None:
                return None, signal
            ret = self.byte(m, address, value if write else None)
        return (0 if write else ret), None

    def byte(self, m: Machine, address: int, value: int | None) -> int | None:
        """Store or load one byte; None where nobody knows what is there."""
        mm = m.tasks[m.task].mm
        assert mm is not None
        found = pgalloc.find_leaf(mm, address)
        assert found is not None
        table, at = found
        shift = 12 + 9 * (table.level - 1)
        pfn = (frame_of(table.level, table.entries[at]) or 0) + (address >> 12 & ((1 << shift - 12) - 1))
        if value is None:
            if mem_map.mapping_of(m, pfn) is not None:
                return m.vm.contents.get(pfn, {}).get(address & 4095)
            return None if pfn != m.vm.zero_pfn else 0
        m.vm.contents.setdefault(pfn, {})[address & 4095] = value & 255
        return 0

    def end(self, m: Machine, label: int) -> None:
        """The process dies; its highest table waits until the CPU has left it."""
        task = m.tasks[self.name(label)]
        mm = exit.exit_mm(m, task)
        self.leaving = task
        if mm is not None and mm.pgd is not None:
            frames = [mm.pgd.pfn] if self.bits == 64 else []
            frames += [table.pfn for table in mm.tables[2].values()]
            if not frames:
                exit.mmdrop(m, mm)
            for frame in frames:
                self.dead[frame] = mm
        self.procs.pop(label, None)

    def finish_exit(self) -> None:
        """What a process does at its end after its memory is gone: the recording has it as background."""
        m, task = self.m, self.leaving
        if m is not None and task is not None:
            self.leaving = None
            exit.exit_files(m, task)
            del m.tasks[task.name]

    def drop_caches(self, m: Machine, line: dict[str, Any]) -> None:
        """Drop caches, file by file as the recording has it."""
        swap.lru_add_drain(m)
        order = {number(event[1]): at for at, event in enumerate(line.get("ev", [])) if event[0] == "F"}
        freed = [pfn for theirs, pfn in self.device_pages.items() if theirs in order]
        first = {
            inode.id: min((order[pfn] for pfn in inode.i_pages.values() if pfn in order), default=1 << 30)
            for inode in m.vm.mappings.values()
        }
        for inode in sorted(m.vm.mappings.values(), key=lambda inode: (first[inode.id], inode.id)):
            if self.key_of.get(inode.id) == ("bdev", 0):
                for pfn in [pfn for pfn in inode.i_pages if pfn not in freed]:
                    pagemap.deactivate_file_folio(m, pfn)
                swap.lru_add_drain(m)
                continue
            pagemap.drop_pagecache(m, inode)
        # Files that are older than the recording come after, and each drains first.
        swap.lru_add_drain(m)

    # -- comparing ---------------------------------------------------------------------------------

    def differences(
        self, m: Machine, line: dict[str, Any], task: Task | None, before: tuple[int, int],
        ret: int | None, signal: fault.Signal | None,
    ) -> dict[str, tuple[Any, Any]]:  # fmt: skip
        """What is not as recorded: name → (ours, the kernel's)."""
        out: dict[str, tuple[Any, Any]] = {}

        def compare(name: str, ours: Any, theirs: Any) -> None:
            if ours != theirs:
                out[name] = (ours, theirs)

        if ret is not None and signal is None:
            compare("ret", ret & (1 << self.bits) - 1, number(line["ret"]))
        sig = line.get("sig")
        compare("sig", signal, None if sig is None else (sig[0], sig[1], number(sig[2])))
        if task is not None:
            compare("min", task.min_flt - before[0], line["min"])
            compare("maj", task.maj_flt - before[1], line["maj"])
        self.compare_faults(m, line, compare)
        counters = m.counters()
        if counters["zf"] == line["zf"] == line["zv"] != counters["zv"]:
            self.fold_counters(m)
            counters = m.counters()
        for key in ("zf", "zv", "pc"):
            compare(key, counters[key], line[key])
        if self.batches is not None and self.bits == 64:
            self.adopt_device_pages(m)
            ours = {name: [head[0] if isinstance(head, tuple) else head for head in batch] for name, batch in m.vm.batches.items() if batch}
            compare("lb", {k: [hex(p) for p in v] for k, v in ours.items()}, self.batches)
        if "d" in line:
            self.compare_process(m, line["l"], compare)
        if "child" in line:
            self.compare_process(m, number(line["a"][0]), compare)
        self.compare_files(m, line, compare)
        return out

    def adopt_device_pages(self, m: Machine) -> None:
        """The file system looks at its own pages while it works: which, only the recording knows."""
        theirs = {pfn: ours for pfn, ours in self.device_pages.items()}
        for name, frames in self.batches.items():
            recorded = [theirs.get(number(pfn), number(pfn)) for pfn in frames]
            batch = m.vm.batches[name]
            others = [pfn for pfn in recorded if pfn not in theirs.values()]
            if name != "mlock" and batch != recorded and [p for p in batch if p not in theirs.values()] == others:
                for pfn in recorded:
                    if pfn not in batch:
                        mem_map.get_page(m, pfn)
                m.vm.batches[name] = recorded

    def fold_counters(self, m: Machine) -> None:
        """Once a second a background task folds the CPUs' counter differences: when, only the recording knows."""
        for zone in m.zones:
            zone.vm_stat_free += sum(zone.vm_stat_diff)
            zone.vm_stat_diff = [0] * len(zone.vm_stat_diff)

    def compare_faults(self, m: Machine, line: dict[str, Any], compare: Any) -> None:
        """Exceptions and calls of handle_mm_fault, in order."""
        ours = []
        for event in m.vm.faults or []:
            label = int(event[1][1:])
            if event[0] == "H":
                _, _, address, flags, ret, (level, entry), (after, result), _ = event
                if ret & 0x400:
                    after, result = 0, 0
                ours.append(["H", label, hex(address), hex(flags), hex(ret), level, hex(entry), after, hex(result)])
            else:
                ours.append([event[0], label, hex(event[2]), hex(event[3])])
        theirs = line.get("flt") or []
        if ours != theirs:
            at = next((i for i, (x, y) in enumerate(zip(ours, theirs, strict=False)) if x != y), min(len(ours), len(theirs)))
            compare("flt", ours[at : at + 2], theirs[at : at + 2])

    def compare_process(self, m: Machine, label: int, compare: Any) -> None:
        """An address space with all its areas, tables, entries and pages."""
        recorded = self.procs[label]
        task = m.tasks[self.name(label)]
        mm = task.mm
        assert mm is not None
        said = recorded["mm"]
        ours = {
            "pid": task.pid, "total_vm": mm.total_vm, "data_vm": mm.data_vm, "exec_vm": mm.exec_vm,
            "stack_vm": mm.stack_vm, "locked_vm": mm.locked_vm, "map_count": mm.map_count,
            "pgtables_bytes": mm.pgtables_bytes, "rss": mm.rss_stat, "task_rss": [*task.rss_stat, task.rss_events],
            "hiwater": [mm.hiwater_rss, mm.hiwater_vm], "brk": [hex(mm.start_brk), hex(mm.brk)],
            "mmap_base": hex(mm.mmap_base), "start_stack": hex(mm.start_stack), "task_size": hex(mm.task_size),
            "def_flags": hex(mm.def_flags),
        }  # fmt: skip
        for key, value in ours.items():
            compare(f"mm.{key}", value, said.get(key))
        self.compare_areas(mm, recorded["vma"], compare)
        if self.bits == 64:
            compare("pgd", hex(mm.pgd.pfn) if mm.pgd else None, recorded["pgd"])
        tables = {
            (table.level, hex(table.base)): [hex(table.pfn)]
            for tables in mm.tables
            for table in tables.values()
        }
        theirs = {key: value[:1] for key, value in recorded["tab"].items()}
        if tables != theirs:
            compare("tab", *difference(tables, theirs))
        leaves = self.leaves(mm)
        theirs_leaf = {number(key): (value[0], number(value[1])) for key, value in recorded["leaf"].items()}
        if leaves != theirs_leaf:
            mine, other = difference(leaves, theirs_leaf)
            compare("leaf", show(mine), show(other))
        self.compare_pages(m, leaves, compare)

    def leaves(self, mm: MmStruct) -> dict[int, tuple[int, int]]:
        """address → (level, entry) of everything that is mapped."""
        found: dict[int, tuple[int, int]] = {}
        for level in (1, 2, 3):
            for table in mm.tables[level].values():
                shift = 12 + 9 * (level - 1)
                for i, entry in enumerate(table.entries):
                    if entry and (level == 1 or entry & 0x80):
                        found[table.base + (i << shift)] = (level, entry)
        return found

    def compare_areas(self, mm: MmStruct, theirs: list[Any], compare: Any) -> None:
        """The list of areas with their anon_vmas, whose identities are learnt on the way."""
        ours = []
        for at, vma in enumerate(mm.mmap):
            recorded = theirs[at] if at < len(theirs) else None
            if recorded is not None and len(recorded[6]) == len(vma.anon_vma_chain):
                for anon_vma, item in zip(vma.anon_vma_chain, recorded[6], strict=True):
                    self.learn(anon_vma, number(item[0]))
            file = None
            if vma.vm_file is not None:
                if recorded is not None and recorded[4] is not None:
                    self.learn_inode(vma.vm_file.inode, *recorded[4])
                file = list(self.key_of.get(vma.vm_file.inode.id, ("?", 0)))
            ours.append([
                hex(vma.vm_start), hex(vma.vm_end), hex(vma.vm_flags), vma.vm_pgoff, file,
                self.anon_name(vma.anon_vma),
                [
                    [self.anon_name(a), self.anon_name(a.root), self.anon_name(a.parent), a.refcount, a.num_children, a.num_active_vmas]
                    for a in vma.anon_vma_chain
                ],
            ])  # fmt: skip
        if ours != theirs:
            at = next((i for i, (x, y) in enumerate(zip(ours, theirs, strict=False)) if x != y), min(len(ours), len(theirs)))
            compare("vma", ours[at : at + 2], theirs[at : at + 2])

    def learn(self, anon_vma: AnonVma, address: int) -> None:
        """Note which recorded anon_vma is ours, if neither is bound."""
        if anon_vma.id in self.address_of:
            return
        bound = self.anon_of.get(address)
        m = self.m
        assert m is not None
        if bound is not None and bound.id in m.vm.anon_vmas:
            return
        self.anon_of[address] = anon_vma
        self.address_of[anon_vma.id] = address

    def learn_inode(self, inode: fs.Inode, file_system: str, ino: int) -> None:
        """Note which recorded inode is ours, if neither is bound."""
        if inode.id not in self.key_of:
            self.key_of[inode.id] = (file_system, ino)
            self.inode_of[file_system, ino] = inode
        elif self.key_of[inode.id] == ("hugetlbfs", self.key_of[inode.id][1]) and self.key_of[inode.id][1] < 0:
            self.key_of[inode.id] = (file_system, ino)

    def anon_name(self, anon_vma: AnonVma | None) -> str | None:
        """The recorded address of one of our anon_vmas."""
        if anon_vma is None:
            return None
        address = self.address_of.get(anon_vma.id)
        return f"our {anon_vma.id}" if address is None else hex(address)

    def page(self, m: Machine, pfn: int, theirs: list[Any]) -> list[Any]:
        """Our description of a page in the recording's form."""
        s, i = mem_map.section(m, pfn), pfn & 511
        head = mem_map.compound_head(m, pfn)
        number_ = s.mapping[head & 511] if s.order == 9 or not s.order else mem_map.section(m, head).mapping[head & 511]
        mapping: list[Any] | None = None
        if s.order and pfn != head:
            pass
        elif number_ & 1:
            anon_vma = m.vm.anon_vmas.get(number_ >> 1)
            mapping = ["a", self.anon_name(anon_vma)]
            if anon_vma is None:
                mapping = ["a", hex(self.address_of.get(number_ >> 1, 0))]
        elif number_:
            mapping = ["f", *self.key_of.get(number_ >> 1, ("?", 0))]
        if theirs[4] is not None and theirs[4][0] == "f" and number_ in range(1, 1 << 60) and not number_ & 1:
            self.learn_inode(m.vm.mappings[number_ >> 1], theirs[4][1], theirs[4][2])
            mapping = ["f", *self.key_of[number_ >> 1]]
        return [
            s.refcount[i], s.mapcount[i], mem_map.page_mapcount(m, pfn), s.flags[i] & FLAGS_COMPARED, mapping, s.index[i],
            hex(head) if s.order else 0, s.compound_mapcount + 1 if s.order else None, s.order,
        ]  # fmt: skip

    def compare_pages(self, m: Machine, leaves: dict[int, tuple[int, int]], compare: Any) -> None:
        """The record of every mapped page."""
        for address in sorted(leaves):
            pfn = frame_of(*leaves[address])
            theirs = self.pages.get(pfn) if pfn is not None else None
            if pfn is None or theirs is None:
                continue
            ours = self.page(m, pfn, theirs)
            want = [*theirs[:3], number(theirs[3]) & FLAGS_COMPARED, *theirs[4:]]
            if want[6] and want[6] != hex(pfn):
                want[5] = ours[5]  # what a tail's index holds is no index
            if want[3] & PG_reserved and pfn != m.vm.zero_pfn:
                want[3] = ours[3]  # a page of the kernel's image has been used before
            if ours != want:
                compare("page", [hex(pfn), *show_page(ours)], [hex(pfn), *show_page(want)])
                return

    def compare_files(self, m: Machine, line: dict[str, Any], compare: Any) -> None:
        """Open files: size, read-ahead, and every cached page."""
        task = m.tasks.get(self.name(line["l"]))
        for fd, file_system, ino, size, ra, _ in line.get("fc", []):
            inode = self.inode_of.get((file_system, ino))
            if inode is None or (fd < 0 and file_system == "rootfs"):
                continue
            compare(f"fd{fd}.size", inode.size, size)
            file = task.files.get(fd) if task is not None else None
            if file is not None:
                window = file.ra
                compare(f"fd{fd}.ra", [window.start, window.size, window.async_size, window.prev_pos, window.mmap_miss], ra)
            theirs = self.files[file_system, ino]
            for index in sorted({*theirs, *inode.i_pages}):
                pfn = inode.i_pages.get(index)
                recorded = theirs.get(index)
                if pfn is None or recorded is None:
                    compare(f"fd{fd}[{index}]", None if pfn is None else hex(pfn), recorded)
                    break
                ours = [hex(pfn), *self.page(m, pfn, recorded[1:])]
                want = [*recorded[:4], number(recorded[4]) & FLAGS_COMPARED, *recorded[5:]]
                if ours != want:
                    compare(f"fd{fd}[{index}]", ours, want)
                    break


def frame_of(level: int, raw: int) -> int | None:
    """The frame that a recorded entry names; None where it is not present."""
    if raw & 1:
        mask = (0xFFFFFFFFFF000, 0xFFFFFFFE00000, 0xFFFFFC0000000)[level - 1] if raw & 0x80 and level > 1 else 0xFFFFFFFFFF000
        return (raw & mask) >> 12
    return None


def difference(ours: dict[Any, Any], theirs: dict[Any, Any]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The first few items that differ on either side."""
    keys = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)][:3]
    return {key: ours.get(key) for key in keys}, {key: theirs.get(key) for key in keys}


def show(leaves: dict[int, Any]) -> dict[str, Any]:
    """Entries in hexadecimal."""
    return {hex(address): None if leaf is None else (leaf[0], hex(leaf[1])) for address, leaf in leaves.items()}


def show_page(page: list[Any]) -> list[Any]:
    """Flags in hexadecimal."""
    return [*page[:3], hex(page[3]), *page[4:]]


def is_vm(lines: list[dict[str, Any]]) -> bool:
    """Whether a recording is of processes."""
    return any(line["t"] == "begin" and line.get("name") == "vm" for line in lines[:8])


