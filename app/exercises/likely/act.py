"""One call that people predict: the machine before it, the call, its outcome, the machine after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from app.errors import BadArgument
from app.exercises.forms import Answer
from app.machine import gfp_text, readings
from app.machine.calls import Call
from app.machine.changes import all_runs
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.machine.vocabulary import Returns
from app.mm import gfp
from app.mm.mmzone import Zone

# States of frames that nobody uses.
GIVEN_BACK: Final = ("free", "pcp")
# More runs of frames than this are too many for any answer, and so many changes are not put together.
MOST_RUNS: Final = 4096
MOST_CHANGES: Final = 20_000


class Run(NamedTuple):
    """Frames that the call has changed to a state."""

    first: int
    frames: int
    state: str


@dataclass(frozen=True)
class Act:
    """A call and what it did. Neither machine is changed by looking at it."""

    before: Machine
    call: Call
    outcome: Outcome
    after: Machine
    # The zone whose free lists are asked about; empty for the one that the call worked on.
    about: str = ""

    @property
    def order(self) -> int:
        """The order that was asked for."""
        order = self.call.args.get("order", 0)
        return order if isinstance(order, int) else 0

    @property
    def takes_block(self) -> bool:
        """Whether it asks for one block of pages."""
        returns = self.call.spec.returns
        return (
            self.call.spec.repeats and not self.call.many and returns in (Returns.PAGE, Returns.PAGE_ADDRESS)
        )

    @property
    def allocates(self) -> bool:
        """Whether it asks for memory, of whatever kind."""
        return self.call.spec.repeats

    @property
    def frees(self) -> bool:
        """Whether it gives something back."""
        return self.call.spec.frees

    @property
    def mask(self) -> int:
        """The GFP mask, GFP_KERNEL for a function that is given none."""
        arg = next((arg.name for arg in self.call.spec.args if arg.kind == "gfp"), None)
        try:
            mask = gfp.GFP_KERNEL if arg is None else gfp_text.parse(self.call.args[arg])
        except (BadArgument, KeyError):
            return gfp.GFP_KERNEL
        return mask | (gfp.GFP_DMA if self.call.spec.name == "__get_dma_pages" else 0)

    @property
    def pfn(self) -> int | None:
        """The first frame of the block that the call returned or was given."""
        return None if self.outcome.seen is None else self.outcome.seen[0]

    @property
    def zones(self) -> list[Zone]:
        """The zones that the request may be served from, the preferred one first, as they were before."""
        highest = gfp.highest_zone(self.before.zone_index, self.mask)
        node = self.before.nodes[self.before.cpu_node[self.call.cpu % len(self.before.cpu_node)]]
        return [zone for zone in node.zonelist if zone.zid <= highest and zone.managed_pages]

    @property
    def zone(self) -> Zone | None:
        """The zone that the call worked on, as it was before."""
        if self.about:
            return next((zone for zone in self.before.zones if zone.name == self.about), None)
        if self.pfn is not None:
            return self.before.zone_of(self.pfn)
        if self.outcome.mentions:
            return self.before.zone_of(self.outcome.mentions[0][0])
        return next(iter(self.zones), None) if self.allocates else None

    @property
    def changed_much(self) -> bool:
        """Whether it changed so much that nobody asks for the frames."""
        return len(self.outcome.mentions) > MOST_CHANGES

    @cached_property
    def runs(self) -> list[Run]:
        """The frames that it changed, by what they have become; none where there are too many."""
        if self.changed_much:
            return []
        runs = all_runs(self.outcome.mentions)
        return [Run(*run) for run in runs] if len(runs) <= MOST_RUNS else []

    def counts(self, machine: Machine, zone: Zone) -> list[int]:
        """Free blocks of each order, of zones of that name together."""
        return list(readings.buddyinfo(machine, zone.name) or ())


Find: TypeAlias = Callable[[Act], Answer | None]


@dataclass(frozen=True, slots=True)
class Likely:
    """A wrong answer that people give, computed."""

    key: str
    # What it is about, a key of `choosing.ASKED`.
    about: str
    # The key of the misconception.
    because: str
    find: Find

    def __call__(
        self, before: Machine, call: Call, outcome: Outcome, after: Machine, right: Answer
    ) -> Answer | None:
        """The answer, in the form of the right one; None where it cannot be given, or would be right."""
        found = self.believed(before, call, outcome, after, right)
        return None if found == right else found

    def believed(
        self, before: Machine, call: Call, outcome: Outcome, after: Machine, right: Answer
    ) -> Answer | None:
        """The same, also where it would be right."""
        return self.given(Act(before, call, outcome, after, zone_like(before, after, right)), right)

    def of(self, act: Act, right: Answer) -> Answer | None:
        """The answer to a call with its machines; None where it cannot be given, or would be right."""
        found = self.given(act, right)
        return None if found == right else found

    def given(self, act: Act, right: Answer) -> Answer | None:
        """The same, also where it would be right."""
        found = self.find(act)
        return None if found is None else as_asked(found, act, right)


def zone_like(before: Machine, after: Machine, right: Answer) -> str:
    """The zone whose free lists are as in the right answer, changed ones first; empty for none."""
    if not isinstance(right, list) or not right:
        return ""
    alike = [zone.name for zone in after.zones if list(readings.buddyinfo(after, zone.name) or ()) == right]
    changed = [name for name in alike if list(readings.buddyinfo(before, name) or ()) != right]
    return next(iter([*changed, *alike]), "")


def as_asked(found: Answer, act: Act, right: Answer) -> Answer:
    """The answer in the form of the right one: how many frames, or a block's address, where that is asked."""
    if isinstance(right, int) and isinstance(found, list):
        return len(found)
    if isinstance(right, str) and isinstance(found, int) and right.startswith("0x"):
        address = act.before.model.pfn_to_virt(found)
        return f"{address or 0:#x}"
    return found
