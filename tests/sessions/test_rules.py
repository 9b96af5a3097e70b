"""A corrected answer belongs to a session's rule set: an old session goes on with the old one, everywhere."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_json

from app.errors import BadArgument
from app.machine import boot, bootparam, ruleset
from app.machine.calls import Call
from app.machine.entry import CALLS
from app.machine.entry.declare import Other
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.sessions import LOCAL, Sessions, verifying
from tests.support.exported import file_of, lines_of
from tests.support.factories import TINY, raw, serving, settings_for
from tests.support.keep_corpus import exported

CORRECTION = 100
# The rule sets of before and after the correction.
OLD = ruleset.TODAY
NEW = OLD + 1


@pytest.fixture
def corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on there is one rule set more, in which `page_count` answers otherwise."""
    spec = CALLS["page_count"]
    assert isinstance(spec, Other)
    first = spec.run

    def page_count(m: Machine, call: Call, outcome: Outcome) -> None:
        first(m, call, outcome)
        if m.rules >= NEW:
            outcome.ret += CORRECTION

    monkeypatch.setattr(ruleset, "TODAY", NEW)
    monkeypatch.setattr(spec, "run", page_count)


async def begun(sessions: Sessions, machine: dict[str, Any] | None = None) -> str:
    """A session with a state behind it that is not its start, and answers of both kinds."""
    sid = (await sessions.create(LOCAL, "counts", machine or TINY)).id
    for _ in range(3):
        await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"})
        await asked(sessions, sid)
    return sid


async def asked(sessions: Sessions, sid: str) -> int:
    answer = await sessions.apply(LOCAL, sid, "page_count", {"pfn": 1000})
    return int(json.loads(answer.body)["ret"])


async def rules_of(sessions: Sessions, sid: str) -> int:
    """The rule set, which the session, its dump, its export and its answers must agree on."""
    shown = (await sessions.get(LOCAL, sid)).as_json()["machine"]["rules"]
    dump = await sessions.dump(LOCAL, sid)
    header = lines_of(await exported(sessions, sid))[0]
    assert dump["machine"]["rules"] == header["rules"] == shown
    assert (await asked(sessions, sid) >= CORRECTION) == (shown >= NEW)
    assert verifying.verify(sessions._store, sid, lambda *_: None).faults == []
    return int(shown)


async def family(sessions: Sessions, sid: str) -> list[str]:
    """A session, and what can be made of it."""
    seq = (await sessions.get(LOCAL, sid)).seq
    forks = [(await sessions.fork(LOCAL, sid, at)).id for at in (None, seq // 2, 0)]
    dump = json.loads(to_json(await sessions.dump(LOCAL, sid)))
    posted = (await sessions.create(LOCAL, "posted", {"dump": dump})).id
    files = [io.BytesIO(await exported(sessions, one)) for one in (sid, forks[1], posted)]
    imported = [(await sessions.import_(LOCAL, file)).id for file in files]
    return [sid, *forks, posted, *imported]


async def test_an_old_session_keeps_the_old_answer(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    async with serving(settings_for(tmp_path)) as sessions:
        old = await begun(sessions)
    request.getfixturevalue("corrected")
    async with serving(settings_for(tmp_path)) as sessions:
        new = await begun(sessions)
        olds, news = await family(sessions, old), await family(sessions, new)
        for sid in olds + news:
            await asked(sessions, sid)
            await sessions.undo(LOCAL, sid)
            assert await rules_of(sessions, sid) == (OLD if sid in olds else NEW)
            await sessions.rewind(LOCAL, sid, (await sessions.get(LOCAL, sid)).start)
    async with serving(settings_for(tmp_path)) as sessions:
        for sid in olds + news:
            assert await rules_of(sessions, sid) == (OLD if sid in olds else NEW)


@pytest.mark.usefixtures("corrected")
async def test_what_does_not_say(sessions: Sessions) -> None:
    """An export without a rule set is of the first one; a posted dump without one follows today's."""
    sid = await begun(sessions, TINY | {"rules": 1})
    fork = (await sessions.fork(LOCAL, sid, 2)).id
    for one in (sid, fork):
        lines = lines_of(await exported(sessions, one))
        del lines[0]["rules"]
        lines[0].get("boot", {}).pop("rules", None)
        lines[0].get("state", {}).get("machine", {}).pop("rules", None)
        again = (await sessions.import_(LOCAL, io.BytesIO(file_of(lines)))).id
        assert await rules_of(sessions, again) == 1
    dump = await sessions.dump(LOCAL, sid)
    del dump["machine"]["rules"], dump["format"]
    posted = (await sessions.create(LOCAL, "posted", {"dump": dump})).id
    assert await rules_of(sessions, posted) == NEW


async def test_what_was_stored_before(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Rows, and states, of the version before there were rule sets."""
    settings = settings_for(tmp_path)
    async with serving(settings) as sessions:
        booted = await begun(sessions, TINY | {"rules": 1, "reclaim": False})
        forked = (await sessions.fork(LOCAL, booted, 3)).id
    with raw(settings) as db:
        machine = json.loads(db.execute("SELECT machine FROM sessions").fetchone()[0])
        del machine["rules"]
        db.execute("UPDATE sessions SET machine = ?", (json.dumps(machine),))
        db.execute("UPDATE sessions SET boot = ? WHERE boot IS NOT NULL", (json.dumps(TINY),))
    request.getfixturevalue("corrected")
    async with serving(settings) as sessions:
        assert [await rules_of(sessions, sid) for sid in (booted, forked)] == [1, 1]
        start = (await sessions.fork(LOCAL, booted, 0)).id
        assert await rules_of(sessions, start) == 1


def test_a_state_without_a_rule_set_or_a_format_is_of_the_first() -> None:
    state = boot.boot(TINY).state()
    del state["machine"]["rules"], state["format"]
    assert boot.restore(state).rules == 1


async def test_newer_ones_are_refused(sessions: Sessions) -> None:
    sid = await begun(sessions)
    dump = await sessions.dump(LOCAL, sid)
    for change in ({"format": 3}, {"machine": dump["machine"] | {"rules": NEW}}):
        with pytest.raises(BadArgument, match="newer version of kmemlab"):
            await sessions.create(LOCAL, "newer", {"dump": dump | change})
    for nonsense in (0, "two", True, [1], 1.5):
        for change in ({"format": nonsense}, {"machine": dump["machine"] | {"rules": nonsense}}):
            with pytest.raises(BadArgument, match="a number from 1"):
                await sessions.create(LOCAL, "nonsense", {"dump": dump | change})
        with pytest.raises(BadArgument, match=f"a rule set from 1 to {OLD}"):
            await sessions.create(LOCAL, "nonsense", TINY | {"rules": nonsense})
    lines = lines_of(await exported(sessions, sid))
    lines[0]["rules"] = NEW
    with pytest.raises(BadArgument, match="newer version of kmemlab"):
        await sessions.import_(LOCAL, io.BytesIO(file_of(lines)))


@pytest.mark.usefixtures("corrected")
async def test_a_header_that_contradicts_its_machine_is_refused(sessions: Sessions) -> None:
    lines = lines_of(await exported(sessions, await begun(sessions)))
    lines[0]["rules"] = 1
    with pytest.raises(BadArgument, match=f"rules: {NEW}, as the machine has it"):
        await sessions.import_(LOCAL, io.BytesIO(file_of(lines)))


async def test_a_corrected_text_needs_no_rule_set(sessions: Sessions) -> None:
    """Stored rows keep their words; an import compares what the kernel did, and tells it in today's."""
    sid = await begun(sessions)
    await sessions.apply(LOCAL, sid, "alloc_pages", {"gfp": "GFP_KERNEL", "order": 12})
    lines = lines_of(await exported(sessions, sid))
    row = next(line["outcome"] for line in lines if line.get("outcome", {}).get("log"))
    words = list(row["log"])
    row["log"] = ["as it was said once", *words[1:]]
    again = (await sessions.import_(LOCAL, io.BytesIO(file_of(lines)))).id
    assert (await sessions.event(LOCAL, again, row["seq"])).outcome["log"] == words
    row["log"] = words[1:]
    with pytest.raises(BadArgument, match="`log` is"):
        await sessions.import_(LOCAL, io.BytesIO(file_of(lines)))


# -- boot switches -------------------------------------------------------------------------------------------


async def test_a_session_keeps_what_it_was_booted_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its boot document has every default written out, but what stands as before there was a choice."""
    settings = settings_for(tmp_path)
    async with serving(settings) as sessions:
        sid = (await sessions.create(LOCAL, "all", {"profile": "tiny-16m", "lecture": True})).id
        document = lines_of(await exported(sessions, sid))[0]["boot"]
    whole = bootparam.parse({"profile": "tiny-16m", "lecture": True}).as_json()
    assert document == {key: value for key, value in whole.items() if bootparam.BEFORE.get(key, ...) != value}
    assert bootparam.parse(document, kept=True).as_json() == whole


def test_a_switch_that_a_kept_document_does_not_name_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootparam, "BEFORE", {**bootparam.BEFORE, "mobility": False})
    again, new = boot.boot({"profile": "tiny-32m"}, kept=True), boot.boot({"profile": "tiny-32m"})
    assert again.page_group_by_mobility_disabled
    assert not new.page_group_by_mobility_disabled
    for m in (again, new):
        assert boot.boot(boot.description(m), kept=True).dump() == m.dump()
