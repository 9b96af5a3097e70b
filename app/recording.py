"""Replaying a recording of a real kernel and comparing every answer.

A recording is a list of JSON lines: the allocator's state, the operations that were run on it, and what the
kernel returned. The machine is loaded from the first state, makes the same calls, and must give the same page
frames, addresses and counters.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from app.machine import boot
from app.machine.calls import Call
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.machine.parsing import parse

# How the kind of a state line is called in a machine dump.
STATE_PARTS: Final = {"node": "nodes", "zone": "zones", "cache": "caches"}

CALL_OF: Final = {
    "get": "get_page",
    "put": "put_page",
    "tryget": "get_page_unless_zero",
    "lock": "lock_page",
    "unlock": "unlock_page",
    "trylock": "trylock_page",
    "info": "page_count",
}

# What a state line says of a zone beyond what a machine can know: pages on LRU lists move without the
# allocator's doing.
NOT_COMPARED: Final = frozenset(("lru",))

# Most structures of this cache are older than the recording, in slabs that no state names because they are
# full. The kernel frees some of them, and has then a partial slab that cannot be predicted.
OLDER_OBJECTS: Final = frozenset(("vmap_area",))


@dataclass(slots=True)
class Miss:
    """An operation whose answer differed: its number, what it was, and field → (ours, the kernel's)."""

    number: int
    operation: str
    differences: dict[str, tuple[Any, Any]]

    def __str__(self) -> str:
        words = ", ".join(
            f"{key}: {ours!r}, the kernel {theirs!r}" for key, (ours, theirs) in self.differences.items()
        )
        return f"operation {self.number} {self.operation}: {words}"


@dataclass(slots=True)
class Report:
    """How far a replay agreed."""

    machine: str
    scenario: str
    operations: int = 0
    exact: int = 0
    misses: list[Miss] = field(default_factory=list)
    # Tag of each later state → what differed in it.
    end_states: dict[str, list[str]] = field(default_factory=dict)

    @property
    def states_exact(self) -> int:
        """How many of the later states were equal."""
        return sum(not differences for differences in self.end_states.values())


class Replay:
    """One recording being replayed."""

    def __init__(self, path: Path) -> None:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="ascii") as file:
            self.lines: list[dict[str, Any]] = [json.loads(line) for line in file]
        self.meta = self.lines[0]
        self.report = Report(self.meta["machine"], self.meta["scenario"])
        self.random_slabs = any("random_seq" in line for line in self.lines if line["t"] == "cache")
        self.compares_addresses = self.meta["arch"] != "i386"
        self.machine: Machine | None = None
        self.mask: Any = None
        self.slots: dict[int, Any] = {}

    def run(self, most_misses: int = 1_000_000) -> Report:
        """Replay all lines; stops after `most_misses` differing operations."""
        state: dict[str, Any] | None = None
        for line in self.lines:
            kind = line["t"]
            if kind == "dump":
                state = self.first_line(line)
            elif kind == "dump_end" and state is not None:
                self.at_state(line["tag"], state)
                state = None
            elif state is not None:
                add_part(state, line)
            elif kind in ("macro", "macro_end"):
                self.mask = line.get("gfpx")
            elif kind == "op" and self.machine is not None and "skip" not in line:
                self.operation(self.machine, line)
                if len(self.report.misses) >= most_misses:
                    break
        return self.report

    def first_line(self, line: dict[str, Any]) -> dict[str, Any]:
        """A dump document begun from its first line."""
        settings = {key: value for key, value in line.items() if key != "t"}
        settings |= {"arch": self.meta["arch"], "cpus": self.meta["smp"]}
        return {"kernel": settings, "nodes": [], "zones": [], "caches": []}

    def at_state(self, tag: str, state: dict[str, Any]) -> None:
        """Start from the first state; compare with the later ones."""
        if self.machine is None:
            self.machine = boot.load(state)
        else:
            ours = self.machine.dump()
            self.report.end_states[tag] = [
                *differing_zones(ours["zones"], state["zones"]),
                *differing_caches(ours.get("caches", []), state["caches"], random_slabs=self.random_slabs),
            ]

    def operation(self, machine: Machine, line: dict[str, Any]) -> None:
        """Make one recorded call and compare."""
        call = self.call_of(machine, line)
        self.report.operations += 1
        outcome = machine.apply(call, self.report.operations)
        if outcome.named is not None:
            self.slots[line["s"]] = outcome.named
        differences = {
            key: (ours, theirs)
            for key, ours, theirs in self.compared(machine, line, outcome)
            if ours != theirs
        }
        if differences:
            self.report.misses.append(Miss(line["i"], line["op"], differences))
        else:
            self.report.exact += 1

    def call_of(self, machine: Machine, line: dict[str, Any]) -> Call:
        """The call that a recorded operation stands for."""
        operation = line["op"]
        mask = number(line.get("gfpx", self.mask))
        size, order = line.get("size"), line.get("order")
        body: dict[str, Any]
        match operation:
            case "alloc":
                name, body = "alloc_pages", {"gfp": mask, "order": order}
                if "node" in line:
                    name, body = "alloc_pages_node", {"node": line["node"], **body}
            case "gfp":
                name, body = "__get_free_pages", {"gfp": mask, "order": order}
            case "zpage":
                name, body = "get_zeroed_page", {"gfp": mask}
            case "free":
                name, body = "__free_pages", {"pfn": number(line["pfn"]), "order": order}
            case "freeaddr":
                name, body = "free_pages", {"addr": line["addr"], "order": order}
            case "kmalloc":
                name, body = "kmalloc", {"size": size, "flags": mask}
            case "vmalloc":
                name, body = "vmalloc", {"size": size}
            case "kfree" | "vfree":
                name, body = operation, {"addr": self.our_address(line)}
            case "drain":
                name, body = "drain_all_pages", {}
            case "purge":
                name, body = "vm_unmap_aliases", {}
            case _:
                name, body = CALL_OF[operation], {"pfn": number(line["pfn"])}
        return parse(name, body, machine.model)

    def our_address(self, line: dict[str, Any]) -> str | None:
        """What our allocation returned: with random slabs the recorded one may lie elsewhere in its slab."""
        named = self.slots.get(line["s"])
        address = number(line["addr"]) if named is None else named.addr
        return None if address is None else f"{address:#x}"

    def compared(
        self, machine: Machine, line: dict[str, Any], outcome: Outcome
    ) -> Iterator[tuple[str, Any, Any]]:
        """(what, our answer, the kernel's answer) of everything that must be equal."""
        operation = line["op"]
        page = outcome.page or {}
        if operation in ("alloc", "gfp", "zpage"):
            yield "pfn", page.get("pfn"), number(line["pfn"])
            if page and "addr" in line and self.compares_addresses:
                yield "address", page["address"], line["addr"]
            if page and "zone" in line:
                yield "zone", page["zone"], line["zone"]
        if operation in CALL_OF and page:
            yield "count", page["refcount"], line["cnt"]
        if operation in ("tryget", "trylock"):
            yield "ret", outcome.ret, line["ret"]
        if operation == "kmalloc":
            yield from self.compared_object(line, outcome)
        if operation == "vmalloc":
            yield from self.compared_area(line, outcome)
        counters = machine.counters()
        for key in ("zf", "zv", "pc"):
            yield key, counters[key], line[key]

    def compared_object(self, line: dict[str, Any], outcome: Outcome) -> Iterator[tuple[str, Any, Any]]:
        """The object that kmalloc gave; where in a new slab it lies is random on kernels that shuffle."""
        theirs = line if line["pfn"] is not None else {}
        ours = outcome.object or {}
        if theirs:
            cache = theirs["cache"] if "idx" in theirs else None
            yield "cache", ours.get("cache"), cache
            yield "ksize", ours.get("ksize"), theirs["ksize"]
            yield "slab_pfn", ours.get("slab_pfn"), number(theirs["slab_pfn"])
        if not self.random_slabs:
            yield "address", number(outcome.ret), number(line["addr"])

    def compared_area(self, line: dict[str, Any], outcome: Outcome) -> Iterator[tuple[str, Any, Any]]:
        """The area that vmalloc gave; i386 states do not show the gaps that decide on addresses."""
        area = outcome.area or {}
        yield "pfns", area.get("pfns"), line["pfns"]
        yield "nr_pages", area.get("nr_pages"), line["nr_pages"]
        yield "size", area.get("size"), line["area_size"]
        if self.compares_addresses:
            yield "address", area.get("address"), line["addr"]


def number(value: Any) -> Any:
    """A recorded number: hexadecimal strings are numbers, everything else is itself."""
    if value == "ZERO_SIZE_PTR":
        return 16
    return int(value, 16) if isinstance(value, str) else value


def add_part(state: dict[str, Any], line: dict[str, Any]) -> None:
    """Put one line of a recorded state into the document that a machine is loaded from."""
    part = {key: value for key, value in line.items() if key != "t"}
    if line["t"] == "vmap":
        state["vmap"] = part
    else:
        state[STATE_PARTS[line["t"]]].append(part)


def differing_zones(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[str]:
    """Which parts of which zones differ: marks, counters, lists in order, pageblocks."""
    return [
        f"{their_zone['name']} {key}"
        for our_zone, their_zone in zip(ours, theirs, strict=True)
        for key, value in their_zone.items()
        if key not in NOT_COMPARED and our_zone.get(key) != value
    ]


def differing_caches(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]], *, random_slabs: bool
) -> list[str]:
    """Which caches' slab lists differ. With shuffled slabs only how many objects are free must agree."""
    by_name = {cache["name"]: cache for cache in ours}
    differing = []
    for cache in theirs:
        if cache["name"] in OLDER_OBJECTS:
            continue
        for key in ("cpu_slab", "cpu_partials", "node_partial"):
            if key in cache:
                mine = by_name.get(cache["name"], {}).get(key)
                if outline(mine, counts=random_slabs) != outline(cache[key], counts=random_slabs):
                    differing.append(f"{cache['name']} {key}")
    return differing


def outline(value: Any, *, counts: bool) -> Any:
    """A slab description, with free lists reduced to their lengths where their order says nothing."""
    if isinstance(value, list):
        return [outline(item, counts=counts) for item in value]
    if isinstance(value, dict):
        return {
            key: len(item) if counts and key in ("freelist", "cpu_freelist") else outline(item, counts=counts)
            for key, item in value.items()
        }
    return value
