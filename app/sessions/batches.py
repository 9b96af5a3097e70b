"""Running a batch: all calls are read first, then made one by one. The writer writes their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final, NoReturn

from app.errors import BadArgument, Faults, MachinePanicked, TaskBlocked
from app.machine.calls import NAME, Call, Named, Word
from app.machine.entry import CALLS
from app.sessions import bounds, call_cost
from app.sessions.access import Principal
from app.sessions.answers import Applied, BatchAnswer, BatchItem
from app.sessions.errors import BatchBlocked, BatchPanicked, LimitReached
from app.sessions.everyones_names import Names
from app.sessions.live import CallResult, Live
from app.store.journal import Row
from app.store.lists import RowList
from app.store.states import State

# States that are kept of one batch at most.
MOST_STATES: Final = 8


class RunningBatch:
    """A batch that is being read and made.

    rows, lists, answers: of the calls made so far. states: some that were passed, to be kept. names: what the
    person's names mean then; named: those that this batch has set (None: set to nothing), and by which seq.
    start: the seq before the first call. heavy: whether the next call takes so long, to read or to make, that
    it is done on another thread than the writer's. stopping: set by any thread to end it after the call that
    is being made; stopped_after: how many calls it then had made. After an exception from `step` the machine
    must not be used again where its seq has moved.
    """

    def __init__(
        self,
        live: Live,
        items: Sequence[BatchItem],
        principal: Principal,
        most_names: int,
        *,
        counters: bool = False,
    ) -> None:
        self.live = live
        self.items = items
        self.principal = principal
        self.most_names = most_names
        self.counters = counters
        self.start = live.seq
        self.heavy = False
        self.stopping = False
        self.stopped_after: int | None = None
        self.names: Names = dict(live.names.of(principal))
        self.named: dict[str, tuple[Named | None, int]] = {}
        self.rows: list[Row] = []
        self.lists: list[RowList] = []
        self.states: list[tuple[int, State]] = []
        self.answers: list[Applied] = []
        # The person's names, those that this batch gives among them; and what its calls may name.
        self._own: dict[str, Any] = dict.fromkeys(self.names)
        self._known = live.names.beside(self._own, principal)
        self._meant = live.names.beside(self.names, principal)
        self._calls: list[Call] = []
        # Calls read before, and what each asks for, by what was sent.
        self._read_before: dict[tuple[Any, ...], tuple[Call, int]] = {}
        self._faults = Faults()
        self._read = 0
        self._asked = 0
        # How many blocks the next call to be made asks for, as its names are now.
        self._asks = 0
        self._work = 0
        self._bytes = 0

    @property
    def done(self) -> bool:
        """Whether every call has been made, or no more is to be."""
        return self.stopped_after is not None or self._read == len(self.items) == len(self.rows)

    @property
    def made(self) -> BatchAnswer:
        """The answers."""
        return BatchAnswer(self.answers, self.live.seq, self.stopped_after)

    @property
    def rounds(self) -> tuple[str | None, int, int]:
        """How many calls have been made, of how many; of a single one, that is a loop, its rounds."""
        machine = self.live.machine
        if len(self.items) == 1 and machine.stopped is not None:
            return self.items[0].call, *machine.looping
        return None, len(self.rows), len(self.items)

    def stop_here(self) -> bool:
        """End it where it was told to stop; never before all calls are read, since one may be a mistake."""
        if self.stopping and self._read == len(self.items) > len(self.rows):
            self.stopped_after = len(self.rows)
        return self.stopped_after is not None

    def step(self, most: int, until: float) -> None:
        """Read, or when all is read make, so many more calls, but none that is heavy.

        until: by `time.perf_counter`; one call at least is read or made. Raises BadArgument with every field
        at fault in any call, BatchBlocked, BatchPanicked, LimitReached and Conflict.
        """
        size = len(self.items)
        for _ in range(most):
            if self.stopping and self.stop_here():
                return
            if self._read < size:
                self.heavy = bounds.is_long(self.items[self._read].body)
                if not self.heavy:
                    self._read_next()
            elif len(self.rows) < size:
                call, live = self._calls[len(self.rows)], self.live
                self._asks = asked = call_cost.asked(call, self._meant)
                self.heavy = call_cost.heavy(call, self._meant, live.machine, live.slow, asked)
                if not self.heavy:
                    self._make_next()
            if self.heavy or len(self.rows) == size or perf_counter() > until:
                return

    def step_heavy(self) -> None:
        """Read or make the next call, which is heavy. Raises as `step` does."""
        self.heavy = False
        if self._read < len(self.items):
            self._read_next()
        else:
            with can_be_stopped(self):
                self._make_next()
            snapshot_if_due(self)

    def _read_next(self) -> None:
        place = self._read
        name, body, as_name = self.items[place]
        self._read += 1
        if name not in CALLS:
            words = f"no such call: {name[:40]!r}"
            self._faults.add(("calls", place, "call"), words, name, CALLS)
        else:
            try:
                call, asked = self._parsed(name, body)
            except BadArgument as error:
                self._faults.extend(error.under("calls", place))
            else:
                self._calls.append(call)
                # As far as that can be seen from the batch alone.
                self._asked += asked
                if self._asked > bounds.BATCH_WORK:
                    self._asks_too_much(place)
        if as_name is not None:
            self._name(place, as_name)
        if self._read == len(self.items):
            self._faults.check()

    def _asks_too_much(self, place: int) -> NoReturn:
        raise BadArgument.at(
            ("calls", place),
            f"the calls of one batch may ask for {bounds.BATCH_WORK} blocks or mapped pages; with this "
            f"one it is {self._asked}",
        )

    def _parsed(self, name: str, body: Mapping[str, Any]) -> tuple[Call, int]:
        """Parse an item: its call, which items that are the same share, and how many blocks it asks for."""
        # With the types, since 1 is True to a dict, but not to a kernel.
        types = tuple(map(type, body.values()))
        if Word in types:  # which may have become a name meanwhile
            return self._parse(name, body)
        like = name, tuple(body.items()), types
        try:
            found = self._read_before.get(like)
        except TypeError:  # a list or an object among the arguments
            return self._parse(name, body)
        if found is None:
            found = self._read_before[like] = self._parse(name, body)
        return found

    def _parse(self, name: str, body: Mapping[str, Any]) -> tuple[Call, int]:
        call = self.live.parse(name, body, self._known)
        return call, call_cost.asked(call, self._meant)

    def _name(self, place: int, name: str) -> None:
        if not NAME.fullmatch(name):
            self._faults.add(
                ("calls", place, "as"), "a name is a letter or _, then up to 31 letters, digits, _"
            )
        self._own[name] = None
        if len(self._own) > self.most_names:
            raise LimitReached(
                ("calls", place, "as"), f"a person has at most {self.most_names} names in a session"
            )

    def _make_next(self) -> None:
        place = len(self.rows)
        call, asked = self._calls[place], self._asks
        self._touch(place, asked)
        try:
            change = self.live.apply(call, self._meant, self.principal.by)
        except BadArgument as error:
            raise error.under("calls", place) from error
        except TaskBlocked as error:
            raise BatchBlocked(error, ("calls", place)) from error
        except MachinePanicked as error:
            within = any(row.seq == error.seq for row in self.rows)
            raise BatchPanicked(error, ("calls", place), within=within) from error
        except LimitReached as error:
            raise LimitReached((), f"calls.{place}: {error}") from error
        made = change.made.call
        if made.list_of is not None:  # only now it is known how long the list is
            self._touch(place, max(0, (made.count or 0) - asked))
        self._take(place, change)

    def _touch(self, place: int, blocks: int) -> None:
        """Add what a call touches, where that depends on earlier ones."""
        self._work += blocks
        if self._work > bounds.BATCH_WORK:
            raise LimitReached(
                (),
                f"calls.{place}: the calls of one batch may touch {bounds.BATCH_WORK} blocks or mapped pages",
            )

    def _take(self, place: int, change: CallResult) -> None:
        """Put a call that was made with the others."""
        row, applied = change.row, change.applied
        self.rows.append(row)
        self._bytes += len(applied.body)
        if change.stored is not None:
            self.lists.append(RowList(self.live.id, row.seq, change.stored))
            self._bytes += len(change.stored.body)
        if self._bytes > bounds.BATCH_BYTES:
            raise LimitReached(
                (), f"calls.{place}: the outcomes of one batch take at most {bounds.BATCH_BYTES} bytes"
            )
        if self.counters:
            applied = applied.with_("counters", self.live.machine.counters())
        self.answers.append(applied)
        name = self.items[place].as_name
        if name is not None:
            self._bind(name, change.named, row.seq)

    def _bind(self, name: str, named: Named | None, seq: int) -> None:
        self.named[name] = named, seq
        if named is None:
            self.names.pop(name, None)
        else:
            self.names[name] = named


class RunningCall:
    """A heavy call that is being read and made; the writer treats it as a batch of one.

    call: None for one whose arguments are still to be read. stopping: set by any thread to end its loop.
    """

    heavy = True

    def __init__(
        self, live: Live, item: BatchItem, principal: Principal, call: Call | None = None, *, counters: bool
    ) -> None:
        self.live = live
        self.item = item
        self.call = call
        self.principal = principal
        self.counters = counters
        self.start = live.seq
        self.stopping = False
        self.names = live.names.of(principal)
        self._meant = live.names.known_to(principal)
        self.named: dict[str, tuple[Named | None, int]] = {}
        self.rows: list[Row] = []
        self.lists: list[RowList] = []
        self.states: list[tuple[int, State]] = []
        self.answers: list[Applied] = []

    @property
    def done(self) -> bool:
        """Whether it has been made."""
        return bool(self.rows)

    @property
    def made(self) -> BatchAnswer:
        """The answer."""
        return BatchAnswer(self.answers, self.live.seq, None)

    @property
    def rounds(self) -> tuple[str | None, int, int]:
        """The call, and how many rounds of how many its loop has made."""
        return self.item.call, *self.live.machine.looping

    def step(self, _most: int, _until: float) -> None:
        """Do nothing: the only call is the heavy one."""

    def step_heavy(self) -> None:
        """Make it. Raises as `Live.parse` and `Live.apply` do."""
        call = self.call or self.live.parse(self.item.call, self.item.body, self._meant)
        with can_be_stopped(self):
            change = self.live.apply(call, self._meant, self.principal.by)
        answer = change.applied
        if self.counters:
            answer = answer.with_("counters", self.live.machine.counters())
        self.rows.append(change.row)
        if change.stored is not None:
            self.lists.append(RowList(self.live.id, change.row.seq, change.stored))
        self.answers.append(answer)
        snapshot_if_due(self)


@contextmanager
def can_be_stopped(progress: RunningBatch | RunningCall) -> Iterator[None]:
    """Let a loop of the call that is made end where its work is told to stop."""
    machine = progress.live.machine
    machine.looping = 0, 0
    machine.stopped = lambda: progress.stopping
    try:
        yield
    finally:
        machine.stopped = None


def snapshot_if_due(progress: RunningBatch | RunningCall) -> None:
    """Take the machine's state after a heavy call, on the thread that made it; of many, every other one."""
    state = progress.live.state_if_due()
    if state is not None:
        if len(progress.states) == MOST_STATES:
            del progress.states[::2]
        progress.states.append(state)
