"""The policies of the textbooks: which page goes when another needs its frame.

A policy is told of each reference: of a hit, or that its page was loaded. Pages are numbers. Where it is
asked for a victim all frames are taken. None of them takes longer the more frames there are, but for what it
does at a tick of the clock, which comes as often as there are frames.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from heapq import heapify, heappop, heappush

from app.machine.replacement.strings import ReferenceString


class Policy:
    """What `simulate.run` asks. at: the place of the reference that is made; load_bit: see CONVENTIONS."""

    def __init__(self, string: ReferenceString, frames: int, load_bit: int) -> None:
        self.string = string
        self.frames = frames
        self.load_bit = load_bit
        self.at = 0
        self.begin()

    def begin(self) -> None:
        """Nothing is in any frame."""
        raise NotImplementedError

    def hit(self, page: int) -> None:
        """The page is there and is used."""
        raise NotImplementedError

    def load(self, page: int) -> None:
        """The page has come to a frame, and is used."""
        raise NotImplementedError

    def victim(self) -> int:
        """The page whose frame is needed; it is gone then."""
        raise NotImplementedError


class Fifo(Policy):
    """The page that came first goes first, however much it is used."""

    def begin(self) -> None:
        """Nothing is in any frame."""
        self.queue: deque[int] = deque()

    def hit(self, page: int) -> None:
        """Nothing is noted."""

    def load(self, page: int) -> None:
        """To the end of the queue."""
        self.queue.append(page)

    def victim(self) -> int:
        """The oldest."""
        return self.queue.popleft()


class Lru(Policy):
    """The page that was not used for longest goes."""

    def begin(self) -> None:
        """Nothing is in any frame."""
        self.stack: OrderedDict[int, None] = OrderedDict()

    def hit(self, page: int) -> None:
        """To the top of the stack."""
        self.stack.move_to_end(page)

    def load(self, page: int) -> None:
        """To the top of the stack."""
        self.stack[page] = None

    def victim(self) -> int:
        """From the bottom."""
        return self.stack.popitem(last=False)[0]


class Clock(Policy):
    """Second chance: a hand goes round the frames, takes back bits that are set, stops where none is.

    The hand stands at frame 0 at first, and behind the replaced frame afterwards.
    """

    def begin(self) -> None:
        """Nothing is in any frame."""
        self.pages: list[int] = []
        self.bits = bytearray()
        self.frame_of: dict[int, int] = {}
        self.hand = 0
        self.empty: int | None = None

    def hit(self, page: int) -> None:
        """The processor sets the bit."""
        self.bits[self.frame_of[page]] = 1

    def load(self, page: int) -> None:
        """Into the frame that was emptied, or the next one that nobody had."""
        if self.empty is None:
            self.frame_of[page] = len(self.pages)
            self.pages.append(page)
            self.bits.append(self.load_bit)
            return
        self.pages[self.empty] = page
        self.bits[self.empty] = self.load_bit
        self.frame_of[page] = self.empty

    def victim(self) -> int:
        """Where the hand finds no bit."""
        hand, bits, last = self.hand, self.bits, self.frames - 1
        while bits[hand]:
            bits[hand] = 0
            hand = 0 if hand == last else hand + 1
        self.empty = hand
        self.hand = 0 if hand == last else hand + 1
        page = self.pages[hand]
        del self.frame_of[page]
        return page


class Opt(Policy):
    """The page that is used again last goes: nobody can know, but nobody can do better.

    Of those that are never used again the one that came first goes.
    """

    def begin(self) -> None:
        """Nothing is in any frame."""
        self.next_uses = self.string.next_uses()
        self.next_of: dict[int, int] = {}
        self.loaded: dict[int, int] = {}
        # Entries that are not true any more are passed over when they come up.
        self.heap: list[tuple[int, int, int]] = []

    def hit(self, page: int) -> None:
        """It is used again later than was thought."""
        use = self.next_of[page] = self.next_uses[self.at]
        heappush(self.heap, (-use, self.loaded[page], page))

    def load(self, page: int) -> None:
        """It is used again some time."""
        self.loaded[page] = self.at
        self.hit(page)

    def victim(self) -> int:
        """The one whose next use is farthest."""
        while True:
            use, loaded, page = heappop(self.heap)
            if self.next_of.get(page) == -use and self.loaded[page] == loaded:
                del self.next_of[page], self.loaded[page]
                return page


class Ticking(Policy):
    """What policies have in common that look at bits at each tick: one every `frames` references."""

    def begin(self) -> None:
        """Nothing is in any frame."""
        self.writes = self.string.writes
        self.left = self.frames
        # By page: its referenced bit, and when it was loaded, in the order of that.
        self.referenced: dict[int, int] = {}
        self.loaded: dict[int, int] = {}

    def count(self) -> None:
        """One reference has been made."""
        self.left -= 1
        if not self.left:
            self.left = self.frames
            self.tick()

    def tick(self) -> None:
        """Look at all bits, and take them back."""
        raise NotImplementedError


class Nru(Ticking):
    """Not recently used: a page of the lowest class goes, of 2 · referenced + modified.

    The referenced bit is taken back at each tick. Of a class the page that came first goes.
    """

    def begin(self) -> None:
        """Nothing is in any frame."""
        super().begin()
        self.modified: dict[int, int] = {}
        self.classes: list[list[tuple[int, int]]] = [[], [], [], []]

    def class_of(self, page: int) -> int:
        """0 to 3."""
        return 2 * self.referenced[page] + self.modified[page]

    def note(self, page: int, before: int) -> None:
        """It may have come to another class."""
        now = self.class_of(page)
        if now != before:
            heappush(self.classes[now], (self.loaded[page], page))

    def hit(self, page: int) -> None:
        """The processor sets its bits."""
        before = self.class_of(page)
        self.referenced[page] = 1
        self.modified[page] |= self.writes[self.at]
        self.note(page, before)
        self.count()

    def load(self, page: int) -> None:
        """A page that is written at once is modified at once."""
        self.loaded[page] = self.at
        self.referenced[page], self.modified[page] = self.load_bit, self.writes[self.at]
        self.note(page, -1)
        self.count()

    def tick(self) -> None:
        """Nobody has been referenced since."""
        self.referenced = dict.fromkeys(self.referenced, 0)
        self.classes = [[], [], [], []]
        for page, at in self.loaded.items():
            self.classes[self.modified[page]].append((at, page))

    def victim(self) -> int:
        """The first of the lowest class that has any."""
        for number, heap in enumerate(self.classes):
            while heap:
                at, page = heappop(heap)
                if self.loaded.get(page) == at and self.class_of(page) == number:
                    del self.loaded[page], self.referenced[page], self.modified[page]
                    return page
        raise AssertionError("every page is in the heap of its class")


class Aging(Ticking):
    """A counter of 8 bits for each page takes in its referenced bit from the left; the smallest goes.

    At a tick the counters are shifted to the right. Of equal ones the page that came first goes.
    """

    def begin(self) -> None:
        """Nothing is in any frame."""
        super().begin()
        self.counters: dict[int, int] = {}
        self.heap: list[tuple[int, int, int]] = []

    def hit(self, page: int) -> None:
        """The processor sets the bit; the counter learns of it at the tick."""
        self.referenced[page] = 1
        self.count()

    def load(self, page: int) -> None:
        """A new page is as if it had been used just before the last tick, or not."""
        self.loaded[page] = self.at
        self.referenced[page] = self.load_bit
        self.counters[page] = self.load_bit << 7
        heappush(self.heap, (self.counters[page], self.at, page))
        self.count()

    def tick(self) -> None:
        """Shift all counters."""
        referenced = self.referenced
        self.counters = {
            page: counter >> 1 | referenced[page] << 7 for page, counter in self.counters.items()
        }
        self.referenced = dict.fromkeys(referenced, 0)
        self.heap = [(counter, self.loaded[page], page) for page, counter in self.counters.items()]
        heapify(self.heap)

    def victim(self) -> int:
        """The smallest counter."""
        while True:
            counter, at, page = heappop(self.heap)
            if self.loaded.get(page) == at and self.counters[page] == counter:
                del self.loaded[page], self.referenced[page], self.counters[page]
                return page
