"""One recording of page reclaim being replayed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
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
            elif kind == "lru":
                self.lists(line)
            elif kind == "iodefer" and self.m is not None:
                self.m.vm.io_deferred = [] if line["v"] else None
            elif kind == "shadow" and self.m is not None:
                inode = self.operations.files[line["f"]].inode
                self.differs(f"shadows of {line['f']} before {line['i']}", self.compare.shadows(line, inode))
            elif kind == "pte" and self.m is not None:
                start = self.operations.address(line["m"], line["start"])
                mm = self.operations.mm
                self.differs(
                    f"entries of {line['m']} from {line['start']} on before {line['i']}",
                    self.compare.entries(line, mm, start),
                )
            elif kind == "op" and self.m is not None:
                self.operation(line)
            if len(self.report.misses) >= most_misses:
                break
        if self.m is not None:
            self.kswapd.end()
        return self.report

    def begin(self, line: dict[str, Any]) -> None:
        """The machine of the first dump."""
        assert self.state is not None
        settings = {key: value for key, value in self.state.items() if key != "t"}
        self.m = load(settings | {"arch": self.meta["arch"], "cpus": self.meta["smp"]}, self.zones)
        start = Start(self.m, Told(self.recorded))
        start.make(line)
        self.kswapd = Kswapd(self.m)
        self.others = Others(self.m, self.kswapd, stretches(self.recorded))
        self.operations = Operations(self.m, start.files)
        self.compare = Compare(self.m)
        self.m.current.task = AGENT
        self.differs(f"begin before {line['i']}", self.compare.lists(line))

    def lists(self, line: dict[str, Any]) -> None:
        """Compare the lists between two operations, and in a dump the allocator's whole state."""
        assert self.m is not None
        where = f"{line['tag']} before {line['i']}"
        self.differs(where, self.compare.lists(line))
        if self.state is not None:
            self.m.trace = None
            zones = differing_zones(self.m.dump()["zones"], self.zones)
            self.report.end_states[where] += zones

    def differs(self, where: str, found: Iterable[Difference]) -> None:
        """Note what differs in a state."""
        differing = [
            f"{name}: {ours!r}, the kernel {theirs!r}" for name, ours, theirs in found if ours != theirs
        ]
        self.report.end_states[where] = differing

    def operation(self, line: dict[str, Any]) -> None:
        """Make one recorded operation again and compare."""
        m = self.m
        assert m is not None
        self.report.operations += 1
        what = f"{line['op']} {' '.join(line['a'])}"
        if not self.operations.knows(line["op"]):
            self.report.misses.append(Miss(line["i"], what, {"operation": ("unknown", line["op"])}))
            return
        seen = Events(m, self.others)
        m.trace = seen
        m.pause = seen.pause
        theirs = self.others.schedule(line)
        before = self.compare.statistics()
        ret = self.operations.perform(line)
        seen.end()
        m.trace = m.pause = None
        file = self.operations.files.get(int(line["a"][0])) if "fra" in line else None
        found = chain(
            self.compare.result(line, ret),
            (("ev", *from_first(seen.seen, events.compared(theirs))),),
            self.compare.counters(line),
            self.compare.batches(line),
            self.compare.folded(line),
            self.compare.counted(line, before),
            self.compare.window(line, file),
            (("others", ours, theirs) for ours, theirs in self.others.wrong),
        )
        differences = {name: (ours, theirs) for name, ours, theirs in found if ours != theirs}
        if differences:
            self.report.misses.append(Miss(line["i"], what, differences))
        else:
            self.report.exact += 1
