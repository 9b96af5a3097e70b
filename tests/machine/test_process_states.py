"""Any system calls of any processes in any order: nothing is lost, counts agree, and a dump goes on alike."""

import json
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.errors import TaskAlive
from app.machine import boot, invariants, parsing
from app.machine.frame_states import FrameStates
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.mm import mem_map, page_ref, swap

MACHINES: tuple[dict[str, Any], ...] = (
    {"profile": "x86_64-1g"},
    {"profile": "x86_64-1g", "transparent_hugepage": "always"},
    {"profile": "i386-1g"},
    {"profile": "tiny-16m"},
    {"profile": "x86_64-1g", "reclaim": True, "nodes": 2, "cpus": 2},
)
NAMES = ("a", "b", "c")
PATHS = ("/data/a", "/tmp/x", "/tmp/y", "/bin/hello")
PROTS = (0, 1, 3, 3, 3)
FLAGS = (0x22, 0x22, 0x22, 0x21, 0x8022, 0x4022, 0x40022)
ADVICE = ("MADV_DONTNEED", "MADV_FREE", "MADV_WILLNEED", "MADV_DONTFORK", "MADV_REMOVE", "MADV_HUGEPAGE")
NUMBERS = st.integers(0, 1 << 30)


def free_frames(m: Machine) -> int:
    return m.nr_free_pages + sum(pcp.count for zone in m.zones for pcp in zone.pcp)


class Processes(RuleBasedStateMachine):
    """Up to three processes on one machine, and now and then a second machine made of its dump."""

    @initialize(which=st.sampled_from(MACHINES))
    def begin(self, which: dict[str, Any]) -> None:
        self.m = boot.boot({**which, "process_caches": False})
        self.twin: Machine | None = None
        self.seq = 0
        self.free = free_frames(self.m)
        self.m.frame_states = FrameStates(self.m)
        self.call("execve", task="a")

    def call(self, name: str, /, **args: Any) -> Outcome | None:
        self.seq += 1
        call = parsing.parse(name, args, self.m.model)
        try:
            made = self.m.apply(call, self.seq)
        except TaskAlive:
            return None
        if self.twin is not None:
            other = self.twin.apply(parsing.parse(name, args, self.twin.model), self.seq)
            assert other.as_json(self.twin.model) == made.as_json(self.m.model)
        return made

    def somewhere(self, task: str, number: int) -> int:
        """An address in or near one of a task's areas."""
        mm = self.m.tasks[task].mm if task in self.m.tasks else None
        if mm is None or not mm.mmap:
            return number << 12 & self.m.model.ptr_max
        vma = mm.mmap[number % len(mm.mmap)]
        return vma.vm_start + (number // 7 % (vma.pages + 1) << 12)

    @rule(task=st.sampled_from(NAMES), number=NUMBERS, count=st.sampled_from((1, 3, 40)), write=st.booleans())
    def touch(self, task: str, number: int, count: int, write: bool) -> None:
        self.call("store" if write else "load", task=task, addr=self.somewhere(task, number), count=count)

    @rule(task=st.sampled_from(NAMES), pages=st.sampled_from((1, 20, 600, 1600)), prot=st.sampled_from(PROTS),
          flags=st.sampled_from(FLAGS))  # fmt: skip
    def mmap(self, task: str, pages: int, prot: int, flags: int) -> None:
        self.call("mmap", task=task, length=pages << 12, prot=prot, flags=flags)

    @rule(
        task=st.sampled_from(NAMES), path=st.sampled_from(PATHS), shared=st.booleans(), fd=st.integers(3, 5)
    )
    def file(self, task: str, path: str, shared: bool, fd: int) -> None:
        self.call("open", task=task, path=path, flags="O_RDWR|O_CREAT")
        self.call("write", task=task, fd=fd, count=9000)
        self.call("mmap", task=task, length=65536, prot=3, flags=1 if shared else 2, fd=fd)

    @rule(task=st.sampled_from(NAMES), number=NUMBERS, pages=st.sampled_from((1, 2, 30, 600)),
          what=st.sampled_from(("munmap", "mprotect", "madvise", "mlock", "munlock", "mremap", "msync")),
          other=NUMBERS)  # fmt: skip
    def change(self, task: str, number: int, pages: int, what: str, other: int) -> None:
        args: dict[str, Any] = {"task": task, "addr": self.somewhere(task, number), "length": pages << 12}
        if what == "mprotect":
            args["prot"] = PROTS[other % len(PROTS)]
        elif what == "madvise":
            args["advice"] = ADVICE[other % len(ADVICE)]
        elif what == "mremap":
            del args["length"]
            args |= {"old_length": pages << 12, "new_length": other % 40 + 1 << 12, "flags": "MREMAP_MAYMOVE"}
        self.call(what, **args)

    @rule(task=st.sampled_from(NAMES), fd=st.integers(3, 6), size=st.sampled_from((0, 5000, 40000)),
          what=st.sampled_from(("ftruncate", "fsync", "close", "read", "posix_fadvise")))  # fmt: skip
    def on_file(self, task: str, fd: int, size: int, what: str) -> None:
        args = {"ftruncate": {"length": size}, "read": {"count": size}}.get(what, {})
        self.call(what, task=task, fd=fd, **args)

    @rule(task=st.sampled_from(NAMES), child=st.sampled_from(NAMES))
    def fork(self, task: str, child: str) -> None:
        if child not in self.m.tasks:
            self.call("fork", task=task, child=child)

    @rule(
        task=st.sampled_from(NAMES),
        how=st.sampled_from(("exit", "kill_task", "execve", "drop_caches", "compact_memory", "unlink")),
    )
    def end(self, task: str, how: str) -> None:
        if how in ("drop_caches", "compact_memory"):
            self.call("sysctl", name=how, value=1)
        elif how == "unlink":
            self.call("unlink", task=task, path=PATHS[len(task) + self.seq & 1])
        else:
            self.call(how, task=task)

    @rule()
    def reopen(self) -> None:
        """Goes on with a machine from the dump beside this one, which must answer alike."""
        document = json.loads(json.dumps(self.m.dump()))
        self.twin = boot.load(document)
        assert self.twin.dump() == document
        state = json.loads(json.dumps(self.m.state()))
        assert boot.restore(state).dump() == document

    @invariant()
    def in_order(self) -> None:
        if hasattr(self, "m"):
            assert not invariants.verify(self.m)
            exact(self.m)

    @invariant()
    def the_map_follows(self) -> None:
        if hasattr(self, "m") and self.m.frame_states is not None:
            states, fresh = self.m.frame_states, FrameStates(self.m)
            states.catch_up()
            for number in range(fresh.end):
                assert bytes(states.strip(number)) == bytes(fresh.strip(number)), hex(number << 10)

    def teardown(self) -> None:
        if not hasattr(self, "m"):
            return
        for name in [name for name in self.m.tasks if name != "init"]:
            self.call("kill_task", task=name)
        swap.lru_add_drain(self.m)
        m = self.m
        assert not m.vm.mms
        assert not m.vm.anon_vmas
        assert m.vm.objects_taken == m.vm.objects_given
        kept = sum(len(inode.i_pages) for inode in m.vm.mappings.values())
        zeros = 512 if m.vm.huge_zero_page >= 0 else 0
        assert free_frames(m) == self.free - kept - zeros


def exact(m: Machine) -> None:
    """Every small page is referenced by its mappings, the cache, batches and buffers: no more and no less."""
    known: Counter[int] = Counter(pfn for inode in m.vm.mappings.values() for pfn in inode.i_pages.values())
    for batch in m.vm.batches.values():
        known.update(page[0] if isinstance(page, tuple) else page for page in batch)
    for pfn, order in page_ref.user_frames(m):
        if not order:
            buffers = bool(mem_map.flags(m, pfn) & 1 << 13)
            assert mem_map.page_count(m, pfn) == mem_map.page_mapcount(m, pfn) + known[pfn] + buffers, hex(
                pfn
            )


def test_processes_stay_in_order_whatever_they_call() -> None:
    run_state_machine_as_test(
        Processes,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
