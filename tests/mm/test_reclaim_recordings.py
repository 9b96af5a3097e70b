"""Known answers: what page reclaim did on a real Linux 6.1, list by list."""

import gzip
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

from app import fidelity
from app.machine.machine import Machine
from app.machine.trace import Trace
from app.reclaim_recording.beside import Beside
from app.reclaim_recording.events import Events
from app.reclaim_recording.others import Others
from app.reclaim_recording.replay import ReclaimReplay
from app.recording import Report
from app.vm_recording.compare import from_first

RECORDINGS = Path(__file__).parents[1] / "recordings" / "reclaim"
SCENARIOS = sorted(RECORDINGS.glob("*/*.jsonl.gz"))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_reclaim_finds_the_same_pages(path: Path) -> None:
    """Results, events, batches, counters, lists page by page, slots, entries, shadows and free lists."""
    report = fidelity.replay(path)
    assert report.end_states
    assert not report.misses, "\n".join(map(str, report.misses[:3]))
    assert not any(report.end_states.values()), {tag: d for tag, d in report.end_states.items() if d}


class Both:
    """An area of trace points of which two are told."""

    def __init__(self, first: Any, second: Any) -> None:
        self.first = first
        self.second = second

    def __getattr__(self, name: str) -> Any:
        def tell(*told: Any, **named: Any) -> None:
            for area in (self.first, self.second):
                getattr(area, name)(*told, **named)

        return tell


class Texts(Events):
    """Events that are written as text besides. read: all that was."""

    read: ClassVar[list[str]] = []

    def __init__(self, m: Machine, others: Others) -> None:
        super().__init__(m, others)
        self.text = Trace(m)
        for name in ("page_alloc", "page_ref", "lru", "pagecache", "vmscan", "compaction", "migrate", "oom"):
            setattr(self, name, Both(getattr(self, name), getattr(self.text, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.text, name)

    def end(self) -> None:
        super().end()
        self.read.extend(map(told, self.text.points))


def told(point: str) -> str:
    """Who, and what, without process id, time, and the addresses of struct pages."""
    who, _, rest = point.partition("[")
    what = re.sub("folio=[0-9a-f]+", "", rest.split(": ", 1)[1])
    return f"{who.strip().rsplit('-', 1)[0].strip()} {what.strip()}"


def test_the_kernels_own_trace_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of each tracepoint of lists, reclaim, kswapd and compaction, in order."""
    monkeypatch.setattr("app.reclaim_recording.replay.Events", Texts)
    Texts.read.clear()
    fidelity.replay(RECORDINGS / "x64-256M" / "t_trace.jsonl.gz")
    kinds = (" mm_lru_", " mm_vmscan_", " mm_compaction_", " mm_migrate_pages")
    ours = [line for line in Texts.read if any(kind in line for kind in kinds)]
    with gzip.open(RECORDINGS / "x64-256M" / "t_trace.ftrace.txt.gz", "rt") as file:
        lines = [told(line) for line in file if "[000]" in line]
    who = ("agent mm_", "kswapd0 mm_")
    theirs = [line for line in lines if line.startswith(who) and "shrink_slab" not in line]
    begin = next(at for at in range(len(theirs)) if theirs[at : at + 9] == ours[:9])
    assert len(ours) > 1000
    assert from_first(ours, theirs[begin : begin + len(ours)]) == ([], [])


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """The beginning of a recording: batches fill, pages are used twice and move."""
    whole = list(fidelity.lines_of(RECORDINGS / "x64-256M" / "a_lru.jsonl.gz"))
    end = next(at for at, line in enumerate(whole) if line["t"] == "lru" and line["tag"] == "activate15")
    return whole[: end + 1]


def changed(lines: list[dict[str, Any]], kind: str, i: int, **other: Any) -> Report:
    """A replay of a recording in which one line says something else."""
    found = [line for line in lines if line["t"] == kind and line["i"] == i]
    assert len(found) == 1
    return ReclaimReplay([line | other if line is found[0] else line for line in lines]).run()


def test_a_recording_as_it_is_agrees(lines: list[dict[str, Any]]) -> None:
    report = ReclaimReplay(lines).run()
    assert (report.operations, report.misses) == (62, [])
    assert [*report.end_states.values()] == [[]] * len(report.end_states)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"ret": 4095}, "ret"),
        ({"ev": [["LI", 10736, 3], ["LI", 10737, 2], ["LA", 10740], ["LA", 10742]]}, "ev"),
        ({"zf": [3808, 40317]}, "zf"),
        ({"zv": [3808, 40317]}, "zv"),
        ({"pc": [0, 12]}, "pc"),
        ({"fb": {"activate": [10740]}}, "fb"),
        ({"vs": {"pgactivate": 1, "nr_inactive_file": -2, "nr_active_file": 4}}, "vs"),
        ({"nlru": [16, 1, 15, 0, 727]}, "nlru"),
        ({"lv": [0, 0, 38, 0, 0]}, "lv"),
    ],
)
def test_an_operation_that_ended_otherwise_is_a_miss(
    lines: list[dict[str, Any]], other: dict[str, Any], what: str
) -> None:
    """Of operation 29, which empties the batches; `ret` of the read before it."""
    i = 28 if what == "ret" else 29
    report = changed(lines, "op", i, **other)
    assert [(miss.number, [*miss.differences]) for miss in report.misses] == [(i, [what])]


def test_a_list_in_another_order_is_a_difference(lines: list[dict[str, Any]]) -> None:
    lists = next(line["lists"] for line in lines if line.get("tag") == "drained")
    turned = lists | {"active_file": lists["active_file"][::-1]}
    report = changed(lines, "lru", 30, lists=turned)
    assert {tag: parts for tag, parts in report.end_states.items() if parts} == {
        "drained before 30": ["active_file: [10742, 10740], the kernel [10736, 10737]"]
    }


def test_an_operation_of_which_nobody_knows_is_a_miss(lines: list[dict[str, Any]]) -> None:
    report = changed(lines, "op", 29, op="dance")
    assert report.misses[0].differences == {"operation": ("unknown", "dance")}


def test_an_operation_that_cannot_be_made_ends_the_replay(lines: list[dict[str, Any]]) -> None:
    report = changed(lines, "op", 29, op="munmap", a=["7", "0", "1"])
    assert [miss.number for miss in report.misses] == [29]
    assert report.misses[0].differences == {"failed": ("KeyError(7)", "went on")}
    assert report.operations < 62


def test_two_stacks_take_turns() -> None:
    """As the caller of the kernel and kswapd do."""
    turns: list[str] = []

    def run() -> None:
        for _ in range(2):
            turns.append("kswapd")
            beside.stop()

    beside = Beside(run)
    while not beside.done:
        turns.append("caller")
        beside.go_on()
    assert turns == ["caller", "kswapd", "caller", "kswapd", "caller"]


def test_a_stack_that_is_not_wanted_any_more_is_taken_down_where_it_stands() -> None:
    left: list[str] = []

    def run() -> None:
        try:
            beside.stop()
        finally:
            left.append("kswapd")

    beside = Beside(run)
    beside.go_on()
    beside.end()
    assert (left, beside.done) == (["kswapd"], True)


def test_what_goes_wrong_on_the_other_stack_is_raised_where_it_is_waited_for() -> None:
    def run() -> None:
        raise ValueError("no page")

    with pytest.raises(ValueError, match="no page"):
        Beside(run).go_on()
