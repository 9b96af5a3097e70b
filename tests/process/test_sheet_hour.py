"""A class hour with a planted exercise: every byte that students get before they answer is searched."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_sentinels import MARKS, PLANTED, RIGHT
from tests.support.demo_lab import Http, enter, instructor, lab_server
from tests.support.sheets import write_files

STUDENTS = 4


class Listening:
    """A student whose every answered byte is kept: of the API, of pages, and of streams."""

    def __init__(self, http: Http, address: str) -> None:
        self.http, self.address = http, address
        self.bytes = bytearray()
        self.streams: list[asyncio.Task[None]] = []

    async def __call__(self, method: str, path: str, body: Any = None, *, page: bool = False) -> Any:
        """Ask, whatever comes of it."""
        url = f"{self.address}{path}" if page else path
        answer = await self.http.client.request(method, url, json=body, follow_redirects=False)
        assert answer.status_code < 500, (path, answer.text)
        self.bytes += str(answer.headers.raw).encode() + answer.content
        return answer.json() if answer.headers.get("content-type") == "application/json" else {}

    def listen(self, path: str) -> None:
        """Keep what a stream says until it is stopped."""
        self.streams.append(asyncio.create_task(self._follow(path)))

    async def _follow(self, path: str) -> None:
        async with self.http.client.stream("GET", path, timeout=None) as stream:
            assert stream.status_code == 200, path
            async for part in stream.aiter_bytes():
                self.bytes += part

    async def stop(self) -> None:
        """Hang up."""
        for one in self.streams:
            one.cancel()
            with suppress(asyncio.CancelledError):
                await one

    def found(self) -> list[str]:
        """The marks in all of it."""
        text = bytes(self.bytes).decode("utf-8", "replace").lower()
        return [mark for mark in MARKS if mark.lower() in text]


async def look(me: Listening, lab: str, sheet: str, variant: str, session: str, poll: str) -> None:
    """Read whatever there is."""
    for path in (
        "/exercises",
        "/exercises/planted",
        "/labs",
        lab,
        f"{lab}/sheets",
        f"{lab}/sheets/{sheet}",
        f"{lab}/sheets/{sheet}/results",
        f"{lab}/sheets/{sheet}/results.csv",
        f"{lab}/polls",
        f"{lab}/polls/{poll}",
        f"{lab}/members/1/export",
        f"/variants/{variant}",
        f"/sessions/{session}/events",
        f"/sessions/{session}/export",
        f"/sessions/{session}/dump",
    ):
        await me("GET", path)
    for path in (
        "/",
        lab,
        f"{lab}/sheets",
        f"{lab}/sheets/{sheet}",
        f"{lab}/sheets/{sheet}/results",
        f"{lab}/misconceptions",
        f"{lab}/polls",
        f"{lab}/polls/{poll}",
        f"{lab}/polls/{poll}/projector",
        f"{lab}/polls/{poll}/desk",
        f"/sessions/{session}",
        f"/sessions/{session}?exercise=planted&task=1",
    ):
        await me("GET", path, page=True)


async def student(address: str, lab: dict[str, Any], sheet: dict[str, Any], poll: str, number: int) -> None:
    http = await enter(address, "/join", code=lab["code"], nickname=f"student {number}")
    me, where = Listening(http, address), f"/labs/{lab['id']}"
    item = sheet["items"][0]["id"]
    opened = await me("POST", f"{where}/sheets/{sheet['id']}/items/{item}/variants")
    variant, session = opened["id"], opened["session"]
    me.listen(f"{where}/events/stream")
    me.listen(f"/sessions/{session}/events/stream?after=0")
    await me("PUT", f"{where}/polls/{poll}/vote", {"choice": "0x400", "confidence": "guess", "round": 1})
    await look(me, where, sheet["id"], variant, session, poll)
    for body in ({"task": 1, "given": "x"}, {"task": 2, "given": "x"}, {"task": 9, "given": "1"}):
        await me("POST", f"/variants/{variant}/answers", body)
    await me("POST", f"/variants/{variant}/check", {"task": 3})
    await me("POST", f"/variants/{variant}/hints/2", {"task": 1})
    await me("POST", f"/variants/{variant}/answers", {"task": 1, "given": "5"})
    await look(me, where, sheet["id"], variant, session, poll)
    await asyncio.sleep(0.5)  # for what streams have to say
    assert len(me.bytes) > 100_000
    assert me.found() == []
    done = await me("POST", f"/variants/{variant}/answers", {"task": 1, "given": RIGHT})
    assert done["variant"]["tasks"][0]["right"], done
    assert "SENTINEL" in me.found()
    await me.stop()
    await http.client.aclose()


@pytest.mark.slow
async def test_no_byte_of_an_hour_says_what_is_right_before_it_is_answered(tmp_path: Path) -> None:
    own = write_files(tmp_path / "own", {"planted": PLANTED})
    with lab_server(tmp_path, KMEMLAB_EXERCISES=str(own), KMEMLAB_RATE_BURST="10000") as (address, link):
        boss = await instructor(address, link)
        lab = await boss("POST", "/labs", title="An hour")
        here = f"/labs/{lab['id']}"
        items = [{"exercise": "planted"}]
        sheet = await boss("POST", f"{here}/sheets", title="Planted", mode="graded", items=items)
        poll = await boss("POST", f"{here}/polls", exercise="planted", task=2)
        await boss("PUT", f"{here}/polls/{poll['id']}/state", state="vote1")
        people = (student(address, lab, sheet, poll["id"], number) for number in range(STUDENTS))
        await asyncio.gather(*people)
        await boss.client.aclose()
