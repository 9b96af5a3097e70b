"""A batch on its way: first all of it is read, then call by call is made. Nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.mm.calls import NAME, Call, Named
from app.mm.errors import BadArgument, Faults, TaskBlocked
from app.mm.vocabulary import CALLS
from app.sessions.access import Principal
from app.sessions.answers import Applied, BatchItem
from app.sessions.errors import BatchBlocked, LimitReached
from app.sessions.live import Live, Names
from app.sessions.weight import heavy
from app.store.journal import Row


class Progress:
    """How far a batch is.

    rows, answers: of the calls made so far. names: what the person's names mean then; named: those that
    this batch has set (None: set to nothing), and by which seq. start: the seq before the first call. heavy:
    whether the next call is so long that it must be made where nobody waits for it. After an exception from
    `step` the machine must not be used again where its seq has moved.
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
        self.names: Names = dict(live.names_of(principal.id))
        self.named: dict[str, tuple[Named | None, int]] = {}
        self.rows: list[Row] = []
        self.answers: list[Applied] = []
        self._known = set(self.names)
        self._calls: list[Call] = []
        self._read_before: dict[tuple[Any, ...], Call] = {}
        self._faults = Faults()
        self._read = 0

    @property
    def done(self) -> bool:
        """Whether every call has been made."""
        return self._read == len(self.items) == len(self.rows)

    def step(self, most: int) -> None:
        """Read, or when all is read make, so many more calls, but none that is heavy.

        Raises BadArgument with the fields at fault in all calls, BatchBlocked, LimitReached and Conflict.
        """
        if self._read < len(self.items):
            for _ in range(min(most, len(self.items) - self._read)):
                self._read_next()
            if self._read == len(self.items):
                self._faults.check()
        else:
            for _ in range(min(most, len(self.items) - len(self.rows))):
                self.heavy = heavy(self._calls[len(self.rows)], self.names, self.live.machine)
                if self.heavy:
                    return
                self._make_next()

    def step_heavily(self) -> None:
        """Make the next call, which is heavy. Raises as `step` does."""
        self.heavy = False
        self._make_next()

    def _read_next(self) -> None:
        place, item = self._read, self.items[self._read]
        self._read += 1
        if item.call not in CALLS:
            self._faults.add(("calls", place, "call"), f"no such call: {item.call[:40]!r}")
            return
        try:
            self._calls.append(self._parsed(item))
        except BadArgument as error:
            self._faults.extend(error.under("calls", place))
        if item.as_name is not None:
            self._name(place, item.as_name)

    def _parsed(self, item: BatchItem) -> Call:
        """The call of an item: the same one for items that are the same. What is known stays known."""
        body = item.body
        # With the types, since 1 is True to a dict, but not to a kernel.
        like = item.call, tuple(body.items()), tuple(map(type, body.values()))
        try:
            call = self._read_before.get(like)
        except TypeError:  # a list or an object among the arguments
            return self.live.parse(item.call, body, self._known)
        if call is None:
            call = self._read_before[like] = self.live.parse(item.call, body, self._known)
        return call

    def _name(self, place: int, name: str) -> None:
        if not NAME.fullmatch(name):
            self._faults.add(
                ("calls", place, "as"), "a name is a letter or _, then up to 31 letters, digits, _"
            )
        self._known.add(name)
        if len(self._known) > self.most_names:
            raise LimitReached(
                ("calls", place, "as"), f"a person has at most {self.most_names} names in a session"
            )

    def _make_next(self) -> None:
        place = len(self.rows)
        try:
            change = self.live.apply(self._calls[place], self.names, self.principal.by)
        except BadArgument as error:
            raise error.under("calls", place) from error
        except TaskBlocked as error:
            raise BatchBlocked(error, ("calls", place)) from error
        except LimitReached as error:
            raise LimitReached((), f"calls.{place}: {error}") from error
        self.rows.append(change.row)
        self.answers.append(
            change.applied.with_("counters", self.live.machine.counters())
            if self.counters
            else change.applied
        )
        name = self.items[place].as_name
        if name is not None:
            self._bind(name, change.made.named, change.row.seq)

    def _bind(self, name: str, named: Named | None, seq: int) -> None:
        self.named[name] = named, seq
        if named is None:
            self.names.pop(name, None)
        else:
            self.names[name] = named


class Single:
    """A heavy call on its way: to the writer, as a batch of one."""

    heavy = True

    def __init__(self, live: Live, call: Call, principal: Principal, *, counters: bool = False) -> None:
        self.live = live
        self.call = call
        self.principal = principal
        self.counters = counters
        self.start = live.seq
        self.names = live.names_of(principal.id)
        self.named: dict[str, tuple[Named | None, int]] = {}
        self.rows: list[Row] = []
        self.answers: list[Applied] = []

    @property
    def done(self) -> bool:
        """Whether it has been made."""
        return bool(self.rows)

    def step(self, _most: int) -> None:
        """There is nothing but the heavy call."""

    def step_heavily(self) -> None:
        """Make it. Raises as `Live.apply` does."""
        change = self.live.apply(self.call, self.names, self.principal.by)
        answer = change.applied
        if self.counters:
            answer = answer.with_("counters", self.live.machine.counters())
        self.rows.append(change.row)
        self.answers.append(answer)
