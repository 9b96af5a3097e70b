"""What the textbooks leave open, as it is decided here; written on every answer."""

from __future__ import annotations

from typing import Final

CONVENTIONS: Final = {
    "page": "an address of a trace is in page address / 4096; an access to two pages is two references",
    "faults": "every reference to a page that is in no frame, also the first ones, which fill empty frames",
    "replacements": "faults for which another page had to go",
    "writebacks": "replaced pages that were written since they were loaded",
    "marks": "F for a fault and H for a hit, one for each reference; null above 1,000 references",
    "victims": "the page that went at each reference, null where none did; null above 1,000 references",
    "load_bit": "what the referenced bit of a page is when it is loaded; a hit always sets it",
    "tick": "nru and aging look at the bits after every so many references as there are frames",
    "fifo": "the page that was loaded first goes",
    "lru": "the page that was not used for longest goes",
    "clock": (
        "empty frames are filled in order; the hand begins at frame 0, takes back bits that are set, and "
        "after a replacement stands behind the replaced frame"
    ),
    "opt": (
        "the page whose next use is farthest goes; of those that are never used again, the one loaded first"
    ),
    "nru": (
        "a page of the lowest class 2R + M goes, of a class the one loaded first; R is taken back at a tick"
    ),
    "aging": (
        "counters of 8 bits; a new page has load_bit in the highest; at a tick they are shifted right and "
        "take in R; the smallest goes, of equal ones the one loaded first"
    ),
    "lru_2list": (
        "6.1's inactive and active list with exact counters, empty batches, one process, anonymous pages and "
        "enough swap; pages are taken one at a time and one is reclaimed at once, where the kernel takes 32: "
        "the tail of the inactive list; a young page is kept once and activated the second time; active "
        "pages are deactivated where the inactive list is shorter, where refaults have activated, or where "
        "nothing is found otherwise; a refault nearer than the active list is long is activated at once"
    ),
    "machine": (
        "what the session's machine really did: a fault is a page fault of any kind, and pages may have left "
        "for other reasons than replacement"
    ),
}
