"""One recording of processes being replayed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from app.machine import boot
from app.machine.machine import Machine
from app.recording import Miss, add_part, differing_zones
from app.vm_recording.compare import Compare, Difference
from app.vm_recording.identities import Identities
from app.vm_recording.operations import Operations
from app.vm_recording.order import Listener
from app.vm_recording.others import Others
from app.vm_recording.recorded import Recorded, number
from app.vm_recording.report import VmReport
from app.vm_recording.start import Start, task_name
from app.vm_recording.texts import differing_lines


def is_of_processes(lines: list[dict[str, Any]]) -> bool:
    """Whether a recording is one of these."""
    return any(line["t"] == "begin" and line.get("name") == "vm" for line in lines[:8])


class VmReplay:
    """The machine begins with the first state of the allocator, and with what was recorded up to there."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.recorded = Recorded(lines)
        self.report = VmReport(lines[0]["machine"], lines[0]["scenario"])
        self.first: dict[str, dict[str, Any]] = {"hugepool": {"pools": []}}
        self.m: Machine | None = None

    def run(self, most_misses: int = 1_000_000) -> VmReport:
        """Replay all lines; stops after `most_misses` differing operations."""
        state: dict[str, Any] | None = None
        for at, line in enumerate(self.recorded.lines):
            kind = line["t"]
            if kind == "dump":
                state = self.first_line(line)
            elif kind == "dump_end" and state is not None:
                self.at_state(line["tag"], state)
                state = None
            elif state is not None:
                add_part(state, line)
            elif kind == "op":
                self.operation(line, at)
            elif kind == "bg" and self.m is not None:
                self.background(line, at)
            elif kind in ("proc", "ubuf") and self.m is not None:
                self.text(line)
            else:
                self.first[kind] = line
            if len(self.report.misses) >= most_misses:
                break
        return self.report

    def first_line(self, line: dict[str, Any]) -> dict[str, Any]:
        """A dump document begun from its first line."""
        meta = self.recorded.meta
        settings = {key: value for key, value in line.items() if key != "t"}
        settings |= {"arch": meta["arch"], "cpus": meta["smp"]}
        return {"kernel": settings, "nodes": [], "zones": [], "caches": []}

    def at_state(self, tag: str, state: dict[str, Any]) -> None:
        """Start from the first state; compare with the later ones."""
        if self.m is not None:
            self.m.trace = None
            ours = self.m.dump()
            self.report.end_states[tag] = differing_zones(ours["zones"], state["zones"])
            return
        self.m = boot.load(state)
        identities = Identities(self.m)
        self.others = Others(self.m, self.recorded, identities)
        self.operations = Operations(self.m, self.recorded, identities, self.others)
        self.compare = Compare(self.m, self.recorded, identities)
        Start(self.m, self.recorded, identities).make(self.first["begin"], self.first["hugepool"]["pools"])

    def background(self, line: dict[str, Any], at: int) -> None:
        """What happened between operations."""
        assert self.m is not None
        self.m.trace = Listener(self.others)
        self.others.schedule(line["ev"], at)
        self.operations.finish_exit()
        self.others.flush()

    def text(self, line: dict[str, Any]) -> None:
        """A text of /proc, or what a program read of one: counted with the later states."""
        assert self.m is not None
        self.operations.finish_exit()
        differing = differing_lines(self.m, line)
        if differing is not None:
            self.report.end_states[f"{line.get('file', 'pagemap')} after {line['i']}"] = differing

    def operation(self, line: dict[str, Any], at: int) -> None:
        """Make one recorded operation again and compare."""
        self.recorded.update(line)
        m = self.m
        if m is None:
            return
        self.report.operations += 1
        m.current.task = task_name(line["l"])
        m.trace = Listener(self.others)
        m.vm.faults = []
        self.others.schedule(line.get("ev", []), at)
        self.operations.finish_exit()
        task = m.tasks[m.current.task]
        before = (task.min_flt, task.maj_flt)
        counted, objects = self.compare.statistics(), self.compare.objects()
        ret, signal = self.operations.perform(line)
        if self.operations.leaving is None and signal is None:
            self.operations.end_of_call()
        if signal is not None:
            self.operations.end(line["l"])
        self.others.flush()
        if m.model.arch == "x86_64":
            self.others.adopt_batches()
        found = chain(
            self.compare.result(line, ret, signal),
            self.compare.task(line, task, before),
            self.compare.faults(line),
            self.compare.zones(line),
            self.compare.batches(),
            self.compare.counted(line, counted),
            self.compare.slabs(line, objects),
            self.states(line),
            (("others", ours, theirs) for ours, theirs in self.others.wrong),
        )
        differences = {name: (ours, theirs) for name, ours, theirs in found if ours != theirs}
        self.report.count_topics(differences)
        self.report.count_frames(self.others.taken, self.others.own)
        if differences:
            first = dict(list(differences.items())[:6])
            self.report.misses.append(Miss(line["i"], f"{line['op']} {' '.join(line['a'])}", first))
        else:
            self.report.exact += 1

    def states(self, line: dict[str, Any]) -> Iterator[Difference]:
        """What differs in processes and files."""
        if "d" in line:
            yield from self.compare.process(line["l"])
        if "child" in line:
            yield from self.compare.process(number(line["a"][0]))
        yield from self.compare.files(line)
