"""Any calls in any order, mistakes included: a machine stays in order, keeps its dump, does the same again.

Hypothesis chooses the calls; `invariants.verify` is asked after each. What a call means is for others.
"""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.errors import MachinePanicked, TaskBlocked
from app.machine import boot, calls, invariants, parsing
from app.machine.entry import CALLS
from app.machine.machine import Machine
from app.machine.outcome import VERDICTS, Outcome

MACHINES: tuple[dict[str, Any], ...] = (
    {"profile": "tiny-16m", "cpus": 2},
    {"profile": "tiny-16m", "debug": False, "lecture": True},
    {"profile": "tiny-32m", "debug": False, "cpus": 2},
    {"profile": "tiny-32m"},
    {"profile": "i386-1g"},
)
MASKS = (
    "GFP_KERNEL",
    "GFP_KERNEL|__GFP_COMP",
    "GFP_ATOMIC",
    "GFP_ATOMIC|__GFP_COMP",
    "GFP_NOWAIT",
    "GFP_DMA",
    "GFP_HIGHUSER_MOVABLE",
    "GFP_HIGHUSER_MOVABLE|__GFP_COMP",
    "GFP_KERNEL|__GFP_RECLAIMABLE",
    "GFP_KERNEL|__GFP_MOVABLE|__GFP_RECLAIMABLE",
    "GFP_KERNEL|__GFP_NOFAIL",
    "GFP_KERNEL|__GFP_NORETRY",
    "GFP_NOFS",
)
TASKS = ("init", "alice", "bob", "carol")
CONTEXTS = ("process", "process", "process", "atomic", "irqsoff", "softirq", "tasklet", "hardirq")
ON_PAGES = (
    "get_page",
    "put_page",
    "get_page_unless_zero",
    "page_count",
    "page_address",
    "lock_page",
    "trylock_page",
    "unlock_page",
    "wait_on_page_locked",
    "kmap",
    "kunmap",
    "SetPageDirty",
    "ClearPageDirty",
    "SetPageReserved",
    "ClearPageReserved",
    "page_mapcount",
    "page_to_pfn",
)
LOCKS = ("lock_page", "lock_page", "trylock_page", "unlock_page", "wait_on_page_locked")
COUNTS = ("get_page", "put_page", "get_page_unless_zero", "__free_page")
SIZES = (0, 8, 24, 64, 200, 1000, 3000, 8192, 8193, 40_000, 1 << 20, (4 << 20) + 1)

callers = st.fixed_dictionaries(
    {"task": st.sampled_from(TASKS), "cpu": st.integers(0, 1), "context": st.sampled_from(CONTEXTS)}
)
masks = st.sampled_from(MASKS)
orders = st.sampled_from((0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 9, 10))
wrong_orders = st.sampled_from((0, 1, 2, 3, 4, 9, 10, 11, 31, 0xFFFFFFFF))
places = st.integers(0, 1 << 30)


class Calls(RuleBasedStateMachine):
    """A machine with what has been returned by it, also what has been given back since."""

    def __init__(self) -> None:
        super().__init__()
        self.m: Machine = boot.boot(MACHINES[0])
        self.description = MACHINES[0]
        self.made: list[calls.Call] = []
        self.answers: list[str] = []
        self.blocks: list[tuple[int, int]] = []
        self.frames: list[int] = []
        self.addresses: list[str] = []

    @initialize(description=st.sampled_from(MACHINES))
    def start(self, description: dict[str, Any]) -> None:
        self.description = description
        self.m = boot.boot(description)

    def call(self, name: str, body: dict[str, Any], caller: dict[str, Any] | None = None) -> Outcome | None:
        """Make a call; None where its task sleeps, which must leave no trace."""
        caller = dict(caller or {})
        caller["cpu"] = caller.get("cpu", 0) % self.m.model.cpus
        if any(arg.name == "task" for arg in CALLS[name].args):
            caller.pop("task", None)
        call = parsing.parse(name, body | caller, self.m.model)
        if self.m.vm.oom.panicked:
            with pytest.raises(MachinePanicked):
                self.m.apply(call, len(self.made) + 1)
            return None
        task = self.m.tasks.get(call.task)
        if task is not None and task.waiting_for is not None and name != "kill_task":
            with pytest.raises(TaskBlocked, match=f"{task.waiting_for:#x}"):
                self.m.apply(call, len(self.made) + 1)
            return None
        outcome = self.m.apply(call, len(self.made) + 1)
        self.made.append(call)
        doc = outcome.as_json(self.m.model)
        assert doc["verdict"] in VERDICTS
        self.answers.append(json.dumps(doc))
        return outcome

    def frame(self, place: int) -> int:
        """A frame worth trying: one that was returned, a neighbour of one, or any."""
        if self.frames and place % 8:
            pfn = self.frames[place // 8 % len(self.frames)] + (place >> 20) % 4 * (place % 3 == 0)
        else:
            pfn = place % self.m.model.spans[-1][1]
        return pfn if self.m.model.pfn_valid(pfn) else self.m.model.spans[0][0]

    def address(self, place: int) -> str | None:
        """An address worth trying."""
        if self.addresses and place % 8:
            return self.addresses[place // 8 % len(self.addresses)]
        address = self.m.page_address(self.frame(place))
        return (None, "0x10", "0xffff", f"{address or 0:#x}", f"{(address or 0) + 8:#x}")[place % 5]

    def returned(self, outcome: Outcome | None, order: int) -> None:
        if outcome is not None and outcome.page is not None and outcome.ret is not None:
            self.blocks.append((outcome.page["pfn"], order))
            self.frames.append(outcome.page["pfn"])

    # -- pages -------------------------------------------------------------------------------------

    @rule(gfp=masks, order=orders, caller=callers)
    def alloc(self, gfp: str, order: int, caller: dict[str, Any]) -> None:
        self.returned(self.call("alloc_pages", {"gfp": gfp, "order": order}, caller), order)

    @rule(gfp=masks, order=orders, repeat=st.integers(1, 300), until=st.sampled_from(("null", 500, None)))
    def alloc_many(self, gfp: str, order: int, repeat: int, until: str | int | None) -> None:
        body = {"gfp": gfp, "order": order, "repeat": repeat}
        if until is not None:
            body["until"] = until if isinstance(until, str) else {"free_below": until}
        outcome = self.call("alloc_pages", body)
        for first, count in (outcome.runs or []) if outcome is not None else []:
            self.blocks += [(first + place * (1 << order), order) for place in range(count)]
            self.frames += [first, first + (count - 1) * (1 << order)]

    @precondition(lambda self: self.blocks)
    @rule(place=places, caller=callers, name=st.sampled_from(("__free_pages", "free_pages", "put_page")))
    def free(self, place: int, caller: dict[str, Any], name: str) -> None:
        pfn, order = self.blocks.pop(place % len(self.blocks))
        body = {"pfn": pfn} if name == "put_page" else {"pfn": pfn, "order": order}
        self.call(name, body, caller)

    @precondition(lambda self: self.blocks)
    @rule(step=st.integers(1, 3))
    def free_many(self, step: int) -> None:
        order = self.blocks[-1][1]
        freed = [pfn for pfn, size in self.blocks if size == order][::step]
        self.blocks = [(pfn, size) for pfn, size in self.blocks if size != order or pfn not in freed]
        self.call("__free_pages", {"page": [[pfn, 1] for pfn in freed], "order": order})

    @rule(place=places, order=wrong_orders, caller=callers)
    def free_wrong(self, place: int, order: int, caller: dict[str, Any]) -> None:
        self.call("__free_pages", {"pfn": self.frame(place), "order": order}, caller)

    @rule(place=places, order=wrong_orders)
    def free_address(self, place: int, order: int) -> None:
        self.call("free_pages", {"addr": self.address(place), "order": order})

    @rule(size=st.sampled_from(SIZES), gfp=masks, caller=callers)
    def exact(self, size: int, gfp: str, caller: dict[str, Any]) -> None:
        self.remember(self.call("alloc_pages_exact", {"size": size, "gfp": gfp}, caller))

    @rule(place=places, size=st.sampled_from(SIZES), caller=callers)
    def free_exact(self, place: int, size: int, caller: dict[str, Any]) -> None:
        self.call("free_pages_exact", {"addr": self.address(place), "size": size}, caller)

    @precondition(lambda self: self.blocks)
    @rule(place=places, caller=callers)
    def split(self, place: int, caller: dict[str, Any]) -> None:
        """A block as it was allocated, perhaps freed meanwhile."""
        pfn, order = self.blocks[place % len(self.blocks)]
        self.frames.append(pfn + (1 << order) - 1)
        self.call("split_page", {"pfn": pfn, "order": order}, caller)

    @rule(place=places, order=wrong_orders, caller=callers)
    def split_wrong(self, place: int, order: int, caller: dict[str, Any]) -> None:
        self.call("split_page", {"pfn": self.frame(place), "order": order}, caller)

    @rule(place=places, name=st.sampled_from(ON_PAGES), caller=callers)
    def on_page(self, place: int, name: str, caller: dict[str, Any]) -> None:
        self.call(name, {"pfn": self.frame(place)}, caller)

    @rule(place=st.integers(0, 2), name=st.sampled_from(LOCKS), task=st.sampled_from(TASKS))
    def contend(self, place: int, name: str, task: str) -> None:
        """Few pages and many tasks, so that queues form."""
        if len(self.frames) > place:
            self.call(name, {"pfn": self.frames[place]}, {"task": task})

    @rule(offset=st.integers(0, 3), name=st.sampled_from(COUNTS))
    def count(self, offset: int, name: str) -> None:
        """One block and its tail, so that counts go up and down where they should not."""
        if self.frames and self.m.model.pfn_valid(self.frames[-1] + offset):
            self.call(name, {"pfn": self.frames[-1] + offset})

    @rule(name=st.sampled_from((*ON_PAGES, "__free_page")))
    def on_null(self, name: str) -> None:
        self.call(name, {"page": None})

    @rule(task=st.sampled_from((*TASKS, "nobody")))
    def kill(self, task: str) -> None:
        self.call("kill_task", {"task": task})

    @rule(cpu=st.integers(0, 1))
    def drain(self, cpu: int) -> None:
        self.call("drain_all_pages", {}, {"cpu": cpu})

    # -- objects and areas -------------------------------------------------------------------------

    @rule(
        size=st.sampled_from(SIZES),
        flags=masks,
        caller=callers,
        name=st.sampled_from(("kmalloc", "kvmalloc", "kvzalloc")),
    )
    def kmalloc(self, size: int, flags: str, caller: dict[str, Any], name: str) -> None:
        self.remember(self.call(name, {"size": size, "flags": flags}, caller))

    @rule(
        n=st.sampled_from((0, 1, 7, 1 << 40)),
        size=st.sampled_from(SIZES),
        flags=masks,
        name=st.sampled_from(("kcalloc", "kvcalloc")),
    )
    def kcalloc(self, n: int, size: int, flags: str, name: str) -> None:
        n = min(n, self.m.model.ptr_max)
        self.remember(self.call(name, {"n": n, "size": size, "flags": flags}))

    @rule(size=st.sampled_from(SIZES), caller=callers)
    def vmalloc(self, size: int, caller: dict[str, Any]) -> None:
        self.remember(self.call("vmalloc", {"size": size}, caller))

    def remember(self, outcome: Outcome | None) -> None:
        if outcome is not None and isinstance(outcome.ret, str):
            self.addresses.append(outcome.ret)
            if outcome.object is not None and outcome.object.get("slab_pfn"):
                self.frames.append(outcome.object["slab_pfn"])
            elif outcome.page is not None:
                self.frames.append(outcome.page["pfn"])

    @rule(
        place=places,
        caller=callers,
        name=st.sampled_from(
            ("kfree", "vfree", "kvfree", "ksize", "virt_to_page", "virt_to_phys", "vmalloc_to_page")
        ),
    )
    def give_back(self, place: int, caller: dict[str, Any], name: str) -> None:
        self.call(name, {"addr": self.address(place)}, caller)

    @rule(place=places, size=st.sampled_from(SIZES), flags=masks)
    def krealloc(self, place: int, size: int, flags: str) -> None:
        self.remember(self.call("krealloc", {"addr": self.address(place), "size": size, "flags": flags}))

    @rule(
        name=st.sampled_from(("foo", "bar")),
        size=st.sampled_from((16, 100, 5000)),
        ctor=st.sampled_from((None, "init_once")),
    )
    def cache_create(self, name: str, size: int, ctor: str | None) -> None:
        self.call("kmem_cache_create", {"name": name, "size": size, "ctor": ctor})

    @rule(
        name=st.sampled_from(("foo", "bar")),
        flags=masks,
        caller=callers,
        call=st.sampled_from(("kmem_cache_alloc", "kmem_cache_zalloc")),
    )
    def cache_alloc(self, name: str, flags: str, caller: dict[str, Any], call: str) -> None:
        self.remember(self.call(call, {"cache": name, "flags": flags}, caller))

    @rule(
        name=st.sampled_from(("foo", "bar")), flags=masks, caller=callers, size=st.sampled_from((0, 1, 7, 40))
    )
    def cache_alloc_bulk(self, name: str, flags: str, caller: dict[str, Any], size: int) -> None:
        outcome = self.call("kmem_cache_alloc_bulk", {"cache": name, "flags": flags, "size": size}, caller)
        for first, blocks in (outcome.runs or []) if outcome is not None else []:
            stride = self.m.caches[name].size
            self.addresses += [f"{int(first, 16) + place * stride:#x}" for place in range(blocks)]

    @rule(
        name=st.sampled_from(("foo", "bar")),
        found=st.lists(places, min_size=1, max_size=8),
        size=st.integers(0, 9),
        caller=callers,
    )
    def cache_free_bulk(self, name: str, found: list[int], size: int, caller: dict[str, Any]) -> None:
        array = [[address, 1] for place in found if (address := self.address(place)) is not None]
        if array:
            self.call("kmem_cache_free_bulk", {"cache": name, "size": size, "addr": array}, caller)

    @precondition(lambda self: self.addresses)
    @rule(name=st.sampled_from(("foo", "bar")), last=st.integers(1, 40))
    def cache_free_last(self, name: str, last: int) -> None:
        """Many that were returned together."""
        array = [[address, 1] for address in self.addresses[-last:]]
        self.call("kmem_cache_free_bulk", {"cache": name, "size": len(array), "addr": array})

    @rule(name=st.sampled_from(("foo", "bar")), place=places)
    def cache_free(self, name: str, place: int) -> None:
        self.call("kmem_cache_free", {"cache": name, "addr": self.address(place)})

    @rule(name=st.sampled_from(("foo", "bar")), what=st.sampled_from(("shrink", "destroy")))
    def cache_end(self, name: str, what: str) -> None:
        self.call(f"kmem_cache_{what}", {"cache": name})

    @rule(name=st.sampled_from(("mod1", "mod2")), size=st.sampled_from((4096, 100_000)), load=st.booleans())
    def module(self, name: str, size: int, load: bool) -> None:
        if load:
            self.call("insmod", {"name": name, "size": size})
        else:
            self.call("rmmod", {"name": name})

    @rule()
    def purge(self) -> None:
        self.call("vm_unmap_aliases", {})

    # -- what must hold ----------------------------------------------------------------------------

    @invariant()
    def in_order(self) -> None:
        assert invariants.verify(self.m) == []

    def teardown(self) -> None:
        """The dump gives the same machine, and the same calls give the same answers and the same dump."""
        dump = self.m.dump()
        assert boot.load(json.loads(json.dumps(dump))).dump() == dump
        again = boot.boot(self.description)
        answers = [
            json.dumps(again.apply(call, seq).as_json(again.model)) for seq, call in enumerate(self.made, 1)
        ]
        assert answers == self.answers
        assert again.dump() == dump


QUICK = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
LONG = settings(QUICK, max_examples=3000, stateful_step_count=100)


def test_any_calls_leave_a_machine_in_order() -> None:
    run_state_machine_as_test(Calls, settings=QUICK)


@pytest.mark.soak
def test_many_calls_leave_a_machine_in_order() -> None:
    run_state_machine_as_test(Calls, settings=LONG)
