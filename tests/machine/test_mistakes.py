"""The table of mistakes, line by line: the function that finds each, and the cause as the last step."""

from typing import Any, Final, NamedTuple

import pytest

from app.machine.mistakes import LOST, MISTAKES, NOTE, cause_of, sentence
from app.machine.trace.functions import files
from tests.support.explainer import Explainer

Calls = list[tuple[str, dict[str, Any]]]
KERNEL = {"gfp": "GFP_KERNEL"}
FLAGS = {"flags": "GFP_KERNEL"}
COMP = {"gfp": "GFP_KERNEL|__GFP_COMP", "order": 2}
PAGE: Final = ("alloc_page", {"gfp": "GFP_KERNEL"})
OBJECT: Final = ("kmalloc", {"size": 100, "flags": "GFP_KERNEL"})
CACHE: Final = ("kmem_cache_create", {"name": "mine", "size": 100})
BIG: Final = ("alloc_pages", {"gfp": "GFP_KERNEL", "order": 5})


class Line(NamedTuple):
    """The calls that make a mistake; the last one has it. says: words of the sentence."""

    calls: Calls
    verdict: str
    says: str
    machine: dict[str, Any] = {}  # noqa: RUF012 - never changed
    silent: bool = True
    """whether Debian's kernel has the same mistake"""


def given(function: str, **args: Any) -> tuple[str, dict[str, Any]]:
    return function, args


I386 = {"profile": "i386-1g"}

# By mistake, and where there is more than one way to it, by way.
LINES: Final[dict[str, Line]] = {
    "sleeping_allocation": Line(
        [given("kmalloc", size=100, context="hardirq", **FLAGS)], "bug", "hardirq may not", silent=False
    ),
    "sleeping_allocation:page": Line(
        [given("alloc_page", context="softirq", **KERNEL)], "bug", "might_alloc", silent=False
    ),
    "sleeping_allocation:vmalloc": Line(
        [given("vmalloc", size=20000, context="atomic")], "bug", "atomic may not", silent=False
    ),
    "sleeping": Line(
        [PAGE, given("lock_page", page="$it", context="atomic")],
        "bug",
        "might_sleep() at include/linux/pagemap.h:1021",
        silent=False,
    ),
    "schedule_in_atomic": Line(
        [
            PAGE,
            given("trylock_page", page="$it"),
            given("wait_on_page_locked", page="$it", context="softirq"),
        ],
        "bug",
        "in softirq there is no task",
    ),
    "vmalloc_in_interrupt": Line(
        [given("vmalloc", size=20000, context="hardirq")], "bug", "BUG_ON(in_interrupt())"
    ),
    "page_freed_twice": Line(
        [PAGE, given("__free_page", page="$it"), given("__free_page", page="$it")],
        "bug",
        "Nobody holds page frame 0x",
    ),
    "page_freed_twice:put": Line(
        [PAGE, given("put_page", page="$it"), given("put_page", page="$it")],
        "bug",
        "put_page has no reference",
    ),
    "tail_page": Line([BIG, given("__free_page", page="$it+9")], "bug", "the block of order 5"),
    "get_free_page": Line(
        [PAGE, given("put_page", page="$it"), given("get_page", page="$it")], "bug", "with a count of 0"
    ),
    "object_freed_twice": Line(
        [OBJECT, given("kfree", addr="$it"), given("kfree", addr="$it")],
        "bug",
        "of kmalloc-128 is free already",
    ),
    "object_freed_twice:cache": Line(
        [
            CACHE,
            given("kmem_cache_alloc", cache="mine", **FLAGS),
            given("kmem_cache_free", cache="mine", addr="$it"),
            given("kmem_cache_free", cache="mine", addr="$it"),
        ],
        "bug",
        "of mine is free already",
    ),
    "pointer_into_object": Line([OBJECT, given("kfree", addr="$it+8")], "bug", "it lies 8 bytes behind 0x"),
    "kfree_of_page": Line(
        [given("__get_free_pages", order=2, **KERNEL), given("kfree", addr="$it")], "warn", "says order 0"
    ),
    "not_a_slab": Line(
        [CACHE, given("__get_free_page", **KERNEL), given("kmem_cache_free", cache="mine", addr="$it")],
        "warn",
        "is in no slab at all",
    ),
    "wrong_cache": Line(
        [CACHE, OBJECT, given("kmem_cache_free", cache="mine", addr="$it")],
        "warn",
        "is an object of kmalloc-128, not of mine",
    ),
    "vmalloc_pointer": Line(
        [given("vmalloc", size=8192), given("kfree", addr="$it")], "bug", "vfree takes such an address"
    ),
    "wild_pointer": Line([given("kfree", addr="0x1000")], "bug", "0x1000 is in no memory"),
    "no_struct_page": Line(
        [given("vmalloc", size=8192), given("virt_to_page", addr="$it")], "ok", "none is there"
    ),
    "no_page_address": Line(
        [given("vmalloc", size=8192), given("free_pages", addr="$it", order=0)],
        "bug",
        "!virt_addr_valid()",
        silent=False,
    ),
    "vfree_unaligned": Line(
        [given("vmalloc", size=8192), given("vfree", addr="$it+8")], "warn", "no multiple of 4,096"
    ),
    "vfree_of_kmalloc": Line(
        [given("kmalloc", size=4096, **FLAGS), given("vfree", addr="$it")],
        "warn",
        "kfree takes what kmalloc returned",
    ),
    "vfree_nothing": Line(
        [given("vmalloc", size=8192), given("vfree", addr="$it"), given("vfree", addr="$it")],
        "warn",
        "No area is mapped at 0x",
    ),
    "slab_page": Line(
        [given("kmalloc", size=3000, **FLAGS), given("free_pages", addr="$it", order=0)],
        "bug",
        "a slab of kmalloc-4k",
        silent=False,
    ),
    "bad_page": Line(
        [PAGE, given("lock_page", page="$it"), given("__free_page", page="$it")],
        "bug",
        "PAGE_FLAGS_CHECK_AT_FREE flag(s) set",
        silent=False,
    ),
    "compound_order": Line(
        [given("alloc_pages", **COMP), given("__free_pages", page="$it", order=1)],
        "bug",
        "of order 2, and order 1 was",
        silent=False,
    ),
    "frames_of_others": Line(
        [OBJECT, given("free_pages", addr="$it", order=0)],
        "warn",
        "are free already or others",
        {"debug": False},
    ),
    "impossible_order": Line(
        [PAGE, given("__free_pages", page="$it", order=11)], "warn", "No block of order 11"
    ),
    "lost_frames": Line(
        [BIG, given("__free_pages", page="$it", order=3)], "ok", "24 frames, the first at 0x"
    ),
    "lost_frames:put": Line([BIG, given("put_page", page="$it")], "ok", "31 frames"),
    "unlock_unlocked": Line(
        [PAGE, given("unlock_page", page="$it")], "bug", "is clear: there is no lock", silent=False
    ),
    "unlock_freed": Line(
        [PAGE, given("__free_page", page="$it"), given("unlock_page", page="$it")],
        "bug",
        "it is pcp",
        silent=False,
    ),
    "lock_twice": Line(
        [PAGE, given("lock_page", page="$it"), given("lock_page", page="$it")],
        "blocked",
        "init has locked page frame 0x",
    ),
    "destroy_with_objects": Line(
        [CACHE, given("kmem_cache_alloc", cache="mine", **FLAGS), given("kmem_cache_destroy", cache="mine")],
        "bug",
        "mine still has objects in use: 1",
    ),
    "destroy_boot_cache": Line(
        [given("kmem_cache_destroy", cache="kmalloc-64")], "warn", "kmalloc-64 was made at boot", silent=False
    ),
    "duplicate_cache": Line([CACHE, CACHE], "null", "There is a cache named mine already"),
    "cache_refused": Line(
        [given("kmem_cache_create", name="huge", size=5 << 20)],
        "null",
        "At most 4,194,304 bytes",
        silent=False,
    ),
    "no_cache": Line(
        [CACHE, given("kmem_cache_destroy", cache="mine"), given("kmem_cache_alloc", cache="mine", **FLAGS)],
        "bug",
        "No cache is named mine",
    ),
    "null_page": Line([given("put_page", page=None)], "bug", "put_page was given NULL"),
    "zone_bits": Line(
        [given("alloc_page", gfp="GFP_KERNEL|GFP_DMA|__GFP_HIGHMEM")], "bug", "the zone bits 0x3 name no zone"
    ),
    "movable_reclaimable": Line(
        [given("alloc_page", gfp="GFP_KERNEL|__GFP_MOVABLE|__GFP_RECLAIMABLE")],
        "warn",
        "together name no free list",
    ),
    "slab_gfp": Line(
        [given("kmalloc", size=20000, flags="GFP_KERNEL|__GFP_HIGHMEM")],
        "warn",
        "__GFP_HIGHMEM was taken out",
    ),
    "highmem_dropped": Line(
        [given("__get_free_pages", gfp="GFP_HIGHUSER", order=0)],
        "ok",
        "__GFP_HIGHMEM of GFP_HIGHUSER was dropped",
    ),
    "exact_flags": Line(
        [given("alloc_pages_exact", size=20000, gfp="GFP_KERNEL|__GFP_COMP")],
        "warn",
        "__GFP_COMP was dropped",
    ),
    "order_too_large": Line([given("alloc_pages", order=11, **KERNEL)], "null", "Order 11 is more than 10"),
    "order_too_large:kmalloc": Line(
        [given("kmalloc", size=(4 << 20) + 1, **FLAGS)], "null", "Order 11 is more than 10"
    ),
    "vmalloc_too_large": Line([given("vmalloc", size=2 << 30)], "null", "are 524,288 pages"),
    "vmalloc_nothing": Line([given("vmalloc", size=0)], "null", "no area"),
    "kvmalloc_too_large": Line([given("kvmalloc", size=3 << 30, **FLAGS)], "null", "more than INT_MAX"),
    "array_overflow": Line(
        [given("kmalloc_array", n=1 << 40, size=1 << 40, **FLAGS)], "null", "more than size_t holds"
    ),
    "kunmap_unmapped": Line(
        [given("alloc_page", gfp="GFP_HIGHUSER"), given("kunmap", page="$it")],
        "bug",
        "has no slot of kmap",
        I386,
    ),
    "split_compound": Line(
        [given("alloc_pages", **COMP), given("split_page", page="$it", order=2)],
        "bug",
        "part of a compound page",
        silent=False,
    ),
    "split_free": Line(
        [PAGE, given("put_page", page="$it"), given("split_page", page="$it", order=0)],
        "bug",
        "its count is 0",
        silent=False,
    ),
    "left_behind": Line(
        [
            given("execve", task="a"),
            given("alloc_pages", task="a", gfp="GFP_KERNEL", order=2),
            given("kmalloc", task="a", size=64, flags="GFP_KERNEL"),
            given("fork", task="a", child="b"),
            given("exit", task="a"),
        ],
        "ok",
        "that is the leak: page frames 4, objects 1, page locks 0",
    ),
    "no_mm": Line([given("store", addr="0x400000", task="a")], "null", "execve gives it an address space"),
}


def made(line: Line, *, debug: bool) -> tuple[Explainer, list[dict[str, Any]]]:
    machine = Explainer(**{"debug": debug} | line.machine)
    steps: list[dict[str, Any]] = []
    for function, args in line.calls:
        steps = machine.call(function, **args)
    return machine, steps


def test_every_line_is_tried() -> None:
    assert {name.partition(":")[0] for name in LINES} == set(MISTAKES)


@pytest.mark.parametrize("way", LINES)
def test_the_cause_is_named_and_is_the_last_step(way: str) -> None:
    line, name = LINES[way], way.partition(":")[0]
    machine, steps = made(line, debug=True)
    outcome, row = machine.outcome, MISTAKES[name]
    assert outcome.verdict == line.verdict
    assert outcome.cause is not None
    assert (outcome.cause["mistake"], outcome.cause["fn"]) == (name, row.fn)
    assert line.says in outcome.cause["text"]
    assert "%(" not in outcome.cause["text"]
    last = steps[-1]
    if not row.told or last["what"] == outcome.cause["text"]:
        assert (last["fn"], last["what"]) == (row.fn, outcome.cause["text"])
        assert last["verdict"] in ("bad", "note", "no owner")
    else:
        assert last["verdict"] in ("null", "bad")
    assert outcome.as_json(machine.m.model)["cause"] == outcome.cause


@pytest.mark.parametrize(
    "way", [way for way, line in LINES.items() if line.silent and "debug" not in line.machine]
)
def test_debian_s_kernel_has_the_same_cause(way: str) -> None:
    """Whether its kernel says so in its log or not."""
    outcome = made(LINES[way], debug=False)[0].outcome
    assert outcome.cause is not None
    assert outcome.cause["mistake"] == way.partition(":")[0]


@pytest.mark.parametrize("way", LINES)
def test_what_was_right_has_no_cause(way: str) -> None:
    line = LINES[way]
    machine = Explainer(**{"debug": True} | line.machine)
    for function, args in line.calls[:-1]:
        machine.call(function, **args)
        assert machine.outcome.cause is None


def test_every_function_that_finds_one_is_known() -> None:
    assert {row.fn for row in MISTAKES.values()} <= set(files())


def test_what_the_caller_did_comes_before_what_became_of_it() -> None:
    found: dict[str, dict[str, Any]] = {
        "lost_frames": {"pfn": 1, "frames": 3},
        "page_freed_twice": {"pfn": 1, "function": "f", "count": 0, "state": "pcp"},
    }
    cause = cause_of(found)
    assert (cause["mistake"], cause["lost"]) == ("page_freed_twice", 3)
    assert [MISTAKES[name].rank for name in ("highmem_dropped", "lost_frames")] == [NOTE, LOST]


def test_numbers_in_a_sentence_are_read_as_people_read_them() -> None:
    assert "page frame 0x1f4" in sentence("unlock_unlocked", {"pfn": 500, "state": "unmovable"})
    assert "1,048,576 bytes" in sentence("vmalloc_too_large", {"size": 1 << 20, "pages": 256, "total": 5})
