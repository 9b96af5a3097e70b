"""Variants: drawn from the server's secret, the same again, each with a machine of the member's own."""

import asyncio
import json
from pathlib import Path

import pytest

from app.labs.seeds import seed
from app.sessions import Conflict, LimitReached, NotFound
from tests.support.factories import TINY
from tests.support.sheets import a_sitting


async def test_a_variant_is_the_members_own_and_the_same_again(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        mine = await here.open()
        assert (await here.open()).row == mine.row
        assert mine.progress.base == 1
        assert mine.progress.names is not None
        assert set(mine.progress.names) == {"a"}
        lee = await here.room.join("Lee")
        theirs = await here.open(person=lee)
        assert theirs.row.id != mine.row.id
        with pytest.raises(NotFound):
            await here.room.labs.variants.get(lee, mine.row.id)
        assert (await here.room.labs.variants.get(here.room.instructor, mine.row.id)).row == mine.row
        with pytest.raises(Conflict):
            await here.open(person=here.room.instructor)


async def test_who_asks_twice_at_once_gets_one_variant(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        both = await asyncio.gather(here.open(), here.open(), here.open())
        assert len({found.row.id for found in both}) == 1
        assert len((await here.room.sessions.list(here.kim.principal)).items) == 1


async def test_machines_of_exercises_are_beside_those_a_member_may_have(tmp_path: Path) -> None:
    async with a_sitting(tmp_path, settings={"sessions_per_member": 1}) as here:
        who = here.kim.principal
        await here.open()
        await here.room.sessions.create(who, "own", TINY)
        with pytest.raises(LimitReached):
            await here.room.sessions.create(who, "more", TINY)
        made = await here.open(1)
        with pytest.raises(LimitReached):
            await here.room.sessions.fork(who, made.row.session_id or "")
        assert len((await here.room.sessions.list(who)).items) == 3


async def test_another_server_draws_the_same_from_the_kept_secret(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        of = here.room.lab.id, here.sheet.row.id, here.item(0), here.kim.id, 1
        first = await here.room.labs.variants._seeds.of(*of)
        values = json.loads((await here.open()).row.values)["values"]
        here.room.labs.variants._seeds._secret = None
        assert await here.room.labs.variants._seeds.of(*of) == first
        assert values
    assert len(first) == 8
    assert seed(b"other", *of) != first
