"""What came of a sheet: as JSON, as tables, as `results.json`; and marking it again."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, result_answers, result_docs
from app.api.bodies import optional_object
from app.api.fields import FLAG, taken
from app.api.idempotency import with_preconditions
from app.api.lab_requests import addressed
from app.api.parameters import Bom, MemberNumber, SheetId
from app.api.requests import answer
from app.labs import csvfile
from app.labs.result_files import SHAPES, WIDE, archive, document, table

router = APIRouter(tags=["sheets"], prefix="/labs/{id:id}")

SHEET: Final = "/sheets/{sheet:id}"
Shape = Annotated[
    str,
    Query(pattern=f"^({'|'.join(SHAPES)})$", description="a line for each member, or for each submission"),
]


@router.get(f"{SHEET}/results", **docs.operation("get_results", "Results", result_docs.RESULTS))
async def results(request: Request, sheet: SheetId) -> Response:
    """Of everybody with statistics, for the instructor; a member's own."""
    labs, person, lab_id = addressed(request)
    found = await labs.grades.of(person, lab_id, sheet)
    teaches = person.kind == "instructor"
    stuck = await labs.grades.stuck(person, found) if teaches else None
    return answer(await labs.grades.told(person, result_answers.results, found, stuck))


@router.get(
    f"{SHEET}/results.csv", **docs.operation("get_results_csv", "Results as a table", result_docs.CSV)
)
async def results_csv(request: Request, sheet: SheetId, shape: Shape = WIDE, bom: Bom = 1) -> Response:
    """To be opened by a spreadsheet: no cell is taken for a formula, and all letters are right."""
    labs, person, lab_id = addressed(request)
    found = await labs.grades.of_all(person, lab_id, sheet)
    made = await labs.grades.told(person, table, found, shape, bom=bool(bom))
    headers = {"Content-Disposition": f'attachment; filename="results-{sheet}-{shape}.csv"'}
    return Response(made, headers=headers, media_type=csvfile.CSV_TYPE)


@router.get(
    f"{SHEET}/results.zip",
    **docs.operation("get_results_zip", "Everybody's results.json", result_docs.ZIP),
)
async def results_zip(request: Request, sheet: SheetId) -> Response:
    """In a folder for each member."""
    labs, person, lab_id = addressed(request)
    found = await labs.grades.of_all(person, lab_id, sheet)
    made = await labs.grades.told(person, archive, found)
    headers = {"Content-Disposition": f'attachment; filename="results-{sheet}.zip"'}
    return Response(made, headers=headers, media_type="application/zip")


@router.get(
    f"{SHEET}/members/{{number:number}}/results.json",
    **docs.operation("get_results_json", "A member's results.json", result_docs.DOCUMENT),
)
async def results_json(request: Request, sheet: SheetId, number: MemberNumber) -> Response:
    """As Gradescope takes it; for the instructor, and for the member."""
    labs, person, lab_id = addressed(request)
    found = await labs.grades.of_member(person, lab_id, sheet, number)
    return answer(document(found, found.lines[0]))


@router.post(
    f"{SHEET}/regrade", **docs.operation("regrade_sheet", "Mark it again", result_docs.REGRADE, docs.KEY)
)
async def regrade(request: Request, sheet: SheetId) -> Response:
    """By the files of today: what would change; with `apply`, it does, and the old scores are kept."""
    labs, person, lab_id = addressed(request)
    given = taken(await optional_object(request), {}, {"apply": FLAG})
    return await with_preconditions(
        request,
        lambda preconditions: labs.regrading.regrade(
            person, lab_id, sheet, apply=given.get("apply", False), preconditions=preconditions
        ),
        lambda done: answer(result_answers.regrade(done)),
    )


@router.get(
    "/misconceptions",
    **docs.operation("list_misconceptions", "What the class misunderstands", result_docs.MISCONCEPTIONS),
)
async def misconceptions(request: Request) -> Response:
    """Over all sheets of the lab, the most frequent first."""
    labs, person, lab_id = addressed(request)
    counted = await labs.grades.misconceptions(person, lab_id)
    return answer({"items": [result_answers.misconception(one) for one in counted]})
