"""A machine: the whole state of the simulated kernel, and the one way in which it changes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.errors import MachinePanicked, NoRoom, TaskAlive, TaskBlocked
from app.machine import changes, description, dump, mistakes, reclaimed, swapped
from app.machine.calls import Call
from app.machine.entry import describe, limits
from app.machine.kswapd_runs import NOBODY, KswapdRuns
from app.machine.outcome import Outcome
from app.machine.vocabulary import Returns
from app.mm import kthreads, oom_reaper, printk, sched
from app.mm.kernel import Kernel
from app.mm.memory_model import MemoryModel
from app.mm.mmzone import Node, Zone
from app.mm.sched import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.machine.frame_states import FrameStates
    from app.machine.parts.report import Report
    from app.machine.vocabulary import CallSpec

# Goes up whenever the same calls would give another outcome; a session remembers which one wrote it.
ENGINE: Final = 1

# Outside the enumeration, where finding a member takes ten times as long.
CACHE: Final = Returns.CACHE

MAX_TASKS: Final = 512
CALLS_KEPT: Final = 60


class AfterCall(NamedTuple):
    """What charts show of the moment after a call."""

    # Of each zone.
    free: list[int]
    # Names of the kswapds that ran at its end.
    ran: tuple[str, ...]


class Machine(Kernel):
    """One simulated computer.

    Built by `app.machine.boot`; changed by `apply` alone.
    """

    __slots__ = (
        "after_calls",
        "config",
        "frame_states",
        "kswapd_runs",
        "looping",
        "report",
        "reserved_pages",
        "stopped",
    )

    def __init__(self, model: MemoryModel, zones: list[Zone], nodes: list[Node]) -> None:
        super().__init__(model, zones, nodes)
        # What it was booted from; empty for a recording.
        self.config: dict[str, Any] = {}
        # What is known of the text that it was made from.
        self.report: Report | None = None
        # By zone: managed frames that the kernel keeps for itself from the beginning.
        self.reserved_pages: list[int] = []
        # How many rounds of how many a loop that runs has made; whether it is to end now, if anybody can say
        # so. No part of the state.
        self.looping = (0, 0)
        self.stopped: Callable[[], bool] | None = None
        # What the zone map shows; None until somebody looks at it.
        self.frame_states: FrameStates | None = None
        # After the last calls that were made here, oldest first; most are the same object as the one before.
        # No part of the state: a machine that is opened again knows those that it replayed.
        self.after_calls: deque[AfterCall] = deque(maxlen=CALLS_KEPT)
        self.kswapd_runs = KswapdRuns()

    # -- the one door -----------------------------------------------------------------------------

    def apply(self, call: Call, seq: int) -> Outcome:
        """Make one call; whatever the kernel says is an outcome.

        call: resolved, so without references. seq: its place in the journal, which is also the kernel log's
        clock.
        """
        spec, name, vm = call.spec, call.task, self.vm
        task = self.tasks.get(name)
        if task is None or task.waiting_for is not None or vm.oom.panicked:
            self.check_caller(task, spec)
        if spec.bounded:
            self.check_bounds(call, spec)
        changed, current = self.changed, self.current
        current.seq, current.task, current.caller = seq, name, (name, seq)
        current.cpu, current.context = call.cpu, call.context
        mentions = changed.frames = []
        lines = current.lines = []
        current.verdict, current.freed = "ok", -1
        if current.eventful:
            current.forget()
        if task is None:
            self.new_caller(name)
        outcome = Outcome(call, lines, mentions)
        if vm.swap is not None:
            swapped.watch(self)
        try:
            spec.make(self, call, outcome)
        except printk.Oops:
            outcome.ret = None
            describe.victim(self, call, outcome)
        if current.eventful or vm.threads_woken or vm.slots is not None:
            self.end(outcome)
        outcome.verdict = current.verdict
        changed.frames = []
        if self.stray or self.frame_states is not None:
            self.follow(mentions)
        after = self.after_calls
        if changed.free:
            self.note_after(seq)
        else:  # as most calls, which the per-CPU lists serve
            after.append(after[-1])
        return outcome

    def note_after(self, seq: int) -> None:
        """Note what charts show of a call after which that is not the same as after the one before."""
        background = self.current.background
        ran = self.kswapd_runs.note(seq, background) if background else NOBODY
        self.after_calls.append(AfterCall([zone.nr_free_pages for zone in self.zones], ran))
        # Where kswapd has run, the next call is noted by itself, too.
        self.changed.free = bool(ran)

    def new_caller(self, name: str) -> None:
        """A task that has made no call so far."""
        sched.new_task(self, name)
        if self.vm.died:
            self.say_who_died(name)

    def follow(self, mentions: list[changes.Mention]) -> None:
        """Tell of locks over whatever became of frames, and have the zone map follow."""
        if self.stray:
            mentions += changes.locked_ones(mentions, self.stray)
        if self.frame_states is not None and not self.frame_states.follow(mentions):
            self.frame_states = None

    def end(self, outcome: Outcome) -> None:
        """What follows from a call of which more comes than of most."""
        current = self.current
        if current.killed or current.woken:
            self.end_the_killed(outcome)
        self.end_reclaim(outcome)
        if current.mistakes:
            outcome.cause = mistakes.cause_of(current.mistakes)
        if current.woken:
            outcome.woken = current.woken

    def end_reclaim(self, outcome: Outcome) -> None:
        """Kernel threads that the call has woken run, and what was reclaimed and swapped is noted."""
        current = self.current
        if self.vm.threads_woken:
            kthreads.run_woken(self)
        if current.reclaims or current.background:
            outcome.reclaimed = reclaimed.Reclaimed(current.reclaims, current.background)
        if current.background:
            self.changed.free = True
        if self.vm.slots is not None:
            outcome.swapped = swapped.told(self, [] if outcome.told is None else outcome.told.pte)

    def end_the_killed(self, outcome: Outcome) -> None:
        """Who was killed in the call, or before it in their sleep, comes to an end once it is over."""
        current = self.current
        if not self.vm.oom.panicked:
            oom_reaper.get_signal(self)
            oom_reaper.let_victims_exit(self)
        if current.killed:
            outcome.killed = current.killed
            if current.verdict == "null":
                current.verdict = "oom"

    def check_caller(self, task: Task | None, spec: CallSpec) -> None:
        """A kernel that has stopped, or a caller that is new or asleep, refuses calls."""
        if self.vm.oom.panicked:
            raise MachinePanicked(self.vm.oom.panicked)
        if not spec.names_task:
            self.check_task(task)

    def check_bounds(self, call: Call, spec: CallSpec) -> None:
        """What refuses a call that may add a task, a file, a cache or live blocks."""
        if spec.makes_task:
            self.check_child(call.args["child"])
        if spec.name == "open":
            limits.check_files(self, call)
        if spec.cost.blocks is not None:
            after = len(self.pages) + self.live_objects + spec.cost.blocks(self, call)
            if after > limits.MAX_LIVE_BLOCKS or spec.returns is CACHE:
                limits.check_room(self, spec, after)

    def check_task(self, task: Task | None) -> None:
        """A caller that is new, or asleep."""
        if task is None:
            if len(self.tasks) >= MAX_TASKS:
                raise NoRoom(f"a session holds at most {MAX_TASKS} tasks")
            return
        if task.waiting_for is not None:
            for_slot = task.name in self.pkmap.waiters
            raise TaskBlocked(task.name, task.waiting_for, task.since, for_slot=for_slot)

    def say_who_died(self, name: str) -> None:
        """Who calls by the name of a dead process is somebody else."""
        seq = self.vm.died.pop(name, None)
        if seq is not None:
            printk.printk(self, f"kmemlab: {name} died at #{seq}: this one is a new kernel thread")

    def check_child(self, name: str) -> None:
        """A task that is to be made."""
        if name in self.tasks:
            raise TaskAlive(name)
        if len(self.tasks) >= MAX_TASKS:
            raise NoRoom(f"a session holds at most {MAX_TASKS} tasks")

    def describe(self) -> dict[str, Any]:
        """What the machine is: the session's `machine` object."""
        return description.describe(self)

    def dump(self) -> dict[str, Any]:
        """The whole state as a document of plain JSON values."""
        return dump.dump(self)

    def state(self) -> dict[str, Any]:
        """The dump in the form in which it is kept, for `boot.restore`: quick to write and to read."""
        return dump.state(self)

    def counters(self) -> dict[str, list[int]]:
        """Per zone: free frames, free frames as watermark checks see them, frames on CPU 0's lists."""
        return {
            "zf": [zone.nr_free_pages for zone in self.zones],
            "zv": [zone.vm_stat_free for zone in self.zones],
            "pc": [zone.pcp[0].count for zone in self.zones],
        }
