"""Which lines took something that is not given back at the end: memory, or a reference to a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from app.exercises import live
from app.exercises.look import Look
from app.exercises.rows import MadeRow
from app.machine import runs
from app.machine.calls import Call
from app.machine.outcome import Outcome
from app.mm import page_ref

TAKES: Final = ("get_page", "get_page_unless_zero")


class MadeLine(NamedTuple):
    """A line of a list that was made. number: from 1 on."""

    number: int
    row: MadeRow
    outcome: Outcome


class Finder:
    """Finds lines of one kind while they are made."""

    look: Look

    def begin(self, look: Look) -> None:
        """Before the first line."""
        self.look = look

    def before(self) -> None:
        """A line is made now."""

    def after(self, line: MadeLine) -> None:
        """A line was made."""

    def lines(self) -> Iterable[int]:
        """Those that were found, once all are made."""
        raise NotImplementedError


class Take(NamedTuple):
    """A reference to a page: which line took it, and whose it is."""

    number: int
    task: str


class Held(Finder):
    """By what is left at the end.

    takes: by the first frame of a page, its references, oldest first.
    """

    def __init__(self) -> None:
        self.takes: dict[int, list[Take]] = {}
        self.numbers: dict[int, int] = {}

    def after(self, line: MadeLine) -> None:
        """As `Finder.after`."""
        self.numbers[line.row.seq] = line.number
        call, m = line.outcome.call, self.look.machine
        take = Take(line.number, call.task)
        if call.spec.repeats and call.spec.group == "pages":
            handed_out = (page.pfn for page in m.pages.values() if page.seq == line.row.seq)
            self.takes |= {pfn: [take] for pfn in handed_out}
        elif call.name in TAKES and line.outcome.ret != 0:
            for pfn in self.given(call):
                self.takes.setdefault(page_ref.compound_head(m, pfn), []).append(take)
        elif call.spec.frees and call.spec.group in ("pages", "references"):
            for pfn in self.given(call):
                self.put(pfn, call.task)

    def put(self, pfn: int, task: str) -> None:
        """A task gives a reference back: the last that it took, else the first of anybody."""
        page = page_ref.block_of(self.look.machine, pfn)
        takes = self.takes.get(pfn if page is None or pfn in self.takes else page.pfn, [])
        own = [take for take in takes if take.task == task]
        if takes:
            takes.remove(own[-1] if own else takes[0])

    def given(self, call: Call) -> Iterable[int]:
        """The frames that a call was given, by page or by address."""
        value = call.args.get("page", call.args.get("addr"))
        values = runs.each(value) if isinstance(value, tuple) else [value]
        model = self.look.machine.model
        for one in values:
            pfn = one if "page" in call.args or one is None else model.virt_to_pfn(one)
            if isinstance(pfn, int):
                yield pfn

    def lines(self) -> Iterable[int]:
        """As `Finder.lines`."""
        look, m = self.look, self.look.machine
        for pfn, takes in self.takes.items():
            page = m.pages.get(pfn)
            if page is not None and page.state in live.HANDED_OUT and page.refcount > 0:
                yield from (take.number for take in takes[-page.refcount :])
        for slab, index in live.objects(look):
            owner = slab.owner[index]
            if owner is not None:
                yield self.numbers[owner[1]]
        yield from (self.numbers[page.seq] for page in live.large_objects(look))
        yield from (self.numbers[vm.seq] for vm in live.areas(look))
