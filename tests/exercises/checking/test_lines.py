"""Faulty lines of a list, found by what their calls did."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.exercises import lines
from app.exercises.playground import Playground
from tests.exercises.checking.goals import LEAK, TINY


def found(check: str, listed: Sequence[str], prelude: Sequence[str] = ()) -> list[int]:
    """The numbers of the lines."""
    place = Playground.boot(TINY)
    place.make(prelude)
    start = place.copy()
    rows = place.make(listed)
    return lines.parse(check).places(start.machine, rows, names=start.names)


# Seven lines in process, softirq, hardirq, under a spinlock, in a tasklet.
CONTEXTS = (
    "a = kmalloc(64, GFP_KERNEL)",
    "/softirq: b = kmalloc(64, GFP_KERNEL)",
    "/softirq: c = kmalloc(64, GFP_ATOMIC)",
    "/hardirq: v = vmalloc(4096)",
    "/atomic: d = alloc_page(GFP_NOIO)",
    "/atomic: kfree(a)",
    "/tasklet: e = kmalloc(64, __GFP_HIGH)",
)
BLOCKS = (
    "p = alloc_pages(GFP_KERNEL, 3)",
    "a = kmalloc(64, GFP_KERNEL)",
    "v = vmalloc(4096)",
    "q = alloc_pages(GFP_KERNEL, 2)",
    "r = alloc_pages(GFP_KERNEL, 2)",
    "g = __get_free_page(GFP_KERNEL)",
)
FREES = (
    "__free_pages(p, 2)",
    "kfree(a)",
    "kfree(a)",
    "kfree(v)",
    "__free_pages(q, 3)",
    "kfree(g)",
    "kfree(NULL)",
)


def test_which_line_may_not_be_there() -> None:
    """X16."""
    assert found("verdict bug", CONTEXTS) == [2, 4, 5]
    assert found("log BUG: sleeping function", CONTEXTS) == [2, 5]
    assert found("log BUG: sleeping function, vmalloc", CONTEXTS) == [2, 4, 5]
    assert found("mistake sleeping_allocation", CONTEXTS) == [2, 5]
    assert found("verdict bug context softirq, kfree", CONTEXTS) == [2, 6]


def test_which_mistake_is_silent() -> None:
    """X24."""
    assert found("verdict bug", FREES, BLOCKS) == [3, 4, 5]
    assert found("verdict warn", FREES, BLOCKS) == [6]
    assert found("became lost", FREES, BLOCKS) == [1, 5]
    assert found("became lost verdict ok", FREES, BLOCKS) == [1]
    assert found("verdict ok became lost, warn", FREES, BLOCKS) == [1, 6]
    assert found("log Object already free", FREES, BLOCKS) == [3]


def test_who_leaks() -> None:
    """X23: erin's reference and dave's frame."""
    assert found("held", LEAK) == [5]
    assert found("became lost", LEAK) == [8]
    assert found("held, became lost", LEAK) == [5, 8]
    assert found("mistake lost_frames", LEAK) == [8]
    assert found("makes extra refs > 0", LEAK) == [5]
    assert found("makes lost +1", LEAK) == [8]
    assert found("makes live objects = 1, makes live areas = 1", LEAK) == [2, 3]


HELD = [
    (("p = alloc_page(GFP_KERNEL)",), [1]),
    (("p = alloc_page(GFP_KERNEL)", "__free_page(p)"), []),
    (("p = alloc_page(GFP_KERNEL)", "__free_page(p)", "q = alloc_page(GFP_KERNEL)"), [3]),
    (("p = alloc_page(GFP_KERNEL)", "get_page(p)", "put_page(p)"), [1]),
    (("p = alloc_page(GFP_KERNEL)", "get_page(p)"), [1, 2]),
    (("p = alloc_page(GFP_KERNEL)", "bob: get_page(p)", "put_page(p)"), [2]),
    (("p = alloc_page(GFP_KERNEL)", "bob: get_page(p)", "bob: put_page(p)"), [1]),
    (("p = alloc_page(GFP_KERNEL)", "bob: get_page(p)", "eve: put_page(p)"), [2]),
    (("p = alloc_page(GFP_KERNEL)", "get_page_unless_zero(p)"), [1, 2]),
    (("p = alloc_page(GFP_KERNEL)", "__free_page(p)", "get_page_unless_zero(p)"), []),
    (("c = alloc_pages(GFP_KERNEL|__GFP_COMP, 2)", "get_page(c+3)", "put_page(c)"), [1]),
    (("c = alloc_pages(GFP_KERNEL|__GFP_COMP, 2)", "a: get_page(c+3)", "put_page(c+1)"), [2]),
    (("c = alloc_pages(GFP_KERNEL|__GFP_COMP, 2)", "get_page_unless_zero(c+3)"), [1]),
    (("f = alloc_page(GFP_KERNEL) * 4", "__free_pages(f[::2], 0)"), [1]),
    (("f = alloc_page(GFP_KERNEL) * 4", "__free_pages(f, 0)"), []),
    (("g = __get_free_pages(GFP_KERNEL, 1)", "free_pages(g, 1)", "h = __get_free_page(GFP_KERNEL)"), [3]),
    (("x = alloc_pages_exact(12K, GFP_KERNEL)",), [1]),
    (("x = alloc_pages_exact(12K, GFP_KERNEL)", "free_pages_exact(x, 12K)"), []),
    (("p = alloc_pages(GFP_KERNEL, 3)", "__free_pages(p, 2)"), []),
    (("k = kmalloc(64, GFP_KERNEL)", "j = kmalloc(64, GFP_KERNEL)", "kfree(k)"), [2]),
    (("k = kmalloc(16K, GFP_KERNEL)", "j = kmalloc(16K, GFP_KERNEL)", "kfree(k)"), [2]),
    (("v = vmalloc(4096)", "w = vmalloc(4096)", "vfree(v)"), [2]),
    (("insmod(mod, 4096)",), [1]),
    (("kfree(NULL)", "__free_pages(NULL, 0)"), []),
]


@pytest.mark.parametrize(("listed", "held"), HELD)
def test_who_has_not_given_back(listed: tuple[str, ...], held: list[int]) -> None:
    assert found("held", listed) == held


def test_what_the_prelude_took_is_nobodys_fault() -> None:
    assert found("held", ("get_page(p)", "put_page(p)"), BLOCKS) == []
    assert found("held", ("get_page(p)",), BLOCKS) == [1]
    assert found("makes lost > 0", ("__free_pages(p, 2)", "__free_pages(r, 1)"), BLOCKS) == [1]


def test_a_state_is_made_where_it_begins() -> None:
    prelude = ("p = alloc_page(GFP_KERNEL)", "q = alloc_page(GFP_KERNEL)")
    listed = ("a: lock_page(p)", "b: lock_page(q)", "a: lock_page(q)", "b: lock_page(p)")
    assert found("makes deadlock yes", listed, prelude) == [4]
    assert found("makes asleep >= 1", listed, prelude) == [3]
    assert found("makes locks = 1, makes locks = 2", listed, prelude) == [1, 2]
    assert found("makes free DMA = 3070", listed, prelude) == []


def test_page_faults_of_either_kind() -> None:
    prelude = (
        "a: execve()",
        "a: p = mmap(0x10000000, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)",
        "a: f = open(/data/a)",
        "a: q = mmap(0x20000000, 64K, PROT_READ, MAP_SHARED, f)",
    )
    listed = ("a: load(p)", "a: load(p)", "a: load(q)", "a: load(q+4K)", "a: store(p, 1)", "kfree(NULL)")
    assert found("minor", listed, prelude) == [1, 5]
    assert found("major", listed, prelude) == [3]
    assert found("store minor, load major", listed, prelude) == [3, 5]
