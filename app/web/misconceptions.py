"""What a class misunderstands, over all sheets of a lab; and questions to the class about it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.exercises import misconceptions
from app.exercises.exercise import Exercise
from app.exercises.library import Library
from app.labs import class_tasks
from app.labs.statistics import MisconceptionCount
from app.web import resultviews, wording
from app.web.contexts.base import Link
from app.web.contexts.results import MisconceptionRow, MisconceptionsPage
from app.web.labs import own_lab
from app.web.language import _
from app.web.render import respond
from app.web.requester import labs_of, requester
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

MOST_TASKS = 3  # that are offered for one misconception


@router.get("/labs/{lab_id}/misconceptions")
async def listed(request: Request, lab_id: str) -> Response:
    """Show what is behind wrong answers, the most frequent first."""
    lab = await own_lab(request, lab_id)
    labs, person = labs_of(request), requester(request)
    found = await labs.grades.misconceptions(person, lab_id)
    library: Library = request.app.state.exercises
    members = len(await labs.rooms.roster(person, lab_id))
    return respond(
        MisconceptionsPage(
            shell=shell_of(request),
            title=_("Misconceptions"),
            lab=Link(lab.title, f"/labs/{lab_id}"),
            polls=f"/labs/{lab_id}/polls",
            rows=[row_of(one, library, members, asks=lab.closed is None) for one in found],
        )
    )


def row_of(one: MisconceptionCount, library: Library, members: int, *, asks: bool) -> MisconceptionRow:
    """A misconception."""
    named = misconceptions.of(one.key)
    exercises = library.exercises()
    return MisconceptionRow(
        name=named.name,
        sentence=named.sentence,
        members=wording.count(one.members),
        times=wording.count(one.times),
        gone=resultviews.of_tried(one.gone, one.members),
        share=1000 * one.members // members if members else 0,
        exercises=[exercises[name].title if name in exercises else name for name in one.exercises],
        tasks=tasks_with(one, exercises) if asks else (),
    )


def tasks_with(one: MisconceptionCount, exercises: dict[str, Exercise]) -> list[tuple[str, str]]:
    """Tasks that have it among the choices of a class vote: first those of exercises where it was seen."""
    names = [*(name for name in one.exercises if name in exercises)]
    names += [name for name in exercises if name not in names]
    found = []
    for name in names:
        exercise = exercises[name]
        for task in class_tasks.offered(exercise):
            if any(wrong.because == one.key for wrong in task.fields[0].wrong[: task.choices]):
                words = _("%(exercise)s: task %(number)s", exercise=exercise.title, number=task.number)
                found.append((f"{name}:{task.number}", words))
    return found[:MOST_TASKS]
