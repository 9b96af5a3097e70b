"""The kernel log: a ring of lines, stamped with the seq of the call that wrote them.

Kernel: kernel/printk/printk.c, lib/dump_stack.c, mm/page_alloc.c warn_alloc. Nothing is rate limited, so that the same calls
always write the same lines; a WARN_ON_ONCE speaks once per machine, as on a real one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from app.mm import gfp as gfp_masks

if TYPE_CHECKING:
    from app.mm.machine import Machine

LOG_BUF_LEN: Final = 128 * 1024

PREEMPT_COUNT: Final = {"process": 0, "atomic": 0x1, "softirq": 0x100, "tasklet": 0x100, "hardirq": 0x10000}


class Oops(Exception):  # noqa: N818 - the kernel's word
    """The kernel has printed a BUG or an oops; on a real machine the calling task would now be dead."""


def printk(m: Machine, text: str) -> None:
    """Write a line to the log of the machine and of the call that runs."""
    line = f"[{m.seq // 1_000_000:5d}.{m.seq % 1_000_000:06d}] {text}"
    m.lines.append(line)
    m.log.append(line)
    m.log_bytes += len(line) + 1
    while m.log_bytes > LOG_BUF_LEN:
        m.log_bytes -= len(m.log.popleft()) + 1


def bug(m: Machine, text: str) -> NoReturn:
    """Print a BUG or oops text and end the call, as the kernel would end the task."""
    m.verdict = "bug"
    printk(m, text)
    raise Oops(text)


def warn(m: Machine, place: str, function: str, message: str | None = None) -> None:
    """A WARN_ON, or a WARN with its message: report and go on."""
    m.worsen("warn")
    printk(m, "------------[ cut here ]------------")
    if message is not None:
        printk(m, message)
    printk(m, f"WARNING: CPU: {m.cpu} PID: {m.pid()} at {place} {function}")
    printk(m, "---[ end trace 0000000000000000 ]---")


def pointer(m: Machine, address: int) -> str:
    """An address as `%p` writes it where pointers are not hashed. Kernel: lib/vsprintf.c pointer_string"""
    return f"{address:0{m.model.ptr_max.bit_length() // 4}x}"


def warn_on_once(m: Machine, place: str, function: str) -> bool:
    """A WARN_ON_ONCE: speaks the first time only. Returns whether it spoke."""
    if place in m.warned:
        return False
    m.warned[place] = None
    warn(m, place, function)
    return True


def might_sleep(m: Machine, file: str, line: int) -> None:
    """Report a function that may sleep where one must not. Kernel: kernel/sched/core.c __might_sleep

    Only a kernel with DEBUG_ATOMIC_SLEEP says so; without it the call usually works, until one day it does sleep and the
    machine hangs. That is why the check is made at every call and not only when sleeping becomes necessary.
    """
    if m.context == "process" or not m.debug:
        return
    m.worsen("bug")
    count = PREEMPT_COUNT[m.context]
    printk(m, f"BUG: sleeping function called from invalid context at {file}:{line}")
    printk(
        m,
        f"in_atomic(): 1, irqs_disabled(): {int(m.context == 'hardirq')}, non_block: 0, pid: {m.pid()}, name: {m.task}",
    )
    printk(m, f"preempt_count: {count:x}, expected: 0")
    printk(m, "RCU nest depth: 0, expected: 0")


def warn_alloc(m: Machine, gfp: int, what: str) -> None:
    """The report of a failed allocation. Kernel: mm/page_alloc.c warn_alloc"""
    if gfp & gfp_masks.__GFP_NOWARN:
        return
    nodes = ",".join(str(node.nid) for node in m.nodes)
    printk(
        m,
        f"{m.task}: {what}, mode:{gfp:#x}({gfp_masks.pGg(gfp)}), nodemask=(null)"
        f",cpuset=/,mems_allowed={f'0-{len(m.nodes) - 1}' if len(m.nodes) > 1 else nodes}",
    )


def oom(m: Machine, gfp: int, order: int) -> None:
    """The report of the OOM killer, which finds no process to kill. Kernel: mm/oom_kill.c dump_header, out_of_memory"""
    printk(
        m, f"{m.task} invoked oom-killer: gfp_mask={gfp:#x}({gfp_masks.pGg(gfp)}), order={order}, oom_score_adj=0"
    )
    printk(m, "Out of memory and no killable processes...")
