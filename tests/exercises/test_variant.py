"""Variants: the same for the same seed, fair, and without a trace of the answers in what is shown."""

import json
from dataclasses import replace

import pytest

from app.exercises import judging, variant
from app.exercises.judging import BadGiven
from app.exercises.playground import Playground
from app.exercises.rejected import Rejected
from app.exercises.sealing import WrongAnswer
from app.exercises.variant import CannotVary, Variant
from tests.support.exercise_files import exercise_of

SPLIT = """
kind = "predict"
ask = "Now order {order}, which is {order:x}."
calls = "p = alloc_pages(GFP_KERNEL, {order})"
hints = [{ text = "HINT-SENTINEL", costs = 10 }]
after = "AFTER-SENTINEL"
[[task.field]]
label = "Frame"
answer = "1 pfn"
form = "pfn"
wrong = [{ is = "NULL", because = "memory full", say = "SAY-SENTINEL" }]
[[task.field]]
label = "Frames"
answer = "free DMA change"
form = "number"
weight = 3
near = { within = "50 %", share = 50 }
wrong = [
  { is = "-1", because = "one by one", say = "It is a block." },
  { is = "right * 2", because = "twice", say = "Not twice." },
]
"""
VARY = "order = { between = [0, 4] }\nwho = { shuffle = ['alice', 'bob', 'carol'] }"
GOAL = """
kind = "goal"
ask = "Hold {n} frames."
allow = ["alloc_page", "alloc_pages"]
calls_at_most = 3
check = [
  { points = 2, is = "live frames = {n}", else = "Not so many." },
  { points = 1, is = "rows <= 1", bonus = true },
]
solution = "alloc_page(GFP_KERNEL) * {n}"
"""


def split() -> variant.Exercise:
    return exercise_of(SPLIT, vary=VARY, prelude="{who.1}: a = alloc_page(GFP_KERNEL)")


def draw(seed: int) -> Variant:
    return variant.draw(split(), seed.to_bytes(8, "big"))


def test_a_seed_gives_the_same_variant_each_time() -> None:
    for seed in range(5):
        assert draw(seed).stored() == draw(seed).stored()
        assert draw(seed).sealed() == draw(seed).sealed()
    assert len({json.dumps(draw(seed).stored()) for seed in range(20)}) > 5


def test_values_with_which_a_wrong_answer_is_right_are_drawn_again() -> None:
    variants = [draw(seed) for seed in range(40)]
    assert {one.values.by_name["order"] for one in variants} == {1, 2, 3, 4}
    again = [one for one in variants if one.rejected]
    assert again
    assert set(again[0].rejected) == {"task 1: a wrong answer is right (one by one)"}


ZONES = """
kind = "predict"
ask = "{mask}?"
calls = "alloc_page({mask})"
answer = "1 zone"
form = "zone"
wrong = [
  { is = "Normal", because = "always normal", maybe = true },
  { like = "always_normal", maybe = true },
]
"""


def test_a_wrong_answer_that_may_be_right_is_left_out_where_it_is() -> None:
    vary = "mask = { from = ['GFP_KERNEL', 'GFP_KERNEL|__GFP_DMA'] }"
    exercise = exercise_of(ZONES, vary=vary, machine='profile = "i386-1g"')
    variants = [variant.draw(exercise, seed.to_bytes(8, "big")) for seed in range(6)]
    assert {one.task(1).fields[0].right for one in variants} == {"DMA"}
    assert {len(one.task(1).fields[0].wrong) for one in variants} == {1}
    assert {why for one in variants for why in one.rejected} == {"task 1: every wrong answer is right"}


def test_what_was_kept_comes_back() -> None:
    one = draw(3)
    stored, sealed = json.loads(json.dumps([one.stored(), one.sealed()]))
    back = variant.load(split(), stored, sealed)
    assert back.tasks == one.tasks
    assert (back.machine, back.prelude, back.values) == (one.machine, one.prelude, one.values)
    shown = variant.load(split(), stored)
    assert shown.public(1) == one.public(1)
    assert shown.task(1).fields[0].right is None
    with pytest.raises(ValueError, match="was not loaded"):
        judging.judge(shown.task(1), [1, 2])


def test_what_is_shown_has_nothing_of_the_answers() -> None:
    one = draw(0)
    fields = [
        replace(
            field, right="RIGHT-SENTINEL", wrong=(WrongAnswer(0, "WRONG-SENTINEL", "BECAUSE-SENTINEL", ""),)
        )
        for field in one.task(1).fields
    ]
    planted = replace(one, tasks=(replace(one.task(1), fields=tuple(fields)),))
    assert "SENTINEL" not in json.dumps([planted.public(1), planted.stored()])
    assert "SENTINEL" in json.dumps(planted.sealed())


def test_of_a_goal_only_the_text_and_what_may_be_called_is_shown() -> None:
    goal = variant.base(exercise_of(GOAL, vary="n = { from = [3, 5] }"))
    assert goal.public(1) == {
        "number": 1,
        "kind": "goal",
        "ask": "Hold 3 frames.",
        "weight": 1,
        "hints": [],
        "allow": ["alloc_page", "alloc_pages"],
        "calls_at_most": 3,
    }
    assert goal.stored()["shapes"] == [[]]


def test_a_task_goes_on_where_the_one_before_has_ended_unless_it_says_so() -> None:
    calls = 'kind = "predict"\nask = "?"\ncalls = "alloc_page(GFP_KERNEL)"\nanswer = "1 pfn"\nform = "pfn"\n'
    text = "".join(f"[[task]]\n{calls}{more}" for more in ("", "", "keep = false\n"))
    assert [task.fields[0].right for task in variant.base(exercise_of(text)).tasks] == [0x400, 0x401, 0x400]


def test_behind_a_goal_what_is_right_depends_on_what_was_done() -> None:
    calls = 'kind = "predict"\nask = "?"\ncalls = "alloc_page(GFP_KERNEL)"\nanswer = "1 pfn"\nform = "pfn"\n'
    text = f"[[task]]\n{calls}[[task]]\n{GOAL}[[task]]\n{calls}[[task]]\n{calls}keep = false\n"
    one = variant.base(exercise_of(text, vary="n = { from = [3, 5] }"))
    assert [one.depends(number) for number in (1, 2, 3, 4)] == [False, False, True, False]
    assert one.task(3).fields[0].right == 0x404
    place = Playground.boot(one.machine)
    place.make(["alloc_pages(GFP_KERNEL, 0) * 7"])
    assert variant.asked_on(one, 3, place).fields[0].right == 0x407
    assert place.seq == 2


# -- what cannot be -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "vary", "prelude", "said"),
    [
        (GOAL, "n = { from = [99999, 99998] }", "", "live frames = 99"),
        (GOAL.replace("frames = {n}", "frames <= {n}"), "n = { from = [3, 4] }", "", "is reached before"),
        (GOAL.replace("* {n}", "* 2"), "n = { from = [3, 4] }", "", "live frames = 3: it is 2"),
        (SPLIT.replace('"-1"', '"0 - right * 2 + right * 4"'), VARY, "", "two wrong answers are the same"),
        (SPLIT.replace('"right * 2"', '"right / (order - order)"'), VARY, "", "a division by 0"),
        (SPLIT, VARY, "p = alloc_page(GFP_KERNEL)\nbob: lock_page(p+9000)", "outside every zone"),
    ],
)  # fmt: skip
def test_after_fifty_draws_it_is_given_up(task: str, vary: str, prelude: str, said: str) -> None:
    exercise = exercise_of(task, vary=vary, prelude=prelude)
    with pytest.raises(CannotVary) as error:
        variant.draw(exercise, b"seed")
    assert said in str(error.value)
    assert error.value.reasons.total() == 50
    with pytest.raises(Rejected):
        variant.base(exercise)


# -- judging --------------------------------------------------------------------------------------------


def judged(*given: str) -> judging.Judged:
    task = next(one for one in map(draw, range(20)) if one.values.by_name["order"] == 3).task(1)
    return judging.judge(task, judging.read(task, given))


@pytest.mark.parametrize(
    ("given", "share", "misconception"),
    [
        (("0x408", "-8"), 1000, ""),
        (("1032", "−8"), 1000, ""),
        (("NULL", "-8"), 750, "memory full"),
        (("0x408", "-1"), 250, "one by one"),
        (("NULL", "-1"), 0, "memory full"),
        (("0x408", "-16"), 250, "twice"),
        (("0x408", "-9"), 625, ""),
        (("0x408", "5"), 250, ""),
    ],
)
def test_an_answer_earns_what_is_right_of_it(given: tuple[str, ...], share: int, misconception: str) -> None:
    found = judged(*given)
    assert (found.share, found.misconception, found.right) == (share, misconception, share == 1000)
    assert len(json.dumps([field.as_json() for field in found.fields])) > 10


def test_what_cannot_be_read_is_named_at_each_field() -> None:
    with pytest.raises(BadGiven) as error:
        judged("somewhere", "many")
    assert list(error.value.faults) == [0, 1]
    with pytest.raises(BadGiven, match="has 2 answers, not 1"):
        judged("0x408")
