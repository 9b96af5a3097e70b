"""`Machine.apply` beside a toy: the allocations and frees of a recording, without journal and HTTP.

The toy is a buddy allocator as a textbook has it: one zone, one list per order, no watermarks, no per-CPU
lists, no migratetypes, no struct page, no answer. The distance to it is the price of being the kernel.
"""

import platform
import statistics
import sysconfig
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from app import collector
from app.machine import calls, parsing
from app.machine.boot import boot
from app.machine.entry import CALLS
from app.machine.machine import Machine
from app.machine.trace import Trace
from app.recording import Replay, number
from tests.bench.figures import Figure

PROFILES = ("tiny-16m", "x86_64-8g", "x86_64-1t")
RECORDINGS = Path(__file__).parent.parent / "recordings"
# One run of the toy takes a few milliseconds, of which the clock and its neighbours make a third.
TOY_RUNS = 10
MIX = ("plain-256M/a_basic", "plain-1G/b_random", "plain-6G/j_nofragment")


class Step(NamedTuple):
    """Allocate 2^order frames into a slot, or free what is in it (gfp None)."""

    slot: int
    order: int
    gfp: int | None


class ToyBuddy:
    """Frames from 0, as many as are asked for; the free blocks of each order in a list."""

    def __init__(self, frames: int) -> None:
        self.free: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(11)]
        self.free[10].update(dict.fromkeys(range(0, frames, 1024)))

    def alloc(self, order: int) -> int | None:
        for have in range(order, 11):
            if self.free[have]:
                pfn, _ = self.free[have].popitem()
                for half in range(have - 1, order - 1, -1):
                    self.free[half][pfn + (1 << half)] = None
                return pfn
        return None

    def release(self, pfn: int, order: int) -> None:
        while order < 10 and pfn ^ (1 << order) in self.free[order]:
            del self.free[order][pfn ^ (1 << order)]
            pfn &= ~(1 << order)
            order += 1
        self.free[order][pfn] = None


def recorded(path: str) -> tuple[Replay, list[Step]]:
    """A recording, its machine loaded, and its page operations."""
    replay = Replay(RECORDINGS / f"{path}.jsonl.gz")
    begun = next(place for place, line in enumerate(replay.lines) if line["t"] == "dump_end")
    steps, mask = [], None
    for line in replay.lines[begun:]:
        if line["t"] in ("macro", "macro_end"):
            mask = line.get("gfpx")
        elif line["t"] == "op" and line["op"] == "alloc":
            steps.append(Step(line["s"], line["order"], number(line.get("gfpx", mask))))
        elif line["t"] == "op" and line["op"] == "free" and "skip" not in line:
            steps.append(Step(line["s"], line["order"], None))
    replay.lines = replay.lines[: begun + 1]
    replay.run()
    return replay, steps


def on_toy(steps: list[Step]) -> float:
    """Seconds for all steps once, as a mean of many runs."""
    return statistics.fmean(once_on_toy(steps) for _ in range(TOY_RUNS))


def once_on_toy(steps: list[Step]) -> float:
    toy = ToyBuddy(1 << 22)
    return timed(steps, lambda order, _: toy.alloc(order), toy.release)


def on_machine(replay: Replay, steps: list[Step], *, parsed: bool, traced: bool = False) -> float:
    """parsed: the calls are made from JSON, and their outcomes are put into JSON."""
    replay.machine = None
    replay.run()
    machine = replay.machine
    assert isinstance(machine, Machine)
    seq = 0

    def made(name: str, **args: int) -> calls.Call:
        if parsed:
            return parsing.parse(
                name, {"pfn" if key == "page" else key: args[key] for key in args}, machine.model
            )
        return calls.Call(CALLS[name], dict(args))

    def done(call: calls.Call) -> int | None:
        nonlocal seq
        seq += 1
        if traced:
            machine.trace = Trace(machine)
        outcome = machine.apply(call, seq)
        if parsed:
            outcome.as_json(machine.model)
        return None if outcome.seen is None else outcome.seen[0]

    return timed(
        steps,
        lambda order, gfp: done(made("alloc_pages", gfp=gfp, order=order)),
        lambda pfn, order: done(made("__free_pages", page=pfn, order=order)),
    )


def timed(
    steps: list[Step], alloc: Callable[[int, int], int | None], release: Callable[[int, int], object]
) -> float:
    """Seconds for all steps."""
    slots: dict[int, int | None] = {}
    begun = time.process_time()
    for slot, order, gfp in steps:
        if gfp is not None:
            slots[slot] = alloc(order, gfp)
        else:
            pfn = slots.pop(slot, None)
            if pfn is not None:
                release(pfn, order)
    return time.process_time() - begun


def python_build() -> str:
    """Which Python measured: one built with profile-guided optimisation is a seventh faster."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    kind = "optimised" if "--enable-optimizations" in options else "not optimised"
    return f"{platform.python_implementation()} {platform.python_version()}, {kind}"


def creation(profile: str) -> float:
    """Milliseconds to boot a machine."""
    begun = time.perf_counter()
    machine: Machine = boot({"profile": profile})
    assert machine.live_blocks == 0
    return (time.perf_counter() - begun) * 1e3


def compare(rounds: int) -> list[Figure]:
    """Prints the times a call, and their ratios round by round; what must hold are the figures."""
    mixes = [recorded(path) for path in MIX]
    collector.settle()  # as the server does
    count = sum(len(steps) for _, steps in mixes)
    ways: dict[str, Callable[[Replay, list[Step]], float]] = {
        "toy buddy": lambda _, steps: on_toy(steps),
        "Machine.apply": lambda replay, steps: on_machine(replay, steps, parsed=False),
        "from and to JSON": lambda replay, steps: on_machine(replay, steps, parsed=True),
        "with tracing on": lambda replay, steps: on_machine(replay, steps, parsed=False, traced=True),
    }
    times = [
        {name: sum(way(replay, steps) for replay, steps in mixes) for name, way in ways.items()}
        for _ in range(rounds)
    ]
    ratios = {name: statistics.median(each[name] / each["toy buddy"] for each in times) for name in ways}
    took = {name: statistics.median(each[name] for each in times) * 1e6 / count for name in ways}
    print(f"Python: {python_build()}")
    for name in ways:
        print(f"{name:18} {took[name]:8.2f} us a call   {ratios[name]:5.1f}x the toy")
    booted = {name: statistics.median(creation(name) for _ in range(max(3, rounds))) for name in PROFILES}
    for name, ms in booted.items():
        print(f"boot {name:14}{ms:8.2f} ms")
    return [
        Figure(
            "`Machine.apply`, times a toy buddy allocator",
            *(ratios["Machine.apply"], 15, 8),
            unit="×",
            ceiling=f"the toy: {took['toy buddy']:.2f} µs; {python_build()}",
            more=False,
        ),
        Figure(
            "booting 1 TiB, times booting 16 MiB",
            *(booted["x86_64-1t"] / booted["tiny-16m"], 2, 1.5),
            unit="×",
            ceiling=f"16 MiB: {booted['tiny-16m']:.1f} ms",
            more=False,
        ),
        Figure("booting any profile", *(max(booted.values()), 5, 2.5), unit=" ms", more=False),
    ]
