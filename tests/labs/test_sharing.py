"""What a class does with machines: copies, shared ones, checkpoints; and what a lab's instructor may do."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.demos.library import shipped
from app.demos.playing import items
from app.errors import BadArgument, MachinePanicked, NoRoom
from app.labs import Lab, Person
from app.machine import show
from app.sessions import BatchItem, Conflict, Forbidden, LimitReached, NotFound, Principal
from app.store import sessions as session_rows
from tests.support.classroom import PASSWORD, Class, a_class, labs_of, reached
from tests.support.factories import TINY, alloc, free, raw
from tests.support.patience import PATIENCE

ALLOC = {"gfp": "GFP_KERNEL"}


async def other_instructor(room: Class) -> Person:
    invitation = await room.labs.authentication.invite(room.instructor)
    return (await room.labs.authentication.set_up(invitation, "Other", PASSWORD)).person


# -- copies ----------------------------------------------------------------------------------------------


async def test_a_copy_is_ones_own_and_the_instructors(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee = await room.join("Kim"), await room.join("Lee")
        mine = await room.copy(kim)
        assert (mine.owner, mine.seq, mine.origin) == (kim.id, 1, {"id": room.origin.id, "seq": 1})
        assert set(await room.sessions.names(kim.principal, mine.id)) == {
            "p"
        }  # as it stands on the blackboard
        assert (await room.copy(kim)).id != mine.id
        outcome = await room.call(kim, mine.id, "get_page", page="$p")
        assert (outcome["by"], outcome["args"]["task"]) == ("m1", "init")
        outcome = await room.call(room.instructor, mine.id, "alloc_page", **ALLOC)
        assert outcome["by"] == "i1"
        await room.sessions.undo(kim.principal, mine.id)
        for stranger in (lee.principal, (await other_instructor(room)).principal, Principal("local")):
            with pytest.raises(NotFound):
                await room.sessions.get(stranger, mine.id)
            with pytest.raises(NotFound):
                await room.sessions.apply(stranger, mine.id, "alloc_page", ALLOC)
        assert [info.id for info in (await room.sessions.list(room.instructor.principal)).items] == [
            room.origin.id
        ]  # three hundred copies are on the wall, not among one's own


async def test_what_is_prepared_is_read_by_nobody_and_stays_as_it_was(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        await room.call(room.instructor, room.origin.id, "alloc_page", **ALLOC)
        with pytest.raises(NotFound):
            await room.sessions.get(kim.principal, room.origin.id)
        with pytest.raises(NotFound):
            await room.sessions.fork(kim.principal, room.origin.id)
        assert (await room.copy(kim)).seq == 1


async def test_a_member_has_so_many_machines_and_no_more(tmp_path: Path) -> None:
    async with a_class(tmp_path, sessions_per_member=3) as room:
        kim = await room.join("Kim")
        mine = await room.copy(kim)
        await room.sessions.fork(kim.principal, mine.id)
        made = await room.sessions.create(kim.principal, "own", TINY)
        for more in (
            room.copy(kim),
            room.sessions.create(kim.principal, "more", TINY),
            room.sessions.fork(kim.principal, made.id),
        ):
            with pytest.raises(LimitReached):
                await more
        for info in (await room.sessions.list(kim.principal)).items:
            await room.call(room.instructor, info.id, "alloc_page", **ALLOC)  # all of them are the lab's


# -- demos -----------------------------------------------------------------------------------------------


async def test_a_demo_is_for_everybody_with_its_steps_as_checkpoints(tmp_path: Path) -> None:
    demo = shipped()["zone-modifiers"]
    assert len(demo.parts) == 2
    async with a_class(tmp_path, machines_per_lab=4) as room:
        made = await room.labs.demo_machines.add(room.instructor, room.lab.id, demo)
        assert [(one.demo, one.part, one.kind, one.seq) for one in made] == [
            (demo.name, part, "prepared", 0) for part in (1, 2)
        ]
        for machine, part in zip(made, demo.parts, strict=True):
            steps = [step for step in demo.steps[part.first : part.end] if step.calls]
            assert [mark.title for mark in machine.checkpoints] == [step.title for step in steps]
            assert machine.checkpoints[-1].seq == sum(len(step.calls) for step in steps)
        kim = await room.join("Kim")
        mine = await room.labs.sharing.copy(kim, room.lab.id, made[0].id)
        assert mine.seq == 0
        mark = await room.labs.sharing.catch_up(kim, room.lab.id, mine.id)
        assert mark == made[0].checkpoints[0]
        assert set(await room.sessions.names(kim.principal, mine.id)) == {
            item.as_name for item in items(demo.steps[0]) if item.as_name
        }
        before = len((await room.sessions.list(room.instructor.principal)).items)
        with pytest.raises(LimitReached, match="at most 4 machines; this demo has 2"):
            await room.labs.demo_machines.add(room.instructor, room.lab.id, demo)
    full = tmp_path / "full"
    full.mkdir()
    async with a_class(full, sessions_per_owner=2) as room:
        with pytest.raises(LimitReached):  # the second of its machines is one too many
            await room.labs.demo_machines.add(room.instructor, room.lab.id, demo)
        left = (await room.sessions.list(room.instructor.principal)).items
        assert [info.id for info in left] == [room.origin.id]  # and the first was not left behind
    assert before == 3


# -- shared machines -------------------------------------------------------------------------------------


async def test_on_a_shared_machine_everybody_is_a_task_of_their_own(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee = await room.join("Kim"), await room.join("Lee")
        sid = (await room.share("operate")).id
        pfn = (await room.call(kim, sid, "alloc_page", **ALLOC))["page"]["pfn"]
        assert (await room.call(kim, sid, "lock_page", pfn=pfn))["args"]["task"] == "m1"
        assert (await room.call(lee, sid, "lock_page", pfn=pfn))["verdict"] == "blocked"
        assert (await room.call(kim, sid, "unlock_page", pfn=pfn))["woken"] == ["m2"]
        for call in ("alloc_page", "kill_task"):
            body = {"task": "m2"} if call == "kill_task" else {**ALLOC, "task": "m2"}
            with pytest.raises(BadArgument) as found:
                await room.call(kim, sid, call, **body)
            assert found.value.faults[0].loc == ("task",)
        with pytest.raises(BadArgument) as found:
            await room.sessions.batch(
                kim.principal, sid, [alloc(), BatchItem("alloc_page", {**ALLOC, "task": "init"})]
            )
        assert found.value.faults[0].loc == ("calls", 1, "task")
        made = await room.sessions.batch(kim.principal, sid, [alloc(0, "p"), free("$p")])
        assert [one.outcome["args"]["task"] for one in made] == ["m1", "m1"]
        assert (await room.call(room.instructor, sid, "alloc_page", **ALLOC, task="m1"))["by"] == "i1"


async def test_who_stops_a_shared_machine_may_undo_just_that(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee = await room.join("Kim"), await room.join("Lee")
        teacher = room.instructor.principal
        made = await room.sessions.create(teacher, "operate", {"profile": "tiny-16m", "reclaim": True})
        await room.labs.sharing.add(room.instructor, room.lab.id, made.id, "operate")
        await room.call(lee, made.id, "alloc_page", **ALLOC)
        with pytest.raises(Forbidden):
            await room.sessions.undo(lee.principal, made.id)
        outcome = await room.call(kim, made.id, "alloc_page", **ALLOC, until="null")
        assert (outcome["verdict"], outcome["seq"]) == ("panic", 2)
        for person in (kim, lee, room.instructor):
            with pytest.raises(MachinePanicked, match="#2"):
                await room.call(person, made.id, "alloc_page", **ALLOC)
        for refused in (
            room.sessions.undo(lee.principal, made.id),
            room.sessions.rewind(kim.principal, made.id, 1),
        ):
            with pytest.raises(Forbidden):
                await refused
        assert (await room.sessions.undo(kim.principal, made.id)).outcome["args"]["to"] == 1
        with pytest.raises(Forbidden):
            await room.sessions.undo(kim.principal, made.id)
        assert (await room.call(lee, made.id, "alloc_page", **ALLOC))["verdict"] == "ok"
        # An instructor may go back from anybody's.
        await room.call(kim, made.id, "alloc_page", **ALLOC, until="null")
        assert (await room.sessions.undo(teacher, made.id)).outcome["call"] == "undo"


async def test_a_member_s_processes_are_theirs(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee = await room.join("Kim"), await room.join("Lee")
        sid = (await room.share("operate")).id
        await room.call(kim, sid, "execve")
        made = await room.sessions.batch(
            kim.principal, sid,
            [BatchItem("fork", {"child": "b"}), BatchItem("store", {"addr": "0x404000", "task": "b"})],
        )  # fmt: skip
        assert [one.outcome["args"]["task"] for one in made] == ["m1", "m1-b"]
        assert (await room.call(kim, sid, "fork", child="m1-c", task="m1-b"))["args"]["child"] == "m1-c"
        for task in ("m1-b", "b"):
            with pytest.raises(BadArgument) as found:
                await room.call(lee, sid, "kill_task", task=task)
            assert found.value.faults[0].loc == ("task",)
        with pytest.raises(Forbidden):
            await room.call(lee, sid, "sysctl", name="drop_caches", value=1)
        for at in range(13):
            await room.call(kim, sid, "fork", child=f"n{at}")
        with pytest.raises(NoRoom, match="at most 16 tasks"):
            await room.call(kim, sid, "fork", child="more")
        await room.call(kim, sid, "kill_task", task="b")
        with pytest.raises(NoRoom, match="a quarter"):
            await room.call(kim, sid, "store", addr="0x404000", count=1_000_000)
        area = {"length": 1 << 40, "prot": 3, "flags": "MAP_PRIVATE|MAP_ANONYMOUS|MAP_POPULATE"}
        with pytest.raises(NoRoom, match="a quarter"):
            await room.call(kim, sid, "mmap", **area)
        await room.call(kim, sid, "load", addr="0x404000", count=1_000_000, step=0)
        await room.call(room.instructor, sid, "kill_task", task="m1-c")


async def test_a_shared_machine_knows_what_others_have_named(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee = await room.join("Kim"), await room.join("Lee")
        sid = (await room.share("operate")).id

        async def batch(person: Person, *calls: BatchItem) -> list[dict[str, Any]]:
            return [one.outcome for one in await room.sessions.batch(person.principal, sid, calls)]

        teachers = (await batch(room.instructor, alloc(3, "p")))[0]["page"]["pfn"]
        kims = (await batch(kim, alloc(0, "p"), alloc(1, "q"), BatchItem("get_page", {"page": "$m1.q"})))[0]
        locked = await room.call(lee, sid, "lock_page", page="$m1.p")
        assert locked["args"]["pfn"] == kims["page"]["pfn"]
        assert (await room.call(lee, sid, "get_page", page="$i1.p+3"))["args"]["pfn"] == teachers + 3
        with pytest.raises(BadArgument, match=r"nothing is named 'p' here; others have i1\.p, m1\.p"):
            await room.call(lee, sid, "lock_page", page="$p")
        with pytest.raises(BadArgument, match=r"nothing is named 'm2\.p'"):
            await room.call(kim, sid, "lock_page", page="$m2.p")
        found, count = await room.sessions.known_names(lee.principal, sid, 2)
        assert (list(found), count) == (["i1.p", "m1.p"], 3)
        own = await room.sessions.create(lee.principal, "own", TINY)
        with pytest.raises(BadArgument):  # what is named in another session
            await room.call(lee, own.id, "get_page", page="$m1.p")
    async with labs_of(room.settings) as (sessions, _):  # a server that has only the rows
        after = await sessions.apply(lee.principal, sid, "page_count", {"page": "$m1.q"})
        assert after.outcome["page"]["refcount"] == 2


async def test_who_hangs_is_let_go_by_oneself_or_by_the_instructor(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee, lim = [await room.join(name) for name in ("Kim", "Lee", "Lim")]
        sid = (await room.share("operate")).id
        pfn = (await room.call(kim, sid, "alloc_page", **ALLOC))["page"]["pfn"]
        await room.call(kim, sid, "lock_page", pfn=pfn)
        waiting = asyncio.create_task(
            room.sessions.apply(lee.principal, sid, "lock_page", {"pfn": pfn}, wait=2 * PATIENCE)
        )
        await room.call(lim, sid, "lock_page", pfn=pfn)
        await reached(room.sessions, lee, sid, 4)
        await room.call(lee, sid, "kill_task")  # of oneself, without saying so
        await asyncio.wait_for(waiting, PATIENCE)
        await room.call(room.instructor, sid, "kill_task", task="m3")
        assert (await room.call(lim, sid, "alloc_page", **ALLOC))["verdict"] == "ok"


async def test_sixty_sleep_in_lock_page_and_each_is_woken_in_turn(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        class_ = [await room.join(f"s{number}") for number in range(60)]
        sid = (await room.share("operate")).id
        pfn = (await room.call(room.instructor, sid, "alloc_page", **ALLOC))["page"]["pfn"]
        await room.call(room.instructor, sid, "lock_page", pfn=pfn)
        asleep = [
            asyncio.create_task(
                room.sessions.apply(one.principal, sid, "lock_page", {"pfn": pfn}, wait=2 * PATIENCE)
            )
            for one in class_
        ]
        await reached(room.sessions, room.instructor, sid, 62)
        order = [row.outcome["by"] for row in await room.sessions.events(class_[0].principal, sid, 2)]
        holder = room.instructor
        for place in range(60):
            woken = (await room.call(holder, sid, "unlock_page", pfn=pfn))["woken"]
            assert woken == [order[place]]
            holder = next(one for one in class_ if one.principal.by == woken[0])
        answers = await asyncio.wait_for(asyncio.gather(*asleep), PATIENCE)
        assert all(answer.outcome["woken_at"] for answer in answers)


async def test_who_watches_only_looks(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        shared = await room.share("watch")
        principal, sid = kim.principal, shared.id
        assert (await room.sessions.get(principal, sid)).seq == 0
        await room.sessions.read(principal, sid, show.zones)
        reader = await room.sessions.follow(principal, sid)
        reader.close()
        for refused in (
            room.sessions.apply(principal, sid, "alloc_page", ALLOC),
            room.sessions.batch(principal, sid, [alloc()]),
            room.sessions.undo(principal, sid),
            room.sessions.rename(principal, sid, "mine"),
            room.sessions.delete(principal, sid),
        ):
            with pytest.raises(Forbidden):
                await refused
        copy = await room.sessions.fork(principal, sid)  # of what one sees
        assert (await room.call(kim, copy.id, "alloc_page", **ALLOC))["verdict"] == "ok"


async def test_only_the_instructor_goes_back_on_a_shared_machine(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        sid = (await room.share("operate")).id
        await room.call(kim, sid, "alloc_page", **ALLOC)
        for refused in (
            room.sessions.undo(kim.principal, sid),
            room.sessions.rewind(kim.principal, sid, 0),
            room.sessions.rename(kim.principal, sid, "mine"),
            room.sessions.delete(kim.principal, sid),
        ):
            with pytest.raises(Forbidden):
                await refused
        await room.sessions.undo(room.instructor.principal, sid)


async def test_sharing_otherwise_and_no_more(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        made = await room.share("operate")
        machine = (await room.labs.rooms.get(room.instructor, room.lab.id)).machines[1]
        sharing, who, lab = room.labs.sharing, room.instructor, room.lab.id
        await sharing.change(who, lab, machine.id, kind="watch", title="Look here")
        with pytest.raises(Forbidden):
            await room.call(kim, made.id, "alloc_page", **ALLOC)
        await sharing.change(who, lab, machine.id, kind="prepared")
        with pytest.raises(NotFound):
            await room.sessions.get(kim.principal, made.id)
        assert (await sharing.copy(kim, lab, machine.id)).name == "Look here"
        await sharing.change(who, lab, machine.id, kind="operate")
        await room.call(kim, made.id, "alloc_page", **ALLOC)
        with pytest.raises(Conflict):
            await sharing.add(who, lab, made.id, "watch")
        await sharing.remove(who, lab, machine.id)
        with pytest.raises(NotFound):
            await room.sessions.get(kim.principal, made.id)
        with pytest.raises(NotFound):
            await sharing.remove(who, lab, machine.id)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"kind": "borrowed"}, "kind"),
        ({"session_id": "nothing"}, "session"),
        ({"seq": 2}, "seq"),
        ({"seq": -1}, "seq"),
        ({"title": ""}, "title"),
        ({"title": "x" * 101}, "title"),
    ],
)
async def test_what_is_put_into_a_lab_is_judged_by_field(
    tmp_path: Path, given: dict[str, Any], place: str
) -> None:
    async with a_class(tmp_path) as room:
        wanted = {"session_id": room.origin.id, "kind": "prepared", **given}
        with pytest.raises(BadArgument) as found:
            await room.labs.sharing.add(room.instructor, room.lab.id, **wanted)
        assert found.value.faults[0].loc == (place,)


async def test_only_ones_own_sessions_are_put_into_a_lab(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, other = await room.join("Kim"), await other_instructor(room)
        theirs = await room.sessions.create(other.principal, "theirs", TINY)
        for sid in (theirs.id, (await room.copy(kim)).id):
            with pytest.raises(BadArgument):
                await room.labs.sharing.add(room.instructor, room.lab.id, sid, "watch")
        for person, error in ((other, NotFound), (kim, Forbidden)):
            with pytest.raises(error):
                await room.labs.sharing.add(person, room.lab.id, theirs.id, "watch")


# -- holding ---------------------------------------------------------------------------------------------


async def everything_but_reading(room: Class, person: Person, sid: str) -> list[Any]:
    who = person.principal
    return await asyncio.gather(
        room.sessions.apply(who, sid, "alloc_page", ALLOC),
        room.sessions.batch(who, sid, [alloc()]),
        room.sessions.batch(who, sid, [alloc()] * 300),
        room.sessions.undo(who, sid),
        room.sessions.rewind(who, sid, 1),
        return_exceptions=True,
    )


async def test_a_frozen_lab_takes_no_calls_until_it_is_thawed(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        mine, shared = await room.copy(kim), await room.share("operate")
        await room.labs.rooms.freeze(room.instructor, room.lab.id, frozen=True)
        refused = await everything_but_reading(room, kim, mine.id)
        assert [type(error) for error in refused] == [Conflict] * 5
        with pytest.raises(Conflict, match="frozen"):
            await room.call(kim, shared.id, "alloc_page", **ALLOC)
        assert (await room.sessions.get(kim.principal, mine.id)).seq == 1
        await room.call(room.instructor, mine.id, "alloc_page", **ALLOC)
        await room.call(room.instructor, shared.id, "alloc_page", **ALLOC)
        await room.labs.rooms.freeze(room.instructor, room.lab.id, frozen=False)
        await room.call(kim, mine.id, "alloc_page", **ALLOC)


async def test_calls_and_freezing_at_the_same_time(tmp_path: Path) -> None:
    """No call is made that was sent after freezing had been answered."""
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        mine = await room.copy(kim)
        for _ in range(5):
            calls = [asyncio.create_task(room.call(kim, mine.id, "alloc_page", **ALLOC)) for _ in range(20)]
            await room.labs.rooms.freeze(room.instructor, room.lab.id, frozen=True)
            late = [room.call(kim, mine.id, "alloc_page", **ALLOC) for _ in range(20)]
            found = await asyncio.gather(*late, return_exceptions=True)
            assert [type(one) for one in found] == [Conflict] * 20
            await asyncio.gather(*calls, return_exceptions=True)
            await room.labs.rooms.freeze(room.instructor, room.lab.id, frozen=False)


async def test_another_process_sees_the_freeze_at_once(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room, labs_of(room.settings) as (others, _):
        kim = await room.join("Kim")
        mine = await room.copy(kim)
        await others.apply(kim.principal, mine.id, "alloc_page", ALLOC)
        await room.labs.rooms.freeze(room.instructor, room.lab.id, frozen=True)
        with pytest.raises(Conflict):
            await others.apply(kim.principal, mine.id, "alloc_page", ALLOC)


async def test_a_locked_machine_is_the_instructors_alone(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        mine, other = await room.copy(kim), await room.copy(kim)
        await room.labs.sharing.lock(room.instructor, room.lab.id, mine.id, locked=True)
        with pytest.raises(Conflict, match="locked"):
            await room.call(kim, mine.id, "alloc_page", **ALLOC)
        await room.call(kim, other.id, "alloc_page", **ALLOC)
        await room.call(room.instructor, mine.id, "alloc_page", **ALLOC)
        await room.labs.rooms.freeze(room.instructor, room.lab.id, frozen=True)
        await room.labs.rooms.freeze(room.instructor, room.lab.id, frozen=False)
        with pytest.raises(Conflict, match="locked"):  # thawing unlocks nothing
            await room.call(kim, mine.id, "alloc_page", **ALLOC)
        assert (await room.labs.sharing.reset(room.instructor, room.lab.id, mine.id)).seq == 3
        await room.labs.sharing.lock(room.instructor, room.lab.id, mine.id, locked=False)
        await room.call(kim, mine.id, "alloc_page", **ALLOC)
        with pytest.raises(NotFound):
            await room.labs.sharing.lock(room.instructor, room.lab.id, room.origin.id, locked=True)
        with pytest.raises(Forbidden):
            await room.labs.sharing.lock(kim, room.lab.id, other.id, locked=True)


async def test_a_closed_lab_is_read_for_ever_and_called_by_nobody(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        mine, shared = await room.copy(kim), await room.share("operate")
        closed = await room.labs.rooms.close(room.instructor, room.lab.id)
        assert closed.closed is not None
        assert closed.code is None
        for person in (kim, room.instructor):
            for sid in (mine.id, shared.id):
                with pytest.raises(Conflict, match="closed"):
                    await room.call(person, sid, "alloc_page", **ALLOC)
                assert (await room.sessions.dump(person.principal, sid))["zones"]
        sharing, rooms, lab = room.labs.sharing, room.labs.rooms, room.lab.id
        for refused in (
            room.copy(kim),
            room.sessions.fork(kim.principal, mine.id),
            room.sessions.create(kim.principal, "more", TINY),
            room.sessions.delete(kim.principal, mine.id),
            room.sessions.rename(kim.principal, mine.id, "x"),
            rooms.freeze(room.instructor, lab, frozen=True),
            rooms.renew_code(room.instructor, lab),
            rooms.close(room.instructor, lab),
            sharing.add(room.instructor, lab, room.origin.id, "prepared"),
            sharing.mark(room.instructor, lab, room.machine.id, 1, "x"),
            sharing.lock(room.instructor, lab, mine.id, locked=True),
            rooms.describe(room.instructor, lab, title="Was a lab"),
        ):
            with pytest.raises(Conflict):
                await refused


# -- checkpoints -----------------------------------------------------------------------------------------


async def demonstrate(room: Class) -> list[str]:
    """The instructor goes on with the prepared machine: checkpoints at 3 and 6; their ids."""
    who, lab = room.instructor, room.lab.id
    await room.sessions.batch(who.principal, room.origin.id, [alloc(0, "q"), free("$p", 3)])
    first = await room.labs.sharing.mark(who, lab, room.machine.id, 3, "The block is back")
    await room.sessions.batch(
        who.principal,
        room.origin.id,
        [BatchItem("alloc_page", {**ALLOC, "repeat": 200}, "fill"), alloc(4), alloc(2)],
    )
    second = await room.labs.sharing.mark(who, lab, room.machine.id, 6, "Full of holes")
    return [first.id, second.id]


async def test_catching_up(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee = await room.join("Kim"), await room.join("Lee")
        marks = await demonstrate(room)
        mine, other = await room.copy(kim), await room.copy(lee)
        await room.sessions.batch(kim.principal, mine.id, [alloc(5)] * 40)
        sharing, lab = room.labs.sharing, room.lab.id
        for seq, mark in zip((3, 6), marks, strict=True):
            assert (await sharing.catch_up(kim, lab, mine.id)).id == mark
            assert mine.id in await room.sessions.peek([mine.id], show.zones)  # open, as it was
            for look in (show.zones, show.tasks):
                now = await room.sessions.read(kim.principal, mine.id, look)
                then = await room.sessions.past(room.instructor.principal, room.origin.id, seq, look)
                assert now == then
        assert set(await room.sessions.names(kim.principal, mine.id)) == {"p", "q", "fill"}
        rows = [row.outcome for row in await room.sessions.events(kim.principal, mine.id, 41)]
        assert [(row["call"], row["by"]) for row in rows] == [
            ("rewind", "i1"),
            ("alloc_pages", "i1"),
            ("__free_pages", "i1"),
            ("rewind", "i1"),
            ("alloc_pages", "i1"),
            ("__free_pages", "i1"),
            ("alloc_page", "i1"),
            ("alloc_pages", "i1"),
            ("alloc_pages", "i1"),
        ]  # what was done by others is said to be theirs, and nothing of what was there is gone
        # The machine that is open knows the names.
        again = await room.call(kim, mine.id, "get_page", page="$q")
        assert (again["verdict"], again["by"]) == ("ok", "m1")
        with pytest.raises(Conflict, match="no further checkpoint"):
            await sharing.catch_up(kim, lab, mine.id)
        assert (await sharing.catch_up(kim, lab, mine.id, marks[0])).id == marks[0]
        await sharing.done(lee, lab, marks[0])
        assert (await sharing.catch_up(lee, lab, other.id)).id == marks[1]
        for person in (room.instructor, kim):  # everybody sees how far the class is
            found = await room.labs.wall.progress(person, lab)
            ways = {mark.id: (mark.reached, mark.done, mark.said) for mark in found.checkpoints.values()}
            assert (found.members, ways) == (2, {marks[0]: (2, 0, 1), marks[1]: (2, 0, 0)})
        with raw(room.settings) as db:
            how = db.execute("SELECT member_id, how FROM progress ORDER BY time").fetchall()
        assert how == [
            (kim.id, "caught up"), (kim.id, "caught up"), (lee.id, "said"), (lee.id, "caught up")
        ]  # fmt: skip


async def test_done_is_who_has_made_the_calls_and_said_is_who_has_not(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee, lim = [await room.join(name) for name in ("Kim", "Lee", "Lim")]
        sharing, lab = room.labs.sharing, room.lab.id
        lines = (alloc(0, "q"), BatchItem("get_page", {"page": "$q"}), alloc(2))
        await room.sessions.batch(room.instructor.principal, room.origin.id, lines)
        marks = [
            (await sharing.mark(room.instructor, lab, room.machine.id, seq, title)).id
            for seq, title in ((3, "two references"), (4, "a block"))
        ]
        copies = {person.id: (await room.copy(person)).id for person in (kim, lee, lim)}

        async def says(person: Person, mark: int) -> str:
            return await sharing.done(person, lab, marks[mark])

        assert await says(kim, 0) == "said"
        await room.sessions.batch(kim.principal, copies[kim.id], lines[:2])
        assert await says(kim, 0) == "done"
        assert await says(kim, 1) == "said"
        # Other calls may stand between them, and what was undone does not count.
        await room.call(kim, copies[kim.id], "page_count", page="$q")
        await room.sessions.batch(kim.principal, copies[kim.id], lines[2:])
        await room.sessions.undo(kim.principal, copies[kim.id])
        assert await says(kim, 1) == "said"
        await room.sessions.batch(kim.principal, copies[kim.id], lines[2:])
        assert await says(kim, 1) == "done"
        # Who was brought to the first has done the second by the calls after it alone.
        await sharing.catch_up(lee, lab, copies[lee.id])
        assert await says(lee, 0) == "caught up"
        await room.sessions.batch(lee.principal, copies[lee.id], lines[2:])
        assert await says(lee, 1) == "done"
        await sharing.catch_up(lim, lab, copies[lim.id], marks[1])
        assert await says(lim, 1) == "caught up"
        # Calls of the instructor in one's copy are not one's own.
        await room.sessions.rewind(lim.principal, copies[lim.id], 1)
        await room.sessions.batch(room.instructor.principal, copies[lim.id], lines)
        assert await says(lim, 1) == "caught up"
        found = (await room.labs.wall.progress(room.instructor, lab)).checkpoints
        assert [found[mark][2:] for mark in marks] == [(2, 1, 0), (3, 2, 0)]


async def test_names_go_along_with_what_was_freed_and_come_back_with_a_reset(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        who, lab = room.instructor, room.lab.id
        copy = await room.copy(kim)
        assert set(await room.sessions.names(kim.principal, copy.id)) == {"p"}
        later = [free("$p", 3), alloc(1, "q"), alloc(0, "r"), alloc(0)]
        await room.sessions.batch(who.principal, room.origin.id, later)
        await room.labs.sharing.mark(who, lab, room.machine.id, 3, "freed")
        await room.labs.sharing.catch_up(kim, lab, copy.id)
        names = await room.sessions.names(kim.principal, copy.id)
        assert set(names) == {"p", "q"}  # and not r
        again = await room.call(kim, copy.id, "__free_pages", page="$p", order=3)
        assert again["verdict"] == "bug"
        await room.labs.sharing.reset(who, lab, copy.id)
        assert set(await room.sessions.names(kim.principal, copy.id)) == {"p"}
        assert (await room.call(kim, copy.id, "get_page", page="$p"))["verdict"] == "ok"


async def test_another_copy_is_brought_to_where_one_has_come(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        marks = await demonstrate(room)
        first, second = await room.copy(kim), await room.copy(kim)
        for mark in marks:
            assert (await room.labs.sharing.catch_up(kim, room.lab.id, first.id)).id == mark
        with pytest.raises(Conflict, match="no further checkpoint"):
            await room.labs.sharing.catch_up(kim, room.lab.id, first.id)
        assert (await room.labs.sharing.catch_up(kim, room.lab.id, second.id)).id == marks[-1]


async def test_catching_up_knows_the_lists_that_calls_have_returned(tmp_path: Path) -> None:
    """A list made before the copies, one made on the way, and names of both."""
    async with a_class(tmp_path) as room:
        who, lab = room.instructor, room.lab.id
        fill = BatchItem("alloc_page", {**ALLOC, "repeat": 200}, "early")
        await room.sessions.batch(who.principal, room.origin.id, [fill])
        prepared = await room.labs.sharing.add(who, lab, room.origin.id, "prepared")
        kim = await room.join("Kim")
        mine = await room.labs.sharing.copy(kim, lab, prepared.id)
        freeing = [
            BatchItem("__free_pages", {"page": f"${name}", "order": 0, "step": 2})
            for name in ("early", "late")
        ]
        await room.sessions.batch(
            who.principal, room.origin.id, [fill._replace(as_name="late"), *freeing, alloc(3)]
        )
        await room.labs.sharing.mark(who, lab, prepared.id, 6, "Holes in both")
        await room.call(kim, mine.id, "alloc_page", **ALLOC)
        await room.labs.sharing.catch_up(kim, lab, mine.id)
        then = await room.sessions.past(who.principal, room.origin.id, 6, show.zones)
        assert await room.sessions.read(kim.principal, mine.id, show.zones) == then
        assert set(await room.sessions.names(kim.principal, mine.id)) == {"p", "early", "late"}
        for name in ("early", "late"):  # the other half of each
            body = {"page": f"${name}", "order": 0, "start": 1, "step": 2}
            assert (await room.call(kim, mine.id, "__free_pages", **body))["ret"] == 100
            assert (await room.call(who, room.origin.id, "__free_pages", **body))["ret"] == 100
        then = await room.sessions.read(who.principal, room.origin.id, show.zones)
        assert await room.sessions.read(kim.principal, mine.id, show.zones) == then


async def test_who_may_not_catch_up(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee = await room.join("Kim"), await room.join("Lee")
        marks = await demonstrate(room)
        mine = await room.copy(kim)
        sharing, lab = room.labs.sharing, room.lab.id
        for person, sid, mark, error in (
            (lee, mine.id, None, NotFound),
            (room.instructor, mine.id, None, NotFound),
            (kim, "nothing", None, NotFound),
            (kim, mine.id, "nothing", NotFound),
            (kim, (await room.sessions.create(kim.principal, "own", TINY)).id, None, Conflict),
            (await other_instructor(room), mine.id, None, NotFound),
        ):
            with pytest.raises(error):
                await sharing.catch_up(person, lab, sid, mark)
        with pytest.raises(Conflict):
            await sharing.done(room.instructor, lab, marks[0])
        with pytest.raises(NotFound):
            await sharing.done(kim, lab, "nothing")
        await room.labs.rooms.freeze(room.instructor, lab, frozen=True)
        with pytest.raises(Conflict, match="frozen"):
            await sharing.catch_up(kim, lab, mine.id)
        assert (await room.sessions.get(kim.principal, mine.id)).seq == 1


async def test_where_a_checkpoint_may_be(tmp_path: Path) -> None:
    async with a_class(tmp_path, batch_calls=5) as room:
        marks = await demonstrate(room)
        sharing, who, lab, machine = room.labs.sharing, room.instructor, room.lab.id, room.machine.id
        for seq, title, error in (
            (1, "x", BadArgument),
            (0, "x", BadArgument),
            (7, "x", BadArgument),
            (3, "again", Conflict),
            (4, "", BadArgument),
            (1 << 62, "x", BadArgument),
        ):
            with pytest.raises(error):
                await sharing.mark(who, lab, machine, seq, title)
        await room.sessions.rewind(who.principal, room.origin.id, 0)
        await room.sessions.batch(who.principal, room.origin.id, [alloc()])
        with pytest.raises(BadArgument, match="does not go back"):
            await sharing.mark(who, lab, machine, 8, "another history")
        await room.sessions.rewind(who.principal, room.origin.id, 1)
        await room.sessions.batch(who.principal, room.origin.id, [alloc()] * 5)
        await sharing.mark(who, lab, machine, 14, "five calls")
        await room.sessions.batch(who.principal, room.origin.id, [alloc()])
        with pytest.raises(LimitReached):
            await sharing.mark(who, lab, machine, 15, "six calls")
        await sharing.unmark(who, lab, marks[0])
        with pytest.raises(NotFound):
            await sharing.unmark(who, lab, marks[0])
        shared = await room.share("operate")
        machines = (await room.labs.rooms.get(who, lab)).machines
        theirs = next(one for one in machines if one.session_id == shared.id)
        with pytest.raises(BadArgument):
            await sharing.mark(who, lab, theirs.id, 1, "x")


# -- ends ------------------------------------------------------------------------------------------------


async def test_a_member_is_deleted_with_all_that_is_theirs(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        entered, _ = await room.labs.authentication.join(str(room.lab.code), "Kim the Unforgettable")
        kim = entered.person
        mine, shared = await room.copy(kim), await room.share("operate")
        await room.sessions.batch(kim.principal, shared.id, [alloc(0, "mine")])
        reader = await room.sessions.follow(kim.principal, shared.id)
        await room.labs.rooms.delete_member(room.instructor, room.lab.id, 1)
        assert await room.labs.authentication.identify(entered.secret) is None
        assert await reader.next() is None
        with pytest.raises(NotFound):
            await room.sessions.get(room.instructor.principal, mine.id)
        (row,) = [row.outcome for row in await room.sessions.events(room.instructor.principal, shared.id)]
        assert row["by"] == "m1"
        with raw(room.settings) as db:
            assert db.execute("SELECT count(*) FROM names WHERE person = ?", (kim.id,)).fetchone() == (0,)
            assert db.execute("SELECT count(*) FROM tokens WHERE holder = ?", (kim.id,)).fetchone() == (0,)
            everything = "\n".join(db.iterdump())
        assert "Unforgettable" not in everything


async def test_a_lab_is_deleted_and_what_was_shared_stays(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        await demonstrate(room)
        mine, shared = await room.copy(kim), await room.share("watch")
        await room.labs.sharing.catch_up(kim, room.lab.id, mine.id)
        await room.labs.rooms.delete(room.instructor, room.lab.id)
        with pytest.raises(NotFound):
            await room.labs.rooms.get(room.instructor, room.lab.id)
        left = {info.id for info in (await room.sessions.list(room.instructor.principal)).items}
        assert left == {room.origin.id, shared.id}
        await room.call(room.instructor, shared.id, "alloc_page", **ALLOC)
        with raw(room.settings) as db:
            for table in ("members", "lab_machines", "checkpoints", "progress", "labs", "access"):
                assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


async def test_a_session_that_is_deleted_leaves_its_labs(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        mine = await room.copy(kim)
        await room.sessions.delete(room.instructor.principal, room.origin.id)
        assert (await room.labs.rooms.get(kim, room.lab.id)).machines == ()
        await room.call(kim, mine.id, "alloc_page", **ALLOC)


async def test_labs_where_nothing_happens_are_deleted_when_that_is_wanted(tmp_path: Path) -> None:
    async with a_class(tmp_path, retention_days=30) as room:
        kim = await room.join("Kim")
        mine = await room.copy(kim)
        await room.call(kim, mine.id, "alloc_page", **ALLOC)
        assert await room.labs.rooms.forget_idle() == 0
        long_ago = "2020-01-01T00:00:00.000Z"
        with raw(room.settings) as db:
            db.execute("UPDATE labs SET created = ?", (long_ago,))
            db.execute("UPDATE members SET joined = ?", (long_ago,))
        assert await room.labs.rooms.forget_idle() == 0  # somebody called today
        with raw(room.settings) as db:
            db.execute("UPDATE journal SET time = ?", (long_ago,))
        assert await room.labs.rooms.forget_idle() == 1
        last, *_ = await room.labs.acts(room.instructor, 3)
        assert (last.act.actor, last.act.act, last.act.target) == ("server", "delete a lab", room.lab.id)
        assert await room.labs.rooms.listed(room.instructor) == []


# -- what is written down --------------------------------------------------------------------------------


async def test_the_audit_log_is_only_added_to(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        other = await other_instructor(room)
        kim = await room.join("Kim the Unforgettable")
        await room.labs.rooms.freeze(room.instructor, room.lab.id, frozen=True)
        theirs = await room.labs.rooms.create(other, "Theirs")
        acts = [noted.act.act for noted in await room.labs.acts(room.instructor, 100)]
        assert acts[:2] == ["freeze a lab", "invite an instructor"]
        assert all(n.act.lab_id != theirs.id for n in await room.labs.acts(room.instructor, 100))
        first = await room.labs.acts(room.instructor, 2)
        assert (await room.labs.acts(room.instructor, 1, first[-1].id))[0].act.act == acts[2]
        with pytest.raises(Forbidden):
            await room.labs.acts(kim, 10)
        with raw(room.settings) as db:
            for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
                with pytest.raises(Exception, match="only added to"):
                    db.execute(statement)
            log = repr(db.execute("SELECT * FROM audit").fetchall())
        assert "Unforgettable" not in log


async def test_who_sees_which_lab(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        other, kim = await other_instructor(room), await room.join("Kim")
        rooms, lab = room.labs.rooms, room.lab.id
        assert [one.id for one in await rooms.listed(room.instructor)] == [lab]
        assert [(one.id, one.code) for one in await rooms.listed(kim)] == [(lab, None)]
        assert await rooms.listed(other) == []
        assert (await rooms.get(kim, lab)).code is None
        for person, error in ((other, NotFound), (kim, Forbidden)):
            for refused in (
                rooms.roster(person, lab),
                rooms.freeze(person, lab, frozen=True),
                rooms.close(person, lab),
                rooms.delete(person, lab),
                rooms.renew_code(person, lab),
                rooms.delete_member(person, lab, 1),
                room.labs.wall.state(person, lab),
                room.labs.wall.activity(person, lab),
                room.labs.presenting.show(person, lab, None),
            ):
                with pytest.raises(error):
                    await refused
        with pytest.raises(Forbidden):
            await rooms.create(kim, "mine")
        assert (await rooms.member(kim, lab, 1)).nickname == "Kim"
        lee = await room.join("Lee")
        with pytest.raises(NotFound):
            await rooms.member(lee, lab, 1)


async def test_activity_counts_what_each_has_done(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee = await room.join("Kim"), await room.join("Lee")
        await demonstrate(room)
        mine, shared = await room.copy(kim), await room.share("operate")
        await room.sessions.batch(kim.principal, mine.id, [alloc()] * 7)
        await room.call(kim, shared.id, "alloc_page", **ALLOC)
        await room.call(lee, shared.id, "alloc_page", **ALLOC)
        await room.call(room.instructor, mine.id, "alloc_page", **ALLOC)
        await room.labs.sharing.catch_up(kim, room.lab.id, mine.id)
        found = await room.labs.wall.activity(room.instructor, room.lab.id)
        assert [(one.number, one.nickname, one.calls, one.seq, one.checkpoint) for one in found] == [
            (1, "Kim", 8, 1, "The block is back"),
            (2, "Lee", 1, 2, None),
        ]
        assert found[0].last_call is not None
        assert found[1].last_call is not None


async def test_a_class_is_found_again_after_a_restart(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        entered, _ = await room.labs.authentication.join(str(room.lab.code), "Kim")
        mine = await room.copy(entered.person)
        await room.labs.sharing.lock(room.instructor, room.lab.id, mine.id, locked=True)
        settings, lab = room.settings, room.lab
    async with labs_of(settings) as (sessions, labs):
        kim = await labs.authentication.identify(entered.secret)
        assert kim == entered.person
        with pytest.raises(Conflict, match="locked"):
            await sessions.apply(kim.principal, mine.id, "alloc_page", ALLOC)
        found: Lab = await labs.rooms.get(kim, lab.id)
        assert found.title == lab.title
        assert await sessions.query(session_rows.of_lab, lab.id)
