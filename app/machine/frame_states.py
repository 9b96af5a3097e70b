"""What state each frame is in, for those who draw it.

Built from the machine's tables when a map is asked for the first time; from then on a machine's calls tell
what became of which frames, and only that is painted anew. Who never asks for a map pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from app.mm import page_ref
from app.mm.mmzone import MAX_ORDER, MAX_ORDER_NR_PAGES, PINDEX_ORDER, Zone
from app.mm.page import STATES, PG_locked

if TYPE_CHECKING:
    from app.machine.changes import Mention
    from app.machine.machine import Machine

STATE_INDEX: Final = {state: index for index, state in enumerate(STATES)}
FREE: Final = STATE_INDEX["free"]
PCP: Final = STATE_INDEX["pcp"]
RESERVED: Final = STATE_INDEX["reserved"]
LOCKED: Final = STATE_INDEX["locked"]

# Frames are kept in strips as long as the largest block, so that no block lies in two of them.
STRIP_SHIFT: Final = MAX_ORDER - 1
STRIP: Final = MAX_ORDER_NR_PAGES
# Strips in which all frames are alike are one object for each state.
UNIFORM: Final = tuple(bytes([state]) * STRIP for state in range(len(STATES)))
UNIFORM_COUNTS: Final = tuple(
    tuple(STRIP * (state == other) for other in range(len(STATES))) for state in range(len(STATES))
)
FILL_OF_STATE: Final = bytes(0 if state == FREE else 255 for state in range(256))
# Being told costs little, but is not for ever: with more news than this it is cheaper to look again.
MAX_NEWS: Final = 5_000
# Cells that a census of a zone adds up, at most.
CENSUS: Final = 1_300

# How many frames are in each state, as `STATES` counts them.
Counts = tuple[int, ...]


class FrameStates:
    """The states of all frames of a machine, and of cells of 2^shift frames.

    strips: by number, the state of each of its frames. A strip that is not there is free where `untouched`
    says so, else reserved. counts: how many frames of a strip are in each state. news: what calls have
    mentioned since the last look. levels: cells that have been asked for, by shift.
    """

    __slots__ = ("counts", "end", "levels", "news", "strips", "untouched")

    def __init__(self, m: Machine) -> None:
        self.end = -(-max(zone.end_pfn for zone in m.zones) >> STRIP_SHIFT)
        self.untouched = [
            range(zone.untouched[0] >> STRIP_SHIFT, zone.untouched[1] >> STRIP_SHIFT) for zone in m.zones
        ]
        self.strips: dict[int, bytes | bytearray] = {}
        self.counts: dict[int, Counts] = {}
        self.levels: dict[int, Level] = {}
        self.news: list[Mention] = []
        self.count_again(self.paint(runs(m)))

    def follow(self, mentions: list[Mention]) -> bool:
        """Take note of what a call has changed. False: too much has happened, so look at it all again."""
        self.news += mentions
        return len(self.news) <= MAX_NEWS

    def catch_up(self) -> None:
        """Paint what has happened since the last look."""
        if self.news:
            index = STATE_INDEX
            self.count_again(self.paint((pfn, frames, index[state]) for pfn, frames, state in self.news))
            self.news = []

    # -- strips ------------------------------------------------------------------------------------

    def strip(self, number: int) -> bytes | bytearray:
        """The states of a strip's frames."""
        strip = self.strips.get(number)
        return UNIFORM[self.at_first(number)] if strip is None else strip

    def at_first(self, number: int) -> int:
        """The state of all frames of a strip that nothing has been heard of."""
        return FREE if any(number in free for free in self.untouched) else RESERVED

    def counts_of(self, number: int) -> Counts:
        """How many frames of a strip are in each state."""
        return self.counts.get(number) or UNIFORM_COUNTS[self.at_first(number)]

    def paint(self, stretches: Iterable[tuple[int, int, int]]) -> dict[int, None]:
        """Set the state of stretches of frames, (first, frames, state); returns which strips they touch."""
        strips = self.strips
        touched: dict[int, None] = {}
        for pfn, frames, state in stretches:
            number, place = pfn >> STRIP_SHIFT, pfn & STRIP - 1
            if place + frames > STRIP:
                touched |= self.paint(pieces(pfn, frames, state))
                continue
            touched[number] = None
            if frames == STRIP:
                strips[number] = UNIFORM[state]
                continue
            strip = strips.get(number)
            if not isinstance(strip, bytearray):
                strip = strips[number] = bytearray(self.strip(number))
            if frames == 1:
                strip[place] = state
            else:
                strip[place : place + frames] = UNIFORM[state][:frames]
        return touched

    def count_again(self, numbers: Iterable[int]) -> None:
        """Bring the counts of strips that were painted up to date, and the cells that they are part of."""
        states = range(len(STATES))
        for number in numbers:
            strip = self.strips[number]
            before = self.counts_of(number)
            if isinstance(strip, bytes):
                counts: Counts = UNIFORM_COUNTS[strip[0]]
            else:
                counts = tuple(map(strip.count, states))
                if counts[strip[0]] == STRIP:
                    self.strips[number] = UNIFORM[strip[0]]
            self.counts[number] = counts
            if counts != before:
                for level in self.levels.values():
                    level.change(number, before, counts)

    # -- cells -------------------------------------------------------------------------------------

    def cells(self, start: int, shift: int, count: int) -> tuple[bytearray, bytearray]:
        """(dominant state, part that is not free) of cells of 2^shift frames from frame `start`, aligned."""
        self.catch_up()
        if shift < STRIP_SHIFT:
            return self.small_cells(start, 1 << shift, start + (count << shift))
        level = self.level(shift)
        first = start >> shift
        return level.dominant[first : first + count], level.fill[first : first + count]

    def level(self, shift: int) -> Level:
        """The cells of 2^shift frames, which are added up when they are first asked for."""
        if shift not in self.levels:
            self.levels[shift] = Level(self, shift)
        return self.levels[shift]

    def small_cells(self, start: int, size: int, end: int) -> tuple[bytearray, bytearray]:
        """Cells that are parts of strips."""
        dominant, fill = bytearray(), bytearray()
        for number in range(start >> STRIP_SHIFT, -(-end >> STRIP_SHIFT)):
            at = number << STRIP_SHIFT
            strip = self.strip(number)[max(start - at, 0) : end - at]
            if isinstance(strip, bytes) or size == 1:
                cells = strip[::size]
                dominant += cells
                fill += cells.translate(FILL_OF_STATE)
                continue
            for place in range(0, len(strip), size):
                cell = strip[place : place + size]
                state = cell[0]
                if cell.count(state) == size:
                    dominant.append(state)
                    fill.append(FILL_OF_STATE[state])
                else:
                    dominant.append(most(tuple(map(cell.count, range(len(STATES))))))
                    fill.append((size - cell.count(FREE)) * 255 // size)
        return dominant, fill

    def census(self, first: int, end: int) -> list[int]:
        """The same as `count`, of a stretch of any length: a long one is added up in few large cells."""
        self.catch_up()
        shift = STRIP_SHIFT
        while end - first >> shift > CENSUS:
            shift += 1
        low, high = -(-first >> shift), end >> shift
        if shift == STRIP_SHIFT or low >= high:
            return self.count(first, end)
        level = self.level(shift)
        total = added(self.count(first, low << shift), self.count(high << shift, end))
        for cell in range(low, high):
            total = added(total, level.counted(cell))
        return total

    def count(self, first: int, end: int) -> list[int]:
        """How many frames of a stretch are in each state. Where no memory is, all is reserved."""
        low, high = -(-first >> STRIP_SHIFT), end >> STRIP_SHIFT
        if low > high:
            return self.count_in(low - 1, first, end)
        total = [0] * len(STATES)
        free = sum(len(within(free, low, high)) for free in self.untouched) * STRIP
        total[FREE], total[RESERVED] = free, (high - low) * STRIP - free
        for number in self.counts if len(self.counts) < high - low else range(low, high):
            if low <= number < high and number in self.counts:
                total[self.at_first(number)] -= STRIP
                total = added(total, self.counts[number])
        total = added(total, self.count_in(low - 1, first, low << STRIP_SHIFT))
        return added(total, self.count_in(high, high << STRIP_SHIFT, end))

    def count_in(self, number: int, first: int, end: int) -> list[int]:
        """The same of a part of one strip."""
        if first >= end:
            return [0] * len(STATES)
        at = number << STRIP_SHIFT
        strip = self.strip(number)[first - at : end - at]
        return [strip.count(state) for state in range(len(STATES))]


class Level:
    """All cells of one size, each of one or more strips.

    counts: of the cells in which anything has been painted, and of those that are only partly untouched.
    """

    __slots__ = ("counts", "dominant", "fill", "shift", "size")

    def __init__(self, states: FrameStates, shift: int) -> None:
        self.shift = shift - STRIP_SHIFT
        self.size = 1 << shift
        cells = -(-states.end >> self.shift)
        self.dominant = bytearray([RESERVED]) * cells
        self.fill = bytearray([255]) * cells
        self.counts: dict[int, list[int]] = {}
        for free in states.untouched:
            self.leave_free(free)
        for number, counts in states.counts.items():
            self.add(number, UNIFORM_COUNTS[states.at_first(number)], counts)
        for cell in self.counts:
            self.settle(cell)

    def leave_free(self, free: range) -> None:
        """Begin with the strips that nothing has ever asked for: cells of nothing else need no counting."""
        low, high = -(-free.start >> self.shift), free.stop >> self.shift
        if low < high:
            self.dominant[low:high] = bytes([FREE]) * (high - low)
            self.fill[low:high] = bytes(high - low)
        for cell in dict.fromkeys((free.start >> self.shift, free.stop >> self.shift)):
            strips = len(within(free, cell << self.shift, cell + 1 << self.shift))
            if 0 < strips < 1 << self.shift:
                counts = self.counts_of(cell)
                counts[RESERVED] -= strips * STRIP
                counts[FREE] += strips * STRIP

    def counts_of(self, cell: int) -> list[int]:
        """The counts of a cell, to be changed; one that has none yet is all alike."""
        counts = self.counts.get(cell)
        if counts is None:
            counts = self.counts[cell] = [0] * len(STATES)
            counts[self.dominant[cell]] = self.size
        return counts

    def counted(self, cell: int) -> list[int]:
        """The counts of a cell, to be read."""
        counts = self.counts.get(cell)
        if counts is None:
            counts = [0] * len(STATES)
            counts[self.dominant[cell]] = self.size
        return counts

    def change(self, number: int, before: Counts, after: Counts) -> None:
        """Follow a strip whose counts have changed."""
        self.settle(self.add(number, before, after))

    def add(self, number: int, before: Counts, after: Counts) -> int:
        """Change the counts of the cell that a strip is part of; returns which."""
        cell = number >> self.shift
        counts = self.counts_of(cell)
        self.counts[cell] = [now + more - less for now, more, less in zip(counts, after, before, strict=True)]
        return cell

    def settle(self, cell: int) -> None:
        """Work out what a cell shows."""
        counts = self.counts[cell]
        self.dominant[cell] = most(counts)
        self.fill[cell] = (self.size - counts[FREE]) * 255 // self.size


def most(counts: Counts | list[int]) -> int:
    """The state that most frames are in; of equals, the last."""
    return max(zip(counts, range(len(STATES)), strict=True))[1]


def added(counts: list[int], others: Counts | list[int]) -> list[int]:
    """The sums, state by state."""
    return [ours + theirs for ours, theirs in zip(counts, others, strict=True)]


def within(numbers: range, low: int, high: int) -> range:
    """The part of a range that is in another."""
    return range(max(numbers.start, low), min(numbers.stop, high))


def pieces(pfn: int, frames: int, state: int) -> Iterator[tuple[int, int, int]]:
    """A stretch, cut where strips end."""
    end = pfn + frames
    while pfn < end:
        after = min(end, (pfn >> STRIP_SHIFT) + 1 << STRIP_SHIFT)
        yield pfn, after - pfn, state
        pfn = after


# -- reading a machine -----------------------------------------------------------------------------


def runs(m: Machine) -> Iterator[tuple[int, int, int]]:
    """(first frame, frames, state) of everything that is neither reserved nor untouched.

    A lock shows over what it is on, so what is locked comes last.
    """
    for zone in m.zones:
        yield from free_runs(zone)
    for pfn, page in m.pages.items():
        yield pfn, 1 << page.order, LOCKED if page.flags & PG_locked else STATE_INDEX[page.state]
    for pfn, order in page_ref.user_frames(m):
        locked = page_ref.page_flags(m, pfn) & PG_locked
        yield pfn, 1 << order, LOCKED if locked else STATE_INDEX[page_ref.user_state(m, pfn)]
    for pfn, stray in m.stray.items():
        if stray.flags & PG_locked:
            yield pfn, 1, LOCKED


def free_runs(zone: Zone) -> Iterator[tuple[int, int, int]]:
    """What is on the zone's lists."""
    for pfn, code in zone.buddy.items():
        yield pfn, 1 << (code >> 3), FREE
    for pcp in zone.pcp:
        for index, pages in enumerate(pcp.lists):
            frames = 1 << PINDEX_ORDER[index]
            for pfn in pages:
                yield pfn, frames, PCP
