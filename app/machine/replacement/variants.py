"""What others decide otherwise: the same policies by other conventions, to find the one behind an answer.

Textbooks and simulators leave different things open. Each convention here has some values, ours first; a
variant is a policy with a value of each. They are plain, and for short strings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, Final, NamedTuple

from app.machine.replacement.policies import Clock, Policy
from app.machine.replacement.simulate import POLICIES
from app.machine.replacement.strings import ReferenceString

OPTIONS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "fifo": {},
    "lru": {},
    "clock": {"hand": ("behind", "stays", "first")},
    "opt": {"tie": ("loaded", "newest", "used", "page", "frame")},
    "nru": {
        "tie": ("loaded", "page", "frame"),
        "tick": ("frames", "each", "never"),
        "class": ("referenced", "modified"),
    },
    "aging": {"tie": ("loaded", "page", "frame"), "tick": ("frames", "each")},
    "lru_2list": {},
}
WITH_BITS: Final = ("clock", "nru", "aging", "lru_2list")

Changes = Mapping[str, Any]


class Variant(NamedTuple):
    """A way to run a string. changes: what is otherwise than asked for.

    cold: whether a page that comes into an empty frame counts as a fault.
    """

    changes: Changes
    policy: str
    frames: int
    load_bit: int
    options: Mapping[str, str]
    cold: bool

    def make(self, string: ReferenceString) -> Policy:
        """The policy, before the first reference."""
        if self.options == our_options(self.policy):
            return POLICIES[self.policy](string, self.frames, self.load_bit)
        return VARIED[self.policy](string, self.frames, self.load_bit, self.options)


def our_options(policy: str) -> Mapping[str, str]:
    """What we decide of each convention that a policy leaves open."""
    return {name: values[0] for name, values in OPTIONS[policy].items()}


def variants(policy: str, frames: int, load_bit: int) -> list[Variant]:
    """Every one that differs from what was asked for in conventions, by how much they differ.

    The other policies, and another number of frames, come last: then it was no convention.
    """
    found = list(conventions(policy, frames, load_bit, {}))
    found.sort(key=lambda variant: len(variant.changes))
    for other in POLICIES:
        if other != policy:
            found += conventions_of_bits(other, frames, load_bit, {"policy": other})
    for number in (frames - 1, frames + 1):
        if number:
            found += conventions_of_bits(policy, number, load_bit, {"frames": number})
    return [variant for variant in found if variant.changes]


def conventions(policy: str, frames: int, load_bit: int, changed: Changes) -> Iterator[Variant]:
    """Each value of each convention with each of the others."""
    options = OPTIONS[policy]
    bits = (load_bit, 1 - load_bit) if policy in WITH_BITS else (load_bit,)
    for values in product(*options.values()):
        chosen = dict(zip(options, values, strict=True))
        otherwise = {name: value for name, value in chosen.items() if value != options[name][0]}
        for bit in bits:
            for cold in (True, False):
                changes = {**changed, **otherwise}
                changes |= {"load_bit": bit} if bit != load_bit else {}
                changes |= {} if cold else {"count": "replacements"}
                yield Variant(changes, policy, frames, bit, chosen, cold)


def conventions_of_bits(policy: str, frames: int, load_bit: int, changed: Changes) -> list[Variant]:
    """The same with our own value of all conventions but the bit at load."""
    ours = our_options(policy)
    return [
        variant
        for variant in conventions(policy, frames, load_bit, changed)
        if variant.cold and variant.options == ours
    ]


# -- policies by other conventions -----------------------------------------------------------------


class VariedClock(Clock):
    """The hand stands at the replaced frame afterwards, or begins at the first frame each time."""

    def __init__(
        self, string: ReferenceString, frames: int, load_bit: int, options: Mapping[str, str]
    ) -> None:
        self.rule = options["hand"]
        super().__init__(string, frames, load_bit)

    def victim(self) -> int:
        """As ever; only the hand is elsewhere then."""
        page = super().victim()
        assert self.empty is not None
        self.hand = self.empty if self.rule == "stays" else 0
        return page


class Varied(Policy):
    """What the others have in common: pages in their frames, and what is noted of each."""

    def __init__(
        self, string: ReferenceString, frames: int, load_bit: int, options: Mapping[str, str]
    ) -> None:
        self.options = options
        super().__init__(string, frames, load_bit)

    def begin(self) -> None:
        """Nothing is in any frame."""
        self.here: list[int] = []
        self.empty: int | None = None
        self.loaded: dict[int, int] = {}
        self.used: dict[int, int] = {}
        self.referenced: dict[int, int] = {}
        self.modified: dict[int, int] = {}
        self.counters: dict[int, int] = {}

    def hit(self, page: int) -> None:
        """The processor sets the bits."""
        self.used[page] = self.at
        self.referenced[page] = 1
        self.modified[page] |= self.string.writes[self.at]
        self.count()

    def load(self, page: int) -> None:
        """Into the frame that was emptied, or the next one that nobody had."""
        if self.empty is None:
            self.here.append(page)
        else:
            self.here[self.empty] = page
        self.loaded[page] = self.used[page] = self.at
        self.referenced[page] = self.load_bit
        self.modified[page] = self.string.writes[self.at]
        self.counters[page] = self.load_bit << 7
        self.count()

    def victim(self) -> int:
        """The one that comes first by rank, and then by what decides among equals."""
        page = min(self.here, key=lambda page: (self.rank(page), self.tie(page)))
        self.empty = self.here.index(page)
        return page

    def rank(self, page: int) -> int:
        """By what the policy chooses; the smallest goes."""
        raise NotImplementedError

    def tie(self, page: int) -> int:
        """By what is chosen among equals."""
        match self.options["tie"]:
            case "newest":
                return -self.loaded[page]
            case "used":
                return self.used[page]
            case "page":
                return self.string.names[page]
            case "frame":
                return self.here.index(page)
            case _:
                return self.loaded[page]

    def count(self) -> None:
        """One reference has been made; it may be time for a tick."""
        every = {"each": 1, "never": 0}.get(self.options.get("tick", "never"), self.frames)
        if every and not (self.at + 1) % every:
            self.tick()

    def tick(self) -> None:
        """Take all bits back, and shift them into the counters."""
        for page in self.here:
            self.counters[page] = self.counters[page] >> 1 | self.referenced[page] << 7
            self.referenced[page] = 0


class VariedOpt(Varied):
    """The page whose next use is farthest."""

    def begin(self) -> None:
        """What comes is known."""
        super().begin()
        self.next_uses = self.string.next_uses()

    def rank(self, page: int) -> int:
        """The later the better."""
        return -self.next_uses[self.used[page]]


class VariedNru(Varied):
    """A page of the lowest class."""

    def rank(self, page: int) -> int:
        """Two bits, and which of them weighs more."""
        referenced, modified = self.referenced[page], self.modified[page]
        if self.options["class"] == "modified":
            return 2 * modified + referenced
        return 2 * referenced + modified


class VariedAging(Varied):
    """The page with the smallest counter."""

    def rank(self, page: int) -> int:
        """The counter."""
        return self.counters[page]


VARIED: Final[Mapping[str, Callable[[ReferenceString, int, int, Mapping[str, str]], Policy]]] = {
    "clock": VariedClock,
    "opt": VariedOpt,
    "nru": VariedNru,
    "aging": VariedAging,
}
