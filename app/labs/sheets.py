"""Sheets: exercises that a lab works on, with their points and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.clock import now
from app.errors import BadArgument
from app.exercises.exercise import COUNTS
from app.labs import auditing, times, wording
from app.labs.exercise_texts import ExerciseTexts
from app.labs.person import Person
from app.labs.room import require_open, seen, taught
from app.labs.sealing import Sealing
from app.labs.times import Window
from app.sessions import Conflict, LimitReached, NotFound, Preconditions, Sessions
from app.sessions.identifiers import new_id
from app.settings import Settings
from app.store import Connection, people, sheets, variants
from app.store.labs import LabRow
from app.store.people import MemberRow
from app.store.sheets import ExtensionRow, ItemRow, SheetRow

MODES: Final = ("practice", "graded", "sealed")
MOST_POINTS: Final = 1_000
TIMES: Final = ("opens", "due", "late_until")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet with its exercises."""

    row: SheetRow
    items: tuple[ItemRow, ...]
    # For whom it is due at another time: of everybody for the instructor, of oneself for a member.
    extensions: tuple[tuple[int, ExtensionRow], ...] = ()

    @property
    def points(self) -> int:
        """Of all its exercises."""
        return sum(item.points for item in self.items)


class Sheets:
    """Makes and changes sheets. Raises as Rooms does."""

    def __init__(
        self, settings: Settings, sessions: Sessions, texts: ExerciseTexts, sealing: Sealing
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._texts = texts
        self._sealing = sealing

    async def create(
        self,
        person: Person,
        lab_id: str,
        given: Mapping[str, Any],
        *,
        preconditions: Preconditions | None = None,
    ) -> Sheet:
        """A new sheet; its texts are frozen when it opens: at once, where nothing else is said.

        given: `title`, `items` and what else the columns of a sheet say. Raises BadArgument with places.
        """
        values = self._checked(given)
        made = now()
        row = SheetRow(
            id=new_id(),
            lab_id=lab_id,
            title=values["title"],
            text=values.get("text", ""),
            mode=values.get("mode", MODES[0]),
            opens=values.get("opens"),
            due=values.get("due"),
            late_until=values.get("late_until"),
            late_factor=values.get("late_factor", 100),
            counts=values.get("counts"),
            opened=made if (values.get("opens") or "") <= made else None,
            released=made if values.get("released") else None,
            created=made,
        )
        require_order(row)
        items = self._items(row.id, given["items"])

        def write(db: Connection) -> Sheet:
            require_open(taught(db, person, lab_id))
            if len(sheets.of_lab(db, lab_id)) >= self._settings.sheets_per_lab:
                raise LimitReached((), f"a lab has at most {self._settings.sheets_per_lab} sheets")
            sheets.add(db, row, items)
            auditing.note(db, person, "create a sheet", lab_id, row.id, row.mode)
            return Sheet(row, tuple(items))

        return await self._sessions.execute(write, preconditions=preconditions)

    async def listed(self, person: Person, lab_id: str, time: str) -> list[Sheet]:
        """The sheets of a lab, the oldest first; for members those that have opened."""
        await self._open_due(person, lab_id, time)

        def query(db: Connection) -> list[Sheet]:
            lab = seen(db, person, lab_id)
            rows = [row for row in sheets.of_lab(db, lab_id) if is_for(person, lab, row)]
            return [_whole(db, person, lab, row) for row in rows]

        return await self._sessions.query(query)

    async def get(self, person: Person, lab_id: str, sheet_id: str, time: str) -> Sheet:
        """One sheet. Raises NotFound for members, before it opens."""
        await self._open_due(person, lab_id, time)

        def query(db: Connection) -> Sheet:
            lab, row = sheet_of(db, person, lab_id, sheet_id)
            return _whole(db, person, lab, row)

        return await self._sessions.query(query)

    async def change(self, person: Person, lab_id: str, sheet_id: str, given: Mapping[str, Any]) -> Sheet:
        """Change a sheet. Its exercises and its mode only before anybody has opened one of them.

        Raises BadArgument, and Conflict for what is too late.
        """
        values = self._checked(given)
        items = self._items(sheet_id, given["items"]) if "items" in given else None
        if "released" in values:
            values["released"] = now() if values["released"] else None

        def write(db: Connection) -> Sheet:
            lab = taught(db, person, lab_id)
            require_open(lab)
            row = of_lab(db, lab_id, sheet_id)
            after = row._replace(**values)
            require_order(after)
            if "opens" in values:
                values["opened"] = _opened(row, after)
            before = sheets.items(db, sheet_id)
            if (items is not None or after.mode != row.mode) and variants.any_of(db, [i.id for i in before]):
                raise Conflict(
                    "somebody works on this sheet: its exercises and its mode stay as they are; "
                    "make another sheet"
                )
            if items is not None:
                sheets.remove_items(db, [item.id for item in before])
                sheets.put_items(db, items)
            if values:
                sheets.change(db, sheet_id, values)
            auditing.note(db, person, "change a sheet", lab_id, sheet_id, ", ".join(sorted(given)))
            return _whole(db, person, lab, of_lab(db, lab_id, sheet_id))

        changed = await self._sessions.execute(write)
        self._sealing.look_again()
        return changed

    async def remove(self, person: Person, lab_id: str, sheet_id: str) -> None:
        """Delete a sheet with all that was answered. The machines of its exercises stay."""

        def write(db: Connection) -> None:
            taught(db, person, lab_id)
            of_lab(db, lab_id, sheet_id)
            sheets.remove(db, sheet_id)
            auditing.note(db, person, "delete a sheet", lab_id, sheet_id)

        await self._sessions.execute(write)

    async def extend(
        self, person: Person, lab_id: str, sheet_id: str, number: int, due: str, reason: str
    ) -> ExtensionRow:
        """Give a member another time. Raises BadArgument at `due` and `reason`, and NotFound."""
        due = times.read("due", due)
        reason = wording.line("reason", reason, wording.TITLE_LENGTH)

        def write(db: Connection) -> ExtensionRow:
            taught(db, person, lab_id)
            row = of_lab(db, lab_id, sheet_id)
            if row.due is None:
                raise Conflict("this sheet is due at no time: nobody needs longer")
            member = _member(db, lab_id, number)
            made = ExtensionRow(sheet_id, member.id, due, reason)
            sheets.extend(db, made)
            for variant in variants.of_items(db, [item.id for item in sheets.items(db, sheet_id)], member.id):
                variants.change(db, variant.id, {"settled": None})
            auditing.note(db, person, "extend a sheet", lab_id, member.id, f"{sheet_id} until {due}")
            return made

        return await self._sessions.execute(write)

    async def unextend(self, person: Person, lab_id: str, sheet_id: str, number: int) -> None:
        """Take a member's other time back. Raises NotFound."""

        def write(db: Connection) -> None:
            taught(db, person, lab_id)
            of_lab(db, lab_id, sheet_id)
            member = _member(db, lab_id, number)
            sheets.unextend(db, sheet_id, member.id)
            auditing.note(db, person, "end an extension", lab_id, member.id, sheet_id)

        await self._sessions.execute(write)

    # -- below -----------------------------------------------------------------------------------------------

    async def _open_due(self, person: Person, lab_id: str, time: str) -> None:
        """Freeze the texts of sheets that have opened since somebody looked last."""

        def waiting(db: Connection) -> list[str]:
            seen(db, person, lab_id)
            return [row.id for row in sheets.of_lab(db, lab_id) if _is_due(row, time)]

        found = await self._sessions.query(waiting)
        if not found:
            return

        def write(db: Connection) -> None:
            for sheet_id in found:
                row = sheets.get(db, sheet_id)
                if row is not None and _is_due(row, time):
                    self._freeze(db, row)

        await self._sessions.execute(write)

    def _freeze(self, db: Connection, row: SheetRow) -> None:
        """Keep the texts of today. Where a file cannot be read any more, the text from before stays."""
        for item in sheets.items(db, row.id):
            exercise = self._texts.today(item.exercise)
            if exercise is not None:
                values = {"text": exercise.text, "sha256": exercise.sha256, "title": exercise.title}
                sheets.change_item(db, item.id, values)
        sheets.change(db, row.id, {"opened": now()})

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The columns that are given, as they are kept. Raises BadArgument at each."""
        values = {name: value for name, value in given.items() if name not in ("items", "count")}
        if "title" in values:
            values["title"] = wording.line("title", values["title"], wording.TITLE_LENGTH)
        if "text" in values:
            values["text"] = wording.text("text", values["text"])
        if values.get("mode", MODES[0]) not in MODES:
            raise BadArgument.at("mode", f"one of {', '.join(MODES)}")
        if "count" in given:
            if given["count"] not in (None, *COUNTS):
                raise BadArgument.at("count", f"one of {', '.join(COUNTS)}, or null")
            values["counts"] = given["count"]
        for name in TIMES:
            if values.get(name) is not None:
                values[name] = times.read(name, values[name])
        return values

    def _items(self, sheet_id: str, given: Sequence[Mapping[str, Any]]) -> list[ItemRow]:
        """The exercises of a sheet. Raises BadArgument at `items`."""
        most = self._settings.exercises_per_sheet
        if not 1 <= len(given) <= most:
            raise BadArgument.at("items", f"1 to {most} exercises")
        found = []
        for position, one in enumerate(given):
            exercise = self._texts.today(one["exercise"])
            if exercise is None:
                known = self._texts.library.items()
                raise BadArgument.at(
                    ("items", position, "exercise"), "one of GET /exercises", one["exercise"], known
                )
            points = one.get("points", exercise.points)
            found.append(
                ItemRow(
                    new_id(),
                    sheet_id,
                    position,
                    exercise.name,
                    exercise.title,
                    points,
                    exercise.text,
                    exercise.sha256,
                )
            )
        return found


def is_for(person: Person, lab: LabRow, row: SheetRow) -> bool:
    """Whether a person may know of a sheet: members once it has opened."""
    return person.id == lab.owner or row.opened is not None


def sheet_of(db: Connection, person: Person, lab_id: str, sheet_id: str) -> tuple[LabRow, SheetRow]:
    """A sheet that a person may know of, and its lab. Raises NotFound."""
    lab = seen(db, person, lab_id)
    row = of_lab(db, lab_id, sheet_id)
    if not is_for(person, lab, row):
        raise NotFound("sheet", sheet_id)
    return lab, row


def of_lab(db: Connection, lab_id: str, sheet_id: str) -> SheetRow:
    """A sheet of a lab. Raises NotFound."""
    row = sheets.get(db, sheet_id)
    if row is None or row.lab_id != lab_id:
        raise NotFound("sheet", sheet_id)
    return row


def window_of(db: Connection, sheet: SheetRow, member_id: str) -> Window:
    """When a member may answer a sheet."""
    return Window.of(sheet, sheets.extension(db, sheet.id, member_id))


def require_order(row: SheetRow) -> None:
    """Raise BadArgument where a sheet would be due before it opens, or late before it is due."""
    if row.opens is not None and row.due is not None and row.due <= row.opens:
        raise BadArgument.at("due", "a time after `opens`")
    if row.late_until is not None and (row.due is None or row.late_until <= row.due):
        raise BadArgument.at("late_until", "a time after `due`")


def _whole(db: Connection, person: Person, lab: LabRow, row: SheetRow) -> Sheet:
    """A sheet with what a person may know of it."""
    found = sheets.all_extensions(db, [row.id])
    if person.id != lab.owner:
        mine = [(person.number, one) for one in found if one.member_id == person.id]
        return Sheet(row, tuple(sheets.items(db, row.id)), tuple(mine))
    numbers = {member.id: member.number for member in people.lab_members(db, lab.id)} if found else {}
    theirs = [(numbers[one.member_id], one) for one in found if one.member_id in numbers]
    return Sheet(row, tuple(sheets.items(db, row.id)), tuple(sorted(theirs)))


def _member(db: Connection, lab_id: str, number: int) -> MemberRow:
    found = people.member_by_number(db, lab_id, number)
    if found is None:
        raise NotFound("member", str(number))
    return found


def _is_due(row: SheetRow, time: str) -> bool:
    """Whether a sheet opens now, and its texts are not frozen yet."""
    return row.opened is None and (row.opens or "") <= time


def _opened(before: SheetRow, after: SheetRow) -> str | None:
    """Since when a sheet is open, where its time is changed. What was seen is not hidden again."""
    if before.opened is not None:
        if (after.opens or "") > now():
            raise Conflict("this sheet has opened: it is not closed again; change when it is due")
        return before.opened
    return None
