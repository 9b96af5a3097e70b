"""A machine from what a real one prints: /proc/buddyinfo, with pagetypeinfo and zoneinfo, or a memory report.

The texts say how many free blocks there are, and not where they lie. So the zones are laid out anew: every
free block gets a place at which the kernel would not have merged it, and what is not free is in use by
`somebody`. The machine has exactly the counts of the text; its page frame numbers are its own.

  reading    the texts, line by line
  joining    lines of a report that the log has torn to pieces
  request    of which request a report of the log tells, and which kernel it is from
  splitting  which of the texts a pasted one is
  layout     where free blocks of given numbers can lie
  bounds     where the zones begin and end, and what they have
  building   the machine, which is given on as a dump

Kernel: mm/vmstat.c frag_show, pagetypeinfo_show, zoneinfo_show; mm/show_mem of page_alloc.c show_free_areas.
"""

from __future__ import annotations

from typing import Any, Final

from app.errors import BadArgument, Faults
from app.machine.proctext import building, reading, splitting
from app.machine.proctext.splitting import in_whole, is_text

__all__ = ["dump_of", "in_whole", "is_text"]

TEXTS: Final = ("buddyinfo", "pagetypeinfo", "zoneinfo")
# Bytes of one text: zoneinfo of 64 CPUs and several nodes has a tenth of it.
MAX_TEXT: Final = 1 << 20
EXAMPLE: Final = '{"buddyinfo": "Node 0, zone DMA 1 0 1 …"}, and pagetypeinfo and zoneinfo if you have them'


def dump_of(texts: Any) -> dict[str, Any]:
    """The dump of a machine with the counts of the texts. Raises BadArgument with places within the texts.

    texts: by name, or all in one text, as they were pasted.
    """
    if isinstance(texts, str):
        try:
            return dump_of(splitting.split(texts) if len(texts) <= MAX_TEXT else {"buddyinfo": texts})
        except BadArgument as error:
            raise in_whole(error) from None
    text = reading.read(checked(texts))
    return building.machine_of(text).dump() | {"report": text.report.as_json()}


def checked(texts: Any) -> dict[str, str]:
    """The texts, each for itself a text of bearable length."""
    if not isinstance(texts, dict):
        raise BadArgument.at((), f"a text, or an object, as {EXAMPLE}")
    faults = Faults()
    for name, text in texts.items():
        if name not in TEXTS:
            faults.add(str(name), f"unknown; known are {', '.join(TEXTS)}")
        elif not isinstance(text, str) or len(text) > MAX_TEXT:
            faults.add(name, f"the text of /proc/{name}, at most {MAX_TEXT:,} characters")
    if not texts.get("buddyinfo"):
        faults.add("buddyinfo", f"required: {splitting.ACCEPTED}")
    faults.check()
    return dict(texts)
