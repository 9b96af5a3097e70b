"""What becomes of a page that reclaim looks at, in words, by the reasons of app.mm.shrink_folio.

Explanations say it of pages that were looked at, the machine page of those that are next.
"""

from __future__ import annotations

from typing import Final


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it: pages translate these
    """Mark a text for translation."""
    return text


FATES: Final = {
    "clean": N_("freed: nobody has used it, and its file has the same"),
    "written": N_("freed: written to its disk or its slot first"),
    "MADV_FREE": N_("freed: its owner has given it up, and has not written to it since"),
    "young": N_("kept for another round: used since it was mapped, for the first time"),
    "young again": N_("activated: used again since it was last looked at"),
    "young in several": N_("activated: used through more than one entry"),
    "executed": N_("activated: code that has been run"),
    "locked area": N_("kept away: an area that is locked in memory maps it"),
    "locked": N_("kept: somebody has its lock"),
    "mlocked": N_("put back: it is locked in memory"),
    "writeback": N_(
        "activated, to be out of the way: it is being written, and is freed as soon as that is done"
    ),
    "writeback again": N_("activated: it is still being written"),
    "no I/O allowed": N_("kept: it would have to be written, and the request allows no I/O"),
    "cannot be split": N_("activated: a huge page that cannot be split"),
    "no slot": N_("activated: swap has no slot for it"),
    "written after MADV_FREE": N_("activated: its owner gave it up, and then wrote to it"),
    "still mapped": N_("activated: it could not be unmapped everywhere"),
    "dirty file": N_("activated: it is newer than its file; the flusher writes it, and then it is freed"),
    "referenced and dirty": N_("kept: it was read lately, and would have to be written"),
    "no file system": N_("kept: it would have to be written, and the request may not enter a file system"),
    "no writing": N_("kept: this run writes nothing"),
    "held": N_("kept: somebody else holds a reference"),
    "being written": N_("kept: it has been sent to the disk"),
    "dirty again": N_("kept: it was written to again"),
}
