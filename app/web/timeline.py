"""The timeline: which row of a session is shown, and links to other rows."""

from __future__ import annotations

from app.sessions import SessionInfo
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.machine import PastBar, Timeline
from app.web.language import _


def to_moment(here: Address, info: SessionInfo, seq: int) -> Address:
    """The same view of another moment; of the last row, of the present. The banner shows that row."""
    return here.to(moment=seq if seq < info.seq else None, outcome=None)


def timeline(here: Address, info: SessionInfo) -> Timeline:
    """Make the line, with a step to each side."""
    at = info.seq if here.moment is None else here.moment
    return Timeline(
        start=info.start,
        head=info.seq,
        at=at,
        view=here.to(moment=None, outcome=None).pairs,
        earlier=Link(
            _("◂ Before"),
            to_moment(here, info, at - 1).href if at > info.start else None,
            hint=_("One call back"),
        ),
        later=Link(
            _("After ▸"), to_moment(here, info, at + 1).href if at < info.seq else None, hint=_("One call on")
        ),
    )


def past(here: Address, info: SessionInfo) -> PastBar | None:
    """Make the bar of an earlier moment."""
    if here.moment is None:
        return None
    return PastBar(here.moment, info.seq, to_moment(here, info, info.seq).href)


def diverged(here: Address, info: SessionInfo) -> Link | None:
    """Why a session is read-only, and link to the last moment that can be shown and forked."""
    if info.diverged is None:
        return None
    return Link(info.diverged["detail"], to_moment(here, info, info.diverged["seq"]).href)
