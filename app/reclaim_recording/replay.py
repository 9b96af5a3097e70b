"""One recording of page reclaim being replayed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.machine.machine import Machine
from app.reclaim_recording import events
from app.reclaim_recording.compare import Compare
from app.reclaim_recording.events import Events
from app.reclaim_recording.kswapd import Kswapd, stretches
from app.reclaim_recording.operations import Operations
from app.reclaim_recording.others import Others
from app.reclaim_recording.recorded import Told
from app.reclaim_recording.start import AGENT, Start, load
from app.recording import Miss, Report, differing_zones
from app.vm_recording.compare import Difference, from_first


class ReclaimReplay:
    """The machine begins with the first state of the recording and the lists that belong to it."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.recorded = lines
        self.meta = lines[0]
        self.report = Report(self.meta["machine"], self.meta["scenario"])
        self.m: Machine | None = None
        self.told = Told(lines)
        # Whether somebody was killed: what comes of it depends on the timer.
        self.killing = False
        # Whether an operation could not be made at all, so that there is nothing to go on from.
        self.broken = False
        self.state: dict[str, Any] | None = None
        self.zones: list[dict[str, Any]] = []

    def run(self, most_misses: int = 1_000_000) -> Report:
        """Replay all lines; stops after `most_misses` differing operations."""
        for line in self.recorded:
            kind = line["t"]
            if kind == "dump":
                self.state, self.zones = line, []
            elif kind == "zone":
                self.zones.append({key: value for key, value in line.items() if key != "t"})
            elif kind == "dump_end":
                self.state = None
            elif kind == "lru" and self.m is None:
                self.begin(line)
            elif self.m is not None:
                self.line(self.m, line)
            if len(self.report.misses) >= most_misses or self.broken:
                break
        if self.m is not None:
            self.kswapd.end()
        return self.report

    def line(self, m: Machine, line: dict[str, Any]) -> None:
        """A line after the first dump. Lists in which a victim's pages are missing are not compared."""
        kind = line["t"]
        before = f"before {line.get('i')}"
        if kind == "iodefer":
            m.vm.io_deferred = [] if line["v"] else None
        elif kind == "op" and line["op"] == "yield":
            # Processes of which nothing is known run now, until one is killed.
            self.killing = True
        elif kind == "op":
            self.operation(m, line)
        elif self.killing:
            return
        elif kind == "lru":
            self.lists(m, line)
        elif kind == "shadow":
            inode = self.operations.files[line["f"]].inode
            self.differs(f"shadows of {line['f']} {before}", self.compare.shadows(line, inode))
        elif kind == "pte":
            start = self.operations.address(line["m"], line["start"])
            entries = self.compare.entries(line, self.operations.mm, start)
            self.differs(f"entries of {line['m']} from {line['start']} on {before}", entries)

    def begin(self, line: dict[str, Any]) -> None:
        """The machine of the first dump."""
        assert self.state is not None
        settings = {key: value for key, value in self.state.items() if key != "t"}
        self.m = load(settings | {"arch": self.meta["arch"], "cpus": self.meta["smp"]}, self.zones)
        start = Start(self.m, self.told)
        start.make(line)
        self.kswapd = Kswapd(self.m)
        self.others = Others(self.m, self.kswapd, stretches(self.recorded))
        self.operations = Operations(self.m, start.files)
        self.compare = Compare(self.m, self.told.chunk_shift)
        self.m.current.task = AGENT
        self.differs(f"begin before {line['i']}", self.compare.lists(line))
        if self.told.hogs:
            self.differs("scores", self.compare.scores(self.told.hogs))

    def lists(self, m: Machine, line: dict[str, Any]) -> None:
        """Compare the lists between two operations, and in a dump the allocator's whole state."""
        where = f"{line['tag']} before {line['i']}"
        self.differs(where, self.compare.lists(line))
        if self.state is not None:
            zones = differing_zones(m.dump()["zones"], self.zones)
            self.report.end_states[where] += zones

    def differs(self, where: str, found: Iterable[Difference]) -> None:
        """Note what differs in a state."""
        differing = [
            f"{name}: {ours!r}, the kernel {theirs!r}" for name, ours, theirs in found if ours != theirs
        ]
        self.report.end_states[where] = differing

    def operation(self, m: Machine, line: dict[str, Any]) -> None:
        """Make one recorded operation again and compare."""
        self.report.operations += 1
        what = f"{line['op']} {' '.join(line['a'])}"
        if not self.operations.knows(line["op"]):
            self.report.misses.append(Miss(line["i"], what, {"operation": ("unknown", line["op"])}))
            return
        killed, self.killing = self.killing, self.killing or any(e[0].endswith("victim") for e in line["ev"])
        seen = Events(m, self.others)
        m.trace = seen
        m.pause = seen.pause
        theirs = self.others.schedule(line)
        before = self.compare.statistics()
        try:
            ret = self.operations.perform(line)
            seen.end()
        except Exception as error:  # noqa: BLE001 - a state that differs may be one that cannot be
            self.report.misses.append(Miss(line["i"], what, {"failed": (repr(error), "went on")}))
            self.broken = True
            return
        finally:
            m.trace = m.pause = None
        found = self.differences(line, ret, seen, events.compared(theirs), before)
        if self.killing:
            found = of_killing(seen.seen, events.compared(theirs), first=not killed)
        differences = {name: (ours, theirs) for name, ours, theirs in found if ours != theirs}
        if differences:
            self.report.misses.append(Miss(line["i"], what, differences))
        else:
            self.report.exact += 1

    def differences(
        self, line: dict[str, Any], ret: int | None, seen: Events, theirs: list[Any], before: dict[str, int]
    ) -> Iterator[Difference]:
        """What differs after an operation."""
        yield from self.compare.result(line, ret)
        yield "ev", *from_first(seen.seen, theirs)
        yield from self.compare.counters(line)
        yield from self.compare.batches(line)
        yield from self.compare.folded(line)
        yield from self.compare.counted(line, before)
        file = self.operations.files.get(int(line["a"][0])) if "fra" in line else None
        yield from self.compare.window(line, file)
        yield from (("others", ours, theirs_) for ours, theirs_ in self.others.wrong)


def of_killing(ours: list[Any], theirs: list[Any], *, first: bool) -> Iterator[Difference]:
    """What differs where somebody is killed: who, and why then; everything before the first victim."""
    ours, theirs = (events.around_kills(seen, first=first) for seen in (ours, theirs))
    yield "ev", *from_first(ours, theirs)
