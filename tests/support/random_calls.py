"""Calls of every kind on one machine, mistakes included, chosen by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from app.errors import BadArgument, MachinePanicked, NoRoom, TaskBlocked
from app.machine import parsing
from app.machine.machine import Machine
from app.machine.outcome import Outcome

MASKS = (
    "GFP_KERNEL",
    "GFP_KERNEL|__GFP_COMP",
    "GFP_ATOMIC",
    "GFP_NOWAIT",
    "GFP_DMA",
    "GFP_HIGHUSER_MOVABLE",
    "GFP_HIGHUSER_MOVABLE|__GFP_COMP",
    "GFP_KERNEL|__GFP_RECLAIMABLE",
    "GFP_KERNEL|__GFP_NORETRY|__GFP_NOWARN",
)
ORDERS = (0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 7, 9, 10)
SIZES = (0, 8, 24, 64, 200, 1000, 3000, 8192, 8193, 40_000, 1 << 20, 5 << 20)
TASKS = ("init", "alice", "bob", "carol")
CONTEXTS = (*("process",) * 8, "atomic", "softirq", "hardirq")
COUNTING = ("get_page", "put_page", "get_page_unless_zero", "page_count", "page_address")
LOCKING = ("lock_page", "trylock_page", "unlock_page", "unlock_page", "wait_on_page_locked")
SETTINGS = (
    ("min_free_kbytes", ("500", "2000", "4000")),
    ("watermark_scale_factor", ("10", "200", "1000")),
    ("watermark_boost_factor", ("0", "15000")),
    ("percpu_pagelist_high_fraction", ("0", "8", "100")),
)
WEIGHTS = {
    "alloc": 30,
    "free": 26,
    "loop": 3,
    "free_loop": 3,
    "kmalloc": 12,
    "vmalloc": 4,
    "give_back": 12,
    "cache": 6,
    "module": 2,
    "count": 6,
    "lock": 10,
    "mistake": 3,
    "kmap": 2,
    "kill": 3,
    "quiet": 3,
    "sysctl": 1,
}


class RandomCalls:
    """Makes calls that follow from the ones before: it frees, mostly, what it was given."""

    def __init__(self, m: Machine, seed: int) -> None:
        self.m = m
        self.random = random.Random(seed)
        self.seq = 0
        self.blocks: list[tuple[int, int]] = []
        self.freed: list[tuple[int, int]] = []
        self.addresses: list[str] = []

    def outcomes(self, count: int) -> Iterator[Outcome]:
        """So many calls; what a sleeping task may not do is left out."""
        for _ in range(count):
            kind = self.random.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]
            name, body = getattr(self, kind)()
            outcome = self.call(name, body)
            if outcome is not None:
                self.remember(outcome, body)
                yield outcome

    def call(self, name: str, body: dict[str, Any]) -> Outcome | None:
        if name != "kill_task":
            body |= {"task": self.random.choice(TASKS), "context": self.random.choice(CONTEXTS)}
        body["cpu"] = self.random.randrange(self.m.model.cpus)
        try:
            call = parsing.parse(name, body, self.m.model)
            outcome = self.m.apply(call, self.seq + 1)
        except (BadArgument, MachinePanicked, NoRoom, TaskBlocked):
            return None
        self.seq += 1
        return outcome

    def remember(self, outcome: Outcome, body: dict[str, Any]) -> None:
        order = body.get("order", 0)
        if outcome.call.spec.repeats and outcome.page is not None and outcome.ret is not None:
            self.blocks.append((outcome.page["pfn"], order))
        elif isinstance(outcome.ret, str) and outcome.call.spec.repeats:
            self.addresses.append(outcome.ret)
        for first, count in outcome.runs or ():
            if isinstance(first, str):
                self.addresses.append(first)
                continue
            self.blocks += [(first + (place << order), order) for place in range(count)]

    def frame(self) -> int:
        """A frame that something was done to, a neighbour of one, or any."""
        pick = self.random.random()
        if self.blocks and pick < 0.6:
            pfn, order = self.random.choice(self.blocks[-20:])
            pfn += self.random.randrange(1 << order)
        elif self.freed and pick < 0.8:
            pfn = self.random.choice(self.freed[-20:])[0]
        else:
            pfn = self.random.randrange(self.m.model.spans[-1][1])
        return pfn if self.m.model.pfn_valid(pfn) else self.m.model.spans[0][0]

    # -- what to call next -------------------------------------------------------------------------

    def alloc(self) -> tuple[str, dict[str, Any]]:
        body = {"gfp": self.random.choice(MASKS), "order": self.random.choice(ORDERS)}
        return self.random.choice(("alloc_pages", "__get_free_pages")), body

    def free(self) -> tuple[str, dict[str, Any]]:
        if not self.blocks:
            return self.alloc()
        pfn, order = self.blocks.pop(self.random.randrange(len(self.blocks)))
        self.freed.append((pfn, order))
        if self.random.random() < 0.2:
            return "put_page", {"pfn": pfn}
        return self.random.choice(("__free_pages", "free_pages")), {"pfn": pfn, "order": order}

    def loop(self) -> tuple[str, dict[str, Any]]:
        name, body = self.alloc()
        until = self.random.choice(({}, {"until": "null"}, {"until": {"free_below": 700}}))
        return name, {**body, "repeat": self.random.choice((5, 80, 700)), **until}

    def free_loop(self) -> tuple[str, dict[str, Any]]:
        if not self.blocks:
            return self.alloc()
        order = self.random.choice(self.blocks)[1]
        step = self.random.choice((1, 2, 3))
        going = [block for block in self.blocks if block[1] == order][::step]
        self.blocks = [block for block in self.blocks if block not in set(going)]
        return "__free_pages", {"page": [[pfn, 1] for pfn, _ in going], "order": order}

    def kmalloc(self) -> tuple[str, dict[str, Any]]:
        body = {"size": self.random.choice(SIZES), "flags": self.random.choice(MASKS)}
        if self.random.random() < 0.2:
            body["repeat"] = self.random.choice((3, 60))
        return self.random.choice(("kmalloc", "kzalloc", "kvmalloc")), body

    def vmalloc(self) -> tuple[str, dict[str, Any]]:
        return "vmalloc", {"size": self.random.choice(SIZES)}

    def give_back(self) -> tuple[str, dict[str, Any]]:
        if not self.addresses:
            return self.kmalloc()
        addr = self.addresses[self.random.randrange(len(self.addresses))]
        if self.random.random() < 0.9:
            self.addresses.remove(addr)
        high = int(addr, 16)
        mapped = self.m.vmap.vmalloc_start <= high < self.m.vmap.vmalloc_end
        return "vfree" if mapped else self.random.choice(("kfree", "kvfree")), {"addr": addr}

    def cache(self) -> tuple[str, dict[str, Any]]:
        name = self.random.choice(("foo", "bar"))
        match self.random.randrange(8):
            case 0:
                return "kmem_cache_create", {"name": name, "size": self.random.choice((16, 100, 5000))}
            case 1:
                return "kmem_cache_shrink", {"cache": name}
            case 2:
                return "kmem_cache_destroy", {"cache": name}
            case _:
                return "kmem_cache_alloc", {"cache": name, "flags": "GFP_KERNEL", "repeat": 30}

    def module(self) -> tuple[str, dict[str, Any]]:
        name = self.random.choice(("mod1", "mod2"))
        if self.random.random() < 0.5:
            return "insmod", {"name": name, "size": self.random.choice((4096, 100_000))}
        return "rmmod", {"name": name}

    def count(self) -> tuple[str, dict[str, Any]]:
        return self.random.choice(COUNTING), {"pfn": self.frame()}

    def lock(self) -> tuple[str, dict[str, Any]]:
        """Of few pages by many tasks, so that queues form."""
        if not self.blocks or self.random.random() < 0.2:
            return self.random.choice(LOCKING), {"pfn": self.frame()}
        pfn, order = self.blocks[self.random.randrange(min(len(self.blocks), 3))]
        return self.random.choice(LOCKING), {"pfn": pfn + self.random.randrange(min(1 << order, 2))}

    def mistake(self) -> tuple[str, dict[str, Any]]:
        if self.freed and self.random.random() < 0.5:
            pfn, order = self.random.choice(self.freed[-20:])
        else:
            pfn, order = self.frame(), self.random.choice((0, 1, 2, 3, 4, 9))
        return "__free_pages", {"pfn": pfn, "order": order}

    def kmap(self) -> tuple[str, dict[str, Any]]:
        return self.random.choice(("kmap", "kunmap")), {"pfn": self.frame()}

    def kill(self) -> tuple[str, dict[str, Any]]:
        return "kill_task", {"task": self.random.choice(TASKS)}

    def quiet(self) -> tuple[str, dict[str, Any]]:
        return self.random.choice(("drain_all_pages", "vm_unmap_aliases")), {}

    def sysctl(self) -> tuple[str, dict[str, Any]]:
        name, values = self.random.choice(SETTINGS)
        return "sysctl", {"name": name, "value": self.random.choice(values)}
