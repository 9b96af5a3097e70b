"""Mistakes of callers: the step that finds one, and the last step, which is the cause."""

from __future__ import annotations

from typing import Any, Final

from app.machine.mistakes import LOST, MISTAKES, NOTE, cause_of, sentence
from app.machine.trace.collector import Area, Collector

VERDICTS: Final = {NOTE: "note", LOST: "no owner"}


class MistakeSteps(Area):
    """Reports of `Kernel.mistake`."""

    def __init__(self, trace: Collector) -> None:
        super().__init__(trace)
        # By mistake, the number of the step that found it.
        self.found: dict[str, int] = {}

    def mistake(self, name: str, facts: dict[str, Any]) -> None:
        """A function has found a mistake."""
        if not MISTAKES[name].told:
            self.say(name, facts)
        elif self.trace.steps:
            self.found[name] = len(self.trace.steps)

    def say(self, name: str, facts: dict[str, Any]) -> None:
        """The step."""
        row = MISTAKES[name]
        self.step(
            row.fn,
            sentence(name, facts),
            verdict=VERDICTS.get(row.rank, "bad"),
            numbers={"mistake": name, **facts},
        )
        self.found.setdefault(name, len(self.trace.steps))

    def cause(self) -> dict[str, Any] | None:
        """The cause, as the outcome has it."""
        mistakes = self.m.current.mistakes
        return cause_of(mistakes) if mistakes else None

    def close(self) -> None:
        """The call is over: where its cause is not its last step already, that says it once more."""
        mistakes = self.m.current.mistakes
        if not mistakes:
            return
        name = cause_of(mistakes)["mistake"]
        if self.found.get(name) != len(self.trace.steps):
            self.say(name, mistakes[name])
