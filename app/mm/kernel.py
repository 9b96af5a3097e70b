"""The kernel's globals: what its functions find without being given it.

In C a function such as `__alloc_pages` reaches the zones, the sysctl settings and the running task by their
names, since there is one kernel on a machine. Here every function takes them as its first argument, so that
there may be many machines at once. The machine around the kernel (`app.machine`) is such a kernel, and more.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from app.mm import (
    highmem,
    kswapd,
    printk,
    sched,
    slowpath,
    slub,
    sysctl,
    virtual_memory,
    vmalloc,
    vmap_area,
    zone_pages,
)
from app.mm.slab import SlabTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.mm.compact_control import CaptureControl
    from app.mm.internal import AllocContext
    from app.mm.kthreads import Background
    from app.mm.memory_model import MemoryModel
    from app.mm.mmzone import Node, Zone
    from app.mm.page import Page, StrayPage
    from app.mm.scan_control import ScanControl
    from app.mm.slab import KmemCache
    from app.mm.tracepoints import Tracer

SEVERITY: Final = {"ok": 0, "null": 1, "warn": 2, "bug": 3}


class Changed:
    """What a call changes, told by the kernel's functions as they go.

    A thing may be told of several times; the last time is what it is now.
    """

    __slots__ = ("frames", "free")

    def __init__(self) -> None:
        self.frames: list[tuple[int, int, str]] = []
        # Whether a zone has another number of free frames than when somebody last asked, who sets it back.
        self.free = True

    def frame(self, pfn: int, n: int, state: str) -> None:
        """`n` page frames are in this state from now on (app.mm.page.STATES)."""
        self.frames.append((pfn, n, state))


class Current:
    """The call that runs: who makes it from where, and what has come of it so far.

    A machine has one such object for all its calls, since a new one would take 5 % of the time of a call.
    """

    __slots__ = (
        "alloc_warned", "background", "bad_pages", "caller", "context", "cpu", "eventful", "freed", "killed",
        "lines", "memalloc", "mistakes", "panicked", "printed", "reclaims", "seq", "task", "thread",
        "verdict", "woken",
    )  # fmt: skip

    def __init__(self) -> None:
        # The call's place in the journal, which is also the clock of the kernel log.
        self.seq = 0
        self.cpu = 0
        self.task = "init"
        # process, atomic, irqsoff, softirq, tasklet or hardirq.
        self.context = "process"
        # Task and seq together, as objects note their owner.
        self.caller = ("init", 0)
        self.verdict = "ok"
        # Lines for the kernel log.
        self.lines: list[str] = []
        # First frame of the last block whose last reference was dropped; -1 for none.
        self.freed = -1
        # The kernel thread that runs in the caller's place at the moment.
        self.thread: str | None = None
        self.forget()

    def forget(self) -> None:
        """Begin with nothing of what few calls come to.

        Who sets any of it sets `eventful`, too: after all other calls nobody looks at these, or clears them.
        """
        self.eventful = False
        # Tasks that the call has woken.
        self.woken: list[str] = []
        # What the caller did wrong, and the facts by which a function found it: the first of each kind.
        self.mistakes: dict[str, dict[str, Any]] = {}
        # Nothing runs any more after a panic, so nothing is printed.
        self.panicked = False
        # How often each text was printed whose rate is limited.
        self.printed: dict[str, int] = {}
        # How many pages were reported, and whether a failure was: each kind is printed a few times only.
        self.bad_pages = 0
        self.alloc_warned = False
        # Direct reclaims of the call, and what the kernel threads that it woke have done at its end.
        self.reclaims: list[ScanControl] = []
        self.background: list[Background] = []
        # Tasks that the OOM killer has taken in this call, in order.
        self.killed: list[str] = []
        # Whether memory is being freed: what that needs is taken from the reserves. Kernel: PF_MEMALLOC
        self.memalloc = False


class Kernel:
    """The memory management of one running kernel, and the call that it is serving."""

    # Named, since the interpreter is slower at finding one of so many in a dict.
    __slots__ = (
        "alloc_contexts", "boot_caches", "boot_pagesets", "caches", "capture_control", "changed", "cpu_node",
        "current", "debug", "die_counter", "dirty_background_ratio", "dirty_ratio", "freelist_seed",
        "has_dma32",
        "kernel", "kmalloc_caches", "last_pid", "live_objects", "lock_holders", "log", "log_bytes", "lost",
        "lowmem_reserve_ratio", "min_free_kbytes", "model", "node_shrinkers", "nodes",
        "page_group_by_mobility_disabled", "page_waiters", "pages", "pause", "percpu_pagelist_high_fraction",
        "pieces", "pkmap", "purge_at_vfree", "rules", "shrinkers", "slabs", "slowpath", "stray", "swappiness",
        "taint", "tasks", "trace", "vm", "vm_events", "vmap", "wakeup_kswapd", "warned",
        "watermark_boost_factor",
        "watermark_scale_factor", "zone_index", "zone_spans", "zones",
    )  # fmt: skip

    def __init__(self, model: MemoryModel, zones: list[Zone], nodes: list[Node]) -> None:
        self.model = model
        self.zones = zones
        self.nodes = nodes
        self.kernel: dict[str, Any] = {}
        self.cpu_node = [cpu % len(nodes) for cpu in range(model.cpus)]
        self.zone_index = {"DMA": 0, "DMA32": 1, "Normal": 2, "Movable": 3}
        if model.arch == "i386":
            self.zone_index = {"DMA": 0, "Normal": 1, "HighMem": 2, "Movable": 3}
        self.has_dma32 = model.arch == "x86_64"
        self.alloc_contexts: dict[tuple[int, int], AllocContext] = {}
        # Zones from the top, where most requests are served first.
        self.zone_spans = sorted(((z.start_pfn, z.end_pfn, z) for z in zones), key=lambda span: -span[0])
        self.debug = True
        # Which corrected answers this kernel gives (app.machine.ruleset).
        self.rules = 1
        self.page_group_by_mobility_disabled = False
        # Settings of /proc/sys/vm (app.mm.sysctl).
        self.min_free_kbytes = 0
        self.watermark_scale_factor = 10
        self.watermark_boost_factor = 15000
        self.lowmem_reserve_ratio = list(sysctl.LOWMEM_RESERVE_RATIO[model.arch])
        self.percpu_pagelist_high_fraction = 0
        self.swappiness = 60
        self.dirty_background_ratio = 10
        self.dirty_ratio = 20
        # Parts of the lecture's view: per-CPU lists as before the kernel sizes them, no lazy vmap areas.
        self.boot_pagesets = False
        self.purge_at_vfree = False
        # Frames in use: allocated blocks by their first frame.
        self.pages: dict[int, Page] = {}
        # Frames that are not the first of a block and have a count or flags of their own.
        self.stray: dict[int, StrayPage] = {}
        # Blocks of which a part was freed alone: first frame of each piece left → first frame of the block.
        self.pieces: dict[int, int] = {}
        # Frames that nobody uses and nobody can free.
        self.lost = 0
        # Slab caches in the order of their making; the kmalloc rows of size classes; slabs by first frame.
        self.caches: dict[str, KmemCache] = {}
        # Whether there are also those of a booted kernel, each made when it is first used.
        self.boot_caches = False
        self.kmalloc_caches: list[list[KmemCache]] = [[], [], [], []]
        self.slabs = SlabTable()
        self.live_objects = 0
        self.shrinkers = (vmap_area.purge_vmap_area_lazy, slub.shrink_all)
        # With reclaim: those who keep pages that nobody needs, asked for some of a node at a priority.
        self.node_shrinkers: tuple[Callable[[Kernel, int, int], int], ...] = ()
        # What the allocator calls although it stands on the allocator: C has one space of names for all. The
        # slow path is that of a machine that reclaims.
        self.wakeup_kswapd = kswapd.wakeup_kswapd
        self.slowpath = slowpath.slowpath
        # State of the generator that shuffles new slabs; None for slabs in address order.
        self.freelist_seed: int | None = None
        # Kernel addresses outside the direct map, and the window through which HIGHMEM is seen.
        self.vmap = vmalloc.empty_space(model)
        self.pkmap = highmem.Pkmap()
        # Processes, their address spaces, files and pages.
        self.vm = virtual_memory.VirtualMemory(model)
        self.tasks: dict[str, sched.Task] = {"init": sched.Task("init", 1)}
        self.last_pid = sched.FIRST_PID
        # Tasks that sleep on a page's lock, in the order in which they fell asleep.
        self.page_waiters: dict[str, sched.Task] = {}
        # Who took each page lock: head frame → pid. The kernel does not know; explanations do.
        self.lock_holders = sched.LockHolders()
        self.taint = 0
        self.die_counter = 0
        # What has happened how often since boot, by its name in /proc/vmstat.
        self.vm_events: dict[str, int] = {"pgfree": 0}
        self.warned: dict[str, None] = {}
        self.log: deque[str] = deque()
        self.log_bytes = 0
        self.current = Current()
        # The block that the running call takes for itself as soon as compaction has made it.
        self.capture_control: CaptureControl | None = None
        self.changed = Changed()
        # Who is told of each decision, while a call is explained.
        self.trace: Tracer | None = None
        # Called now and then by loops over very many blocks, if set: who runs the machine may want to let
        # others go first, or to give the call up by an exception, after which the machine is of no use.
        self.pause: Callable[[], None] | None = None

    # -- small services of the kernel's functions -------------------------------------------------

    def breathe(self) -> None:
        """A loop has come to a point where it can wait for others."""
        if self.pause is not None:
            self.pause()

    def worsen(self, verdict: str) -> None:
        """Raise the outcome's verdict, never lower it."""
        if SEVERITY.get(self.current.verdict, 9) < SEVERITY[verdict]:
            self.current.verdict = verdict

    def worsen_null(self) -> None:
        """A NULL is the answer whatever was printed with it, unless the kernel could not even return."""
        if self.current.verdict in ("ok", "warn"):
            self.current.verdict = "null"

    def mistake(self, name: str, **facts: Any) -> None:
        """A function has found a mistake of its caller (app.machine.mistakes), with these facts."""
        if name not in self.current.mistakes:
            self.current.mistakes[name] = facts
            self.current.eventful = True
            if self.trace is not None:
                self.trace.mistakes.mistake(name, facts)

    def pid(self) -> int:
        """Process id of the running task."""
        thread = self.current.thread
        return self.tasks[self.current.task].pid if thread is None else sched.kthread_pid(thread)

    @property
    def nr_free_pages(self) -> int:
        """Free frames of all zones, exactly."""
        return sum(zone.nr_free_pages for zone in self.zones)

    @property
    def live_blocks(self) -> int:
        """Page blocks and slab objects in use that the machine keeps a record of."""
        return len(self.pages) + self.live_objects

    def zone_of(self, pfn: int) -> Zone:
        """The zone that a frame lies in. Kernel: page_zone"""
        for start, end, zone in self.zone_spans:
            if start <= pfn < end:
                return zone
        raise ValueError(f"page frame {pfn:#x} is in no zone")

    def page_address(self, pfn: int) -> int | None:
        """The frame's kernel address: in the direct map, or where kmap put it. Kernel: page_address"""
        address = self.model.pfn_to_virt(pfn)
        return self.pkmap.page_address(pfn) if address is None else address

    def user_zone_states(self) -> dict[Zone, dict[str, int]]:
        """The counters of each zone that follow pages of processes and files, looked up now."""
        return zone_pages.user_zone_states(self)

    def checked_migratetype(self) -> int:
        """MOVABLE and RECLAIMABLE at once name no free list. Kernel: gfp_migratetype

        The real function would index past the three lists; here the request is reported and served as
        unmovable.
        """
        self.mistake("movable_reclaimable", debug=self.debug)
        if self.debug:
            printk.warn(self, "include/linux/gfp.h:18", "__alloc_pages")
        else:
            printk.refused(self, "MOVABLE|RECLAIMABLE is no list: the kernel would have used another order's")
        return 0
