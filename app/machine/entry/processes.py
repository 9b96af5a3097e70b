"""Calls that make processes and end them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import observing
from app.machine.entry import system_call
from app.machine.entry.declare import Declarations
from app.machine.entry.system_call import Row, declare, running_as
from app.machine.vocabulary import Arg, Cost, Returns
from app.mm import errno, fault, memory, printk, signal
from app.mm import exec as programs
from app.mm import exit as kernel_exit
from app.mm import fork as forks
from app.mm.internal import GAVE_UP
from app.mm.namei import PROGRAM
from app.mm.sched import INIT_PID, fatal_signal_pending

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.mm.fault import Signal

calls = Declarations("processes")


def resident(m: Machine, call: Call, given: int | None) -> int:
    """Pages of the caller, or of who is meant: each is copied, or given back."""
    task = m.tasks.get(call.args["task"] if call.spec.names_task else call.task)
    return 0 if task is None or task.mm is None else task.mm.mm_rss


BY_SIZE: Final = Cost(held=resident)


def end_by_signal(
    m: Machine, met: Signal, address: int, *, write: bool = False, execute: bool = False
) -> None:
    """A signal without a handler ends the running task. init survives: a real kernel would panic."""
    if met[0] == fault.NO_SIGNAL:
        return
    task = m.tasks[m.current.task]
    assert task.mm is not None
    code = memory.cpu_access(task.mm, address, write=write, execute=execute) or 0
    signal.force_sig_fault(m, met, code | fault.X86_PF_USER)


@declare(
    calls,
    "execve",
    (
        Arg(
            "path", "program", "const char *", "/bin/NAME: all are one program", False, PROGRAM,
            example=PROGRAM, prefill=PROGRAM,
        ),
    ),
    "int execve(const char *path, char *const argv[], char *const envp[])",
    "fs/exec.c do_execveat_common",
    "Give the task a new address space and run a program in it.",
    returns=Returns.INT,
    needs_mm=False,
    cost=BY_SIZE,
)  # fmt: skip
def execve(m: Machine, call: Call, row: Row) -> None:
    """The first instruction's fault is part of it. Kernel: fs/exec.c do_execveat_common"""
    ret, met = programs.execve(m, call.args["path"])
    task = m.tasks[call.task]
    task.comm = call.task[:15]
    if m.current.verdict in GAVE_UP:
        ret, met = -errno.ENOMEM, None
        if task.pid != INIT_PID:
            kernel_exit.end(m, task)
    if ret == 0:
        row.was.append(observing.nothing_before(task))
    system_call.number(m, row, ret)
    if met is not None and task.mm is not None:
        end_by_signal(m, met, task.mm.start_code, execute=True)


@declare(
    calls,
    "fork",
    (Arg("child", "task", "", "name of the new task", example="b"),),
    "pid_t fork(void)",
    "kernel/fork.c kernel_clone",
    "Start a child with a copy of the task's address space.",
    returns=Returns.PID,
    cost=BY_SIZE,
)
def fork(m: Machine, call: Call, row: Row) -> None:
    """The child's first instruction is part of it. Kernel: kernel/fork.c kernel_clone"""
    name = call.args["child"]
    child = forks.fork(m, name)
    killed = fatal_signal_pending(m)
    if killed or m.current.verdict in GAVE_UP:
        with running_as(m, child):
            kernel_exit.end(m, child)
        system_call.handle(m, row, "pid", -errno.EINTR if killed else -errno.ENOMEM)
        return
    child.comm = name[:15]
    row.was.append(observing.nothing_before(child))
    row.follow(child)
    system_call.handle(m, row, "pid", child.pid)
    assert child.mm is not None
    with running_as(m, child):
        at = child.mm.start_code
        met = fault.user_access(m, at, execute=True)
        if met is not None:
            end_by_signal(m, met, at, execute=True)


@declare(
    calls,
    "exit",
    (Arg("status", "status", "int", "what the parent is told", False, 0, prefill="0"),),
    "void exit(int status)",
    "kernel/exit.c do_exit",
    "End the task: its address space, its files and its own objects are given back.",
    returns=Returns.NOTHING,
    needs_mm=False,
    cost=BY_SIZE,
)
def exit_task(m: Machine, call: Call, row: Row) -> None:
    """Kernel: kernel/exit.c do_exit"""
    task = m.tasks[call.task]
    if task.pid == INIT_PID:
        printk.refused(m, "init does not exit: a real kernel panics, Attempted to kill init!")
        return
    kernel_exit.end(m, task)
