"""The kernel log: a ring of lines, stamped with the seq of the call that wrote them.

Kernel: kernel/printk/printk.c, lib/dump_stack.c, kernel/panic.c, lib/bug.c, arch/x86/kernel/dumpstack.c,
arch/x86/mm/fault.c. What the kernel prints only so often in a time is printed so often in a call: the log's
clock is the seq. A WARN_ON_ONCE speaks once per machine, as on a real one. Registers, code bytes and call
traces are left out: there is no stack to trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from app.mm import gfp as gfp_masks
from app.mm import show_mem

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

LOG_BUF_LEN: Final = 128 * 1024
# Lines that one call's outcome shows; the ring holds what comes after.
MAX_LINES_OF_A_CALL: Final = 500
# Longer lines are cut. Only the list of modules can be so long, of a machine that has loaded hundreds.
MAX_LINE: Final = 8 * 1024

PREEMPT_COUNT: Final = {
    "process": 0, "atomic": 0x1, "irqsoff": 0x1, "softirq": 0x100, "tasklet": 0x100, "hardirq": 0x10000,
}  # fmt: skip
IRQS_DISABLED: Final = ("irqsoff", "hardirq")

CUT_HERE: Final = "------------[ cut here ]------------"
END_TRACE: Final = "---[ end trace 0000000000000000 ]---"

# Kernel: include/linux/panic.h. A tainted kernel says in every later report what has happened to it before.
TAINT_BAD_PAGE: Final = 1 << 5
TAINT_DIE: Final = 1 << 7
TAINT_WARN: Final = 1 << 9
TAINT_FLAGS_MAX: Final = (1 << 19) - 1
TAINT_LETTERS: Final = "GFSRMBUDAWCIOELKXTN"


class Oops(Exception):  # noqa: N818 - the kernel's word
    """The kernel has printed a BUG or an oops; on a real machine the calling task would now be dead."""


def printk(m: Kernel, text: str) -> None:
    """Write to the log of the machine and of the call that runs; each line of the text gets its own stamp."""
    if m.current.panicked:
        return
    stamp = f"[{m.current.seq // 1_000_000:5d}.{m.current.seq % 1_000_000:06d}] "
    for part in text.split("\n"):
        line = stamp + part[:MAX_LINE]
        if len(m.current.lines) < MAX_LINES_OF_A_CALL:
            m.current.lines.append(line)
        m.log.append(line)
        m.log_bytes += len(line) + 1
    while m.log_bytes > LOG_BUF_LEN:
        m.log_bytes -= len(m.log.popleft()) + 1


def panic(m: Kernel, text: str) -> None:
    """The last line: no CPU goes on, so nothing more is printed. Kernel: kernel/panic.c panic"""
    printk(m, f"Kernel panic - not syncing: {text}")
    m.current.panicked = m.rules >= 2
    m.current.eventful = True


def panic_and_halt(m: Kernel, text: str) -> None:
    """The end of everything, with what stands around it. Kernel: kernel/panic.c panic

    The lines after the first are those that a screen shows; nothing follows them.
    """
    printk(m, f"Kernel panic - not syncing: {text}")
    dump_stack(m)
    printk(m, f"---[ end Kernel panic - not syncing: {text} ]---")
    m.current.panicked = True
    m.current.eventful = True


def ratelimit(m: Kernel, name: str, burst: int) -> bool:
    """Whether a text may be printed once more. Kernel: lib/ratelimit.c ___ratelimit

    The kernel counts by time. Here the log's clock stands still while a call runs, and the next
    call is much later.
    """
    m.current.printed[name] = printed = m.current.printed.get(name, 0) + 1
    m.current.eventful = True
    return printed <= burst or m.rules < 2


def refused(m: Kernel, text: str) -> None:
    """Say what a real kernel would have done to itself here, and this one does not.

    No kernel prints such a line.
    """
    m.worsen("warn")
    printk(m, f"kmemlab: {text}")


def hang(m: Kernel, text: str) -> NoReturn:
    """The kernel would never come back from here. No kernel prints such a line."""
    m.current.verdict = "hang"
    printk(m, f"kmemlab: {text}")
    raise Oops(text)


# -- what every report ends with -------------------------------------------------------------------


def print_tainted(m: Kernel) -> str:
    """Kernel: kernel/panic.c print_tainted"""
    if not m.taint:
        return "Not tainted"
    letters = (letter if not bit or m.taint >> bit & 1 else " " for bit, letter in enumerate(TAINT_LETTERS))
    return "Tainted: " + "".join(letters)


def dump_stack(m: Kernel) -> None:
    """Who was running. Kernel: lib/dump_stack.c dump_stack_print_info"""
    release = m.kernel.get("release", "6.1.192")
    printk(
        m, f"CPU: {m.current.cpu} PID: {m.pid()} Comm: {m.current.task[:20]} {print_tainted(m)} {release} #1"
    )


def print_modules(m: Kernel) -> None:
    """Kernel: kernel/module/main.c print_modules. The latest comes first."""
    printk(m, " ".join(["Modules linked in:", *reversed(m.vmap.modules)]))


# -- warnings --------------------------------------------------------------------------------------


def warn(m: Kernel, place: str, function: str, message: str | None = None) -> None:
    """A WARN_ON, or a WARN with a message of its own: report and go on. Kernel: kernel/panic.c __warn

    place: `file:line` of the check. function: the function that it was compiled into.
    """
    m.worsen("warn")
    printk(m, CUT_HERE)
    if message is not None:
        printk(m, message)
    printk(m, f"WARNING: CPU: {m.current.cpu} PID: {m.pid()} at {place} {function}")
    print_modules(m)
    dump_stack(m)
    printk(m, END_TRACE)
    m.taint |= TAINT_WARN


def warn_on_once(m: Kernel, place: str, function: str) -> bool:
    """A WARN_ON_ONCE: speaks the first time only. Returns whether it spoke."""
    if place in m.warned:
        return False
    m.warned[place] = None
    warn(m, place, function)
    return True


# -- bugs and oopses -------------------------------------------------------------------------------


def bug(m: Kernel, text: str) -> NoReturn:
    """A BUG(): an instruction that no CPU knows, put where the kernel cannot go on.

    Kernel: lib/bug.c report_bug. text: `kernel BUG at file:line!`. Ends the call, as the kernel would end
    the task.
    """
    print_bug(m, text)
    die(m, "invalid opcode: 0000")


def print_bug(m: Kernel, text: str) -> None:
    """The two lines by which a BUG() is known."""
    m.worsen("bug")
    printk(m, CUT_HERE)
    printk(m, text)


def die(m: Kernel, what: str, summary: str | None = None) -> NoReturn:
    """The oops itself: what happened, to whom, for the how manieth time.

    Kernel: arch/x86/kernel/dumpstack.c __die
    """
    m.current.verdict = "bug"
    m.die_counter += 1
    printk(m, f"{what} [#{m.die_counter}] PREEMPT SMP NOPTI")
    dump_stack(m)
    print_modules(m)
    if summary is not None:
        printk(m, summary)
    printk(m, END_TRACE)
    m.taint |= TAINT_DIE
    raise Oops(what)


def page_fault(m: Kernel, address: int, *, write: bool = False) -> NoReturn:
    """The kernel followed a pointer to where no memory is. Kernel: arch/x86/mm/fault.c show_fault_oops"""
    shown = pointer(m, address)
    if address < 4096:
        printk(m, f"BUG: kernel NULL pointer dereference, address: {shown}")
    else:
        printk(m, f"BUG: unable to handle page fault for address: {shown}")
    code = 2 if write else 0
    printk(m, f"#PF: supervisor {'write' if write else 'read'} access in kernel mode")
    printk(m, f"#PF: error_code(0x{code:04x}) - not-present page")
    die(m, f"Oops: {code:04x}", f"CR2: {shown}")


def pointer(m: Kernel, address: int) -> str:
    """A pointer as `%px` prints it, and `%p` with `no_hash_pointers`.

    Kernel: lib/vsprintf.c pointer_string
    """
    return f"{address:0{2 * m.model.sizeof_long}x}"


# -- sleeping where one must not -------------------------------------------------------------------


def might_sleep(m: Kernel, file: str, line: int, gfp: int | None = None) -> None:
    """Report a function that may sleep where one must not. Kernel: kernel/sched/core.c __might_resched

    Only a kernel with DEBUG_ATOMIC_SLEEP says so; without it the call usually works, until one day it
    does sleep and the machine hangs. That is why the check is made at every call and not only when
    sleeping becomes necessary. It prints one report a second, so one for each call here.

    gfp: the mask of an allocation, of which __GFP_DIRECT_RECLAIM says that it may sleep.
    """
    if m.current.context == "process" or not m.debug:
        return
    m.worsen("bug")
    where = {"context": m.current.context, "place": f"{file}:{line}"}
    if gfp is None:
        m.mistake("sleeping", **where)
    else:
        m.mistake("sleeping_allocation", **where, gfp=gfp, mask=gfp_masks.pGg(gfp))
    if not ratelimit(m, "__might_resched", 1):
        return
    printk(m, f"BUG: sleeping function called from invalid context at {file}:{line}")
    irqs_disabled = int(m.current.context in IRQS_DISABLED)
    printk(
        m,
        f"in_atomic(): 1, irqs_disabled(): {irqs_disabled}, non_block: 0, pid: {m.pid()}, "
        f"name: {m.current.task}",
    )
    printk(m, f"preempt_count: {PREEMPT_COUNT[m.current.context]:x}, expected: 0")
    printk(m, "RCU nest depth: 0, expected: 0")
    dump_stack(m)
    m.taint |= TAINT_WARN


def scheduling_while_atomic(m: Kernel) -> None:
    """The scheduler was called from where nobody can be switched out.

    Kernel: kernel/sched/core.c __schedule_bug. Every kernel checks this. The scheduler has raised the
    count by one itself when it looks.
    """
    m.worsen("bug")
    m.mistake("schedule_in_atomic", context=m.current.context)
    preempt_count = PREEMPT_COUNT[m.current.context] + 1
    printk(m, f"BUG: scheduling while atomic: {m.current.task}/{m.pid()}/0x{preempt_count:08x}")
    print_modules(m)
    dump_stack(m)
    m.taint |= TAINT_WARN


# -- memory is short -------------------------------------------------------------------------------


def warn_alloc(m: Kernel, gfp: int, what: str) -> None:
    """The report of a failed allocation, with the state of memory. Kernel: mm/page_alloc.c warn_alloc

    The kernel allows one in ten seconds; here it is one for each call, so a call that loops reports its
    first failure.
    """
    if gfp & gfp_masks.__GFP_NOWARN or m.current.alloc_warned:
        return
    m.current.alloc_warned = True
    m.current.eventful = True
    nids = sorted(node.nid for node in m.nodes)
    mems_allowed = f"{nids[0]}-{nids[-1]}" if len(nids) > 1 else f"{nids[0]}"
    printk(
        m,
        f"{m.current.task}: {what}, mode:{gfp:#x}({gfp_masks.pGg(gfp)}), nodemask=(null)"
        f",cpuset=/,mems_allowed={mems_allowed}",
    )
    dump_stack(m)
    printk(m, show_mem.show_mem(m, gfp))


def oom(m: Kernel, gfp: int, order: int) -> None:
    """The report of the OOM killer, which finds no process to kill.

    Kernel: mm/oom_kill.c dump_header, out_of_memory. A real machine panics there: with nothing left to
    kill, nobody can ever go on.
    """
    printk(
        m,
        f"{m.current.task} invoked oom-killer: gfp_mask={gfp:#x}({gfp_masks.pGg(gfp)}), order={order}, "
        "oom_score_adj=0",
    )
    dump_stack(m)
    printk(m, show_mem.show_mem(m, gfp))
    # Where slabs hold more pages than user space, of which this machine has none.
    if m.rules >= 2 and show_mem.nr_slab_pages(m)[1]:
        printk(m, show_mem.unreclaimable_slab_info(m))
    printk(m, "Tasks state (memory values in pages):")
    printk(m, "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name")
    printk(m, "Out of memory and no killable processes...")
    panic(m, "System is deadlocked on memory")
