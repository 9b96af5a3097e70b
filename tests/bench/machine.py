"""`Machine.apply` beside a toy: the same random allocations and frees, without journal and HTTP.

The toy is a buddy allocator as a textbook has it: one zone, one list per order, no watermarks, no per-CPU
lists, no migratetypes, no struct page, no answer. The distance to it is the price of being the kernel.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator

from app.mm import calls
from app.mm.boot import boot
from app.mm.machine import Machine

ORDERS = (0, 0, 0, 0, 1, 1, 2, 3)
LIVE = 20_000


class ToyBuddy:
    """Frames from 0; a set of free blocks per order."""

    def __init__(self, frames: int) -> None:
        self.free: list[dict[int, None]] = [{} for _ in range(11)]
        self.free[10] = dict.fromkeys(range(0, frames, 1024))

    def alloc(self, order: int) -> int:
        have = next(o for o in range(order, 11) if self.free[o])
        pfn, _ = self.free[have].popitem()
        while have > order:
            have -= 1
            self.free[have][pfn + (1 << have)] = None
        return pfn

    def release(self, pfn: int, order: int) -> None:
        while order < 10 and pfn ^ (1 << order) in self.free[order]:
            del self.free[order][pfn ^ (1 << order)]
            pfn &= ~(1 << order)
            order += 1
        self.free[order][pfn] = None


def work(count: int) -> Iterator[tuple[int, int]]:
    """(order, -1) to allocate, (order, place) to free the live block at that place; the same every time."""
    chance = random.Random(1)
    live: list[int] = []
    for _ in range(count):
        if len(live) < LIVE or chance.random() < 0.5:
            live.append(chance.choice(ORDERS))
            yield live[-1], -1
        else:
            place = chance.randrange(len(live))
            order = live[place]
            live[place] = live[-1]
            live.pop()
            yield order, place


def on_toy(steps: list[tuple[int, int]]) -> float:
    toy = ToyBuddy(1 << 24)
    return timed(steps, toy.alloc, toy.release)


def on_machine(steps: list[tuple[int, int]]) -> float:
    machine = boot({"profile": "x86_64-64g"})
    seq = 0

    def made(name: str, body: dict[str, object]) -> calls.Call:
        return calls.parse(name, body, machine.model)

    def alloc(order: int) -> int:
        nonlocal seq
        seq += 1
        outcome = machine.apply(made("alloc_pages", {"gfp": "GFP_KERNEL", "order": order}), seq)
        assert outcome.page is not None
        return int(outcome.page["pfn"])

    def release(pfn: int, order: int) -> None:
        nonlocal seq
        seq += 1
        machine.apply(made("__free_pages", {"pfn": pfn, "order": order}), seq)

    return timed(steps, alloc, release)


def timed(
    steps: list[tuple[int, int]], alloc: Callable[[int], int], release: Callable[[int, int], None]
) -> float:
    """Microseconds a step."""
    live: list[int] = []
    begun = time.process_time()
    for order, place in steps:
        if place < 0:
            live.append(alloc(order))
        else:
            pfn = live[place]
            live[place] = live[-1]
            live.pop()
            release(pfn, order)
    return (time.process_time() - begun) * 1e6 / len(steps)


def creation(profile: str) -> float:
    """Milliseconds to boot a machine."""
    begun = time.perf_counter()
    machine: Machine = boot({"profile": profile})
    assert machine.live_blocks == 0
    return (time.perf_counter() - begun) * 1e3


def compare(count: int, rounds: int) -> None:
    """Prints both, and their ratio round by round."""
    steps = list(work(count))
    pairs = [(on_toy(steps), on_machine(steps)) for _ in range(rounds)]
    toy, machine = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    print(f"toy buddy          {toy:8.2f} us a step")
    print(f"parse and apply    {machine:8.2f} us a step   {ratio:.1f}x the toy")
    for profile in ("tiny-16m", "x86_64-8g", "x86_64-1t"):
        print(f"boot {profile:14}{statistics.median(creation(profile) for _ in range(rounds)):8.2f} ms")
