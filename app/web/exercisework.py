"""What has been done of an exercise's tasks, as the address of its page holds it: no script, nothing stored.

`work` has a word for each task, with dots between: `r2h1-9.w1` is task 1, right at the second try, with one
hint, after which the machine was at row 9, and task 2, tried once and not right yet. `b12` is a task for
which the machine was taken back, in row 12. Nothing is won by writing something else there: practice has no
points.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from app.web.address import Address

WORD: Final = re.compile(
    r"(?P<state>[rws]?)(?P<tries>[0-9]{0,3})(?:h(?P<hints>[0-9]{1,2}))?"
    r"(?:b(?P<begin>[0-9]{1,12}))?(?:-(?P<end>[0-9]{1,12}))?"
)
# How a state is written.
STATES: Final = {"": "open", "w": "tried", "r": "solved", "s": "shown"}
LETTERS: Final = {state: letter for letter, state in STATES.items()}
MOST_TRIES: Final = 999


@dataclass(frozen=True, slots=True)
class Done:
    """What has been done of one task."""

    state: str = "open"
    """`open`, `tried`, `solved`, or `shown`: what is right was told before it was found"""
    tries: int = 0
    """how many answers were given, or checks asked for"""
    hints: int = 0
    """how many hints were taken"""
    begin: int | None = None
    """the row in which the machine was taken back to where it begins; None where it was there"""
    end: int | None = None
    """the row at which its calls had been made; None before that"""

    @property
    def closed(self) -> bool:
        """Whether nothing is left to be found."""
        return self.state in ("solved", "shown")

    def tried(self, *, right: bool) -> Done:
        """The same after one more answer. What was told already is not solved any more."""
        state = self.state if self.closed else "solved" if right else "tried"
        return replace(self, tries=min(self.tries + 1, MOST_TRIES), state=state)

    def hinted(self) -> Done:
        """The same after one more hint."""
        return replace(self, hints=self.hints + 1)

    def begun(self, row: int) -> Done:
        """The same after the machine was taken back, in a row."""
        return replace(self, begin=row)

    def told(self, end: int | None) -> Done:
        """The same after what is right was told, and the calls made up to a row."""
        return replace(self, state=self.state if self.closed else "shown", end=end)

    @property
    def word(self) -> str:
        """As it stands in the address."""
        tries = str(self.tries or "")
        hints = f"h{self.hints}" if self.hints else ""
        end = "" if self.end is None else f"-{self.end}"
        begin = "" if self.begin is None else f"b{self.begin}"
        return f"{LETTERS[self.state]}{tries}{hints}{begin}{end}"


def done_of(here: Address, number: int) -> Done:
    """What the address says of a task. number: from 1."""
    words = here.work.split(".") if here.work else []
    found = WORD.fullmatch(words[number - 1]) if number <= len(words) else None
    if found is None:
        return Done()
    begin, end = found["begin"], found["end"]
    return Done(
        STATES[found["state"]],
        int(found["tries"] or 0),
        int(found["hints"] or 0),
        None if begin is None else int(begin),
        None if end is None else int(end),
    )


def with_done(here: Address, number: int, done: Done) -> Address:
    """The address with another word for a task."""
    words = here.work.split(".") if here.work else []
    words += [""] * (number - len(words))
    words[number - 1] = done.word
    return here.to(work=".".join(words).rstrip(".") or None)


def given_of(here: Address) -> list[str]:
    """The answers that were given to the task that is shown, one for each field; empty where none were."""
    return here.given.split("\n") if here.given is not None else []


def with_given(here: Address, given: list[str]) -> Address:
    """The address with answers."""
    return here.to(given="\n".join(" ".join(text.split()) for text in given))
