"""A machine whose calls are explained, and short ways to look at the steps."""

from typing import Any

from app.machine import boot, calltext, parsing
from app.machine.calls import Named
from app.machine.outcome import Outcome
from app.machine.trace import Trace

Step = dict[str, Any]


class Explainer:
    """A machine whose calls are explained: `before` is its dump before the last one."""

    def __init__(self, profile: str = "x86_64-1g", **description: Any) -> None:
        self.m = boot.boot({"profile": profile, "debug": False} | description)
        self.seq = 0
        self.names: dict[str, Named] = {}
        self.before: dict[str, Any] = {}
        self.points: list[str] = []
        self.outcome: Outcome

    def call(self, function: str, /, named: str = "it", **body: Any) -> list[Step]:
        """Make a call; its steps."""
        self.before = self.m.dump()
        return self.explained(function, body, named)

    def line(self, text: str) -> list[Step]:
        """Make the call of a line of text, which may name its result; its steps."""
        line = calltext.parse_line(text)
        assert line.name is not None
        return self.explained(line.name, line.body, line.as_name or "it")

    def unseen(self, text: str) -> None:
        """The same without anybody who listens."""
        line = calltext.parse_line(text)
        assert line.name is not None
        self.made(line.name, line.body, line.as_name or "it")

    def explained(self, function: str, body: dict[str, Any], named: str) -> list[Step]:
        trace = self.m.trace = Trace(self.m)
        self.made(function, body, named)
        self.m.trace = None
        trace.close()
        self.points = trace.points
        return trace.steps

    def made(self, function: str, body: dict[str, Any], named: str) -> None:
        self.seq += 1
        call = parsing.parse(function, body, self.m.model, self.names).resolve(
            self.names, self.m.model, rules=self.m.rules
        )
        self.outcome = self.m.apply(call, self.seq)
        if self.outcome.named is not None:
            self.names[named] = self.outcome.named

    @property
    def told(self) -> dict[str, Any]:
        """The last call's outcome as the API has it."""
        return self.outcome.as_json(self.m.model)

    def zone(self, name: str) -> dict[str, Any]:
        return next(zone for zone in self.before["zones"] if zone["name"] == name)

    def pcp(self, name: str) -> dict[str, Any]:
        pcp: dict[str, Any] = self.zone(name)["pcp"][self.m.current.cpu]
        return pcp

    def cache(self, name: str) -> dict[str, Any]:
        return next(cache for cache in self.before["caches"] if cache["name"] == name)

    def tracepoints(self) -> list[str]:
        return [point.split(": ")[1] for point in self.points]


def of(steps: list[Step], *fns: str) -> list[Step]:
    return [step for step in steps if step["fn"] in fns]


def only(steps: list[Step], fn: str) -> Step:
    (step,) = of(steps, fn)
    return step


def numbers(steps: list[Step], fn: str) -> dict[str, Any]:
    result: dict[str, Any] = only(steps, fn)["numbers"]
    return result


def verdicts(steps: list[Step], fn: str) -> list[str]:
    return [step["verdict"] for step in of(steps, fn)]


def fns(steps: list[Step]) -> list[str]:
    return [step["fn"] for step in steps]
