"""Numbers and sizes as text for people."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from app.web import timezone
from app.web.language import _, decimal, ngettext

PAGE_SIZE: Final = 4096
UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def count(number: int) -> str:
    """1,310,720"""
    return decimal(number)


def pfn(number: int) -> str:
    """A frame number with room for five digits, so that columns of them line up: 0x04a00"""
    return f"{number:#07x}"


def hexadecimal(number: int) -> str:
    """0xcc0"""
    return f"{number:#x}"


def size(number: int) -> str:
    """Bytes in the largest unit that leaves at most one decimal: 15.9 MiB"""
    amount = float(number)
    unit = 0
    while amount >= 1024 and unit < len(UNITS) - 1:
        amount /= 1024
        unit += 1
    broken = unit and amount < 100 and round(amount, 1) % 1
    return f"{decimal(amount, 1) if broken else f'{amount:.0f}'} {UNITS[unit]}"


def in_bytes(number: int) -> str:
    """So many bytes, to the last one: 4,096 bytes"""
    return ngettext("%(num)s byte", "%(num)s bytes", number)


def frames(number: int) -> str:
    """Page frames as bytes: 512 → 2 MiB"""
    return size(number * PAGE_SIZE)


def percent(part: int, whole: int) -> str:
    """A share with as many digits as tell it from nothing: 0.3 %"""
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 0.1:
        return f"< {decimal(0.1, 1)} %"
    return f"{decimal(share, 1 if share < 10 else 0)} %"


def cost(number: int, part: float) -> str:
    """Bytes, and which part of all they are: 128 MiB (1.56 %)"""
    return f"{size(number)} ({decimal(100 * part, 2)} %)"


def date(moment: datetime | str) -> str:
    """2026-11-22 14:00, where the zone stands beside it; as it stands what is no time, from some old file."""
    when = _parsed(moment)
    return str(moment) if when is None else f"{timezone.local(when):%Y-%m-%d %H:%M}"


def moment(moment: datetime | str) -> str:
    """2026-11-22 23:00 Asia/Seoul: as the reader's clock shows it, with the name of their zone."""
    if _parsed(moment) is None:
        return str(moment)
    return _("%(time)s %(zone)s", time=date(moment), zone=timezone.zone_name())


def _parsed(moment: datetime | str) -> datetime | None:
    try:
        return datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        return None


def points(thousandths: int) -> str:
    """Points, with as many of two decimals as there are, rounded down: 1.5"""
    hundredths = thousandths // 10
    places = 0 if hundredths % 100 == 0 else 1 if hundredths % 10 == 0 else 2
    return decimal(hundredths / 100, places)


def points_of(earned: int, most: int) -> str:
    """1.5 of 4 points"""
    return _("%(earned)s of %(most)s points", earned=points(earned), most=points(most))


def ways(reached: int, done: int, said: int) -> str:
    """How checkpoints were reached: `2 done · 1 said · 1 caught up`, without what there is none of."""
    parts = (
        (done, _("%(num)s done", num=count(done))),
        (said, _("%(num)s said", num=count(said))),
        (reached - done - said, _("%(num)s caught up", num=count(reached - done - said))),
    )
    return " · ".join(words for number, words in parts if number)
