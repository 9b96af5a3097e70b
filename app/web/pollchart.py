"""The votes on a question as a drawing: bars of both rounds, and who moved between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.labs.poll import CHOICE, Poll
from app.labs.tally import OTHER, Move, Tally
from app.web import wording
from app.web.contexts.poll import Chart, ChartBar, ChartFlow
from app.web.language import _

# The drawing: labels, bars of round 1, lines, bars of round 2. Its width is 1,000.
FIRST: Final = 300.0
SECOND: Final = 740.0
LONGEST: Final = 190.0
LINES: Final = (570.0, 732.0)
ROW: Final = 64.0
BAR: Final = 34.0
TEXT: Final = 20  # characters of an answer
WIDEST: Final = 22.0
NARROWEST: Final = 2.0


def chart(poll: Poll, tally: Tally, *, marked: bool) -> Chart | None:
    """Draw it; nothing before the first vote. marked: whether the right answer may be marked."""
    first, second = tally.rounds
    if not first.voted and not second.voted:
        return None
    votes = [{bar.choice: bar.votes for bar in one.bars} for one in (first, second)]
    answers = list(dict.fromkeys([*votes[0], *votes[1]]))
    most = max(1, *votes[0].values(), *votes[1].values())
    places = {answer: ROW * (place + 0.5) for place, answer in enumerate(answers)}
    bars = []
    for answer, y in places.items():
        lengths = [LONGEST * theirs.get(answer, 0) / most for theirs in votes]
        bars.append(
            ChartBar(
                letter=answer if poll.form == CHOICE else "",
                text=short(text_of(poll, answer)),
                right=marked and answer == poll.right,
                y=y,
                top=y - BAR / 2,
                above=y - ROW / 2 + 4,
                below=y + ROW / 2 - 4,
                first=round(lengths[0], 1),
                second=round(lengths[1], 1),
                first_end=round(FIRST + lengths[0] + 10, 1),
                second_end=round(SECOND + lengths[1] + 10, 1),
                first_votes=wording.count(votes[0].get(answer, 0)),
                second_votes=wording.count(votes[1].get(answer, 0)) if second.voted else "",
            )
        )
    return Chart(
        height=ROW * len(answers),
        words=words(tally) if marked else counted(tally),
        bars=bars,
        flows=[flow(poll, move, places, tally.both, marked=marked) for move in tally.moves],
    )


def flow(poll: Poll, move: Move, places: Mapping[str, float], both: int, *, marked: bool) -> ChartFlow:
    """Draw who moved from one answer to another."""
    begin, end = places[move.before], places[move.then]
    left, right = LINES
    middle = (left + right) / 2
    return ChartFlow(
        path=f"M{left:g} {begin:g}C{middle:g} {begin:g} {middle:g} {end:g} {right:g} {end:g}",
        width=round(max(NARROWEST, WIDEST * move.members / both), 1),
        kind=kind_of(poll, move) if marked else "stayed" if move.before == move.then else "moved",
    )


def kind_of(poll: Poll, move: Move) -> str:
    """Say what a move was."""
    if move.before == move.then:
        return "stayed"
    return "gained" if move.then == poll.right else "lost" if move.before == poll.right else "moved"


def counted(tally: Tally) -> str:
    """Say how many votes there are."""
    first, second = tally.rounds
    return _(
        "Votes in the first round: %(first)s; in the second: %(second)s.",
        first=wording.count(first.voted),
        second=wording.count(second.voted),
    )


def words(tally: Tally) -> str:
    """Say how many were right."""
    first, second = tally.rounds
    found = [
        _(
            "Right in the first round: %(right)s of %(all)s.",
            right=wording.count(first.right),
            all=wording.count(first.voted),
        )
    ]
    if second.voted:
        found.append(
            _(
                "Right in the second: %(right)s of %(all)s.",
                right=wording.count(second.right),
                all=wording.count(second.voted),
            )
        )
    return " ".join(found)


def text_of(poll: Poll, answer: str) -> str:
    """An answer as text; all that are not told apart together."""
    return _("other answers") if answer == OTHER else poll.text(answer)


def short(text: str) -> str:
    """An answer for the drawing."""
    return text if len(text) <= TEXT else f"{text[: TEXT - 1]}…"
