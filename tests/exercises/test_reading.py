"""Files of exercises: what they say is read, and what is wrong in them is named with its place."""

from pathlib import Path

import pytest

from app import paths
from app.exercises.exercise import Check, Drawn, Exercise, Field, Hint, Task, Wrong
from app.exercises.misconceptions import shipped
from app.exercises.reading import BadExercise, parse, read
from tests.exercises.planted import LEAST, MISTAKES, WHOLE

FILES = sorted(paths.EXERCISES.glob("[0-9]*.toml"))


def refused(text: str, file: str = "wrong.toml") -> str:
    with pytest.raises(BadExercise) as error:
        parse(file, text)
    assert str(error.value).startswith(f"{file}: ")
    return str(error.value).removeprefix(f"{file}: ")


# -- what is read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_that_ships_can_be_tried_with_any_values(path: Path) -> None:
    assert read(path) == read(path, tried=True)


def test_the_least_that_an_exercise_has() -> None:
    found = parse("11-a-small-one.toml", LEAST)
    assert found == Exercise(
        name="a-small-one",
        title="A small one",
        teaser="For this test.",
        topics=(),
        minutes=5,
        points=1,
        machines=({"profile": "tiny-16m"},),
        vary=(),
        prelude=(),
        prelude_shown=True,
        tasks=(Task(1, "ask", "How many frames are there?", fields=(Field("", "frames", "number"),)),),
        count="best",
        text=LEAST,
        sha256=found.sha256,
    )
    assert found.tasks[0].attempts == (100, 60, 30)
    assert len(found.sha256) == 64


def test_all_that_an_exercise_can_have() -> None:
    found = parse("all.toml", WHOLE)
    assert (found.topics, found.minutes, found.points, found.count) == (("buddy", "free lists"), 8, 7, "last")
    assert found.vary == (
        Drawn("mib", "from", choices=(512, 768)),
        Drawn("smp", "between", low=1, high=3, step=2),
        Drawn("order", "between", low=0, high=4, leave_out=(2,)),
        Drawn("who", "shuffle", choices=("alice", "bob")),
        Drawn("need", "is", formula="managed.DMA32 / 100 * order"),
    )
    assert found.prelude == ("x = alloc_pages(GFP_KERNEL, {order})   # a block", "{who.1}: lock_page(x)")
    assert not found.prelude_shown
    goal, one, two, why, which = found.tasks
    assert goal == Task(
        number=1,
        kind="goal",
        ask="Hold {need:,} frames.",
        allow=("alloc_page", "__free_page"),
        calls_at_most=4,
        checks=(
            Check("live frames >= {order}", points=3, otherwise="There are fewer than {order}."),
            Check("", any=("no verdict bug", "rows = 1"), bonus=True),
        ),
        solution=("f = alloc_page(GFP_KERNEL) * 10",),
        hints=(Hint("One by one, {who.2}.", 20), Hint("Or not.")),
        after="That was {{all}}.",
        weight=2,
        live=False,
        attempts=(100, 50),
    )
    assert (one.keep, one.live, one.choices, one.attempts, one.fixed) == (
        False, False, 3, (100,), "there is only one answer",
    )  # fmt: skip
    assert one.fields == (
        Field(
            "", "1 verdict", "verdict",
            wrong=(
                Wrong("null", "", "contiguous", shipped()["contiguous"].sentence),
                Wrong("oom", "", "mine", "No, {who.1}."),
            ),
        ),
    )  # fmt: skip
    free, zone = two.fields
    assert (free.label, free.within, free.near, free.weight) == ("free", "2 %", ("9", 500), 3)
    assert [wrong.answer for wrong in free.wrong] == ["right + need", "0"]
    assert (zone.options, zone.weight) == (("DMA", "DMA32", "of {who.1}"), 1)
    assert [task.fields[0].form for task in (why, which)] == ["step", "lines"]
    assert which.calls == ("a = kmalloc(64, GFP_KERNEL)", "kfree(a)")


def test_one_of_several_machines() -> None:
    text = LEAST.replace(
        'profile = "tiny-16m"', 'one_of = [{ profile = "tiny-16m" }, { profile = "i386-1g" }]'
    )
    assert parse("a.toml", text).machines == ({"profile": "tiny-16m"}, {"profile": "i386-1g"})
    assert refused(text.replace("i386-1g", "i386-1")).startswith("machine: one_of 2.profile: one of x86")
    assert refused(text.replace('"frames"', '"managed.Normal"')).startswith(
        "task 1: answer: column 1: 'managed.N"
    )


# -- planted mistakes -------------------------------------------------------------------------------------


def test_there_are_mistakes_enough() -> None:
    assert len(MISTAKES) >= 40


@pytest.mark.parametrize(
    ("was", "now", "place", "said"), [pytest.param(*mistake, id=name) for name, mistake in MISTAKES.items()]
)
def test_a_planted_mistake_is_named_with_its_place(was: str, now: str, place: str, said: str) -> None:
    assert WHOLE.count(was) == 1, WHOLE.count(was)
    msg = refused(WHOLE.replace(was, now))
    assert msg.startswith(f"{place}: " if place else said)
    assert said in msg


def test_more_than_a_file_may_have() -> None:
    vary = "".join(f"v{number} = {{ from = [1, 2] }}\n" for number in range(13))
    assert refused(f"{LEAST}[vary]\n{vary}").startswith("vary: at most 12 values")
    task = LEAST[LEAST.index("[[task]]") :]
    assert refused(LEAST + task * 12).startswith("task: a list of 1 to 12 tables is needed")
    head = LEAST[: LEAST.index("[[task]]")]
    assert refused(head).startswith("task: a list of 1 to 12 tables is needed")
    assert refused(f"{head}task = 3\n").startswith("task: a list of 1 to 12 tables")
    kind = task.replace('kind = "ask"', 'kind = "debug"\ncalls = """\n' + "kfree(NULL)\n" * 80 + '"""')
    kind = kind.replace('answer = "frames"\nform = "number"', 'answer = "verdict bug"')
    assert refused(head + kind * 6) == "task 6: calls: at most 400 calls in a file"
    several = task.replace('answer = "frames"\nform = "number"\n', "") + (
        '[[task.field]]\nlabel = "x"\nanswer = "frames"\nform = "number"\n' * 9
    )
    assert refused(head + several * 5) == "task 5: field 5: answer: at most 40 answers in a file"
    assert "larger than 262,144 bytes" in refused(LEAST + "#" * 300_000)
    assert "at most 100 dots are in a line" in refused(LEAST + "a." * 50_000 + "b = 1")


def test_files_that_are_no_exercises(tmp_path: Path) -> None:
    assert "is named like 11-my-exercise.toml" in refused(LEAST, "My exercise.toml")
    path = tmp_path / "a.toml"
    with pytest.raises(BadExercise, match="cannot be read"):
        read(path)
    path.write_bytes(LEAST.replace("small", "kleine Übung").encode("latin-1"))
    with pytest.raises(BadExercise, match="is not UTF-8 at byte"):
        read(path)
    path.write_text(LEAST + "#" * 300_000)
    with pytest.raises(BadExercise, match="larger than"):
        read(path)
