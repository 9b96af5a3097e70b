"""Calls that take pages back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import gfp_text
from app.machine.entry.arguments import GFP, OPTIONAL_ORDER
from app.machine.entry.declare import Declarations
from app.machine.vocabulary import Arg, Cost, Returns
from app.mm import page_alloc, shrinker, vmscan

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome
    from app.machine.vocabulary import Args

calls = Declarations("system")

# Pages that one round looks at, seldom more.
ROUND: Final = 256


def rounds(args: Args) -> int:
    """How many reclaims one row makes."""
    return int(args["rounds"])


@calls.other(
    "try_to_free_pages",
    (
        OPTIONAL_ORDER,
        GFP,
        Arg("rounds", "rounds", "", "how often, as one row", False, 1, prefill="1"),
    ),
    "unsigned long try_to_free_pages(struct zonelist *zonelist, int order, gfp_t gfp_mask, …)",
    "mm/vmscan.c try_to_free_pages",
    "Reclaim pages as an allocation would that finds none.",
    returns=Returns.INT,
    cost=Cost(each=lambda args: ROUND * rounds(args)),
)
def try_to_free_pages(m: Machine, call: Call, outcome: Outcome) -> None:
    """Returns the pages reclaimed. Kernel: mm/vmscan.c try_to_free_pages"""
    gfp, order = gfp_text.parse(call.args["gfp"]), call.args["order"]
    outcome.ret = 0
    for _ in range(rounds(call.args)):
        m.breathe()
        if m.vm.reclaim:
            ac = page_alloc.prepare_alloc_pages(m, gfp, m.cpu_node[m.current.cpu])
            m.current.memalloc = m.current.eventful = True
            outcome.ret += vmscan.try_to_free_pages(m, order, gfp, ac)
            m.current.memalloc = False
        else:
            before = m.nr_free_pages
            shrinker.shrink_slab(m)
            outcome.ret += m.nr_free_pages - before
