"""The text form of a call: every spelling of it, what it refuses, and that a journalled call reads back."""

import contextlib
import re
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import BadArgument
from app.machine import calls, kinds, parsing, user_kinds
from app.machine.calltext import Line, Malformed, format_call, parse_line
from app.machine.entry import CALLS
from app.machine.vocabulary import CONTEXTS, SYSCTLS, Arg
from app.mm.memory_model import MemoryModel

MODEL = MemoryModel(
    arch="x86_64",
    cpus=4,
    nodes=2,
    spans=((1, 4096), (4096, 0x40000)),
    max_low_pfn=0x40000,
    mem_map=0xFFFFEA0000000000,
)

READ = {
    "alloc_pages(GFP_KERNEL, 3)": ("alloc_pages", None, {"gfp": "GFP_KERNEL", "order": 3}),
    "p = alloc_pages(GFP_KERNEL|__GFP_COMP,3)": (
        "alloc_pages", "p", {"gfp": "GFP_KERNEL|__GFP_COMP", "order": 3},
    ),
    "  bob@1/softirq:  p = alloc_pages( GFP_ATOMIC , 0 )   # a comment": (
        "alloc_pages", "p", {"task": "bob", "cpu": 1, "context": "softirq", "gfp": "GFP_ATOMIC", "order": 0},
    ),
    "alice: lock_page(p)": ("lock_page", None, {"task": "alice", "page": "$p"}),
    "@2: drain_all_pages()": ("drain_all_pages", None, {"cpu": 2}),
    "/hardirq: kmalloc(64, GFP_ATOMIC)": (
        "kmalloc", None, {"context": "hardirq", "size": 64, "flags": "GFP_ATOMIC"},
    ),
    "alloc_page(0xcc0)": ("alloc_page", None, {"gfp": 0xCC0}),
    'alloc_page("0xcc0")': ("alloc_page", None, {"gfp": "0xcc0"}),
    "kmalloc(flags=GFP_KERNEL, size=64K)": ("kmalloc", None, {"flags": "GFP_KERNEL", "size": 65536}),
    "alloc_page(GFP_KERNEL, task=bob, cpu=1, context=atomic)": (
        "alloc_page", None, {"gfp": "GFP_KERNEL", "task": "bob", "cpu": 1, "context": "atomic"},
    ),
    "vmalloc(3M)": ("vmalloc", None, {"size": 3 << 20}),
    "vmalloc(1G)": ("vmalloc", None, {"size": 1 << 30}),
    "alloc_pages_node(-1, GFP_KERNEL, 0)": (
        "alloc_pages_node", None, {"node": -1, "gfp": "GFP_KERNEL", "order": 0},
    ),
    "get_page(p+3)": ("get_page", None, {"page": "$p+3"}),
    "get_page(0x4a00)": ("get_page", None, {"pfn": 0x4A00}),
    "get_page(18944)": ("get_page", None, {"pfn": 18944}),
    "get_page(0xffffea0000128000)": ("get_page", None, {"page": "0xffffea0000128000"}),
    "get_page(0xc0000000)": ("get_page", None, {"page": "0xc0000000"}),
    "get_page(0xbfffffff)": ("get_page", None, {"pfn": 0xBFFFFFFF}),
    "get_page(pfn=7)": ("get_page", None, {"pfn": 7}),
    "get_page(page=0xffffea0000128000)": ("get_page", None, {"page": "0xffffea0000128000"}),
    "get_page(NULL)": ("get_page", None, {"page": None}),
    "free_pages(0xffff888004a00000, 2)": ("free_pages", None, {"addr": "0xffff888004a00000", "order": 2}),
    "free_pages(p, 2)": ("free_pages", None, {"page": "$p", "order": 2}),
    "get_page(m1.p + 3)": ("get_page", None, {"page": "$m1.p+3"}),
    "put_page(&i12.p[1])": ("put_page", None, {"page": "$i12.p+1"}),
    "__free_pages(m7.fill[::2], 0)": (
        "__free_pages", None, {"page": "$m7.fill", "start": 0, "step": 2, "order": 0},
    ),
    "free_page(NULL)": ("free_page", None, {"addr": None}),
    "__free_page(NULL)": ("__free_page", None, {"page": None}),
    "__free_page(0xffffea0000128000)": ("__free_page", None, {"page": "0xffffea0000128000"}),
    "kfree(4096)": ("kfree", None, {"addr": "0x1000"}),
    "kfree(a+64)": ("kfree", None, {"addr": "$a+64"}),
    "fill = alloc_pages(GFP_KERNEL, 0) * 1000": (
        "alloc_pages", "fill", {"gfp": "GFP_KERNEL", "order": 0, "repeat": 1000},
    ),
    "fill = alloc_page(GFP_KERNEL) until NULL": (
        "alloc_page", "fill", {"gfp": "GFP_KERNEL", "until": "null"},
    ),
    "alloc_page(GFP_KERNEL) * 9 until free < 1000": (
        "alloc_page", None, {"gfp": "GFP_KERNEL", "repeat": 9, "until": {"free_below": 1000}},
    ),
    "__free_pages(fill, 0)": ("__free_pages", None, {"page": "$fill", "order": 0}),
    "__free_pages(fill[::2], 0)": (
        "__free_pages", None, {"page": "$fill", "start": 0, "step": 2, "order": 0},
    ),
    "__free_pages(fill[10:20], 0)": (
        "__free_pages", None, {"page": "$fill", "start": 10, "count": 10, "order": 0},
    ),
    "__free_pages(fill[1:8:3], 0)": (
        "__free_pages", None, {"page": "$fill", "start": 1, "step": 3, "count": 3, "order": 0},
    ),
    "kfree(fill[ 5: ])": ("kfree", None, {"addr": "$fill", "start": 5}),
    "put_page(fill[3])": ("put_page", None, {"page": "$fill", "start": 3, "count": 1}),
    "put_page(fill[9:3])": ("put_page", None, {"page": "$fill", "start": 9, "count": 0}),
    "__free_pages([[18944, 8, 1], [7, 1, 1]], 0)": (
        "__free_pages", None, {"page": [[18944, 8, 1], [7, 1, 1]], "order": 0},
    ),
    'free_pages([["0xffff888004a00000", 2, 4096]], 0)': (
        "free_pages", None, {"addr": [["0xffff888004a00000", 2, 4096]], "order": 0},
    ),
    "kmem_cache_create(kmalloc-64, 64, 8, SLAB_HWCACHE_ALIGN|SLAB_PANIC)": (
        "kmem_cache_create",
        None,
        {"name": "kmalloc-64", "size": 64, "align": 8, "flags": "SLAB_HWCACHE_ALIGN|SLAB_PANIC"},
    ),
    'kmem_cache_create("a:b", 64)': ("kmem_cache_create", None, {"name": "a:b", "size": 64}),
    "kmem_cache_free(64, o)": ("kmem_cache_free", None, {"cache": "64", "addr": "$o"}),
    "sysctl(min_free_kbytes, 1024)": ("sysctl", None, {"name": "min_free_kbytes", "value": 1024}),
    'sysctl(lowmem_reserve_ratio, "256 256 32 0 0")': (
        "sysctl", None, {"name": "lowmem_reserve_ratio", "value": "256 256 32 0 0"},
    ),
    "kill_task(bob)": ("kill_task", None, {"task": "bob"}),
    'rmmod("a#b")  # not a comment inside quotes': ("rmmod", None, {"name": "a#b"}),
    # What an argument cannot be is for the judge of the call to say.
    "alloc_pages(GFP_KERNEL, abc)": ("alloc_pages", None, {"gfp": "GFP_KERNEL", "order": "abc"}),
    "get_page(3x)": ("get_page", None, {"page": "3x"}),
    "alloc_page(GFP_KERNEL, colour=red)": ("alloc_page", None, {"gfp": "GFP_KERNEL", "colour": "red"}),
    "": (None, None, {}),
    "   # only a comment": (None, None, {}),
}  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_reads(text: str) -> None:
    assert parse_line(text) == Line(*READ[text])


@pytest.mark.parametrize(
    "text",
    [
        "alloc_pages",
        "alloc_pages GFP_KERNEL",
        "alloc_pages(GFP_KERNEL, 3",
        "alloc_pages(GFP_KERNEL, 3))",
        "alloc_pages(GFP_KERNEL, 3) * ",
        "alloc_pages(GFP_KERNEL, 3) * many",
        "alloc_pages(GFP_KERNEL, 3) until full",
        "alloc_pages(GFP_KERNEL, 3) untilNULL",
        "alloc_pages(GFP_KERNEL, 3) until free < x",
        "alloc_pages(GFP_KERNEL, 3); alloc_pages(GFP_KERNEL, 3)",
        'rmmod("e1000)',
        "1p = alloc_page(GFP_KERNEL)",
        "alice@one: alloc_page(GFP_KERNEL)",
        "put_page(fill[])",
        "put_page([[1, 2],])",
        "put_page([[1 2]])",
        "{}",
        "\x00",
        "\ud800",
    ],
)
def test_cannot_be_read(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_line(text)
    assert caught.value.faults[0].loc == ()


@pytest.mark.parametrize(
    ("text", "loc", "says"),
    [
        ("malloc(3)", ("call",), "'malloc' is no call"),
        ("alloc_page(GFP_KERNEL, 3)", (), "takes 1 arguments"),
        ("alloc_page(GFP_KERNEL, gfp=GFP_ATOMIC)", ("gfp",), "given twice"),
        ("alice: alloc_page(GFP_KERNEL, task=bob)", ("task",), "given twice"),
        ("alice: kill_task(bob)", ("task",), "given twice"),
        ("alloc_page(GFP_KERNEL, repeat=3) * 4", ("repeat",), "given twice"),
    ],
)
def test_cannot_be_meant(text: str, loc: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadArgument) as caught:
        parse_line(text)
    assert not isinstance(caught.value, Malformed)
    assert caught.value.faults[0].loc == loc
    assert says in caught.value.faults[0].msg


N = 300_000

HUGE = {
    "blanks before an odd end": "alloc_page(1)" + " " * N + "x",
    "blanks behind a repeat": "alloc_page(1) * 3" + " " * N + "x",
    "hashes in a quote": '"' + "#" * N,
    "hashes": "#" * N,
    "one word": "a" * N,
    "word and blanks": "a" * N + " " * N,
    "brackets": "f(" + "[" * N,
    "bad runs": "put_page(" + "[[1] ," * N,
    "runs and blanks": "put_page([" + "[1]   " * N + "x)",
    "a number": "put_page(" + "9" * N + ")",
    "an index": "put_page(p[" + "9" * N + "])",
    "a number in runs": "put_page([[" + "9" * N + ", 1]])",
    "a caller": "a" * N + "@" * 3,
}


@pytest.mark.parametrize("what", HUGE)
def test_work_is_linear(what: str) -> None:
    begun = time.process_time()
    with contextlib.suppress(BadArgument):
        parse_line(HUGE[what])
    assert time.process_time() - begun < 2


FORMATTED = [
    "alice@1/softirq: alloc_pages(GFP_ATOMIC, 3)",
    "@3: alloc_page(0xcc0)",
    "/tasklet: vmalloc(64K)",
    'alloc_page("0xcc0")',
    "alloc_page(GFP_KERNEL) * 9 until free < 1000",
    "alloc_page(GFP_KERNEL) until NULL",
    "kmem_cache_create(kmalloc-64, 100, flags=0x2000)",
    "kmem_cache_alloc(task_struct, GFP_KERNEL)",
    "sysctl(lowmem_reserve_ratio, 256 256 32 0 0)",
    'sysctl(min_free_kbytes, "1024")',
    "sysctl(min_free_kbytes, 1024)",
    "kill_task(bob)",
    "@1: kill_task(bob)",
    "__free_pages(pfn_to_page(0x4a00), 3)",
    "pfn_to_page(0x4a00)",
    "kmem_cache_create(mine, 64, ctor=init_once)",
    "__free_pages([[18944, 8, 1]], 0)",
    "__free_page(NULL)",
    "__free_page(addr=NULL)",
    "__free_page(addr=0xffff888004a00000)",
    "free_page(NULL)",
    "free_page(page=NULL)",
    "free_page(0x4a00, 2)",
    'free_page([["0xffff888004a00000", 2, 4096]])',
    "krealloc(0xffff888004a00000, 3M, GFP_KERNEL)",
    "drain_all_pages()",
    "kfree(p+3)",
]


@pytest.mark.parametrize("text", FORMATTED)
def test_writes(text: str) -> None:
    line = parse_line(text)
    assert format_call({"call": line.name, "args": line.body}) == text


def test_writes_the_name_of_the_result() -> None:
    outcome = {"call": "alloc_page", "args": {"gfp": "GFP_KERNEL", "task": "alice"}}
    assert format_call(outcome, "p") == "alice: p = alloc_page(GFP_KERNEL)"


@pytest.mark.parametrize(
    ("call", "args", "written", "text"),
    [
        ("__free_pages", {"pfn": 1024, "order": 3}, {"page": "p"}, "__free_pages(p, 3)"),
        ("__free_pages", {"pfn": 1024, "order": 3}, {}, "__free_pages(pfn_to_page(0x400), 3)"),
        ("get_page", {"pfn": 1027}, {"page": "p+3"}, "get_page(p+3)"),
        ("kfree", {"addr": "0xffff888000100000"}, {"addr": "a-8"}, "kfree(a-8)"),
        ("kmem_cache_destroy", {"cache": "t"}, {"cache": "c"}, "kmem_cache_destroy(c)"),
        (
            "__free_pages",
            {"page": {"seq": 4}, "order": 0, "start": 1, "step": 2, "count": 3},
            {"page": "fill"},
            "__free_pages(fill[1:7:2], 0)",
        ),
    ],
)  # fmt: skip
def test_writes_arguments_as_they_were_written(
    call: str, args: dict[str, Any], written: dict[str, str], text: str
) -> None:
    assert format_call({"call": call, "args": args}, written=written) == text


@pytest.mark.parametrize(
    "line", ["free_pages(0, 3)", "free_page(0)", "free_page(NULL)", "kfree(0)", "vfree(0)"]
)
def test_an_address_of_0_is_none(line: str) -> None:
    assert parse_line(line).body["addr"] is None


@pytest.mark.parametrize("line", ["put_page(0)", "__free_page(0)"])
def test_a_page_that_is_0_is_a_frame(line: str) -> None:
    assert parse_line(line).body["pfn"] == 0


PFNS = st.integers(1, 0x3FFFF)
ADDRESSES = st.integers(1, MODEL.ptr_max).map(hex)
OBJECT_NAMES = st.from_regex(kinds.OBJECT_NAME, fullmatch=True)
TASKS = st.from_regex(kinds.TASK_NAME, fullmatch=True)
COUNTS = st.integers(1, 9)
PAGE_RUNS = st.lists(st.tuples(PFNS, COUNTS, COUNTS).map(list), max_size=3)
ADDR_RUNS = st.lists(st.tuples(ADDRESSES, COUNTS, COUNTS).map(list), max_size=3)
SYSCTL_VALUES = st.integers(-9, 1 << 30)

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "uint": st.integers(0, kinds.UINT_MAX),
    "size": st.one_of(st.integers(0, calls.JSON_INT_MAX), st.integers(0, 99).map(lambda k: k << 20)),
    "node": st.integers(-1, 1),
    "gfp": st.sampled_from(
        ["GFP_KERNEL", " GFP_ATOMIC | __GFP_COMP", "__GFP_WAIT|0x8", "0xcc0", "7", 0, 0xCC0]
    ),
    "slab_flags": st.sampled_from([0, 0x2000, "SLAB_PANIC|SLAB_HWCACHE_ALIGN", "0x2000"]),
    "task": TASKS,
    "object_name": OBJECT_NAMES,
    "cache": OBJECT_NAMES,
    "sysctl": st.sampled_from(sorted(SYSCTLS)),
    "sysctl_value": st.one_of(SYSCTL_VALUES, SYSCTL_VALUES.map(str)),
    "addr": st.one_of(st.none(), ADDRESSES, ADDR_RUNS),
    "array": st.integers(0, calls.MAX_REPEAT),
    "number": st.integers(0, calls.JSON_INT_MAX),
    "function": st.from_regex(kinds.FUNCTION, fullmatch=True).filter(lambda name: name != "NULL"),
    "user_addr": st.one_of(st.none(), ADDRESSES),
    "fd": st.integers(-1, 1 << 30),
    "length": st.integers(0, calls.JSON_INT_MAX),
    "offset": st.one_of(st.none(), st.integers(0, calls.JSON_INT_MAX)),
    "loff": st.integers(-(1 << 40), 1 << 40),
    "accesses": COUNTS,
    "rounds": COUNTS,
    "access_step": st.integers(0, 1 << 40),
    "byte": st.integers(0, 255),
    "status": st.integers(-9, 255),
    "path": st.sampled_from(["/tmp/a", "/data/b.txt", "/a-b/c_d"]),
    "program": st.sampled_from(["/bin/hello", "/bin/cat"]),
    "swap_pages": st.one_of(st.none(), st.integers(2, 1 << 30)),
    "bool": st.booleans(),
    **{
        kind: st.one_of(st.sampled_from(["|".join(names), names[0], 3, "0x5"]))
        for kind, names in ((kind, list(names)[:2]) for kind, names in user_kinds.FLAGS.items())
    },
}


def argument(arg: Arg) -> st.SearchStrategy[dict[str, Any]]:
    pages = [st.fixed_dictionaries({"pfn": PFNS}), st.fixed_dictionaries({"page": st.none() | PAGE_RUNS})]
    if arg.kind in ("page", "page_or_addr"):
        both = arg.kind == "page_or_addr"
        return st.one_of(*pages, *([st.fixed_dictionaries({"addr": KINDS["addr"]})] if both else []))
    field = {arg.name: KINDS[arg.kind]}
    return st.fixed_dictionaries(field) if arg.required else st.fixed_dictionaries({}, optional=field)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    spec = CALLS[draw(st.sampled_from(sorted(CALLS)))]
    body: dict[str, Any] = {}
    for arg in spec.args:
        body |= draw(argument(arg))
    loops = {"repeat": COUNTS, "until": st.one_of(st.just("null"), COUNTS.map(lambda n: {"free_below": n}))}
    beside = {"cpu": st.integers(0, 3), "context": st.sampled_from(CONTEXTS), "task": TASKS}
    beside |= loops if spec.repeats else {}
    beside = {name: values for name, values in beside.items() if name not in body}
    return spec.name, body | draw(st.fixed_dictionaries({}, optional=beside))


def judged(name: str, body: dict[str, Any]) -> dict[str, Any] | str:
    """What a call means: its journalled form, or what was at fault with it."""
    try:
        return parsing.parse(name, body, MODEL).as_json(MODEL)
    except BadArgument as error:
        return str(error)


def test_every_kind_of_argument_is_drawn() -> None:
    kinds_of_calls = {arg.kind for spec in CALLS.values() for arg in spec.args}
    assert kinds_of_calls - set(KINDS) == {"page", "page_or_addr"}


@given(documents())
@example(("__free_page", {"addr": None, "order": 1}))
@example(("free_pages", {"page": None, "order": 1}))
@example(("kmalloc", {"size": (4 << 30) + 4096, "flags": "GFP_KERNEL", "repeat": 1, "until": "null"}))
def test_a_call_reads_back_as_it_was_written(document: tuple[str, dict[str, Any]]) -> None:
    name, body = document
    line = parse_line(format_call({"call": name, "args": body}))
    assert line.name == name
    assert judged(name, line.body) == judged(name, body)


@given(st.text(max_size=60) | st.from_regex(re.compile(r"[a-z_]+\(.*\).*"), fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        line = parse_line(text)
    except BadArgument as error:
        assert error.faults[0].msg  # noqa: PT017 - most texts are no calls
    else:
        assert line.name is None or line.name in CALLS
