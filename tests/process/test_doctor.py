"""`kmemlab doctor`: what is wrong is found, with what to do, and what is right is said."""

import json
import os
import resource
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app import doctor
from app.clock import utc, written
from app.settings import Settings
from app.store.condition import Condition
from tests.support import postgresql
from tests.support.factories import migrated, raw, settings_for
from tests.support.served_process import kmemlab, told

HTTPS = "https://kmemlab.example.org"


def grades(findings: Any) -> dict[str, str]:
    return {one.about: one.grade for one in findings}


def test_a_server_that_is_well(tmp_path: Path) -> None:
    migrated(settings_for(tmp_path))
    said = told(tmp_path, "doctor")
    assert said.returncode == 0
    assert [line[0] for line in said.stdout.splitlines()] == ["✓"] * 7
    found = json.loads(told(tmp_path, "doctor", "--json").stdout)
    assert {one["grade"] for one in found} == {"ok"}
    assert set(found[0]) == {"about", "grade", "found", "advice"}


@pytest.mark.sqlite
def test_before_the_first_start(tmp_path: Path) -> None:
    said = told(tmp_path, "doctor")
    assert said.returncode == 0
    assert "? database: kmemlab.db is not there yet" in said.stdout
    assert not (tmp_path / "kmemlab.db").exists()


def test_a_mistyped_setting(tmp_path: Path) -> None:
    said = kmemlab(tmp_path, "doctor", KMEMLAB_PUBLIC_ULR=HTTPS, KMEMLAB_X="1")
    assert said.returncode == 1
    assert (
        "KMEMLAB_PUBLIC_ULR is no setting, and changes nothing\n    → did you mean KMEMLAB_PUBLIC_URL?"
        in said.stdout
    )
    assert "KMEMLAB_X is no setting" in said.stdout


@pytest.mark.parametrize(
    ("given", "grade"),
    [
        ({}, "ok"),
        ({"host": "192.0.2.1", "lab": True}, "look"),
        ({"uds": Path("s")}, "wrong"),
        ({"public_url": "http://kmemlab.example.org"}, "wrong"),
        ({"public_url": HTTPS}, "ok"),
    ],
)
def test_the_address(given: dict[str, Any], grade: str) -> None:
    assert grades(doctor.of_address(Settings(**given))) == {"address": grade}


@pytest.mark.parametrize(
    ("given", "grade"),
    [
        ({}, None),
        ({"public_url": HTTPS}, "look"),
        ({"public_url": HTTPS, "trusted_proxies": "127.0.0.1"}, "ok"),
        ({"public_url": HTTPS, "trusted_proxies": "127.0.0.1", "host": "0.0.0.0"}, "look"),
        ({"public_url": HTTPS, "trusted_proxies": "0.0.0.0/0"}, "wrong"),
        ({"public_url": HTTPS, "trusted_proxies": "127.0.0.1", "uds": Path("s")}, "wrong"),
        ({"public_url": HTTPS, "trusted_proxies": "unix", "uds": Path("s")}, "ok"),
    ],
)
def test_proxies(given: dict[str, Any], grade: str | None) -> None:
    assert grades(doctor.of_proxies(Settings(**given))) == ({} if grade is None else {"proxy": grade})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, True),
        ({"lab": True}, False),
        ({"host": "192.0.2.1"}, False),
    ],  # where others reach it, a lab is on
)
def test_outside_lab_mode_nothing_comes_through_a_proxy(given: dict[str, Any], said: bool) -> None:
    found = doctor.of_proxies(Settings(public_url=HTTPS, trusted_proxies="127.0.0.1", **given))
    assert any("KMEMLAB_LAB is not set" in one.found for one in found) == said


def test_the_service_as_it_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server reads, and nothing else: so these checks are of the server."""
    deploy = Path(__file__).parents[2] / "deploy"
    lines = (deploy / "kmemlab.env").read_text("utf-8").splitlines()
    for name, _, value in (line.partition("=") for line in lines if line and not line.startswith("#")):
        monkeypatch.setenv(name, value)
    unit = (deploy / "kmemlab.service").read_text("utf-8")
    assert "\nExecStart=/opt/kmemlab/bin/kmemlab serve\n" in unit
    assert "\nEnvironment=" not in unit
    monkeypatch.chdir(tmp_path)
    migrated(settings_for(tmp_path))
    settings = Settings(database_url=settings_for(tmp_path).database_url)
    found = doctor.examine(settings, {name: "" for name in os.environ if "DATABASE" not in name})
    of_this_computer = ("files", "disk")
    assert [one for one in found if one.grade != "ok" and one.about not in of_this_computer] == []


def test_few_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    (found,) = doctor.of_files()
    assert (found.grade, "about 768 connections" in found.found) == ("look", True)


def test_a_clock_that_has_jumped(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    migrated(settings)
    with raw(settings) as db:
        db.execute("DELETE FROM clock")
        db.execute("INSERT INTO clock VALUES (1, ?, ?, 0)", ("2020-01-01T00:00:00.000Z",) * 2)
    found = {one.about: one for one in doctor.of_database(settings)}
    assert found["clock"].grade == "wrong"
    assert "kmemlab clock --trust" in found["clock"].advice


def test_a_clock_that_has_gone_back(tmp_path: Path) -> None:
    """By less than that a clock may be set while the server runs."""
    settings = settings_for(tmp_path)
    migrated(settings)
    for ahead, grade in ((30.0, "ok"), (7_200.0, "wrong")):
        latest = written(utc() + timedelta(seconds=ahead))
        with raw(settings) as db:
            db.execute("DELETE FROM clock")
            db.execute("INSERT INTO clock VALUES (1, ?, ?, 0)", (latest, latest))
        (found,) = (one for one in doctor.of_database(settings) if one.about == "clock")
        assert found.grade == grade
        assert grade == "ok" or "before the latest time known" in found.found


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    """All of them are told, as JSON too, beside names that are mistyped."""
    wrong = {
        "KMEMLAB_PUBLIC_URL": "https://cs.example.org/kmemlab",
        "KMEMLAB_PORT": "many",
        "KMEMLAB_METRICS_TOKEN": "short secret",
    }
    said = kmemlab(tmp_path, "doctor", "--json", KMEMLAB_PUBLIC_ULR=HTTPS, **wrong)
    found = json.loads(said.stdout)
    assert said.returncode == 1
    bad = [one["found"] for one in found if one["grade"] == "wrong"]
    assert "KMEMLAB_PUBLIC_ULR is no setting" in bad[0]
    assert {text.partition(":")[0] for text in bad[1:]} == set(wrong)
    assert any("needs a host name of its own" in text for text in bad)
    assert "short secret" not in said.stdout + said.stderr


@pytest.mark.sqlite
def test_a_database_that_is_none(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    (tmp_path / "kmemlab.db").write_bytes(b"no database at all" * 100)
    (found,) = doctor.of_database(settings)
    assert (found.grade, "not a database" in found.found) == ("wrong", True)
    (found,) = doctor.of_database(Settings(database_url="mysql://nowhere/k"))
    assert found.grade == "wrong"


def fit(**changed: Any) -> Condition:
    return Condition("PostgreSQL 15.1", True, True, utc(), 100, None)._replace(**changed)


def test_the_condition_of_a_database() -> None:
    assert list(doctor.of_condition(fit())) == []
    assert grades(doctor.of_condition(fit(supported=False))) == {"database": "wrong"}
    assert grades(doctor.of_condition(fit(durable=False))) == {"database": "wrong"}
    assert grades(doctor.of_condition(fit(connections=20))) == {"database": "look"}
    assert grades(doctor.of_condition(fit(clock=utc() - timedelta(seconds=9)))) == {"clock": "wrong"}


@pytest.mark.parametrize(("free", "grade"), [(1 << 40, "ok"), (1 << 30, "look"), (1 << 20, "wrong")])
def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, grade: str) -> None:
    used = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: used)
    assert doctor.of_disk(tmp_path / "kmemlab.db").grade == grade


@pytest.mark.slow
def test_on_postgresql(tmp_path: Path) -> None:
    with postgresql.cluster(**postgresql.FAST) as made:
        made.execute("CREATE DATABASE k")
        settings = Settings(database_url=made.url("k"))
        (found,) = doctor.of_database(settings)
        assert "its schema is older" in found.found
        assert kmemlab(tmp_path, "migrate", KMEMLAB_DATABASE_URL=made.url("k")).returncode == 0
        found = {one.found: one for one in doctor.of_database(settings)}
        assert found["it confirms commits before they are on the disk"].grade == "wrong"
        assert any(name.startswith("PostgreSQL 1") for name in found)
        made.stop()
        (lost,) = doctor.of_database(settings)
        assert lost.grade == "wrong"
