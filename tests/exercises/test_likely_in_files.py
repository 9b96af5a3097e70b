"""Files that name computed wrong answers, places that are near, and what an access meets."""

from __future__ import annotations

from app.exercises import judging, reading, variant
from app.exercises.sealing import TaskVariant

FILE = '''
title = "Split, and touch"
teaser = "Which frame, which lists, which fault."
topics = ["buddy"]

[machine]
profile = "x86_64-1g"

[vary]
order = { from = [4, 5] }

[prelude]
calls = """
a: execve()
a: f = open(/data/a)
a: q = mmap(NULL, 1M, PROT_READ|PROT_WRITE, MAP_PRIVATE, f)
a: load(q+80K)
"""

[[task]]
kind = "predict"
ask = "What does this access meet?"
calls = "a: load(q+96K)"
answer = "1 access"
form = "fault"
wrong = [
  { like = "cached_is_free", because = "cached is no fault" },
  { like = "file_from_disk", because = "file is major" },
  { like = "every_access", because = "fault for each access" },
]

[[task]]
kind = "predict"
ask = "Which block of order {order}, and what is left?"
calls = "p = alloc_pages(GFP_KERNEL, {order})"
keep = false

  [[task.field]]
  label = "Frame"
  answer = "1 pfn"
  form = "pfn"
  near = { within = "zone", share = 30 }
  wrong = [{ like = "other_half", because = "other half" }]

  [[task.field]]
  label = "Address"
  answer = "1 address"
  form = "address"
  near = { within = "page", share = 50 }
  wrong = [{ like = "other_half", because = "other half" }]

  [[task.field]]
  label = "Free lists"
  answer = "buddyinfo DMA32"
  form = "orders"
  wrong = [{ like = "not_reduced", because = "asked order stays" }]
'''


def drawn() -> tuple[TaskVariant, ...]:
    """The tasks of one variant."""
    return tuple(variant.draw(reading.parse("40-split-and-touch.toml", FILE), b"12345678").tasks)


def test_what_an_access_meets_is_read_and_so_are_the_wrong_answers_that_apply() -> None:
    (field,) = drawn()[0].fields
    assert field.right == "minor"
    assert [(wrong.answer, wrong.because) for wrong in field.wrong] == [
        ("none", "cached is no fault"),
        ("major", "file is major"),
    ]


def test_a_frame_and_its_address_have_the_same_wrong_answer() -> None:
    frame, address, _ = drawn()[1].fields
    assert isinstance(frame.right, int)
    assert isinstance(frame.wrong[0].answer, int)
    assert address.right == f"{0xFFFF888000000000 + (frame.right << 12):#x}"
    assert address.wrong[0].answer == f"{0xFFFF888000000000 + (frame.wrong[0].answer << 12):#x}"


def test_a_place_nearby_earns_its_share() -> None:
    task = drawn()[1]
    frame, address, lists = task.fields
    assert isinstance(frame.right, int)
    typed = [f"{frame.right + 1}", f"{address.right}", lists.form.text(lists.wrong[0].answer, lists.shape)]
    judged = judging.judge(task, judging.read(task, typed))
    assert [field.share for field in judged.fields] == [300, 1000, 0]
    assert judged.misconception == "asked order stays"
