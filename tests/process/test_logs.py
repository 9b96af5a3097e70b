"""The log as JSON: every line is one entry, and none of them tells who asked for what."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx2

from app.logs import FIELDS, JsonFormatter
from tests.support.served_process import served

KNOWN = {"time", "level", "logger", "message", "exception", *FIELDS}

CALL = "/api/v1/sessions/{id}/{call}"


def test_requests_are_told_by_their_routes(tmp_path: Path) -> None:
    with served(tmp_path, KMEMLAB_LOG="json") as server:
        session = server.create()
        httpx2.post(f"{server.base}{session}/alloc_pages", json={"gfp": "GFP_KERNEL", "order": 0})
        answer = httpx2.get(f"{server.base}{session}/zones?at=0", headers={"user-agent": "a secret"})
        httpx2.get(f"{server.address}/nowhere/{'x' * 40}?token=secret")
        httpx2.get(f"{server.address}/healthz", headers={"host": "elsewhere.example"})
        said = server.end()
    entries: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    assert all(set(entry) <= KNOWN for entry in entries)
    made, called, read, lost, refused = [entry for entry in entries if entry["logger"] == "app.access"]
    assert (made["method"], made["route"], made["status"]) == ("POST", "/api/v1/sessions", 201)
    assert (called["route"], called["status"]) == (CALL, 201)
    assert (read["route"], read["status"], read["who"]) == ("/api/v1/sessions/{id}/zones", 200, None)
    assert read["request"] == answer.headers["x-request-id"]
    assert 0 <= read["ms"] < 60_000
    assert (lost["route"], lost["status"]) == (None, 404)
    assert (refused["route"], refused["status"]) == (None, 400)
    for secret in (session.rpartition("/")[2], "secret", "xxxx", "127.0.0.1", "elsewhere"):
        assert secret not in said


def test_an_exception_is_in_its_entry() -> None:
    error = LookupError('a "mistake"\nin two lines')
    info = (LookupError, error, None)
    record = logging.LogRecord("app.x", logging.ERROR, __file__, 1, "it failed: %s", ("é\n",), info)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("error", "app.x", "it failed: é\n")
    assert entry["exception"] == 'LookupError: a "mistake"\nin two lines'


def test_as_text_nothing_is_logged_of_what_is_well(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        server.create()
        assert server.end() == ""
