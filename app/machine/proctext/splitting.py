"""Which of the texts a pasted one is: people paste several in one piece, and lines of the log."""

from __future__ import annotations

import re
from typing import Final

from app.errors import BadArgument, Location
from app.machine.proctext.joining import joined
from app.machine.proctext.reading import REPORT, ZONE
from app.machine.proctext.request import request_of
from app.mm.mmzone import MAX_ORDER

ACCEPTED: Final = "the text of /proc/buddyinfo, or the lines of an OOM report that end in '= 123kB'"
PAGETYPE: Final = re.compile(
    r"Page block order:|Pages per block:|Free pages count|Number of blocks type|.*, type "
)


def split(text: str) -> dict[str, str]:
    """The texts in one text, by name. Lines keep their numbers. Raises BadArgument where there is none."""
    parts: dict[str, list[str]] = {"buddyinfo": [], "pagetypeinfo": [], "zoneinfo": []}
    if has_report(text):
        return {"buddyinfo": text}
    name = "buddyinfo"
    for number, line in enumerate(text.splitlines()):
        if not line.strip():
            continue
        name = name_of(line, name)
        # Empty lines in front, so that a fault names the line that was pasted.
        parts[name] += [""] * (number - len(parts[name])) + [line]
    found = {name: "\n".join(lines) for name, lines in parts.items() if lines}
    if not any(map(is_count, parts["buddyinfo"])):
        refuse_half_a_report(text)
        raise BadArgument.at(("line", 1), ACCEPTED)
    return found


def refuse_half_a_report(text: str) -> None:
    """Raises BadArgument for a report without free blocks, as that of a memory cgroup, or one cut off."""
    for number, line in enumerate(text.splitlines(), 1):
        if line and request_of(line):
            raise BadArgument.at(
                ("line", number),
                "a report with its lines of free blocks, as 'Node 0 Normal: 12*4kB (U) … = 123kB'; what "
                "begins here has none, as a report of a memory cgroup or one that was cut off",
            )


def has_report(text: str) -> bool:
    """Whether there is a line of a zone's free blocks as a report has it."""
    return "kB" in text and any(REPORT.search(line) for _, line in joined(enumerate(text.splitlines())))


def is_text(text: str) -> bool:
    """Whether a text has a line of one of the texts, be it in a wrong form."""
    return has_report(text) or any(is_count(line) or request_of(line) for line in text.splitlines())


def in_whole(error: BadArgument) -> BadArgument:
    """The faults of texts that stand in one text: by the line of the whole."""
    return BadArgument(*(fault.at(line_in(fault.loc)) for fault in error.faults), more=error.more)


def line_in(loc: Location) -> Location:
    """The line of a place, where it has one."""
    return loc[loc.index("line") :] if "line" in loc else loc[-1:]


def is_count(line: str) -> bool:
    """Whether it is a zone's line of buddyinfo, be it a wrong one."""
    return ZONE.fullmatch(line.strip()) is not None


def name_of(line: str, name: str) -> str:
    """The text that a line belongs to. name: that of the line before."""
    if PAGETYPE.match(line):
        return "pagetypeinfo"
    zone = ZONE.fullmatch(line.strip())
    if zone is None:
        return name
    if not zone[3]:
        return "zoneinfo"
    # Pageblocks by type have five or six numbers.
    return "buddyinfo" if name != "pagetypeinfo" or len(zone[3].split()) == MAX_ORDER else name
