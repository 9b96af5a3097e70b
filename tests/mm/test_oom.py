"""The OOM killer: who is chosen, what is printed, and what becomes of the one who asked.

`tests/recordings/oom.jsonl.gz` has what real kernels did: the tasks with their scores, each decision to go
round once more, who was killed, and the whole text.
"""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.errors import MachinePanicked
from app.machine import boot
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.machine.trace import Trace, conclusion
from app.mm import gfp, oom_kill, page_alloc, slowpath, vmscan
from app.mm.mm_types import MM_ANONPAGES, MM_SWAPENTS, MmStruct
from app.mm.proc import OF_TASKS
from app.mm.sched import Task
from tests.support.lab import Lab, texts

RECORDINGS = gzip.decompress((Path(__file__).parents[1] / "recordings/oom.jsonl.gz").read_bytes())
RECORDED = {doc["name"].split("/")[1]: doc for doc in map(json.loads, RECORDINGS.splitlines())}
ANONYMOUS = {"prot": "PROT_READ|PROT_WRITE", "flags": "MAP_PRIVATE|MAP_ANONYMOUS"}
# A row of the task list: pid, size, resident pages, bytes of tables, swapped pages, score adjustment, name.
ROW = re.compile(r"\[ *(\d+)\] +0 +\d+ +(\d+) +(\d+) +(\d+) +(\d+) +(-?\d+) (\w+)")


# -- real kernels ----------------------------------------------------------------------------------


def bare(machine: Machine, rows: list[tuple[Any, ...]]) -> None:
    """Let a machine have these tasks, and no others but init."""
    machine.tasks = {"init": Task("init", 1)}
    for pid, size, rss, tables, swapped, adj, name in rows:
        task = machine.tasks[f"{name}-{pid}"] = Task(name, int(pid))
        task.mm = mm = MmStruct(int(pid))
        mm.total_vm, mm.pgtables_bytes = int(size), int(tables)
        mm.rss_stat[MM_ANONPAGES], mm.rss_stat[MM_SWAPENTS] = int(rss), int(swapped)
        task.oom_score_adj = int(adj)


def reports(doc: dict[str, Any]) -> list[tuple[list[tuple[Any, ...]], int | None]]:
    """The task list of each report of a recorded kernel, and who was killed."""
    found: list[tuple[list[tuple[Any, ...]], int | None]] = []
    rows: list[tuple[Any, ...]] = []
    for line in doc["console"]:
        if row := ROW.search(line):
            rows.append(row.groups())
        elif killed := re.search(r"Killed process (\d+)", line):
            found.append((rows, int(killed[1])))
            rows = []
        elif "no killable processes" in line:
            found.append((rows, None))
    return found


@pytest.mark.parametrize("name", RECORDED)
def test_the_victim_is_the_one_of_the_real_kernel(name: str) -> None:
    doc = RECORDED[name]
    swap = 8191 if "swap" in name else 0
    machine = boot.boot({"profile": "tiny-16m"})
    choices = reports(doc)
    assert [pid for _, pid in choices if pid is not None] == doc["victims"]
    for rows, pid in choices:
        bare(machine, rows)
        chosen = oom_kill.select_bad_process(machine, doc["totalram_pages"] + swap)
        assert (chosen and chosen.pid) == pid


def test_what_is_swapped_out_counts_as_what_is_resident() -> None:
    machine = boot.boot({"profile": "tiny-16m"})
    rows = reports(RECORDED["f_oom_swap"])[0][0]
    bare(machine, rows)
    found = [oom_kill.oom_badness(machine, task, 20_955) for task in machine.tasks.values()]
    # Resident + swapped + page tables, and -300 points of 20 pages.
    swapping = [934 + 3158 + 15, 54 + 2982 + 13 - 300 * 20, 2 + 2048 + 11]
    assert found == [None, *swapping, 7590 + 22, 1 + 6]


def test_on_a_tie_the_newest_dies() -> None:
    machine = boot.boot({"profile": "tiny-16m"})
    rows = [(pid, 100, 50, 4096, 0, 0, "hog") for pid in (40, 41, 42)]
    bare(machine, rows)
    chosen = oom_kill.select_bad_process(machine, 1000)
    assert chosen is not None
    assert chosen.pid == 42


@pytest.mark.parametrize("name", ["f_oom_user", "f_oom_kernel", "f_oom_nokill"])
def test_the_scores_are_those_of_the_real_kernel(name: str) -> None:
    doc = RECORDED[name]
    tables = {row[0]: row[3] for row in reports(doc)[0][0]}
    machine = boot.boot({"profile": "tiny-16m"})
    rows = [
        (pid, statm.split()[0], statm.split()[1], tables[str(pid)], 0, adj, comm)
        for pid, comm, adj, _, statm in doc["tasks"]
        if pid != 1
    ]
    bare(machine, rows)
    machine.zones[0].managed_pages = doc["totalram_pages"]
    scores = {task.pid: oom_kill.oom_score(machine, task) for task in machine.tasks.values()}
    assert scores == {pid: score for pid, _, _, score, _ in doc["tasks"]}
    adjusted = {task.pid: OF_TASKS["oom_score_adj"](machine, task) for task in machine.tasks.values()}
    assert adjusted == {pid: f"{adj}\n" for pid, _, adj, _, _ in doc["tasks"]}


def rounds(doc: dict[str, Any]) -> list[tuple[int, list[list[int]], bool]]:
    """Of each round of reclaim: pages it brought, zones asked afterwards, and whether a kill follows."""
    found: list[tuple[int, list[list[int]], bool]] = []
    for step in doc["retries"]:
        if step == "kill":
            brought, asked, _ = found[-1]
            found[-1] = brought, asked, True
        elif step[0] == "reclaimed":
            found.append((step[1], [], False))
        else:
            found[-1][1].append(step)
    return found


@pytest.mark.parametrize("name", ["f_oom_user", "f_oom_kernel", "f_oom_swap"])
def test_each_decision_to_go_round_is_that_of_the_real_kernel(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc = RECORDED[name]
    machine = boot.boot({"profile": "x86_64-1g", "memory": "96M"})
    reclaimable: dict[str, int] = {}
    monkeypatch.setattr(vmscan, "zone_reclaimable_pages", lambda _m, zone: reclaimable[zone.name])
    ac = page_alloc.prepare_alloc_pages(machine, gfp.GFP_KERNEL, 0)
    request = slowpath.Request(gfp.GFP_KERNEL, 0, ac)
    machine.trace = trace = Trace(machine)
    kills = 0
    for brought, asked, kill in rounds(doc):
        request.progress = brought > 0
        for index, _, pages, available, mark, loops, _ in asked:
            zone = machine.zones[index]
            zone.watermark[0], zone.boost, zone.lowmem_reserve = mark, 0, doc["zones"][str(index)][2]
            zone.vm_stat_free, zone.vm_stat_diff[0] = available - pages, 0
            reclaimable[zone.name] = pages
            if loops <= request.no_progress_loops:
                request.no_progress_loops = 0  # another request, or this one after a kill
        if asked or kill:
            del trace.points[:]
            assert slowpath.should_reclaim_retry(machine, request) is not kill
            said = [re.findall(r"=(\S+)", point) for point in trace.points]
            assert [[*map(int, line[2:])] for line in said] == [step[1:] for step in asked]
            assert [line[1] for line in said] == [machine.zones[step[0]].name for step in asked]
        kills += kill
    assert kills == len(doc["victims"])


# -- the text --------------------------------------------------------------------------------------

# A part of each line that is the same on every machine.
NUMBER = re.compile(r"-?0x[0-9a-f]+|\d+")


def shape(line: str) -> str:
    """A line of the report without what differs from run to run."""
    line = re.sub(r"GFP_\w+(\|\w+)*", "GFP", line)
    if re.match(r"Node 0 \w+: ", line):
        line = line.split(":")[0] + ": " + " ".join(re.findall(r"\*(\d+kB)", line))
    line = line.replace("DMA32", "DMA").replace("yes", "no")
    line = re.sub(r"lowmem_reserve\[\]:( -?\d+)+", "lowmem_reserve[]: ", line)
    line = re.sub(r"Comm: \w+ (Tainted: [A-Z ]+|Not tainted) \S+ #1 ?", "Comm: x", line)
    line = re.sub(r"(task=|invoked |\()(hog|agent|\w+)\b", r"\1x", re.sub(r"^\w+ invoked", "x invoked", line))
    return re.sub(r" +", " ", NUMBER.sub("N", line))


def recorded_report(name: str) -> list[str]:
    """The first report of a recorded kernel, without stamps and call trace."""
    lines = [re.sub(r"^\[ *\d+\.\d+\] ", "", line) for line in RECORDED[name]["console"]]
    first = next(at for at, line in enumerate(lines) if "invoked oom-killer" in line)
    last = next(at for at, line in enumerate(lines) if re.search(r"Killed process|Kernel panic", line))
    return [line for line in lines[first : last + 1] if "call trace" not in line]


def without_rows(lines: list[str]) -> list[str]:
    """A report without the lines of single tasks, of slabs, and of what the small kernel has not got."""
    return [line for line in lines if not ROW.search(line) and "hwpoisoned" not in line and "KB " not in line]


# -- whole machines --------------------------------------------------------------------------------


def small(**changes: Any) -> Lab:
    """A machine of 96 MiB with reclaim."""
    description: dict[str, Any] = {"profile": "x86_64-1g", "memory": "96M", "reclaim": True} | changes
    return Lab(**description)


def grow(lab: Lab, task: str, pages: int) -> Outcome:
    """Let a process take so many pages; it is started if it is not there."""
    if task not in lab.m.tasks:
        lab("execve", task=task)
    address = int(lab("mmap", task=task, length=pages << 12, **ANONYMOUS).ret, 16)
    return lab("store", task=task, addr=address, count=pages)


def test_somebody_is_killed_and_the_call_goes_on() -> None:
    lab = small()
    grow(lab, "large", 6000)
    grow(lab, "old", 1000)
    outcome = grow(lab, "asks", 5000)
    assert (outcome.verdict, outcome.killed) == ("ok", ["large"])
    assert list(lab.m.tasks) == ["init", "old", "asks"]
    assert lab.m.vm_events["oom_kill"] == 1
    assert lab.m.tasks["asks"].mm is not None
    assert outcome.process is not None
    assert outcome.process["mm"]["resident"] >= 5000
    assert outcome.as_json(lab.m.model)["killed"] == ["large"]


def test_the_report_has_the_lines_of_the_real_kernel() -> None:
    lab = small(process_caches=False)
    grow(lab, "large", 6000)
    said = texts(grow(lab, "asks", 6600))
    ours = [re.sub(r",cpuset=/,mems_allowed=0,global_oom,task_memcg=/", "", line) for line in said]
    recorded = recorded_report("f_oom_user")
    assert [*map(shape, without_rows(ours))] == [*map(shape, without_rows(recorded))]
    rows = [line for line in said if ROW.search(line)]
    assert [ROW.search(line)[7] for line in rows] == ["large", "asks"]  # type: ignore[index]
    recorded_row = next(line for line in recorded if ROW.search(line))
    assert {len(line.rsplit(" ", 1)[0]) for line in rows} == {len(recorded_row.rsplit(" ", 1)[0])}


def test_who_needs_memory_most_is_killed_itself_and_its_call_ends() -> None:
    lab = small()
    grow(lab, "old", 1000)
    grow(lab, "asks", 4000)
    outcome = grow(lab, "asks", 8000)
    assert (outcome.verdict, outcome.killed, outcome.ret) == ("oom", ["asks"], None)
    assert list(lab.m.tasks) == ["init", "old"]
    assert lab.m.nr_free_pages > 9000
    # Its name is free; who calls by it now is another.
    outcome = lab("alloc_page", gfp="GFP_KERNEL", task="asks")
    assert f"asks died at #{lab.seq - 1}" in texts(outcome)[0]


def test_a_kernel_thread_kills_one_after_the_other_and_then_the_machine_stops() -> None:
    lab = small()
    for number in range(4):
        grow(lab, f"p{number}", 500 + 100 * number)
    outcome = lab("alloc_pages", gfp="GFP_KERNEL", order=0, until="null", task="driver")
    assert (outcome.verdict, outcome.killed) == ("panic", ["p3", "p2", "p1", "p0"])
    assert texts(outcome)[-4:] == [
        "Out of memory and no killable processes...",
        "Kernel panic - not syncing: System is deadlocked on memory",
        texts(outcome)[-2],
        "---[ end Kernel panic - not syncing: System is deadlocked on memory ]---",
    ]
    row = lab.seq
    for call in ({"gfp": "GFP_KERNEL"}, {"gfp": "GFP_ATOMIC", "task": "other"}):
        with pytest.raises(MachinePanicked, match=f"#{row}:"):
            lab("alloc_page", **call)
    # What stopped is kept as it was.
    again = boot.restore(lab.m.state())
    with pytest.raises(MachinePanicked, match=f"#{row}:"):
        Lab(again)("alloc_page", gfp="GFP_KERNEL")
    assert again.dump() == lab.m.dump()


def test_ten_reports_in_a_row_are_printed_in_whole() -> None:
    lab = small()
    for number in range(12):
        grow(lab, f"p{number}", 100)
    outcome = lab("alloc_pages", gfp="GFP_KERNEL", order=0, until="null", task="driver")
    assert outcome.killed is not None
    assert len(outcome.killed) == 12
    # The eleventh and the twelfth have only their last line; that nobody is left is said in whole again.
    said = list(lab.m.log)
    assert sum("invoked oom-killer" in line for line in said) == 11
    assert sum("Killed process" in line for line in said) == 12


def test_a_machine_with_nothing_to_take_back_goes_round_seventeen_times() -> None:
    lab = small(profile="tiny-16m", memory="16M")
    outcome = lab("alloc_page", gfp="GFP_KERNEL", until="null")
    assert (outcome.verdict, outcome.killed) == ("panic", None)
    stalls = [n for name, n in lab.m.vm_events.items() if name.startswith("allocstall")]
    assert stalls == [17]


def test_who_is_never_to_be_killed_is_passed_over() -> None:
    lab = small()
    grow(lab, "dear", 6000)
    assert lab("sysctl", name="vm.oom_score_adj", value=-1000, task="dear").ret == 0
    grow(lab, "old", 1000)
    assert grow(lab, "asks", 6600).killed == ["asks"]
    assert lab("sysctl", name="oom_score_adj", value=1001, task="dear").ret == -22
    assert lab("sysctl", name="oom_score_adj", value=1000, task="old").ret == 0
    assert lab("fork", child="young", task="old").verdict == "ok"
    assert lab.m.tasks["young"].oom_score_adj == 1000
    again = boot.restore(lab.m.state())
    assert [task.oom_score_adj for task in again.tasks.values()] == [0, -1000, 1000, 1000]


def test_the_first_process_is_never_killed() -> None:
    lab = small()
    lab("execve", task="init")
    grow(lab, "init", 6000)
    assert OF_TASKS["oom_score"](lab.m, lab.m.tasks["init"]) == "0\n"
    outcome = grow(lab, "asks", 6600)
    assert outcome.killed == ["asks"]
    rows = [row[7] for line in texts(outcome) if (row := ROW.search(line))]
    assert rows == ["asks"]


def test_the_allocating_task_is_killed_where_the_setting_says_so() -> None:
    lab = small()
    lab("sysctl", name="oom_kill_allocating_task", value=1)
    lab("sysctl", name="oom_dump_tasks", value=0)
    grow(lab, "large", 6000)
    outcome = grow(lab, "asks", 6600)
    assert outcome.killed == ["asks"]
    said = texts(outcome)
    assert said[-1].startswith("Out of memory (oom_kill_allocating_task): Killed process")
    assert not any("Tasks state" in line for line in said)
    # A kernel thread has nothing to be killed for.
    assert lab("alloc_pages", gfp="GFP_KERNEL", order=0, repeat=9000).killed == ["large"]


@pytest.mark.parametrize(("value", "word"), [(1, "system-wide"), (2, "compulsory")])
def test_the_machine_stops_rather_than_kill_where_the_setting_says_so(value: int, word: str) -> None:
    lab = small()
    assert lab("sysctl", name="panic_on_oom", value=value).ret == 0
    grow(lab, "large", 6000)
    outcome = grow(lab, "asks", 6600)
    assert (outcome.verdict, outcome.killed) == ("panic", None)
    assert f"Kernel panic - not syncing: Out of memory: {word} panic_on_oom is enabled" in texts(outcome)
    assert list(lab.m.tasks) == ["init", "large", "asks"]


@pytest.mark.parametrize(
    ("mask", "order", "verdict"),
    [
        ("GFP_ATOMIC", 0, "null"),
        ("GFP_KERNEL|__GFP_NORETRY", 0, "null"),
        ("GFP_KERNEL|__GFP_RETRY_MAYFAIL", 0, "null"),
        ("GFP_KERNEL|__GFP_THISNODE", 0, "null"),
        ("GFP_KERNEL", 9, "null"),
        ("GFP_NOFS", 0, "hang"),
        # It gets at all the reserves instead.
        ("GFP_NOIO|__GFP_NOFAIL", 0, "ok"),
    ],
)
def test_nobody_is_killed_for_a_request_that_can_do_without(mask: str, order: int, verdict: str) -> None:
    lab = small()
    grow(lab, "large", 4000)
    lab("alloc_pages", gfp="GFP_KERNEL|__GFP_NORETRY|__GFP_NOWARN", order=0, until="null")
    lab("alloc_pages", gfp="GFP_ATOMIC|__GFP_NOWARN", order=0, until="null")
    outcome = lab("alloc_pages", gfp=mask, order=order)
    assert (outcome.verdict, outcome.killed) == (verdict, None)
    # One that may not fail kills for the same block.
    outcome = lab("alloc_pages", gfp="GFP_KERNEL", order=0)
    assert (outcome.verdict, outcome.killed) == ("ok", ["large"])
    assert outcome.ret is not None


def test_orders_up_to_three_are_had_as_long_as_there_is_somebody_to_kill() -> None:
    lab = small()
    for number in range(3):
        grow(lab, f"p{number}", 2000)
    outcome = lab("alloc_pages", gfp="GFP_KERNEL", order=3, repeat=1400)
    assert (outcome.verdict, outcome.ret) == ("ok", 1400)
    assert outcome.killed


def test_a_process_that_is_killed_in_a_loop_of_allocations_gets_one_more_page() -> None:
    lab = small()
    grow(lab, "asks", 2000)
    outcome = lab("alloc_pages", gfp="GFP_KERNEL", order=0, repeat=20_000, task="asks")
    # The one page is from the reserve; then it notices the signal.
    assert (outcome.verdict, outcome.killed) == ("ok", ["asks"])
    assert outcome.ret < 12_000
    assert list(lab.m.tasks) == ["init"]


def test_a_victim_that_sleeps_is_reaped_and_dies_when_it_is_woken() -> None:
    lab = small()
    page = lab.alloc(task="holder")
    lab("lock_page", pfn=page, task="holder")
    grow(lab, "sleeper", 6500)
    assert lab("lock_page", pfn=page, task="sleeper").verdict == "blocked"
    outcome = grow(lab, "asks", 5500)
    assert (outcome.verdict, outcome.killed) == ("ok", ["sleeper"])
    pid = lab.m.tasks["sleeper"].pid
    assert re.fullmatch(
        rf"oom_reaper: reaped process {pid} \(sleeper\), now anon-rss:0kB, file-rss:\d+kB, shmem-rss:0kB",
        texts(outcome)[-1],
    )
    # It is no candidate any more: the next to need memory is taken itself.
    assert oom_kill.oom_score(lab.m, lab.m.tasks["sleeper"]) == 0
    again = Lab(boot.restore(lab.m.state()))
    again.seq = lab.seq
    for each in (lab, again):
        assert grow(each, "asks", 7000).killed == ["asks"]
        assert each("unlock_page", pfn=page, task="holder").woken == ["sleeper"]
        assert list(each.m.tasks) == ["init", "holder"]
    assert again.m.dump() == lab.m.dump()


# -- readers of the log ----------------------------------------------------------------------------

# As a log reader of an operations team has them.
INVOKED = re.compile(
    r"^(?P<trigger>.+) invoked oom-killer: gfp_mask=(?P<mask>0x[0-9a-f]+)\((?P<flags>[A-Z_|]+)\), "
    r"(nodemask=\S+, )?order=(?P<order>-?\d+), oom_score_adj=(?P<adj>-?\d+)$"
)
ZONE = re.compile(
    r"^Node (?P<node>\d+) (?P<zone>DMA|DMA32|Normal|Movable) free:(?P<free>\d+)kB (boost:\d+kB )?"
    r"min:(?P<min>\d+)kB low:(?P<low>\d+)kB high:(?P<high>\d+)kB .*present:(?P<present>\d+)kB "
    r"managed:(?P<managed>\d+)kB"
)
BUDDY = re.compile(r"^Node (\d+) (DMA|DMA32|Normal): ((?:\d+\*\d+kB (?:\([UMEHCI]+\) )?){11})= (\d+)kB$")
SUMMARY = re.compile(
    r"^oom-kill:constraint=(?P<constraint>CONSTRAINT_\w+),nodemask=\S*?,cpuset=(?P<cpuset>\S+),"
    r"mems_allowed=(?P<mems>\S+),global_oom,task_memcg=(?P<memcg>\S+),task=(?P<task>\S+),pid=(?P<pid>\d+),"
    r"uid=(?P<uid>\d+)$"
)
KILLED = re.compile(
    r"^Out of memory: Killed process (?P<pid>\d+) \((?P<task>.+)\) total-vm:(?P<vm>\d+)kB, "
    r"anon-rss:(?P<anon>\d+)kB, file-rss:(?P<file>\d+)kB, shmem-rss:(?P<shmem>\d+)kB, UID:(?P<uid>\d+) "
    r"pgtables:(?P<tables>\d+)kB oom_score_adj:(?P<adj>-?\d+)$"
)
SLAB = re.compile(r"^(\S+) +(\d+)KB +(\d+)KB$")


def test_a_log_reader_of_others_takes_the_report() -> None:
    lab = small()
    grow(lab, "large", 2000)
    # More slab memory than user pages: then the caches are listed, too.
    lab("kmalloc", size=4096, flags="GFP_KERNEL", repeat=2400)
    said = texts(lab("alloc_pages", gfp="GFP_KERNEL", order=0, repeat=9000, task="driver"))
    found = {
        name: [match for line in said if (match := pattern.match(line))]
        for name, pattern in (
            ("invoked", INVOKED), ("zone", ZONE), ("buddy", BUDDY), ("row", ROW), ("summary", SUMMARY),
            ("killed", KILLED), ("slab", SLAB),
        )
    }  # fmt: skip
    (invoked,) = found["invoked"]
    assert invoked["trigger"], invoked["order"] == ("driver", "0")
    assert [match["zone"] for match in found["zone"]] == ["DMA", "DMA32"]
    for zone, blocks in zip(found["zone"], found["buddy"], strict=True):
        total = sum(int(n) * int(size) for n, size in re.findall(r"(\d+)\*(\d+)kB", blocks[3]))
        assert total == int(blocks[4])
        assert abs(total - int(zone["free"])) <= 4 * 2 * lab.m.zones[0].stat_threshold
    (row,), (summary,), (killed,) = found["row"], found["summary"], found["killed"]
    assert row[1] == summary["pid"] == killed["pid"]
    assert int(row[3]) * 4 == sum(int(killed[kind]) for kind in ("anon", "file", "shmem"))
    assert killed["task"] == "large"
    at = said.index("Unreclaimable slab info:")
    assert said[at + 1] == "Name                      Used          Total"
    assert ("kmalloc-4k", "9600") in [match.groups()[:2] for match in found["slab"]]


# -- explained -------------------------------------------------------------------------------------


def test_an_explanation_of_the_end_says_that_nobody_was_left() -> None:
    lab = small(profile="tiny-16m", memory="16M")
    lab("alloc_pages", gfp="GFP_KERNEL|__GFP_NORETRY", order=0, until="null")
    lab.m.trace = trace = Trace(lab.m)
    outcome = lab("alloc_page", gfp="GFP_KERNEL")
    lab.m.trace = None
    said, deciding = conclusion.of(outcome.as_json(lab.m.model), trace.steps, None, {})
    assert said == "The machine stops: System is deadlocked on memory."
    assert deciding is not None
    assert trace.steps[deciding - 1]["fn"] == "panic"
    # One question for each round, and then it is over.
    asked = [
        step["numbers"]["no_progress_loops"] for step in trace.steps if "no_progress_loops" in step["numbers"]
    ]
    assert asked == [*range(1, 17)]


def traced_kill() -> Trace:
    """The steps of a call in which somebody is killed whose score was lowered."""
    lab = small()
    grow(lab, "large", 6000)
    lab("sysctl", name="oom_score_adj", value=-100, task="large")
    grow(lab, "old", 2500)
    grow(lab, "asks", 2500)
    address = int(lab("mmap", task="asks", length=4000 << 12, **ANONYMOUS).ret, 16)
    for page in range(0, 4000, 40):
        lab.m.trace = trace = Trace(lab.m)
        outcome = lab("store", task="asks", addr=address + (page << 12), count=40)
        lab.m.trace = None
        if outcome.killed:
            assert outcome.killed == ["large"]
            return trace
    raise AssertionError("nobody was killed")


def test_an_explanation_says_who_was_chosen_and_why() -> None:
    trace = traced_kill()
    outcome = {"verdict": "ok", "ret": None, "killed": ["large"], "call": "store", "access": []}
    said, deciding = conclusion.of(outcome, trace.steps, None, {})
    assert said.startswith("large killed: large (pid 1001) has the highest score: ")
    assert deciding is not None
    assert trace.steps[deciding - 1]["fn"] == "select_bad_process"
    chosen = next(step for step in trace.steps if step["fn"] == "select_bad_process")
    assert chosen["numbers"]["scores"][0][0] == "large"
    assert "has the highest score" in chosen["what"]
    assert "-100 · 12" in chosen["what"]
    names = [step["fn"] for step in trace.steps]
    order = ["should_reclaim_retry", "select_bad_process", "__oom_kill_process", "get_signal"]
    places = [names.index(name) for name in order]
    assert places == sorted(places)
    (victim,) = [point for point in trace.points if "mark_victim" in point]
    assert re.search(
        r"mark_victim: pid=1001 comm=large total-vm=\d+kB anon-rss=\d+kB file-rss:\d+kB shmem-rss:0kB uid=0 "
        r"pgtables=\d+kB oom_score_adj=-100$",
        victim,
    )


# -- reclaim between two compactions ---------------------------------------------------------------


@pytest.mark.parametrize("mask", ["__GFP_RETRY_MAYFAIL", "__GFP_NORETRY", "0"])
def test_a_large_block_is_sought_by_compaction_before_reclaim_and_after(mask: str) -> None:
    lab = small()
    runs = lab("alloc_pages", gfp="GFP_KERNEL|__GFP_NORETRY|__GFP_NOWARN", order=0, until="null").runs
    assert runs is not None
    pfns = [pfn for first, count, *_ in runs for pfn in range(first, first + count)]
    lab("__free_pages", page=[[pfn, 1] for pfn in sorted(pfns)[::2]], order=0)
    lab("drain_all_pages")
    lab.m.trace = trace = Trace(lab.m)
    base = "__GFP_DIRECT_RECLAIM|__GFP_IO|__GFP_FS|__GFP_NOWARN"
    outcome = lab("alloc_pages", gfp=f"{base}|{mask}", order=9)
    lab.m.trace = None
    assert (outcome.verdict, outcome.killed) == ("null", None)
    wanted = re.compile(r"(mm_compaction_try_to_compact_pages|mm_vmscan_direct_reclaim_end): .*?(\w+=\d+)$")
    found = [match.groups() for point in trace.points if (match := wanted.search(point))]
    assert found == [
        ("mm_compaction_try_to_compact_pages", "priority=2"),
        # It stops after its first look: enough is free, only in pieces.
        ("mm_vmscan_direct_reclaim_end", "nr_reclaimed=1"),
        ("mm_compaction_try_to_compact_pages", "priority=2" if "NORETRY" in mask else "priority=1"),
    ]
    assert lab.m.vm_events["compact_stall"] == lab.m.vm_events["compact_fail"] == 2
