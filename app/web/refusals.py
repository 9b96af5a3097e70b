"""Refused requests in words: why, and with which status. Nothing happened, nothing is journalled.

Why, and with which status. Nothing happened and nothing is journalled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from app.errors import BadArgument, MachinePanicked, TaskBlocked
from app.refusals import IN_FORM, IN_SIGN_IN, status_of
from app.sessions import Conflict, LimitReached
from app.web import wording
from app.web.contexts.base import FieldFault, ShownRefusal
from app.web.language import N_, _, ngettext

# What a page says in its own form; everything else becomes an error page.
REFUSED: Final = IN_FORM

# The same where one joins or signs in.
TURNED_AWAY: Final = IN_SIGN_IN

__all__ = ["REFUSED", "TURNED_AWAY", "refusal_of", "status_of"]

NO_CALL: Final = N_("Not sent to the kernel")
NO_CALLS: Final = N_("The machine takes no calls now: nothing happened")
ASLEEP: Final = N_("The task sleeps: nothing happened")
STOPPED: Final = N_("The machine has stopped")

# What the API calls by its addresses has a page here.
PAGES: Final = {"GET /api/v1/gfp": "the page /gfp", "GET /api/v1/calls": "the page /calls"}


def refusal_of(error: Exception, title: str = NO_CALL) -> ShownRefusal:
    """The refusal in words, by field where fields are at fault. title: what did not happen, from `N_`."""
    if isinstance(error, BadArgument):
        faults = [
            FieldFault(
                place_of(fault.loc), of_pages(fault.msg), word=fault.word, suggestions=fault.suggestions
            )
            for fault in error.faults
        ]
        if error.more:
            faults.append(FieldFault("", ngettext("and %(num)s more", "and %(num)s more", error.more)))
        return ShownRefusal(_(title), faults)
    if isinstance(error, TaskBlocked):
        return ShownRefusal(_(ASLEEP), [FieldFault("", str(error))])
    if isinstance(error, MachinePanicked):
        return ShownRefusal(_(STOPPED), [FieldFault("", str(error))])
    if isinstance(error, Conflict) and title == NO_CALL:
        title = NO_CALLS
    place = place_of(error.loc) if isinstance(error, LimitReached) else ""
    return ShownRefusal(_(title), [FieldFault(place, str(error))])


def place_of(loc: Sequence[str | int]) -> str:
    """The field at fault, or the line of a file."""
    if loc[:1] == ("line",) and len(loc) > 1:
        return _("line %(number)s", number=wording.count(int(loc[1])))
    return str(loc[-1]) if loc else ""


def replaced(text: str, word: str, by: str) -> str:
    """A text with another word in the place of one."""
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", lambda _: by, text)


def of_pages(words: str) -> str:
    """A fault that points to a page of the dashboard, where it names the API's table of the same."""
    for address, place in PAGES.items():
        words = words.replace(address, place)
    return words
