"""A machine's place in a lab: whose it is, and what the person at the browser may do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request

from app.labs import MachineRows, Person, PlaceInLab
from app.sessions import SessionInfo
from app.web import wording
from app.web.address import Address, number
from app.web.contexts.base import Link
from app.web.contexts.place import CaughtUp, InstructorControls, PlaceView, Sleeper
from app.web.language import N_, _
from app.web.nicknames import called
from app.web.requester import labs_of, requester

Doc = Mapping[str, Any]
Names = Mapping[str, str]

# Where a lock and a confirmed reset lead: back to the machine's own page.
MACHINE: Final = "machine"

WATCHING: Final = N_("Only the instructor calls this machine. You can look at everything, and copy it.")
WHY_STOPPED: Final = {
    "closed": N_("The lab is closed: this machine can be read, but not called any more."),
    "frozen": N_("The lab is frozen: the instructor has stopped all calls for now."),
    "locked": N_("The instructor has locked this machine: it can be read, but not called for now."),
}


async def used_in(request: Request, session_id: str) -> list[Link]:
    """The labs that have a session as one of their machines."""
    labs = labs_of(request)
    found = await labs.rooms.using(requester(request), session_id) if labs.enabled else []
    return [Link(lab.title, f"/labs/{lab.id}") for lab in found]


def way_in(place: PlaceInLab | None, person: Person, here: Address) -> str | None:
    """Where an instructor puts a machine of their own into a lab: as it was at the row that is shown."""
    if place is not None or person.kind != "instructor":
        return None
    return f"/sessions/{here.id}/lab" + ("" if here.moment is None else f"?at={here.moment}")


def people(place: PlaceInLab | None) -> Names:
    """The nicknames of those whom rows and tasks call by number."""
    return {} if place is None else place.names


def stopped(place: PlaceInLab | None) -> str | None:
    """Why the person at the browser can make no call, whatever the moment."""
    if place is None:
        return None
    if place.role == "watcher":
        return _(WATCHING)
    return None if place.stopped is None or place.held is None else _(WHY_STOPPED[place.held])


def rewinds(place: PlaceInLab | None) -> bool:
    """Whether the person at the browser may undo and rewind: on a shared machine that is everybody's work."""
    return place is None or place.role in ("owner", "instructor")


def undoes(place: PlaceInLab | None, person: Person, head: int, rows: Sequence[Doc]) -> bool:
    """Whether they may undo the last call: who may rewind, and who has stopped a machine that all share."""
    by = person.principal.by
    return rewinds(place) or any(
        row["seq"] == head and row["verdict"] == "panic" and by is not None and row["by"] == by
        for row in rows
    )


def task_of(place: PlaceInLab | None, person: Person) -> str | None:
    """The task as which a member calls a shared machine; None where they choose."""
    return person.principal.by if place is not None and place.role == "member" else None


def caught_up(request: Request, rows: MachineRows, info: SessionInfo) -> CaughtUp | None:
    """The checkpoint that the machine has just been brought to, as the address says, until the next call."""
    asked = request.query_params
    mark = rows.checkpoint
    if mark is None or number(asked.get("outcome", "")) != info.seq:
        return None
    before = number(asked.get("own", ""))
    if before is None or not info.start < before < info.seq:
        return CaughtUp(mark.title, None)
    return CaughtUp(
        mark.title, Link(_("#%(seq)s", seq=wording.count(before)), f"/sessions/{info.id}?at={before}")
    )


def place_view(
    place: PlaceInLab, person: Person, info: SessionInfo, tasks: Sequence[Doc], caught_up: CaughtUp | None
) -> PlaceView:
    """Make the bar. tasks: those that sleep, under their names in the machine."""
    session_id = info.id
    whose, meaning = words(place, person)
    found = sleepers(place, person, session_id, tasks)
    controls = controls_of(place, session_id)
    following = place.copy.next if place.copy is not None and place.role == "owner" else None
    return PlaceView(
        lab=Link(place.title, f"/labs/{place.lab_id}"),
        called=None if place.machine == info.name else place.machine,
        whose=whose,
        meaning=meaning,
        held=place.held,
        over=place.held == "closed" and person.lab is not None,
        stopped=place.stopped is not None,
        catch_up=following.title if following is not None and place.stopped is None else None,
        checkpoint=None if following is None else following.id,
        starts_over=place.copy is not None and place.copy.called,
        caught_up=caught_up,
        action=f"/labs/{place.lab_id}/sessions/{session_id}/catch-up",
        sleepers=[one for one in found if one.mine or controls is not None],
        controls=controls,
    )


def controls_of(place: PlaceInLab, session_id: str) -> InstructorControls | None:
    """What an instructor may do with a member's machine; None for others."""
    if place.copy is None or place.role != "instructor" or place.held == "closed":
        return None
    at = f"/labs/{place.lab_id}/sessions/{session_id}"
    return InstructorControls(place.copy.locked, f"{at}/lock?to={MACHINE}", f"{at}/reset?to={MACHINE}")


def words(place: PlaceInLab, person: Person) -> tuple[str, str]:
    """Say whose machine it is, and what that means."""
    if place.kind == "operate":
        if person.lab is None:
            return _("Operated together"), _("everybody calls it, each as a task of their own")
        return _("Operated together"), _(
            "everybody calls it; you are the task %(task)s", task=person.principal.by
        )
    if place.kind == "watch":
        if person.lab is None:
            return _("Watched"), _("only you call it")
        return _("Watched"), _("the instructor calls it; you can look")
    if place.role == "owner":
        return _("Your machine"), _("only you and the instructor can call it")
    member = 0 if place.copy is None else place.copy.number
    return (
        _("The machine of %(nickname)s (m%(number)s)", nickname=place.nickname, number=member),
        _("what you call here stands under your name"),
    )


def sleepers(place: PlaceInLab, person: Person, session_id: str, tasks: Sequence[Doc]) -> list[Sleeper]:
    """Tasks that sleep and that the person at the browser may end: a member on a shared machine their own."""
    if place.role == "watcher" or place.stopped is not None:
        return []
    by = person.principal.by
    return [
        sleeper(
            task, place.names, f"/sessions/{session_id}", mine=place.kind == "operate" and task["name"] == by
        )
        for task in tasks
        if task["waiting_for"] is not None and (place.role != "member" or task["name"] == by)
    ]


def sleeper(task: Doc, names: Names, session: str, *, mine: bool) -> Sleeper:
    """A task that sleeps, and the call that ends it."""
    return Sleeper(
        task=task["name"],
        name=called(names, task["name"]),
        words=_(
            "waits for %(frame)s since #%(seq)s",
            frame=wording.pfn(task["waiting_for"]),
            seq=wording.count(task["since"]),
        ),
        action=f"{session}/call/kill_task",
        mine=mine,
    )
