"""Why a page goes: what decided, with its numbers, as each policy sees it just before it takes the page.

A reason is a word with numbers and pages; pages of the dashboard say it in the reader's language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.machine.replacement.lru_2list import Lru2List
from app.machine.replacement.policies import Aging, Clock, Nru, Opt, Policy


class Why(NamedTuple):
    """What decided. word: which reason it is, of `WORDS`. numbers: what it is about."""

    word: str
    numbers: Mapping[str, Any]


WORDS: Final = (
    "hit", "empty", "oldest", "unused", "hand", "farthest", "never", "class", "counter", "lists",
)  # fmt: skip


class Seen(NamedTuple):
    """What is known of the pages beside the policy: where each was loaded, and where it was used last."""

    loaded: dict[int, int]
    used: dict[int, int]


Reason = Callable[[int], Why]


def fifo(_policy: Policy, seen: Seen) -> Reason:
    """Since when it has been there."""
    return lambda page: Why("oldest", {"loaded": seen.loaded[page] + 1})


def lru(_policy: Policy, seen: Seen) -> Reason:
    """Since when it has not been used."""
    return lambda page: Why("unused", {"used": seen.used[page] + 1})


def clock(policy: Policy, _seen: Seen) -> Reason:
    """Over which pages the hand went before."""
    assert isinstance(policy, Clock)
    pages, bits, hand = list(policy.pages), bytes(policy.bits), policy.hand
    way = [(hand + step) % len(pages) for step in range(len(pages))]
    spared = []
    for frame in way:
        if not bits[frame]:
            break
        spared.append(policy.string.names[pages[frame]])
    return lambda page: Why("hand", {"frame": pages.index(page), "spared": spared})


def opt(policy: Policy, _seen: Seen) -> Reason:
    """When it is used again."""
    assert isinstance(policy, Opt)
    uses, end = dict(policy.next_of), len(policy.string)
    unused = sum(use == end for use in uses.values())

    def why(page: int) -> Why:
        if uses[page] == end:
            return Why("never", {"others": unused - 1})
        return Why("farthest", {"use": uses[page] + 1})

    return why


def nru(policy: Policy, _seen: Seen) -> Reason:
    """Its class, and how many others were in it."""
    assert isinstance(policy, Nru)
    classes = {page: policy.class_of(page) for page in policy.loaded}
    numbers = list(classes.values())
    return lambda page: Why(
        "class",
        {
            "number": classes[page],
            "referenced": classes[page] >> 1,
            "modified": classes[page] & 1,
            "others": numbers.count(classes[page]) - 1,
        },
    )


def aging(policy: Policy, _seen: Seen) -> Reason:
    """Its counter, and how many others had the same."""
    assert isinstance(policy, Aging)
    counters = dict(policy.counters)
    numbers = list(counters.values())
    return lambda page: Why(
        "counter", {"counter": f"{counters[page]:08b}", "others": numbers.count(counters[page]) - 1}
    )


def lru_2list(policy: Policy, _seen: Seen) -> Reason:
    """What became of the pages that were looked at before."""
    assert isinstance(policy, Lru2List)
    policy.looked_at = []

    def why(_page: int) -> Why:
        names, looked_at = policy.string.names, policy.looked_at or []
        policy.looked_at = None
        return Why("lists", {"looked_at": [(what, names[page]) for what, page in looked_at]})

    return why


REASONS: Final[Mapping[str, Callable[[Policy, Seen], Reason]]] = {
    "fifo": fifo,
    "lru": lru,
    "clock": clock,
    "opt": opt,
    "nru": nru,
    "aging": aging,
    "lru_2list": lru_2list,
}


# -- what a policy keeps of each page --------------------------------------------------------------


def noted(policy: Policy, pages: Sequence[int | None]) -> list[str]:
    """What the policy has noted of each page, in few letters; empty where it notes nothing.

    The referenced bit as R, the modified one as M, aging's counter, and the list as A or I.
    """
    note: Callable[[int], str]
    if isinstance(policy, Clock):
        note = lambda page: "R" if policy.bits[policy.frame_of[page]] else ""  # noqa: E731
    elif isinstance(policy, Nru):
        note = lambda page: "R" * policy.referenced[page] + "M" * policy.modified[page]  # noqa: E731
    elif isinstance(policy, Aging):
        note = lambda page: f"{policy.counters[page]:08b}" + "R" * policy.referenced[page]  # noqa: E731
    elif isinstance(policy, Lru2List):
        note = policy.note
    else:
        return [""] * len(pages)
    return ["" if page is None else note(page) for page in pages]
