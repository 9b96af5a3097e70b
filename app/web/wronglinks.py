"""What of the address of a machine page shows nothing, in words: a link that is wrong must not look right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.web import wording
from app.web.address import NUMBERS, Address, number
from app.web.language import _
from app.web.panels import PANELS

LONGEST: Final = 40


def notices(
    query: Mapping[str, str], asked: Address, head: int, zones: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Each part that names nothing. asked: what was understood. head: the last row of the session."""
    return [*unread(query), *nowhere(asked, head, zones)]


def unread(query: Mapping[str, str]) -> Iterator[str]:
    """Numbers that are none."""
    for name in (*NUMBERS, "at"):
        text = query.get(name, "")
        if text and number(text) is None:
            yield _(
                "This link says %(name)s=%(text)s, which is no number: it is left out.",
                name=name,
                text=text[:LONGEST],
            )


def nowhere(asked: Address, head: int, zones: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Rows, zones and panels that there are not."""
    for seq in dict.fromkeys((asked.moment, asked.outcome, asked.since, asked.until, asked.against)):
        if seq is not None and seq > head:
            yield _(
                "Row #%(seq)s does not exist; the last is #%(head)s.",
                seq=wording.count(seq),
                head=wording.count(head),
            )
    names = [zone["name"] for zone in zones]
    if asked.zone is not None and asked.zone not in names:
        yield _(
            "This machine has no zone %(zone)s; it has %(zones)s.",
            zone=asked.zone[:LONGEST],
            zones=", ".join(dict.fromkeys(names)),
        )
    if asked.panel is not None and asked.panel not in PANELS:
        yield _("There is no panel %(panel)s.", panel=asked.panel[:LONGEST])
