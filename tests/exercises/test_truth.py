"""What is right is read from the machine, for each way of asking."""

import pytest

from app.exercises import variant
from app.exercises.exercise import Field
from app.exercises.rejected import Rejected
from app.exercises.truth import BadQuestion, question
from tests.support.exercise_files import exercise_of

BEGIN = """
p = alloc_pages(GFP_KERNEL, 3)
q = alloc_pages(GFP_KERNEL|__GFP_COMP, 2)
o = kmalloc(100, GFP_KERNEL)
alice: lock_page(p)
bob: wait_on_page_locked(p)
carol: lock_page(p)
"""


def right(calls: str, answer: str, form: str, *, kind: str = "predict", more: str = "") -> object:
    """What is right in the first field of a task."""
    made = f'calls = """\n{calls}\n"""\n' if calls else ""
    task = f'kind = "{kind}"\nask = "?"\n{made}answer = "{answer}"\nform = "{form}"\nfixed = "x"\n{more}'
    return (
        variant.base(exercise_of(task, vary="n = { from = [3, 4] }", prelude=BEGIN)).task(1).fields[0].right
    )


@pytest.mark.parametrize(
    ("calls", "answer", "form", "expected"),
    [
        ("alloc_pages(GFP_KERNEL, 2)", "1 verdict", "verdict", "ok"),
        ("alloc_pages(GFP_NOWAIT, 10)\\nalloc_pages(GFP_NOWAIT, 11)", "2 verdict", "verdict", "null"),
        ("r = alloc_pages(GFP_KERNEL, {n})", "1 pfn", "pfn", 0x410),
        ("r = alloc_pages(GFP_KERNEL, {n})", "1 zone", "zone", "DMA"),
        ("r = alloc_pages(GFP_KERNEL, {n})", "1 order", "number", 3),
        ("r = alloc_pages(GFP_KERNEL, 0)", "1 address", "address", "0xffff88800040d000"),
        ("r = alloc_pages(GFP_KERNEL, 9)\\nx = alloc_pages(GFP_NOWAIT, 11)", "2 ret", "address", "NULL"),
        ("ksize(o)", "1 ret", "bytes", 128),
        ("kmalloc(65, GFP_KERNEL)", "1 ksize", "bytes", 96),
        ("kmalloc(65, GFP_KERNEL)", "1 cache", "choice", "kmalloc-96"),
        ("alice: unlock_page(p)", "1 woken", "tasks", ["bob", "carol"]),
        ("r = alloc_pages(GFP_KERNEL, 3)\\n__free_pages(r, 2)", "2 became lost", "number", 4),
        ("r = alloc_pages(GFP_KERNEL, 2)\\n__free_pages(r, 1)", "2 changed lost", "frames", [0x412, 0x413]),
        ("__free_pages(q, 2)", "free DMA change", "number", 4),
        ("__free_pages(q, 2)", "free DMA", "number", 3072 - 8 - 1),
        ("r = alloc_pages(GFP_KERNEL, 2)", "buddyinfo DMA", "orders", [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 2]),
        ("get_page(p)", "page p refcount", "number", 2),
        ("r = alloc_pages(GFP_KERNEL, 2)", "page r refcount", "number", 1),
        ("r = alloc_pages(GFP_KERNEL, 2)", "live frames", "number", 4),
        ("r = alloc_pages(GFP_KERNEL, 3)\\n__free_pages(r, 2)", "lost", "number", 4),
        ("r = alloc_pages(GFP_KERNEL, {n})", "= n * page_size", "number", 12288),
        ("r = alloc_pages(GFP_KERNEL, {n})", "= free.DMA", "number", 3072 - 13),
    ],
)  # fmt: skip
def test_calls_are_made_and_read(calls: str, answer: str, form: str, expected: object) -> None:
    more = 'options = ["kmalloc-96", "kmalloc-128"]' if form == "choice" else ""
    found = right(calls.replace("\\n", "\n"), answer, form, more=more)
    assert found == expected


@pytest.mark.parametrize(
    ("answer", "form", "expected"),
    [
        ("up(frames * 36, 1K)", "number", 144),
        ("bit(0x7f1234567abc, 39, 9)", "number", 254),
        ("free DMA", "number", 3072 - 13),
        ("free.DMA - min.DMA", "number", 3072 - 13 - 110),
        ("DMA", "zone", "DMA"),
        ("= DMA", "zone", "DMA"),
        ("buddyinfo DMA", "orders", [1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 2]),
        ("mask GFP_NOFS", "flags", ["__GFP_DIRECT_RECLAIM", "__GFP_KSWAPD_RECLAIM", "__GFP_IO"]),
    ],
)
def test_a_question_without_calls_is_computed_or_read(answer: str, form: str, expected: object) -> None:
    assert right("", answer, form, kind="ask") == expected


def test_the_step_that_decided_is_found() -> None:
    assert right("alloc_pages(GFP_NOWAIT, 11)", "last __alloc_pages", "step", kind="explain") == [1]


def test_faulty_lines_are_found() -> None:
    calls = "a = kmalloc(64, GFP_KERNEL)\n/softirq: vmalloc(4K)\nkfree(a)\nkfree(a)"
    assert right(calls, "verdict bug", "lines", kind="debug") == [2, 4]


# -- what cannot be asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "answer", "form", "said"),
    [
        ("predict", "verdict", "verdict", "begins with neither a call's number"),
        ("predict", "0 verdict", "verdict", "a call's number from 1 on"),
        ("predict", "1 became", "number", "a call's number from 1 on and what is read of it"),
        ("predict", "1 faults all", "number", "one of min, maj"),
        ("predict", "1 log", "choice", "ask for the verdict"),
        ("predict", "free", "number", "a zone"),
        ("predict", "free DMA twice", "number", "too much"),
        ("predict", "deadlock change", "choice", "only numbers change"),
        ("predict", "= 1 +", "number", "column 4"),
        ("predict", "mask GFP_NONE", "flags", "unknown flag"),
        ("predict", "last expand", "step", "for tasks of kind explain"),
        ("explain", "last nothing", "step", "is not a function of the kernel"),
        ("debug", "verdict bad", "lines", "verdict"),
        ("ask", "2 +", "number", "column"),
    ],
)
def test_what_says_nothing_is_refused(kind: str, answer: str, form: str, said: str) -> None:
    with pytest.raises(BadQuestion) as error:
        question(Field("", answer, form), kind)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("calls", "answer", "form", "said"),
    [
        ("kfree(o)", "1 zone", "zone", "the call has none"),
        ("kfree(o)", "page none refcount", "number", "none is the name of no page"),
        ("kfree(o)", "free Normal", "number", "this machine has no free Normal"),
        ("kfree(o)", "= free.DMA / (n - n)", "number", "a division by 0"),
        ("alloc_pages(GFP_KERNEL, 1)", "last compact_zone", "step", "no step is"),
    ],
)
def test_what_has_not_happened_is_no_question(calls: str, answer: str, form: str, said: str) -> None:
    with pytest.raises(Rejected) as error:
        right(calls, answer, form, kind="explain" if form == "step" else "predict")
    assert said in str(error.value)
