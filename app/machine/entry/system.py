"""Calls to the machine as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import observing
from app.machine.entry import system_call
from app.machine.entry.declare import Declarations
from app.machine.entry.processes import resident
from app.machine.vocabulary import Arg, Cost, Returns
from app.mm import exit as mm_exit
from app.mm import pcp
from app.mm import sysctl as settings
from app.mm.sysctl import THP_MODES

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

calls = Declarations("system")


def pcp_pages(m: Machine, call: Call, given: int | None) -> int:
    """Pages on all per-CPU lists."""
    return sum(pages.count for zone in m.zones for pages in zone.pcp)


@calls.other(
    "drain_all_pages",
    (),
    "void drain_all_pages(struct zone *zone)",
    "mm/page_alloc.c drain_all_pages",
    "Return all pages of the per-CPU lists to the buddy lists.",
    returns=Returns.NOTHING,
    cost=Cost(held=pcp_pages),
)
def drain_all_pages(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/page_alloc.c drain_all_pages"""
    pcp.drain_all_pages(m)


# Settings that keep no value: written, they have something done with pages of processes and files.
AT_ONCE: Final = ("drop_caches", "compact_memory")


def listed_pages(m: Machine, call: Call, given: int | None) -> int:
    """Pages that such a setting may look at."""
    if call.args["name"] not in AT_ONCE:
        return 0
    return sum(lru.count for lruvec in m.vm.lruvecs for lru in lruvec.lists)


@calls.other(
    "sysctl",
    (
        Arg("name", "sysctl", "const char *", "a setting of /proc/sys/vm", example="min_free_kbytes"),
        Arg("value", "sysctl_value", "int[]", "a number, or numbers separated by blanks", example=16_384),
    ),
    "int proc_dointvec(struct ctl_table *table, int write, …)",
    "kernel/sysctl.c vm_table",
    "Write a setting of /proc/sys/vm, as `sysctl vm.name=value` does.",
    returns=Returns.INT,
    cost=Cost(held=listed_pages),
)
def sysctl(m: Machine, call: Call, outcome: Outcome) -> None:
    """Returns 0 or a negative error. Kernel: kernel/sysctl.c proc_dointvec_minmax and a handler"""
    name, values = call.args["name"], numbers(call.args["value"])
    if name in AT_ONCE:
        moving = name == "compact_memory"
        was = [observing.before(task) for task in m.tasks.values() if moving and task.mm is not None]
        with system_call.telling(m, system_call.Row(outcome, [*was])):
            outcome.ret = settings.write(m, name, values)
    else:
        outcome.ret = settings.write(m, name, values)
    if outcome.ret < 0:
        m.worsen_null()


def numbers(value: int | str) -> list[int]:
    """The value as the call's parser has accepted it: one number, or several separated by blanks."""
    if value in THP_MODES:
        return [THP_MODES.index(str(value))]
    return [int(word) for word in value.split()] if isinstance(value, str) else [value]


@calls.other(
    "kill_task",
    (
        Arg(
            "task",
            "task",
            "struct task_struct *",
            "the task to kill; whoever asks is not a task",
            example="alice",
        ),
    ),
    "int kill(pid_t pid, SIGKILL)",
    "kernel/signal.c do_send_sig_info",
    "End a task: it leaves every queue it sleeps in, and its address space is given back.",
    returns=Returns.INT,
    cost=Cost(held=resident),
)
def kill_task(m: Machine, call: Call, outcome: Outcome) -> None:
    """End a task wherever it sleeps. Kernel: kernel/signal.c kill_proc_info"""
    task = m.tasks.get(call.args["task"])
    if task is not None and task.mm is not None:
        row = system_call.Row(outcome, [observing.before(task)])
        row.follow(task)
        with system_call.telling(m, row), system_call.running_as(m, task):
            outcome.ret = mm_exit.kill(m, task.name)
    else:
        outcome.ret = mm_exit.kill(m, call.args["task"])
    if outcome.ret < 0:
        m.worsen_null()
