"""kswapd, which runs when the recording says so: on a real machine the scheduler decides that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.machine.machine import Machine
from app.mm import balance_pgdat
from app.reclaim_recording.beside import Beside

NAME: Final = "kswapd0"
NODE: Final = 0
# Its events begin so.
MARK: Final = "k:"


@dataclass(slots=True)
class Stretch:
    """What kswapd did at one time, until another went on.

    wakes: how often it began a run. events: how many of its events are compared. sleeps: whether it fell
    asleep. whole: whether its run was over, and not only interrupted.
    """

    whole: bool
    wakes: int = 0
    events: int = 0
    sleeps: bool = False


def stretches(lines: list[dict[str, Any]]) -> dict[tuple[int, int], bool]:
    """For each stretch, by the number of its operation and its own in that, whether a run was over with it.

    It was if the next that kswapd does is to begin another, or to fall asleep.
    """
    found: list[tuple[tuple[int, int], str]] = []
    for line in lines:
        if line["t"] != "op":
            continue
        number, before = -1, ""
        for event in line["ev"]:
            kind = event[0].removeprefix(MARK)
            if kind != event[0]:
                number += not before
                found.append(((line["i"], number), kind))
                before = kind
            elif not event[0].startswith("s:"):
                before = ""
    following = [*(kind for _, kind in found[1:]), "ks"]
    return {key: kind in ("kw", "ks") for (key, _), kind in zip(found, following, strict=False)}


class Kswapd:
    """kswapd of the one node. produced: how many of its events have been seen in the present stretch."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self.run: Beside | None = None
        self.stretch: Stretch | None = None
        self.produced = 0
        self.whole = True
        self.order = 0
        self.highest = 0
        self.asleep = True
        self.dozes = False

    def go_on(self, stretch: Stretch) -> None:
        """Let it do what it did at that time."""
        self.stretch, self.produced = stretch, 0
        for left in range(stretch.wakes, 0, -1):
            self.finish()
            self.begin()
            self.step(whole=left > 1 or stretch.whole)
        if not stretch.wakes and self.run is not None:
            self.step(whole=stretch.whole)
        if stretch.sleeps:
            self.finish()
            self.fall_asleep()
        self.stretch = None

    def begin(self) -> None:
        """Begin a run. Kernel: kswapd, kswapd_try_to_sleep

        Where it had not fallen asleep since the last, somebody woke it again at once, or it was not balanced.
        """
        node = self.m.nodes[NODE]
        if self.dozes and node.kswapd_woken:
            self.m.vm.count("kswapd_low_wmark_hit_quickly")
            node.kswapd_order = max(node.kswapd_order, self.order)
        elif not self.asleep:
            self.m.vm.count("kswapd_high_wmark_hit_quickly")
        if node.kswapd_highest_zoneidx is not None:
            self.highest = node.kswapd_highest_zoneidx
        self.order = node.kswapd_order
        node.kswapd_order, node.kswapd_highest_zoneidx = 0, None
        self.asleep = self.dozes = False
        self.run = Beside(self.balance)

    def balance(self) -> None:
        """One run."""
        if self.m.trace is not None:
            self.m.trace.vmscan.kswapd_wakes(NODE, self.order, self.highest)
        balance_pgdat.balance_pgdat(self.m, NODE, self.order, self.highest)

    def step(self, *, whole: bool) -> None:
        """Let a run go on, to its end or until it has done what the recording shows."""
        assert self.run is not None
        current = self.m.current
        self.whole = whole
        current.thread = NAME
        self.run.go_on()
        current.thread = None
        if self.run.done:
            self.run = None
            self.doze()

    def doze(self) -> None:
        """After a run it waits for a moment whether all is well, and can be woken from that."""
        node = self.m.nodes[NODE]
        self.dozes = balance_pgdat.prepare_kswapd_sleep(self.m, NODE, self.order, self.highest)
        node.kswapd_woken = not self.dozes

    def pause(self) -> None:
        """It could let others go first, and does so where the recording shows that it did."""
        if self.whole or self.stretch is None or self.run is None:
            return
        if self.produced >= self.stretch.events:
            self.run.stop()

    def finish(self) -> None:
        """A run that was interrupted ends."""
        while self.run is not None:
            self.step(whole=True)

    def fall_asleep(self) -> None:
        """Nothing is left to do. Kernel: kswapd_try_to_sleep"""
        balance_pgdat.prepare_kswapd_sleep(self.m, NODE, self.order, self.highest)
        self.m.nodes[NODE].kswapd_woken = False
        if self.m.trace is not None:
            self.m.current.thread = NAME
            self.m.trace.vmscan.kswapd_sleeps(NODE)
            self.m.current.thread = None
        self.asleep = True
        self.dozes = False

    def end(self) -> None:
        """The replay is over."""
        if self.run is not None:
            self.run.end()
