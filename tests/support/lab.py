"""A machine to call in a test, with short names for what tests look at."""

from typing import Any

from app.machine import boot, invariants, parsing
from app.machine.machine import Machine
from app.machine.outcome import Outcome


class Lab:
    """A machine that is verified after each call.

    Keyword arguments describe it: `Lab(debug=False, profile="tiny-32m")`.
    """

    def __init__(self, machine: Machine | None = None, **description: Any) -> None:
        self.m = machine or boot.boot({"profile": "tiny-16m"} | description)
        self.seq = 0

    def __call__(self, name: str, /, **body: Any) -> Outcome:
        """Make a call; `task`, `cpu` and `context` are among the arguments."""
        self.seq += 1
        outcome = self.m.apply(parsing.parse(name, body, self.m.model), self.seq)
        faults = invariants.verify(self.m)
        assert not faults, faults
        return outcome

    def alloc(self, order: int = 0, gfp: str = "GFP_KERNEL", **caller: Any) -> int:
        """Allocate a block; its first frame."""
        page = self("alloc_pages", gfp=gfp, order=order, **caller).page
        assert page is not None
        return int(page["pfn"])

    def count(self, pfn: int) -> int:
        """`_refcount` of a frame, as the outcome of a call shows it."""
        page = self("page_count", pfn=pfn).page
        assert page is not None
        return int(page["refcount"])

    def used(self) -> int:
        """Frames in use by somebody."""
        return sum(1 << page.order for page in self.m.pages.values() if page.state != "lost")

    def free(self) -> int:
        """Frames on the free lists and the per-CPU lists."""
        return self.m.nr_free_pages + sum(pcp.count for zone in self.m.zones for pcp in zone.pcp)


def texts(outcome: Outcome) -> list[str]:
    """The log lines of a call without their stamps."""
    return [line.split("] ", 1)[1] for line in outcome.log]
