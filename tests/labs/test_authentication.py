"""Coming in: the instructor's link, passwords, join codes, tokens."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadArgument
from app.labs import Labs, attempts, authentication, secret, wording
from app.labs.passwords import Passwords
from app.sessions import LOCAL, Forbidden, LimitReached, NotFound, Sessions, TooMany
from app.sessions.errors import Conflict
from app.store import failures
from app.store.failures import FailuresRow
from tests.support import postgresql
from tests.support.classroom import PASSWORD, a_class, first_instructor, labs_of
from tests.support.factories import TINY, alloc, raw, serving, settings_for
from tests.support.served_process import told


async def test_the_first_instructor_comes_by_a_link_that_works_once(tmp_path: Path) -> None:
    async with labs_of(settings_for(tmp_path, lab=True)) as (_, labs):
        older = await labs.authentication.first_invitation()
        link = await labs.authentication.first_invitation()
        assert older is not None
        assert link is not None
        assert not await labs.authentication.invited(older)  # only the last that was printed
        assert await labs.authentication.invited(link)
        racing = [labs.authentication.set_up(link, name, PASSWORD) for name in ("Ann", "Bob")]
        made = await asyncio.gather(*racing, return_exceptions=True)
        assert sorted(type(one).__name__ for one in made) == ["NotFound", "SignedIn"]
        assert not await labs.authentication.invited(link)
        assert await labs.authentication.first_invitation() is None


async def test_the_first_instructor_adopts_what_was_local(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with serving(settings) as sessions:
        sid = (await sessions.create(LOCAL, "mine", TINY)).id
        await sessions.batch(LOCAL, sid, [alloc(0, "p")])
    async with labs_of(settings.model_copy(update={"lab": True})) as (sessions, labs):
        first = await first_instructor(labs)
        assert [info.id for info in (await sessions.list(first.principal)).items] == [sid]
        assert set(await sessions.names(first.principal, sid)) == {"p"}
        second = await labs.authentication.set_up(await labs.authentication.invite(first), "Lee", PASSWORD)
        assert (await sessions.list(second.person.principal)).items == []
        with pytest.raises(NotFound):
            await sessions.get(second.person.principal, sid)


async def test_accounts_are_judged_by_field(tmp_path: Path) -> None:
    async with labs_of(settings_for(tmp_path, lab=True)) as (_, labs):
        first = await first_instructor(labs, "Kim")
        link = await labs.authentication.invite(first)
        for name, password, place in (
            ("", PASSWORD, "name"),
            ("a" * 41, PASSWORD, "name"),
            ("a\nb", PASSWORD, "name"),
            ("\u202eKim", PASSWORD, "name"),
            ("ＫＩＭ", PASSWORD, "name"),
            ("Lee", "short", "password"),
            ("Lee", "x" * 201, "password"),
            ("Lee", "ten\0letters", "password"),
        ):
            with pytest.raises(BadArgument) as found:
                await labs.authentication.set_up(link, name, password)
            assert found.value.faults[0].loc == (place,)
        assert (
            await labs.authentication.set_up(link, "Lee", PASSWORD)
        ).person.name == "Lee"  # the link was kept


async def test_signing_in(tmp_path: Path) -> None:
    async with labs_of(settings_for(tmp_path, lab=True)) as (_, labs):
        kim = await first_instructor(labs, "Kim")
        for use in ("cookie", "script"):
            entered = await labs.authentication.sign_in(" kim ", PASSWORD, use)
            assert entered.person == kim
            assert await labs.authentication.identify(entered.secret) == kim
        await labs.authentication.leave(entered.secret)
        assert await labs.authentication.identify(entered.secret) is None
        said = set()
        for name, password in (("Kim", "wrong horse battery"), ("Nobody", PASSWORD), ("Kim", "")):
            with pytest.raises(Forbidden) as found:
                await labs.authentication.sign_in(name, password)
            said.add(str(found.value))
        assert len(said) == 1  # nothing tells who exists


def no_time_passes(labs: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a hash takes here."""
    monkeypatch.setattr(attempts, "utc", lambda: datetime(2026, 11, 30, tzinfo=UTC))
    labs.authentication._tries.clock = lambda: 0.0


async def test_who_runs_the_server_sets_another_password(tmp_path: Path) -> None:
    other = "another horse battery"
    async with labs_of(settings_for(tmp_path, lab=True)) as (_, labs):
        kim = await first_instructor(labs, "Kim")
        cookie = (await labs.authentication.sign_in("Kim", PASSWORD)).secret
        mark = await labs.authentication.mark(kim, None)
        for name, typed, why in (
            ("Lee", f"{other}\n{other}\n", "there is no instructor 'Lee'"),
            ("Kim", "short\nshort\n", "password: 10 to 200 characters"),
            ("Kim", f"{other}\nnot the same\n", "do not match"),
        ):
            said = told(tmp_path, "password", name, typed=typed)
            assert said.returncode == 1
            assert why in said.stdout + said.stderr
        assert (await labs.authentication.sign_in("Kim", PASSWORD)).person == kim
        said = told(tmp_path, "password", " kim", typed=f"{other}\n{other}\n")
        assert (said.returncode, said.stdout.splitlines()[-1]) == (
            0,
            "Kim signs in with the new password from now on",
        )
        assert other not in said.stdout + said.stderr
        assert await labs.authentication.identify(cookie) is None
        assert await labs.authentication.mark(kim, mark) is not None  # the browser is a stranger's again
        with pytest.raises(Forbidden):
            await labs.authentication.sign_in("Kim", PASSWORD)
        assert (await labs.authentication.sign_in("Kim", other)).person == kim
        acts = [(noted.act.act, noted.act.actor) for noted in await labs.acts(kim, 10)]
        assert ("set a password", "server") in acts


async def test_a_name_that_is_tried_too_often_has_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with labs_of(settings_for(tmp_path, lab=True)) as (_, labs):
        no_time_passes(labs, monkeypatch)
        await first_instructor(labs, "Kim")
        for name in ("Kim", "Nobody"):
            for _ in range(5):
                with pytest.raises(Forbidden):
                    await labs.authentication.sign_in(name, "wrong horse battery")
            with pytest.raises(TooMany):
                await labs.authentication.sign_in(name, PASSWORD)


async def test_who_has_signed_in_before_is_held_up_by_no_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with labs_of(settings_for(tmp_path, lab=True)) as (_, labs):
        at_door = labs.authentication
        no_time_passes(labs, monkeypatch)
        kim = await first_instructor(labs, "Kim")
        lee = (await at_door.set_up(await at_door.invite(kim), "Lee", PASSWORD)).person
        mark, other = await at_door.mark(kim, None), await at_door.mark(lee, None)
        assert mark is not None
        assert await at_door.mark(kim, mark) is None  # it has one
        assert await at_door.mark(kim, other) is not None
        assert await at_door.identify(mark) is None  # it opens nothing
        for number in range(10):
            with pytest.raises((Forbidden, TooMany)):
                await at_door.sign_in("Kim", "wrong horse battery", address=str(number))
        for wrong in (None, other, "kml_wrong"):
            with pytest.raises(TooMany):
                await at_door.sign_in("Kim", PASSWORD, mark=wrong)
        assert (await at_door.sign_in("Kim", PASSWORD, mark=mark)).person == kim
        # Nor may it try for ever, and then still nobody else has to wait.
        for _ in range(5):
            with pytest.raises(Forbidden):
                await at_door.sign_in("Lee", "wrong horse battery", mark=other)
        with pytest.raises(TooMany):
            await at_door.sign_in("Lee", PASSWORD, mark=other)
        assert (await at_door.sign_in("Lee", PASSWORD)).person == lee
        await at_door.leave_everywhere(kim)
        with pytest.raises(TooMany):
            await at_door.sign_in("Kim", PASSWORD, mark=mark)


async def test_strangers_from_one_address_try_so_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with labs_of(settings_for(tmp_path, lab=True)) as (_, labs):
        no_time_passes(labs, monkeypatch)
        kim = await first_instructor(labs, "Kim")
        mark = await labs.authentication.mark(kim, None)
        labs.authentication._tries.a_second = 1e-6  # also by the clock of a database
        tries = [labs.authentication.sign_in(f"nobody {i}", PASSWORD, address="192.0.2.1") for i in range(24)]
        trying = asyncio.gather(*tries, return_exceptions=True)
        await asyncio.sleep(0.01)
        assert (await labs.authentication.sign_in("Kim", PASSWORD, address="192.0.2.2")).person == kim
        found = [type(one) for one in await trying]
        assert (found.count(TooMany), found.count(Forbidden)) == (14, 10)
        labs.authentication._tries.a_second = 1.0
        with pytest.raises(TooMany) as refused:
            await labs.authentication.sign_in("Kim", PASSWORD, address="192.0.2.1")
        assert refused.value.retry_after == 1
        assert (
            await labs.authentication.sign_in("Kim", PASSWORD, address="192.0.2.1", mark=mark)
        ).person == kim


async def test_waiting_grows_and_ends(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    monkeypatch.setattr(attempts, "utc", lambda: now)
    kim, lee = attempts.key_of("name", "kim"), attempts.key_of("name", "lee")

    async def check(key: str) -> None:
        attempts.check(await sessions.query(failures.get, key))

    for _ in range(5):
        await check(kim)
        await sessions.execute(partial(attempts.failed, key=kim))
    waits = []
    for _ in range(7):
        with pytest.raises(TooMany) as found:
            await check(kim)
        waits.append(found.value.retry_after)
        await check(lee)
        now += timedelta(seconds=found.value.retry_after)
        await check(kim)
        await sessions.execute(partial(attempts.failed, key=kim))
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    now += timedelta(seconds=30)
    await sessions.execute(partial(attempts.succeeded, key=kim))
    await sessions.execute(partial(attempts.failed, key=kim))
    await check(kim)


async def test_old_failures_are_forgotten(sessions: Sessions) -> None:
    row = FailuresRow(attempts.key_of("name", "kim"), 9, "2026-01-01T00:00:00.000Z")
    await sessions.execute(partial(failures.put, row=row))
    await sessions.execute(partial(attempts.failed, key="lee"))
    await sessions.execute(attempts.forget_old)
    assert await sessions.query(failures.get, row.key) is None
    assert await sessions.query(failures.get, "lee") is not None


async def test_passwords_wait_in_line_and_not_for_ever() -> None:
    passwords = Passwords()
    passwords.prepare()
    kept = await passwords.hash(PASSWORD)
    asked = [passwords.fits(kept, PASSWORD) for _ in range(20)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert answers.count(True) == 16
    assert [type(answer) for answer in answers if answer is not True] == [TooMany] * 4
    strangers = [asyncio.create_task(passwords.fits(kept, PASSWORD)) for _ in range(16)]
    await asyncio.sleep(0)
    assert await passwords.fits(kept, PASSWORD, known=True)
    await asyncio.gather(*strangers)
    assert not await passwords.fits(None, "nobody has this password")
    assert not await passwords.fits("no hash", PASSWORD)
    passwords.close()


async def test_joining(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        code = room.lab.code
        assert code is not None
        assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", code)
        names = []
        for typed in (code, code.lower(), code.replace("-", " "), f" {code} ", code.replace("0", "O")):
            entered, lab = await room.labs.authentication.join(typed, "Kim")
            assert lab.id == room.lab.id
            assert await room.labs.authentication.identify(entered.secret) == entered.person
            names.append((entered.person.number, entered.person.name))
        assert names == [(1, "Kim"), (2, "Kim (2)"), (3, "Kim (3)"), (4, "Kim (4)"), (5, "Kim (5)")]
        assert (await room.join("kim (2)")).name == "kim (2) (2)"
        assert (await room.join("ＰＲＯＦ. Kim")).name == "ＰＲＯＦ. Kim (2)"  # as whom somebody else teaches
        assert (await room.join("  김 민지 ")).name == "김 민지"
        for nickname in ("", " ", "x" * 41, "a\tb", "a\x1b[31m", "\ud800"):
            with pytest.raises(BadArgument) as found:
                await room.join(nickname)
            assert found.value.faults[0].loc == ("nickname",)


async def test_codes_end(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        old = room.lab.code
        assert old is not None
        renewed = await room.labs.rooms.renew_code(room.instructor, room.lab.id)
        assert renewed.code not in (None, old)
        with pytest.raises(NotFound):
            await room.labs.authentication.join(old, "Kim")
        room.lab = renewed
        await room.join("Kim")
        await room.labs.rooms.drop_code(room.instructor, room.lab.id)
        with pytest.raises(NotFound):
            await room.join("Lee")
        room.lab = await room.labs.rooms.renew_code(room.instructor, room.lab.id, days=-1)
        assert room.lab.code is None
        with raw(room.settings) as db:
            (code,) = db.execute("SELECT code FROM labs").fetchone()
        with pytest.raises(NotFound):
            await room.labs.authentication.join(code, "Lee")  # it has expired
        room.lab = await room.labs.rooms.renew_code(room.instructor, room.lab.id)
        await room.labs.rooms.close(room.instructor, room.lab.id)
        with pytest.raises((NotFound, Conflict)):
            await room.join("Lee")


async def test_a_lab_is_full_at_some_time(tmp_path: Path) -> None:
    async with a_class(tmp_path, members_per_lab=3) as room:
        joined = await asyncio.gather(*(room.join("Kim") for _ in range(5)))
        assert sorted(one.number for one in joined if not one.waiting) == [1, 2, 3]
        assert sorted(one.number for one in joined if one.waiting) == [4, 5]
        with pytest.raises(LimitReached):
            await room.labs.admission.admit(room.instructor, room.lab.id)


async def test_numbers_are_never_given_again(tmp_path: Path) -> None:
    """They still stand in the rows of who was deleted."""
    async with a_class(tmp_path) as room:
        await room.join("Kim")
        await room.labs.rooms.delete_member(room.instructor, room.lab.id, 1)
        assert (await room.join("Kim")).number == 2


async def test_a_link_of_ones_own_for_another_device(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        at_door = room.labs.authentication
        kim = await room.join("Kim")
        entry = await at_door.renew(kim, "entry")
        assert await at_door.enters(entry) == kim
        assert await at_door.identify(entry) is None  # a link is no token
        assert (await at_door.enter(entry)).person == kim
        cookie = (await at_door.enter(entry)).secret
        again = await at_door.renew(kim, "entry")
        assert await at_door.enters(entry) is None
        with pytest.raises(NotFound):
            await at_door.enter(entry)
        assert await at_door.enters(again) == kim
        assert await at_door.identify(cookie) == kim  # who is in stays in
        token = await at_door.renew(kim, "script")
        assert await at_door.enters(token) is None
        assert await at_door.identify(token) == kim
        await at_door.renew(kim, "script")
        assert await at_door.identify(token) is None
        await at_door.leave_everywhere(kim)
        assert await at_door.identify(cookie) is None
        with pytest.raises(Forbidden):
            await at_door.renew(room.instructor, "entry")


async def test_tokens_expire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_class(tmp_path) as room:
        monkeypatch.setattr(secret, "days_from_now", lambda _days: "2020-01-01T00:00:00.000Z")
        entered, _ = await room.labs.authentication.join(str(room.lab.code), "Kim")
        assert await room.labs.authentication.identify(entered.secret) is None


async def test_of_very_many_tokens_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "TOKENS", 3)
    async with a_class(tmp_path) as room:
        kim = await room.join("Kim")
        link = await room.labs.authentication.renew(kim, "entry")
        cookies = [(await room.labs.authentication.enter(link)).secret for _ in range(5)]
        good = [await room.labs.authentication.identify(cookie) == kim for cookie in cookies]
        assert good[-1]
        assert sum(good) == 3
        assert await room.labs.authentication.enters(link) == kim


async def test_what_is_taken_back_while_it_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_class(tmp_path) as room:
        at_door = room.labs.authentication
        entered, _ = await at_door.join(str(room.lab.code), "Kim")
        query = room.sessions.query

        async def slow(*args: Any) -> Any:
            found = await query(*args)
            await at_door.leave(entered.secret)
            return found

        monkeypatch.setattr(room.sessions, "query", slow)
        assert await at_door.identify(entered.secret) == entered.person  # it came before
        monkeypatch.undo()
        assert await at_door.identify(entered.secret) is None


async def test_what_another_process_takes_back_ends_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_class(tmp_path) as room:
        entered, _ = await room.labs.authentication.join(str(room.lab.code), "Kim")
        assert await room.labs.authentication.identify(entered.secret) is not None
        with raw(room.settings) as db:
            db.execute("DELETE FROM tokens")
        assert await room.labs.authentication.identify(entered.secret) is not None
        monkeypatch.setattr(authentication, "CACHE_SECONDS", 0.0)
        room.labs.authentication.forget(entered.person.id)
        assert await room.labs.authentication.identify(entered.secret) is None


def everything_in(folder: Path) -> bytes:
    if postgresql.ON:
        with raw(settings_for(folder)) as db:
            return "\n".join(db.iterdump()).encode()
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_no_secret_is_kept(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        at_door = room.labs.authentication
        kim, _ = await at_door.join(str(room.lab.code), "Kim")
        secrets = [
            PASSWORD,
            kim.secret,
            await at_door.renew(kim.person, "script"),
            await at_door.renew(kim.person, "entry"),
            await at_door.invite(room.instructor),
            str(await at_door.mark(room.instructor, None)),
            (await at_door.sign_in("Prof. Kim", PASSWORD)).secret,
        ]
    kept = everything_in(tmp_path)
    assert b"Prof. Kim" in kept
    for one in secrets:
        assert len(one) >= 20
        assert one.encode() not in kept


def test_secrets_are_long_and_codes_are_heard_as_they_were_meant() -> None:
    assert len({secret.new_secret() for _ in range(100)}) == 100
    assert len(secret.new_secret()) == len("kml_") + 43  # 256 bits
    code = secret.new_code()
    assert secret.parse_code(secret.format_code(code).lower()) == code
    assert secret.parse_code("oOlLiI00 - 11") == "0011110011"[:10]


def test_names_are_compared_as_people_read_them() -> None:
    assert wording.key_of("ＫＩＭ  Lee") == wording.key_of("kim lee")
    assert wording.text("text", "a\r\nb\tc") == "a\nb\tc"
    for typed in ("\0", "\x1b", "\u2028", "x" * 20_001):
        with pytest.raises(BadArgument):
            wording.text("text", typed)


@pytest.mark.parametrize(
    "typed", ["\u3164", "Kim\u3164", "\uffa0", "\u115f\u1160", "\u2800", "\ufe0f", "\u0301", "\u034f"]
)
def test_a_name_can_be_seen(typed: str) -> None:
    with pytest.raises(BadArgument):
        wording.line("nickname", typed, 40)


@pytest.mark.parametrize("typed", ["李雷", "Zoë", "❤\ufe0f", "김", "?", "7"])
def test_a_name_of_anywhere_is_one(typed: str) -> None:
    assert wording.line("nickname", typed, 40) == typed
