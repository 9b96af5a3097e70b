"""GFP masks out of logs: as printed, and as older and newer kernels numbered them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadArgument
from app.machine import oldmasks
from app.machine.gfp_text import VALUE
from app.mm import gfp


def readings(text: str, version: str | None = None) -> dict[str, tuple[str, int]]:
    """By kernel: the names that the mask has there, and the same in 6.1."""
    found = oldmasks.readings(oldmasks.read(text), None if version is None else oldmasks.version_of(version))
    return {one.kernel: (one.names, one.now) for one in found}


@pytest.mark.parametrize(
    ("text", "kernel", "names", "now"),
    [
        # Out of logs of these kernels, which 4.6 and later print with the names beside the number.
        ("0xd0", "2.6.31–4.3", "GFP_KERNEL", "GFP_KERNEL"),
        ("mode:0x20", "2.6.31–4.3", "GFP_ATOMIC", "GFP_ATOMIC"),
        ("mode:0x2040d0", "2.6.31–4.3", "GFP_KERNEL|__GFP_COMP|__GFP_NOTRACK", "GFP_KERNEL|__GFP_COMP"),
        ("0x10d0", "2.6.31–4.3", "GFP_KERNEL|__GFP_NORETRY", "GFP_KERNEL|__GFP_NORETRY"),
        ("0x200da", "2.6.31–4.3", "GFP_HIGHUSER_MOVABLE", "GFP_HIGHUSER_MOVABLE"),
        ("0x0", "2.6.31–4.3", "GFP_NOWAIT", "GFP_NOWAIT"),
        (
            "gfp_mask=0x24280ca,",
            "4.4–4.9",
            "GFP_HIGHUSER_MOVABLE|__GFP_ZERO",
            "GFP_HIGHUSER_MOVABLE|__GFP_ZERO",
        ),
        ("0x2080020(GFP_ATOMIC)", "4.4–4.9", "GFP_ATOMIC", "GFP_ATOMIC"),
        ("0x14000c0", "4.10–4.17", "GFP_KERNEL", "GFP_KERNEL"),
        ("0x14200ca(GFP_HIGHUSER_MOVABLE)", "4.10–4.17", "GFP_HIGHUSER_MOVABLE", "GFP_HIGHUSER_MOVABLE"),
        ("0x6000c0", "4.18–5.0", "GFP_KERNEL", "GFP_KERNEL"),
        ("0x480020", "4.18–5.0", "GFP_ATOMIC", "GFP_ATOMIC"),
        ("0x820(GFP_ATOMIC)", "6.3+", "GFP_ATOMIC", "GFP_ATOMIC"),
    ],
)
def test_a_number_of_another_kernel_is_recognised(text: str, kernel: str, names: str, now: str) -> None:
    found = readings(text)
    value = 0
    for name in now.split("|"):
        value |= VALUE[name]
    assert found[kernel] == (names, value)
    assert "6.1" in found


@pytest.mark.parametrize(
    ("line", "number", "names"),
    [
        ("ip: page allocation failure: mode:0x1080120(GFP_ATOMIC), nodemask=", 0x1080120, "GFP_ATOMIC"),
        ("cored invoked oom-killer: gfp_mask=0x2084d0, order=0, oom_score_adj=0", 0x2084D0, ""),
        ("mm_page_alloc: pfn=0x1 order=4 gfp_flags=GFP_USER|__GFP_ZERO", None, "GFP_USER|__GFP_ZERO"),
        ("test invoked oom-killer: gfp_mask=0x62****(GFP_USER|__GFP_ZERO)", None, "GFP_USER|__GFP_ZERO"),
    ],
)  # fmt: skip
def test_a_mask_is_found_in_a_line_of_the_log(line: str, number: int | None, names: str) -> None:
    assert oldmasks.read(line) == oldmasks.Given(number, names)


@pytest.mark.parametrize(
    "text", ["0xcc0", "0x40cc0(GFP_KERNEL|__GFP_COMP)", "0xa20", "0x100cca", "GFP_KERNEL|__GFP_ZERO", "0x800"]
)
def test_what_6_1_prints_has_one_reading(text: str) -> None:
    assert list(readings(text)) == ["6.1"]


def test_the_version_that_a_person_gives_decides() -> None:
    assert readings("0xcc0", "3.10.0-1062.el7.x86_64") == {
        "3.10": ("__GFP_IO|__GFP_FS|__GFP_REPEAT|__GFP_NOFAIL", 0xC0C0),
        "6.1": ("GFP_KERNEL", 0xCC0),
    }
    assert readings("0xcc0", "5.15.0-91-generic") == {"5.15": ("GFP_KERNEL", 0xCC0)}
    assert readings("0xcc0", "v6.1") == {"6.1": ("GFP_KERNEL", 0xCC0)}
    assert readings("GFP_KERNEL", "4.9")["4.9"] == ("GFP_KERNEL", 0xCC0)


@pytest.mark.parametrize("text", ["2.6.18", "2.6", "1.0", "6", "x", "", "4.4.4.4x y", "9" * 200, "3.10\n3"])
def test_no_version(text: str) -> None:
    with pytest.raises(BadArgument):
        oldmasks.version_of(text)


@pytest.mark.parametrize("one", oldmasks.NUMBERINGS, ids=lambda one: one.words)
def test_a_numbering_prints_what_reads_back(one: oldmasks.Numbering) -> None:
    assert len(one.bits) == len([name for name in one.bits if name == "" or one.bits.count(name) == 1])
    for mask in (1 << place for place, name in enumerate(one.bits) if name):
        assert oldmasks.mask_of(list(oldmasks.printed(mask, one)), one) == mask
    for name in one.types:
        assert next(oldmasks.printed(oldmasks.mask_of([name], one), one)) == name


def test_the_numbering_of_this_kernel_is_the_kernels() -> None:
    for place, name in enumerate(oldmasks.PRESENT.bits):
        assert getattr(gfp, name) == 1 << place


@pytest.mark.parametrize(
    "text", ["0x40cc0(GFP_NOPE)", "0xcc0()()", "mode:", "0xcc0(", "(", "", "a" * 3000, "0x1ffffffff"]
)
def test_no_mask(text: str) -> None:
    try:
        given = oldmasks.read(text)
    except BadArgument:
        return
    assert given.value == 0xCC0  # an open bracket is what is left of a line that was cut


@given(st.text(alphabet="0xcdGFP_KERNEL|(): =mode,", max_size=60) | st.text(max_size=40))
def test_any_text_is_a_mask_or_refused(text: str) -> None:
    try:
        given = oldmasks.read(text)
    except BadArgument:
        return
    assert oldmasks.readings(given)


def test_work_is_linear() -> None:
    begun = time.process_time()
    for text in (
        " " * 100_000,
        "0x1(" * 100_000,
        "0x1(" + "GFP_KERNEL|" * 100_000,
        "0x1" + " " * 100_000 + "(",
    ):
        with pytest.raises(BadArgument):
            oldmasks.read(text)
        oldmasks.unprinted(text)
    assert time.process_time() - begun < 2
