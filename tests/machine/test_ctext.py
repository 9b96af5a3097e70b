"""Lines of C: what of a source file is read as calls, and what is refused by line, with what is taken."""

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadArgument
from app.machine import parsing
from app.machine.calltext import Malformed, Reader, parse_line, parse_text
from app.machine.constants import Expression
from app.machine.entry import CALLS
from app.machine.oldnames import NO_PART, OLD
from app.mm.memory_model import MemoryModel

MODEL = MemoryModel(
    arch="x86_64",
    cpus=4,
    nodes=2,
    spans=((1, 4096), (4096, 0x40000)),
    max_low_pfn=0x40000,
    mem_map=0xFFFFEA0000000000,
)


def said(text: str) -> list[tuple[str | None, str | None, dict[str, Any]]]:
    return [tuple(line) for line in parse_text(text)]  # type: ignore[misc]


READ: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "mem = kmalloc(4096, GFP_KERNEL);": ("kmalloc", "mem", {"size": 4096, "flags": "GFP_KERNEL"}),
    "struct page *p = alloc_pages(GFP_KERNEL, 2);": ("alloc_pages", "p", {"gfp": "GFP_KERNEL", "order": 2}),
    "static const char *const s = kmalloc(1, GFP_KERNEL) ; ;": (
        "kmalloc", "s", {"size": 1, "flags": "GFP_KERNEL"},
    ),
    "g = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, 3);": (
        "__get_free_pages", "g", {"gfp": "GFP_KERNEL | __GFP_ZERO", "order": 3},
    ),
    "unsigned long a = (unsigned long) (void *) kmalloc(16*1024, GFP_KERNEL); // how much?": (
        "kmalloc", "a", {"size": 16384, "flags": "GFP_KERNEL"},
    ),
    "(void)kmalloc(8, GFP_KERNEL)": ("kmalloc", None, {"size": 8, "flags": "GFP_KERNEL"}),
    "vmalloc(4 * PAGE_SIZE)": ("vmalloc", None, {"size": 16384}),
    "vmalloc(PAGE_SIZE << 2)": ("vmalloc", None, {"size": 16384}),
    "vmalloc(1 << 20)": ("vmalloc", None, {"size": 1 << 20}),
    "vmalloc(0x1000UL)": ("vmalloc", None, {"size": 4096}),
    "vmalloc(sizeof(struct page))": ("vmalloc", None, {"size": Expression("sizeof(struct page)")}),
    "alloc_pages(GFP_KERNEL, get_order(33 * 1024))": ("alloc_pages", None, {"gfp": "GFP_KERNEL", "order": 4}),
    "alloc_page((GFP_KERNEL|GFP_DMA))": ("alloc_page", None, {"gfp": "GFP_KERNEL|GFP_DMA"}),
    "alloc_page(GFP_KERNEL & ~__GFP_FS)": ("alloc_page", None, {"gfp": 0xC40}),
    "alloc_page(0x40cc0(GFP_KERNEL|__GFP_COMP))": ("alloc_page", None, {"gfp": "GFP_KERNEL|__GFP_COMP"}),
    'kmem_cache_create("scullc", 4000, 0, SLAB_HWCACHE_ALIGN, NULL)': (
        "kmem_cache_create",
        None,
        {"name": "scullc", "size": 4000, "align": 0, "flags": "SLAB_HWCACHE_ALIGN"},
    ),
    'c = kmem_cache_create("old", 64, 0, 0, NULL, NULL); /* no ctor/dtor */': (
        "kmem_cache_create", "c", {"name": "old", "size": 64, "align": 0, "flags": 0},
    ),
    "drain_all_pages(NULL)": ("drain_all_pages", None, {}),
    "__free_pages(pfn_to_page(0x40f), 0)": ("__free_pages", None, {"pfn": 0x40F, "order": 0}),
    "get_page(ffffea00000103c0)": ("get_page", None, {"page": "0xffffea00000103c0"}),
    "free_page(ffff888001000000);": ("free_page", None, {"addr": "0xffff888001000000"}),
    "kfree(c1234567)": ("kfree", None, {"addr": "0xc1234567"}),
    "kfree(cafe)": ("kfree", None, {"addr": "$cafe"}),
    "free_pages((unsigned long)g, 3)": ("free_pages", None, {"page": "$g", "order": 3}),
    "kfree((void *)0xffff888001000000 + PAGE_SIZE)": ("kfree", None, {"addr": "0xffff888001001000"}),
    "get_page(p + (1 << 1))": ("get_page", None, {"page": "$p+2"}),
    "get_page(&p[3])": ("get_page", None, {"page": "$p+3"}),
    "p = __alloc_pages_nodemask(GFP_KERNEL, 2, 1, NULL);": (
        "alloc_pages_node", "p", {"gfp": "GFP_KERNEL", "order": 2, "node": 1},
    ),
    "p = alloc_pages_current(GFP_KERNEL, 1)": ("alloc_pages", "p", {"gfp": "GFP_KERNEL", "order": 1}),
    "page_cache_release(p);": ("put_page", None, {"page": "$p"}),
    "fill = alloc_page(GFP_KERNEL) * 9 until NULL;": (
        "alloc_page", "fill", {"gfp": "GFP_KERNEL", "repeat": 9, "until": "null"},
    ),
    "/* who */ bob@1/softirq: p = /* what */ alloc_page(GFP_ATOMIC);": (
        "alloc_page", "p", {"task": "bob", "cpu": 1, "context": "softirq", "gfp": "GFP_ATOMIC"},
    ),
    'rmmod("a//b/*c")': ("rmmod", None, {"name": "a//b/*c"}),
}  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_a_line_of_c_is_read(text: str) -> None:
    assert tuple(parse_line(text)) == READ[text]


@pytest.mark.parametrize(
    "text",
    [
        "void *buf;",
        "struct page *p, *q[4];",
        "static struct kmem_cache *cachep;",
        "unsigned long a, b",
        "struct page *page = NULL;",
        "// nothing",
        "/* nothing */",
        ";",
        "#include <linux/slab.h>",
    ],
)
def test_what_only_declares_calls_nothing(text: str) -> None:
    assert parse_line(text).name is None


REFUSED = {
    "if (!p)": "if is not taken",
    "} else {": "else is not taken",
    "for (i = 0; i < 10; i++) kfree(p);": "fill = alloc_page(GFP_KERNEL) * 9",
    "while (1) { kfree(p); }": "while is not taken",
    "do {": "do is not taken",
    "switch (n) {": "switch is not taken",
    "return -ENOMEM;": "return is not taken",
    "goto out;": "goto is not taken",
    "out:": "a label is not taken",
    "{": "the body of a function",
    "}": "the body of a function",
    "static int __init foo(void)": "the body of a function",
    "void kfree(const void *x);": "the body of a function",
    "#define SIZE 4096": "a macro is not taken",
    "#if 0": "a macro is not taken",
    "struct foo {": "the declaration of a type",
    "typedef int bar;": "the declaration of a type",
    "dptr->data[s_pos] = kmalloc(64, GFP_KERNEL);": "a member or an element",
    "mem[0] = kmalloc(64, GFP_KERNEL);": "a member or an element",
    "*p = kmalloc(64, GFP_KERNEL);": "a call is written",
    "i++;": "a call is written",
    "p = q;": "a call is written",
    "int order = 3;": "only within one text",
    "p = NULL;": "only within one text",
    "int a, b = 3;": "a declaration is taken",
    "kfree(p); kfree(q);": "one call stands on a line",
    "/* open": "never closed",
    "kfree(" + "(" * 60 + "p": "brackets within brackets",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_taken_says_what_would_be(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_line(text)
    assert REFUSED[text] in caught.value.faults[0].msg


MEANT_OTHERWISE = {
    "aloc_pages(GFP_KERNEL, 2)": ("call", "aloc_pages", "alloc_pages"),
    "malloc(30)": ("call", "malloc", "kmalloc"),
    "free(p)": ("call", "free", "kfree"),
    "KMALLOC(30, GFP_KERNEL)": ("call", "KMALLOC", "kmalloc"),
}


@pytest.mark.parametrize("text", MEANT_OTHERWISE)
def test_a_function_that_is_mistyped_is_suggested(text: str) -> None:
    field, word, meant = MEANT_OTHERWISE[text]
    with pytest.raises(BadArgument) as caught:
        parse_line(text)
    fault = caught.value.faults[0]
    assert fault.loc == (field,)
    assert (fault.word, fault.suggestions[0]) == (word, meant)


@pytest.mark.parametrize(
    "mask", ["GFP_KERNAL", "gfp_kernel", "GFP_KERNAL|__GFP_ZERO", "(GFP_KERNAL & ~__GFP_FS)"]
)
def test_a_flag_that_is_mistyped_is_suggested(mask: str) -> None:
    with pytest.raises(BadArgument) as caught:
        parsing.parse("alloc_page", parse_line(f"alloc_page({mask})").body, MODEL)
    assert caught.value.faults[0].suggestions[0] == "GFP_KERNEL"


@pytest.mark.parametrize("text", ["kmalloc(sizeof(struct foo), GFP_KERNEL)", "kmalloc(n * 2, GFP_KERNEL)"])
def test_a_size_that_is_not_known_is_named(text: str) -> None:
    with pytest.raises(BadArgument, match="known here") as caught:
        parse_line(text)
    assert caught.value.faults[0].loc == ("size",)


def test_a_call_within_a_call_stands_before_it() -> None:
    with pytest.raises(BadArgument, match=r"first x = virt_to_page\(a\), then put_page with x"):
        parse_line("put_page(virt_to_page(a))")


def test_what_has_no_part_in_it_may_be_left_out() -> None:
    with pytest.raises(BadArgument, match="leave this line out"):
        parse_line('pr_info("%d; (done)\\n", 3);')
    assert not CALLS.keys() & NO_PART.keys()
    assert not CALLS.keys() & OLD.keys()


@pytest.mark.parametrize("name", OLD)
def test_an_older_name_has_arguments_that_the_call_takes(name: str) -> None:
    old = OLD[name]
    known = {arg.name for arg in CALLS[old.name].args} | {"-"}
    assert set(old.args) <= known


def test_statements_share_a_line_and_who_calls() -> None:
    assert said("eve@1/atomic: p = alloc_page(GFP_ATOMIC); put_page(p); bob: drain_all_pages()") == [
        ("alloc_page", "p", {"task": "eve", "cpu": 1, "context": "atomic", "gfp": "GFP_ATOMIC"}),
        ("put_page", None, {"task": "eve", "cpu": 1, "context": "atomic", "page": "$p"}),
        ("drain_all_pages", None, {"task": "bob"}),
    ]


def test_a_comment_and_a_statement_go_on_over_lines() -> None:
    reader = Reader()
    found = []
    text = [
        "/* first",
        "   kfree(a);",
        "*/ kfree(b); // c",
        "p =",
        "  alloc_pages(GFP_KERNEL |",
        "",
        "__GFP_ZERO,",
        "3);",
    ]
    for number, line in enumerate(text, 1):
        found += [(reader.begun, one.name, one.body) for one in reader.read(number, line)]
    assert list(reader.finish()) == []
    assert found == [
        (3, "kfree", {"addr": "$b"}),
        (4, "alloc_pages", {"gfp": "GFP_KERNEL |  __GFP_ZERO", "order": 3}),
    ]


def test_a_statement_that_never_ends_is_refused_where_it_begins() -> None:
    reader = Reader()
    assert list(reader.read(1, "kfree(a)")) != []
    assert list(reader.read(2, "alloc_pages(GFP_KERNEL,")) == []
    with pytest.raises(Malformed, match="parenthesis is missing"):
        list(reader.finish())
    assert reader.begun == 2


def test_a_text_may_name_its_numbers_and_masks() -> None:
    assert said(
        "const int order = 1 + 1;\nsize_t n = 4 * sizeof(struct page);\n"
        "gfp_t flags = GFP_KERNEL | __GFP_ZERO;\n"
        'char *name = "demo";\nvoid *v = NULL;\n'
        "p = alloc_pages(flags, order);\nx = kmalloc(n + 16, flags);\nrmmod(name);\nkfree(v);\n"
        "order = alloc_page(GFP_KERNEL);\nput_page(order);"
    ) == [
        ("alloc_pages", "p", {"gfp": "GFP_KERNEL | __GFP_ZERO", "order": 2}),
        ("kmalloc", "x", {"size": "(4 * sizeof(struct page)) + 16", "flags": "GFP_KERNEL | __GFP_ZERO"}),
        ("rmmod", None, {"name": "demo"}),
        ("kfree", None, {"addr": None}),
        ("alloc_page", "order", {"gfp": "GFP_KERNEL"}),
        ("put_page", None, {"page": "$order"}),
    ]


@pytest.mark.parametrize(("arch", "size"), [("x86_64", 64), ("i386", 40)])
def test_a_size_that_depends_on_the_machine_is_the_machines(arch: str, size: int) -> None:
    model = MemoryModel(arch=arch, cpus=1, nodes=1, spans=((1, 4096),), max_low_pfn=4096, mem_map=0xC1000000)
    body = parse_line("kmalloc(2 * sizeof(struct page), GFP_KERNEL)").body
    assert parsing.parse("kmalloc", body, model).args["size"] == 2 * size


def test_json_has_no_expressions() -> None:
    with pytest.raises(BadArgument):
        parsing.parse("kmalloc", {"size": "sizeof(struct page)", "flags": 0}, MODEL)


N = 200_000

HUGE = {
    "semicolons": ";" * N,
    "comments": "/**/" * N,
    "open comments": "/*" * N,
    "slashes": "/" * N,
    "casts": "(void *)" * N + "kfree(p)",
    "cast's stars": "kfree((void " + "*" * N,
    "types": "unsigned " * N + "x;",
    "one type": "a_t" * N + " x;",
    "declarators": "int " + "a," * N + "(",
    "brackets": "kfree(" + "(" * N,
    "closing": "kfree(" + ")" * N,
    "brackets of a size": "kmalloc(" + "(" * N + "1" + ")" * N + ", 0)",
    "signs": "kmalloc(" + "-" * N + "1, 0)",
    "operators": "kmalloc(" + "1+" * N + "1, 0)",
    "one name": "kmalloc(" + "a" * N + "+1, 0)",
    "nested calls": "kfree(" + "f(" * N + ")" * N + ")",
    "a mask": "alloc_page(0x1(" + "GFP_KERNEL|" * N + "))",
    "blanks in a mask": "alloc_page(0x1(" + " " * N + "x",
    "flags": "alloc_page(" + "GFP_KERNEL|" * N + "x)",
    "equals": "a=" * N,
    "arrows": "a->" * N + "b = kfree(p)",
    "quotes": 'rmmod("' + "\\" * N + '")',
    "colons": "a:" * N,
    "braces": "}" * N,
}


@pytest.mark.parametrize("what", HUGE)
def test_work_is_linear(what: str) -> None:
    begun = time.process_time()
    with contextlib.suppress(BadArgument):
        parse_line(HUGE[what])
    assert time.process_time() - begun < 2


def test_work_is_linear_over_lines() -> None:
    begun = time.process_time()
    reader = Reader()
    for number in range(20_000):
        with contextlib.suppress(BadArgument):
            list(reader.read(number, "f(" + "a," * 40))
    assert time.process_time() - begun < 10


WORDS = """
struct page *p = q alloc_pages ( GFP_KERNEL , 3 ) ; // /* */ # { } if for return (void *) sizeof 0x10 K UL int
ffffea00000103c0 -> [ ] & ~ << + * 1 "x" NULL order == : @1 /softirq kfree pfn_to_page until free < typedef
a b kmem_cache_create unsigned long \\ ' % | - . #define 99999999999999999999 virt_to_page
"""
PIECES = st.sampled_from([*WORDS.split(), "\n", " "])


@given(
    st.lists(PIECES, max_size=40).map(" ".join)
    | st.lists(PIECES, max_size=40).map("".join)
    | st.text(max_size=80)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    reader = Reader()
    for number, line in enumerate([*text.split("\n"), None], 1):
        try:
            for one in reader.finish() if line is None else reader.read(number, line):
                assert one.name in CALLS
                with contextlib.suppress(BadArgument):
                    parsing.parse(one.name or "", one.body, MODEL, {"p", "q"})
        except BadArgument as error:
            assert error.faults[0].msg  # noqa: PT017 - most texts are no calls
