"""Numbers of a session's machine after each of its rows, for drawing them over time.

The rows are replayed once, chunk by chunk, and what was sampled stays in memory: of the sessions that were
asked for last, so much as `MOST_BYTES` allow. A chunk that is not there any more is made again.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from app.collector import gc_paused
from app.errors import BadArgument
from app.machine import series
from app.machine.series import Names, Sample, Series
from app.sessions import blocklists, lineage
from app.sessions.errors import Conflict
from app.sessions.lineage import Stretch
from app.sessions.live import Diverged
from app.sessions.past_machines import PastMachines
from app.sessions.scheduler import go_on
from app.store import Connection, journal
from app.store.journal import Row
from app.store.sessions import SessionRow

CHUNK: Final = 4_096  # rows that are sampled and kept together; a power of two, as all widths are
GRAIN: Final = 32  # rows whose least and greatest are kept beside them
MOST_BYTES: Final = 64 << 20
VALUE_BYTES: Final = 4
MOST_NAMES: Final = 32
MOST_POINTS: Final = 1_000

# A number after each row of a chunk; a single one where it never changes.
Column = int | Sequence[int]


class Bucket(NamedTuple):
    """What a number was over some rows."""

    low: int
    high: int
    last: int


@dataclass(slots=True)
class Chunk:
    """The numbers after some rows of a session; nothing of it changes once it is made."""

    # The seq of its first row.
    first: int
    rows: int
    zones: tuple[str, ...]
    # In the order of samples.
    columns: Sequence[Column]
    # Those of indices, which are only made when they are asked for.
    made: dict[Series, Column] = field(default_factory=dict)
    # The least and the greatest of each `GRAIN` rows of a column.
    grains: dict[Series, tuple[Sequence[int], Sequence[int]]] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The seq behind its last row."""
        return self.first + self.rows

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        arrays = [*self.columns, *self.made.values()]
        dense = sum(1 for column in arrays if not isinstance(column, int))
        grains = sum(len(low) for low, _ in list(self.grains.values()))
        return VALUE_BYTES * (dense * self.rows + 2 * grains) + 100 * len(arrays)

    def sample(self, seq: int) -> Sample:
        """All numbers after one row."""
        return tuple(value_of(column, seq - self.first) for column in self.columns)

    def column(self, wanted: Series) -> Column:
        """One number after each row."""
        if wanted.index_of is None:
            return self.columns[wanted.place]
        found = self.made.get(wanted)
        if found is None:
            found = self.made[wanted] = indices(self, wanted)
        return found

    def buckets(self, wanted: Series, cuts: Sequence[tuple[int, int]]) -> list[Bucket]:
        """What a number was over each stretch of rows, given by its first seq and the seq behind it."""
        column = self.column(wanted)
        if isinstance(column, int):
            return [Bucket(column, column, column)] * len(cuts)
        lows, highs = self.grains_of(wanted, column)
        start = self.first
        found = []
        for first, end in cuts:
            low, high = first - start, end - start
            last = column[high - 1]
            if high - low == 1:
                found.append(Bucket(last, last, last))
            elif low % GRAIN or high % GRAIN:
                values = column[low:high]
                found.append(Bucket(min(values), max(values), last))
            else:
                low, high = low // GRAIN, high // GRAIN
                found.append(Bucket(min(lows[low:high]), max(highs[low:high]), last))
        return found

    def grains_of(self, wanted: Series, column: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """The least and the greatest of each `GRAIN` rows."""
        found = self.grains.get(wanted)
        if found is None:
            parts = [column[at : at + GRAIN] for at in range(0, len(column), GRAIN)]
            found = self.grains[wanted] = array("q", map(min, parts)), array("q", map(max, parts))
        return found


def value_of(column: Column, place: int) -> int:
    """One value of a column."""
    return column if isinstance(column, int) else int(column[place])


def column_of(values: Sequence[int]) -> Column:
    """The column of some values."""
    return values[0] if min(values) == max(values) else array("q" if max(values) >> 31 else "i", values)


def indices(chunk: Chunk, wanted: Series) -> Column:
    """An index after each row. Where the free lists stand still it is not computed again."""
    assert wanted.index_of is not None
    orders = chunk.columns[wanted.place : wanted.place + len(series.ORDERS)]
    if all(isinstance(column, int) for column in orders):
        return wanted.index_of([value_of(column, 0) for column in orders], wanted.order)
    known: dict[Sample, int] = {}
    found = []
    each = [[column] * chunk.rows if isinstance(column, int) else column for column in orders]
    for nr_free in zip(*each, strict=True):
        if nr_free not in known:
            known[nr_free] = wanted.index_of(nr_free, wanted.order)
        found.append(known[nr_free])
    return column_of(found)


class SeriesQuery(NamedTuple):
    """What is asked for: which numbers, over which rows, as at most how many points."""

    names: Sequence[str] | None
    first: int | None
    last: int | None
    points: int

    def rows(self, row: SessionRow) -> tuple[int, int]:
        """The first and the last row. Raises BadArgument at `from` and `to`."""
        first = row.start if self.first is None else self.first
        last = row.seq if self.last is None else self.last
        if not row.start <= first <= row.seq:
            raise BadArgument.at("from", f"a seq from {row.start} to {row.seq}")
        if not first <= last <= row.seq:
            raise BadArgument.at("to", f"a seq from {first} to {row.seq}")
        return first, last


def width_of(first: int, last: int, points: int) -> int:
    """How many rows a point stands for: a power of two, and it begins at a multiple of that.

    So points stay what they are while a session goes on.
    """
    width = 1
    while last // width - first // width >= points:
        width *= 2
    return width


class SeriesOfSessions:
    """Makes chunks, each once at a time, and keeps some. For any thread."""

    def __init__(self, past: PastMachines) -> None:
        self._past = past
        self._lock = threading.Lock()
        # The least recently used first.
        self._kept: OrderedDict[tuple[str, int], Chunk] = OrderedDict()
        # What each took when it was last used, and all together.
        self._sizes: dict[tuple[str, int], int] = {}
        self._size = 0
        self._under_way: dict[tuple[str, int], Future[None]] = {}

    def of(self, db: Connection, row: SessionRow, query: SeriesQuery) -> dict[str, Any] | Future[None]:
        """The series of a session; where another thread is making a part, what will come of that.

        Raises BadArgument, Conflict where the session cannot be followed so far, and Dropped.
        """
        first, last = query.rows(row)
        width = width_of(first, last, query.points)
        seqs: list[int] = []
        found: list[list[Bucket]] = []
        wanted: list[Series] | None = None
        for number in range(first // CHUNK, last // CHUNK + 1):
            begin = max(first, number * CHUNK)
            end = min(last + 1, (number + 1) * CHUNK)
            chunk = self._chunk(db, row, number, end)
            if isinstance(chunk, Future):
                return chunk
            if wanted is None:
                wanted = Names(chunk.zones).find(query.names, MOST_NAMES)
                found = [[] for _ in wanted]
            add(chunk, wanted, (begin, end), width, seqs, found)
            self._keep(row.id, number, chunk)
            go_on()
        assert wanted is not None
        return {
            "from": first,
            "to": last,
            "width": width,
            "seqs": seqs,
            "series": [
                {
                    "name": one.name,
                    "unit": one.unit,
                    "min": [bucket.low for bucket in buckets],
                    "max": [bucket.high for bucket in buckets],
                    "last": [bucket.last for bucket in buckets],
                }
                for one, buckets in zip(wanted, found, strict=True)
            ],
        }

    def forget(self, session_id: str) -> None:
        """Forget a session that is gone."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == session_id]:
                self._drop(key)

    # -- chunks ----------------------------------------------------------------------------------------------

    def _chunk(self, db: Connection, row: SessionRow, number: int, end: int) -> Chunk | Future[None]:
        """A chunk that goes at least up to before a seq."""
        key = row.id, number
        with self._lock:
            chunk = self._kept.get(key)
            if chunk is not None and chunk.end >= end:
                return chunk
            others = self._under_way.get(key)
            if others is not None:
                return others
            mine = self._under_way[key] = Future[None]()
        try:
            return self._made(db, row, number, chunk, end)
        finally:
            with self._lock:
                del self._under_way[key]
            mine.set_result(None)

    def _made(self, db: Connection, row: SessionRow, number: int, known: Chunk | None, end: int) -> Chunk:
        first = max(row.start, number * CHUNK) if known is None else known.end
        sampling = Sampling(self._past, db, row, first)
        try:
            sampling.go_to(min(row.seq, (number + 1) * CHUNK - 1))
        finally:  # what there is need not be made again
            made = None
            if sampling.samples:
                made = chunk_of(known, first, sampling.zones, sampling.samples)
                self._keep(row.id, number, made)
        if made is None or made.end < end:
            raise Conflict(sampling.ends)
        return made

    def _keep(self, session_id: str, number: int, chunk: Chunk) -> None:
        key, size = (session_id, number), chunk.bytes
        with self._lock:
            if key in self._kept:
                self._drop(key)
            self._kept[key] = chunk
            self._sizes[key] = size
            self._size += size
            while self._size > MOST_BYTES and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[str, int]) -> None:
        del self._kept[key]
        self._size -= self._sizes.pop(key)


def chunk_of(known: Chunk | None, first: int, zones: tuple[str, ...], samples: Sequence[Sample]) -> Chunk:
    """A chunk of some samples, behind those of another that ends where they begin."""
    columns: list[Column] = [column_of(values) for values in zip(*samples, strict=True)]
    rows = len(samples)
    if known is None:
        return Chunk(first, rows, zones, columns)
    joined = [
        one
        if isinstance(one, int) and one == other
        else column_of([*values(one, known.rows), *values(other, rows)])
        for one, other in zip(known.columns, columns, strict=True)
    ]
    return Chunk(known.first, known.rows + rows, zones, joined)


def values(column: Column, rows: int) -> Sequence[int]:
    """A column, value by value."""
    return [column] * rows if isinstance(column, int) else column


def add(
    chunk: Chunk,
    wanted: Sequence[Series],
    rows: tuple[int, int],
    width: int,
    seqs: list[int],
    found: Sequence[list[Bucket]],
) -> None:
    """Add what a chunk has of some rows; the first point may go on from another chunk.

    rows: the first, and the one behind the last.
    """
    begin, end = rows
    starts = [begin, *range((begin // width + 1) * width, end, width)]
    cuts = list(zip(starts, [*starts[1:], end], strict=True))
    goes_on = bool(seqs) and seqs[-1] // width == begin // width
    seqs += starts[1:] if goes_on else starts
    for one, buckets in zip(wanted, found, strict=True):
        first, *others = chunk.buckets(one, cuts)
        if goes_on:
            before = buckets.pop()
            first = Bucket(min(before.low, first.low), max(before.high, first.high), first.last)
        buckets.append(first)
        buckets.extend(others)


class Sampling:
    """Replays rows and samples the machine after each. samples: of the rows from `first` on.

    ends: why the session cannot be followed further, where it cannot.
    """

    def __init__(self, past: PastMachines, db: Connection, row: SessionRow, first: int) -> None:
        self.first = first
        self.samples: list[Sample] = []
        self.zones: tuple[str, ...] = ()
        self.ends = ""
        self._past = past
        self._db = db
        self._row = row

    def go_to(self, last: int) -> None:
        """Sample the rows up to a seq, or as far as the session can be followed."""
        for begin, end, effective in self._stretches(last):
            known = effective - self.first
            if begin == end and 0 <= known < len(self.samples):
                self._take(self.samples[known])  # nothing was done there before the next rewind
            else:
                self._follow(begin, end)
            if self.ends:
                return

    def _stretches(self, last: int) -> Iterator[tuple[int, int, int]]:
        """First and last row of each run of rows without a rewind within, and whose state the first has."""
        back = journal.rewinds_before(self._db, self._row.id, last, CHUNK)
        rewinds = [(seq, effective) for seq, effective in reversed(back) if seq > self.first]
        starts = [(self.first, self.first), *rewinds]
        ends = [seq - 1 for seq, _ in rewinds] + [last]
        for (begin, effective), end in zip(starts, ends, strict=True):
            yield begin, end, effective

    def _follow(self, begin: int, end: int) -> None:
        with self._past.machine(self._db, self._row.id, begin) as live:
            if live.diverged is not None:
                self.ends = live.diverged
                return
            machine = live.machine
            self.zones = series.zones(machine)
            self._take(series.sample(machine))
            rows = lineage.rows(self._db, self._row.id, [Stretch(begin, end)])
            lists = blocklists.in_transaction(self._db, self._row.id)
            try:
                with gc_paused():
                    live.replay(self._watched(rows, lambda: series.sample(machine)), lists)
            except Diverged as found:
                self.ends = str(found)

    def _watched(self, rows: Iterable[Row], sample: Callable[[], Sample]) -> Iterator[Row]:
        """The rows, with a sample after each: when the next one is asked for, the last has been made."""
        for row in rows:
            yield row
            self._take(sample())

    def _take(self, sample: Sample) -> None:
        """Keep a sample; of equal ones in a row there is one."""
        self.samples.append(self.samples[-1] if self.samples and self.samples[-1] == sample else sample)
