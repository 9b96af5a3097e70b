"""Wrong answers that are read from the machine, as the right one is: `reads`."""

from app.exercises import variant
from app.exercises.sealing import FieldVariant
from tests.support.exercise_files import exercise_of


def field(task: str, *wrong: str) -> FieldVariant:
    """The first field of a task with wrong answers that are read like this."""
    listed = ", ".join(f'{{ reads = "{one}", because = "mine", say = "No." }}' for one in wrong)
    exercise = exercise_of(
        f'ask = "?"\n{task}\nwrong = [{listed}]\nfixed = "x"', vary="n = { from = [2, 3] }"
    )
    return variant.base(exercise).task(1).fields[0]


def test_another_fact_of_the_calls() -> None:
    calls = 'kind = "predict"\ncalls = """\np = alloc_pages(GFP_KERNEL, 3)\n__free_pages(p, {n})\n"""'
    found = field(f'{calls}\nanswer = "free DMA change"\nform = "number"', "2 became lost", "1 pfn")
    assert found.right == -4
    assert [wrong.answer for wrong in found.wrong] == [4, 1024]


def test_other_lines_of_a_list() -> None:
    calls = """
a = kmalloc(64, GFP_KERNEL)
/softirq: b = kmalloc(64, GFP_KERNEL)
/atomic: kfree(a)
kfree(a)
"""
    found = field(f'kind = "debug"\ncalls = """{calls}"""\nanswer = "verdict bug"', "kfree", "held", "vfree")
    assert found.right == [2, 4]
    assert [wrong.answer for wrong in found.wrong] == [[3, 4], [2], []]


def test_another_step_of_an_explanation() -> None:
    found = field(
        'kind = "explain"\ncalls = "alloc_pages(GFP_NOWAIT, {n})"\nanswer = "first expand"',
        "last __alloc_pages",
        "first __alloc_pages_slowpath",
        "deciding",
    )
    assert found.right == [5]
    assert [wrong.answer for wrong in found.wrong] == [[7], [2]]
