"""A lab that is full: who waits, who comes in, who makes room, and what a stranger with the code can do."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.errors import BadArgument
from app.labs import Person, authentication, csvfile, removing
from app.rates import Rates
from app.sessions import Conflict, Forbidden, LimitReached, NotFound, TooMany
from app.store import people
from app.store import waiting as rows_of_waiting
from tests.support.classroom import Class, a_class

MINUTES_AGO = "2026-01-01T00:00:00.000Z"


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Class]:
    """A lab that expects two, and may have six."""
    async with a_class(tmp_path, members_per_lab=6) as room:
        await room.labs.rooms.expect(room.instructor, room.lab.id, 2)
        yield room


async def names_in(room: Class) -> list[str]:
    """Members."""
    return [row.nickname for row in await room.labs.rooms.roster(room.instructor, room.lab.id)]


async def who_wait(room: Class) -> list[str]:
    return [row.nickname for row in await room.labs.admission.listed(room.instructor, room.lab.id)]


async def now(room: Class, person: Person) -> Person:
    return await room.labs.admission.look(person)


async def unseen(room: Class, *waiting: Person) -> None:
    """As if some had not asked for minutes."""
    for person in waiting:
        await room.sessions.execute(
            lambda db, person=person: rows_of_waiting.seen(db, person.id, MINUTES_AGO)
        )


# -- waiting -----------------------------------------------------------------------------------------------


async def test_who_joins_a_full_lab_waits(room: Class) -> None:
    kim, lee, pat = [await room.join(name) for name in ("Kim", "Lee", "Pat")]
    assert (kim.waiting, lee.waiting, pat.waiting) == (False, False, True)
    assert await names_in(room) == ["Kim", "Lee"]
    assert await who_wait(room) == ["Pat"]
    waits = await room.labs.admission.waits(pat)
    assert (waits.lab, waits.instructor, waits.closed) == ("Buddies", "Prof. Kim", False)
    assert (await now(room, pat)).waiting


async def test_who_waits_sees_and_does_nothing(room: Class) -> None:
    pat = [await room.join(name) for name in ("Kim", "Lee", "Pat")][-1]
    labs, lab, machine = room.labs, room.lab.id, room.machine.id
    for doing in (
        labs.rooms.get(pat, lab),
        labs.rooms.listed(pat),
        labs.rooms.member(pat, lab, pat.number),
        labs.sharing.copy(pat, lab, machine),
        labs.sharing.copies(pat, lab),
        labs.sharing.reached(pat, lab),
        labs.wall.progress(pat, lab),
        labs.wall.state(pat, lab),
        labs.presenting.shown(pat, lab),
        labs.news.follow(pat, lab),
        labs.admission.admit(pat, lab),
        labs.admission.turn_away(pat, lab),
        labs.admission.listed(pat, lab),
    ):
        with pytest.raises(Forbidden):
            await doing
    assert await who_wait(room) == ["Pat"]


async def test_who_waits_is_no_member_anywhere(room: Class) -> None:
    _, _, pat = [await room.join(name) for name in ("Kim", "Lee", "Pat")]
    labs, teacher, lab = room.labs, room.instructor, room.lab.id
    state = await labs.wall.state(teacher, lab)
    assert [tile.nickname for tile in state.tiles] == ["Kim", "Lee"]
    assert (state.whole.members, state.whole.waiting, state.whole.newest) == (2, 1, ("Pat",))
    assert (await labs.wall.progress(teacher, lab)).members == 2
    activity = await labs.wall.activity(teacher, lab)
    assert [row.nickname for row in activity] == ["Kim", "Lee"]
    assert b"Pat" not in csvfile.activity(activity)
    assert "m3" not in await labs.rooms.names(lab)
    assert b"Pat" not in b"".join([part async for part in await labs.exporting.lab(teacher, lab)])
    with pytest.raises(NotFound):
        await labs.exporting.member(teacher, lab, pat.number)
    with pytest.raises(NotFound):
        await labs.rooms.delete_member(teacher, lab, pat.number)


# -- admitting ---------------------------------------------------------------------------------------------


async def test_admitting_one_some_and_all(room: Class) -> None:
    waiting = [await room.join(name) for name in ("A", "B", "C", "D", "E", "F")][2:]
    c, d, e, f = (person.number for person in waiting)
    admit, teacher, lab = room.labs.admission.admit, room.instructor, room.lab.id
    assert await admit(teacher, lab, [d]) == [d]
    assert await admit(teacher, lab, [c, d, 999]) == [c]  # who does not wait is passed over
    assert await who_wait(room) == ["E", "F"]
    assert await admit(teacher, lab) == [e, f]
    assert await admit(teacher, lab) == []
    assert await names_in(room) == ["A", "B", "C", "D", "E", "F"]
    assert [(await now(room, person)).waiting for person in waiting] == [False] * 4
    assert await room.copy(await now(room, waiting[0]))


async def test_a_token_of_who_waited_is_a_members_at_once(room: Class) -> None:
    for name in ("Kim", "Lee"):
        await room.join(name)
    assert room.lab.code is not None
    entered, _ = await room.labs.authentication.join(room.lab.code, "Pat")
    identify = room.labs.authentication.identify
    assert (found := await identify(entered.secret)) is not None
    assert found.waiting
    await room.labs.admission.admit(room.instructor, room.lab.id, [entered.person.number])
    assert (found := await identify(entered.secret)) is not None
    assert not found.waiting
    assert found.number == entered.person.number


async def test_no_more_are_admitted_than_a_lab_may_have(room: Class) -> None:
    waiting = [await room.join(f"n{number}") for number in range(9)][2:]
    admit, teacher, lab = room.labs.admission.admit, room.instructor, room.lab.id
    with pytest.raises(LimitReached):  # all of those who are named, or none
        await admit(teacher, lab, [person.number for person in waiting])
    assert len(await who_wait(room)) == 7
    assert await admit(teacher, lab) == [3, 4, 5, 6]  # as far as there is room
    with pytest.raises(LimitReached):
        await admit(teacher, lab)
    assert len(await who_wait(room)) == 3


async def test_numbers_are_few(room: Class) -> None:
    for numbers in ([], list(range(1001))):
        for doing in (room.labs.admission.admit, room.labs.admission.turn_away):
            with pytest.raises(BadArgument):
                await doing(room.instructor, room.lab.id, numbers)


async def test_where_more_are_expected_the_first_come_in(room: Class) -> None:
    waiting = [await room.join(name) for name in ("A", "B", "C", "D", "E")][2:]
    lab = await room.labs.rooms.expect(room.instructor, room.lab.id, 4)
    assert lab.expected == 4
    assert await names_in(room) == ["A", "B", "C", "D"]
    assert [(await now(room, person)).waiting for person in waiting] == [False, False, True]
    await room.labs.rooms.expect(room.instructor, room.lab.id, 1)  # nobody is thrown out
    assert len(await names_in(room)) == 4
    assert (await room.join("F")).waiting
    for wrong in (0, -1, 7, 10**18):
        with pytest.raises(BadArgument):
            await room.labs.rooms.expect(room.instructor, room.lab.id, wrong)


async def test_a_closed_lab_admits_nobody(room: Class) -> None:
    pat = [await room.join(name) for name in ("Kim", "Lee", "Pat")][-1]
    await room.labs.rooms.close(room.instructor, room.lab.id)
    with pytest.raises(Conflict):
        await room.labs.admission.admit(room.instructor, room.lab.id)
    assert (await room.labs.admission.waits(pat)).closed
    assert await room.labs.admission.turn_away(room.instructor, room.lab.id) == 1


# -- turning away and leaving ------------------------------------------------------------------------------


async def test_who_is_turned_away_is_gone(room: Class) -> None:
    assert room.lab.code is not None
    entered = [
        (await room.labs.authentication.join(room.lab.code, name))[0] for name in ("A", "B", "C", "D", "E")
    ]
    turn_away, teacher, lab = room.labs.admission.turn_away, room.instructor, room.lab.id
    assert await turn_away(teacher, lab, [1, 3]) == 1  # 1 is a member
    assert await room.labs.authentication.identify(entered[2].secret) is None
    with pytest.raises(NotFound):
        await now(room, entered[2].person)
    assert await turn_away(teacher, lab) == 2
    assert await turn_away(teacher, lab) == 0
    assert await names_in(room) == ["A", "B"]
    assert (await room.join("C")).number == 6  # no number is given again


async def test_many_are_turned_away_in_parts(room: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removing, "REMOVED_AT_ONCE", 2)
    for number in range(9):
        await room.join(f"n{number}")
    assert await room.labs.admission.turn_away(room.instructor, room.lab.id) == 7
    acts = [noted.act for noted in await room.labs.acts(room.instructor, 10) if noted.act.act == "turn away"]
    assert [act.detail for act in acts] == ["1 who waited", "2 who waited", "2 who waited", "2 who waited"]


async def test_who_signs_out_gives_up_the_place(room: Class) -> None:
    for name in ("Kim", "Lee"):
        await room.join(name)
    assert room.lab.code is not None
    entered, _ = await room.labs.authentication.join(room.lab.code, "Pat")
    await room.labs.authentication.leave(entered.secret)
    assert await who_wait(room) == []
    assert await room.labs.authentication.identify(entered.secret) is None


async def test_admitting_who_leaves_at_the_same_moment(room: Class) -> None:
    for name in ("Kim", "Lee"):
        await room.join(name)
    assert room.lab.code is not None
    for _ in range(10):
        entered, _lab = await room.labs.authentication.join(room.lab.code, "Pat")
        number = entered.person.number
        admitted, _none = await asyncio.gather(
            room.labs.admission.admit(room.instructor, room.lab.id, [number]),
            room.labs.authentication.leave(entered.secret),
        )
        # Either they were admitted and signed out then, or they were gone already.
        assert ("Pat" in await names_in(room)) == (admitted == [number])
        assert await room.labs.authentication.identify(entered.secret) is None
        assert await who_wait(room) == []
        if admitted:
            await room.labs.rooms.delete_member(room.instructor, room.lab.id, number)


async def test_two_who_judge_the_same_person(room: Class) -> None:
    for name in ("Kim", "Lee"):
        await room.join(name)
    for _ in range(5):
        pat = await room.join("Pat")
        admitted, away = await asyncio.gather(
            room.labs.admission.admit(room.instructor, room.lab.id, [pat.number]),
            room.labs.admission.turn_away(room.instructor, room.lab.id, [pat.number]),
        )
        assert (len(admitted), away) in ((1, 0), (0, 1))
        assert ("Pat" in await names_in(room)) == bool(admitted)
        if admitted:
            await room.labs.rooms.delete_member(room.instructor, room.lab.id, pat.number)


# -- a flood -----------------------------------------------------------------------------------------------


async def test_who_does_not_ask_makes_room(room: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "MOST_WAITING", 4)
    waiting = [await room.join(f"n{number}") for number in range(6)][2:]
    with pytest.raises(TooMany) as refused:
        await room.join("late")
    assert "try again in a minute" in str(refused.value)
    await unseen(room, waiting[1], waiting[2])
    await now(room, waiting[1])  # asks again, and keeps the place
    assert (await room.join("late")).waiting
    assert await who_wait(room) == ["n2", "n3", "n5", "late"]
    with pytest.raises(NotFound):
        await now(room, waiting[2])
    with pytest.raises(TooMany):
        await room.join("later")
    assert await names_in(room) == ["n0", "n1"]


@pytest.mark.slow
async def test_a_stranger_fills_neither_the_lab_nor_the_waiting_room_for_good(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        labs, teacher, lab = room.labs, room.instructor, room.lab.id
        labs.authentication._joins = Rates(1e6, 1_000_000)
        early = await room.join("Early")
        await room.copy(early)
        flood = await asyncio.gather(*(room.join(f"x{n}") for n in range(500)), return_exceptions=True)
        assert sum(isinstance(one, TooMany) for one in flood) == 500 - 119 - 240
        assert all(isinstance(one, Person | TooMany) for one in flood)
        with pytest.raises(TooMany):  # for a minute
            await room.join("Kim")
        await unseen(room, *(one for one in flood if isinstance(one, Person) and one.waiting))
        kim = await room.join("Kim")
        assert kim.waiting
        assert (await labs.admission.newest(teacher, lab, 1)).newest[0].nickname == "Kim"
        # The instructor's two clicks.
        assert await labs.rooms.remove_idle(teacher, lab) == 119
        assert await labs.admission.admit(teacher, lab, [kim.number]) == [kim.number]
        assert await names_in(room) == ["Early", "Kim"]
        assert not (await room.join("Lee")).waiting  # and whoever comes now
        assert await labs.admission.turn_away(teacher, lab) == 239


# -- members who have done nothing -------------------------------------------------------------------------


async def test_who_has_done_anything_stays(room: Class) -> None:
    rooms, sharing, teacher, lab = room.labs.rooms, room.labs.sharing, room.instructor, room.lab.id
    await rooms.expect(teacher, lab, 6)
    copied, called, reached, idle, gone = [await room.join(name) for name in ("A", "B", "C", "D", "E")]
    await room.copy(copied)
    shared = await room.share("operate")
    await room.call(called, shared.id, "alloc_page", gfp="GFP_KERNEL")
    await room.sessions.apply(teacher.principal, room.origin.id, "alloc_page", {"gfp": "GFP_KERNEL"})
    mark = await sharing.mark(teacher, lab, room.machine.id, 2, "a page")
    await sharing.done(reached, lab, mark.id)
    copy = await room.copy(gone)
    await room.sessions.delete(gone.principal, copy.id)
    assert [row.nickname for row in await rooms.idle(teacher, lab)] == ["D", "E"]
    assert await rooms.remove_idle(teacher, lab) == 2
    assert await names_in(room) == ["A", "B", "C"]
    assert await rooms.remove_idle(teacher, lab) == 0
    acts = [noted.act for noted in await room.labs.acts(teacher, 10)]
    assert [act.detail for act in acts if act.act == "remove idle members"] == ["0 members", "2 members"]
    with pytest.raises(Forbidden):
        await rooms.remove_idle(idle, lab)


async def test_idle_members_go_in_parts_and_calls_go_on(room: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removing, "REMOVED_AT_ONCE", 2)
    await room.labs.rooms.expect(room.instructor, room.lab.id, 6)
    kim = await room.join("Kim")
    copy = await room.copy(kim)
    for number in range(5):
        await room.join(f"n{number}")
    cut = []

    async def cut_log() -> None:
        cut.append(True)

    monkeypatch.setattr(room.sessions, "cut_log", cut_log)
    removed, _ = await asyncio.gather(
        room.labs.rooms.remove_idle(room.instructor, room.lab.id),
        room.call(kim, copy.id, "alloc_page", gfp="GFP_KERNEL"),
    )
    assert removed == 5
    assert cut == [True]  # once for all
    assert await names_in(room) == ["Kim"]


async def test_deleting_a_lab_takes_those_who_wait_along(room: Class) -> None:
    assert room.lab.code is not None
    entered = [(await room.labs.authentication.join(room.lab.code, name))[0] for name in ("A", "B", "C")]
    await room.labs.rooms.delete(room.instructor, room.lab.id)
    for one in entered:
        assert await room.labs.authentication.identify(one.secret) is None
        assert await room.sessions.query(people.member, one.person.id) is None
