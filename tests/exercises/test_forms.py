"""Forms of answers: read as people write them, compared, shared, and shown again."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.exercises.exercise import Field
from app.exercises.forms import FORMS, Answer, BadAnswer, BadForm, Setting, Shape
from app.machine import boot
from app.machine.machine import Machine

FIELD = Field("", "1 ret", "number")
LINES = ("alice: a = alloc_page(GFP_KERNEL)", "bob@1/softirq: kfree(a)", "carol: vfree(v)")
STEPS = tuple((number, f"step {number}") for number in (3, 4, 7, 12))


@cache
def machine() -> Machine:
    """A small machine that nobody has used."""
    return boot.boot({"profile": "tiny-16m", "lecture": True})


def field(form: str, **more: Any) -> Field:
    """A field with that form."""
    answer = "buddyinfo DMA" if form == "orders" else "1 ret"
    options = ("one", "two", "three") if form == "choice" else ()
    return replace(Field("", answer, form, options=options), **more)


def shape(form: str, **more: Any) -> Shape:
    """What is needed to ask for it."""
    return FORMS[form].shape(field(form, **more), Setting(machine(), LINES, STEPS, ("erin",)))


def read(form: str, text: str, **more: Any) -> Answer:
    """A text read."""
    return FORMS[form].read(text, shape(form, **more))


def share(form: str, right: Answer, given: Answer, **more: Any) -> int:
    """How much of it is right."""
    return FORMS[form].share(right, given, shape(form), field(form, **more)).share


def refused(form: str, text: str) -> str:
    """What is said of a text that is no answer."""
    with pytest.raises(BadAnswer) as error:
        read(form, text)
    return str(error.value)


# -- numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1536", 1536),
        ("1,536", 1536),
        ("1 536", 1536),
        ("1\u2009536", 1536),
        ("1\u202f536", 1536),
        ("1\u00a0536", 1536),
        ("1_536", 1536),
        ("1'536", 1536),
        ("1\u2019536", 1536),
        ("12,345,678", 12345678),
        ("0x600", 1536),
        ("0X600", 1536),
        ("0X6aB", 0x6AB),
        ("0xffff_8880", 0xFFFF8880),
        ("1.5K", 1536),
        ("1.5 k", 1536),
        ("1.5 KiB", 1536),
        ("1.5KB", 1536),
        ("6 MiB", 6 << 20),
        ("6M", 6 << 20),
        ("2G", 2 << 30),
        ("0x10 K", 16 << 10),
        ("１５３６", 1536),
        ("１，５３６", 1536),
        ("０ｘ６００", 1536),
        ("٣", 3),
        ("  7 ", 7),
        ("+7", 7),
        ("-9", -9),
        ("\u22129", -9),
        ("\u20139", -9),
        ("3.0", 3),
        ("2^12", 4096),
        ("2 ** 12", 4096),
        ("7 frames", 7),
        ("12 %", 12),
        ("3개", 3),
        ("3 페이지", 3),
        ("\u200b7", 7),
        ("007", 7),
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, number: int) -> None:
    assert read("number", text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "many",
        "1,5",
        "1,53",
        "1,5367",
        "1,536 789",
        "1.5",
        "1.536",
        "0x",
        "0xg",
        "--1",
        "1-2",
        "7 seconds",
        "7 bytes",
        "1e6",
        "½",
        "1K K",
        "9" * 30,
        "9" * 5000,
        "0x" + "f" * 17,
        "2^64",
        "\ud800",
        "\x00",
        "1\n2",
    ],
)
def test_what_is_no_number_says_what_would_be(text: str) -> None:
    said = refused("number", text)
    assert said.endswith((".", "characters."))
    assert "1,536" in said or "4,096" in said


def test_bytes_take_units_of_bytes_and_not_of_pages() -> None:
    assert read("bytes", "24 KiB") == read("bytes", "24,576 bytes") == read("bytes", "24576B") == 24576
    assert read("bytes", "24576 바이트") == 24576
    assert "pages" in refused("bytes", "6 pages")
    assert FORMS["bytes"].text(24576, shape("bytes")) == "24,576 bytes"
    assert FORMS["bytes"].text(1, shape("bytes")) == "1 byte"


def test_an_offset_is_shown_in_hexadecimal() -> None:
    assert FORMS["hex"].text(0xABC, shape("hex")) == "0xabc"
    assert read("hex", "2748") == 0xABC


@pytest.mark.parametrize(
    ("within", "near", "given", "found"),
    [
        ("", None, 968, 1000),
        ("", None, 969, 0),
        ("9", None, 977, 1000),
        ("9", None, 959, 1000),
        ("9", None, 978, 0),
        ("2 %", None, 987, 1000),
        ("2%", None, 988, 0),
        ("0.5 %", None, 972, 1000),
        ("0.5 %", None, 973, 0),
        ("", ("9", 500), 970, 500),
        ("", ("9", 500), 978, 0),
        ("2", ("10 %", 300), 970, 1000),
        ("2", ("10 %", 300), 1000, 300),
    ],
)
def test_a_number_is_right_within_a_distance_and_worth_something_near(
    within: str, near: tuple[str, int] | None, given: int, found: int
) -> None:
    assert share("number", 968, given, within=within, near=near) == found


# -- places -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pfn"),
    [("0x400", 1024), ("1024", 1024), ("1,024", 1024), ("4a0", 0x4A0), ("NULL", "NULL"), ("없음", "NULL")],
)
def test_a_frame_is_read_in_either_base(text: str, pfn: int | str) -> None:
    assert read("pfn", text) == pfn


def test_a_frame_that_the_machine_has_not_is_no_answer() -> None:
    assert "0xfff" in refused("pfn", "0x1000")
    assert "0xfff" in refused("pfn", "-1")


@pytest.mark.parametrize(
    ("near", "given", "found"),
    [
        (("zone", 300), 1500, 300),
        (("zone", 300), "NULL", 0),
        (("block 3", 400), 0x407, 400),
        (("block 3", 400), 0x408, 0),
        (("1", 400), 0x402, 400),
        (("1", 400), 0x403, 0),
        (None, 0x402, 0),
        (None, 0x401, 1000),
    ],
)
def test_a_frame_nearby_earns_what_the_file_says(
    near: tuple[str, int] | None, given: Answer, found: int
) -> None:
    assert share("pfn", 0x401, given, near=near) == found


@pytest.mark.parametrize(
    "text",
    ["0xffff888000fff000", "0XFFFF888000FFF000", "ffff888000fff000", "18446612682086805504",
     "0xffff_8880_00ff_f000"],
)  # fmt: skip
def test_an_address_is_kept_in_hexadecimal(text: str) -> None:
    assert read("address", text) == "0xffff888000fff000"


def test_the_address_0_is_null() -> None:
    assert read("address", "0") == read("address", "NULL") == read("address", "0x0") == "NULL"
    assert FORMS["address"].answer(0xFF001000, shape("address")) == "0xff001000"
    assert FORMS["address"].answer(None, shape("address")) == "NULL"
    assert "address" in refused("address", "0x1ffffffffffffffff")
    assert "address" in refused("address", "-1")


def test_an_address_of_the_same_page_may_earn_a_share() -> None:
    assert share("address", "0xff001000", "0xff001abc", near=("page", 500)) == 500
    assert share("address", "0xff001000", "0xff002000", near=("page", 500)) == 0
    assert share("address", "0xff001000", "NULL", near=("page", 500)) == 0
    assert share("address", "0xff001000", "0xff001008", within="8") == 1000


# -- frames -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pfns"),
    [
        ("1025-1031, 1040", [*range(1025, 1032), 1040]),
        ("1025\u20131031,1040", [*range(1025, 1032), 1040]),
        ("0x401-0x403", [0x401, 0x402, 0x403]),
        ("0X401 - 0X403", [0x401, 0x402, 0x403]),
        ("0x401..0x403", [0x401, 0x402, 0x403]),
        ("0x401 to 0x403", [0x401, 0x402, 0x403]),
        ("1040 1025", [1025, 1040]),
        ("1040、1025", [1025, 1040]),
        ("1040; 1040", [1040]),
        ("100,101,102", [100, 101, 102]),
        ("１０２５～１０２７", [1025, 1026, 1027]),
        ("none", []),
        ("없음", []),
    ],
)
def test_frames_are_read_with_ranges(text: str, pfns: list[int]) -> None:
    assert read("frames", text) == pfns


def test_what_is_no_set_of_frames_says_why() -> None:
    assert "backwards" in refused("frames", "1031-1025")
    assert "without a comma" in refused("frames", "1,025")
    assert "0xfff" in refused("frames", "0-5000")
    assert "no frame" in refused("frames", "all of them")
    assert "1025-1031" in refused("frames", " ")


def test_frames_are_bounded() -> None:
    large: Shape = {"form": "frames", "control": "text", "hint": "", "most": 4096}
    assert len(FORMS["frames"].read("0-99999", large)) == 100_000  # type: ignore[arg-type]
    for text in ("0-100000", "0-0xffffffffffff", "0-99999, 200000", "0-49999, " * 3):
        with pytest.raises(BadAnswer, match="100,000"):
            FORMS["frames"].read(text, large)


def test_frames_earn_what_both_have_of_what_either_has() -> None:
    right: Answer = [*range(1025, 1032)]
    assert share("frames", right, [*range(1024, 1032)]) == 875
    assert share("frames", right, []) == 0
    assert share("frames", [], []) == 1000
    assert share("frames", [], [1]) == 0
    marked = FORMS["frames"].share(right, [1024, 1025], shape("frames"), FIELD)
    assert [part.text for part in marked.parts] == [
        "1 frame that you named",
        "1 frame that you named",
        "6 frames that you did not name",
    ]
    assert [part.right for part in marked.parts] == [True, False, False]


def test_the_picture_of_frames_lays_one_over_the_other() -> None:
    picture = FORMS["frames"].picture([1025, 1026], [1024, 1025], shape("frames"))
    assert picture is not None
    assert picture["runs"] == [[1024, 1, ["given"]], [1025, 1, ["given", "right"]], [1026, 1, ["right"]]]


# -- free lists -------------------------------------------------------------------------------------------

BEFORE = [0] * 10 + [3]


@pytest.mark.parametrize(
    "text",
    [
        "0 0 0 1 1 1 1 1 1 1 2",
        "0;0;0;1;1;1;1;1;1;1;2",
        "0,0,0,1,1,1,1,1,1,1,2",
        "0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2",
        "[0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2]",
        "3:1 4:1 5:1 6:1 7:1 8:1 9:1 10:2",
        "3=1; 4=1; 5=1; 6=1; 7=1; 8=1; 9=1; 10=2",
    ],
)
def test_free_lists_are_read_from_boxes_or_from_a_line(text: str) -> None:
    assert shape("orders").get("before") == BEFORE
    assert read("orders", text) == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2]


def test_what_is_no_list_of_counts_says_why() -> None:
    assert "order 2 is empty" in refused("orders", "0;0;;1;1;1;1;1;1;1;2")
    assert "4 numbers" in refused("orders", "0 0 0 1")
    assert "order 3" in refused("orders", "0 0 0 x 1 1 1 1 1 1 2")
    assert "order 3" in refused("orders", "0 0 0 -1 1 1 1 1 1 1 2")
    assert "3:127" in refused("orders", "3:127 11:4")
    assert "empty" in refused("orders", ";" * 10)


def test_boxes_that_are_as_before_earn_nothing() -> None:
    right: Answer = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2]
    assert share("orders", right, [*BEFORE]) == 0
    # Eight boxes change; the second half given away too costs one.
    assert share("orders", right, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2]) == 875
    # A box that should not have changed is one more in the whole.
    assert share("orders", right, [0, 0, 7, 1, 1, 1, 1, 1, 1, 1, 2]) == 888
    assert share("orders", [*BEFORE], [*BEFORE]) == 1000
    assert share("orders", [*BEFORE], [1, *BEFORE[1:]]) == 0


def test_the_parts_of_free_lists_are_the_orders_that_count() -> None:
    right: Answer = [0] * 9 + [1, 2]
    marked = FORMS["orders"].share(right, [0] * 9 + [2, 2], shape("orders"), FIELD)
    assert [(part.number, part.right) for part in marked.parts] == [(9, False), (10, True)]


# -- choices ----------------------------------------------------------------------------------------------


def test_one_of_several_things_is_read_by_its_name() -> None:
    assert read("verdict", "NULL") == "null"
    assert read("verdict", "  Oom ") == "oom"
    assert read("zone", "zone_dma") == read("zone", "ｄｍａ") == "DMA"
    assert read("choice", "TWO") == "two"
    assert read("fault", "Minor") == "minor"
    assert "ok, null" in refused("verdict", "fine")
    assert "Nothing is chosen" in refused("zone", "")


def test_flags_are_read_with_or_without_their_beginning() -> None:
    assert read("flags", "IO | __GFP_FS") == read("flags", "fs, io") == ["__GFP_IO", "__GFP_FS"]
    assert read("flags", "none") == []
    assert read("flags", "wait|io", options=("WAIT", "IO", "FS")) == ["WAIT", "IO"]
    assert "GFP_IOX" in refused("flags", "GFP_IOX")


@pytest.mark.parametrize(
    ("given", "found"),
    [([2, 5], 666), ([2, 4, 5], 1000), ([1, 2, 4, 5], 666), ([1, 2, 3], 0), ([], 0), ([1, 2, 3, 4, 5, 6], 0)],
)
def test_marks_earn_hits_without_wrong_ones(given: list[int], found: int) -> None:
    assert share("lines", [2, 4, 5], given) == found


def test_where_nothing_is_to_be_marked_marking_nothing_is_right() -> None:
    assert share("lines", [], []) == 1000
    assert share("lines", [], [1]) == 0


def test_lines_and_steps_are_named_by_number() -> None:
    assert read("lines", "2-3, 1") == [1, 2, 3]
    assert read("lines", "#2") == [2]
    assert read("step", "7") == [7]
    assert read("lines", "none") == []
    assert "not there" in refused("lines", "4")
    assert "not there" in refused("step", "5")
    assert "too long" in refused("lines", "1-99999")
    assert "no number" in refused("lines", "kfree")


def test_tasks_are_named_in_order() -> None:
    assert read("tasks", "bob, carol") == read("tasks", "bob carol") == ["bob", "carol"]
    assert read("tasks", "Bob -> Carol → erin") == ["bob", "carol", "erin"]
    assert read("tasks", "nobody") == []
    assert "mallory" in refused("tasks", "bob, mallory")
    assert "nobody" in refused("tasks", "")


@pytest.mark.parametrize(
    ("right", "given", "found"),
    [
        ("bob carol", "bob carol", 1000),
        ("bob carol", "bob carol alice", 666),
        ("bob carol", "bob", 500),
        ("bob carol", "carol", 0),
        ("bob carol", "", 0),
        ("", "", 1000),
        ("", "bob", 0),
    ],
)
def test_tasks_earn_the_longest_beginning(right: str, given: str, found: int) -> None:
    assert share("tasks", right.split(), given.split()) == found


# -- every form -------------------------------------------------------------------------------------------

PFN = st.integers(0, 4095)
ANSWERS: dict[str, st.SearchStrategy[Any]] = {
    "number": st.integers(-(2**63) + 1, 2**63 - 1),
    "bytes": st.integers(0, 2**63 - 1),
    "hex": st.integers(0, 2**63 - 1),
    "pfn": PFN | st.just("NULL"),
    "address": st.integers(1, 2**64 - 1).map(hex) | st.just("NULL"),
    "frames": st.sets(PFN, max_size=300).map(sorted),
    "orders": st.lists(st.integers(0, 2**40), min_size=11, max_size=11),
    "zone": st.just("DMA"),
    "verdict": st.sampled_from(("ok", "null", "blocked", "warn", "bug", "oom", "hang", "panic")),
    "fault": st.sampled_from(("none", "minor", "major", "signal")),
    "choice": st.sampled_from(("one", "two", "three")),
    "flags": st.sets(st.sampled_from(("__GFP_DMA", "__GFP_HIGH", "__GFP_IO", "__GFP_FS"))).map(
        lambda names: [name for name in ("__GFP_DMA", "__GFP_HIGH", "__GFP_IO", "__GFP_FS") if name in names]
    ),
    "lines": st.sets(st.integers(1, 3)).map(sorted),
    "step": st.sets(st.sampled_from((3, 4, 7, 12))).map(sorted),
    "tasks": st.lists(st.sampled_from(("alice", "bob", "carol", "erin")), max_size=20),
}
# Pieces of what people type.
WORDS = "0x ff - , ; .. 1 1,024 K MiB . 5 none NULL ok DMA | bob : 3: １ ， ^ 2 % ' _ GFP_ to ( ] # = +"
BITS = st.sampled_from([*WORDS.split(" "), " ", "\u2009", "\u2013", "\x00", "\ud800", "9" * 20])


def test_every_form_is_tested_here() -> None:
    assert set(ANSWERS) == set(FORMS)


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(data=st.data())
def test_an_answer_reads_as_it_is_written(form: str, data: st.DataObject) -> None:
    answer = data.draw(ANSWERS[form])
    asked = shape(form)
    assert FORMS[form].read(FORMS[form].text(answer, asked), asked) == answer
    assert FORMS[form].answer(answer, asked) == answer
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(data=st.data())
def test_an_answer_earns_all_exactly_where_it_is_the_right_one(form: str, data: st.DataObject) -> None:
    right, given = data.draw(ANSWERS[form]), data.draw(ANSWERS[form])
    marked = FORMS[form].share(right, given, shape(form), field(form))
    assert 0 <= marked.share <= 1000
    assert marked.right == FORMS[form].same(right, given) == (right == given)
    assert FORMS[form].share(right, right, shape(form), field(form)).share == 1000
    json.dumps([[part.as_json() for part in marked.parts], FORMS[form].picture(right, given, shape(form))])


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(text=st.text(max_size=60) | st.lists(BITS, max_size=12).map("".join))
def test_nothing_that_is_typed_raises_but_as_no_answer(form: str, text: str) -> None:
    asked = shape(form)
    try:
        answer = FORMS[form].read(text, asked)
    except BadAnswer as error:
        said = str(error)
    else:
        said = FORMS[form].text(answer, asked)
        assert FORMS[form].read(said, asked) == answer
    assert said.isprintable()
    assert len(said) < 500


@pytest.mark.parametrize("form", FORMS)
def test_a_shape_is_json_and_says_how_to_answer(form: str) -> None:
    asked = shape(form)
    assert json.loads(json.dumps(asked)) == asked
    assert asked["form"] == form
    assert asked["hint"].endswith(".")
    assert asked["control"] in ("text", "radio", "checks", "boxes", "order")
    assert ("options" in asked) == (asked["control"] in ("radio", "checks", "order"))


@pytest.mark.parametrize("form", FORMS)
def test_a_text_of_any_length_is_refused_at_once(form: str) -> None:
    assert "4,096" in refused(form, "1 " * 5000)


# -- fields of files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        field("verdict", within="9"),
        field("number", within="some"),
        field("number", near=("zone", 300)),
        field("number", near=("9", 1000)),
        field("pfn", near=("block 11", 300)),
        field("pfn", near=("block", 300)),
        field("pfn", near=("zone", 0)),
        field("address", near=("zone", 300)),
        field("choice", options=("one",)),
        field("choice", options=("one", "One")),
        field("number", options=("1", "2")),
        field("orders", answer="free DMA"),
        field("zone", near=("9", 300)),
    ],
)
def test_a_field_that_its_form_cannot_have_is_refused(wrong: Field) -> None:
    with pytest.raises(BadForm):
        FORMS[wrong.form].check(wrong)


@pytest.mark.parametrize("form", FORMS)
def test_a_field_as_it_should_be_is_taken(form: str) -> None:
    FORMS[form].check(field(form))


def test_kernel_threads_are_nobody_to_name() -> None:
    names = [option["value"] for option in shape("tasks")["options"]]
    assert names == sorted(names)
    assert {"alice", "bob", "carol", "erin"} <= set(names)
    assert "kswapd0" not in names
