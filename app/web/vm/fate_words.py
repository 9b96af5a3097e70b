"""What becomes of pages that reclaim looks at, and which lists it looks at, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.machine.fates import FATES
from app.machine.observing import BATCH_NAMES
from app.machine.who_goes_next import MOVES
from app.web.language import N_, _

# What is said only of pages that were not looked at yet.
AHEAD: Final[Mapping[str, str]] = {
    "split": N_("split: a huge page, whose parts are looked at next"),
    "areas": N_("not looked ahead: very many areas may map it"),
}
BALANCE: Final[Mapping[str, str]] = {
    "file": N_("Only pages of files would be looked at."),
    "anon": N_("Only anonymous pages would be looked at: hardly any pages of files are left."),
    "equal": N_("All lists would be looked at alike."),
    "fractions": N_("Both kinds would be looked at, by what each has cost lately."),
}


def fate(what: str, why: str) -> str:
    """What would become of a page."""
    if what == MOVES:
        return _("moved first: it waits in the batch %(batch)s", batch=BATCH_NAMES[why])
    return _(AHEAD.get(why) or FATES[why])


def balance(kinds: str | None) -> str:
    """Which kinds of pages would be looked at; with every list empty, none."""
    return "" if kinds is None else _(BALANCE[kinds])
