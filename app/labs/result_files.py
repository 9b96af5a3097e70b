"""Results as files: tables for spreadsheets, and `results.json` as autograders of courses write it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any, Final

from pydantic_core import to_json

from app.exercises.exercise import PARTS
from app.labs import csvfile
from app.labs.csvfile import Cell as Text
from app.labs.results import Cell, Column, Line, Results, said, values_of

WIDE: Final = "wide"
LONG: Final = "long"
SHAPES: Final = (WIDE, LONG)

LONG_HEAD: Final = (
    "time", "number", "nickname", "sheet", "item", "task", "variant", "values", "answer", "right", "score",
    "max", "attempt", "hints", "misconception", "late", "seconds", "session", "seq",
)  # fmt: skip


def points(thousandths: int) -> str:
    """Points as people and spreadsheets write them; a number, so that it is summed up."""
    whole, rest = divmod(abs(thousandths), PARTS)
    text = f"{whole}.{rest:03}".rstrip("0").rstrip(".")
    return f"-{text}" if thousandths < 0 else text


def table(results: Results, shape: str, *, bom: bool = True) -> bytes:
    """A table: `wide` with a line for each member, `long` with one for each submission."""
    made = wide(results) if shape == WIDE else long(results)
    return csvfile.marked(made, bom=bom)


def wide(results: Results) -> bytes:
    """A line for each member, a column for each task."""
    head = ["number", "nickname", "total", "max", *(of_column(one) for one in results.columns), "late", "due"]
    return csvfile.table(head, (wide_line(results, line) for line in results.lines))


def of_column(column: Column) -> str:
    """What stands above a task's column."""
    return f"{column.label} {column.exercise.title}"


def wide_line(results: Results, line: Line) -> list[Text]:
    """A member."""
    scores = [points(cell.score) if cell.tries else None for cell in line.cells]
    late = sum(cell.late for cell in line.cells)
    due = results.sheet.due if line.extension is None else line.extension.due
    number, nickname = line.member.number, line.member.nickname
    return [number, nickname, points(line.total), points(results.max), *scores, late, due]


def long(results: Results) -> bytes:
    """A line for each submission, in the order in which they came."""
    found = []
    columns = {(column.item.id, column.task.number): column for column in results.columns}
    members = {line.member.id: line.member for line in results.lines}
    for brief in results.variants:
        member = members.get(brief.member_id)
        if member is None:
            continue
        drawn = json.dumps(values_of(brief), ensure_ascii=False)
        for row in results.submissions.get(brief.id, ()):
            column = columns.get((brief.item_id, row.task))
            if column is None:
                continue
            begin = (row.time, member.number, member.nickname, results.sheet.title)
            what = (column.exercise.name, column.label, brief.number, drawn, said(row))
            worth = (points(row.share), points(row.score), points(row.max))
            how = (row.number, row.hints, row.misconception, int(row.late), row.seconds)
            found.append((*begin, *what, *worth, *how, brief.session_id, row.seq))
    return csvfile.table(LONG_HEAD, sorted(found, key=lambda line: (line[0], line[1])))


# -- results.json -----------------------------------------------------------------------------------------


def document(results: Results, line: Line) -> dict[str, Any]:
    """A member's results in the shape in which Gradescope takes them."""
    released = results.sheet.released is not None
    tests = [
        of_test(column, cell, released=released)
        for column, cell in zip(results.columns, line.cells, strict=True)
    ]
    return {
        "score": line.total / PARTS,
        "execution_time": sum(row.seconds or 0 for cell in line.cells for row in cell.tries),
        "output": f"{results.sheet.title}: {points(line.total)} of {points(results.max)} points",
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {"sheet": results.sheet.id, "number": line.member.number},
        "tests": tests,
        "leaderboard": leaderboard(results, line),
    }


def of_test(column: Column, cell: Cell, *, released: bool) -> dict[str, Any]:
    """A task as one of the tests. Of what is not over it is told only once all may know it."""
    counting = next((row for row in cell.tries if row.score == cell.score), None)
    return {
        "name": f"{column.exercise.title}: {column.task.kind}",
        "number": column.label,
        "score": cell.score / PARTS,
        "max_score": column.max / PARTS,
        "status": "passed" if cell.solved else "failed",
        "output": output(cell),
        "output_format": "text",
        "tags": list(column.exercise.topics),
        "visibility": "visible" if cell.over or released else "after_due_date",
        "extra_data": {
            "variant": None if cell.variant is None else cell.variant.id,
            "seq": None if counting is None else counting.seq,
            "misconception": None if counting is None else counting.misconception,
        },
    }


def output(cell: Cell) -> str:
    """What a member has been told of their tries."""
    if not cell.tries:
        return "Not answered."
    lines = []
    for row in cell.tries:
        said_so = [part["say"] for part in json.loads(row.parts) if part.get("say")]
        lines.append(" ".join((f"{row.number}. {said(row)}: {points(row.score)} points.", *said_so)))
    return "\n".join(lines)


def leaderboard(results: Results, line: Line) -> list[dict[str, Any]]:
    """How few rows a goal took; of those who have reached it."""
    return [
        {"name": of_column(column), "value": rows_of(cell), "order": "asc"}
        for column, cell in zip(results.columns, line.cells, strict=True)
        if column.task.kind == "goal" and cell.solved and rows_of(cell) is not None
    ]


def rows_of(cell: Cell) -> int | None:
    """How many rows of the machine stood there when a goal was reached first."""
    return next((row.seq for row in cell.tries if row.share >= PARTS), None)


def archive(results: Results) -> bytes:
    """The results.json of everybody, in a folder for each member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for line in results.lines:
            name = f"m{line.member.number}/results.json"
            packed.writestr(zipfile.ZipInfo(name), to_json(document(results, line), indent=2))
    return file.getvalue()


def line_of(lines: Sequence[Line], number: int) -> Line:
    """The line of a member."""
    return next(line for line in lines if line.member.number == number)
