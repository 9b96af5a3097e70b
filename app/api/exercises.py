"""`/exercises`, and `/sessions/{id}/exercise`: exercises to practise, without points."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, exercise_docs
from app.api.bodies import JSON, TEXT, decoded, json_object, media_type, optional_object
from app.api.exercise_docs import TOML
from app.api.fields import SEQ, STRING, Kind, taken
from app.api.idempotency import with_preconditions
from app.api.requests import BASE, addressed, answer, etag
from app.errors import BadArgument
from app.exercises import proving, reading
from app.exercises.exercise import Exercise, Task
from app.exercises.forms import Answer
from app.exercises.sealing import TaskVariant
from app.exercises.variant import Variant
from app.labs.person import person_of, require_instructor
from app.practice import Practice, Which
from app.practice.practice import Begun, Revealed
from app.practice.variants import HIGHEST
from app.sessions import principal_of

router = APIRouter(tags=["exercises"], prefix="/exercises")
of_session = APIRouter(tags=["exercises"], prefix="/sessions/{id:id}/exercise")

# Variants that are drawn of a file that is checked.
SEEDS: Final = 20
SAMPLE: Final = 1
MOST_FIELDS: Final = 50

NUMBER: Final = Kind(
    f"the number of a variant, from 1 to {HIGHEST}",
    lambda value: type(value) is int and 1 <= value <= HIGHEST,
)
PLACE: Final = Kind("a number from 1 on", lambda value: type(value) is int and value >= 1)
TEXTS: Final = Kind(
    "a list of texts, one for each field",
    lambda value: (
        isinstance(value, list) and len(value) <= MOST_FIELDS and all(isinstance(each, str) for each in value)
    ),
)
TASK: Final = {"exercise": STRING, "variant": NUMBER, "task": PLACE}
START: Final = {"start": SEQ}


def practice_of(request: Request) -> Practice:
    """The use cases of practice."""
    practice: Practice = request.app.state.practice
    return practice


# -- exercises ---------------------------------------------------------------------------------------------


@router.get("", **docs.operation("list_exercises", "Every exercise", exercise_docs.LIST))
async def listing(request: Request) -> Response:
    """In the order of the lecture; a teacher's own at the end."""
    library = practice_of(request).library
    return answer(
        {
            "exercises": [head(one) for one in library.exercises().values()],
            "faults": list(library.faults()),
        }
    )


@router.get("/{name:exercise}", **docs.operation("get_exercise", "One exercise", exercise_docs.ONE))
async def one(request: Request, name: str) -> Response:
    """With a variant as it is asked. What is right in it is not told."""
    practice, who = practice_of(request), principal_of(request.scope)
    exercise = practice.exercise(name)
    drawn = await practice.variants.drawn(who, Which(name, SAMPLE))
    sample = {
        "variant": SAMPLE,
        "machine": dict(drawn.machine),
        "prelude": list(drawn.prelude) if exercise.prelude_shown else [],
        "tasks": public(drawn),
    }
    return answer(head(exercise) | {"sample": sample})


@router.post("/check", **docs.operation("check_exercise", "Check an exercise file", exercise_docs.CHECK))
async def check(request: Request) -> Response:
    """Reads a file, plays it for some seeds, and tells its faults; nothing of it is kept."""
    if request.app.state.labs.enabled:
        require_instructor(person_of(request.scope))
    if media_type(request, TOML, TEXT, JSON) == JSON:
        text = taken(await json_object(request), {"toml": STRING})["toml"]
    else:
        text = decoded(await request.body())
    sessions, who = request.app.state.sessions, principal_of(request.scope)
    return answer(await sessions.compute(who, checked, text))


def checked(text: str) -> dict[str, Any]:
    """What is found in a file."""
    try:
        exercise = reading.parse("exercise.toml", text)
    except reading.BadExercise as error:
        return {"fault": str(error), "report": None}
    return {"fault": None, "report": proving.prove(exercise, SEEDS, keep=True).as_json()}


@router.post(
    "/{name:exercise}/practice",
    **docs.operation("practise", "Practise an exercise", exercise_docs.PRACTICE, docs.KEY),
)
async def practise(request: Request, name: str) -> Response:
    """A new session of yours with the machine and the prelude of a variant."""
    given = taken(await optional_object(request), {}, {"variant": NUMBER})
    practice, who = practice_of(request), principal_of(request.scope)
    return await with_preconditions(
        request,
        lambda preconditions: practice.begin(who, name, given.get("variant"), preconditions=preconditions),
        answer_begun,
    )


def answer_begun(begun: Begun) -> Response:
    """The session, and its tasks as they are asked."""
    info, which = begun.info, begun.which
    there = f"/sessions/{info.id}?exercise={which.exercise}&variant={which.number}&task=1"
    document = {
        "session": info.as_json(),
        "exercise": which.exercise,
        "variant": which.number,
        "start": begun.practised.first,
        "tasks": public(begun.practised.variant),
        "page": there,
    }
    return answer(document, 201, Location=f"{BASE}/sessions/{info.id}", ETag=etag(info.seq))


# -- a session ---------------------------------------------------------------------------------------------


@of_session.post("/answers", **docs.operation("practise_answers", "Answer a task", exercise_docs.ANSWERS))
async def answers(request: Request) -> Response:
    """What of it is right, and the sentence of the misconception that it comes from. Nothing is kept."""
    _sessions, who, sid = addressed(request)
    given = taken(await json_object(request), TASK | {"given": TEXTS}, START)
    found = await practice_of(request).answer(
        who, sid, which_of(given), given["task"], given["given"], given.get("start")
    )
    judged = found.judged
    fields = [field.as_json() for field in judged.fields]
    return answer({"right": judged.right, "share": judged.share, "fields": fields})


@of_session.post("/check", **docs.operation("practise_check", "Check a goal", exercise_docs.GOAL))
async def check_goal(request: Request) -> Response:
    """Which conditions hold after the session's last row."""
    _sessions, who, sid = addressed(request)
    given = taken(await json_object(request), TASK, START)
    found = await practice_of(request).check(who, sid, which_of(given), given["task"], given.get("start"))
    evaluation = found.evaluation
    return answer(
        {
            "reached": evaluation.reached,
            "seq": found.seq,
            "refused": evaluation.refused,
            "conditions": [
                {"holds": one.holds, "say": one.otherwise, "points": one.points, "bonus": one.bonus}
                for one in evaluation.results
            ],
        }
    )


@of_session.post("/hints", **docs.operation("practise_hint", "A hint of a task", exercise_docs.HINTS))
async def hints(request: Request) -> Response:
    """Its text. In practice it costs nothing but the mark for having found it alone."""
    _sessions, who, sid = addressed(request)
    given = taken(await json_object(request), TASK | {"hint": PLACE}, START)
    text = await practice_of(request).hint(who, sid, which_of(given), given["task"], given["hint"])
    return answer({"hint": given["hint"], "text": text})


@of_session.post(
    "/reveal", **docs.operation("practise_reveal", "Be shown a task", exercise_docs.REVEAL, docs.KEY)
)
async def reveal(request: Request) -> Response:
    """Makes the calls about which it asks, or those that reach a goal, and tells what is right."""
    _sessions, who, sid = addressed(request)
    given = taken(await json_object(request), TASK, START)
    reveal = partial(practice_of(request).reveal, who, sid, which_of(given), given["task"])
    return await with_preconditions(
        request,
        lambda preconditions: reveal(given.get("start"), preconditions=preconditions),
        answer_revealed,
    )


def answer_revealed(found: Revealed) -> Response:
    """What is right, and the rows that were made."""
    task = found.task.task
    return answer(
        {
            "right": right_of(found.task),
            "rows": [row.seq for row in found.rows],
            "solution": list(task.solution),
            "after": task.after,
            "seq": found.seq,
        }
    )


# -- as JSON -----------------------------------------------------------------------------------------------


def which_of(given: dict[str, Any]) -> Which:
    """The variant that a request names."""
    return Which(given["exercise"], given["variant"])


def head(exercise: Exercise) -> dict[str, Any]:
    """An exercise in the list."""
    return {
        "name": exercise.name,
        "title": exercise.title,
        "teaser": exercise.teaser,
        "topics": list(exercise.topics),
        "minutes": exercise.minutes,
        "points": exercise.points,
        "tasks": [task_head(task) for task in exercise.tasks],
    }


def task_head(task: Task) -> dict[str, Any]:
    """A task in the list."""
    return {
        "number": task.number,
        "kind": task.kind,
        "forms": [field.form for field in task.fields],
        "weight": task.weight,
        "hints": [hint.costs for hint in task.hints],
    }


def public(of: Variant) -> list[dict[str, Any]]:
    """The tasks of a variant as they are asked."""
    return [of.public(number) for number in range(1, len(of.tasks) + 1)]


def right_of(task: TaskVariant) -> list[str]:
    """What is right in each field."""
    return [text_of(field.right, task, place) for place, field in enumerate(task.fields)]


def text_of(right: Answer | None, task: TaskVariant, place: int) -> str:
    """One of them, as people write it."""
    if right is None:
        raise BadArgument.at("task", "what is right here is not known")
    one = task.fields[place]
    return one.form.text(right, one.shape)
