"""A machine: the whole state of the simulated kernel, and the one way in which it changes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from app.mm import changes, description, highmem, printk, runs, slub, vmalloc, vmap_area, wait
from app.mm.calls import MAX_REPEAT, Call
from app.mm.entry import ALLOCATORS, CALLERS, RELEASERS, describe
from app.mm.errors import NoRoom, TaskBlocked
from app.mm.memory_model import PAGE_SHIFT, MemoryModel
from app.mm.mmzone import Node, Zone
from app.mm.outcome import Outcome
from app.mm.page import Page, StrayPage
from app.mm.sysctl import LOWMEM_RESERVE_RATIO
from app.mm.wait import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.mm.frame_states import FrameStates
    from app.mm.page_alloc import AllocContext
    from app.mm.slab import KmemCache, Slab
    from app.mm.trace import Trace
    from app.mm.vocabulary import CallSpec

# Goes up whenever the same calls would give another outcome; a session remembers which one wrote it.
ENGINE: Final = 1

MAX_LIVE_BLOCKS: Final = 1_000_000
MAX_TASKS: Final = 512
MAX_CACHES: Final = 4_000
# Calls that may leave more behind than they found, though they cannot be repeated in one row.
GROWING: Final = frozenset(("insmod", "krealloc", "kmem_cache_create"))
# A request that fails changes nothing that the next of its kind would see, but may search all memory first.
MAX_FAILURES: Final = 100

# Blocks of a loop between two pauses: less than a millisecond.
PAUSE_EVERY: Final = 64

SEVERITY: Final = {"ok": 0, "null": 1, "warn": 2, "bug": 3}


class Machine:
    """One simulated computer.

    Built by `app.mm.boot`; changed by `apply` alone. The kernel's functions are module functions that take
    the machine as their first argument, as the kernel's own take the one machine there is for granted.
    """

    # Named, since the interpreter is slower at finding one of so many in a dict.
    __slots__ = (
        "alloc_contexts", "alloc_warned", "bad_pages", "boot_pagesets", "caches", "caller",
        "changed", "config", "context", "cpu", "cpu_node", "debug", "die_counter", "frame_states", "freed",
        "freelist_seed", "has_dma32", "kernel", "kmalloc_caches", "last_pid", "lines",
        "live_objects", "lock_holders", "log", "log_bytes", "lost", "lowmem_reserve_ratio",
        "min_free_kbytes", "model", "nodes",
        "page_group_by_mobility_disabled", "page_waiters", "pages", "pause",
        "percpu_pagelist_high_fraction", "pieces", "pkmap", "purge_at_vfree", "reserved_pages", "seq",
        "shrinkers", "slabs", "stray",
        "taint", "task", "tasks", "trace", "verdict", "vm_events", "vmap", "warned",
        "watermark_boost_factor", "watermark_scale_factor", "woken", "zone_index", "zone_spans",
        "zones",
    )  # fmt: skip

    def __init__(self, model: MemoryModel, zones: list[Zone], nodes: list[Node]) -> None:
        self.model = model
        self.zones = zones
        self.nodes = nodes
        self.config: dict[str, Any] = {}
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
        self.page_group_by_mobility_disabled = False
        # Settings of /proc/sys/vm (app.mm.sysctl).
        self.min_free_kbytes = 0
        self.watermark_scale_factor = 10
        self.watermark_boost_factor = 15000
        self.lowmem_reserve_ratio = list(LOWMEM_RESERVE_RATIO[model.arch])
        self.percpu_pagelist_high_fraction = 0
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
        # By zone: managed frames that the kernel keeps for itself from the beginning.
        self.reserved_pages: list[int] = []
        # Slab caches in the order of their making; the kmalloc rows of size classes; slabs by first frame.
        self.caches: dict[str, KmemCache] = {}
        self.kmalloc_caches: list[list[KmemCache]] = [[], [], [], []]
        self.slabs: dict[int, Slab] = {}
        self.live_objects = 0
        self.shrinkers = (vmap_area.purge_vmap_area_lazy, slub.shrink_all)
        # State of the generator that shuffles new slabs; None for slabs in address order.
        self.freelist_seed: int | None = None
        # Kernel addresses outside the direct map, and the window through which HIGHMEM is seen.
        self.vmap = vmalloc.empty_space(model)
        self.pkmap = highmem.Pkmap()
        self.tasks: dict[str, Task] = {"init": Task("init", 1)}
        self.last_pid = wait.FIRST_PID
        # Tasks that sleep on a page's lock, in the order in which they fell asleep.
        self.page_waiters: dict[str, Task] = {}
        # Who took each page lock: head frame → pid. The kernel does not know; explanations do.
        self.lock_holders = wait.LockHolders()
        self.taint = 0
        self.die_counter = 0
        # What has happened how often since boot, by its name in /proc/vmstat.
        self.vm_events: dict[str, int] = {"pgfree": 0}
        self.warned: dict[str, None] = {}
        self.log: deque[str] = deque()
        self.log_bytes = 0
        # The call that runs.
        self.seq = 0
        self.cpu = 0
        self.task = "init"
        self.context = "process"
        self.caller = ("init", 0)
        self.verdict = "ok"
        self.lines: list[str] = []
        self.woken: list[str] = []
        self.bad_pages = 0
        self.freed = -1
        self.alloc_warned = False
        self.changed: list[changes.Mention] | None = None
        # What the zone map shows; None until somebody looks at it.
        self.frame_states: FrameStates | None = None
        self.trace: Trace | None = None
        # Called now and then by loops over very many blocks, if set: who runs the machine may want to let
        # others go first, or to give the call up by an exception, after which the machine is of no use.
        self.pause: Callable[[], None] | None = None

    # -- the one door -----------------------------------------------------------------------------

    def apply(self, call: Call, seq: int) -> Outcome:
        """Make one call; whatever the kernel says is an outcome.

        call: resolved, so without references. seq: its place in the journal, which is also the kernel log's
        clock.
        """
        spec = call.spec
        self.check(call, spec)
        name = call.task
        self.seq, self.cpu, self.task, self.context = seq, call.cpu, name, call.context
        self.caller = (name, seq)
        self.verdict, self.lines, self.woken = "ok", [], []
        mentions = self.changed = []
        self.bad_pages, self.alloc_warned, self.freed = 0, False, -1
        if name not in self.tasks:
            wait.new_task(self, name)
        outcome = Outcome(call, self.lines, mentions)
        try:
            if spec.allocates:
                self.allocate(call, outcome)
            elif spec.frees:
                self.release(call, outcome)
            else:
                CALLERS[spec.name](self, call, outcome)
        except printk.Oops:
            outcome.ret = None
            describe.victim(self, call, outcome)
        outcome.verdict = self.verdict
        if self.woken:
            outcome.woken = self.woken
        self.changed = None
        if self.stray:
            mentions += changes.locked_ones(mentions, self.stray)
        if self.frame_states is not None and not self.frame_states.follow(mentions):
            self.frame_states = None
        return outcome

    def check(self, call: Call, spec: CallSpec) -> None:
        """What refuses a call before it reaches the kernel: a sleeping caller, or bounds of the session."""
        task = self.tasks.get(call.task)
        if task is None or task.waiting_for is not None:
            if spec.name == "kill_task":
                return
            self.check_task(task)
        if not spec.allocates and spec.name not in GROWING:
            return
        if spec.name == "kmem_cache_create" and len(self.caches) >= MAX_CACHES:
            raise NoRoom(f"a session holds at most {MAX_CACHES} slab caches")
        if len(self.pages) + self.live_objects + self.blocks_wanted(call) > MAX_LIVE_BLOCKS:
            raise NoRoom(
                f"a session holds at most {MAX_LIVE_BLOCKS} live blocks; {self.live_blocks} are in use"
            )

    def check_task(self, task: Task | None) -> None:
        """A caller that is new, or asleep."""
        if task is None:
            if len(self.tasks) >= MAX_TASKS:
                raise NoRoom(f"a session holds at most {MAX_TASKS} tasks")
            return
        if task.waiting_for is not None:
            for_slot = task.name in self.pkmap.waiters
            raise TaskBlocked(task.name, task.waiting_for, task.since, for_slot=for_slot)

    def blocks_wanted(self, call: Call) -> int:
        """How many live blocks an allocating call may add: of mapped memory, every page is one."""
        if call.spec.group not in ("vmalloc", "modules"):
            return call.repeat or 1
        frames: int = call.args["size"] >> PAGE_SHIFT
        if frames > sum(zone.managed_pages for zone in self.zones):
            return 1
        rounds = 1 if call.repeat is None or call.until is not None else call.repeat
        return min(rounds * max(1, frames), self.nr_free_pages)

    def allocate(self, call: Call, outcome: Outcome) -> None:
        """A call that returns memory, once or in a loop."""
        allocator = ALLOCATORS[call.spec.name]
        if call.repeat is None:
            value = allocator(self, call)
            if value is None:
                self.worsen_null()
            describe.result(self, call, value, outcome)
        else:
            describe.results(self, call, self.loop(call), outcome)

    def loop(self, call: Call) -> list[int]:
        """Repeat an allocation until it fails, until free memory is short, or as often as asked.

        It ends also after MAX_FAILURES in a row.
        """
        allocator = ALLOCATORS[call.spec.name]
        values: list[int] = []
        failures = 0
        for turn in range(self.rounds(call)):
            if not turn % PAUSE_EVERY:
                self.breathe()
            if isinstance(call.until, int) and self.nr_free_pages < call.until:
                break
            value = allocator(self, call)
            if value is not None:
                values.append(value)
                failures = 0
            elif call.until == "null" or self.verdict in ("oom", "hang"):
                break
            else:
                self.worsen_null()
                failures += 1
                if failures == MAX_FAILURES:
                    break
        return values

    def rounds(self, call: Call) -> int:
        """How often a loop may run: as asked; one of vmalloc `until` an end stops at a full session."""
        rounds = call.repeat or MAX_REPEAT
        if call.spec.group == "vmalloc" and call.until is not None:
            frames: int = call.args["size"] >> PAGE_SHIFT
            rounds = min(rounds, (MAX_LIVE_BLOCKS - self.live_blocks) // max(1, frames))
        return rounds

    def release(self, call: Call, outcome: Outcome) -> None:
        """A call that gives memory back, of one block or of a list."""
        releaser = RELEASERS[call.spec.name]
        value = call.args.get("page", call.args.get("addr"))
        if isinstance(value, tuple):
            freed = 0
            for one in runs.each(value):
                if not freed % PAUSE_EVERY:
                    self.breathe()
                releaser(self, call, one)
                freed += 1
            outcome.ret = freed
        else:
            describe.releasing(self, call, value, outcome)
            releaser(self, call, value)
            describe.released(self, call, value, outcome)

    # -- small services of the kernel's functions -------------------------------------------------

    def breathe(self) -> None:
        """A loop has come to a point where it can wait for others."""
        if self.pause is not None:
            self.pause()

    def worsen(self, verdict: str) -> None:
        """Raise the outcome's verdict, never lower it."""
        if SEVERITY.get(self.verdict, 9) < SEVERITY[verdict]:
            self.verdict = verdict

    def worsen_null(self) -> None:
        """A NULL is the answer whatever was printed with it, unless the kernel could not even return."""
        if self.verdict in ("ok", "warn"):
            self.verdict = "null"

    def pid(self) -> int:
        """Process id of the running task."""
        return self.tasks[self.task].pid

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

    def checked_migratetype(self) -> int:
        """MOVABLE and RECLAIMABLE at once name no free list. Kernel: gfp_migratetype

        The real function would index past the three lists; here the request is reported and served as
        unmovable.
        """
        if self.debug:
            printk.warn(self, "include/linux/gfp.h:18", "__alloc_pages")
        else:
            printk.refused(self, "MOVABLE|RECLAIMABLE is no list: the kernel would have used another order's")
        return 0

    def describe(self) -> dict[str, Any]:
        """What the machine is: the session's `machine` object."""
        return description.describe(self)

    def dump(self) -> dict[str, Any]:
        """The whole state as a document of plain JSON values."""
        from app.mm import dump  # noqa: PLC0415 - reading a dump makes machines, so that module imports this one

        return dump.dump(self)

    def state(self) -> dict[str, Any]:
        """The dump in the form in which it is kept, for `boot.restore`: quick to write and to read."""
        from app.mm import state  # noqa: PLC0415 - as above

        return state.save(self)

    def counters(self) -> dict[str, list[int]]:
        """Per zone: free frames, free frames as watermark checks see them, frames on CPU 0's lists."""
        return {
            "zf": [zone.nr_free_pages for zone in self.zones],
            "zv": [zone.vm_stat_free for zone in self.zones],
            "pc": [zone.pcp[0].count for zone in self.zones],
        }
