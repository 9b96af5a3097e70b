"""How far a reader has come with exercises that they practise: kept in a cookie, and nowhere else.

An exercise is mastered once two variants in a row were solved, each without a hint or a wrong answer.
Nobody is given points for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from app.web.language import N_, _

COOKIE: Final = "practised"
# Variants in a row after which an exercise is mastered.
MASTERED: Final = 2
MOST: Final = 60
ENTRY: Final = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)*):([0-2]):([0-9]{1,9})")
A_YEAR: Final = 365 * 24 * 3600
WORDS: Final = {0: N_("tried"), 1: N_("solved once"), MASTERED: N_("mastered")}


class Run(NamedTuple):
    """What is known of an exercise: variants solved in a row, and the last one that counted."""

    solved: int
    """how many were solved"""
    variant: int
    """the number of the last one that was solved or not"""


def runs(request: Request) -> dict[str, Run]:
    """What is known of each exercise, the one that was practised last at the end."""
    found = ENTRY.findall(request.cookies.get(COOKIE, ""))
    return {name: Run(int(count), int(variant)) for name, count, variant in found[-MOST:]}


def mastered(request: Request, name: str) -> bool:
    """Whether an exercise is mastered."""
    run = runs(request).get(name)
    return run is not None and run.solved >= MASTERED


def words(request: Request, name: str) -> str:
    """How far the reader has come with an exercise; empty for not at all."""
    run = runs(request).get(name)
    return "" if run is None else _(WORDS[run.solved])


def after(run: Run | None, variant: int, *, solved: bool | None) -> Run:
    """What is known after a variant was begun (solved: None), solved, or not solved by oneself."""
    if run is None:
        run = Run(0, 0)
    if run.solved >= MASTERED or solved is None:
        return run
    if not solved:
        return Run(0, variant)
    return run if run.variant == variant else Run(run.solved + 1, variant)


def remember(request: Request, response: Response, name: str, variant: int, *, solved: bool | None) -> None:
    """Note that a variant was begun, solved, or not solved by oneself."""
    known = runs(request)
    known[name] = after(known.pop(name, None), variant, solved=solved)
    response.set_cookie(
        COOKIE,
        written(known),
        max_age=A_YEAR,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def written(known: Mapping[str, Run]) -> str:
    """As the cookie has it."""
    return ".".join(f"{name}:{count}:{variant}" for name, (count, variant) in list(known.items())[-MOST:])
