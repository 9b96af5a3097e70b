"""Times in the reader's zone, with its name."""

from datetime import UTC, datetime

import pytest

from app.web import timezone, wording
from tests.support.served import BASE, build, client_of

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cookies", "said"),
    [
        ("zone=Asia%2FSeoul", "2026-12-01 21:00 Asia/Seoul"),
        ("theme=dark; zone=America/New_York", "2026-12-01 07:00 America/New York"),
        ("", "2026-12-01 12:00 UTC"),
        ("zone=Europe", "2026-12-01 12:00 UTC"),
        ("zone=../../etc/passwd", "2026-12-01 12:00 UTC"),
        ("zone=Mars/Olympus", "2026-12-01 12:00 UTC"),
        ("timezone=Asia/Seoul", "2026-12-01 12:00 UTC"),
    ],
)
def test_a_moment_is_said_in_the_zone_of_the_cookie(cookies: str, said: str) -> None:
    token = timezone.zone.set(timezone.zone_of(cookies))
    try:
        assert wording.moment(NOON) == said
        assert wording.moment("2026-12-01T12:00:00.000Z") == said
        assert f"{wording.date(NOON)} {timezone.zone_name()}" == said
        assert timezone.typed(timezone.as_typed(NOON)) == NOON
    finally:
        timezone.zone.reset(token)


def test_what_is_no_time_stays_as_it_is() -> None:
    assert wording.moment("long ago") == wording.date("long ago") == "long ago"


def test_a_time_without_a_zone_is_utc() -> None:
    assert wording.moment("2026-12-01T12:00") == "2026-12-01 12:00 UTC"


def test_pages_say_whose_clock_it_is(tmp_path_factory: pytest.TempPathFactory) -> None:
    with client_of(build(tmp_path_factory.mktemp("zone"))) as client:
        made: str = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}}).json()[
            "created"
        ]
        assert ">Created (UTC)<" in client.get("/").text
        page = client.get("/", headers={"Cookie": "zone=Asia%2FKolkata"}).text
        assert ">Created (Asia/Kolkata)<" in page
        when = datetime.fromisoformat(made).astimezone(timezone.known("Asia/Kolkata"))
        assert f"{when:%Y-%m-%d %H:%M}" in page
