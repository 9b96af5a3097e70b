"""Gives members their variants: drawn from a seed that only the server knows, with a machine of their own."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from app.clock import now
from app.exercises import variant
from app.exercises.exercise import Exercise
from app.exercises.rejected import Rejected
from app.exercises.variant import CannotVary, Variant
from app.labs import auditing, worked
from app.labs.exercise_texts import ExerciseTexts
from app.labs.names_at import names_at
from app.labs.person import Person
from app.labs.progress import Progress
from app.labs.room import require_open
from app.labs.sealing import Sealing
from app.labs.seeds import Seeds
from app.labs.sheets import sheet_of, window_of
from app.labs.worked import GOAL, PRACTICE, Worked
from app.machine import calltext
from app.sessions import (
    BatchItem,
    Conflict,
    Forbidden,
    LimitReached,
    NotFound,
    Preconditions,
    Principal,
    Sessions,
    Stale,
)
from app.sessions.identifiers import new_id
from app.settings import Settings
from app.store import Connection, bound_names, labs, people, sheets, variants
from app.store import sessions as session_rows
from app.store.labs import LabRow
from app.store.people import MemberRow
from app.store.sheets import ItemRow, SheetRow
from app.store.variants import VariantRow

log = logging.getLogger(__name__)

FAULTY: Final = "an exercise cannot be varied"

# Raises where a member may get no variant now.
Permit = Callable[[Connection], None]
# What is written with a session, by its id and the seq behind the prelude, where it was made.
AlsoAt = Callable[[Connection, str, int | None], None]


class Variants:
    """Opens variants, and gives other ones. Raises as Rooms does."""

    def __init__(
        self, settings: Settings, sessions: Sessions, texts: ExerciseTexts, sealing: Sealing
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._texts = texts
        self._sealing = sealing
        self._seeds = Seeds(sessions)

    async def open(
        self,
        person: Person,
        lab_id: str,
        sheet_id: str,
        item_id: str,
        time: str,
        *,
        preconditions: Preconditions | None = None,
    ) -> Worked:
        """The member's variant of an exercise: the same again until it is finished.

        In practice there is another one then. time: when the request came. Raises Conflict before the sheet
        opens, after its time, and where the lab takes no answers.
        """

        def query(db: Connection) -> tuple[LabRow, SheetRow, ItemRow, MemberRow, VariantRow | None]:
            lab, sheet = sheet_of(db, person, lab_id, sheet_id)
            found = sheets.item(db, item_id)
            if found is None or found.sheet_id != sheet_id:
                raise NotFound("exercise", item_id)
            member = people.member(db, person.id)
            if member is None:
                raise Conflict("only a member of the lab works on a sheet")
            return lab, sheet, found, member, variants.latest(db, item_id, person.id)

        await self._sessions.not_done(preconditions)
        _, sheet, found, member, last = await self._sessions.query(query)
        if last is not None and not self._is_past(sheet, last):
            return await self._again(person, last)

        def may(db: Connection) -> None:
            lab, now_sheet, *_ = query(db)
            worked.require_working(lab)
            window_of(db, now_sheet, person.id).is_late(time)

        await self._sessions.query(may)
        number = 1 if last is None else last.number + 1
        most = self._settings.variants_per_exercise
        if number > most:
            raise LimitReached((), f"a member has at most {most} variants of an exercise")
        drawn = await self._drawn(person, lab_id, sheet_id, found, member, number)
        row = await self._write(person, sheet, found, drawn, number, may)
        self._sealing.look_again()
        found_again = await self._again(person, row)
        return await self._sessions.execute(lambda _: found_again, preconditions=preconditions)

    async def get(self, person: Person, variant_id: str) -> Worked:
        """A variant, for its member and the lab's instructor. Raises NotFound."""
        return await self._sessions.query(worked.read, self._texts, person, variant_id)

    async def reset(
        self, person: Person, variant_id: str, *, preconditions: Preconditions | None = None
    ) -> Worked:
        """Have the member get another variant instead of this one, whose answers count no more."""

        def write(db: Connection) -> Worked:
            found = worked.read(db, self._texts, person, variant_id)
            if found.lab.owner != person.id:
                raise Forbidden("only the lab's instructor may do this")
            require_open(found.lab)
            progress = found.progress
            progress.replaced = True
            changed = {"progress": progress.written(), "finished": found.row.finished or now()}
            variants.change(db, variant_id, changed)
            if found.row.session_id is not None:
                session_rows.allow(db, found.row.session_id, None)
            auditing.note(db, person, "reset a variant", found.lab.id, found.row.member_id, variant_id)
            return worked.read(db, self._texts, person, variant_id)

        found = await self._sessions.execute(write, preconditions=preconditions)
        self._sealing.look_again()
        return found

    # -- below -----------------------------------------------------------------------------------------------

    def _is_past(self, sheet: SheetRow, row: VariantRow) -> bool:
        """Whether the member gets another variant than their last one."""
        replaced = Progress.read(row.progress).replaced
        return replaced or (sheet.mode == PRACTICE and row.finished is not None)

    async def _again(self, person: Person, row: VariantRow) -> Worked:
        """A variant that is there, with its prelude made."""
        if row.member_id == person.id and Progress.read(row.progress).names is None:
            await self._prepare(person, await self.get(person, row.id))
        return await self.get(person, row.id)

    async def _drawn(
        self, person: Person, lab_id: str, sheet_id: str, found: ItemRow, member: MemberRow, number: int
    ) -> Variant:
        """The variant of a member's seed, drawn on the background thread."""
        seed = await self._seeds.of(lab_id, sheet_id, found.id, member.id, number)
        try:
            drawn, fault = await self._sessions.compute(person.principal, self._draw, found, seed)
        except Rejected as error:
            log.warning("exercise %s cannot be asked: %s", found.exercise, error)
            raise Conflict(f"{found.title}: this exercise cannot be asked; tell the instructor") from error
        if fault:
            log.warning("exercise %s: %s", found.exercise, fault)
            await self._sessions.execute(
                partial(auditing.note, person=None, act=FAULTY, lab_id=lab_id, target=sheet_id, detail=fault)
            )
        return drawn

    def _draw(self, found: ItemRow, seed: bytes) -> tuple[Variant, str]:
        """A variant, and why it is the base one where it is. Raises Rejected."""
        exercise = self._texts.kept(found)
        try:
            return variant.draw(exercise, seed), ""
        except CannotVary as error:
            return variant.base(exercise), str(error)[:400]

    async def _write(
        self,
        person: Person,
        sheet: SheetRow,
        found: ItemRow,
        drawn: Variant,
        number: int,
        may: Permit,
    ) -> VariantRow:
        """Keep a variant with its session. Where another request has, that one's."""
        made: list[VariantRow] = []

        def also(db: Connection, session_id: str, base: int | None) -> None:
            may(db)
            last = variants.latest(db, found.id, person.id)
            if last is not None and last.number >= number:
                raise _Taken(last)
            progress = _begun(drawn.exercise, base)
            row = VariantRow(
                id=new_id(),
                item_id=found.id,
                member_id=person.id,
                number=number,
                values=json.dumps(drawn.stored()),
                sealed=json.dumps(drawn.sealed()),
                engine=drawn.engine,
                session_id=session_id,
                progress=progress.written(),
                created=now(),
            )
            variants.add(db, row)
            whole = worked.whole(db, self._texts, lab_of(db, sheet), sheet, found, row)
            session_rows.allow(db, session_id, whole.allow)
            made.append(row)

        name = found.title[:80]
        who = replace(person.principal, unbound=True)
        try:
            if drawn.prelude and not drawn.exercise.prelude_shown:
                await self._fork_hidden(who, name, drawn, also)
            else:
                base = None if drawn.prelude else 0
                await self._sessions.create(
                    who,
                    name,
                    drawn.machine,
                    also=lambda db, session_id: also(db, session_id, base),
                )
        except _Taken as error:
            return error.row
        return made[-1]

    async def _fork_hidden(self, who: Principal, name: str, drawn: Variant, also: AlsoAt) -> None:
        """A session that begins behind a prelude which is not told: its rows stay in one that is deleted."""
        hidden = Principal(f"m_{new_id()}")
        made = await self._sessions.create(hidden, None, drawn.machine)
        try:
            base = (await self._sessions.batch(hidden, made.id, items(drawn.prelude)))[-1].seq
            names = await names_at(self._sessions, hidden, made.id, base)
            await self._sessions.fork(
                who,
                made.id,
                base,
                name,
                of=hidden,
                names=json.loads(names),
                also=lambda db, session_id: also(db, session_id, base),
            )
        finally:
            await self._sessions.discard(made.id)

    async def _prepare(self, person: Person, found: Worked) -> None:
        """Make the calls of the prelude where they were not made: also after a crash in between."""
        session_id = found.row.session_id
        if session_id is None:
            return
        base, calls = found.progress.base, items(found.variant.prelude)
        if base is None:
            who = replace(person.principal, unbound=True)
            try:
                made = await self._sessions.batch(who, session_id, calls, preconditions=Preconditions(0))
                base = made[-1].seq
            except Stale:
                base = len(calls)

        def write(db: Connection) -> None:
            row = variants.get(db, found.row.id)
            if row is None or Progress.read(row.progress).names is not None:
                return
            progress = _begun(found.exercise, base)
            progress.names = dict(bound_names.of_person(db, session_id, person.id))
            variants.change(db, row.id, {"progress": progress.written()})

        await self._sessions.execute(write)


class _Taken(Conflict):
    """Another request has made the variant meanwhile."""

    def __init__(self, row: VariantRow) -> None:
        super().__init__("the variant is there already")
        self.row = row


def lab_of(db: Connection, sheet: SheetRow) -> LabRow:
    """The lab of a sheet."""
    found = labs.get(db, sheet.lab_id)
    assert found is not None
    return found


def items(lines: tuple[str, ...]) -> list[BatchItem]:
    """Console lines as one batch."""
    parsed = [calltext.parse_line(line) for line in lines]
    return [BatchItem(line.name, line.body, line.as_name) for line in parsed if line.name is not None]


def _begun(exercise: Exercise, base: int | None) -> Progress:
    """Nothing was done yet; base: the seq behind the prelude, where it was made."""
    progress = Progress.fresh(len(exercise.tasks))
    progress.base = base
    time = now()
    for task, mine in zip(exercise.tasks, progress.tasks, strict=True):
        if task.number == 1 or (task.kind != GOAL and not task.keep):
            mine.opened = time
            mine.start = base if task.kind == GOAL and task.number == 1 else None
    return progress
