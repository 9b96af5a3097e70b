"""A server that is killed while a class answers: no answered submission is lost, and none is doubled."""

import asyncio
import json
import signal
import sqlite3
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.bench.sheets import prepare
from tests.support.patience import PATIENCE
from tests.support.served import BASE
from tests.support.served_process import served

MEMBERS = 8
ROUNDS = 10
WHILE = 4.0  # seconds of answering before a kill

pytestmark = pytest.mark.timeout(1_200)


class Student(threading.Thread):
    """Submits one answer after the other until the server is gone, and notes what was answered."""

    def __init__(self, address: str, token: str, variant: str) -> None:
        super().__init__()
        self.address, self.variant = address, variant
        self.headers = {"authorization": f"Bearer {token}"}
        self.answered: list[tuple[str, int, str]] = []

    def run(self) -> None:
        number = 0
        with httpx2.Client(headers=self.headers, timeout=PATIENCE) as client:
            while True:
                number += 1
                given = f"{0x300 + number:#x}"
                path = f"{self.address}{BASE}/variants/{self.variant}/answers"
                try:
                    answer = client.post(path, json={"task": 1, "given": given})
                except httpx2.TransportError:
                    return
                if answer.status_code == 201:
                    self.answered.append((self.variant, answer.json()["submission"]["number"], given))


def sent(address: str, path: str, body: Any = None, token: str = "") -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = httpx2.post(f"{address}{BASE}{path}", json=body, headers=headers, timeout=PATIENCE)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.soak
async def test_no_submission_is_lost_in_ten_crashes(tmp_path: Path) -> None:
    given = await prepare(tmp_path, "practice")
    environ = {"KMEMLAB_LAB": "true", "KMEMLAB_EXERCISES": given["folder"]}
    seen: list[tuple[str, int, str]] = []
    desks: list[tuple[str, str]] = []
    for _ in range(ROUNDS):
        with served(tmp_path, **environ) as server:
            if not desks:
                for number in range(MEMBERS):
                    body = {"code": given["code"], "nickname": f"student {number}"}
                    token = sent(server.address, "/join", body)["token"]
                    path = f"/labs/{given['lab']}/sheets/{given['sheet']}/items/{given['items'][0]}/variants"
                    desks.append((token, sent(server.address, path, None, token)["id"]))
            students = [Student(server.address, *desk) for desk in desks]
            for student in students:
                student.start()
            await asyncio.sleep(WHILE)
            server.end(signal.SIGKILL)
            for student in students:
                student.join()
                seen += student.answered
    with sqlite3.connect(tmp_path / "kmemlab.db") as database:
        rows = list(database.execute("SELECT variant_id, number, given FROM submissions"))
    database.close()
    kept = {(variant, number): json.loads(text) for variant, number, text in rows}
    assert len(kept) == len(rows)
    assert len(seen) > MEMBERS  # on a busy machine a start takes most of the time
    assert [one for one in seen if kept.get(one[:2]) != [one[2]]] == []
