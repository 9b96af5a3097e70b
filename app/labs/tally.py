"""The votes on a poll, counted: the bars of both rounds, who moved where, and what was gained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.labs.poll import CHOICE, CONFIDENCES, LAST_ROUND, ROUNDS, Poll
from app.store.polls import VoteRow

# Of free answers so many are told apart; the right one and those of known misconceptions always are.
SHOWN: Final = 8
# What stands for all other answers.
OTHER: Final = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One answer in one round."""

    # A letter, or the answer as text; empty for all others.
    choice: str
    votes: int
    # How many were so confident of it.
    confidence: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Round:
    """One round."""

    number: int
    voted: int
    right: int
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Move:
    """How many chose one answer first and another one then, or the same again."""

    before: str
    then: str
    members: int


@dataclass(frozen=True, slots=True)
class Tally:
    """All of it."""

    rounds: Sequence[Round]
    # Members who have voted in both rounds, and how many of them were right before and then.
    both: int
    right_right: int
    right_wrong: int
    wrong_right: int
    wrong_wrong: int
    moves: Sequence[Move]
    # What the presenter is told after the round that was the last: `explain`, `discuss` or `go on`.
    advice: str | None

    @property
    def gain(self) -> float | None:
        """Of those who were not right before, how many more are now: 1 is all; None where there were none.

        The difference of both rounds over what was left to be gained.
        """
        before, then = self.right_right + self.right_wrong, self.right_right + self.wrong_right
        return None if before == self.both else (then - before) / (self.both - before)

    def as_json(self) -> dict[str, Any]:
        """The object of the API."""
        gain = self.gain
        return {
            "rounds": [
                {
                    "round": one.number,
                    "voted": one.voted,
                    "right": one.right,
                    "choices": [
                        {"choice": bar.choice, "votes": bar.votes, **bar.confidence} for bar in one.bars
                    ],
                }
                for one in self.rounds
            ],
            "shift": {
                "both": self.both,
                "right_right": self.right_right,
                "right_wrong": self.right_wrong,
                "wrong_right": self.wrong_right,
                "wrong_wrong": self.wrong_wrong,
            },
            "moves": [{"from": one.before, "to": one.then, "members": one.members} for one in self.moves],
            "gain": None if gain is None else round(gain, 3),
            "advice": self.advice,
        }


def tally(poll: Poll, votes: Iterable[VoteRow]) -> Tally:
    """Count the votes on a poll."""
    by_round: dict[int, dict[str, VoteRow]] = {number: {} for number in ROUNDS}
    for vote in votes:
        by_round[vote.round][vote.member_id] = vote
    answers = shown(poll, [vote.choice for theirs in by_round.values() for vote in theirs.values()])
    rounds = [counted(poll, number, list(by_round[number].values()), answers) for number in ROUNDS]
    first, second = by_round[1], by_round[2]
    pairs = Counter((first[member].choice, second[member].choice) for member in first.keys() & second.keys())
    cells = Counter[tuple[bool, bool]]()
    moved = Counter[tuple[str, str]]()
    for (before, then), members in pairs.items():
        cells[before == poll.right, then == poll.right] += members
        moved[named(before, answers), named(then, answers)] += members
    last = rounds[LAST_ROUND.get(poll.state, 1) - 1]
    if not last.voted:
        last = rounds[0]
    return Tally(
        rounds=rounds,
        both=pairs.total(),
        right_right=cells[True, True],
        right_wrong=cells[True, False],
        wrong_right=cells[False, True],
        wrong_wrong=cells[False, False],
        moves=[
            Move(before, then, moved[before, then])
            for before in (*answers, OTHER)
            for then in (*answers, OTHER)
            if moved[before, then]
        ],
        advice=poll.advice.of(last.right, last.voted),
    )


def shown(poll: Poll, given: Sequence[str]) -> list[str]:
    """The answers that are told apart: all choices, or of free ones the known and the most frequent."""
    if poll.form == CHOICE:
        return list(poll.letters)
    found = [poll.right, *(answer for answer in poll.wrong if answer in given)]
    often = [answer for answer, _ in sorted(Counter(given).items(), key=lambda item: (-item[1], item[0]))]
    return [*found, *(answer for answer in often if answer not in found)][: max(SHOWN, len(found))]


def named(answer: str, answers: Sequence[str]) -> str:
    """An answer as it is told apart."""
    return answer if answer in answers else OTHER


def counted(poll: Poll, number: int, votes: Sequence[VoteRow], answers: Sequence[str]) -> Round:
    """Count one round."""
    theirs = Counter((named(vote.choice, answers), vote.confidence) for vote in votes)
    bars = []
    for answer in (*answers, OTHER):
        confidence = {one: theirs[answer, one] for one in CONFIDENCES}
        votes_here = sum(confidence.values())
        if answer != OTHER or votes_here:
            bars.append(Bar(answer, votes_here, confidence))
    return Round(number, len(votes), sum(vote.choice == poll.right for vote in votes), bars)
