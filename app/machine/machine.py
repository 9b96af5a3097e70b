"""A machine: the whole state of the simulated kernel, and the one way in which it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.errors import NoRoom, TaskBlocked
from app.machine import changes, description, dump, runs, state
from app.machine.calls import MAX_REPEAT, Call
from app.machine.entry import ALLOCATORS, CALLERS, RELEASERS, describe
from app.machine.outcome import Outcome
from app.mm import printk, sched
from app.mm.kernel import Kernel
from app.mm.memory_model import PAGE_SHIFT, MemoryModel
from app.mm.mmzone import Node, Zone
from app.mm.sched import Task

if TYPE_CHECKING:
    from app.machine.frame_states import FrameStates
    from app.machine.vocabulary import CallSpec

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


class Machine(Kernel):
    """One simulated computer.

    Built by `app.machine.boot`; changed by `apply` alone.
    """

    __slots__ = ("config", "frame_states", "reserved_pages")

    def __init__(self, model: MemoryModel, zones: list[Zone], nodes: list[Node]) -> None:
        super().__init__(model, zones, nodes)
        # What it was booted from; empty for a recording.
        self.config: dict[str, Any] = {}
        # By zone: managed frames that the kernel keeps for itself from the beginning.
        self.reserved_pages: list[int] = []
        # What the zone map shows; None until somebody looks at it.
        self.frame_states: FrameStates | None = None

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
            sched.new_task(self, name)
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

    def describe(self) -> dict[str, Any]:
        """What the machine is: the session's `machine` object."""
        return description.describe(self)

    def dump(self) -> dict[str, Any]:
        """The whole state as a document of plain JSON values."""
        return dump.dump(self)

    def state(self) -> dict[str, Any]:
        """The dump in the form in which it is kept, for `boot.restore`: quick to write and to read."""
        return state.save(self)

    def counters(self) -> dict[str, list[int]]:
        """Per zone: free frames, free frames as watermark checks see them, frames on CPU 0's lists."""
        return {
            "zf": [zone.nr_free_pages for zone in self.zones],
            "zv": [zone.vm_stat_free for zone in self.zones],
            "pc": [zone.pcp[0].count for zone in self.zones],
        }
