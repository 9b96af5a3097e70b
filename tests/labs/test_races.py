"""What is deleted or called while something else needs it: nobody else notices, and nothing is left."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.labs import Person
from app.sessions import BatchItem, Conflict, NotFound
from app.store import Connection, IntegrityError, bound_names
from tests.support.classroom import Class, a_class
from tests.support.factories import TINY, alloc, database, free, raw

ALLOC = {"gfp": "GFP_KERNEL"}
GONE = (Conflict, NotFound)


async def mark(room: Class) -> str:
    """A checkpoint two calls behind the start, where things are named."""
    who = room.instructor
    await room.sessions.batch(who.principal, room.origin.id, [alloc(0, "q"), free("$p", 3)])
    return (await room.labs.sharing.mark(who, room.lab.id, room.machine.id, 3, "there")).id


def dangling(db: Connection) -> None:
    """A statement that builds on a session that there is not."""
    bound_names.put(db, "nothing", "nobody", {"p": "{}"})


async def test_a_statement_without_ground_fails_alone(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        mine = await room.copy(kim)
        made = await asyncio.gather(
            room.call(kim, mine.id, "alloc_page", **ALLOC),
            room.sessions.execute(dangling),
            room.call(kim, mine.id, "alloc_page", **ALLOC),
            return_exceptions=True,
        )
        assert [type(one) for one in made] == [dict, Conflict, dict]
        assert (await room.sessions.get(kim.principal, mine.id)).seq == 3
        assert not issubclass(Conflict, IntegrityError)


async def test_catching_up_while_the_copy_is_deleted(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim, lee = await room.join("Kim"), await room.join("Lee")
        await mark(room)
        others = await room.copy(lee)
        for delay in range(12):
            mine = await room.copy(kim)
            catching = asyncio.create_task(room.labs.sharing.catch_up(kim, room.lab.id, mine.id))
            calling = asyncio.create_task(room.call(lee, others.id, "alloc_page", **ALLOC))
            for _ in range(delay * 3):
                await asyncio.sleep(0)
            await room.sessions.delete(kim.principal, mine.id)
            (caught,) = await asyncio.gather(catching, return_exceptions=True)
            assert not isinstance(caught, Exception) or isinstance(caught, GONE)
            assert (await calling)["verdict"] == "ok"
            with raw(room.settings) as db:
                db.execute("DELETE FROM progress")


async def test_marking_while_the_machine_is_removed(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        sharing, who, lab = room.labs.sharing, room.instructor, room.lab.id
        await room.sessions.batch(who.principal, room.origin.id, [alloc()] * 5)
        for seq in range(2, 6):
            machine = await sharing.add(who, lab, room.origin.id, "prepared", seq=1)
            marking = asyncio.create_task(sharing.mark(who, lab, machine.id, seq, "x"))
            for _ in range(seq * 4):
                await asyncio.sleep(0)
            await sharing.remove(who, lab, machine.id)
            (marked,) = await asyncio.gather(marking, return_exceptions=True)
            assert not isinstance(marked, Exception) or isinstance(marked, GONE)


async def test_calls_beside_catching_up_come_before_it_or_after(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        place = await mark(room)
        for _ in range(6):
            mine = await room.copy(kim)
            await room.sessions.batch(kim.principal, mine.id, [alloc()])
            caught, *_ = await asyncio.gather(
                room.labs.sharing.catch_up(kim, room.lab.id, mine.id, place),
                *(room.call(kim, mine.id, "alloc_page", **ALLOC) for _ in range(6)),
                return_exceptions=True,
            )
            rows = [row.outcome for row in await room.sessions.events(kim.principal, mine.id, 1)]
            whole = [("rewind", "i1"), ("alloc_pages", "i1"), ("__free_pages", "i1")]
            made = [(row["call"], row["by"]) for row in rows]
            assert isinstance(caught, Conflict) or any(
                made[first : first + 3] == whole for first in range(len(made))
            )


async def test_twice_at_once_is_one_checkpoint(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        place = await mark(room)
        mine = await room.copy(kim)
        twice = [room.labs.sharing.catch_up(kim, room.lab.id, mine.id, place) for _ in range(2)]
        await asyncio.gather(*twice)
        rows = [row.outcome["call"] for row in await room.sessions.events(kim.principal, mine.id, 1)]
        assert rows[-2:] == ["alloc_pages", "__free_pages"]
        assert rows.count("alloc_pages") == rows.count("rewind") + 1


async def everything_at_once(room: Class, person: Person) -> list[Any]:
    return await asyncio.gather(
        room.copy(person),
        room.sessions.create(person.principal, "own", TINY),
        room.labs.authentication.renew(person, "entry"),
        room.labs.rooms.delete_member(room.instructor, room.lab.id, person.number),
        room.copy(person),
        room.sessions.create(person.principal, "own", TINY),
        room.labs.authentication.renew(person, "script"),
        return_exceptions=True,
    )


async def test_nothing_of_a_member_is_left_whatever_they_do_meanwhile(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        for number in range(8):
            person = await room.join(f"student {number}")
            for one in await everything_at_once(room, person):
                assert not isinstance(one, Exception) or isinstance(one, GONE), one
        with raw(room.settings) as db:
            owners = {owner for (owner,) in db.execute("SELECT owner FROM sessions")}
            holders = {holder for (holder,) in db.execute("SELECT holder FROM tokens")}
        assert owners == {room.instructor.id}
        assert holders == {room.instructor.id}


async def test_nothing_is_made_in_a_lab_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        made = await asyncio.gather(
            *(room.sessions.create(kim.principal, "own", TINY) for _ in range(3)),
            room.labs.rooms.delete(room.instructor, room.lab.id),
            *(room.sessions.create(kim.principal, "own", TINY) for _ in range(3)),
            return_exceptions=True,
        )
        assert all(not isinstance(one, Exception) or isinstance(one, GONE) for one in made)
        with raw(room.settings) as db:
            assert db.execute("SELECT count(*) FROM sessions").fetchone() == (1,)


async def test_what_was_left_by_a_crash_is_found(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        mine = await room.copy(kim)
        with raw(room.settings) as db:
            db.execute("DELETE FROM members")
        await room.labs.rooms.clear_orphans()
        with pytest.raises(NotFound):
            await room.sessions.get(room.instructor.principal, mine.id)


@pytest.mark.sqlite
async def test_what_is_deleted_stands_in_no_file(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim the Unforgettable")
        mine = await room.copy(kim)
        await room.sessions.rename(kim.principal, mine.id, "an unforgettable machine")
        await room.sessions.batch(kim.principal, mine.id, [alloc(0, "unforgettable_name")])
        await room.labs.rooms.delete_member(room.instructor, room.lab.id, 1)
        path = database(room.settings)
        kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert b"nforgettable" not in kept


async def test_a_locked_machine_is_neither_deleted_nor_renamed_nor_branched_off(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        mine = await room.copy(kim)
        await room.labs.sharing.lock(room.instructor, room.lab.id, mine.id, locked=True)
        for refused in (
            room.sessions.delete(kim.principal, mine.id),
            room.sessions.rename(kim.principal, mine.id, "other"),
            room.sessions.fork(kim.principal, mine.id),
        ):
            with pytest.raises(Conflict, match="locked"):
                await refused
        await room.sessions.rename(room.instructor.principal, mine.id, "held")


async def test_names_go_along_as_far_as_they_were_there(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        who, sid = room.instructor.principal, room.origin.id
        later = [
            alloc(0, "q"),
            BatchItem("kmalloc", {"size": 100, "flags": "GFP_KERNEL"}, "k"),
            BatchItem("vmalloc", {"size": 9000}, "v"),
            BatchItem("alloc_page", {**ALLOC, "repeat": 3}, "fill"),
            free("$q"),
            alloc(0, "again"),  # the frame that q was
            BatchItem("kfree", {"addr": "$k"}),
        ]
        await room.sessions.batch(who, sid, later)
        kim = await room.join("Kim")
        known = {}
        for seq in range(9):
            machine = await room.labs.sharing.add(room.instructor, room.lab.id, sid, "prepared", seq=seq)
            copy = await room.labs.sharing.copy(kim, room.lab.id, machine.id)
            known[seq] = set(await room.sessions.names(kim.principal, copy.id))
        assert known[0] == set()
        assert known[1] == {"p"}
        assert known[3] >= {"p", "k"}
        assert known[5] >= {"p", "k", "v", "fill"}
        assert "v" not in known[3]
        assert "again" not in known[5]
        assert known[8] == {"p", "q", "k", "v", "fill", "again"}  # as they are
