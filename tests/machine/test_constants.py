"""Integer constants as C writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadArgument
from app.machine import constants, ctypes_of
from app.machine.constants import Expression, Unknown
from app.mm.memory_model import MemoryModel

X86_64 = MemoryModel(arch="x86_64", cpus=1, nodes=1, spans=((1, 4096),), max_low_pfn=4096, mem_map=1 << 40)
I386 = MemoryModel(arch="i386", cpus=1, nodes=1, spans=((1, 4096),), max_low_pfn=4096, mem_map=1 << 30)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16*1024", 16384),
        (" 4 * PAGE_SIZE ", 16384),
        ("PAGE_SIZE << 2", 16384),
        ("2 + 3 * 4 - 1", 13),
        ("7 - 2 - 1", 4),
        ("1 << 2 << 3", 32),
        ("1 | 6 & 3 ^ 1", 3),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("~0", -1),
        ("- - +5", 5),
        ("(size_t)(4096) * 2", 8192),
        ("0xFFul", 255),
        ("10ULL", 10),
        ("64K", 65536),
        ("SZ_2M", 2 << 20),
        ("KMALLOC_MAX_SIZE", 4 << 20),
        ("get_order(1)", 0),
        ("get_order(PAGE_SIZE + 1)", 1),
        ("get_order(33 * 1024)", 4),
        ("PAGE_ALIGN(5000)", 8192),
        ("ALIGN(8192, 4096)", 8192),
        ("DIV_ROUND_UP(10, 3)", 4),
        ("max(1, 2) + min(3, 4)", 5),
        ("sizeof(int) + sizeof(u64)", 12),
        ("roundup_pow_of_two(5000)", 8192),
    ],
)
def test_comes_to(text: str, value: int) -> None:
    assert constants.value(text) == value
    assert constants.read(text) == value


@pytest.mark.parametrize(
    ("text", "x86_64", "i386"),
    [
        ("sizeof(struct page)", 64, 40),
        ("sizeof(unsigned long) * 3", 24, 12),
        ("sizeof(void *)", 8, 4),
        ("sizeof(struct foo *)", 8, 4),
        ("sizeof(struct list_head)", 16, 8),
        ("sizeof(long long int)", 8, 8),
    ],
)
def test_depends_on_the_machine(text: str, x86_64: int, i386: int) -> None:
    expression = constants.read(text)
    values = [one.on(model) if isinstance(one := expression, Expression) else one for model in (X86_64, I386)]
    assert values == [x86_64, i386]


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "(", "()", "(1", "1)", "1 2", "1 +", "* 2", "1 // 2", "010", "5x", "0x", "1.5", "1e3",
        "1 / 0", "1 % 0", "1 << 64", "1 << -1", "1 << 63 << 2", "size", "sizeof", "sizeof(struct foo)",
        "sizeof(*p)", "sizeof()", "get_order", "ALIGN(1)", "ALIGN(1, 0)", "ilog2(0)", "a ? b : c", "1 == 1",
        "__import__('os')", "(" * 30 + "1" + ")" * 30, "1+" * 300 + "1", "\x00", "\ud800", "１",
    ],
)  # fmt: skip
def test_is_no_constant(text: str) -> None:
    with pytest.raises(Unknown):
        constants.read(text)


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(Unknown) as caught:
        constants.value("2 * size")
    assert caught.value.word == "size"


@given(st.text(alphabet="0123456789 +-*/%<>&|^~(),xKULsizeofPAGE_ntrc", max_size=60))
def test_any_text_is_a_number_of_64_bits_or_refused(text: str) -> None:
    try:
        found = constants.value(text, X86_64)
    except BadArgument as error:
        assert error.faults[0].msg  # noqa: PT017 - most are none
    else:
        assert -(1 << 64) <= found <= 1 << 64


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = st.tuples(inner, st.sampled_from("+-*&|^"), inner)
    return parts.map(lambda part: f"({part[0]} {part[1]} {part[2]})")


@given(st.recursive(st.integers(0, 99).map(str), joined, max_leaves=12))
def test_is_what_python_says(text: str) -> None:
    try:
        found = constants.value(text)
    except Unknown:
        return  # too deep, or more than 64 bits
    assert found == eval(text, {})


def test_every_type_has_a_size() -> None:
    for name in ctypes_of.SIZES:
        assert ctypes_of.size(name) is not None, name
        assert ctypes_of.size(f"{name} *") is not None, name
