"""Pictures of a large machine: its zone map, and its state as it is kept, at 100,000 live blocks."""

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator

from app.collector import gc_paused
from app.machine import boot, parsing
from app.machine.machine import Machine
from app.machine.zonemap import zonemap
from app.sessions import snapshots
from app.store.states import State
from tests.bench.figures import Figure

PROFILE = "x86_64-64g"
BLOCKS = 100_000
MASKS = ("GFP_KERNEL", "GFP_HIGHUSER_MOVABLE", "GFP_KERNEL|__GFP_RECLAIMABLE|__GFP_COMP", "GFP_ATOMIC")


def made(machine: Machine, seqs: Iterator[int], name: str, **args: object) -> list[int]:
    """The frames of one call's blocks."""
    outcome = machine.apply(parsing.parse(name, args, machine.model), next(seqs))
    return [pfn + place for pfn, count in outcome.runs or () for place in range(count)]


def used(blocks: int = BLOCKS, seed: int = 1) -> Machine:
    """A machine whose memory is in use here and there: every other block of many sizes is free again."""
    machine: Machine = boot.boot({"profile": PROFILE})
    seqs = iter(range(1, 10 * blocks))
    chosen = random.Random(seed)
    while machine.live_blocks < 2 * blocks:
        mask, order = chosen.choice(MASKS), chosen.choice((0, 0, 0, 0, 1, 2, 3))
        task = f"t{chosen.randrange(40)}"
        made(machine, seqs, "alloc_pages", gfp=mask, order=order, repeat=20, task=task)
    by_order: dict[int, list[list[int]]] = {}
    for pfn in sorted(machine.pages)[::2]:
        by_order.setdefault(machine.pages[pfn].order, []).append([pfn, 1])
    for order, going in by_order.items():
        made(machine, seqs, "__free_pages", page=going, order=order)
    return machine


def first_map(machine: Machine) -> float:
    """Milliseconds for a map that nobody has asked for yet."""
    machine.frame_states = None
    return timed(lambda: zonemap(machine))


def next_map(machine: Machine, calls_between: int = 10) -> float:
    """Milliseconds for 4,096 cells after some calls."""
    for _ in range(calls_between):
        made(machine, iter((10**7,)), "alloc_pages", gfp="GFP_KERNEL", order=1, repeat=1)
    return timed(lambda: zonemap(machine))


def frames(machine: Machine) -> float:
    """Milliseconds for 4,096 single frames in the midst of what is in use."""
    pfns = sorted(machine.pages)
    start = pfns[len(pfns) // 2]
    return timed(lambda: zonemap(machine, start=start, shift=0))


def save(machine: Machine) -> float:
    """Milliseconds for a state as it is stored."""
    return timed(lambda: snapshots.encode(machine.state()))


def load(state: State) -> float:
    """Milliseconds from what is stored to a machine."""
    return timed(lambda: snapshots.decode(state))


def timed(work: Callable[[], object]) -> float:
    gc.collect()
    with gc_paused():
        begun = time.perf_counter()
        done = work()
        took = time.perf_counter() - begun
    del done
    return took * 1e3


def compare(rounds: int) -> list[Figure]:
    """Prints the milliseconds of each, the median of the rounds."""
    machine = used()
    state = snapshots.encode(machine.state())
    plain = boot.boot({"profile": PROFILE})
    made(plain, iter((1,)), "alloc_page", gfp="GFP_KERNEL", repeat=BLOCKS)
    plain_state = snapshots.encode(plain.state())
    print(f"{machine.live_blocks} live blocks of {PROFILE}; kept in {len(state.body) / 1e6:.1f} MB")
    ways: dict[str, Callable[[], float]] = {
        "zone map, 4,096 cells": lambda: next_map(machine),
        "the first of a machine": lambda: first_map(machine),
        "4,096 single frames": lambda: frames(machine),
        "state kept": lambda: save(machine),
        "state read again": lambda: load(state),
        "plain state kept": lambda: save(plain),
        "plain state read": lambda: load(plain_state),
    }
    next_map(machine)
    took = {name: statistics.median(way() for _ in range(rounds)) for name, way in ways.items()}
    for name, milliseconds in took.items():
        print(f"{name:24}{milliseconds:9.2f} ms")
    first = f"the first of a machine {took['the first of a machine']:.0f} ms"
    return [
        Figure(
            f"zone map of 4,096 cells, 64 GiB, {BLOCKS:,} live blocks",
            took["zone map, 4,096 cells"], 5, 1, " ms", first, more=False,
        ),
        Figure(
            f"keeping a state of {BLOCKS:,} live blocks",
            took["state kept"], 125, 75, " ms", f"one after the other {took['plain state kept']:.0f} ms",
            more=False,
        ),
        Figure(
            f"opening a state of {BLOCKS:,} live blocks one after the other, in process",
            took["plain state read"], 75, 60, " ms", f"here and there {took['state read again']:.0f} ms",
            more=False,
        ),
    ]  # fmt: skip
