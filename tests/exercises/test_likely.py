"""Wrong answers that people give, computed from the machine, and choices for votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from app.exercises import misconceptions
from app.exercises.forms import FORMS, Answer
from app.exercises.likely import ASKED, LIKELY, choices_for, possible, vote
from app.exercises.playground import Playground
from app.machine import boot
from app.machine.calls import Call
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from tests.support.random_calls import RandomCalls

TINY = {"profile": "tiny-16m", "lecture": True}
SMALL = {"profile": "x86_64-1g", "lecture": False}
LARGE = {"profile": "x86_64-8g", "lecture": False}
OLD = {"profile": "i386-1g", "lecture": True}
USER = {"profile": "x86_64-1g"}
KINDS: dict[str, dict[str, Any]] = {"TINY": TINY, "SMALL": SMALL, "LARGE": LARGE, "OLD": OLD, "USER": USER}
# Half of the memory is free, and no two frames of it are neighbours.
SCATTERED = ("f = alloc_page(GFP_ATOMIC|__GFP_MEMALLOC) until NULL", "__free_pages(f[::2], 0)")
QUEUE = (
    "p = alloc_page(GFP_KERNEL)",
    "alice: lock_page(p)",
    "bob: wait_on_page_locked(p)",
    "carol: lock_page(p)",
    "dave: wait_on_page_locked(p)",
    "erin: lock_page(p)",
)
ALL_EIGHT = ("TINY", *(f"p{number} = alloc_page(GFP_KERNEL)" for number in range(8)))
FILE = (
    "USER",
    "a: execve()",
    "a: f = open(/data/a)",
    "a: q = mmap(NULL, 1M, PROT_READ|PROT_WRITE, MAP_PRIVATE, f)",
)
READ = (*FILE, "a: load(q+80K)")

Made = tuple[Machine, Call, Outcome, Machine]


@cache
def place(machine: str, *lines: str) -> Playground:
    """A machine behind some lines, to copy."""
    begun = Playground.boot(KINDS[machine])
    begun.make(lines)
    return begun


def made(machine: str, *lines: str) -> Made:
    """The last line's call with the machine before and after it."""
    before = place(machine, *lines[:-1])
    after = before.copy()
    (outcome,) = after.act(lines[-1])
    return before.machine, outcome.call, outcome, after.machine


def right_of(what: str, act: Made) -> Answer:
    """The right answer."""
    asked = vote(what, *act)
    assert asked is not None
    return asked.right


def likely(key: str, act: Made) -> Answer | None:
    """A wrong answer."""
    return LIKELY[key](*act, right_of(LIKELY[key].about, act))


ONE = "alloc_page(GFP_KERNEL)"
SPLIT = ("TINY", "a = alloc_pages(GFP_KERNEL, 3)")
RIGHT_SPLIT = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("key", "lines", "answer"),
    [
        # Which frame.
        ("other_half", SPLIT, 0x408),
        ("first_fit", SPLIT, None),
        ("first_fit", (*SPLIT, "alloc_pages(GFP_KERNEL, 4)"), 0x408),
        ("first_fit", (*SPLIT, "alloc_pages(GFP_KERNEL, 3)"), None),
        ("first_fit", (*ALL_EIGHT, "__free_page(p2)", "alloc_page(GFP_KERNEL)"), 0x408),
        ("lowest_free", (*ALL_EIGHT, "__free_page(p2)", "__free_page(p5)", ONE), 0x402),
        ("lowest_free", SPLIT, None),
        ("other_half", (*ALL_EIGHT, "__free_page(p2)", "alloc_page(GFP_KERNEL)"), None),
        ("wrong_list", ("LARGE", "alloc_page(GFP_KERNEL)"), 0x2372C0),
        ("not_cached", ("LARGE", f"a = {ONE}", "__free_page(a)", ONE), 0x10003F),
        ("longest_cached", ("LARGE", f"a = {ONE}", "__free_page(a)", ONE), 0x10003E),
        ("not_cached", SPLIT, None),
        ("lowest_free", ("TINY", *SCATTERED, "alloc_pages(GFP_NOWAIT, 1)"), None),
        # Free lists.
        ("equal_pieces", SPLIT, [0, 0, 0, 127, 0, 0, 0, 0, 0, 0, 2]),
        ("one_split", SPLIT, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]),
        ("both_halves", SPLIT, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2]),
        ("largest_split", (*SPLIT, "alloc_pages(GFP_KERNEL, 3)"), [0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 1]),
        ("largest_split", SPLIT, None),
        ("not_reduced", SPLIT, [0, 0, 0, 2, 1, 1, 1, 1, 1, 1, 2]),
        ("unchanged", SPLIT, [0] * 10 + [3]),
        ("not_from_cache", SPLIT, None),
        ("no_merge", SPLIT, None),
        ("no_merge", (*SPLIT, "__free_pages(a, 3)"), [0, 0, 0, 2, 1, 1, 1, 1, 1, 1, 2]),
        ("one_merge", (*SPLIT, "__free_pages(a, 3)"), [0, 0, 0, 0, 2, 1, 1, 1, 1, 1, 2]),
        ("unchanged", (*SPLIT, "__free_pages(a, 3)"), RIGHT_SPLIT),
        ("any_neighbour", (*ALL_EIGHT, "__free_page(p1)", "__free_page(p2)"), [0, 1, 0, *RIGHT_SPLIT[3:]]),
        ("any_neighbour", (*ALL_EIGHT, "__free_page(p0)", "__free_page(p1)"), None),
        ("not_from_cache", ("LARGE", "alloc_page(GFP_KERNEL)"), [0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1244]),
        ("one_split", ("TINY", "alloc_pages(GFP_KERNEL, 9)"), None),
        ("equal_pieces", ("TINY", "alloc_pages(GFP_KERNEL, 10)"), None),
        ("not_reduced", ("TINY", "alloc_pages(GFP_KERNEL, 10)"), [0] * 10 + [3]),
        ("equal_pieces", ("TINY", "kmalloc(9000, GFP_KERNEL)"), [0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 2]),
        # Zones.
        ("always_normal", SPLIT, "Normal"),
        ("always_normal", ("LARGE", "alloc_page(GFP_KERNEL)"), None),
        ("highmem", ("LARGE", "alloc_page(GFP_HIGHUSER)"), "HighMem"),
        ("highmem", ("LARGE", "alloc_page(GFP_KERNEL)"), None),
        ("highmem", ("OLD", "__get_free_page(GFP_HIGHUSER)"), None),
        ("higher_zone", ("LARGE", "alloc_page(GFP_DMA)"), "DMA32"),
        ("higher_zone", ("OLD", "alloc_page(GFP_DMA)"), "Normal"),
        ("higher_zone", ("LARGE", "alloc_page(GFP_KERNEL)"), None),
        ("own_zone", ("OLD", "h = alloc_page(GFP_HIGHUSER) * 40000", "alloc_page(GFP_HIGHUSER)"), "HighMem"),
        ("own_zone", ("OLD", "alloc_page(GFP_HIGHUSER)"), None),
        # Verdicts.
        ("null_for_shortage", ("TINY", *SCATTERED, "alloc_pages(GFP_KERNEL, 1)"), "null"),
        ("null_for_shortage", ("TINY", *SCATTERED, "vmalloc(12K)"), "null"),
        ("null_for_shortage", ("TINY", *SCATTERED, "kmalloc(3000, GFP_KERNEL)"), "null"),
        ("null_for_shortage", SPLIT, None),
        ("ok_because_free", ("TINY", *SCATTERED, "alloc_pages(GFP_NOWAIT, 1)"), "ok"),
        ("ok_because_free", SPLIT, None),
        ("oom_although_noretry", ("TINY", *SCATTERED, "alloc_pages(GFP_KERNEL|__GFP_NORETRY, 1)"), "oom"),
        ("oom_although_noretry", ("TINY", *SCATTERED, "alloc_pages(GFP_KERNEL, 1)"), None),
        ("ok_in_any_context", ("TINY", "/softirq: kmalloc(64, GFP_KERNEL)"), "ok"),
        ("ok_in_any_context", ("TINY", "kmalloc(64, GFP_KERNEL)"), None),
        ("bug_in_any_context", ("TINY", "/softirq: kmalloc(64, GFP_ATOMIC)"), "bug"),
        ("returns_at_once", ("TINY", *QUEUE[:2], "bob: lock_page(p)"), "ok"),
        ("nobody_notices", ("TINY", "a = kmalloc(64, GFP_KERNEL)", "kfree(a)", "kfree(a)"), "ok"),
        ("always_noticed", ("TINY", "a = alloc_pages(GFP_KERNEL, 3)", "__free_pages(a, 2)"), "bug"),
        # Sizes.
        ("bytes_asked", ("LARGE", "kmalloc(65, GFP_KERNEL)"), 65),
        ("power_of_two", ("LARGE", "kmalloc(65, GFP_KERNEL)"), 128),
        ("power_of_two", ("LARGE", "kmalloc(129, GFP_KERNEL)"), 256),
        ("whole_pages", ("LARGE", "kmalloc(65, GFP_KERNEL)"), 4096),
        ("bytes_asked", ("LARGE", "kmalloc(128, GFP_KERNEL)"), None),
        ("whole_pages", ("TINY", "vmalloc(20000)"), 20480),
        ("power_of_two", ("TINY", "vmalloc(20000)"), 32768),
        # Frames that go back.
        ("all_frames", (*SPLIT, "get_page(a)", "__free_pages(a, 3)"), [*range(0x400, 0x408)]),
        ("no_frames", (*SPLIT, "get_page(a)", "__free_pages(a, 3)"), []),
        ("first_frame", (*SPLIT, "get_page(a)", "__free_pages(a, 3)"), [0x400]),
        ("all_frames", (*SPLIT, "__free_pages(a, 3)"), None),
        ("slab_frame", ("TINY", "a = kmalloc(64, GFP_KERNEL)", "kfree(a)"), [0x400]),
        # Who wakes.
        ("wake_all", ("TINY", *QUEUE, "alice: unlock_page(p)"), ["bob", "carol", "dave", "erin"]),
        ("wake_head", ("TINY", *QUEUE, "alice: unlock_page(p)"), ["bob"]),
        ("wake_lockers", ("TINY", *QUEUE, "alice: unlock_page(p)"), ["carol"]),
        ("wake_all", ("TINY", *QUEUE[:3], "alice: unlock_page(p)"), None),
        # What an access meets: major, none, minor.
        ("cached_is_free", READ, None),
        ("file_from_disk", READ, None),
        ("every_access", (*READ, "a: load(q+84K)"), "minor"),
        ("file_from_disk", (*READ, "a: load(q+84K)"), "major"),
        ("cached_is_free", (*READ, "a: load(q+96K)"), "none"),
        ("file_from_disk", (*READ, "a: load(q+96K)"), "major"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_computed_from_the_machine(
    key: str, lines: tuple[str, ...], answer: Answer | None
) -> None:
    assert likely(key, made(*lines)) == answer


def test_every_wrong_answer_has_a_misconception_with_a_name() -> None:
    unnamed = [one.because for one in LIKELY.values() if not misconceptions.of(one.because).sentence]
    assert not unnamed
    assert {one.about for one in LIKELY.values()} == set(ASKED)


def test_how_many_frames_go_back_is_asked_as_a_number_too() -> None:
    act = made(*SPLIT, "get_page(a)", "__free_pages(a, 3)")
    assert LIKELY["all_frames"](*act, 7) == 8
    assert LIKELY["no_frames"](*act, 7) == 0
    assert LIKELY["all_frames"](*act, 8) is None


def test_where_an_address_is_asked_a_frame_is_one() -> None:
    act = made("TINY", "a = __get_free_pages(GFP_KERNEL, 3)")
    assert LIKELY["other_half"](*act, "0xffff888000400000") == "0xffff888000408000"


# -- votes ------------------------------------------------------------------------------------------------

LINES = (
    "a = alloc_pages(GFP_KERNEL, 3)",
    "b = alloc_page(GFP_HIGHUSER_MOVABLE)",
    "c = alloc_page(GFP_DMA)",
    "k = kmalloc(65, GFP_KERNEL)",
    "kk = kmalloc(9000, GFP_KERNEL)",
    "v = vmalloc(20000)",
    "get_page(a)",
    "__free_pages(a, 3)",
    "kfree(k)",
    "vfree(v)",
    "kfree(kk)",
    "kfree(NULL)",
    "alice: lock_page(b)",
    "bob: wait_on_page_locked(b)",
    "carol: lock_page(b)",
    "bob2: trylock_page(b)",
    "alice: unlock_page(b)",
    "/softirq: d = kmalloc(64, GFP_KERNEL)",
    "alloc_pages(GFP_KERNEL, 11)",
    "f = alloc_page(GFP_KERNEL) * 100",
    "__free_pages(f[::2], 0)",
    "sysctl(drop_caches, 3)",
    "page_address(c)",
    "ksize(d)",
    'kmem_cache_create("foo", 700, 0, 0)',
    "alloc_page(GFP_KERNEL)",
    "alloc_page(GFP_NOWAIT)",
)  # fmt: skip


@cache
def acts(machine: str) -> list[Made]:
    """Many calls, each with the machine before and after it."""
    found = []
    here = place(machine).copy()
    for line in LINES if machine != "TINY" else (*LINES, SCATTERED[0], ONE, "alloc_page(GFP_NOWAIT)"):
        before = here.copy().machine
        (outcome,) = here.act(line)
        found.append((before, outcome.call, outcome, here.copy().machine))
    return found


MACHINES = ("TINY", "SMALL", "OLD")


@pytest.mark.parametrize("machine", MACHINES)
def test_any_call_can_be_voted_on_with_different_choices_and_the_right_one_among_them(machine: str) -> None:
    asked: set[str] = set()
    for act in acts(machine):
        questions = possible(*act)
        assert "verdict" in questions
        asked.update(questions)
        for what in questions:
            found = vote(what, *act)
            assert found is not None
            texts = [choice.text for choice in found.choices]
            assert 3 <= len(texts) == len(set(texts)) <= 5, (act[1], what, texts)
            assert [choice.answer for choice in found.choices if choice.right] == [found.right]
            for choice in found.choices:
                assert FORMS[found.form].read(choice.text, found.shape) == choice.answer
                assert choice.right or not FORMS[found.form].same(choice.answer, found.right)
    assert asked == set(ASKED) - {"fault"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_calls_of_every_kind_can_be_voted_on(seed: int) -> None:
    calls = RandomCalls(boot.boot(TINY), seed)
    outcomes = calls.outcomes(150)
    while True:
        before = boot.restore(calls.m.state())
        outcome = next(outcomes, None)
        if outcome is None:
            break
        for what in possible(before, outcome.call, outcome, calls.m):
            found = vote(what, before, outcome.call, outcome, calls.m)
            assert found is not None
            assert 3 <= len({choice.text for choice in found.choices}) == len(found.choices) <= 5
            for choice in found.choices:
                assert FORMS[found.form].read(choice.text, found.shape) == choice.answer


@pytest.mark.parametrize("machine", MACHINES)
def test_choices_are_the_same_each_time_and_looking_changes_nothing(machine: str) -> None:
    for act in acts(machine):
        before, after = act[0].dump(), act[3].dump()
        for what in ASKED:
            assert choices_for(what, *act) == choices_for(what, *act)
        for one in LIKELY.values():
            one(*act, "")
        assert (before, after) == (act[0].dump(), act[3].dump())


@pytest.mark.parametrize("machine", MACHINES)
def test_no_wrong_answer_is_the_right_one(machine: str) -> None:
    for act in acts(machine):
        for one in LIKELY.values():
            if one.about in possible(*act):
                right = right_of(one.about, act)
                assert one(*act, right) != right


@pytest.mark.parametrize("most", [2, 3, 5, 6, 100])
def test_there_are_no_more_choices_than_wanted(most: int) -> None:
    found = choices_for("orders", *made(*SPLIT), most)
    assert len(found) == min(most, 6)
    assert (RIGHT_SPLIT, "") in found


def test_what_cannot_be_asked_has_no_choices() -> None:
    assert choices_for("fault", *made(*SPLIT)) == []
    assert choices_for("woken", *made(*SPLIT)) == []
    assert vote("size", *made(*SPLIT)) is None


def variants() -> Iterator[Made]:
    """Many requests that differ a little."""
    for order in range(8):
        for taken in range(3):
            lines = [f"p{n} = alloc_pages(GFP_KERNEL, {n})" for n in range(taken)]
            yield made("TINY", *lines, f"alloc_pages(GFP_KERNEL, {order})")


def test_the_place_of_the_right_choice_tells_nothing() -> None:
    places = Counter[Any]()
    for act in variants():
        for what in ("pfn", "orders"):
            found = vote(what, *act)
            assert found is not None
            places[next(place for place, choice in enumerate(found.choices) if choice.right)] += 1
    assert len(places) >= 4
    assert max(places.values()) <= 0.45 * places.total()


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (READ, "major"),
        ((*READ, "a: load(q+84K)"), "none"),
        ((*READ, "a: load(q+96K)"), "minor"),
        ((*READ, "a: load(0)"), "signal"),
    ],
)
def test_what_an_access_meets_can_be_voted_on(lines: tuple[str, ...], fault: str) -> None:
    found = vote("fault", *made(*lines))
    assert found is not None
    assert found.right == fault
    assert [choice.answer for choice in found.choices] == ["none", "minor", "major", "signal"]


def test_verdicts_and_zones_stand_in_the_order_that_everybody_knows() -> None:
    assert [answer for answer, _ in choices_for("verdict", *made(*SPLIT))] == ["ok", "null", "bug", "oom"]
    found = choices_for("zone", *made("LARGE", "alloc_page(GFP_HIGHUSER)"))
    assert [answer for answer, _ in found] == ["DMA", "DMA32", "Normal", "HighMem"]
