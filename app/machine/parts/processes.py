"""Processes in a dump: `vm`, which a machine has only once anything has used it.

Between two calls no page is on its way and no file waits to be closed, so what the kernel keeps only
within a call is not part of it. What follows from the rest is counted anew: who holds an open file, and
how often it is open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.parts import lru_lists, vm_files, vm_pages, vm_rules, vm_spaces, vm_swap
from app.machine.parts.frames import load_pfn
from app.machine.parts.part import Dump, Part
from app.mm import objects
from app.mm.hugetlb import Hstate
from app.mm.oom_kill import OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MIN
from app.mm.virtual_memory import Oom

if TYPE_CHECKING:
    from app.machine.document import Document
    from app.machine.machine import Machine
    from app.mm.fs import File
    from app.mm.sched import Task

THP: Final = ("always", "madvise", "never")
NUMBERS: Final = (
    "last_id", "zero_pfn", "huge_zero_page", "huge_zero_refcount", "overcommit_memory", "overcommit_ratio",
    "vm_committed", "total_swap_pages",
)  # fmt: skip
TASK_NUMBERS: Final = ("parent", "rss_events", "stack", "min_flt", "maj_flt")
# What the OOM killer is told and has done; a dump has it where it is not as at boot.
OOM_NUMBERS: Final = ("dump_tasks", "kill_allocating_task", "panic_on_oom", "panicked")
MAX: Final = 1 << 64


# -- writing ---------------------------------------------------------------------------------------


def is_untouched(m: Machine) -> bool:
    """Whether nothing has used any of it since boot."""
    vm = m.vm
    if m.vm.reclaim and not lru_lists.is_untouched(m):
        return False
    used = vm.last_id or vm.object_caches or vm.hstates or vm.overcommit_memory or any(vm.stat.values())
    used = used or oom_part(m) or any(task.oom_score_adj for task in m.tasks.values())
    return not used and vm.overcommit_ratio == 50 and vm.thp == m.config.get("transparent_hugepage", "never")


def dump(m: Machine, doc: Dump) -> None:
    """`vm`."""
    if is_untouched(m):
        return
    vm = m.vm
    files = vm_files.open_files(m)
    number_of = {id(file): number for number, file in enumerate(files)}
    doc["vm"] = {
        **{name: getattr(vm, name) for name in NUMBERS},
        "thp": vm.thp,
        "caches": bool(vm.object_caches),
        "objects_taken": counts(vm.objects_taken),
        "objects_given": counts(vm.objects_given),
        "cached_stacks": list(vm.cached_stacks),
        "stat": counts(vm.stat),
        "special_pages": {name: list(pages) for name, pages in sorted(vm.special_pages.items())},
        "pools": [
            [order, list(pool.freelist), pool.reserved, pool.total]
            for order, pool in sorted(vm.hstates.items())
        ],
        "pool_pages": vm_pages.pairs(vm.pool_pages),
        "died": vm_pages.pairs(vm.died),
        **vm_pages.dump(m),
        **vm_spaces.dump(m, number_of),
        **vm_files.dump(m, files),
        **vm_swap.dump(m),
        "tasks": [task_line(task, number_of) for task in m.tasks.values() if is_process(task)],
        **oom_part(m),
    }


def oom_part(m: Machine) -> dict[str, Any]:
    """`oom`, where it is not as at boot."""
    fresh = Oom()
    changed = any(getattr(m.vm.oom, name) != getattr(fresh, name) for name in OOM_NUMBERS)
    return {"oom": {name: getattr(m.vm.oom, name) for name in OOM_NUMBERS}} if changed else {}


def counts(found: dict[str, int]) -> dict[str, int]:
    """Counters that are not 0, by name."""
    return {name: count for name, count in sorted(found.items()) if count}


def is_process(task: Task) -> bool:
    """Whether a task has more than a kernel thread that has just been named."""
    return bool(
        task.mm is not None or task.files or task.objects or task.min_flt or task.maj_flt or task.parent
        or task.rss_events or task.stack or task.comm != task.name[:15] or task.oom_score_adj
    )  # fmt: skip


def task_line(task: Task, number_of: dict[int, int]) -> dict[str, Any]:
    """What a task has as a process."""
    return {
        "name": task.name,
        "comm": task.comm,
        "mm": None if task.mm is None else task.mm.id,
        "files": [[fd, number_of[id(file)]] for fd, file in sorted(task.files.items())],
        "rss": list(task.rss_stat),
        "objects": [[name, f"{address:#x}"] for name, address in task.objects],
        **{name: getattr(task, name) for name in TASK_NUMBERS},
        **({"oom_score_adj": task.oom_score_adj} if task.oom_score_adj else {}),
        **({"oom_victim": True} if task.oom_victim else {}),
    }


# -- reading ---------------------------------------------------------------------------------------


def load(m: Machine, document: Document) -> None:
    """Inverse of `dump`."""
    if not document.has("vm"):
        return
    doc = document["vm"]
    vm = m.vm
    for name in NUMBERS:
        setattr(vm, name, doc[name].int(-1, MAX))
    vm.thp = doc["thp"].choice(*THP)
    if doc["caches"].bool():
        names = objects.SIZES[m.model.arch]
        vm.object_caches = {name: m.caches[name] for name in names if name in m.caches}
    for name in ("objects_taken", "objects_given", "stat"):
        for key, count in doc[name].items():
            getattr(vm, name)[key] = count.int(-(1 << 60), 1 << 60)
    vm.cached_stacks = doc["cached_stacks"].ints(0, MAX, 64)
    for name, pages in doc["special_pages"].items():
        vm.special_pages[name] = tuple(load_pfn(m, pfn) for pfn in pages.list(2))
    for line in doc["pools"].list(8):
        order, free, reserved, total = line.list(4, exactly=4)
        size = order.int(9, 18)
        pool = vm.hstates[size] = Hstate(size, [load_pfn(m, pfn) for pfn in free.list(1 << 20)], 0)
        pool.reserved, pool.total = reserved.int(0, 1 << 30), total.int(0, 1 << 30)
    for line in doc["pool_pages"].list(1 << 20):
        pfn, bought = line.list(2, exactly=2)
        vm.pool_pages[load_pfn(m, pfn)] = bought.bool()
    for line in doc["died"].list(1 << 20):
        dead, seq = line.list(2, exactly=2)
        vm.died[dead.str(32)] = seq.int(0, 1 << 53)
    vm_pages.load(m, doc)
    vm_files.load_inodes(m, doc)
    files = vm_files.load_files(m, doc)
    vm_spaces.load(m, doc, files)
    vm_files.load_mappings(m, doc)
    vm_swap.load(m, doc)
    for line in doc["tasks"].list(1 << 10):
        load_task(m, line, files)
    if doc.has("oom"):
        for name in OOM_NUMBERS:
            setattr(vm.oom, name, doc["oom"][name].int(-(1 << 31), 1 << 53))


def load_task(m: Machine, doc: Document, files: list[File]) -> None:
    """What a task has as a process."""
    task = m.tasks.get(doc["name"].str(32))
    if task is None:
        doc["name"].fault("a task of `tasks`")
    task.comm = doc["comm"].str(15)
    if doc.has("mm"):
        task.mm = m.vm.mms.get(doc["mm"].int(1, MAX))
        if task.mm is None:
            doc["mm"].fault("the id of an address space")
    for entry in doc["files"].list(1024):
        fd, number = entry.list(2, exactly=2)
        file = task.files[fd.int(0, 1 << 20)] = files[number.int(0, len(files) - 1)]
        file.f_count += 1
    task.rss_stat = doc["rss"].ints(-(1 << 40), 1 << 40, 4, exactly=4)
    for entry in doc["objects"].list(16):
        cache, address = entry.list(2, exactly=2)
        task.objects.append((cache.choice(*objects.SIZES[m.model.arch]), address.int(0, MAX)))
    for name in TASK_NUMBERS:
        setattr(task, name, doc[name].int(0, MAX))
    task.oom_score_adj = doc.get("oom_score_adj", 0).int(OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX)
    task.oom_victim = doc.get("oom_victim", False).bool()


PART: Final = Part("processes", dump, load, vm_rules.verify, verify_counts=vm_rules.verify_counts)
