"""A form's strings mean what the same words mean on a line: both become the same JSON."""

import pytest

from app.errors import BadArgument
from app.machine import calltext
from app.machine.entry import CALLS
from app.web import address, fields
from app.web.address import Address
from app.web.preferences import local_path

WORDS = {
    "gfp": "GFP_KERNEL|__GFP_COMP",
    "uint": "3",
    "size": "64K",
    "node": "-1",
    "page": "p+3",
    "page_or_addr": "0xffff888004a00000",
    "addr": "NULL",
    "cache": "kmalloc-64",
    "object_name": "demo",
    "slab_flags": "SLAB_HWCACHE_ALIGN",
    "sysctl": "min_free_kbytes",
    "sysctl_value": "20000",
    "task": "alice",
    "array": "3",
    "number": "0x10",
    "function": "init_once",
    "rounds": "2",
    "user_addr": "0x400000", "fd": "3", "length": "4K", "offset": "8K", "loff": "4K", "accesses": "2",
    "swap_pages": "64", "bool": "true",
    "access_step": "8K", "byte": "7", "status": "1", "path": "/data/b", "program": "/bin/cat",
    "prot": "PROT_READ", "map_flags": "MAP_SHARED|MAP_ANONYMOUS", "mremap_flags": "MREMAP_MAYMOVE",
    "ms_flags": "MS_ASYNC", "madvice": "MADV_RANDOM", "fadvice": "POSIX_FADV_RANDOM", "open_flags": "O_RDWR",
}  # fmt: skip
BESIDE = {
    "task": "bob",
    "cpu": "1",
    "context": "softirq",
    "repeat": "10",
    "until": "NULL",
    "start": "1",
    "step": "2",
}


@pytest.mark.parametrize("name", CALLS)
def test_a_form_and_its_line_are_one_call(name: str) -> None:
    spec = CALLS[name]
    typed = {arg.name: WORDS[arg.kind] for arg in spec.args}
    typed |= {field: BESIDE[field] for field in fields.beside(spec) if field in BESIDE} | {"as": "r"}
    line = calltext.parse_line(fields.line_of(spec, typed))
    assert (line.name, line.as_name) == (name, "r")
    assert line.body == fields.body_of(spec, typed)


@pytest.mark.parametrize("name", CALLS)
def test_a_form_as_it_first_appears_says_nothing_that_goes_without_saying(name: str) -> None:
    spec = CALLS[name]
    typed = {arg.name: "" for arg in spec.args} | {
        "task": "init",
        "cpu": "0",
        "context": "process",
        "as": " ",
    }
    typed |= {arg.name: WORDS[arg.kind] for arg in spec.args if arg.required}
    line = fields.line_of(spec, typed)
    assert line.startswith(f"{name}(")
    assert line.endswith(")")


def test_arguments_behind_one_left_out_are_named() -> None:
    typed = {"name": "demo", "size": "64", "align": "", "flags": "SLAB_PANIC"}
    assert (
        fields.line_of(CALLS["kmem_cache_create"], typed) == "kmem_cache_create(demo, 64, flags=SLAB_PANIC)"
    )


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("NULL", "null"), ("null", "null"), ("1000", {"free_below": 1000}), ("free < 1K", {"free_below": 1024})],
)
def test_until_is_written_as_on_a_line(text: str, meaning: object) -> None:
    body = fields.body_of(CALLS["alloc_page"], {"gfp": "GFP_KERNEL", "until": text})
    assert body["until"] == meaning


def test_what_no_argument_can_be_is_passed_on_for_the_kernels_door_to_judge() -> None:
    body = fields.body_of(CALLS["alloc_pages"], {"gfp": "GFP_NONSENSE", "order": "abc", "until": "soon"})
    assert body == {"gfp": "GFP_NONSENSE", "order": "abc", "until": "soon"}


def test_an_unreadable_slice_is_refused_at_once() -> None:
    with pytest.raises(BadArgument):
        fields.body_of(CALLS["__free_pages"], {"page": "fill[]", "order": "0"})


def test_an_address_holds_the_whole_view() -> None:
    here = Address(
        "s", zone="Normal", node=0, start=0x100000, shift=3, pfn=0x4A00, panel="log", call="kfree", outcome=7
    )
    assert address.parse("s", here.query) == here
    assert "start=0x100000" in here.query


def test_an_address_is_never_an_error() -> None:
    found = address.parse(
        "s", {"pfn": "abc", "shift": "-1", "start": str(1 << 60), "zone": "Z" * 100, "else": "x"}
    )
    assert found == Address("s", zone="Z" * 64)


@pytest.mark.parametrize(
    "back", ["https://example.org/", "//example.org", "/\\example.org", "", "/\n/example.org"]
)
def test_a_choice_leads_back_to_us_alone(back: str) -> None:
    assert local_path(back) == "/"
    assert local_path("/sessions/x?pfn=0x1") == "/sessions/x?pfn=0x1"
