"""How a call is declared, and how each of the three shapes of calls is made.

A call returns memory and can be made in a loop (`Allocation`), gives memory back and can be given a list
(`Release`), or does something else (`Other`). A module of this package collects its calls in a
`Declarations`, whose methods stand as decorators on the functions that run them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from app.machine import runs
from app.machine.entry import describe, limits
from app.machine.vocabulary import FREE, Arg, CallSpec, Cost, Returns
from app.mm import kthreads, wild_page
from app.mm.internal import GAVE_UP
from app.mm.sched import fatal_signal_pending
from app.mm.wild_page import WildPage

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

# Blocks of a loop between two pauses: less than a millisecond.
PAUSE_EVERY: Final = 64
# A request that fails changes nothing that the next of its kind would see, but may search all memory first.
MAX_FAILURES: Final = 100


AllocationRun: TypeAlias = "Callable[[Machine, Call], int | None]"
ReleaseRun: TypeAlias = "Callable[[Machine, Call, Any], None]"
OtherRun: TypeAlias = "Callable[[Machine, Call, Outcome], None]"


class Allocation(CallSpec):
    """A call that returns memory. run: what it returned, a page frame or an address; None for NULL."""

    __slots__ = ("run",)
    repeats: ClassVar[bool] = True
    run: AllocationRun

    def run_by(self, run: AllocationRun) -> AllocationRun:
        """Decorates the function that runs it."""
        self.run = run
        return run

    def make(self, m: Machine, call: Call, outcome: Outcome) -> None:
        """Once or in a loop."""
        if call.repeat is None:
            value = self.run(m, call)
            if value is None:
                m.worsen_null()
            describe.result(m, call, value, outcome)
        else:
            values = self.loop(m, call, outcome)
            describe.results(m, outcome.call, values, outcome)

    def loop(self, m: Machine, call: Call, outcome: Outcome) -> list[int]:
        """Repeat an allocation until it fails, until free memory is short, or as often as asked.

        It ends also after MAX_FAILURES in a row, when the caller is killed, and where somebody stops it: then
        it is a call that asks for as many rounds as were made, which is made again in the same way.
        """
        values: list[int] = []
        failures = 0
        rounds = limits.rounds(m, call)
        for turn in range(rounds):
            if not turn % PAUSE_EVERY:
                m.breathe()
                m.looping = turn, rounds
                if turn and m.stopped is not None and m.stopped():
                    outcome.call = replace(call, repeat=turn, text=None)
                    break
            if isinstance(call.until, int) and m.nr_free_pages < call.until:
                break
            value = self.run(m, call)
            if m.vm.threads_woken:
                kthreads.run_woken(m)
            if value is not None:
                values.append(value)
                failures = 0
                if m.current.killed and fatal_signal_pending(m):
                    break
            elif call.until == "null" or m.current.verdict in GAVE_UP:
                break
            else:
                m.worsen_null()
                failures += 1
                if failures == MAX_FAILURES:
                    break
        else:
            limits.say_if_cut(m, call, len(values))
        return values


class Release(CallSpec):
    """A call that gives memory back. run: is given one block, as a page frame or an address."""

    __slots__ = ("run",)
    frees: ClassVar[bool] = True
    run: ReleaseRun

    def run_by(self, run: ReleaseRun) -> ReleaseRun:
        """Decorates the function that runs it."""
        self.run = run
        return run

    def make(self, m: Machine, call: Call, outcome: Outcome) -> None:
        """One block or a list."""
        value = call.args.get("page", call.args.get("addr"))
        if isinstance(value, tuple):
            freed = 0
            for one in runs.each(value):
                if not freed % PAUSE_EVERY:
                    m.breathe()
                self.run(m, call, one)
                freed += 1
            outcome.ret = freed
        elif type(value) is WildPage:
            outcome.ret = wild_page.use(m, self.name, value.address, call.args.get("order", 0))
        else:
            describe.releasing(m, call, value, outcome)
            self.run(m, call, value)
            describe.released(m, call, value, outcome)


class ArrayRelease(Release):
    """A call that is given an array. run: is given the list of all that is in it."""

    __slots__ = ()

    def make(self, m: Machine, call: Call, outcome: Outcome) -> None:
        """One block or a list, all at once."""
        value = call.args.get("page", call.args.get("addr"))
        if isinstance(value, tuple):
            outcome.ret = runs.length(value)
            self.run(m, call, list(runs.each(value)))
        else:
            describe.releasing(m, call, value, outcome)
            self.run(m, call, [value])
            describe.released(m, call, value, outcome)


class Other(CallSpec):
    """Any other call. run: fills the outcome itself."""

    __slots__ = ("run",)
    run: OtherRun

    def run_by(self, run: OtherRun) -> OtherRun:
        """Decorates the function that runs it."""
        self.run = run
        return run

    def make(self, m: Machine, call: Call, outcome: Outcome) -> None:
        """Once, since it neither repeats nor takes a list."""
        page = call.args.get("page")
        if type(page) is WildPage:
            outcome.ret = wild_page.use(m, self.name, page.address, call.args.get("order", 0))
        else:
            self.run(m, call, outcome)


class Declarations:
    """The calls of one module, in the order in which they are listed.

    group: the heading under which they are listed.
    """

    def __init__(self, group: str) -> None:
        self.group = group
        self.declared: list[CallSpec] = []

    def allocation(
        self, name: str, args: tuple[Arg, ...], prototype: str, source: str, doc: str, *, returns: Returns,
        cost: Cost, lecture: str | None = None,
    ) -> Callable[[AllocationRun], AllocationRun]:  # fmt: skip
        """Declare a call that returns memory, which the decorated function runs."""
        spec = Allocation(name, args, prototype, source, self.group, doc, returns, cost, lecture)
        self.declared.append(spec)
        return spec.run_by

    def release(
        self, name: str, args: tuple[Arg, ...], prototype: str, source: str, doc: str, *, cost: Cost = FREE,
        lecture: str | None = None,
    ) -> Callable[[ReleaseRun], ReleaseRun]:  # fmt: skip
        """Declare a call that gives memory back, which the decorated function runs."""
        spec = Release(name, args, prototype, source, self.group, doc, Returns.NOTHING, cost, lecture)
        self.declared.append(spec)
        return spec.run_by

    def array_release(
        self, name: str, args: tuple[Arg, ...], prototype: str, source: str, doc: str, *, cost: Cost = FREE,
    ) -> Callable[[ReleaseRun], ReleaseRun]:  # fmt: skip
        """Declare a call that gives an array of memory back, which the decorated function runs."""
        spec = ArrayRelease(name, args, prototype, source, self.group, doc, Returns.NOTHING, cost, None)
        self.declared.append(spec)
        return spec.run_by

    def other(
        self, name: str, args: tuple[Arg, ...], prototype: str, source: str, doc: str, *, returns: Returns,
        cost: Cost = FREE, lecture: str | None = None,
    ) -> Callable[[OtherRun], OtherRun]:  # fmt: skip
        """Declare any other call, which the decorated function runs."""
        spec = Other(name, args, prototype, source, self.group, doc, returns, cost, lecture)
        self.declared.append(spec)
        return spec.run_by
