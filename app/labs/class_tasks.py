"""Tasks of exercises that are asked of a whole class: one variant for all, on one machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import BadArgument
from app.exercises import likely
from app.exercises.exercise import Exercise, Task
from app.exercises.forms import Answer, BadAnswer
from app.exercises.likely import Choice
from app.exercises.likely.choosing import ordered
from app.exercises.others import others
from app.exercises.sealing import FieldVariant
from app.exercises.truth import question
from app.exercises.variant import CannotVary, Variant, draw
from app.labs.asking import Drawn
from app.labs.poll import CHOICE, LETTERS, MOST_CHOICES, Wrong

# What is asked where a form says it by itself; the exercise's own words stand for all others.
TASK: Final = "task"
TOLD_BY_FORM: Final = ("verdict", "lines", "step")
# So many answers there are, where wrong ones can be computed; and for which forms they can.
ENOUGH: Final = 4
COMPUTED: Final = {asked.form: what for what, asked in likely.ASKED.items()}


@dataclass(frozen=True, slots=True)
class ClassTask:
    """A task as it is asked: the machine, the calls that lead there, and the field that is asked about."""

    variant: Variant
    before: Sequence[str]
    task: Task
    field: FieldVariant
    question: str

    @property
    def lines(self) -> Sequence[str]:
        """The calls about which is asked; a task of kind `ask` has none."""
        return self.task.calls

    @property
    def asked(self) -> str:
        """What is to be predicted, where a form says it."""
        return self.field.field.form if self.field.field.form in TOLD_BY_FORM else TASK

    @property
    def computed(self) -> tuple[str, Sequence[str]] | None:
        """What can be asked about a call so that wrong answers are computed, and the calls up to that one."""
        what = COMPUTED.get(self.field.field.form)
        if what is None or not self.lines or 1 + len(self.own) >= ENOUGH:
            return None
        return what, self.lines[: question(self.field.field, self.task.kind).call or len(self.lines)]

    @property
    def own(self) -> Mapping[str, Wrong]:
        """The file's wrong answers as they are shown."""
        most = min(self.task.choices, MOST_CHOICES - 1)
        return {
            shown(self.field, one.answer): Wrong(one.because, plain(one.say))
            for one in self.field.wrong[:most]
        }


def offered(exercise: Exercise) -> Iterator[Task]:
    """The tasks that a class can be asked: questions that hang on nobody's goal before them."""
    after_goal = False
    for task in exercise.tasks:
        after_goal = after_goal and task.keep
        if task.live and task.fields and not after_goal:
            yield task
        after_goal = after_goal or task.kind == "goal"


def asked_of_class(exercise: Exercise, number: int, place: int, seed: bytes) -> ClassTask:
    """A variant of a task. place: of the field, from 1. Raises BadArgument at `task`, `field`, `exercise`."""
    tasks = {task.number: task for task in offered(exercise)}
    if number not in tasks:
        known = ", ".join(map(str, tasks)) or "none"
        raise BadArgument.at("task", f"a task that a class can be asked; of this exercise: {known}")
    if place > len(tasks[number].fields):
        raise BadArgument.at("field", f"a field of the task, which has {len(tasks[number].fields)}")
    try:
        variant = draw(exercise, seed)
    except CannotVary as error:
        raise BadArgument.at("exercise", f"one that can be drawn: {error}") from error
    whole = variant.task(number)
    field = whole.fields[place - 1]
    return ClassTask(
        variant,
        leading(variant, number),
        whole.task,
        field,
        plain(" – ".join(filter(None, (whole.task.ask, field.field.label)))),
    )


def leading(variant: Variant, number: int) -> list[str]:
    """The calls that lead to a task: of the prelude, and of the tasks from whose state it goes on."""
    found = list(variant.prelude)
    for task in (one.task for one in variant.tasks[:number]):
        if not task.keep:
            found = list(variant.prelude)
        if task.number < number:
            found += task.calls
    return found


def drawn_of(chosen: ClassTask, computed: Drawn | None = None) -> Drawn:
    """The right answer among wrong ones; as it is typed where the file has none, and none is computed.

    computed: the same question with wrong answers that were computed for the call.
    """
    field, after = chosen.field, plain(chosen.task.after)
    assert field.right is not None
    right = shown(field, field.right)
    wrong: dict[str, Wrong | None] = {**chosen.own}
    if computed is not None and computed.choices[LETTERS.index(computed.right)] == right:
        for letter, text in zip(LETTERS, computed.choices, strict=False):
            add(wrong, field, text, computed.wrong.get(letter))
    if not wrong and field.form.computed:
        return Drawn(field.field.form, field.shape, (), right, {}, after)
    for answer in others(field):
        add(wrong, field, field.form.text(answer, field.shape), None)
    return lettered(field, right, wrong, after)


def add(wrong: dict[str, Wrong | None], field: FieldVariant, text: str, why: Wrong | None) -> None:
    """One more wrong answer, where there are few, and it is one that is not there yet."""
    try:
        answer = field.form.read(text, field.shape)
    except BadAnswer:
        return
    words = shown(field, answer)
    assert field.right is not None
    if 1 + len(wrong) >= ENOUGH or words in wrong or words == shown(field, field.right):
        return
    if not field.form.share(field.right, answer, field.shape, field.field).right:
        wrong[words] = why


def shown(field: FieldVariant, answer: Answer) -> str:
    """An answer as a choice: of steps also what they say."""
    text = field.form.text(answer, field.shape)
    if field.field.form != "step" or not isinstance(answer, list):
        return text
    labels = {option["value"]: option["label"] for option in field.shape.get("options", ())}
    return " · ".join(f"{number}. {labels[str(number)]}" for number in answer) or text


def lettered(field: FieldVariant, right: str, wrong: Mapping[str, Wrong | None], after: str) -> Drawn:
    """A question with these answers, in an order that tells nothing. wrong: with why, where that is known."""
    what = COMPUTED.get(field.field.form)
    order = () if what is None else likely.ASKED[what].order
    found = ordered([Choice(text, "", right=text == right, text=text) for text in (right, *wrong)], order)
    letters = {choice.text: letter for letter, choice in zip(LETTERS, found, strict=False)}
    return Drawn(
        form=CHOICE,
        shape={},
        choices=list(letters),
        right=letters[right],
        wrong={letters[text]: why for text, why in wrong.items() if why is not None},
        after=after,
    )


def plain(text: str) -> str:
    """A text of a file without its marks."""
    return " ".join(text.replace("`", "").split())
