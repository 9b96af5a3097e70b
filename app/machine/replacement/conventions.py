"""What the textbooks leave open, as it is decided here; written on every answer."""

from __future__ import annotations

from typing import Final


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it: pages translate these
    """Mark a text for translation."""
    return text


CONVENTIONS: Final = {
    "page": N_("an address of a trace is in page address / 4096; an access to two pages is two references"),
    "faults": N_(
        "every reference to a page that is in no frame, also the first ones, which fill empty frames"
    ),
    "replacements": N_("faults for which another page had to go"),
    "writebacks": N_("replaced pages that were written since they were loaded"),
    "marks": N_("F for a fault and H for a hit, one for each reference; null above 1,000 references"),
    "victims": N_("the page that went at each reference, null where none did; null above 1,000 references"),
    "load_bit": N_("what the referenced bit of a page is when it is loaded; a hit always sets it"),
    "tick": N_("nru and aging look at the bits after every so many references as there are frames"),
    "fifo": N_("the page that was loaded first goes"),
    "lru": N_("the page that was not used for longest goes"),
    "clock": N_(
        "empty frames are filled in order; the hand begins at frame 0, takes back bits that are set, and "
        "after a replacement stands behind the replaced frame"
    ),
    "opt": N_(
        "the page whose next use is farthest goes; of those that are never used again, the one loaded first"
    ),
    "nru": N_(
        "a page of the lowest class 2R + M goes, of a class the one loaded first; R is taken back at a tick"
    ),
    "aging": N_(
        "counters of 8 bits; a new page has load_bit in the highest; at a tick they are shifted right and "
        "take in R; the smallest goes, of equal ones the one loaded first"
    ),
    "lru_2list": N_(
        "6.1's inactive and active list with exact counters, empty batches, one process, anonymous pages and "
        "enough swap; pages are taken one at a time and one is reclaimed at once, where the kernel takes 32: "
        "the tail of the inactive list; a young page is kept once and activated the second time; active "
        "pages are deactivated where the inactive list is shorter, where refaults have activated, or where "
        "nothing is found otherwise; a refault nearer than the active list is long is activated at once"
    ),
    "machine": N_(
        "what the session's machine really did: a fault is a page fault of any kind, and pages may have left "
        "for other reasons than replacement"
    ),
}
